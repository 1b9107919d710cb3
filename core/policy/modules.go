package policy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// Modules are the paths of the Rego modules that the policy names: directories or bundles, relative to its file. Whoever
// reads them hands them in with WithModules.
func (p *Policy) Modules() []string { return slices.Clone(p.settings.Rego) }

// WithModules returns the policy with its Rego modules, by name. They are part of what the policy means, and so of its
// digest. The error is a core.Failure of the user's input. A policy that names modules and was given none judges
// everything Undecided.
func (p *Policy) WithModules(modules map[string][]byte) (*Policy, error) {
	set, err := rego.Compile(modules)
	if err != nil {
		var problems rego.Problems
		if errors.As(err, &problems) {
			err = translated(problems)
		}
		return nil, &core.Failure{Doing: "read the Rego rules of policy " + p.ref.Name, Err: err, Usage: true}
	}
	with := *p
	with.modules, with.moduleDigests = set, map[string]core.Digest{}
	for name, text := range modules {
		sum := sha256.Sum256(text)
		with.moduleDigests[name] = core.Digest("sha256:" + hex.EncodeToString(sum[:]))
	}
	with.ref.Digest = with.digest()
	return &with, nil
}

func translated(problems rego.Problems) Problems {
	out := make(Problems, 0, len(problems))
	for _, p := range problems {
		out = append(out, Problem{p.File, p.Line, p.Column, p.What})
	}
	return out
}

// maxPaths is how many directories or bundles of modules a policy can name.
const maxPaths = 20

// modulePaths reads one path or a list of them.
func (r *reader) modulePaths(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{r.text(n)}
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || len(n.Content) > maxPaths {
		r.reject(n, "this must be the path of a directory or bundle of Rego rules, or a list of up to %d", maxPaths)
		return nil
	}
	return r.texts(n)
}

// evaluateModules asks the Rego rules. What they say of a finding that they name is an outcome of that finding, beside
// that of the rules of the policy file; anything else is of the subject that they name, or of the first one.
func (j *judgement) evaluateModules() []core.Outcome {
	if len(j.policy.settings.Rego) == 0 {
		return nil
	}
	if j.policy.modules == nil {
		j.brokenModules = []rego.Broken{{Rule: "rego", Why: "the rules that the policy names were not read"}}
		return nil
	}
	ordered := j.ordered()
	input, err := rego.Input(&ordered)
	if err != nil {
		j.brokenModules = []rego.Broken{{Rule: "rego", Why: err.Error()}}
		return nil
	}
	results, broken := j.policy.modules.Evaluate(context.Background(), input, j.now)
	j.brokenModules = broken
	outcomes := make([]core.Outcome, 0, len(results))
	known := j.fingerprints(results)
	for _, r := range results {
		o := core.Outcome{Rule: r.Rule, Action: r.Action, Message: cut(r.Message)}
		if r.Excepted {
			o.Message = cut("excepted by its package: " + r.Message)
		}
		o.Subject, o.Fingerprint = j.about(r, known)
		outcomes = append(outcomes, o)
	}
	slices.SortFunc(outcomes, func(a, b core.Outcome) int {
		return cmp.Or(j.bySubject(a.Subject, b.Subject), compareOutcomes(a, b))
	})
	return slices.Compact(outcomes)
}

// fingerprints are the subjects of the findings that results name, in the user's order.
func (j *judgement) fingerprints(results []rego.Result) map[string][]core.Digest {
	known := map[string][]core.Digest{}
	for _, r := range results {
		if r.Fingerprint != "" {
			known[r.Fingerprint] = nil
		}
	}
	if len(known) == 0 {
		return nil
	}
	for i := range j.evidence.Findings {
		f := &j.evidence.Findings[i]
		if subjects, asked := known[f.Fingerprint]; asked {
			known[f.Fingerprint] = append(subjects, f.Subject)
		}
	}
	for _, subjects := range known {
		slices.SortFunc(subjects, j.bySubject)
	}
	return known
}

// about returns the subject and the finding of a result. A finding that there is not makes it no weaker: the outcome is
// of the subject then.
func (j *judgement) about(r rego.Result, known map[string][]core.Digest) (core.Digest, string) {
	subjects := known[r.Fingerprint]
	switch {
	case slices.Contains(subjects, r.Subject):
		return r.Subject, r.Fingerprint
	case len(subjects) > 0 && r.Subject == "":
		return subjects[0], r.Fingerprint
	case j.subjects[r.Subject] != nil:
		return r.Subject, ""
	case len(j.evidence.Subjects) > 0:
		return j.evidence.Subjects[0].Digest, ""
	}
	return "", ""
}

// moduleGaps are the Rego rules that could not be evaluated.
func (j *judgement) moduleGaps() []core.Gap {
	var gaps []core.Gap
	for _, b := range j.brokenModules {
		gaps = append(gaps, core.Gap{Examination: "policy", Status: core.Failed, Rule: b.Rule,
			Why:    []string{fmt.Sprintf("rule %q could not be evaluated", b.Rule), cut(b.Why)},
			Remedy: "correct the rule so that it holds or does not hold for every evidence"})
	}
	return gaps
}

// ordered is the evidence in its one order, which does not depend on how it was gathered even where several findings or
// packages are the same by every key of that order.
func (j *judgement) ordered() core.Evidence {
	e := *j.evidence
	e.Images, e.Reach = slices.Clone(e.Images), slices.Clone(e.Reach)
	e.Packages = slices.Clone(e.Packages)
	for i := range e.Packages {
		e.Packages[i].Locations = slices.Clone(e.Packages[i].Locations)
	}
	e.Findings = slices.Clone(e.Findings)
	for i := range e.Findings {
		f := &e.Findings[i]
		f.Aliases, f.Locations, f.SeenBy = slices.Clone(f.Aliases), slices.Clone(f.Locations), slices.Clone(f.SeenBy)
	}
	e.Examinations = slices.Clone(e.Examinations)
	for i := range e.Examinations {
		e.Examinations[i].Why = slices.Clone(e.Examinations[i].Why)
	}
	e.Sort()
	settle(e.Findings, func(a, b *core.Finding) bool { return a.Fingerprint == b.Fingerprint && a.Subject == b.Subject })
	settle(e.Packages, func(a, b *core.Package) bool {
		return a.Purl == b.Purl && a.Name == b.Name && a.Subject == b.Subject
	})
	settle(e.Images, func(a, b *core.ImageFacts) bool { return a.Subject == b.Subject })
	settle(e.Examinations, func(a, b *core.Examination) bool { return a.Name == b.Name && a.Subject == b.Subject })
	return e
}

// settle orders neighbours that are the same by what they hold. Those of one key stand together, but for findings that
// differ in severity; they need no settling.
func settle[T any](list []T, same func(a, b *T) bool) {
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && same(&list[start], &list[end]) {
			end++
		}
		if end-start > 1 {
			slices.SortFunc(list[start:end], func(a, b T) int { return compareEncoded(a, b) })
		}
		start = end
	}
}
