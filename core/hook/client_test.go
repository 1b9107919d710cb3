//go:build clients

package hook_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// planted says, for each proved preset, what it must find in testdata/hooks/project: the rule, the file and the line.
var planted = map[string]string{
	"gosec":       "G115 at go/main.go:12",
	"govulncheck": "GO-0000-0001", // reached
	"staticcheck": "SA4017 at go/main.go:8",
	"bandit":      "B602 at py/app.py:6",
	"eslint":      "security/detect-child-process at js/app.js:5",
	"oxlint":      "eslint(no-eval) at js/app.js:7",
	"ast-grep":    "javascript-exec-concatenation at js/app.js:5",
	"flawfinder":  "FF1001 at c/copy.c:6",
	"cppcheck":    "arrayIndexOutOfBounds at c/copy.c:7",
	"shellcheck":  "SC2115 at sh/clean.bash:3",
}

// TestClientProvedPresetsFindThePlantedFlaw runs each proved preset's real program, within all the barriers that this
// kernel gives, over sources with a flaw, and reads its report.
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
			clients.Analyser(t, h.Argv[0])
			runner := &hook.Runner{Getenv: os.Getenv, Dir: t.TempDir()}
			h.Asked = true
			result := runner.Run(t.Context(), hook.Target{Survey: survey}, []hook.Hook{h})[0]
			x := result.Examination
			if x.Status != core.Complete || x.Version == "" {
				t.Fatalf("%+v", x)
			}
			var found []string
			for _, f := range result.Report.Findings {
				for _, l := range f.Locations {
					found = append(found, fmt.Sprintf("%s at %s:%d", f.Rule, l.Path, l.Line))
				}
			}
			for _, reach := range result.Report.Reach {
				found = append(found, reach.IDs...)
			}
			if !slices.Contains(found, want) {
				t.Errorf("%s is missing in what it found: %q", want, found)
			}
			for _, b := range []string{hook.BarrierSeccomp, hook.BarrierLandlock, hook.BarrierProcesses, hook.BarrierMounts} {
				if !slices.Contains(x.Enforced, b) && !slices.Contains(x.Unenforced, b) {
					t.Errorf("%s is neither enforced nor not: %+v", b, x)
				}
			}
			t.Logf("%s %s found %q, enforced %v, unenforced %v", h.Name, x.Version, found, x.Enforced, x.Unenforced)
		})
	}
}

// TestClientSettingsInTheSourcesSilenceNoTool runs real programs over sources that tell them to look away.
func TestClientSettingsInTheSourcesSilenceNoTool(t *testing.T) {
	presets, err := hook.Presets()
	check(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app.js": "/* eslint security/detect-child-process: \"off\", no-eval: \"off\" */\n" +
			"const cp = require(\"child_process\");\nmodule.exports = x => { cp.exec(\"ls \" + x); eval(x); };\n",
		"sgconfig.yml": "ruleDirs: []\nlanguageGlobs: {html: [\"*.js\"]}\n",
		"go.mod":       "module x\n\ngo 1.21\n",
		"a.go": "package x\n\nimport \"strings\"\n\nfunc f() {\n\tstrings.TrimSpace(\"a\")\n" +
			"\t//lint:ignore SA4017 x\n\tstrings.TrimSpace(\"b\")\n}\n",
		"staticcheck.conf": "checks = [\"none\"]\n",
		".gitignore":       "*.js\n",
		".eslintignore":    "*.js\n",
		".oxlintrc.json":   `{"ignorePatterns": ["**"], "rules": {"no-eval": "off"}}`,
	} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	check(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
	survey, err := hook.Look(t.Context(), dir, 1000)
	check(t, err)
	for name, want := range map[string]string{
		"eslint": "security/detect-child-process", "ast-grep": "javascript-eval", "oxlint": "eslint(no-eval)",
		"staticcheck": "SA4017",
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(presets, func(h hook.Hook) bool { return h.Name == name })
			clients.Analyser(t, presets[i].Argv[0])
			runner := &hook.Runner{Getenv: os.Getenv, Dir: t.TempDir()}
			result := runner.Run(t.Context(), hook.Target{Survey: survey}, []hook.Hook{presets[i]})[0]
			if !slices.ContainsFunc(result.Report.Findings, func(f core.Finding) bool {
				return f.Rule == want && len(f.Suppressions) == 0
			}) {
				t.Errorf("%s is missing: %+v, %+v", want, result.Report.Findings, result.Examination)
			}
			if name == "staticcheck" && !slices.ContainsFunc(result.Report.Findings, func(f core.Finding) bool {
				return f.Rule == want && len(f.Suppressions) == 1
			}) {
				t.Errorf("what a comment suppresses is missing: %+v", result.Report.Findings)
			}
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
