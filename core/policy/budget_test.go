package policy

import (
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The rules that loop share a budget. When it is spent, none of them has decided anything, whichever findings came
// first, and each is a gap.
func TestLoopsBeyondTheBudgetDecideNothing(t *testing.T) {
	p, err := Parse("p.yaml", []byte(`version: 1
rules:
  - {name: loops, when: 'finding.aliases.exists(a, a == "x")', action: ignore}
  - {name: simple, when: 'finding.rule == "CVE-1"', action: ignore}
`))
	if err != nil {
		t.Fatal(err)
	}
	e := &core.Evidence{}
	for range 5000 {
		e.Findings = append(e.Findings, core.Finding{Rule: "CVE-1", Aliases: []string{"x"}}, core.Finding{Rule: "CVE-2", Aliases: []string{"x"}})
	}
	for _, tt := range []struct {
		budget        uint64
		loops, simple int
		gaps          int
	}{
		{maxTotalCost, 10_000, 0, 0},
		{1000, 0, 5000, 1},
	} {
		j := newJudgement(p, e, time.Time{})
		j.budget = tt.budget
		decided := map[string]int{}
		for _, o := range j.evaluate() {
			decided[o.Rule]++
		}
		gaps := j.ruleGaps()
		if decided["loops"] != tt.loops || decided["simple"] != tt.simple || len(gaps) != tt.gaps {
			t.Errorf("with a budget of %d: %v, gaps %+v", tt.budget, decided, gaps)
		}
		if tt.gaps > 0 && (gaps[0].Rule != "loops" || gaps[0].Why[0] != `rule "loops" could not be evaluated 10000 times`) {
			t.Errorf("the gap is %+v", gaps[0])
		}
	}
}
