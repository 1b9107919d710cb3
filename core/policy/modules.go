package policy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// moduleSet is what one entry of the key "rego" brings. It is compiled alone: a policy that extends this one could
// otherwise add to its packages, and make a condition hold no more by another rule of the same name.
type moduleSet struct {
	Name    string                 `json:"name"`
	Digests map[string]core.Digest `json:"modules"`

	rules *rego.Set
}

// maxPaths is how many directories, files or bundles of modules a policy can name.
const maxPaths = 20

// modulePaths reads one path or a list of them, each with its place.
func (r *reader) modulePaths(n *yaml.Node) ([]File, []*yaml.Node) {
	items := []*yaml.Node{n}
	if n.Kind != yaml.ScalarNode {
		items = n.Content
	}
	if n.Kind != yaml.ScalarNode && n.Kind != yaml.SequenceNode || len(items) == 0 || len(items) > maxPaths {
		r.Reject(n, "this must be the path of a directory or bundle of Rego rules, or a list of up to %d", maxPaths)
		return nil, nil
	}
	var files []File
	for _, item := range items {
		name := r.Text(item)
		if isBundle(name) {
			if err := CheckBundle(name); err != nil {
				r.Reject(item, "%v", err)
			}
		}
		files = append(files, File{Name: name, From: r.from})
	}
	return files, items
}

// modules reads and compiles what the policy names. The error is the resolver's, which could not look; what is wrong
// with the modules is reported with what is wrong with the policy.
func (r *reader) modules(ctx context.Context, f *file, resolver Resolver) ([]moduleSet, error) {
	if len(f.rego) == 0 || len(r.Problems) > 0 {
		return nil, nil
	}
	finder, ok := resolver.(ModuleResolver)
	if !ok {
		r.Reject(f.regoAt[0], "Rego rules cannot be read from here")
		return nil, nil
	}
	var sets []moduleSet
	for i, named := range f.rego {
		found, err := finder.Modules(ctx, named)
		if failure := (*core.Failure)(nil); errors.As(err, &failure) && !core.Usage(err) {
			return nil, err
		}
		set := moduleSet{Name: named.Name, Digests: map[string]core.Digest{}}
		if err == nil {
			set.rules, err = rego.Compile(found.Texts)
		}
		var problems diagnostic.Problems
		switch {
		case errors.As(err, &problems):
			r.others = append(r.others, placed(problems, named)...)
		case err != nil:
			r.Reject(f.regoAt[i], "the Rego rules %q cannot be used: %v", named.Name, err)
		}
		for name, text := range found.Texts {
			sum := sha256.Sum256(text)
			set.Digests[name] = core.Digest("sha256:" + hex.EncodeToString(sum[:]))
		}
		sets = append(sets, set)
		f.files = append(f.files, found.Files...)
	}
	return sets, nil
}

// placed gives problems the paths of their files, where they have one: modules are named as the policy names them, so
// that a verdict is the same in every directory.
func placed(problems diagnostic.Problems, named File) diagnostic.Problems {
	out := make(diagnostic.Problems, 0, len(problems))
	for _, p := range problems {
		if !strings.HasPrefix(named.From, BundlePrefix) && !strings.HasPrefix(p.File, BundlePrefix) && !path.IsAbs(p.File) {
			p.File = path.Join(named.From, p.File)
		}
		out = append(out, p)
	}
	return out
}

// askModules evaluates the Rego rules, once for a judgement.
func (j *judgement) askModules() {
	if len(j.policy.modules) == 0 {
		return
	}
	ordered := j.ordered()
	input, err := rego.Input(&ordered)
	if err != nil {
		j.unsaid = []rego.Broken{{Rule: "rego", Why: err.Error()}}
		return
	}
	var sets []*rego.Set
	for _, m := range j.policy.modules {
		sets = append(sets, m.rules)
	}
	j.said, j.unsaid = rego.Evaluate(context.Background(), sets, input, j.now)
}

// evaluateModules makes outcomes of what the Rego rules said. What they say of a finding that they name is an outcome of
// that finding, beside that of the rules of the policy file, which it never takes back; anything else is of the subject
// that they name, or of the first one.
func (j *judgement) evaluateModules() []core.Outcome {
	outcomes := make([]core.Outcome, 0, len(j.said))
	named := j.namedBy(j.said)
	s := j.newSetter()
	for i := range j.said {
		outcomes = append(outcomes, s.outcomesOf(&j.said[i], named)...)
	}
	slices.SortFunc(outcomes, func(a, b core.Outcome) int {
		return cmp.Or(j.bySubject(a.Subject, b.Subject), compareOutcomes(a, b))
	})
	return slices.Compact(outcomes)
}

