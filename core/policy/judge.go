package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

// Judge decides over evidence. It is pure: the same evidence, in any order, with the same policy, baseline and time
// gives the same verdict, byte for byte. It does not change e and may be called by several goroutines.
//
// No rule reads the baseline. With one, a refusal that does not come of the change is a warning, which says what it
// comes of and why it does not block; without one, everything is refused that a rule refuses. Gaps are judged alike:
// that nobody looked before either excuses nothing.
func (p *Policy) Judge(e *core.Evidence, b *core.Baseline, now time.Time) core.Verdict {
	j := newJudgement(p, e, now.UTC().Round(0))
	if b != nil {
		j.compared = j.compare(b)
	}
	outcomes := j.evaluate()
	v := core.Verdict{
		Time:     j.now,
		Policy:   p.ref,
		Refusals: withAction(outcomes, core.ActionFail),
		Warnings: withAction(outcomes, core.ActionWarn),
		Ignored:  withAction(outcomes, core.ActionIgnore),
		Gaps:     append(j.ruleGaps(), j.moduleGaps()...),
		Counts:   j.counts,
		Upgrades: []core.Upgrade{},
		Waivers:  j.waiving.uses(outcomes),
		Baseline: j.baselineRef(),
	}
	gaps, accepted := j.examinationGaps()
	v.Gaps = append(v.Gaps, gaps...)
	v.Accepted = accepted
	v.Upgrades = append(v.Upgrades, j.upgrades(v.Refusals)...)
	v.AfterUpgrades = j.afterUpgrades(v)
	v.Decision = decide(v)
	return v
}

// withAction returns the outcomes of one action. There may be 100,000 of them, so they are counted first.
func withAction(outcomes []core.Outcome, action core.Action) []core.Outcome {
	n := 0
	for i := range outcomes {
		if outcomes[i].Action == action {
			n++
		}
	}
	chosen := make([]core.Outcome, 0, n)
	for i := range outcomes {
		if outcomes[i].Action == action {
			chosen = append(chosen, outcomes[i])
		}
	}
	return chosen
}

// decide is the whole of the decision: a refusal wins over a gap, and a gap over passing.
func decide(v core.Verdict) core.Decision {
	switch {
	case len(v.Refusals) > 0:
		return core.Refused
	case len(v.Gaps) > 0:
		return core.Undecided
	default:
		return core.Passed
	}
}

// judgement is one call of Judge.
type judgement struct {
	policy   *Policy
	evidence *core.Evidence
	now      time.Time
	// rank is the place of a subject in the user's order; an unknown subject comes last.
	rank     map[core.Digest]int
	subjects map[core.Digest]*core.Subject
	images   map[core.Digest]*core.ImageFacts
	packages map[packageKey]*core.Package
	broken   []*brokenRule // by the number of the rule
	refused  []bool        // by the number of the finding: whether a rule of the policy file refuses it
	// spent is the cost of the expressions with loops; once it was over the budget, none of them is evaluated (tooDear).
	budget  uint64
	spent   atomic.Uint64
	tooDear bool
	counts  core.Counts
	waiving *waiving
	// said is what the Rego rules gave, and unsaid which of them could not be evaluated.
	said   []rego.Result
	unsaid []rego.Broken
	// compared is nil where there is no baseline, as in the judgement of a baseline.
	compared *comparison
}

// packageKey finds the package that a finding names.
type packageKey struct {
	subject core.Digest
	purl    string
}

func newJudgement(p *Policy, e *core.Evidence, now time.Time) *judgement {
	j := &judgement{
		policy:   p,
		evidence: e,
		budget:   maxTotalCost,
		now:      now,
		waiving:  p.waivers.at(now),
		counts:   core.CountsOf(e),
		rank:     make(map[core.Digest]int, len(e.Subjects)),
		subjects: make(map[core.Digest]*core.Subject, len(e.Subjects)),
		images:   make(map[core.Digest]*core.ImageFacts, len(e.Images)),
		packages: make(map[packageKey]*core.Package, len(e.Packages)),
		broken:   make([]*brokenRule, len(p.rules)),
		refused:  make([]bool, len(e.Findings)),
	}
	for i := range e.Subjects {
		s := &e.Subjects[i]
		if _, seen := j.subjects[s.Digest]; !seen {
			j.rank[s.Digest], j.subjects[s.Digest] = i, s
		}
	}
	for i := range e.Images {
		image := &e.Images[i]
		if held, seen := j.images[image.Subject]; !seen || compareImages(image, held) < 0 {
			j.images[image.Subject] = image
		}
	}
	for i := range e.Packages {
		pkg := &e.Packages[i]
		key := packageKey{pkg.Subject, pkg.Purl}
		if held, seen := j.packages[key]; !seen || comparePackages(pkg, held) < 0 {
			j.packages[key] = pkg
		}
	}
	return j
}

