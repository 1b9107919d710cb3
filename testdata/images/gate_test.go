package images_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// TestNothingHostilePasses runs the gate under the policy that forgives most: it accepts the embedded advisories.
func TestNothingHostilePasses(t *testing.T) {
	policy := lenientPolicy(t)
	for _, hostile := range images.HostileImages() {
		t.Run(hostile.Name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), hostile.Name)
			if err := hostile.Write(dir); err != nil {
				t.Fatal(err)
			}
			if got := judge(t, policy, dir); got == core.Passed && hostile.NeverPasses {
				t.Errorf("the image %s is passed", hostile.Name)
			}
		})
	}
}

func TestSamplesAreJudgedForWhatTheyAre(t *testing.T) {
	policy := lenientPolicy(t)
	for name, test := range map[string]struct {
		spec images.Spec
		want core.Decision
	}{
		"clean":      {images.Clean("amd64"), core.Passed},
		"vulnerable": {images.Vulnerable("amd64"), core.Refused},
		"empty":      {images.Spec{}, core.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), name)
			image, err := images.Build(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := images.WriteLayout(dir, image); err != nil {
				t.Fatal(err)
			}
			if got := judge(t, policy, dir); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// judge returns what the gate decides. An image that it cannot open is not decided.
func judge(t *testing.T, policy, dir string) core.Decision {
	t.Helper()
	g := gate.Gate{Version: "test", Now: images.Epoch, Getenv: func(string) string { return "" }}
	plan := gate.Plan{Targets: []string{dir}, Policy: policy, Limits: gate.Limits{Time: time.Minute}}
	result, err := g.Run(t.Context(), plan)
	if err != nil {
		t.Logf("not opened: %v", err)
		return core.Undecided
	}
	return result.Verdict.Decision
}

func lenientPolicy(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	const policy = "version: 1\nname: lenient\nextends: standard\nstarter-ok: true\n"
	if err := os.WriteFile(file, []byte(policy), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
