package hook_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes a directory with some files.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(file), 0o755))
		check(t, os.WriteFile(file, []byte("x = 1\n"), 0o644))
	}
	return dir
}

func presets(t *testing.T) []hook.Hook {
	t.Helper()
	all, err := hook.Presets()
	check(t, err)
	return all
}

func TestThePresetsAreWhole(t *testing.T) {
	proved, names := 0, map[string]bool{}
	for _, h := range presets(t) {
		names[h.Name] = true
		if h.Proved {
			proved++
		}
		if h.Source == "" || h.Install == "" {
			t.Errorf("%s does not say where it is documented and how to get it", h.Name)
		}
	}
	if proved < 10 || len(names) < 30 {
		t.Errorf("%d of %d presets are proved", proved, len(names))
	}
	for _, name := range strings.Fields("gosec govulncheck staticcheck semgrep opengrep codeql-results bandit ruff eslint njsscan " +
		"ast-grep flawfinder cppcheck clang-tidy-sarif spotbugs pmd brakeman rubocop psalm phpstan shellcheck hadolint checkov kics " +
		"tfsec trivy-config trivy-image trivy-fs kube-linter detekt swiftlint zizmor poutine") {
		if !names[name] {
			t.Errorf("there is no preset %s", name)
		}
	}
}

