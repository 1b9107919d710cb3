package actions

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// publishing says where what passed goes and who signs it: a key, or else the identity that GitHub gives a job with the
// permission id-token: write. Nil without the input push.
func (a *Adapter) publishing() (*gate.Publishing, error) {
	reference := a.input("push")
	if reference == "" {
		return nil, nil
	}
	inputs := map[string]string{}
	for _, s := range gate.SigningSettings() {
		if s.Input != "" {
			inputs[s.Variable] = a.input(s.Input)
		}
	}
	signing, err := gate.EnvironmentSigning(func(name string) string { return cmp.Or(inputs[name], a.getenv(name)) })
	if err != nil {
		return nil, err
	}
	p := &gate.Publishing{Reference: reference, Signing: signing}
	switch said := a.input("provenance"); said {
	case "", "false":
		return p, nil
	case "true":
	default:
		return nil, &core.Failure{Doing: "read the input provenance", Err: fmt.Errorf("%q is neither true nor false", said), Usage: true}
	}
	if p.Build = a.build(); p.Build == nil {
		return nil, &core.Failure{Doing: "say how the image was built", Usage: true,
			Err: errors.New("the runner's variables name no workflow, commit or kind of runner"), Hint: "leave the input provenance out"}
	}
	return p, nil
}

// publishedOutputs are where what was pushed is, and what is attested to it, one a line, as TYPE=DIGEST. They are empty if
// nothing was.
func publishedOutputs(p *gate.Published) []gate.Fact {
	reference, attestations := "", []string{}
	if p != nil {
		reference = p.Reference
		for _, x := range p.Attestations {
			if x.PredicateType != "" && x.Subject == p.Digest {
				attestations = append(attestations, x.PredicateType+"="+string(x.Digest))
			}
		}
	}
	return []gate.Fact{{Name: "reference", Value: reference}, {Name: "attestations", Value: strings.Join(attestations, "\n")}}
}
