package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// PastPlan names a verdict of an earlier run, and where its inputs are today if not where the verdict says.
type PastPlan struct {
	// Document is a file with a verdict, as gate and judge write it.
	Document string
	// Policy and Baseline are empty for the places that the verdict names.
	Policy   string
	Baseline string
	// Advisories is the set that the baseline's packages were looked up in; empty if it is not at hand.
	Advisories string
	Offline    bool
}

// past is a verdict of an earlier run with its inputs, as far as they were found.
type past struct {
	document report.Document
	policy   *policy.Policy // nil if it could not be read
	baseline *core.Baseline
	// missing are the inputs that were not found or are not those of the verdict, in sentences.
	missing []string
}

// readPast reads a document with a verdict.
func readPast(name string) (report.Document, error) {
	d, err := readDocument(name)
	if err == nil && d.Verdict == nil {
		return d, &core.Failure{Doing: "use " + name, Err: errors.New("it has no verdict"), Usage: true,
			Hint: "gate and judge write one: --output json=verdict.json"}
	}
	return d, err
}

// past finds the inputs of a verdict. What is not there is not an error but missing, unless the plan names it.
func (g *Gate) past(ctx context.Context, p PastPlan) (*past, error) {
	document, err := readPast(p.Document)
	if err != nil {
		return nil, err
	}
	t := &past{document: document}
	if err := g.pastPolicy(ctx, t, p); err != nil {
		return nil, err
	}
	if document.Verdict.Baseline == nil && p.Advisories != "" { // nothing is looked up, but whoever names a set asks
		set, err := g.openSet(ctx, p.Advisories, AdvisoryAccess{Offline: p.Offline})
		if err != nil {
			return nil, err
		}
		t.sameAdvisories(p.Advisories, set.Source().Digest)
	}
	return t, g.pastBaseline(ctx, t, p)
}

// sameAdvisories reports whether a set is the one that the verdict is by.
func (t *past) sameAdvisories(name string, digest core.Digest) bool {
	used := t.document.Evidence.Advisories.Digest
	if digest != used {
		t.miss("the advisories %s are others: the verdict is by %s, and these are %s", name, used, digest)
	}
	return digest == used
}

func (g *Gate) pastPolicy(ctx context.Context, t *past, p PastPlan) error {
	ref, place := t.document.Verdict.Policy, p.Policy
	if place == "" {
		place = ref.Source
		if slices.Contains(policy.Profiles(), ref.Name) && ref.Source == policy.BuiltIn {
			place = ref.Name
		}
	}
	found, err := g.Policy(ctx, place)
	switch {
	case err != nil && (p.Policy != "" || ctx.Err() != nil):
		return err
	case err != nil:
		t.miss("the policy %s (%s) was not found: %v", ref.Name, ref.Digest, err)
	case found.Ref().Digest != ref.Digest:
		t.miss("the policy %s is another: the verdict is by %s, and this is %s", place, ref.Digest, found.Ref().Digest)
	case ref.Source != policy.BuiltIn && found.Ref().Name != ref.Name && slices.Contains(policy.Profiles(), ref.Name):
		t.miss("the policy %s is not the profile %s, as the verdict calls it", place, ref.Name)
	}
	t.policy = found
	return nil
}

// pastBaseline reads what the verdict was compared with. Evidence that was attested to an image is not fetched again: the
// image may have more of it now, so that it has to be given as a file.
func (g *Gate) pastBaseline(ctx context.Context, t *past, p PastPlan) error {
	ref := t.document.Verdict.Baseline
	switch {
	case ref == nil && p.Baseline != "":
		return &core.Failure{Doing: "use the baseline " + p.Baseline, Usage: true,
			Err: errors.New("the verdict was compared with none"), Hint: "leave --baseline out"}
	case ref == nil:
		return nil
	}
	place := p.Baseline
	if place == "" {
		place = ref.Source
	}
	baseline, err := readBaseline(place, localfile.Read)
	switch {
	case err != nil && p.Baseline != "":
		return err
	case err != nil:
		t.miss("the baseline %s (%s) was not found: %v", ref.Source, ref.Digest, err)
		return nil
	case baseline.Ref.Digest != ref.Digest:
		t.miss("the baseline %s is another: the verdict is compared with %s, and this is %s", place, ref.Digest, baseline.Ref.Digest)
	}
	baseline.Ref.Source = ref.Source // where it lies does not matter
	t.baseline = baseline
	return g.pastAdvisories(ctx, t, p)
}

// pastAdvisories looks the baseline's packages up as the run did. A document does not carry what came of that, and it is
// asked only where there are findings that the baseline lacks.
func (g *Gate) pastAdvisories(ctx context.Context, t *past, p PastPlan) error {
	used := t.document.Evidence.Advisories
	if p.Advisories != "" {
		set, err := g.openSet(ctx, p.Advisories, AdvisoryAccess{Offline: p.Offline})
		if err != nil {
			return err
		}
		if !t.sameAdvisories(p.Advisories, set.Source().Digest) {
			return nil
		}
		return rematch(ctx, set, t.baseline, t.document.Verdict.Time)
	}
	if t.policy != nil && t.judge().Baseline.New > 0 {
		t.miss("the advisories %s (%s) are needed to look up the packages of the baseline; give them with --advisories", used.Name, used.Digest)
	}
	return nil
}

// judge judges the evidence at the time of the verdict.
func (t *past) judge() core.Verdict {
	v := t.policy.Judge(&t.document.Evidence, t.baseline, t.document.Verdict.Time)
	if v.Policy.Digest == t.document.Verdict.Policy.Digest {
		v.Policy = t.document.Verdict.Policy // what it is called and where it lies do not matter
	}
	return v
}

func (t *past) miss(format string, args ...any) {
	t.missing = append(t.missing, fmt.Sprintf(format, args...))
}
