//go:build clients

package hook_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// planted says, for each proved preset, what it must report in testdata/hooks/project: the rule and the file.
var planted = map[string][2]string{
	"gosec":       {"G115", "main.go"},
	"govulncheck": {"GO-0000-0001", "main.go"},
	"staticcheck": {"SA4017", "main.go"},
	"bandit":      {"B602", "py/app.py"},
	"eslint":      {"security/detect-child-process", "js/app.js"},
	"oxlint":      {"no-eval", "js/app.js"},
	"ast-grep":    {"javascript-exec-concatenation", "js/app.js"},
	"flawfinder":  {"FF1001", "c/copy.c"},
	"cppcheck":    {"arrayIndexOutOfBounds", "c/copy.c"},
	"shellcheck":  {"2115", "sh/clean.bash"},
}

// TestClientProvedPresetsFindThePlantedFlaw runs each proved preset's real program, within all the barriers that this
// kernel gives, over sources with a flaw.
func TestClientProvedPresetsFindThePlantedFlaw(t *testing.T) {
	presets, err := hook.Presets()
	check(t, err)
	project := filepath.Join(clients.Root(t), "testdata", "hooks", "project")
	survey, err := hook.Look(t.Context(), project, 1000)
	check(t, err)
	for _, h := range presets {
		if !h.Proved {
			continue
		}
		t.Run(h.Name, func(t *testing.T) {
			want, ok := planted[h.Name]
			if !ok {
				t.Fatal("it is called proved, and no flaw is planted for it")
			}
			if h.Name == "govulncheck" {
				h = withDatabase(t, h, presets)
			}
			clients.Tool(t, h.Argv[0])
			var text string
			runner := &hook.Runner{Getenv: os.Getenv, Dir: t.TempDir(), Read: func(r io.Reader) (hook.Report, error) {
				raw, err := io.ReadAll(r)
				text += string(raw)
				return hook.Report{Tool: h.Name}, err
			}}
			h.Asked = true
			results := runner.Run(t.Context(), hook.Target{Survey: survey}, []hook.Hook{h})
			x := results[0].Examination
			if x.Status != core.Complete || x.Version == "" {
				t.Fatalf("%+v", x)
			}
			for _, word := range want {
				if !strings.Contains(text, word) {
					t.Errorf("%s is missing in its report:\n%s", word, text)
				}
			}
			if strings.Contains(text, project+"/") {
				t.Errorf("the report names the place of the checkout:\n%s", text)
			}
			for _, b := range []string{hook.BarrierSeccomp, hook.BarrierLandlock, hook.BarrierProcesses, hook.BarrierMounts} {
				if !slices.Contains(x.Enforced, b) && !slices.Contains(x.Unenforced, b) {
					t.Errorf("%s is neither enforced nor not: %+v", b, x)
				}
			}
			t.Logf("%s %s, enforced %v, unenforced %v", h.Name, x.Version, x.Enforced, x.Unenforced)
		})
	}
}

// withDatabase lets govulncheck use a database of one flaw of the standard library, instead of the one in the network.
func withDatabase(t *testing.T, h hook.Hook, presets []hook.Hook) hook.Hook {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index/db.json":      `{"modified":"2026-01-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"stdlib","vulns":[{"id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z"}]}]`,
		"index/vulns.json":   `[{"id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z"}]`,
		"ID/GO-0000-0001.json": `{"schema_version":"1.3.1","id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z",
			"published":"2026-01-01T00:00:00Z","summary":"planted","details":"planted","affected":[{"package":{"name":"stdlib","ecosystem":"Go"},
			"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],"ecosystem_specific":{"imports":[{"path":"strings","symbols":["TrimSpace"]}]}}],
			"database_specific":{"url":"https://example.invalid","review_status":"REVIEWED"}}`,
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte(text), 0o644))
	}
	// As a user would write it.
	var node yaml.Node
	check(t, yaml.Unmarshal(fmt.Appendf(nil, "- name: govulncheck\n  argv: [govulncheck, -format, json, -db, 'file://%s', ./...]\n"+
		"  reads: ['{gomodcache}', '%s']\n  network: []\n", dir, dir), &node))
	s, err := hook.ReadSettings("settings", node.Content[0], presets)
	check(t, err)
	return s.Hooks[0]
}
