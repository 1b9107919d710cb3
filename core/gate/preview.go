package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// PreviewPlan names a policy and the past verdicts that it is tried on.
type PreviewPlan struct {
	Policy string
	// Against is a directory; all documents in it and below it are judged.
	Against string
	// Advisories is the set that packages of baselines are looked up in; empty if it is not at hand.
	Advisories string
	Offline    bool
}

// Preview is what a policy would have done to past verdicts.
type Preview struct {
	Policy core.PolicyRef `json:"policy"`
	// Verdicts counts the documents that were judged, and Same those whose decision, outcomes and gaps are the same.
	Verdicts int `json:"verdicts"`
	Same     int `json:"same"`
	// Changed are the others, ordered by decision, worst first, and by the document's path.
	Changed []Previewed `json:"changed"`
	// Rules say what each rule decides otherwise, over all verdicts.
	Rules []RuleChange `json:"rules"`
	// PassedOver counts files that are no documents of ours, or have no verdict.
	PassedOver int `json:"passedOver"`
	// Unread are documents that could not be read, in sentences. A preview that has any is not complete.
	Unread []string `json:"unread,omitempty"`
}

// Previewed is a past verdict that a policy decides otherwise.
type Previewed struct {
	Document string        `json:"document"` // its path below the directory
	Subject  string        `json:"subject"`
	Digest   core.Digest   `json:"digest"`
	Time     time.Time     `json:"time"`
	Before   core.Decision `json:"before"`
	After    core.Decision `json:"after"`
	Rules    []RuleChange  `json:"rules"`
	// Missing are inputs that were not at hand, in sentences; the new decision may be stricter than it would be with them.
	Missing []string `json:"missing,omitempty"`
}

// actionGap stands for what keeps a verdict from passing without being refused: the rule is then the examination, with what
// asks for it.
const actionGap core.Action = "gap"

// RuleChange counts outcomes of one rule and action, or gaps, that only one of two verdicts has.
type RuleChange struct {
	Action core.Action `json:"action"`
	Rule   string      `json:"rule"`
	More   int         `json:"more"`
	Fewer  int         `json:"fewer"`
	// Verdicts is in how many verdicts it does.
	Verdicts int `json:"verdicts"`
}

// Preview judges all past verdicts in a directory by another policy, each at its own time and with its own baseline. Only
// one document is in memory at a time.
func (g *Gate) Preview(ctx context.Context, plan PreviewPlan) (*Preview, error) {
	judge, err := g.Policy(ctx, plan.Policy)
	if err != nil {
		return nil, err
	}
	p := &previewing{gate: g, plan: plan, judge: judge, totals: map[ruleOf]RuleChange{},
		Preview: Preview{Policy: judge.Ref(), Changed: []Previewed{}, Rules: []RuleChange{}}}
	if err = p.directory(ctx); err == nil && p.Verdicts == 0 && len(p.Unread) == 0 {
		err = errors.New("it holds no document with a verdict")
	}
	if err != nil {
		return nil, &core.Failure{Doing: "try the policy on the verdicts in " + plan.Against, Err: localfile.Pathless(err),
			Usage: ctx.Err() == nil, Hint: "gate and judge write documents with a verdict: --output json=FILE"}
	}
	slices.SortStableFunc(p.Changed, func(a, b Previewed) int {
		return cmp.Or(cmp.Compare(strictness(b.After), strictness(a.After)), cmp.Compare(strictness(a.Before), strictness(b.Before)))
	})
	p.Rules = slices.AppendSeq(p.Rules, maps.Values(p.totals))
	sortChanges(p.Rules)
	return &p.Preview, nil
}

// strictness orders decisions by how surely they keep from publishing.
func strictness(d core.Decision) int {
	return slices.Index([]core.Decision{core.Passed, core.Undecided, core.Refused}, d)
}

// previewing collects a preview.
type previewing struct {
	gate   *Gate
	plan   PreviewPlan
	judge  *policy.Policy
	totals map[ruleOf]RuleChange
	Preview
}

