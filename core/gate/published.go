package gate

import (
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Published is what was pushed, attested and named.
type Published struct {
	// Reference is the name that it got, and Digest what that names.
	Reference string
	Digest    core.Digest
	// Attestations are what was attached, in the order in which it was signed.
	Attestations []Attested
	// Hosts were asked to sign, besides the registry.
	Hosts []string
}

// Attested is one attestation beside one manifest.
type Attested struct {
	PredicateType string
	// Subject is the manifest that it is about, and Digest that of the manifest that holds it; empty for the older form, which
	// has a tag.
	Subject, Digest core.Digest
	// Content is the digest of the bundle itself, or of what is kept apart.
	Content core.Digest
}

// Show says to people what was pushed or signed, and what was attested; nothing if nothing was.
func (p *Published) Show(w io.Writer) error {
	if p == nil {
		return nil
	}
	var b strings.Builder
	if strings.HasSuffix(p.Reference, "@"+string(p.Digest)) { // it got no name
		fmt.Fprintf(&b, "\nsigned      %s\n", report.SafeText(p.Reference))
	} else {
		fmt.Fprintf(&b, "\npushed      %s\n            %s\n", report.SafeText(p.Reference), report.SafeText(string(p.Digest)))
	}
	for _, a := range p.Attestations {
		what := a.PredicateType
		if what == "" {
			what = "signature of the older form"
		}
		fmt.Fprintf(&b, "attested    %s of %s\n", report.SafeText(what), a.Subject.Short())
	}
	for _, host := range p.Hosts {
		fmt.Fprintf(&b, "asked       %s\n", report.SafeText(host))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
