package policy

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"slices"
)

// place is what stays the same of a subject when its content changes: an image of a platform, a source tree. Digests
// change with every build, and names with every tag.
type place struct {
	kind     core.SubjectKind
	platform string
}

func placeOf(s *core.Subject) place {
	p := place{kind: s.Kind}
	if s.Platform != nil {
		p.platform = s.Platform.String()
	}
	return p
}

// sighting is a finding at a place. Its kind is part of it, so that a document cannot pass one thing off as another.
type sighting struct {
	place       int
	kind        core.FindingKind
	fingerprint string
}

// toolAt is a tool, or an examination, at a place.
type toolAt struct {
	place int
	name  string
}

// factAt is something that a rule over packages, images or subjects matched.
type factAt struct {
	rule  string
	place int
	name  string // of a package, with its ecosystem
}

// everyPlace is where an examination counts that names no subject.
const everyPlace = -1

// comparison is a baseline, indexed, beside the judgement that is compared with it.
type comparison struct {
	*judgement
	baseline *core.Baseline
	// places numbers the places of the baseline; here are the subjects that are judged, by the same numbers.
	places map[place]int
	here   map[core.Digest]int
	// known says of each finding of the baseline whether it was visible; rematched are those of its packages today.
	known     map[sighting]bool
	rematched map[sighting]bool
	ran       map[toolAt][]string // the versions that ran for the baseline
	runs      map[toolAt][]string // the versions that ran now
	analyzers map[toolAt]bool     // those that found packages
	facts     map[factAt]bool
	// let are the outcomes that another policy did not refuse; nil if it was the same policy.
	let map[letAt]bool
}

// letAt is a finding, or else a rule over something else, of which the baseline's verdict says something.
type letAt struct {
	place             int
	fingerprint, rule string
}

func (j *judgement) compare(b *core.Baseline) *comparison {
	c := &comparison{judgement: j, baseline: b, places: map[place]int{}, here: map[core.Digest]int{},
		known: make(map[sighting]bool, len(b.Evidence.Findings)), rematched: make(map[sighting]bool, len(b.Rematched)),
		ran: map[toolAt][]string{}, runs: map[toolAt][]string{}, analyzers: map[toolAt]bool{}}
	there := map[core.Digest]int{}
	for i := range b.Evidence.Subjects {
		s := &b.Evidence.Subjects[i]
		n, seen := c.places[placeOf(s)]
		if !seen {
			n = len(c.places)
			c.places[placeOf(s)] = n
		}
		there[s.Digest] = n
	}
	for digest, s := range j.subjects {
		if n, ok := c.places[placeOf(s)]; ok {
			c.here[digest] = n
		}
	}
	c.sightings(there)
	c.tools(c.ran, b.Evidence.Examinations, there)
	c.tools(c.runs, j.evidence.Examinations, c.here)
	for i := range b.Evidence.Packages {
		p := &b.Evidence.Packages[i]
		if n, ok := there[p.Subject]; ok && p.Analyzer != "" {
			c.analyzers[toolAt{n, p.Analyzer}] = true
		}
	}
	c.factsOf(there)
	c.lets(there)
	return c
}

func (c *comparison) sightings(there map[core.Digest]int) {
	for i := range c.baseline.Evidence.Findings {
		f := &c.baseline.Evidence.Findings[i]
		if n, ok := there[f.Subject]; ok && f.Fingerprint != "" {
			at := sighting{n, f.Kind, f.Fingerprint}
			c.known[at] = c.known[at] || visible(f)
		}
	}
	for i := range c.baseline.Rematched {
		f := &c.baseline.Rematched[i]
		if n, ok := there[f.Subject]; ok && f.Fingerprint != "" {
			c.rematched[sighting{n, f.Kind, f.Fingerprint}] = true
		}
	}
}

func visible(f *core.Finding) bool { return f.Origin == nil || f.Origin.RemovedIn == nil }

// tools notes which versions of which tools looked at which places.
func (c *comparison) tools(into map[toolAt][]string, examinations []core.Examination, places map[core.Digest]int) {
	for i := range examinations {
		x := &examinations[i]
		if x.Status != core.Complete && x.Status != core.Partial {
			continue
		}
		n, ok := places[x.Subject]
		switch {
		case x.Subject == "":
			n = everyPlace
		case !ok:
			continue
		}
		for _, name := range []string{x.Name, x.Tool} {
			into[toolAt{n, name}] = append(into[toolAt{n, name}], x.Version)
		}
	}
}

// factsOf evaluates the rules over packages, images and subjects for the baseline as well: what they match there too is
// not new.
func (c *comparison) factsOf(there map[core.Digest]int) {
	if !slices.ContainsFunc(c.policy.rules, func(r *rule) bool { return r.Over != overFindings && !r.ofRun() }) {
		return
	}
	before := newJudgement(c.policy, &c.baseline.Evidence, c.now)
	c.facts = map[factAt]bool{}
	for _, f := range before.facts() {
		if n, ok := there[f.outcome.Subject]; ok && !f.ofRun {
			c.facts[factAt{f.outcome.Rule, n, f.name}] = true
		}
	}
	if before.spent.Load() > before.budget {
		c.facts = nil
	}
}

// lets notes what the baseline's verdict did not refuse, if it was by another policy.
func (c *comparison) lets(there map[core.Digest]int) {
	v := c.baseline.Verdict
	if v == nil || v.Policy.Digest == c.policy.ref.Digest {
		return
	}
	c.let = make(map[letAt]bool, len(v.Warnings)+len(v.Ignored))
	note := func(outcomes []core.Outcome, let bool) {
		for i := range outcomes {
			o := &outcomes[i]
			n, ok := there[o.Subject]
			if !ok {
				continue
			}
			at := letAt{place: n, fingerprint: o.Fingerprint}
			if o.Fingerprint == "" {
				at.rule = o.Rule
			}
			c.let[at] = let
		}
	}
	note(v.Warnings, true)
	note(v.Ignored, true)
	note(v.Refusals, false) // which wins over the others
}