func (p *previewing) directory(ctx context.Context) error {
	info, err := os.Stat(p.plan.Against)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("it is %s, not a directory", localfile.Kind(info.Mode()))
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(p.plan.Against, func(name string, entry fs.DirEntry, err error) error {
		if err := cmp.Or(ctx.Err(), err); err != nil {
			return err
		}
		if entry.Type().IsRegular() && filepath.Ext(name) == ".json" {
			return p.document(ctx, name)
		}
		return nil
	})
}

func (p *previewing) document(ctx context.Context, name string) error {
	document, err := readDocument(name)
	switch {
	case errors.Is(err, report.ErrNotOurs) || err == nil && document.Verdict == nil:
		p.PassedOver++
		return nil
	case err != nil:
		p.Unread = append(p.Unread, err.Error())
		return nil
	}
	t := &past{document: document, policy: p.judge}
	if err := p.gate.pastBaseline(ctx, t, PastPlan{Advisories: p.plan.Advisories, Offline: p.plan.Offline}); err != nil {
		return err
	}
	before, after := document.Verdict, t.judge()
	p.Verdicts++
	changes := ruleChanges(before, &after)
	if before.Decision == after.Decision && len(changes) == 0 {
		p.Same++
		return nil
	}
	for _, c := range changes {
		key := ruleOf{c.Action, c.Rule}
		total := p.totals[key]
		p.totals[key] = RuleChange{c.Action, c.Rule, total.More + c.More, total.Fewer + c.Fewer, total.Verdicts + 1}
	}
	relative, err := filepath.Rel(p.plan.Against, name)
	if err != nil {
		return err
	}
	one := Previewed{Document: filepath.ToSlash(relative), Time: before.Time, Before: before.Decision, After: after.Decision,
		Rules: changes, Missing: t.missing}
	if subjects := document.Evidence.Subjects; len(subjects) > 0 {
		one.Subject, one.Digest = subjects[0].Name, subjects[0].Digest
	}
	p.Changed = append(p.Changed, one)
	return nil
}

// ruleOf is a rule, and what it did.
type ruleOf struct {
	action core.Action
	rule   string
}

// gapsOf are the gaps of a verdict in the form of outcomes.
func gapsOf(v *core.Verdict) []core.Outcome {
	var all []core.Outcome
	for _, g := range v.Gaps {
		all = append(all, core.Outcome{Rule: fmt.Sprintf("%s (%s)", g.Examination, g.Rule), Subject: g.Subject,
			Message: strings.Join(g.Why, "; ")})
	}
	return all
}

// ruleChanges counts for each rule the outcomes and gaps that only one of two verdicts on the same evidence has.
func ruleChanges(before, after *core.Verdict) []RuleChange {
	counts := map[ruleOf]RuleChange{}
	count := func(action core.Action, rule string, more, fewer int) {
		c := counts[ruleOf{action, rule}]
		counts[ruleOf{action, rule}] = RuleChange{action, rule, c.More + more, c.Fewer + fewer, 1}
	}
	for _, kind := range []struct {
		action        core.Action
		before, after []core.Outcome
	}{
		{core.ActionFail, before.Refusals, after.Refusals},
		{actionGap, gapsOf(before), gapsOf(after)},
		{core.ActionWarn, before.Warnings, after.Warnings},
		{core.ActionIgnore, before.Ignored, after.Ignored},
	} {
		left := map[outcomeKey]int{}
		for i := range kind.before {
			left[keyOfOutcome(&kind.before[i])]++
		}
		for i := range kind.after {
			if key := keyOfOutcome(&kind.after[i]); left[key] > 0 {
				left[key]--
			} else {
				count(kind.action, key.rule, 1, 0)
			}
		}
		for key, n := range left {
			if n > 0 {
				count(kind.action, key.rule, 0, n)
			}
		}
	}
	out := make([]RuleChange, 0, len(counts))
	for _, c := range counts {
		out = append(out, c)
	}
	sortChanges(out)
	return out
}

func sortChanges(all []RuleChange) {
	rank := map[core.Action]int{core.ActionFail: 0, actionGap: 1, core.ActionWarn: 2, core.ActionIgnore: 3}
	slices.SortFunc(all, func(a, b RuleChange) int {
		return cmp.Or(cmp.Compare(rank[a.Action], rank[b.Action]), cmp.Compare(a.Rule, b.Rule))
	})
}
