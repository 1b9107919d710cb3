package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/cleanbill-ci/cleanbill/core"
)

// chunk is how many findings one goroutine judges at a time.
const chunk = 2048

// brokenRule gathers the errors of one rule.
type brokenRule struct {
	times   int
	reasons map[string]bool
}

// evaluate applies the rules to everything and returns the outcomes in order. If the rules with loops cost too much, all
// is done again without them, and each of them is broken; so are the waivers, of which none excuses anything then: had
// they been stopped midway, which findings they decided would depend on the order.
func (j *judgement) evaluate() []core.Outcome {
	j.askModules()
	for {
		outcomes := slices.Concat(j.evaluateFindings(), j.evaluateFacts(), j.evaluateModules())
		rules := !j.tooDear && j.spent.Load() > j.budget
		waivers := !j.waiving.none && j.waiving.steps.Load() > maxWaiverSteps
		if !rules && !waivers {
			return outcomes
		}
		none := j.waiving.none || waivers
		j.tooDear = j.tooDear || rules
		j.spent.Store(0)
		j.broken = make([]*brokenRule, len(j.policy.rules))
		j.waiving = j.policy.waivers.at(j.now)
		j.waiving.none = none
	}
}

// evaluateFindings decides over each finding. Chunks are independent and every outcome has its place, so the result
// does not depend on how they are spread over processors.
func (j *judgement) evaluateFindings() []core.Outcome {
	order := j.findingOrder()
	outcomes := make([]core.Outcome, len(order))
	rules := j.rulesOver(overFindings)
	var work sync.WaitGroup
	var lock sync.Mutex
	parallel := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)))
	for start := 0; start < len(order); start += chunk {
		parallel <- struct{}{}
		work.Go(func() {
			defer func() { <-parallel }()
			part := order[start:min(start+chunk, len(order))]
			broken := j.evaluateChunk(rules, part, outcomes[start:])
			lock.Lock()
			defer lock.Unlock()
			j.merge(broken)
		})
	}
	work.Wait()
	j.settleTies(order, outcomes)
	return outcomes
}

func (j *judgement) evaluateChunk(rules, part []int, outcomes []core.Outcome) map[int]*brokenRule {
	s := j.newSetter()
	broken := map[int]*brokenRule{}
	for i, number := range part {
		f := &j.evidence.Findings[number]
		if excuse := f.Excuse(); excuse != nil && f.Kind == core.KindVulnerability {
			outcomes[i] = excused(f, excuse)
			continue
		}
		if suppression := j.policy.suppression(f); suppression != nil {
			outcomes[i] = suppressed(f, suppression)
			continue
		}
		s.finding(f)
		o := core.Outcome{Rule: unmatched, Action: core.ActionWarn}
		var text string
		if n := j.first(rules, s, broken); n >= 0 {
			r := j.policy.rules[n]
			o.Rule, o.Action = r.Name, r.Action
			text = r.textFor(s)
		}
		if text == "" {
			text = describe(f)
		}
		o.Subject, o.Fingerprint, o.Message = f.Subject, f.Fingerprint, text
		j.waive(&o, func() waived { return s.waived(f) })
		cause := j.changeAlone()
		if j.compared != nil {
			cause = j.compared.causeOf(f, s.scope.pkg)
		}
		j.attribute(&o, f.Kind, cause)
		outcomes[i] = o
		j.refused[number] = o.Action == core.ActionFail
	}
	return broken
}

// excused is the outcome of a finding of which somebody whose word counts said that it does no harm.
func excused(f *core.Finding, s *core.VEXStatement) core.Outcome {
	why := strings.ReplaceAll(string(s.Status), "_", " ")
	if reason := cmp.Or(s.Justification, s.Impact); reason != "" {
		why += ": " + reason
	}
	return core.Outcome{Rule: core.RuleVEX, Action: core.ActionIgnore, Subject: f.Subject, Fingerprint: f.Fingerprint,
		Message: cut(fmt.Sprintf("%s is %s, says %s (%s)", describe(f), why, s.TrustedBy, s.Document))}
}

// first returns the number of the first rule whose condition holds, or -1.
func (j *judgement) first(rules []int, s *setter, broken map[int]*brokenRule) int {
	for _, n := range rules {
		holds, err := s.holds(n)
		if err != nil {
			b := broken[n]
			if b == nil {
				b = &brokenRule{reasons: map[string]bool{}}
				broken[n] = b
			}
			b.times++
			b.reasons[strings.ReplaceAll(err.Error(), packageInside, varPackage)] = true
			continue
		}
		if holds {
			return n
		}
	}
	return -1
}

var errTooDear = errors.New("the rules that loop over lists take too many steps altogether")