// findingAt is a finding as Rego rules name it.
type findingAt struct {
	fingerprint string
	subject     core.Digest
}

// namedFindings are the findings that results name: two versions of a package have one fingerprint.
type namedFindings struct {
	at       map[findingAt][]*core.Finding
	subjects map[string][]core.Digest // in the user's order
}

func (j *judgement) namedBy(results []rego.Result) namedFindings {
	named := namedFindings{at: map[findingAt][]*core.Finding{}, subjects: map[string][]core.Digest{}}
	for i := range results {
		if results[i].Fingerprint != "" {
			named.subjects[results[i].Fingerprint] = nil
		}
	}
	if len(named.subjects) == 0 {
		return named
	}
	for i := range j.evidence.Findings {
		f := &j.evidence.Findings[i]
		subjects, asked := named.subjects[f.Fingerprint]
		if !asked {
			continue
		}
		at := findingAt{f.Fingerprint, f.Subject}
		if named.at[at] == nil {
			named.subjects[f.Fingerprint] = append(subjects, f.Subject)
		}
		named.at[at] = append(named.at[at], f)
	}
	for _, subjects := range named.subjects {
		slices.SortFunc(subjects, j.bySubject)
	}
	return named
}

// outcomesOf are those of one result. One that names a finding and no subject is about it wherever it is.
func (s *setter) outcomesOf(r *rego.Result, named namedFindings) []core.Outcome {
	if r.Subject != "" {
		if findings := named.at[findingAt{r.Fingerprint, r.Subject}]; len(findings) > 0 {
			return []core.Outcome{s.ofFindings(r, findings)}
		}
		return []core.Outcome{s.ofSubject(r)}
	}
	var outcomes []core.Outcome
	for _, subject := range named.subjects[r.Fingerprint] {
		outcomes = append(outcomes, s.ofFindings(r, named.at[findingAt{r.Fingerprint, subject}]))
	}
	if len(outcomes) == 0 {
		return []core.Outcome{s.ofSubject(r)}
	}
	return outcomes
}

func outcomeOf(r *rego.Result) core.Outcome {
	o := core.Outcome{Rule: r.Rule, Action: r.Action, Message: cut(r.Message)}
	if r.Excepted {
		o.Message = cut("excepted by its package: " + r.Message)
	}
	return o
}

// ofFindings is about findings of one fingerprint and subject. What excuses only some of them does not excuse it.
func (s *setter) ofFindings(r *rego.Result, findings []*core.Finding) core.Outcome {
	var strictest core.Outcome
	for i, f := range findings {
		o := outcomeOf(r)
		o.Subject, o.Fingerprint = f.Subject, f.Fingerprint
		s.finding(f)
		s.waive(&o, func() waived {
			w := s.waived(f)
			w.ids = append(w.ids, r.Rule)
			return w
		})
		cause := s.changeAlone()
		if s.compared != nil {
			cause = s.compared.causeOf(f, s.scope.pkg)
		}
		s.attribute(&o, f.Kind, cause)
		if i == 0 || cmp.Or(cmp.Compare(severityOf(o.Action), severityOf(strictest.Action)), compareOutcomes(o, strictest)) < 0 {
			strictest = o
		}
	}
	return strictest
}

// severityOf orders actions, the one that refuses first.
func severityOf(a core.Action) int {
	return slices.Index([]core.Action{core.ActionFail, core.ActionWarn, core.ActionIgnore}, a)
}

// ofSubject is about a whole subject. It is waived by the name of its rule, and comes of the change: nobody knows what of
// the evidence such a rule looked at, so that a baseline cannot say that it is not new.
func (s *setter) ofSubject(r *rego.Result) core.Outcome {
	o := outcomeOf(r)
	o.Subject = s.firstSubject()
	if s.subjects[r.Subject] != nil {
		o.Subject = r.Subject
	}
	s.waive(&o, func() waived { return waived{ids: []string{r.Rule}, subject: s.subjects[o.Subject]} })
	cause := s.changeAlone()
	if s.compared != nil {
		cause = core.CauseCode
	}
	s.attribute(&o, "", cause)
	return o
}

// moduleGaps are the Rego rules that could not be evaluated.
func (j *judgement) moduleGaps() []core.Gap {
	var gaps []core.Gap
	for _, b := range j.unsaid {
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
