package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// maxCell bounds one cell of a table, in bytes before escaping.
const maxCell = 300

// minMarkdown is the smallest bound that holds the result itself.
const minMarkdown = 1024

// Shares of the bound, in percent. What is not used is left to the warnings, which come last and are the longest.
const (
	shareFixes  = 40
	shareOthers = 20
	shareGaps   = 15
)

// Markdown writes the report in GitHub's and GitLab's flavour, in the order of the terminal's: for a job summary or a
// comment. It has at most max bytes (0 means MarkdownLimit, less than 1024 counts as 1024); each list that had to be
// cut says how much of it is shown.
func Markdown(w io.Writer, d Document, max int) error {
	switch {
	case max == 0:
		max = MarkdownLimit
	case max < minMarkdown:
		max = minMarkdown
	}
	m := markdown{outline: newOutline(d), max: max}
	m.result()
	m.subjectTable()
	m.fixTable()
	m.otherTable()
	m.totals()
	m.askTable()
	m.waiverTable()
	m.gapTable("Not examined", m.gaps)
	m.gapTable("Not examined, and accepted by the policy", m.accepted)
	m.basis()
	m.warningTable(d)
	if _, err := io.WriteString(w, m.text()); err != nil {
		return fmt.Errorf("write the Markdown report: %w", err)
	}
	return nil
}

type markdown struct {
	outline
	max int
	b   strings.Builder
}

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

// cell is foreign text in a table.
func cell(s string) string { return redact.Markdown(redact.Limited(s, maxCell)) }

// code is foreign text in a code span.
func code(s string) string { return redact.MarkdownCode(redact.Limited(s, maxCell)) }

// text is the whole report. Its lists are bounded already; should names alone exceed the bound, it ends at a line.
func (m *markdown) text() string {
	s := m.b.String()
	if len(s) <= m.max {
		return s
	}
	const end = "\n\nThe rest of this report did not fit.\n"
	s = s[:m.max-len(end)]
	return strings.TrimRight(s[:strings.LastIndexByte(s, '\n')+1], "\n") + end
}

// table writes a table of as many rows as fit into limit bytes, and says how many were left out.
func (m *markdown) table(limit int, header string, n int, row func(i int) string) {
	if n == 0 {
		return
	}
	const note = 80
	columns := strings.Count(header, "|") - 1
	m.line("\n%s\n|%s", header, strings.Repeat(" --- |", columns))
	start := m.b.Len()
	for i := range n {
		r := row(i)
		if m.b.Len()-start+len(r)+1 > limit-note || m.b.Len()+len(r)+1 > m.max-note {
			m.line("\nShown are %d of %d; the JSON report has all of them.", i, n)
			return
		}
		m.line("%s", r)
	}
}

// rest is how many bytes there still are.
func (m *markdown) rest() int { return m.max - m.b.Len() }

func (m *markdown) share(percent int) int { return m.max * percent / 100 }

func decisionSign(decision string) string {
	switch decision {
	case core.Passed.String():
		return "✅ "
	case core.Refused.String():
		return "❌ "
	case core.Undecided.String():
		return "⚠️ "
	}
	return ""
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (m *markdown) result() {
	m.line("## %s%s: %s", decisionSign(m.decision), title(m.decision), cell(m.name))
	if m.digest != "" {
		m.line("\n%s", code(m.digest))
	}
	m.b.WriteByte('\n')
	for _, sentence := range m.why {
		m.line("%s", redact.Markdown(sentence))
	}
	if m.next != "" {
		m.line("\n**%s**", m.next)
	}
}

func (m *markdown) subjectTable() {
	m.table(m.share(shareGaps), "| Judged | Result | Refused | Warned | Digest |", len(m.rows), func(i int) string {
		r := m.rows[i]
		return fmt.Sprintf("| %s | %s%s | %d | %d | %s |", cell(r.label), decisionSign(r.decision), r.decision, r.refused, r.warned, code(r.digest))
	})
}

func (m *markdown) fixTable() {
	if len(m.fixes) == 0 {
		return
	}
	m.line("\n### Fix these first")
	m.table(m.share(shareFixes), "| Severity | Package | From | To | Removes | How |", len(m.fixes), func(i int) string {
		f := m.fixes[i]
		return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", urgencyCell(f.severity, f.flaws), cell(f.name), code(f.from), code(f.to),
			flawCell(f.flaws), howCell(f))
	})
}

func severityCell(s core.Severity) string {
	if s >= core.SeverityHigh {
		return "**" + s.String() + "**"
	}
	return s.String()
}

func urgencyCell(s core.Severity, f flaws) string {
	if f.exploited() > 0 {
		return "**exploited**, " + s.String()
	}
	return severityCell(s)
}

// shownIDs is how many ids a cell names.
const shownIDs = 8

func flawCell(f flaws) string {
	s := f.severities()
	if n := f.exploited(); n > 0 {
		s += fmt.Sprintf(", **%d exploited by attackers**", n)
	}
	ids := f.ids()
	shown := ids[:min(len(ids), shownIDs)]
	escaped := make([]string, 0, len(shown))
	for _, id := range shown {
		escaped = append(escaped, cell(id))
	}
	s += ": " + strings.Join(escaped, ", ")
	if hidden := len(ids) - len(shown); hidden > 0 {
		s += fmt.Sprintf(" and %d more", hidden)
	}
	return s
}

