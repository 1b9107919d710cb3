package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// causesInOrder are the causes as people want to read them: first what they can do something about.
func causesInOrder() []core.Cause {
	return []core.Cause{core.CauseCode, core.CauseTool, core.CauseAdvisory, core.CausePolicy, core.CauseKnown}
}

// causeWords says in a few words why something is new, or that it is not.
func causeWords(c core.Cause) string {
	switch c {
	case core.CauseCode:
		return "by this change"
	case core.CauseAdvisory:
		return "by newer advisories"
	case core.CausePolicy:
		return "by another policy"
	case core.CauseTool:
		return "by newer tools"
	case core.CauseKnown:
		return "there before"
	}
	return ""
}

// causeCounts counts outcomes by their causes.
type causeCounts map[core.Cause]int

func countCauses(outcomes []core.Outcome, only func(*core.Outcome) bool) causeCounts {
	counts := causeCounts{}
	for i := range outcomes {
		if only(&outcomes[i]) {
			counts[outcomes[i].Cause]++
		}
	}
	return counts
}

func (c causeCounts) total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// list says how many there are of each cause: "2 by this change, 9 there before".
func (c causeCounts) list() string {
	var parts []string
	for _, cause := range causesInOrder() {
		if c[cause] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c[cause], causeWords(cause)))
		}
	}
	return strings.Join(parts, ", ")
}

// refused says what is refused, and what of it the change brings, where that was compared with anything.
func refused(v *core.Verdict) string {
	n := plural(len(v.Refusals), "finding")
	if v.Baseline == nil {
		return n
	}
	causes := countCauses(v.Refusals, func(*core.Outcome) bool { return true })
	switch list := causes.list(); {
	case causes[core.CauseCode] == len(v.Refusals):
		return n + " that this change brings"
	case list != "":
		return n + " (" + list + ")"
	}
	return n
}

// heldBack says what a rule would refuse, and does not because of its cause; nothing if there is none.
func heldBack(v *core.Verdict) string {
	held := countCauses(v.Warnings, func(o *core.Outcome) bool { return o.Held })
	if held.total() == 0 {
		return ""
	}
	do := "do"
	if held.total() == 1 {
		do = "does"
	}
	return fmt.Sprintf("Of what it would refuse without a baseline, %d %s not block this change: %s.",
		held.total(), do, held.list())
}

// sinceLine says how many findings are new since the baseline; empty without one.
func sinceLine(v *core.Verdict) string {
	if v == nil || v.Baseline == nil {
		return ""
	}
	return fmt.Sprintf("%d of them are new since the baseline, %d were there before", v.Baseline.New, v.Baseline.Known)
}

func baselineFact(b *core.BaselineRef) string {
	s := b.Source
	if b.Digest != "" {
		s += ", " + b.Digest.Short()
	}
	if b.Commit != "" {
		s += ", of commit " + b.Commit[:min(len(b.Commit), 12)]
	}
	return s
}

// idle is a waiver that excuses nothing, which somebody should see to.
type idle struct{ id, owner, state, reason string }

// asksOf are what the judged change itself wants not to count, in order: it has to be seen by whoever merges it.
func asksOf(e *core.Evidence) []string {
	var asks []string
	for i := range e.Findings {
		if f := &e.Findings[i]; f.Kind == core.KindSuppression {
			asks = append(asks, f.Title)
		}
	}
	slices.Sort(asks)
	return slices.Compact(asks)
}

// idleWaivers are the waivers that excuse nothing: those that ended first, because they did excuse something once.
func idleWaivers(v *core.Verdict) []idle {
	rank := map[core.WaiverState]int{core.WaiverExpired: 0, core.WaiverFixed: 1, core.WaiverUnused: 2}
	uses := slices.DeleteFunc(slices.Clone(v.Waivers), func(w core.WaiverUse) bool { return w.State == core.WaiverUsed })
	slices.SortStableFunc(uses, func(a, b core.WaiverUse) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	out := make([]idle, 0, len(uses))
	for _, w := range uses {
		out = append(out, idle{w.ID, w.Owner, stateWords(w), w.Reason})
	}
	return out
}

func stateWords(w core.WaiverUse) string {
	switch w.State {
	case core.WaiverExpired:
		return "expired after " + w.Expires
	case core.WaiverFixed:
		return "ended: there is a fix now"
	}
	return "matches nothing that it could excuse"
}

// waiverWords says which waiver excused, whose it is and how long it holds.
func waiverWords(id string, uses []core.WaiverUse) string {
	for _, w := range uses {
		if w.ID == id {
			return fmt.Sprintf("%s of %s, until %s", w.ID, w.Owner, w.Expires)
		}
	}
	return id
}

// newFirst orders outcomes by what people can do about them.
func newFirst(outcomes []core.Outcome) []core.Outcome {
	rank := map[core.Cause]int{}
	for i, cause := range causesInOrder() {
		rank[cause] = i
	}
	sorted := slices.Clone(outcomes)
	slices.SortStableFunc(sorted, func(a, b core.Outcome) int { return cmp.Compare(rank[a.Cause], rank[b.Cause]) })
	return sorted
}
