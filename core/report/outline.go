package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// outline is a document in the order in which people read it: the result, what to fix, what else there is, and what
// nobody could look at. The terminal and Markdown show the same outline. Its texts are foreign: whoever writes them
// makes them safe.
type outline struct {
	// decision is "passed", "refused", "undecided", or "examined" for evidence that was not judged.
	decision string
	name     string
	digest   string
	why      []string
	rows     []row
	fixes    []fix
	others   []other
	refusals int
	warnings []ruleCount
	warned   []warned // the warnings themselves, the worst first
	ignored  []ruleCount
	counts   core.Counts
	since    string // the baseline
	waivers  []idle
	asks     []string // what the change itself wants not to count
	gaps     []gap
	accepted []gap
	facts    []fact
	next     string
}

// row is one judged subject.
type row struct {
	label    string
	digest   string
	decision string
	refused  int
	warned   int
}

// fix is one upgrade, once for all platforms that need it.
type fix struct {
	name, from, to string
	severity       core.Severity
	flaws          flaws
	where          string
	via            []string // what brings it in, where a lockfile says so
	command        string
	lines          []string // that a patch takes and gives
	platforms      []string
}

// flaws are distinct ids, the most urgent first.
type flaws []flaw

type flaw struct {
	id        string
	severity  core.Severity
	exploited bool
}

// other is a group of refusals that no upgrade removes.
type other struct {
	kind      core.FindingKind
	what      string
	severity  core.Severity
	flaws     flaws
	remedy    string
	platforms []string
}

// warned is one warning, once for all subjects that have it.
type warned struct {
	what      string
	severity  core.Severity
	exploited bool
	known     bool // the baseline has it, or a newer advisory or tool brought it
	platforms []string
}

// ruleCount is how many findings one rule decided over.
type ruleCount struct {
	rule       string
	says       string // the document or waiver that excuses, and why it counts; empty for a rule
	waived     bool
	held       causeCounts // why they are no refusals; empty if no rule would make them such
	outcomes   int
	severities [core.SeverityCritical + 1]int
}

// gap is an examination that is not complete, once for all subjects that have it.
type gap struct {
	examination string
	status      string
	why         []string
	remedy      string
	rule        string
	subjects    []string
}

// fact is what the verdict rests on.
type fact struct{ name, value string }

// newOutline puts a document in order.
func newOutline(d Document) outline {
	e := ordered(d.Evidence)
	n := newNames(e.Subjects)
	o := outline{decision: "examined", counts: core.CountsOf(&e)}
	if d.Verdict == nil {
		o.gaps = n.incomplete(e.Examinations)
	} else {
		v := complete(*d.Verdict)
		known := newKnown(e.Findings)
		o.decision = v.Decision.String()
		o.counts = v.Counts
		o.refusals = len(v.Refusals)
		o.fixes = n.fixes(v.Upgrades, known, chains(e.Packages))
		o.others = n.others(v, known)
		o.warnings, o.ignored = countRules(v.Warnings, v.Waivers, known), countRules(v.Ignored, v.Waivers, known)
		o.warned = n.warned(v.Warnings, known)
		o.since, o.waivers, o.asks = sinceLine(&v), idleWaivers(&v), asksOf(&e)
		o.gaps, o.accepted = n.gaps(v.Gaps), n.gaps(v.Accepted)
		o.rows = n.rows(v)
	}
	o.name, o.digest = n.title(d.Verdict)
	o.why = o.reasons(d.Verdict)
	o.facts = factsOf(d, e)
	o.next = o.nextStep()
	return o
}

// known finds a finding by subject and fingerprint.
type known map[[2]string]*core.Finding

func newKnown(findings []core.Finding) known {
	k := make(known, len(findings))
	for i := range findings {
		f := &findings[i]
		key := [2]string{string(f.Subject), f.Fingerprint}
		if _, seen := k[key]; !seen { // findings are sorted: the worst stays
			k[key] = f
		}
	}
	return k
}

func (k known) of(subject core.Digest, fingerprint string) *core.Finding {
	return k[[2]string{string(subject), fingerprint}]
}

// names knows what to call subjects.
type names struct {
	subjects []core.Subject
	labels   map[core.Digest]string
	several  bool
}