func howCell(f fix) string {
	var parts []string
	if f.command != "" && redact.Text(f.command) == f.command {
		parts = append(parts, redact.MarkdownCode(f.command))
	}
	for _, line := range f.lines {
		parts = append(parts, code(line))
	}
	if where := placeCell(f.platforms, f.where); where != "" {
		parts = append(parts, where)
	}
	if via := chain(f.via, "→", "…"); via != "" {
		parts = append(parts, cell(via))
	}
	return strings.Join(parts, "<br>")
}

func placeCell(platforms []string, where string) string {
	var parts []string
	if len(platforms) > 0 {
		parts = append(parts, cell(strings.Join(platforms, ", ")))
	}
	if where != "" {
		parts = append(parts, code(where))
	}
	return strings.Join(parts, ", ")
}

func (m *markdown) otherTable() {
	if len(m.others) == 0 {
		return
	}
	if len(m.fixes) > 0 {
		m.line("\n### Refused, without an upgrade")
	} else {
		m.line("\n### Refused")
	}
	m.table(m.share(shareOthers), "| Severity | What | Why | Where |", len(m.others), func(i int) string {
		o := m.others[i]
		why := cell(o.remedy)
		if len(o.flaws) > 0 {
			why = flawCell(o.flaws) + "<br>" + why
		}
		return fmt.Sprintf("| %s | %s | %s | %s |", urgencyCell(o.severity, o.flaws), cell(o.what), why, placeCell(o.platforms, ""))
	})
}

func (m *markdown) totals() {
	m.line("\n### Findings\n\n%s", m.totalLine())
	if m.since != "" {
		m.line("\n%s", m.since)
	}
	m.table(m.share(shareGaps), "| Rule | Warnings | Severities |", len(m.warnings), func(i int) string {
		w := m.warnings[i]
		rule := cell(w.rule)
		if w.held.total() > 0 {
			rule += ", which would refuse: " + w.held.list()
		}
		return fmt.Sprintf("| %s | %d | %s |", rule, w.outcomes, severityList(w.severities))
	})
	m.table(m.share(shareGaps), "| Ignored | How many | Severities |", len(m.ignored), func(i int) string {
		c := m.ignored[i]
		return fmt.Sprintf("| %s | %d | %s |", c.by(cell), c.outcomes, severityList(c.severities))
	})
}

func (m *markdown) askTable() {
	if len(m.asks) == 0 {
		return
	}
	m.line("\n### %s", asked)
	m.table(m.share(shareGaps), "| What |", len(m.asks), func(i int) string {
		return fmt.Sprintf("| %s |", cell(m.asks[i]))
	})
}

func (m *markdown) waiverTable() {
	if len(m.waivers) == 0 {
		return
	}
	m.line("\n### Waivers that excuse nothing")
	m.table(m.share(shareGaps), "| Waiver | Owner | State | Reason |", len(m.waivers), func(i int) string {
		w := m.waivers[i]
		return fmt.Sprintf("| %s | %s | %s | %s |", cell(w.id), cell(w.owner), cell(w.state), cell(w.reason))
	})
}

func (m *markdown) gapTable(heading string, gaps []gap) {
	if len(gaps) == 0 {
		return
	}
	m.line("\n### %s", heading)
	m.table(m.share(shareGaps), "| Examination | State | Why | What to do |", len(gaps), func(i int) string {
		g := gaps[i]
		why := make([]string, 0, shownWhy)
		for _, reason := range g.why[:min(len(g.why), shownWhy)] {
			why = append(why, cell(reason))
		}
		if hidden := len(g.why) - len(why); hidden > 0 {
			why = append(why, fmt.Sprintf("and %d more", hidden))
		}
		name := cell(g.examination)
		if place := placeCell(g.subjects, ""); place != "" {
			name += "<br>" + place
		}
		return fmt.Sprintf("| %s | %s | %s | %s |", name, cell(g.status), strings.Join(why, "<br>"), cell(g.remedy))
	})
}

func (m *markdown) basis() {
	m.b.WriteByte('\n')
	for _, f := range m.facts {
		m.line("- %s: %s", f.name, cell(f.value))
	}
}

// warningTable lists the warnings themselves, folded away.
func (m *markdown) warningTable(d Document) {
	if d.Verdict == nil || len(d.Verdict.Warnings) == 0 || m.rest() < minMarkdown {
		return
	}
	warnings, compared := d.Verdict.Warnings, d.Verdict.Baseline != nil
	header := "| Severity | Warning | Rule | Where |"
	if compared {
		warnings, header = newFirst(warnings), "| Severity | New | Warning | Rule | Where |"
	}
	k := newKnown(d.Evidence.Findings)
	n := newNames(d.Evidence.Subjects)
	m.line("\n<details><summary>%s</summary>", plural(len(warnings), "warning"))
	const end = "\n</details>\n"
	m.max -= len(end)
	m.table(m.rest(), header, len(warnings), func(i int) string {
		o := warnings[i]
		severity := ""
		if f := k.of(o.Subject, o.Fingerprint); f != nil && o.Fingerprint != "" {
			severity = severityCell(bounded(f.Severity))
		}
		where := ""
		if n.several {
			where = cell(n.label(o.Subject))
		}
		if compared {
			severity += " | " + cmp.Or(causeWords(o.Cause), "unknown")
		}
		return fmt.Sprintf("| %s | %s | %s | %s |", severity, cell(o.Message), cell(o.Rule), where)
	})
	m.max += len(end)
	m.b.WriteString(end)
}
