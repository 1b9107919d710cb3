package report

import (
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// How much of each list stands in the page itself.
const (
	htmlFixes  = 200
	htmlLead   = 12 // cards that are not folded away
	htmlOthers = 200
	htmlRows   = 200 // subjects, gaps, waivers, rules
	htmlStacks = 8
	htmlIDs    = 24
	htmlReason = 1000 // bytes of a reason why something was not examined
)

// htmlView is what the page's templates show. All of its texts are safe to show, and are escaped by the templates.
type htmlView struct {
	Policy   string // of content security
	Decision string
	Word     string
	Name     string
	Digest   string
	Why      []string
	Next     string
	Numbers  []htmlNumber
	Counts   []htmlCount
	Rows     htmlCutRows[htmlSubjectRow]
	Fixes    htmlCutRows[htmlFix]
	Others   htmlCutRows[htmlOther]
	Gaps     htmlCutRows[htmlGap]
	Accepted htmlCutRows[htmlGap]
	Asks     htmlCutRows[string]
	Stacks   htmlCutRows[htmlStack]
	Warnings htmlCutRows[htmlRule]
	Ignored  htmlCutRows[htmlRule]
	Waivers  htmlCutRows[htmlWaiver]
	Looked   htmlCutRows[htmlExamination]
	Since    string
	Facts    []htmlFact
	Subjects htmlCutRows[htmlFact]
	Tool     string
	Findings htmlShare
	Packages htmlShare
}

// htmlCutRows is the beginning of a list; Total is how long it is.
type htmlCutRows[T any] struct {
	List  []T
	Total int
}

// Cut reports whether something was left out.
func (c htmlCutRows[T]) Cut() bool { return len(c.List) < c.Total }

// Lead are the entries that everybody sees, Rest those that have to be asked for.
func (c htmlCutRows[T]) Lead() []T { return c.List[:min(len(c.List), htmlLead)] }

// Rest is what follows Lead.
func (c htmlCutRows[T]) Rest() []T { return c.List[len(c.Lead()):] }

func cutRows[From, To any](from []From, max int, row func(From) To) htmlCutRows[To] {
	c := htmlCutRows[To]{Total: len(from)}
	for _, f := range from[:min(len(from), max)] {
		c.List = append(c.List, row(f))
	}
	return c
}

// htmlShare is how much of the data is in the page.
type htmlShare struct{ Shown, Total int }

// Cut reports whether something was left out.
func (s htmlShare) Cut() bool { return s.Shown < s.Total }

// htmlNumber is one of the figures beside the result. Link is a part of the page, with a filter.
type htmlNumber struct {
	Label string
	Count int
	Link  string
}

// htmlCount is how many findings have a severity, and a bar of them: X and Width are in percent.
type htmlCount struct {
	Severity string
	Count    int
	X, Width float64
}

type htmlSubjectRow struct {
	Label, Digest, Decision string
	Refused, Warned         int
}

type htmlFix struct {
	Severity, Name, From, To string
	Exploited                bool
	Removes, IDs, Where, Via string
	MoreIDs                  int
	Command                  string
	Patch                    []htmlPatchLine
	Platforms                string
}

// htmlPatchLine is a line that a patch takes ("-") or gives ("+").
type htmlPatchLine struct{ Sign, Text string }

type htmlOther struct {
	Severity, Kind, What, Remedy string
	Exploited                    bool
	Removes, IDs                 string
	MoreIDs                      int
	Platforms                    string
}

type htmlGap struct {
	Name, Status, Remedy, Rule, Subjects string
	Why                                  []string
}

type htmlRule struct {
	Rule, Held, Severities string
	Count                  int
}

type htmlWaiver struct {
	ID, Owner, Reason, Expires, State string
	Excused                           int
}

type htmlExamination struct {
	Name, Subject, Tool, Status, Barriers string
	Why                                   []string
}

type htmlFact struct{ Name, Value string }

func newHTMLView(d Document, data *htmlData) htmlView {
	o := newOutline(d)
	v := htmlView{
		Policy: htmlPolicy(), Decision: o.decision, Word: title(o.decision), Name: safeCut(o.name), Digest: safeCut(o.digest),
		Why: safeList(o.why), Next: o.next, Since: o.since,
		Tool:     safeCut(strings.TrimSpace(d.Tool.Name + " " + d.Tool.Version)),
		Counts:   severityBar(o.counts, o.counts.Findings),
		Rows:     cutRows(o.rows, htmlRows, subjectRow),
		Fixes:    cutRows(o.fixes, htmlFixes, fixRow),
		Others:   cutRows(o.others, htmlOthers, otherRow),
		Gaps:     cutRows(o.gaps, htmlRows, gapRow),
		Accepted: cutRows(o.accepted, htmlRows, gapRow),
		Asks:     cutRows(o.asks, htmlRows, safeCut),
		Warnings: cutRows(o.warnings, htmlRows, ruleRow),
		Ignored:  cutRows(o.ignored, htmlRows, ruleRow),
		Findings: htmlShare{data.findings.added, data.findings.total},
		Packages: htmlShare{data.listed, data.packages.total},
	}
	if o.decision == core.Undecided.String() {
		v.Next = "Close the gaps below and run the gate again." // on a terminal they stand above
	}
	e := ordered(d.Evidence)
	v.Stacks = htmlStacksOf(&e, data)
	v.Looked = cutRows(e.Examinations, htmlRows, data.examinationRow)
	for _, f := range o.facts {
		v.Facts = append(v.Facts, htmlFact{title(f.name), safeCut(f.value)})
	}
	if c := e.Change; c != nil {
		v.Facts = append(v.Facts, htmlFact{"Change", safeCut(changeWords(c))})
	}
	v.Facts = append(v.Facts, advisoryFacts(e.Advisories)...)
	v.Subjects = cutRows(e.Subjects, htmlRows, func(s core.Subject) htmlFact {
		return htmlFact{fmt.Sprintf("%s (%s)", safeCut(data.names.label(s.Digest)), safeCut(string(s.Kind))), safeCut(string(s.Digest))}
	})
	if d.Verdict != nil {
		v.Facts = append(v.Facts, htmlFact{"Policy digest", safeCut(string(d.Verdict.Policy.Digest))})
		v.Waivers = cutRows(d.Verdict.Waivers, htmlRows, waiverRow)
	}
	v.Numbers = htmlNumbers(d, &o)
	return v
}

func htmlNumbers(d Document, o *outline) []htmlNumber {
	var numbers []htmlNumber
	if v := d.Verdict; v != nil {
		numbers = []htmlNumber{{"refused", len(v.Refusals), "#findings?decision=refused"},
			{"warned", len(v.Warnings), "#findings?decision=warned"}, {"ignored", len(v.Ignored), "#findings?decision=ignored"}}
	} else {
		numbers = []htmlNumber{{"findings", o.counts.Findings, "#findings"}}
	}
	packages := "packages"
	if o.counts.Packages == 1 {
		packages = "package"
	}
	return append(numbers, htmlNumber{"with a fix", o.counts.Fixable, "#findings?fix=available"},
		htmlNumber{packages, o.counts.Packages, "#packages"}, htmlNumber{"not examined", len(o.gaps), "#gaps"})
}

// severityBar is a bar of findings, the worst first. It is as long as their share of a whole.
func severityBar(c core.Counts, whole int) []htmlCount {
	var bar []htmlCount
	shown := 0
	for _, s := range core.Severities() {
		n := c.Of(s)
		if n == 0 || whole <= 0 {
			continue
		}
		bar = append(bar, htmlCount{s.String(), n, percent(int64(shown), int64(whole)), percent(int64(n), int64(whole))})
		shown += n
	}
	return bar
}

func rounded(x float64) float64 { return float64(int(x*100+0.5)) / 100 }

func subjectRow(r row) htmlSubjectRow {
	return htmlSubjectRow{safeCut(r.label), safeCut(r.digest), r.decision, r.refused, r.warned}
}

func idsOf(f flaws) (ids string, more int) {
	all := f.ids()
	shown := all[:min(len(all), htmlIDs)]
	safe := make([]string, 0, len(shown))
	for _, id := range shown {
		safe = append(safe, safeCut(id))
	}
	return strings.Join(safe, ", "), len(all) - len(shown)
}

func fixRow(f fix) htmlFix {
	r := htmlFix{
		Severity: bounded(f.severity).String(), Name: safeCut(f.name), From: safeCut(f.from), To: safeCut(f.to),
		Exploited: f.flaws.exploited() > 0, Removes: f.flaws.severities(), Where: safeCut(f.where),
		Via: safeCut(chain(f.via, "→", "…")), Platforms: safeCut(strings.Join(f.platforms, ", ")),
	}
	r.IDs, r.MoreIDs = idsOf(f.flaws)
	if command := SafeText(f.command); command == f.command { // what needs escaping is not for a shell
		r.Command = command
	}
	for _, line := range f.lines[:min(len(f.lines), htmlList)] {
		r.Patch = append(r.Patch, htmlPatchLine{line[:1], safeCut(line[1:])})
	}
	return r
}

func otherRow(o other) htmlOther {
	r := htmlOther{Severity: bounded(o.severity).String(), Kind: safeCut(string(o.kind)), What: safeCut(o.what), Remedy: safeCut(o.remedy),
		Exploited: o.flaws.exploited() > 0, Removes: o.flaws.severities(), Platforms: safeCut(strings.Join(o.platforms, ", "))}
	r.IDs, r.MoreIDs = idsOf(o.flaws)
	return r
}

func gapRow(g gap) htmlGap {
	r := htmlGap{Name: safeCut(g.examination), Status: safeCut(g.status), Remedy: safeCut(g.remedy), Rule: safeCut(g.rule),
		Subjects: safeCut(strings.Join(g.subjects, ", ")), Why: make([]string, 0, htmlList)}
	for _, why := range g.why[:min(len(g.why), htmlList)] {
		r.Why = append(r.Why, SafeTextLimited(why, htmlReason))
	}
	r.Why = append(r.Why, more(len(g.why))...)
	return r
}

func ruleRow(c ruleCount) htmlRule {
	r := htmlRule{Rule: safeCut(c.rule), Count: c.outcomes, Severities: severityList(c.severities)}
	if by := c.by(safeCut); c.waived || c.says != "" || c.rule == core.RuleSuppressed {
		r.Rule = by
	}
	if c.held.total() > 0 {
		r.Held = c.held.list()
	}
	return r
}

func waiverRow(w core.WaiverUse) htmlWaiver {
	state := stateWords(w)
	if w.State == core.WaiverUsed {
		state = "in use"
	}
	return htmlWaiver{safeCut(w.ID), safeCut(w.Owner), safeCut(w.Reason), safeCut(w.Expires), safeCut(state), w.Excused}
}

func (h *htmlData) examinationRow(x core.Examination) htmlExamination {
	r := htmlExamination{Name: safeCut(x.Name), Subject: safeCut(h.names.label(x.Subject)), Tool: safeCut(strings.TrimSpace(x.Tool + " " + x.Version)),
		Status: safeCut(string(x.Status)), Why: safeList(x.Why)}
	var barriers []string
	for _, b := range []struct {
		what string
		list []string
	}{{"enforced", x.Enforced}, {"not enforced", x.Unenforced}, {"granted", x.Granted}} {
		if len(b.list) > 0 {
			barriers = append(barriers, b.what+": "+strings.Join(b.list, ", "))
		}
	}
	r.Barriers = safeCut(strings.Join(barriers, "; "))
	return r
}

func changeWords(c *core.Change) string {
	var parts []string
	for _, p := range []struct{ before, text string }{{"", c.Repository}, {"", c.Request}, {"branch ", c.Branch},
		{"commit ", c.Head}, {"compared with ", c.Base}} {
		if p.text != "" {
			parts = append(parts, p.before+p.text)
		}
	}
	return strings.Join(parts, ", ")
}

func advisoryFacts(a core.AdvisorySource) []htmlFact {
	var facts []htmlFact
	for _, f := range []htmlFact{{"Advisories signed by", a.SignedBy}, {"Advisories made from", strings.Join(a.Sources, ", ")},
		{"Advisories cover", strings.Join(a.Ecosystems, ", ")}, {"About the advisories", a.Note}} {
		if f.Value != "" {
			facts = append(facts, htmlFact{f.Name, safeCut(f.Value)})
		}
	}
	return facts
}