// holds reports whether a rule is for what the setter has set, and its condition holds.
func (s *setter) holds(n int) (bool, error) {
	r := s.policy.rules[n]
	if r.AppliesTo != nil {
		if within, err := s.within(n); err != nil || !within {
			return false, err
		}
	}
	return r.condition.holds(s)
}

// holds evaluates a condition for what the setter has set.
func (e *expression) holds(s *setter) (bool, error) {
	value, err := e.eval(s)
	if err != nil {
		return false, err
	}
	holds, ok := value.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the condition gave a %s instead of true or false", value.Type().TypeName())
	}
	return bool(holds), nil
}

func (e *expression) eval(s *setter) (ref.Val, error) {
	if !e.loops {
		value, _, err := e.program.Eval(&s.frame)
		return value, err
	}
	if s.tooDear || s.spent.Load() > s.budget {
		return nil, errTooDear
	}
	value, details, err := e.program.Eval(&s.scope)
	cost := uint64(maxCost)
	if err == nil {
		if actual := details.ActualCost(); actual != nil {
			cost = *actual
		}
	}
	s.spent.Add(cost)
	return value, err
}

// textFor is the message of the rule, or nothing if it has none. A message that cannot be made does not change the
// decision; it says so itself.
func (r *rule) textFor(s *setter) string {
	if r.message == nil {
		return ""
	}
	text, err := r.message.render(s)
	if err != nil {
		return cut(fmt.Sprintf("%s (its message could not be made: %v)", r.Name, err))
	}
	return text
}

func (j *judgement) merge(broken map[int]*brokenRule) {
	for n, b := range broken {
		if j.broken[n] == nil {
			j.broken[n] = b
			continue
		}
		j.broken[n].times += b.times
		for reason := range b.reasons {
			j.broken[n].reasons[reason] = true
		}
	}
}

// settleTies orders the outcomes of findings that are the same by every key of their order: two tools may report one
// fingerprint with different titles.
func (j *judgement) settleTies(order []int, outcomes []core.Outcome) {
	for start := 0; start < len(order); {
		end := start + 1
		for end < len(order) && j.sameKey(order[start], order[end]) {
			end++
		}
		if end-start > 1 {
			slices.SortFunc(outcomes[start:end], compareOutcomes)
		}
		start = end
	}
}

func (j *judgement) sameKey(x, y int) bool {
	a, b := &j.evidence.Findings[x], &j.evidence.Findings[y]
	return a.Fingerprint == b.Fingerprint && a.Subject == b.Subject && a.Severity == b.Severity && a.Kind == b.Kind &&
		a.Rule == b.Rule && purlOf(a) == purlOf(b)
}

func compareOutcomes(a, b core.Outcome) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Fingerprint, b.Fingerprint),
		cmp.Compare(a.Message, b.Message), cmp.Compare(a.Waiver, b.Waiver), cmp.Compare(a.Cause, b.Cause))
}

// evaluateFacts decides over what is no finding.
func (j *judgement) evaluateFacts() []core.Outcome {
	facts := j.facts()
	outcomes := make([]core.Outcome, 0, len(facts))
	for i := range facts {
		f := &facts[i]
		j.waive(&f.outcome, f.waived(j))
		cause := j.changeAlone()
		if j.compared != nil {
			cause = j.compared.causeOfFact(f)
		}
		j.attribute(&f.outcome, "", cause)
		outcomes = append(outcomes, f.outcome)
	}
	slices.SortFunc(outcomes, func(a, b core.Outcome) int {
		return cmp.Or(j.bySubject(a.Subject, b.Subject), compareOutcomes(a, b))
	})
	return outcomes
}

// fact is something other than a finding that a rule matches.
type fact struct {
	outcome core.Outcome
	pkg     *core.Package // nil for the others
	name    string        // of the package in its ecosystem, whatever its version
	ofRun   bool
}

// ofRun reports whether the rule asks how the run went, such as how old the advisories are, and not only what the
// product is.
func (r *rule) ofRun() bool { return r.Over == overExaminations || r.condition.speaksOf[varEvidence] }