// comparePackages orders packages of one purl, so that which one a finding is about does not depend on the order in
// which they were found. One that is visible comes first.
func comparePackages(a, b *core.Package) int {
	if c := cmp.Or(compareBool(b.Visible(), a.Visible()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
		cmp.Compare(firstPath(a.Locations), firstPath(b.Locations))); c != 0 {
		return c
	}
	return compareEncoded(a, b)
}

func compareImages(a, b *core.ImageFacts) int {
	if c := cmp.Or(cmp.Compare(a.User, b.User), a.Created.Compare(b.Created)); c != 0 {
		return c
	}
	return compareEncoded(a, b)
}

// compareEncoded orders what is the same by every key that matters by all the rest.
func compareEncoded[T any](a, b T) int {
	left, err := json.Marshal(a)
	if err != nil { // the vocabulary always marshals, but for times beyond the year 9999
		return 0
	}
	right, err := json.Marshal(b)
	if err != nil {
		return 0
	}
	return bytes.Compare(left, right)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (j *judgement) bySubject(a, b core.Digest) int {
	return cmp.Or(cmp.Compare(j.rankOf(a), j.rankOf(b)), cmp.Compare(a, b))
}

func (j *judgement) rankOf(d core.Digest) int {
	if rank, ok := j.rank[d]; ok {
		return rank
	}
	return len(j.rank)
}

// nothing are the zero values that stand for what a scope does not have.
type nothing struct {
	finding     core.Finding
	pkg         core.Package
	image       core.ImageFacts
	distro      core.Distro
	subject     core.Subject
	examination core.Examination
	change      core.Change
}

// setter fills a scope with one thing after the other.
type setter struct {
	*judgement
	scope   scope
	frame   interpreter.ExecutionFrame // holds the scope; kept to spare an allocation for each evaluation
	nothing nothing
	partial core.Package // what a finding says of a package that is not in the evidence
	// imageFits says of each rule whether it is for the image of a subject.
	imageFits   []fit
	imageFitsOf core.Digest
	steps       int // of globs, which are not yet counted
}

func (j *judgement) newSetter() *setter {
	s := &setter{judgement: j}
	s.scope = scope{now: types.Timestamp{Time: j.now}, evidence: j.evidence, counts: &j.counts, change: &s.nothing.change}
	if j.evidence.Change != nil {
		s.scope.change = j.evidence.Change
	}
	s.frame.Activation = &s.scope
	s.reset("")
	return s
}

// reset leaves only what belongs to a subject.
func (s *setter) reset(subject core.Digest) {
	s.scope.finding, s.scope.pkg = &s.nothing.finding, &s.nothing.pkg
	s.scope.image, s.scope.distro = &s.nothing.image, &s.nothing.distro
	s.scope.subject, s.scope.examination = &s.nothing.subject, &s.nothing.examination
	if known := s.subjects[subject]; known != nil {
		s.scope.subject = known
	}
	if image := s.images[subject]; image != nil {
		s.scope.image = image
		if image.Distro != nil {
			s.scope.distro = image.Distro
		}
	}
}

func (s *setter) finding(f *core.Finding) {
	s.reset(f.Subject)
	s.scope.finding = f
	if f.Package == nil {
		return
	}
	if pkg := s.packages[packageKey{f.Subject, f.Package.Purl}]; pkg != nil {
		s.scope.pkg = pkg
		return
	}
	s.partial = core.Package{
		Subject:   f.Subject,
		Name:      f.Package.Name,
		Version:   f.Package.Version,
		Purl:      f.Package.Purl,
		Ecosystem: f.Package.Ecosystem,
		Locations: f.Locations,
		Origin:    f.Origin,
	}
	s.scope.pkg = &s.partial
}

func (s *setter) pkg(p *core.Package) {
	s.reset(p.Subject)
	s.scope.pkg = p
}

// rulesOver are the numbers of the rules that are evaluated for one kind of thing, on the branch that is judged.
func (j *judgement) rulesOver(over string) []int {
	var numbers []int
	for i, r := range j.policy.rules {
		if r.Over == over && r.decides(r.fitsBranch(j.evidence.Change)) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// findingOrder sorts the numbers of all findings: by subject, the worst first, then by what they are.
func (j *judgement) findingOrder() []int {
	findings := j.evidence.Findings
	order, ranks := make([]int, len(findings)), make([]int, len(findings))
	for i := range order {
		order[i], ranks[i] = i, j.rankOf(findings[i].Subject)
	}
	slices.SortFunc(order, func(x, y int) int {
		a, b := &findings[x], &findings[y]
		if c := cmp.Or(cmp.Compare(ranks[x], ranks[y]), cmp.Compare(b.Severity, a.Severity)); c != 0 {
			return c
		}
		if c := cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Kind, b.Kind)); c != 0 {
			return c
		}
		if c := cmp.Compare(purlOf(a), purlOf(b)); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return order
}

func purlOf(f *core.Finding) string {
	if f.Package == nil {
		return ""
	}
	return f.Package.Purl
}
