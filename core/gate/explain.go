package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// minPrefix is how much of a fingerprint has to be given.
const minPrefix = 4

// Explained is what a verdict and a policy say of one name: findings, or else a rule.
type Explained struct {
	Document report.Document
	// Policy is what explains. OtherPolicy says that it is not the one that judged.
	Policy      core.PolicyRef
	OtherPolicy bool
	// Missing are inputs of the verdict that were not found, in sentences.
	Missing  []string
	Findings []policy.Explanation
	// Rule is set if the name is that of a rule, with what it decided according to the document.
	Rule    *policy.Rule
	Decided []core.Outcome
}

// Explain says of a fingerprint, the beginning of one, or the id of a flaw how the policy decides over it; or, of the
// name of a rule, what it is and which findings it decided.
func (g *Gate) Explain(ctx context.Context, name string, p PastPlan) (*Explained, error) {
	t, err := g.past(ctx, p)
	if err != nil {
		return nil, err
	}
	if t.policy == nil {
		return nil, &core.Failure{Doing: "explain " + name, Err: errors.New(t.missing[0]), Hint: "give the policy with --policy"}
	}
	x := &Explained{Document: t.document, Policy: t.policy.Ref(), Missing: t.missing,
		OtherPolicy: t.policy.Ref().Digest != t.document.Verdict.Policy.Digest}
	rules := t.policy.Described()
	if n := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.Name == name }); n >= 0 {
		x.Rule, x.Decided = &rules[n], decidedBy(t.document.Verdict, name)
		return x, nil
	}
	fingerprints, err := findingsNamed(name, &t.document.Evidence, rules)
	if err != nil {
		return nil, err
	}
	baseline := t.baseline
	if len(t.missing) > 0 {
		baseline = nil // half of what it was compared with would give causes that nobody saw
	}
	x.Findings = t.policy.Explain(&t.document.Evidence, baseline, t.document.Verdict.Time, fingerprints...)
	return x, nil
}

// decidedBy are the outcomes of a rule, the refusals first.
func decidedBy(v *core.Verdict, rule string) []core.Outcome {
	var out []core.Outcome
	for _, outcomes := range [][]core.Outcome{v.Refusals, v.Warnings, v.Ignored} {
		for _, o := range outcomes {
			if o.Rule == rule {
				out = append(out, o)
			}
		}
	}
	return out
}

// findingsNamed returns the fingerprints of the findings that somebody means: all that have an id, or the one with a
// fingerprint that begins so.
func findingsNamed(name string, e *core.Evidence, rules []policy.Rule) ([]string, error) {
	var byID, byPrefix []string
	candidates := make([]string, 0, len(rules)+len(e.Findings))
	for _, r := range rules {
		candidates = append(candidates, r.Name)
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		if f.Fingerprint == "" {
			continue
		}
		candidates = append(append(candidates, f.Rule), f.Aliases...)
		if slices.ContainsFunc(append([]string{f.Rule}, f.Aliases...), func(id string) bool { return strings.EqualFold(id, name) }) {
			byID = append(byID, f.Fingerprint)
		}
		if len(name) >= minPrefix && strings.HasPrefix(f.Fingerprint, strings.ToLower(name)) {
			byPrefix = append(byPrefix, f.Fingerprint)
		}
	}
	unknown := &core.Failure{Doing: "explain " + name, Usage: true,
		Err:  errors.New("there is no finding and no rule of that name"),
		Hint: "name a fingerprint, at least 4 digits of one, the id of a flaw, or a rule of the policy"}
	switch byPrefix = unique(byPrefix); {
	case len(byID) > 0:
		return unique(byID), nil
	case len(byPrefix) == 1 || slices.Contains(byPrefix, name):
		return []string{cmp.Or(exact(byPrefix, name), byPrefix[0])}, nil
	case len(byPrefix) > 1:
		shown := byPrefix[:min(len(byPrefix), maxNear)]
		unknown.Err = fmt.Errorf("%d fingerprints begin so: %s", len(byPrefix), strings.Join(shown, ", "))
		unknown.Hint = "give more of the one that you mean"
	default:
		if near := nearest.To(name, unique(candidates), maxNear); len(near) > 0 {
			unknown.Hint = "did you mean " + strings.Join(near, ", ") + "?"
		}
	}
	return nil, unknown
}

// maxNear is how many names are offered instead of one that is not there.
const maxNear = 5

func exact(all []string, name string) string {
	if slices.Contains(all, name) {
		return name
	}
	return ""
}

func unique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}
