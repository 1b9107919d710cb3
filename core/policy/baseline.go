package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// Baseline is what a policy says of what changes are compared with.
type Baseline struct {
	// Source is a file, relative to the policy's, or an image as "oci://REFERENCE" whose attested evidence is the
	// baseline; empty leaves it to whoever runs the gate.
	Source File `json:"source,omitzero"`
	// SignedBy are those of whom one must have signed the evidence of an image.
	SignedBy []Signer `json:"signedBy,omitempty"`
	// Block are the causes that refuse; none means that only what the change brings does.
	Block []core.Cause `json:"block,omitempty"`
}

// Baseline returns what the policy says of what changes are compared with.
func (p *Policy) Baseline() Baseline { return p.settings.Baseline }

// blocks reports whether a finding that a rule refuses is refused although there is a baseline. What a newer tool sees
// cannot be told from what the change brings; of secrets and malware the doubt is not given to the change.
func (b Baseline) blocks(cause core.Cause, kind core.FindingKind) bool {
	if cause == core.CauseTool && (kind == core.KindSecret || kind == core.KindMalware) {
		return true
	}
	return cause == core.CauseCode || slices.Contains(b.Block, cause)
}

func (r *reader) baseline(n *yaml.Node) Baseline {
	var b Baseline
	r.Keys(n, map[string]func(*yaml.Node){
		"source":    func(n *yaml.Node) { b.Source = r.source(n) },
		"signed-by": func(n *yaml.Node) { b.SignedBy = r.signers(n) },
		"block":     func(n *yaml.Node) { b.Block = r.causes(n) },
	})
	return b
}

// source reads a file, or the name of an image.
func (r *reader) source(n *yaml.Node) File {
	if strings.HasPrefix(n.Value, BundlePrefix) {
		return File{Name: r.Text(n)}
	}
	return r.named(n)
}

// causes reads those that refuse. What the change brings is always among them, and what the baseline has too is not a
// cause: whoever wants that refused needs no baseline.
func (r *reader) causes(n *yaml.Node) []core.Cause {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list of causes, not %s", strictyaml.Kind(n))
		return nil
	}
	var causes []core.Cause
	for _, item := range n.Content {
		causes = append(causes, core.Cause(r.Choice(item, string(core.CauseCode), string(core.CauseAdvisory),
			string(core.CausePolicy), string(core.CauseTool))))
	}
	if !slices.Contains(causes, core.CauseCode) {
		r.Reject(n, `"code" is missing: what the change itself brings is always refused`)
	}
	slices.Sort(causes)
	return slices.Compact(causes)
}
