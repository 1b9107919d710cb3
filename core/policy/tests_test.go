package policy_test

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func FuzzParseTests(f *testing.F) {
	f.Add("policy: standard\ncases:\n  - {name: x, now: 2026-11-24, findings: [{kind: secret, rule: r}], expect: {refused: [r]}}\n")
	f.Add("policy: [")
	f.Fuzz(func(t *testing.T, text string) {
		tests, err := policy.ParseTests(policy.Source{Name: "t.yaml", Data: []byte(text)})
		if err == nil && (tests.Policy == "" || len(tests.Cases) == 0) {
			t.Errorf("%q tests nothing", text)
		}
	})
}