// facts applies the rules over all but findings, in no order. Unlike a finding, a fact that no rule
// matches is no outcome: it is not a flaw.
func (j *judgement) facts() []fact {
	var facts []fact
	s := j.newSetter()
	broken := map[int]*brokenRule{}
	apply := func(rules []int, subject core.Digest, what string, pkg *core.Package) {
		n := j.first(rules, s, broken)
		if n < 0 {
			return
		}
		r := j.policy.rules[n]
		text := r.textFor(s)
		if text == "" {
			text = cut(fmt.Sprintf("%s: %s", r.Name, what))
		}
		f := fact{outcome: core.Outcome{Rule: r.Name, Action: r.Action, Subject: subject, Message: text}, pkg: pkg, ofRun: r.ofRun()}
		if pkg != nil {
			f.name = family(pkg.Ecosystem) + ":" + pkg.Name
		}
		facts = append(facts, f)
	}
	if rules := j.rulesOver(overPackages); len(rules) > 0 {
		for i := range j.evidence.Packages {
			p := &j.evidence.Packages[i]
			s.pkg(p)
			apply(rules, p.Subject, strings.TrimSpace(p.Name+" "+p.Version), p)
		}
	}
	if rules := j.rulesOver(overImages); len(rules) > 0 {
		for digest := range j.images {
			s.reset(digest)
			apply(rules, digest, j.nameOf(digest), nil)
		}
	}
	if rules := j.rulesOver(overSubjects); len(rules) > 0 {
		for digest := range j.subjects {
			s.reset(digest)
			apply(rules, digest, j.nameOf(digest), nil)
		}
	}
	if rules := j.rulesOver(overExaminations); len(rules) > 0 {
		for i := range j.evidence.Examinations {
			x := &j.evidence.Examinations[i]
			s.reset(x.Subject)
			s.scope.examination = x
			apply(rules, x.Subject, x.Name+" by "+x.Tool, nil)
		}
	}
	if rules := j.rulesOver(overEvidence); len(rules) > 0 {
		s.reset("")
		apply(rules, j.firstSubject(), "all evidence", nil)
	}
	j.merge(broken)
	return facts
}

// firstSubject stands for all of them in an outcome that is about none in particular.
func (j *judgement) firstSubject() core.Digest {
	if len(j.evidence.Subjects) == 0 {
		return ""
	}
	return j.evidence.Subjects[0].Digest
}

func (j *judgement) nameOf(digest core.Digest) string {
	s := j.subjects[digest]
	if s == nil {
		return digest.Short()
	}
	if s.Platform != nil {
		return s.Name + " (" + s.Platform.String() + ")"
	}
	return s.Name
}

// describe is the message of a rule that has none.
func describe(f *core.Finding) string {
	if f.Package == nil {
		return describeElsewhere(f)
	}
	var b strings.Builder
	b.WriteString(f.Rule + " in " + f.Package.Name + " " + f.Package.Version + " (" + f.Severity.String())
	if f.Exploited != nil {
		b.WriteString(", exploited since " + f.Exploited.Since)
	}
	b.WriteString(")")
	switch {
	case f.Fix.Version != "":
		b.WriteString(", fixed in " + f.Fix.Version)
	case f.Fix.Text != "":
		b.WriteString(": " + f.Fix.Text)
	}
	return cut(b.String())
}

// describeElsewhere is for findings that are not about packages.
func describeElsewhere(f *core.Finding) string {
	text := f.Rule
	if len(f.Locations) > 0 {
		at := slices.MinFunc(f.Locations, func(a, b core.Location) int {
			return cmp.Or(cmp.Compare(len(a.Commit), len(b.Commit)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
		})
		text += " in " + at.Path
		if at.Line > 0 {
			text += fmt.Sprintf(":%d", at.Line)
		}
		if at.Commit != "" {
			text += " of commit " + at.Commit[:min(len(at.Commit), 12)]
			if !at.Date.IsZero() {
				text += at.Date.Format(" (2006-01-02)")
			}
		}
	}
	if f.Title != "" {
		text += ": " + f.Title
	}
	return cut(text)
}

// maxReasons is how many different errors of one rule a gap lists.
const maxReasons = 3

// ruleGaps are the rules that could not be evaluated for something: each might have been the one that refuses.
func (j *judgement) ruleGaps() []core.Gap {
	gaps := []core.Gap{}
	if j.waiving.none {
		gaps = append(gaps, core.Gap{Examination: "policy", Status: core.Failed, Rule: "waivers",
			Why:    []string{"comparing the findings with the patterns of the waivers takes too many steps, so that none of them excuses anything"},
			Remedy: "name ids or fingerprints in the waivers, or use fewer patterns"})
	}
	for n, b := range j.broken {
		if b == nil {
			continue
		}
		name := j.policy.rules[n].Name
		reasons := slices.Sorted(maps.Keys(b.reasons))
		why := []string{fmt.Sprintf("rule %q could not be evaluated %d times", name, b.times)}
		for _, reason := range reasons[:min(len(reasons), maxReasons)] {
			why = append(why, cut(reason))
		}
		gaps = append(gaps, core.Gap{
			Examination: "policy",
			Status:      core.Failed,
			Why:         why,
			Remedy:      fmt.Sprintf("correct the condition of rule %q so that it holds for every %s", name, ownVariable(j.policy.rules[n].Over)),
			Rule:        name,
		})
	}
	return gaps
}
