package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// CommentLimit bounds a comment on a pull or merge request in bytes, below what GitHub takes of one, in characters.
//
// https://github.com/orgs/community/discussions/27190
const CommentLimit = 60 << 10

// fresh is one thing that a change brings, once for all subjects that have it.
type fresh struct {
	what, fix string
	severity  core.Severity
	refused   bool
	exploited bool
	platforms []string
}

// Comment writes what a change brings, for whoever reviews it: what is new by the change itself, and what the change wants not
// to count. It reports whether there is anything; if not, nothing is written. It has at most max bytes, as Markdown's.
func Comment(w io.Writer, d Document, max int) (bool, error) {
	if d.Verdict == nil {
		return false, nil
	}
	m := markdown{outline: newOutline(d), max: cmp.Or(max, CommentLimit)}
	brought := newNames(d.Evidence.Subjects).brought(d.Verdict, newKnown(ordered(d.Evidence).Findings))
	if len(brought) == 0 && len(m.asks) == 0 {
		return false, nil
	}
	refused := 0
	for _, f := range brought {
		if f.refused {
			refused++
		}
	}
	m.line("## %s%s", decisionSign(m.decision), heading(len(brought), refused))
	m.table(m.share(70), "| Severity | What | Fix | Where |", len(brought), func(i int) string {
		f := brought[i]
		severity := severityCell(f.severity)
		if f.exploited {
			severity = "**exploited**, " + f.severity.String()
		}
		if f.refused {
			severity = decisionSign(core.Refused.String()) + severity
		}
		return fmt.Sprintf("| %s | %s | %s | %s |", severity, cell(f.what), f.fix, cell(strings.Join(f.platforms, ", ")))
	})
	m.askTable()
	_, err := io.WriteString(w, m.text())
	return true, err
}

func heading(brought, refused int) string {
	switch {
	case brought == 0:
		return "This change brings no findings, and asks for some not to count"
	case refused == 0:
		return fmt.Sprintf("This change brings %s, none of which is refused", plural(brought, "finding"))
	}
	return fmt.Sprintf("This change brings %s, of which %d %s refused", plural(brought, "finding"), refused, isOrAre(refused))
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// brought lists what is refused or warned of because of the change, the refused first and then the worst. What was compared
// with nothing is all the change's.
func (n names) brought(v *core.Verdict, k known) []fresh {
	byPrint := map[string]*fresh{}
	var order []string
	for i, o := range slices.Concat(v.Refusals, v.Warnings) {
		f := k.of(o.Subject, o.Fingerprint)
		if f == nil || f.Kind == core.KindSuppression || o.Cause != "" && o.Cause != core.CauseCode {
			continue
		}
		one := byPrint[o.Fingerprint]
		if one == nil {
			one = &fresh{what: o.Message, severity: bounded(f.Severity), exploited: f.Exploited != nil}
			if f.Fix.Version != "" {
				one.fix = code(f.Fix.Version)
			}
			byPrint[o.Fingerprint] = one
			order = append(order, o.Fingerprint)
		}
		one.refused = one.refused || i < len(v.Refusals)
		if label := n.label(o.Subject); n.several && !slices.Contains(one.platforms, label) {
			one.platforms = append(one.platforms, label)
		}
	}
	all := make([]fresh, 0, len(order))
	for _, print := range order {
		all = append(all, *byPrint[print])
	}
	rank := func(f fresh) int {
		r := int(f.severity)
		if f.exploited {
			r += 100
		}
		if f.refused {
			r += 1000
		}
		return r
	}
	slices.SortStableFunc(all, func(a, b fresh) int { return cmp.Compare(rank(b), rank(a)) })
	return all
}
