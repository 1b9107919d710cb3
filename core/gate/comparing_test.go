package gate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// A policy's baseline is for changes. What is merged, or pushed, is judged in full although the policy names one.
func TestThePolicysBaselineIsReadWhereAChangeIsJudged(t *testing.T) {
	judge, err := policy.Parse("dir/policy.yaml", []byte("version: 1\nbaseline: {source: b.json}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change *core.Change
		full   bool
		want   string
	}{
		"no change":        {nil, false, ""},
		"what is merged":   {&core.Change{Head: "a"}, false, ""},
		"a change":         {&core.Change{Head: "a", Base: "b"}, false, filepath.Join("dir", "b.json")},
		"a change to push": {&core.Change{Head: "a", Base: "b"}, true, ""},
	} {
		got := ""
		c := &comparing{gate: &Gate{}, plan: Plan{Policy: "dir/policy.yaml", Full: tc.full}, policy: judge, ofBase: true,
			read: func(name string, max int64) ([]byte, error) {
				got = name
				return nil, os.ErrNotExist
			}}
		err := c.against(t.Context(), nil, tc.change, time.Now())
		if got != tc.want || (err != nil) != (tc.want != "") || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: read %q (%v), want %q", name, got, err, tc.want)
		}
	}
}

func TestAChangeCannotBringItsOwnBaseline(t *testing.T) {
	for name, text := range map[string]string{"by a flag": "version: 1\n", "by the policy": "version: 1\nbaseline: {source: b.json}\n"} {
		judge, err := policy.Parse("policy.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c := &comparing{gate: &Gate{}, plan: Plan{Policy: "policy.yaml"}, policy: judge, read: func(string, int64) ([]byte, error) {
			t.Error("it was read")
			return nil, os.ErrNotExist
		}}
		if judge.Baseline().Source == "" {
			c.plan.Baseline, c.baseline = "b.json", &core.Baseline{} // which was read before the change was known
		}
		err = c.against(t.Context(), nil, &core.Change{Head: "a", Base: "b"}, time.Now())
		if err == nil || core.Usage(err) || ExitCode(nil, err) != core.ExitUndecided {
			t.Errorf("%s: %v, want an error that leaves it undecided", name, err)
		}
	}
}
