//go:build clients && linux

package gate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientAnalysersAreJudged lets real analysers look at one tree beside each other: the policy names some and leaves the
// others to "auto", what two of them find is one finding, and all of it is judged.
func TestClientAnalysersAreJudged(t *testing.T) {
	for _, name := range []string{"bandit", "flawfinder", "cppcheck", "shellcheck", "ast-grep"} {
		clients.Analyser(t, name)
	}
	dir := t.TempDir()
	project := os.DirFS(filepath.Join(clients.Root(t), "testdata", "hooks", "project"))
	if err := os.CopyFS(dir, project); err != nil {
		t.Fatal(err)
	}
	// Go's own would compile the standard library first; the tests of the hooks run them.
	if err := os.RemoveAll(filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".cleanbill.yaml"), `version: 1
starter-ok: true
require: [bandit, shellcheck]
rules:
  - {name: code, when: finding.kind == "code" && finding.severity >= MEDIUM, action: fail}
hooks:
  run: auto
  require-barriers: [no-new-privs]
`)
	g := newGate()
	before := g.Getenv
	g.Getenv = func(name string) string {
		if name == "CLEANBILL_ADVISORIES" {
			return before(name)
		}
		return os.Getenv(name)
	}
	r, err := g.Run(t.Context(), gate.Plan{Targets: []string{dir}})
	if exit := gate.ExitCode(r, err); exit != 1 {
		t.Fatalf("exit code %d, %v", exit, err)
	}
	at := map[string]core.Finding{}
	for _, f := range r.Evidence.Findings {
		for _, l := range f.Locations {
			if filepath.IsAbs(l.Path) || strings.Contains(l.Path, dir) {
				t.Errorf("the place of the checkout: %+v", l)
			}
		}
		for _, tool := range f.SeenBy {
			at[tool+" "+f.Locations[0].Path] = f
		}
	}
	for _, want := range []string{"bandit py/app.py", "ShellCheck sh/clean.bash", "ast-grep js/app.js"} {
		if _, ok := at[want]; !ok {
			t.Errorf("nothing of %s", want)
		}
	}
	two := slices.ContainsFunc(r.Evidence.Findings, func(f core.Finding) bool {
		return len(f.SeenBy) == 2 && f.Locations[0] == core.Location{Path: "c/copy.c", Line: f.Locations[0].Line, Column: f.Locations[0].Column} &&
			slices.Contains(f.Weaknesses, "CWE-119")
	})
	if !two {
		t.Errorf("what Cppcheck and flawfinder found is no one finding: %+v", r.Evidence.Findings)
	}
	if len(r.Verdict.Refusals) < 3 {
		t.Errorf("refused: %+v", r.Verdict.Refusals)
	}
	for _, x := range r.Evidence.Examinations {
		if slices.Contains([]string{"bandit", "flawfinder", "cppcheck", "shellcheck", "ast-grep"}, x.Name) &&
			(x.Status != core.Complete || !slices.Contains(x.Enforced, "no-new-privs") || x.Version == "") {
			t.Errorf("%+v", x)
		}
	}
}