// newNames gives each subject the shortest label that tells it from the others: its platform, or its name, or both.
func newNames(subjects []core.Subject) names {
	n := names{subjects: subjects, labels: map[core.Digest]string{}}
	tops := map[string]bool{}
	judged := 0
	for _, s := range subjects {
		tops[s.Name] = true
		if s.Kind != core.KindIndex {
			judged++
		}
	}
	n.several = judged > 1
	for _, s := range subjects {
		label := s.Name
		if s.Kind == core.KindSource && len(tops) > 1 {
			label += " (sources)" // most often it is called "."
		}
		if s.Platform != nil {
			label = s.Platform.String()
			if len(tops) > 1 {
				label = s.Name + " (" + label + ")"
			}
		}
		n.labels[s.Digest] = label
	}
	return n
}

func (n names) label(d core.Digest) string {
	if label, ok := n.labels[d]; ok {
		return label
	}
	if d == "" {
		return ""
	}
	return d.Short()
}

// title is what the verdict is about: what the user named. If platforms of an index were left out, it is not the index
// but the images that were judged.
func (n names) title(v *core.Verdict) (name, digest string) {
	var tops, images []core.Subject
	for _, s := range n.subjects {
		if s.Parent == "" {
			tops = append(tops, s)
		} else {
			images = append(images, s)
		}
	}
	if len(tops) == 0 {
		tops = images
	}
	if len(tops) == 0 {
		return "nothing", ""
	}
	first := tops[0]
	name, digest = first.Name, first.Digest.Short()
	if len(tops) > 1 {
		return fmt.Sprintf("%s and %d more", name, len(tops)-1), ""
	}
	if v == nil || !leavesOut(*v, first.Digest) {
		return name, digest
	}
	if len(images) == 1 {
		return name + " (" + n.label(images[0].Digest) + " only)", images[0].Digest.Short()
	}
	return fmt.Sprintf("%s (%d platforms only)", name, len(images)), ""
}

func leavesOut(v core.Verdict, index core.Digest) bool {
	for _, g := range v.Accepted {
		if g.Examination == core.ExamineTarget && g.Subject == index {
			return true
		}
	}
	return false
}

// rows are the judged subjects, if there are several.
func (n names) rows(v core.Verdict) []row {
	if !n.several {
		return nil
	}
	refused, warned, gaps := map[core.Digest]int{}, map[core.Digest]int{}, map[core.Digest]int{}
	for i := range v.Refusals {
		refused[v.Refusals[i].Subject]++
	}
	for i := range v.Warnings {
		warned[v.Warnings[i].Subject]++
	}
	for i := range v.Gaps {
		gaps[v.Gaps[i].Subject]++
	}
	var rows []row
	for _, s := range n.subjects {
		if s.Kind == core.KindIndex {
			continue
		}
		r := row{label: n.label(s.Digest), digest: s.Digest.Short(), refused: refused[s.Digest], warned: warned[s.Digest]}
		switch {
		case r.refused > 0:
			r.decision = core.Refused.String()
		case gaps[s.Digest] > 0 || gaps[s.Parent] > 0 || gaps[""] > 0:
			r.decision = core.Undecided.String()
		default:
			r.decision = core.Passed.String()
		}
		rows = append(rows, r)
	}
	return rows
}

