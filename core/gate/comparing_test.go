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
	got := ""
	places := &policyPlaces{read: func(name string, _ int64) ([]byte, error) {
		got = name
		return nil, os.ErrNotExist
	}}
	judge, err := policy.Load(t.Context(), policy.Source{Name: "dir/policy.yaml", From: "dir",
		Data: []byte("version: 1\nbaseline: {source: b.json}\n")}, places)
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
		got = ""
		c := &comparing{gate: &Gate{}, plan: Plan{Policy: "dir/policy.yaml", Full: tc.full}, policy: judge, read: places.read}
		err := c.against(t.Context(), nil, tc.change, time.Now())
		if got != tc.want || (err != nil) != (tc.want != "") || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: read %q (%v), want %q", name, got, err, tc.want)
		}
	}
}
