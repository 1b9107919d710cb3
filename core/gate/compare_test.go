package gate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

const subject = core.Digest("sha256:0")

// sourcesOf opens the base of a change in a repository, as a run does that examined all of it.
func sourcesOf(t *testing.T, r *gittest.Repository, base string) *sources {
	t.Helper()
	s, err := (&Gate{}).openSources(Plan{Source: r.Dir, Change: core.Change{Base: base}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	s.examined(subject, r.Dir)
	return s
}

func suppressed(marks ...core.Suppression) *core.Evidence {
	return &core.Evidence{Subjects: []core.Subject{{Digest: subject}}, Findings: []core.Finding{
		{Subject: subject, Kind: core.KindSecret, Rule: "generic", Suppressions: marks}}}
}

func TestASuppressionIsTheBasesOnlyIfTheBaseHasIt(t *testing.T) {
	inline := func(line int) core.Suppression {
		return core.Suppression{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "a.py", Line: line}
	}
	below := func(line int) core.Suppression {
		return core.Suppression{Kind: core.SuppressedInline, By: "nosem", Path: "a.py", Line: line}
	}
	const old = "import x\nkey = 'a' # gitleaks:allow\n\n# gitleaks:allow\n\nother = 'b'\n"
	for name, tc := range map[string]struct {
		base, head string
		mark       core.Suppression
		want       bool
	}{
		"the same line":                  {old, old, inline(2), true},
		"moved and indented":             {old, "# new\nif x:\n    key = 'a' # gitleaks:allow\n", inline(3), true},
		"other line ends":                {old, "import x\r\nkey = 'a' # gitleaks:allow\r\n", inline(2), true},
		"another value":                  {old, "import x\nkey = 'c' # gitleaks:allow\n", inline(2), false},
		"a mark that was not there":      {"import x\nkey = 'a'\n", old, inline(2), false},
		"once more":                      {old, old + "key = 'a' # gitleaks:allow\n", inline(2), false},
		"above the same code":            {old, old, inline(4), true},
		"above other code":               {old, "# gitleaks:allow\nother = 'c'\n", inline(1), false},
		"a line without the mark":        {old, old, inline(1), false},
		"a line beyond the end":          {old, old, inline(99), false},
		"a file that the base lacks":     {"", old, inline(2), false},
		"the same line of a tool's file": {"one\ntwo\n", "new\ntwo\n", core.Suppression{Kind: core.SuppressedConfig, By: ".gitleaksignore", Path: "a.py", Line: 2}, true},
		"another line of a tool's file":  {"one\n", "one\ntwo\n", core.Suppression{Kind: core.SuppressedConfig, By: ".gitleaksignore", Path: "a.py", Line: 2}, false},
		"the same tool's file":           {"one\n", "one\n", core.Suppression{Kind: core.SuppressedConfig, By: ".bandit", Path: "a.py"}, true},
		"a changed tool's file":          {"one\n", "two\n", core.Suppression{Kind: core.SuppressedConfig, By: ".bandit", Path: "a.py"}, false},
		"read from the base":             {"one\n", "two\n", core.Suppression{Kind: core.SuppressedConfig, By: ".bandit", Path: "a.py", Base: true}, true},
		"an inline one that says so":     {"x\n", old, core.Suppression{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "a.py", Line: 2, Base: true}, false},
		"the line below the mark":        {old + "# nosem\nf()\n", old + "\n# nosem\nf()\n", below(9), true},
		"a mark above that is new":       {old + "f()\n", old + "# nosem\nf()\n", below(8), false},
		"below code with a mark":         {old + "g() # nosem\nf()\n", old + "g() # nosem\nf()\n", below(8), false},
		"a tool's report":                {old, old, core.Suppression{Kind: core.SuppressedReport, By: "SARIF", Path: "a.py", Line: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.New(t)
			files := map[string]string{"README.md": "x\n"}
			if tc.base != "" {
				files["a.py"] = tc.base
			}
			base := r.Commit(t, files)
			r.Write(t, map[string]string{"a.py": tc.head})
			e := suppressed(tc.mark)
			if err := sourcesOf(t, r, base).compare(e); err != nil {
				t.Fatal(err)
			}
			if got := e.Findings[0].Suppressions[0].Base; got != tc.want {
				t.Errorf("the base has it: %v, want %v", got, tc.want)
			}
			if got := len(e.Findings) == 1; got != tc.want {
				t.Errorf("findings: %+v", e.Findings[1:])
			}
		})
	}
}

func TestAFindingAboutASuppressionStaysTheSameWhenLinesMove(t *testing.T) {
	var seen []string
	for _, head := range []string{"k = 'a' # nosec\n", "\n\n  k = 'a' # nosec\n"} {
		r := gittest.New(t)
		base := r.Commit(t, map[string]string{"b.py": "x\n"})
		r.Write(t, map[string]string{"a.py": head})
		mark := core.Suppression{Kind: core.SuppressedInline, By: "nosec", Path: "a.py", Line: 1 + len(seen)*2}
		e := suppressed(mark, mark) // two findings may be silenced by one mark
		if err := sourcesOf(t, r, base).compare(e); err != nil {
			t.Fatal(err)
		}
		if len(e.Findings) != 2 || e.Findings[1].Kind != core.KindSuppression || e.Findings[1].Rule != "suppression-added" {
			t.Fatalf("findings: %+v", e.Findings)
		}
		seen = append(seen, e.Findings[1].Fingerprint)
	}
	if seen[0] != seen[1] {
		t.Errorf("the fingerprint moved: %v", seen)
	}
}

func TestOffAChangeEverySuppressionIsTheBases(t *testing.T) {
	s, err := (&Gate{}).openSources(Plan{Source: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := suppressed(core.Suppression{Kind: core.SuppressedReport, By: "SARIF"})
	if err := s.compare(e); err != nil || !e.Findings[0].Suppressions[0].Base || len(e.Findings) != 1 || s.about() != nil {
		t.Errorf("%v, %+v", err, e)
	}
}

// What stands in the files of an image may be anybody's, such as the publisher's of its base.
func TestOffAChangeTheFilesOfAnImageSuppressNothing(t *testing.T) {
	for kind, want := range map[core.SubjectKind]bool{core.KindSource: true, core.KindImage: false} {
		e := suppressed(core.Suppression{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "a.py", Line: 1},
			core.Suppression{Kind: core.SuppressedConfig, By: ".gitleaksignore", Path: ".gitleaksignore", Line: 1})
		e.Subjects[0].Kind = kind
		if err := (*sources)(nil).compare(e); err != nil {
			t.Fatal(err)
		}
		for _, mark := range e.Findings[0].Suppressions {
			if mark.Base != want {
				t.Errorf("%s in a subject of the kind %s counts: %t", mark.By, kind, mark.Base)
			}
		}
	}
}

// What an image holds is no part of the change: its suppressions do not count, and nobody has to look at them.
func TestSuppressionsInAnImageOfAChangeDoNotCount(t *testing.T) {
	r := gittest.New(t)
	s := sourcesOf(t, r, r.Commit(t, map[string]string{"a.py": "x # nosec\n"}))
	e := suppressed(core.Suppression{Kind: core.SuppressedInline, By: "nosec", Path: "a.py", Line: 1})
	e.Subjects[0].Digest, e.Findings[0].Subject = "sha256:1", "sha256:1"
	if err := s.compare(e); err != nil || e.Findings[0].Suppressions[0].Base || len(e.Findings) != 1 {
		t.Errorf("%v, %+v", err, e.Findings)
	}
}

func TestEveryWayIntoTheRepositoryLeadsToTheBase(t *testing.T) {
	r := gittest.New(t)
	base := r.Commit(t, map[string]string{"p.yaml": "base\n", "sub/p.yaml": "base\n"})
	outside := t.TempDir()
	r.Write(t, map[string]string{"p.yaml": "head\n", "sub/p.yaml": "head\n"})
	for name, target := range map[string]string{"root": r.Dir, "sub": filepath.Join(r.Dir, "sub"), "file.yaml": filepath.Join(r.Dir, "p.yaml"),
		"new.yaml": filepath.Join(r.Dir, "absent.yaml")} {
		if err := os.Symlink(target, filepath.Join(outside, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "p.yaml"), []byte("outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(r.Dir, "out")); err != nil {
		t.Fatal(err)
	}
	s := sourcesOf(t, r, base)
	t.Chdir(filepath.Join(r.Dir, "sub"))
	for name, want := range map[string]string{
		filepath.Join(r.Dir, "p.yaml"):        "base\n",
		"p.yaml":                              "base\n",
		"../p.yaml":                           "base\n",
		"../sub/./../p.yaml":                  "base\n",
		filepath.Join(outside, "root/p.yaml"): "base\n",
		filepath.Join(outside, "sub/p.yaml"):  "base\n",
		filepath.Join(outside, "file.yaml"):   "base\n",
		filepath.Join(outside, "p.yaml"):      "outside\n",
		filepath.Join(r.Dir, "out/p.yaml"):    "", // a link of the change, which the base does not have
		filepath.Join(outside, "new.yaml"):    "",
		filepath.Join(r.Dir, ".git/HEAD"):     "",
	} {
		raw, err := s.read(name, 100)
		if string(raw) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", name, raw, err, want)
		}
	}
}

func TestFilesThatSilenceToolsAreKnown(t *testing.T) {
	all := excuses()
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.pattern] || e.why == "" {
			t.Errorf("%q is here twice, or says nothing", e.pattern)
		}
		seen[e.pattern] = true
		if _, err := filepath.Match(e.pattern, "x"); err != nil {
			t.Errorf("%q: %v", e.pattern, err)
		}
	}
	for name, want := range map[string]bool{
		".cleanbill.yaml": true, ".gitleaks.toml": true, "a/b/.gitleaksignore": true, ".semgrepignore": true, ".hadolint.yaml": true,
		".hadolint.yml": true, ".trivyignore": true, "x/.bandit": true, ".eslintrc.json": true, "web/eslint.config.mjs": true, ".golangci.yml": true,
		".golangci.yaml": true, ".checkov.yaml": true, "kics.config": true, ".snyk": true, ".nsprc": true, "osv-scanner.toml": true, ".grype.yaml": true,
		"zizmor.yml": true, ".github/zizmor.yml": true, "app.openvex.json": true, ".vex/a.json": true, "a/.vex/b": true, ".cargo/audit.toml": true,
		".github/codeql/x.yml": true, "a/.oxlintrc.json": true, "sgconfig.yml": true,
		"main.go": false, "eslint.js": false, "cleanbill.yaml": false, "vex/a.json": false, "audit.toml": false, "x/.github/codeql/x.yml": false,
		"trivyignore": false, "": false,
	} {
		if got := excuseOf(all, name) != ""; got != want {
			t.Errorf("%q silences a tool: %v, want %v", name, got, want)
		}
	}
}