// platforms are the labels of subjects, in the user's order, unless there is only one subject anyway.
func (n names) platforms(subjects map[core.Digest]bool) []string {
	if !n.several {
		return nil
	}
	if n.all(subjects) {
		return []string{"everywhere"}
	}
	var labels []string
	for _, s := range n.subjects {
		if subjects[s.Digest] {
			labels = append(labels, n.label(s.Digest))
			delete(subjects, s.Digest)
		}
	}
	for _, d := range slices.Sorted(maps.Keys(subjects)) {
		if label := n.label(d); label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

// all reports whether every judged subject is among them.
func (n names) all(subjects map[core.Digest]bool) bool {
	for _, s := range n.subjects {
		if s.Kind != core.KindIndex && !subjects[s.Digest] {
			return false
		}
	}
	return true
}

// fixes merges the upgrades that are the same on several platforms.
func (n names) fixes(upgrades []core.Upgrade, k known, via map[[2]string][]string) []fix {
	type key struct{ name, ecosystem, from, to string }
	type group struct {
		fix      fix
		subjects map[core.Digest]bool
		flaws    map[string]flaw
		places   []string
	}
	groups := map[key]*group{}
	var order []key
	for _, u := range upgrades {
		id := key{u.Package, u.Ecosystem, u.From, u.To}
		g := groups[id]
		if g == nil {
			g = &group{
				fix:      fix{name: u.Package, from: u.From, to: u.To, command: u.Command, lines: changedLines(u.Patch)},
				subjects: map[core.Digest]bool{},
				flaws:    map[string]flaw{},
			}
			groups[id] = g
			order = append(order, id)
		}
		g.fix.severity = max(g.fix.severity, u.Severity)
		if g.fix.command != u.Command { // platforms differ in what is installed
			g.fix.command = longer(g.fix.command, u.Command)
		}
		if place := placeOf(u); !slices.Contains(g.places, place) {
			g.places = append(g.places, place)
		}
		g.subjects[u.Subject] = true
		for _, purl := range u.Packages {
			if chain := via[[2]string{string(u.Subject), purl}]; g.fix.via == nil || len(chain) > 0 && len(chain) < len(g.fix.via) {
				g.fix.via = chain
			}
		}
		for _, fingerprint := range u.Fixes {
			addFlaw(g.flaws, k.of(u.Subject, fingerprint))
		}
	}
	fixes := make([]fix, 0, len(order))
	for _, id := range order {
		g := groups[id]
		g.fix.flaws = sortFlaws(g.flaws)
		g.fix.where = strings.Join(slices.DeleteFunc(g.places, func(s string) bool { return s == "" }), "; ")
		g.fix.platforms = n.platforms(g.subjects)
		fixes = append(fixes, g.fix)
	}
	slices.SortStableFunc(fixes, func(a, b fix) int {
		return cmp.Or(cmp.Compare(b.flaws.exploited(), a.flaws.exploited()), cmp.Compare(b.severity, a.severity),
			cmp.Compare(len(b.flaws), len(a.flaws)), cmp.Compare(a.name, b.name), cmp.Compare(a.from, b.from))
	})
	return fixes
}

// chains are what brings packages in, by subject and package URL.
func chains(packages []core.Package) map[[2]string][]string {
	all := map[[2]string][]string{}
	for _, p := range packages {
		if len(p.Via) > 0 {
			all[[2]string{string(p.Subject), p.Purl}] = p.Via
		}
	}
	return all
}

// shownVia is how many packages of a chain are named.
const shownVia = 4

// chain writes what brings a package in: the first of a long one and the last, which people can change.
func chain(via []string, arrow, ellipsis string) string {
	if len(via) == 0 {
		return ""
	}
	if len(via) > shownVia {
		via = slices.Concat(via[:shownVia-1], []string{ellipsis}, via[len(via)-1:])
	}
	return "via " + strings.Join(via, " "+arrow+" ")
}

func longer(a, b string) string {
	if len(b) > len(a) {
		return b
	}
	return a
}

func addFlaw(flaws map[string]flaw, f *core.Finding) {
	if f == nil {
		return
	}
	held := flaws[f.Rule]
	flaws[f.Rule] = flaw{
		id:        f.Rule,
		severity:  max(held.severity, f.Severity),
		exploited: held.exploited || f.Exploited != nil,
	}
}

func sortFlaws(set map[string]flaw) flaws {
	return slices.SortedFunc(maps.Values(set), func(a, b flaw) int {
		if a.exploited != b.exploited {
			if a.exploited {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(a.id, b.id))
	})
}

// exploited counts the flaws that are exploited.
func (f flaws) exploited() int {
	n := 0
	for _, flaw := range f {
		if flaw.exploited {
			n++
		}
	}
	return n
}

// severities says how many there are of each severity: "3 critical, 1 high".
func (f flaws) severities() string {
	var counts [core.SeverityCritical + 1]int
	for _, flaw := range f {
		counts[bounded(flaw.severity)]++
	}
	return severityList(counts)
}

func (f flaws) ids() []string {
	ids := make([]string, 0, len(f))
	for _, flaw := range f {
		ids = append(ids, flaw.id)
	}
	return ids
}

// bounded guards an array against a severity from elsewhere.
func bounded(s core.Severity) core.Severity {
	if s < 0 || s > core.SeverityCritical {
		return core.SeverityUnknown
	}
	return s
}

func severityList(counts [core.SeverityCritical + 1]int) string {
	var parts []string
	for _, s := range core.Severities() {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

// others groups the refusals that no upgrade removes: flaws of one package together, everything else by itself, once
// for all platforms.
func (n names) others(v core.Verdict, k known) []other {
	upgraded := map[[2]string]bool{}
	for _, u := range v.Upgrades {
		for _, fingerprint := range u.Fixes {
			upgraded[[2]string{string(u.Subject), fingerprint}] = true
		}
	}
	type group struct {
		other    other
		subjects map[core.Digest]bool
		flaws    map[string]flaw
	}
	groups := map[string]*group{}
	var order []string
	for _, r := range v.Refusals {
		if r.Fingerprint != "" && upgraded[[2]string{string(r.Subject), r.Fingerprint}] {
			continue
		}
		f := k.of(r.Subject, r.Fingerprint)
		o := other{what: placed(r.Message, f)}
		if f != nil {
			o.kind, o.remedy = f.Kind, remedyOf(f)
			if f.Package != nil && f.Kind == core.KindVulnerability {
				o.what = strings.TrimSpace(f.Package.Name + " " + f.Package.Version)
			}
		}
		id := strings.Join([]string{string(o.kind), o.what, o.remedy}, "\x00")
		g := groups[id]
		if g == nil {
			g = &group{other: o, subjects: map[core.Digest]bool{}, flaws: map[string]flaw{}}
			groups[id] = g
			order = append(order, id)
		}
		g.subjects[r.Subject] = true
		if f != nil {
			g.other.severity = max(g.other.severity, f.Severity)
			addFlaw(g.flaws, f)
		}
	}
	others := make([]other, 0, len(order))
	for _, id := range order {
		g := groups[id]
		if g.other.kind == core.KindVulnerability {
			g.other.flaws = sortFlaws(g.flaws)
		}
		g.other.platforms = n.platforms(g.subjects)
		others = append(others, g.other)
	}
	slices.SortStableFunc(others, func(a, b other) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(len(b.flaws), len(a.flaws)), cmp.Compare(a.what, b.what))
	})
	return others
}

// warned lists warnings, what attackers use and what is severe first, and the change's own before what was there before.
func (n names) warned(outcomes []core.Outcome, k known) []warned {
	type group struct {
		warned   warned
		subjects map[core.Digest]bool
	}
	groups := map[string]*group{}
	var order []string
	for i := range outcomes {
		o := &outcomes[i]
		f := k.of(o.Subject, o.Fingerprint)
		if f != nil && f.Kind == core.KindSuppression {
			continue // what a change asks for has a list of its own
		}
		what := placed(o.Message, f)
		g := groups[what]
		if g == nil {
			g = &group{warned: warned{what: what, known: true}, subjects: map[core.Digest]bool{}}
			groups[what] = g
			order = append(order, what)
		}
		g.subjects[o.Subject] = true
		g.warned.known = g.warned.known && o.Cause != "" && o.Cause != core.CauseCode
		if f != nil {
			g.warned.severity = max(g.warned.severity, bounded(f.Severity))
			g.warned.exploited = g.warned.exploited || f.Exploited != nil
		}
	}
	all := make([]warned, 0, len(order))
	for _, what := range order {
		g := groups[what]
		g.warned.platforms = n.platforms(g.subjects)
		all = append(all, g.warned)
	}
	slices.SortStableFunc(all, func(a, b warned) int {
		return cmp.Or(compareBools(a.known, b.known), compareBools(b.exploited, a.exploited),
			cmp.Compare(b.severity, a.severity), cmp.Compare(a.what, b.what))
	})
	return all
}

// compareBools puts false first.
func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// placed is a rule's message with the place of the finding, unless the message names it.
func placed(message string, f *core.Finding) string {
	if f == nil || len(f.Locations) == 0 || f.Kind == core.KindVulnerability {
		return message
	}
	at := f.Locations[0]
	if at.Path == "" || strings.Contains(message, at.Path) {
		return message
	}
	if at.Line > 0 {
		return fmt.Sprintf("%s (%s:%d)", message, at.Path, at.Line)
	}
	return fmt.Sprintf("%s (%s)", message, at.Path)
}

// remedyOf says what to do about a finding by itself, or why nothing can be done.
func remedyOf(f *core.Finding) string {
	switch {
	case f.Fix.Text != "":
		return f.Fix.Text
	case f.Fix.State == core.FixAvailable && f.Fix.Version != "":
		return "upgrade to " + f.Fix.Version
	case f.Fix.State == core.FixAvailable && len(f.Fix.Versions) > 0: // of several branches, of which nobody knows ours
		return "fixed in " + strings.Join(f.Fix.Versions[:min(len(f.Fix.Versions), 3)], ", ")
	case f.Kind != core.KindVulnerability:
		return ""
	case f.Fix.State == core.FixNone:
		return "no fixed version was published"
	case f.Fix.State == core.FixWontFix:
		return "the distributor does not fix it"
	case f.Fix.State == core.FixEndOfLife:
		return "the distributor no longer supports the package"
	case f.Fix.State == core.FixNotAffected:
		return "the distributor says that its build is not affected"
	}
	return "no fixed version is known"
}

func countRules(outcomes []core.Outcome, waivers []core.WaiverUse, k known) []ruleCount {
	counts := map[string]*ruleCount{}
	words := map[string]string{}
	for i := range outcomes {
		o := &outcomes[i]
		says, f := "", k.of(o.Subject, o.Fingerprint)
		if f != nil && o.Rule == core.RuleVEX {
			if s := f.Excuse(); s != nil {
				says = s.Document + ", " + s.TrustedBy
			}
		}
		rule := o.Rule
		if o.Waiver != "" {
			if words[o.Waiver] == "" {
				words[o.Waiver] = waiverWords(o.Waiver, waivers)
			}
			rule, says = "", words[o.Waiver] // a waiver may excuse from several rules
		}
		key := fmt.Sprint(rule, "\x00", says, "\x00", o.Held)
		c := counts[key]
		if c == nil {
			c = &ruleCount{rule: rule, says: says, waived: o.Waiver != "", held: causeCounts{}}
			counts[key] = c
		}
		c.outcomes++
		if o.Held {
			c.held[o.Cause]++
		}
		if f != nil && o.Fingerprint != "" {
			c.severities[bounded(f.Severity)]++
		}
	}
	all := make([]ruleCount, 0, len(counts))
	for _, c := range counts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b ruleCount) int {
		return cmp.Or(cmp.Compare(b.outcomes, a.outcomes), cmp.Compare(a.rule, b.rule), cmp.Compare(a.says, b.says),
			cmp.Compare(b.held.total(), a.held.total()))
	})
	return all
}

// by says what decided, made safe.
func (c ruleCount) by(safe func(string) string) string {
	switch {
	case c.waived:
		return "by waiver " + safe(c.says)
	case c.says != "":
		return "by VEX: " + safe(c.says)
	case c.rule == core.RuleSuppressed:
		return "because the sources say so"
	case c.held.total() > 0:
		return "by rule " + safe(c.rule) + ", which would refuse: " + c.held.list()
	}
	return "by rule " + safe(c.rule)
}

// gaps merges the gaps that several subjects have.
func (n names) gaps(all []core.Gap) []gap {
	groups := map[string]*gap{}
	subjects := map[string]map[core.Digest]bool{}
	var order []string
	for _, g := range all {
		id := strings.Join(append([]string{g.Examination, string(g.Status), g.Remedy, g.Rule}, g.Why...), "\x00")
		if groups[id] == nil {
			status := string(g.Status)
			if status == "" {
				status = "missing"
			}
			groups[id] = &gap{examination: g.Examination, status: status, why: g.Why, remedy: g.Remedy, rule: g.Rule}
			subjects[id] = map[core.Digest]bool{}
			order = append(order, id)
		}
		subjects[id][g.Subject] = true
	}
	merged := make([]gap, 0, len(order))
	for _, id := range order {
		groups[id].subjects = n.platforms(subjects[id])
		merged = append(merged, *groups[id])
	}
	return merged
}

// incomplete are the examinations that are not complete, for evidence that was not judged.
func (n names) incomplete(examinations []core.Examination) []gap {
	var all []core.Gap
	for _, x := range examinations {
		if x.Status != core.Complete {
			all = append(all, core.Gap{Examination: x.Name, Subject: x.Subject, Status: x.Status, Why: x.Why, Remedy: x.Remedy})
		}
	}
	return n.gaps(all)
}

// reasons say in a few sentences why the result is what it is.
func (o *outline) reasons(v *core.Verdict) []string {
	if v == nil {
		return []string{fmt.Sprintf("%s in %s. Nothing was judged.", plural(o.counts.Findings, "finding"), plural(o.counts.Packages, "package"))}
	}
	var why []string
	switch v.Decision {
	case core.Refused:
		why = append(why, fmt.Sprintf("Policy %s refuses %s; %s", v.Policy.Name, refused(v), o.remedies(v)))
		if len(v.Gaps) > 0 {
			why = append(why, "What could not be examined is listed below; there may be more.")
		}
	case core.Passed:
		nothing := "nothing"
		if v.Baseline != nil {
			nothing = "nothing that this change brings"
		}
		why = append(why, fmt.Sprintf("Policy %s refuses %s, and everything that it requires was examined.",
			v.Policy.Name, nothing))
	default:
		why = append(why, fmt.Sprintf("Policy %s refuses nothing that was seen, but %s, so this cannot pass.",
			v.Policy.Name, notComplete(len(o.gaps))))
	}
	if held := heldBack(v); held != "" {
		why = append(why, held)
	}
	if len(v.Accepted) > 0 && v.Decision == core.Passed {
		why = append(why, "The policy accepts that some of it was not examined: see below.")
	}
	return why
}

func notComplete(n int) string {
	if n == 1 {
		return "one examination is not complete"
	}
	return fmt.Sprintf("%d examinations are not complete", n)
}

func (o *outline) remedies(v *core.Verdict) string {
	if a := v.AfterUpgrades; a != nil {
		return o.afterUpgrades(len(v.Refusals)-a.Refusals, *a)
	}
	fixed := 0
	for _, u := range v.Upgrades {
		fixed += len(u.Fixes)
	}
	switch {
	case fixed == 0 && len(v.Refusals) == 1:
		return "no upgrade removes it."
	case fixed == 0:
		return "no upgrade removes them."
	case fixed >= len(v.Refusals):
		return fmt.Sprintf("%s all of them.", removes(len(o.fixes)))
	default:
		return fmt.Sprintf("%s %d of them.", removes(len(o.fixes)), fixed)
	}
}

// afterUpgrades says whether making the upgrades is enough.
func (o *outline) afterUpgrades(removed int, a core.AfterUpgrades) string {
	switch {
	case a.Refusals > 0:
		return fmt.Sprintf("%s %d of them, and %d will still be refused.", removes(len(o.fixes)), removed, a.Refusals)
	case a.Decision == core.Passed:
		return fmt.Sprintf("%s all of them, and then it passes.", removes(len(o.fixes)))
	default:
		return fmt.Sprintf("%s all of them and leave it undecided.", removes(len(o.fixes)))
	}
}

// placeOf is where an upgrade is made, and the base image that may bring it instead.
func placeOf(u core.Upgrade) string {
	if u.Base == "" {
		return u.Where
	}
	return strings.TrimPrefix(u.Where+"; or build on a newer release of "+u.Base, "; ")
}

// changedLines are what a patch takes and gives.
func changedLines(patch string) []string {
	var lines []string
	for line := range strings.Lines(patch) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && strings.ContainsRune("+-", rune(line[0])) && !strings.HasPrefix(line, "--- a/") && !strings.HasPrefix(line, "+++ b/") {
			lines = append(lines, line)
		}
	}
	return lines
}

