package gate_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

func TestALaterJobEndsWithTheVerdictOfAnEarlierOne(t *testing.T) {
	clean, vulnerable, ok := layout(t, images.Clean("amd64")), layout(t, images.Vulnerable("amd64")), starterOK(t)
	change := core.Change{Repository: "acme/app", Head: strings.Repeat("a", 40)}
	for story, tc := range map[string]struct {
		target, policy string
		change         core.Change
		exit           int
		shown          core.Decision
	}{
		"pass":           {clean, ok, change, 0, core.Passed},
		"refusal":        {vulnerable, ok, change, 1, core.Refused},
		"undecided":      {clean, "standard", change, 3, core.Undecided},
		"another commit": {clean, ok, core.Change{Repository: "acme/app", Head: strings.Repeat("b", 40)}, 3, core.Undecided},
		"another base": {clean, ok, core.Change{Repository: "acme/app", Head: change.Head, Base: strings.Repeat("c", 40)},
			3, core.Undecided},
		"another project": {clean, ok, core.Change{Repository: "mallory/app", Head: change.Head}, 3, core.Undecided},
		"no commit":       {clean, ok, core.Change{Repository: "acme/app"}, 3, core.Undecided},
	} {
		t.Run(story, func(t *testing.T) {
			document := filepath.Join(t.TempDir(), "verdict.json")
			first := &platform{plan: gate.Plan{Targets: []string{tc.target}, Policy: tc.policy, Change: change, Deferred: true,
				Outputs: []gate.Output{{Format: "json", Path: document}}}}
			if exit, err := newGate().Serve(t.Context(), first); exit != 0 || err != nil {
				t.Fatalf("the job that judged ended with %d, %v", exit, err)
			}
			second := &showing{plan: gate.Plan{Recall: document, Change: tc.change}}
			exit, err := newGate().Serve(t.Context(), second)
			if exit != tc.exit || second.shown != tc.shown {
				t.Errorf("the job that ends with it: %d, %v; it showed %v, want %d and %v", exit, err, second.shown, tc.exit, tc.shown)
			}
		})
	}
}

// showing is a platform that remembers what it was given to show.
type showing struct {
	plan  gate.Plan
	shown core.Decision
}

func (s *showing) Plan(context.Context) (gate.Plan, error) { return s.plan, nil }

func (s *showing) Publish(_ context.Context, r *gate.Result) error {
	s.shown = r.Verdict.Decision
	return nil
}

// A verdict that cannot be had is none, and a job that defers its own does not end well without one.
func TestWithoutAVerdictNoJobEndsWell(t *testing.T) {
	dir := t.TempDir()
	evidence := filepath.Join(dir, "evidence.json")
	write(t, evidence, `{"verdict": {"decision": "passed"}}`)
	clean := layout(t, images.Clean("amd64"))
	for story, plan := range map[string]gate.Plan{
		"nothing there":      {Recall: filepath.Join(dir, "absent.json")},
		"no document":        {Recall: evidence},
		"nothing to look at": {Targets: []string{filepath.Join(dir, "absent.tar")}, Deferred: true},
		"a wrong policy":     {Targets: []string{clean}, Policy: filepath.Join(dir, "absent.yaml"), Deferred: true},
		"a report that cannot be written": {Targets: []string{clean}, Policy: starterOK(t), Deferred: true,
			Outputs: []gate.Output{{Format: "json", Path: "/dev/full"}}},
	} {
		plan.Change.Head = strings.Repeat("a", 40)
		if exit, err := newGate().Serve(t.Context(), &platform{plan: plan}); exit == 0 || err == nil {
			t.Errorf("%s: exit %d, %v", story, exit, err)
		}
	}
}
