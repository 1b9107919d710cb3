package gate

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Replay says what came of judging the evidence of a verdict again.
type Replay struct {
	// Recorded is the verdict of the document, and Again the one of today; nil if the policy is not there.
	Recorded core.Verdict
	Again    *core.Verdict
	// Same says that all inputs were found and both verdicts are the same bytes.
	Same bool
	// Missing are the inputs that were not found, or are others than the verdict's.
	Missing []string
	// Differences say how the verdicts differ.
	Differences []string
}

// Replay judges the evidence of a document again, by the same policy, baseline and time, and compares the verdicts.
func (g *Gate) Replay(ctx context.Context, p PastPlan) (*Replay, error) {
	t, err := g.past(ctx, p)
	if err != nil {
		return nil, err
	}
	r := &Replay{Recorded: *t.document.Verdict, Missing: t.missing}
	if t.policy == nil {
		return r, nil
	}
	again := t.judge()
	r.Again = &again
	var before, after bytes.Buffer
	for _, side := range []struct {
		into    *bytes.Buffer
		verdict core.Verdict
	}{{&before, r.Recorded}, {&after, again}} {
		if err := report.WriteVerdict(side.into, side.verdict); err != nil {
			return nil, err
		}
	}
	if bytes.Equal(before.Bytes(), after.Bytes()) {
		r.Same = len(r.Missing) == 0
		return r, nil
	}
	r.Differences = differences(&r.Recorded, &again)
	if len(r.Missing) == 0 {
		r.Missing = append(r.Missing, g.program(t.document.Tool))
	}
	return r, nil
}

// program is the input that is left when all others are the same: who judges, or what was written.
func (g *Gate) program(tool report.Tool) string {
	if tool.Version == g.Version && tool.Commit == g.Commit {
		return fmt.Sprintf("the document is not as %s %s wrote it: this is the same version", tool.Name, tool.Version)
	}
	return fmt.Sprintf("the program is another: the verdict is by %s %s (%s), and this is cleanbill %s (%s)",
		tool.Name, tool.Version, tool.Commit, g.Version, g.Commit)
}

// differences says how two verdicts on the same evidence differ, without listing what may be thousands of findings.
func differences(a, b *core.Verdict) []string {
	var out []string
	if a.Decision != b.Decision {
		out = append(out, fmt.Sprintf("the decision was %s and is %s", a.Decision, b.Decision))
	}
	for _, c := range ruleChanges(a, b) {
		out = append(out, fmt.Sprintf("%s by rule %s: %d more, %d fewer", pluralOf(c.Action), c.Rule, c.More, c.Fewer))
	}
	if len(out) == 0 {
		out = append(out, "decision, rules and counts are the same; only what is said of them differs")
	}
	return out
}

// pluralOf says in a word what the outcomes of an action are.
func pluralOf(a core.Action) string {
	switch a {
	case core.ActionFail:
		return "refusals"
	case core.ActionWarn:
		return "warnings"
	case actionGap:
		return "gaps"
	}
	return "ignored"
}

// outcomeKey is what an outcome is about and by which rule.
type outcomeKey struct {
	rule        string
	subject     core.Digest
	fingerprint string
	message     string // of what has no fingerprint
}

func keyOfOutcome(o *core.Outcome) outcomeKey {
	key := outcomeKey{rule: o.Rule, subject: o.Subject, fingerprint: o.Fingerprint}
	if o.Fingerprint == "" {
		key.message = o.Message
	}
	return key
}