func TestSettingsAreRead(t *testing.T) {
	for text, want := range map[string]struct {
		auto     bool
		names    string
		barriers string
	}{
		"auto":                      {auto: true},
		"none":                      {},
		"[gosec, bandit]":           {names: "gosec bandit"},
		"- name: gosec\n  time: 5m": {names: "gosec"},
		"run: auto\nrequire-barriers: [seccomp, landlock]":                                                           {auto: true, barriers: "seccomp landlock"},
		"run: auto\nwith:\n- {name: own, argv: [own, .], class: static, format: sarif, languages: [go], install: x}": {auto: true, names: "own"},
	} {
		s, err := hook.ParseSettings("file", []byte(text), presets(t))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var names []string
		for _, h := range s.Hooks {
			names = append(names, h.Name)
			if !h.Asked {
				t.Errorf("%s was named and is not asked for", h.Name)
			}
		}
		if s.Auto != want.auto || strings.Join(names, " ") != want.names || strings.Join(s.RequireBarriers, " ") != want.barriers {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

func TestAnOverrideKeepsTheRestOfThePreset(t *testing.T) {
	s, err := hook.ParseSettings("file", []byte("- network: [semgrep.example]\n  name: semgrep\n"), presets(t))
	check(t, err)
	h := s.Hooks[0]
	if h.Argv[0] != "semgrep" || !slices.Equal(h.Network, []string{"semgrep.example"}) {
		t.Errorf("%+v", h)
	}
}

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "file:1:1: it is empty",
		"[gosec":                          "file:1:1: this is not YAML",
		"sometimes":                       `file:1:1: say "auto", "none"`,
		"[gosek]":                         `file:1:2: there is no preset "gosek"`,
		"- gosec\n- gosec":                "file:2:3: the hook \"gosec\" is here a second time",
		"- name: layers":                  "file:1:9: \"layers\" is the name of an examination of our own",
		"- name: sonarqube":               "file:1:9: \"sonarqube\" is the name of an examination of our own",
		"- name: misconfigurations":       "file:1:9: \"misconfigurations\" is the name of an examination of our own",
		"- name: base-signatures":         "file:1:9: \"base-signatures\" is the name of an examination of our own",
		"- name: gosec\n  argvs: [x]":     `file:2:3: unknown key "argvs"; did you mean "argv"?`,
		"- name: gosec\n  argv: gosec .":  "file:2:9: this must be a list, not text",
		"- name: gosec\n  argv: [/x/y]":   "must be a name that is found in the PATH",
		"- name: gosec\n  network: ['*']": `"*" is not a host`,
		"- name: gosec\n  network: ['https://x']":             "is not a host",
		"- name: gosec\n  secrets: ['A B']":                   "is not the name of a variable",
		"- name: gosec\n  report: file":                       "a report in a file needs {output}",
		"- name: gosec\n  sha256: abc":                        "is not a SHA-256",
		"- name: gosec\n  time: forever":                      "file:2:9: this must be a time",
		"- name: gosec\n  exits: [300]":                       "file:2:11: this must be a whole number from 0 to 125",
		"- name: gosec\n  version: {argv: [x], pattern: '('}": "not a regular expression",
		"- name: gosec\n  languages: [cobol]":                 `the language "cobol" is not known`,
		"- &a gosec\n- *a":                                    "anchors and aliases are not accepted",
		"require-barriers: [wall]":                            `file:1:20: "wall" is no barrier`,
		"- name: own":                                         `the key "argv" is missing`,
		"auto\n---\nauto":                                     "there is a second YAML document",
		strings.Repeat("#", 2<<20):                            "hooks-size",
	} {
		_, err := hook.ParseSettings("file", []byte(text), presets(t))
		if err == nil || !strings.Contains(err.Error(), want) || !core.Usage(err) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

func TestSettingsWithinAnotherFileKeepTheirPlace(t *testing.T) {
	var root yaml.Node
	check(t, yaml.Unmarshal([]byte("version: 1\nhooks:\n  - gosek\n"), &root))
	_, err := hook.ReadSettings(".cleanbill.yaml", root.Content[0].Content[3], presets(t))
	if err == nil || !strings.Contains(err.Error(), ".cleanbill.yaml:3:5: ") {
		t.Errorf("%v", err)
	}
}

func TestAutoChoosesProvedPresetsOfTheLanguagesFound(t *testing.T) {
	dir := tree(t, "main.go", "tool.py", "node_modules/dep/index.js")
	survey, err := hook.Look(t.Context(), dir, 1000)
	check(t, err)
	var names []string
	for _, h := range hook.Choose(hook.Settings{Auto: true}, presets(t), survey) {
		names = append(names, h.Name)
		if !h.Proved || len(h.Network) > 0 || h.Asked {
			t.Errorf("%+v", h)
		}
	}
	if want := []string{"gosec", "staticcheck", "bandit", "ast-grep"}; !slices.Equal(names, want) {
		t.Errorf("chose %v, want %v", names, want)
	}
	own := hook.Hook{Name: "gosec", Asked: true}
	chosen := hook.Choose(hook.Settings{Auto: true, Hooks: []hook.Hook{own}}, presets(t), survey)
	if len(chosen) != 4 || !chosen[0].Asked {
		t.Errorf("a hook that was named is chosen again: %v", chosen)
	}
}

func TestASurveyIsBounded(t *testing.T) {
	dir := tree(t, "a", "b", "c")
	if _, err := hook.Look(t.Context(), dir, 2); err == nil {
		t.Error("more files than the limit were accepted")
	}
	if _, err := hook.Look(t.Context(), filepath.Join(dir, "absent"), 2); err == nil {
		t.Error("a directory that is not there was surveyed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := hook.Look(ctx, dir, 1000); err == nil {
		t.Error("it went on after its end")
	}
}

// FuzzParseSettings checks that no configuration makes the reader panic, and that whatever is accepted is whole.
func FuzzParseSettings(f *testing.F) {
	all, err := hook.Presets()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"auto", "[gosec]", "- name: x\n  argv: [x, '{files}']\n  class: static\n  format: sarif\n  files: ['*.x']\n  install: y",
		"run: [gosec]\nrequire-barriers: [seccomp]", "- {name: gosec, memory: 5GiB, env: {A: b}, config: {name: a, text: b}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := hook.ParseSettings("file", raw, all)
		if err != nil {
			return
		}
		for _, h := range s.Hooks {
			if h.Name == "" || len(h.Argv) == 0 || h.Argv[0] == "" || h.Class == "" || h.Limits.Time <= 0 || h.Limits.Memory <= 0 || len(h.Exits) == 0 {
				t.Errorf("%+v", h)
			}
		}
	})
}