// causeOf says why there is a finding.
func (c *comparison) causeOf(f *core.Finding, pkg *core.Package) core.Cause {
	n, compared := c.here[f.Subject]
	if !compared || f.Fingerprint == "" { // the baseline has no such subject: the change brings all of it
		return core.CauseCode
	}
	at := sighting{n, f.Kind, f.Fingerprint}
	switch {
	case c.has(at, visible(f)):
		return core.CauseKnown
	case f.Kind == core.KindSuppression: // what a change suppresses is compared with its base, whatever tools ran for it
		return core.CauseCode
	case c.rematched[at]:
		return core.CauseAdvisory
	case f.Package != nil && c.newInventory(n, pkg), f.Package == nil && c.newTool(n, f.SeenBy):
		return core.CauseTool
	}
	return core.CauseCode
}

// knows reports whether the baseline has a finding. One that was in a deleted file there, and is in the product now, it
// has not.
func (c *comparison) knows(f *core.Finding) bool {
	n, compared := c.here[f.Subject]
	return compared && f.Fingerprint != "" && c.has(sighting{n, f.Kind, f.Fingerprint}, visible(f))
}

func (c *comparison) has(at sighting, visible bool) bool {
	seen, known := c.known[at]
	return known && (seen || !visible)
}

// newInventory reports whether a package may be new only because nobody could see it before: the inventory was of
// another version, and what found the package had found nothing at that place.
func (c *comparison) newInventory(n int, pkg *core.Package) bool {
	if pkg == nil || pkg.Analyzer == "" || c.analyzers[toolAt{n, pkg.Analyzer}] {
		return false
	}
	return c.newTool(n, []string{core.ExaminePackages})
}

// newTool reports whether none of the tools that see something ran for the baseline in the version that ran now. Tools
// of which nothing is recorded tell nothing, and then it is the change that is taken to bring it.
func (c *comparison) newTool(n int, names []string) bool {
	recorded := false
	for _, name := range names {
		for _, where := range []int{n, everyPlace} {
			for _, version := range c.runs[toolAt{where, name}] {
				recorded = true
				if c.didRun(n, name, version) {
					return false
				}
			}
		}
	}
	return recorded
}

func (c *comparison) didRun(n int, name, version string) bool {
	for _, where := range []int{n, everyPlace} {
		for _, v := range c.ran[toolAt{where, name}] {
			if v == version {
				return true
			}
		}
	}
	return false
}

// causeOfFact says why a rule over something else matches. Of one that asks how this run went, as of gaps, the baseline
// excuses nothing: it grows old itself, so that its own advisories always look stale.
func (c *comparison) causeOfFact(f *fact) core.Cause {
	n, compared := c.here[f.outcome.Subject]
	switch {
	case !compared, f.ofRun:
		return core.CauseCode
	case c.facts[factAt{f.outcome.Rule, n, f.name}]:
		return core.CauseKnown
	case f.pkg != nil && c.newInventory(n, f.pkg):
		return core.CauseTool
	}
	return core.CauseCode
}

// attribute gives an outcome its cause, and makes a warning of a refusal whose cause does not block.
func (j *judgement) attribute(o *core.Outcome, kind core.FindingKind, cause core.Cause) {
	if o.Action == core.ActionIgnore {
		return
	}
	o.Cause = cause
	if o.Action != core.ActionFail || j.compared == nil {
		return
	}
	if cause == core.CauseKnown && j.compared.passedBefore(o) {
		cause = core.CausePolicy
		o.Cause = cause
	}
	if j.policy.settings.Baseline.blocks(cause, kind) {
		return
	}
	o.Action, o.Held = core.ActionWarn, true
	why := reasonFor(cause)
	o.Message = cutTo(o.Message, maxMessage-len(why)) + why
}

// passedBefore reports whether another policy let through what is refused now.
func (c *comparison) passedBefore(o *core.Outcome) bool {
	at := letAt{place: c.here[o.Subject], fingerprint: o.Fingerprint}
	if o.Fingerprint == "" {
		at.rule = o.Rule
	}
	return c.let[at]
}

func reasonFor(cause core.Cause) string {
	switch cause {
	case core.CauseAdvisory:
		return " (does not block: the advisories are newer than the baseline)"
	case core.CausePolicy:
		return " (does not block: the policy is another than the baseline's)"
	case core.CauseTool:
		return " (does not block: the tool that sees it is newer than the baseline)"
	}
	return " (does not block: the baseline has it too)"
}

// changeAlone is the cause where a change is judged and nothing is known of what was before it: everything counts as
// the change's. Where no change is judged there is no cause at all.
func (j *judgement) changeAlone() core.Cause {
	if change := j.evidence.Change; change != nil && change.Base != "" {
		return core.CauseCode
	}
	return ""
}

// baselineRef names the baseline, with the number of findings that it has too and that it lacks.
func (j *judgement) baselineRef() *core.BaselineRef {
	if j.compared == nil {
		return nil
	}
	ref := j.compared.baseline.Ref
	ref.Known, ref.New = 0, 0
	for i := range j.evidence.Findings {
		if j.compared.knows(&j.evidence.Findings[i]) {
			ref.Known++
		} else {
			ref.New++
		}
	}
	return &ref
}
