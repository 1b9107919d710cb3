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

// ShowPublished says to people what was pushed or signed, and what was attested, or that nothing was because of the verdict.
// It says nothing if nothing was to be published, and where that failed, which is an error of its own.
func (r *Result) ShowPublished(w io.Writer) error {
	p := r.Published
	if p == nil {
		return r.showUnpublished(w)
	}
	var b strings.Builder
	if inPlace(p.Reference) {
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

func (r *Result) showUnpublished(w io.Writer) error {
	wanted := r.Evidence.Publication
	if wanted == nil || r.Verdict.Decision == core.Passed {
		return nil
	}
	what := "not pushed"
	if inPlace(wanted.Reference) {
		what = "not signed"
	}
	_, err := fmt.Fprintf(w, "\n%s  %s\n", what, report.SafeText(wanted.Reference))
	return err
}

// inPlace reports whether a reference is that of an image that gets no name.
func inPlace(reference string) bool { return strings.Contains(reference, "@") }
