package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// TerminalOptions say what the terminal can show.
type TerminalOptions struct {
	// Width is in columns; 0 means 80. Below 40 it counts as 40, and above 120 as 120.
	Width int
	// Colour allows ANSI colours.
	Colour bool
	// Unicode allows characters beyond ASCII.
	Unicode bool
}

// How much of a long list the terminal shows. Reports in other formats hold everything.
const (
	shownFixes  = 15
	shownOthers = 10
	shownWarned = 5
	shownRows   = 20
	shownGaps   = 10
	shownWhy    = 5
)

// Terminal writes what a tired person needs to know, in this order: the result, what to fix, how much else there is,
// and what could not be examined.
func Terminal(w io.Writer, d Document, o TerminalOptions) error {
	t := terminal{page: newPage(o), outline: newOutline(d)}
	t.banner()
	t.subjects()
	t.fixList()
	t.otherList()
	t.totals()
	t.askList()
	t.waiverList()
	t.gapList("Not examined", t.gaps, boldYellow)
	t.gapList("Not examined, and accepted by the policy", t.accepted, dim)
	t.basis()
	if _, err := w.Write(t.out.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

type terminal struct {
	*page
	outline
}

func decisionStyle(decision string) style {
	switch decision {
	case core.Passed.String():
		return onGreen
	case core.Refused.String():
		return onRed
	case core.Undecided.String():
		return onYellow
	}
	return onGrey
}

func decisionText(decision string) style {
	switch decision {
	case core.Passed.String():
		return green
	case core.Refused.String():
		return boldRed
	}
	return boldYellow
}

func severityStyle(s core.Severity) style {
	switch s {
	case core.SeverityCritical:
		return boldRed
	case core.SeverityHigh:
		return red
	case core.SeverityMedium:
		return yellow
	}
	return plainStyle
}

func (t *terminal) banner() {
	tag := strings.ToUpper(t.decision)
	if t.colour {
		tag = " " + tag + " "
	}
	t.out.WriteString(t.paint(tag, decisionStyle(t.decision)) + "  ")
	used := columns(tag) + 2
	name := t.safe(t.name)
	if room := t.width - used; columns(name)+2+len(t.digest) <= room {
		t.out.WriteString(t.paint(name, bold))
		if t.digest != "" {
			t.out.WriteString("  " + t.paint(t.digest, dim))
		}
		t.blank()
	} else {
		t.out.WriteString(t.paint(t.cut(name, room), bold) + "\n")
		if t.digest != "" {
			t.one(used, t.digest, dim)
		}
	}
	for _, sentence := range t.why {
		t.text(0, t.safe(sentence), plainStyle)
	}
}

func (t *terminal) subjects() {
	if len(t.rows) == 0 {
		return
	}
	t.blank()
	widest := 0
	for _, r := range t.rows[:min(len(t.rows), shownRows)] {
		widest = max(widest, columns(t.safe(r.label)))
	}
	widest = min(widest, t.width/2)
	for i, r := range t.rows {
		if i == shownRows {
			t.more(2, len(t.rows)-i, "subject")
			break
		}
		label := t.cut(t.safe(r.label), widest)
		line := plural(r.refused, "refusal")
		if t.width >= usualWidth {
			line += ", " + plural(r.warned, "warning")
			if whole := line + ", " + r.digest; columns(whole) <= t.width-widest-15 { // a part of a digest says nothing
				line = whole
			}
		}
		t.out.WriteString("  " + label + strings.Repeat(" ", widest-columns(label)) + "  ")
		t.out.WriteString(t.paint(fmt.Sprintf("%-9s", r.decision), decisionText(r.decision)) + "  ")
		t.out.WriteString(t.cut(line, t.width-widest-15) + "\n")
	}
}

func (t *terminal) more(indent, n int, noun string) {
	t.text(indent, fmt.Sprintf("%s and %s: see the other reports (--output markdown=FILE)", t.ellipsis(), plural(n, "more "+noun)), dim)
}

func (t *terminal) fixList() {
	if len(t.fixes) == 0 {
		return
	}
	t.heading("Fix these first")
	for i, f := range t.fixes {
		if i == shownFixes {
			t.more(2, len(t.fixes)-i, "upgrade")
			break
		}
		tag, look := tagOf(f.severity, f.flaws)
		t.entry(2, tag, look, fmt.Sprintf("%s %s %s %s", t.safe(f.name), t.safe(f.from), t.arrow(), t.safe(f.to)), bold)
		t.text(atMostIndent, t.flawLine(f.flaws), plainStyle)
		t.where(f.platforms, f.where)
		if via := chain(f.via, t.arrow(), t.ellipsis()); via != "" {
			t.one(atMostIndent, t.safe(via), dim)
		}
		if command := t.safe(f.command); command == f.command && command != "" { // what needs escaping is not for a shell
			t.command(atMostIndent, command)
		}
		for _, line := range f.lines {
			t.text(atMostIndent, t.safe(line), cyan)
		}
	}
}

// tagOf is how urgent something is, in a column of its own. What attackers use already is urgent whatever its rating.
func tagOf(s core.Severity, f flaws) (string, style) {
	if f.exploited() > 0 {
		return "EXPLOITED ", boldRed
	}
	return fmt.Sprintf("%-10s", strings.ToUpper(s.String())), severityStyle(s)
}

// flawLine counts flaws and names as many as a line and a half hold.
func (t *terminal) flawLine(f flaws) string {
	line := f.severities()
	switch n := f.exploited(); {
	case n == 1:
		line += ", 1 exploited by attackers"
	case n > 1:
		line += fmt.Sprintf(", %d exploited by attackers", n)
	}
	ids := f.ids()
	room := (t.width-atMostIndent)*3/2 - columns(line)
	shown := 0
	for shown < len(ids) {
		room -= columns(t.safe(ids[shown])) + 2
		if room < 0 && shown > 0 {
			break
		}
		shown++
	}
	line += ": " + t.safe(strings.Join(ids[:shown], ", "))
	if hidden := len(ids) - shown; hidden > 0 {
		line += fmt.Sprintf(" and %d more", hidden)
	}
	return line
}

// where names platforms and a place on one line, or on a line for each: a list of platforms must not push the place out
// of sight.
func (t *terminal) where(platforms []string, where string) {
	on, at := t.safe(strings.Join(platforms, ", ")), t.safe(where)
	both := strings.TrimPrefix(on+", "+at, ", ")
	switch {
	case on == "" && at == "":
	case at == "":
		t.text(atMostIndent, on, dim)
	case len(platforms) < 2 || columns(both) <= t.width-atMostIndent:
		t.one(atMostIndent, both, dim)
	default:
		t.text(atMostIndent, on, dim)
		t.one(atMostIndent, at, dim)
	}
}

func (t *terminal) otherList() {
	if len(t.others) == 0 {
		return
	}
	if len(t.fixes) > 0 {
		t.heading("Refused, without an upgrade")
	} else {
		t.heading("Refused")
	}
	for i, o := range t.others {
		if i == shownOthers {
			t.more(2, len(t.others)-i, "refusal")
			break
		}
		tag, look := tagOf(o.severity, o.flaws)
		t.entry(2, tag, look, t.safe(o.what), bold)
		if len(o.flaws) > 0 {
			t.text(atMostIndent, t.flawLine(o.flaws), plainStyle)
		}
		if o.remedy != "" {
			t.text(atMostIndent, t.safe(o.remedy), plainStyle)
		}
		t.where(o.platforms, "")
	}
}

func (t *terminal) totals() {
	t.heading("Findings")
	t.text(2, t.totalLine(), plainStyle)
	if t.since != "" {
		t.text(2, t.since, plainStyle)
	}
	t.rules(t.warnings, func(n int) string { return plural(n, "warning") })
	t.warnedList()
	t.rules(t.ignored, func(n int) string { return fmt.Sprintf("%d ignored", n) })
}

// warnedList names the worst warnings: a number alone tells nobody where to look.
func (t *terminal) warnedList() {
	for i, w := range t.warned {
		if i == shownWarned {
			t.more(4, len(t.warned)-i, "warning")
			break
		}
		tag, look := fmt.Sprintf("%-10s", strings.ToUpper(w.severity.String())), severityStyle(w.severity)
		if w.exploited {
			tag, look = "EXPLOITED ", boldRed
		}
		what := w.what
		if len(w.platforms) > 0 {
			what += ", " + strings.Join(w.platforms, ", ")
		}
		t.entry(4, tag, look, t.safe(what), plainStyle)
	}
}

func (t *terminal) rules(counts []ruleCount, outcomes func(int) string) {
	for i, c := range counts {
		if i == shownOthers {
			t.more(2, len(counts)-i, "rule")
			break
		}
		line := outcomes(c.outcomes) + " " + c.by(t.safe)
		if list := severityList(c.severities); list != "" {
			line += " (" + list + ")"
		}
		t.text(2, line, plainStyle)
	}
}

func (o *outline) totalLine() string {
	c := o.counts
	if c.Findings == 0 {
		return fmt.Sprintf("none in %s", plural(c.Packages, "package"))
	}
	var counts [core.SeverityCritical + 1]int
	for _, s := range core.Severities() {
		counts[s] = c.Of(s)
	}
	return fmt.Sprintf("%s in %s: %s; %d with a fix", plural(c.Findings, "finding"), plural(c.Packages, "package"),
		severityList(counts), c.Fixable)
}

// asked is the heading over what a change wants not to count.
const asked = "Asked by this change not to count"

func (t *terminal) askList() {
	if len(t.asks) == 0 {
		return
	}
	t.heading(asked)
	for i, ask := range t.asks {
		if i == shownOthers {
			t.more(2, len(t.asks)-i, "request")
			break
		}
		t.text(2, t.safe(ask), plainStyle)
	}
}

func (t *terminal) waiverList() {
	if len(t.waivers) == 0 {
		return
	}
	t.heading("Waivers that excuse nothing")
	for i, w := range t.waivers {
		if i == shownOthers {
			t.more(2, len(t.waivers)-i, "waiver")
			break
		}
		t.text(2, fmt.Sprintf("%s of %s: %s", t.safe(w.id), t.safe(w.owner), t.safe(w.state)), plainStyle)
	}
}

func (t *terminal) gapList(title string, gaps []gap, as style) {
	if len(gaps) == 0 {
		return
	}
	t.heading(title)
	for i, g := range gaps {
		if i == shownGaps {
			t.more(2, len(gaps)-i, "gap")
			break
		}
		line := t.safe(g.examination) + ": " + t.safe(g.status)
		if len(g.subjects) > 0 {
			line += ", " + t.safe(strings.Join(g.subjects, ", "))
		}
		t.entry(2, "! ", as, line, as)
		for k, why := range g.why {
			if k == shownWhy {
				t.more(4, len(g.why)-k, "reason")
				break
			}
			t.text(4, t.safe(why), plainStyle)
		}
		if g.remedy != "" {
			t.entry(4, t.arrow()+" ", cyan, t.safe(g.remedy), cyan)
		}
	}
}

func (t *terminal) basis() {
	t.blank()
	for _, f := range t.facts {
		t.entry(0, fmt.Sprintf("%-11s ", f.name), dim, t.safe(f.value), dim)
	}
	if t.next != "" {
		t.blank()
		t.text(0, t.next, bold)
	}
}
