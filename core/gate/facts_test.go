package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestFactsOfAResult(t *testing.T) {
	r := &gate.Result{
		Evidence: core.Evidence{Subjects: []core.Subject{
			{Digest: "sha256:aa", Kind: core.KindIndex},
			{Digest: "sha256:bb", Kind: core.KindImage, Parent: "sha256:aa"},
		}},
		Verdict: core.Verdict{
			Decision: core.Refused,
			Counts:   core.Counts{Packages: 9, Findings: 21, Critical: 1, High: 2, Medium: 3, Low: 4, None: 5, Unknown: 6, Fixable: 7},
		},
	}
	want := []gate.Fact{
		{"result", "refused"}, {"exit-code", "1"}, {"digest", "sha256:aa"},
		{"packages", "9"}, {"findings", "21"}, {"fixable", "7"},
		{"critical", "1"}, {"high", "2"}, {"medium", "3"}, {"low", "4"}, {"none", "5"}, {"unknown", "6"},
	}
	if diff := cmp.Diff(want, r.Facts()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestSeveralTargetsHaveNoSoleDigest(t *testing.T) {
	r := &gate.Result{Evidence: core.Evidence{Subjects: []core.Subject{{Digest: "sha256:aa"}, {Digest: "sha256:bb"}}}}
	if got := r.Facts()[2]; got != (gate.Fact{Name: "digest"}) {
		t.Errorf("got %v, want an empty digest", got)
	}
}

func TestAFailureIsNeverAPass(t *testing.T) {
	for exit, want := range map[int]string{1: "refused", 2: "undecided", 3: "undecided", 0: "undecided"} {
		if got := gate.FailureFacts(exit)[0].Value; got != want {
			t.Errorf("exit %d: got result %s, want %s", exit, got, want)
		}
	}
}