func removes(n int) string {
	if n == 1 {
		return "1 upgrade removes"
	}
	return fmt.Sprintf("%d upgrades remove", n)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// factsOf are what the verdict rests on.
func factsOf(d Document, e core.Evidence) []fact {
	var facts []fact
	if v := d.Verdict; v != nil {
		facts = append(facts, fact{"policy", fmt.Sprintf("%s (%s, %s)", v.Policy.Name, v.Policy.Source, v.Policy.Digest.Short())})
	}
	if v := d.Verdict; v != nil && v.Baseline != nil {
		facts = append(facts, fact{"baseline", baselineFact(v.Baseline)})
	}
	facts = append(facts, fact{"advisories", advisoriesOf(e.Advisories)})
	tool := strings.TrimSpace(d.Tool.Name + " " + d.Tool.Version)
	if d.Verdict != nil && !d.Verdict.Time.IsZero() {
		tool += ", " + d.Verdict.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return append(facts, fact{"judged by", tool})
}

func advisoriesOf(a core.AdvisorySource) string {
	if a.Name == "" {
		return "none"
	}
	s := a.Name
	if !a.AsOf.IsZero() {
		s += " of " + a.AsOf.UTC().Format("2006-01-02")
	}
	if a.Records > 0 {
		s += ", " + plural(a.Records, "record")
	}
	if a.Digest != "" {
		s += ", " + a.Digest.Short()
	}
	return s
}

// nextStep is the one thing to do now; nothing for what passed.
func (o *outline) nextStep() string {
	switch o.decision {
	case core.Refused.String():
		switch {
		case len(o.fixes) > 0 && len(o.others) > 0:
			return "Make these upgrades, see to what has none, build again, and run the gate again."
		case len(o.fixes) > 0:
			return "Make these upgrades, build again, and run the gate again."
		}
		return "See to what is refused, build again, and run the gate again."
	case core.Undecided.String():
		return "Close the gaps above and run the gate again."
	}
	return ""
}
