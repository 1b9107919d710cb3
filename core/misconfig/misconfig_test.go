package misconfig

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/walk"
)

var update = flag.Bool("update", false, "rewrite the documentation")

// tree examines files as the gate does a source tree.
func tree(t testing.TB, files map[string]string) core.Evidence {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e, err := walk.Tree(t.Context(), dir, "tree", walk.Options{Analyzers: SourceAnalyzers()})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// found lists what was found as "path:line rule", and the gaps.
func found(e core.Evidence) (findings, gaps []string) {
	for _, f := range e.Findings {
		findings = append(findings, fmt.Sprintf("%s:%d %s", f.Locations[0].Path, f.Locations[0].Line, f.Rule))
	}
	for _, x := range e.Examinations {
		if x.Name == core.ExamineMisconfigurations || x.Name == core.ExamineCharts {
			for _, why := range x.Why {
				gaps = append(gaps, x.Name+": "+why)
			}
		}
	}
	slices.Sort(findings)
	return findings, gaps
}

func TestEveryRuleSaysWhatItIsOnce(t *testing.T) {
	seen := map[string]bool{}
	form := regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)+$`)
	for _, r := range Rules() {
		if seen[r.ID] || !form.MatchString(r.ID) {
			t.Errorf("%q is there twice, or no id", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.Why == "" || r.Fix == "" || r.Severity == core.SeverityUnknown {
			t.Errorf("%s does not say all that it must", r.ID)
		}
		if len(r.References) == 0 && r.ID != rule.BadIgnore().ID {
			t.Errorf("%s names no requirement", r.ID)
		}
	}
	if len(seen) < 70 {
		t.Errorf("only %d rules", len(seen))
	}
}

// TestEveryRuleHasSamples looks into the tests of each family: every rule is shown what it finds, and what it leaves.
func TestEveryRuleHasSamples(t *testing.T) {
	var tests bytes.Buffer
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, "_test.go") {
			text, err := os.ReadFile(p)
			tests.Write(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// These are about files of images, whose test is a table of modes.
	fileRules := map[string]bool{
		"image-setuid": true, "image-world-writable": true, "image-shell": true, "image-package-manager": true,
		rule.BadIgnore().ID: true,
	}
	all := bytes.ToLower(tests.Bytes()) // family.Flags, or flags where more than a text is examined
	for _, r := range Rules() {
		for _, kind := range []string{"flags", "spares"} {
			if !fileRules[r.ID] && !bytes.Contains(all, []byte(kind+`(t, "`+r.ID+`"`)) {
				t.Errorf("no test %s(t, %q, …)", kind, r.ID)
			}
		}
	}
}

func TestEveryFamilyFindsItsFiles(t *testing.T) {
	findings, gaps := found(tree(t, map[string]string{
		"Dockerfile":               "FROM alpine:3.20\nRUN sudo ls\nUSER 1\n",
		"deploy/pod.json":          `{"apiVersion": "v1", "kind": "Pod", "spec": {"hostNetwork": true, "containers": [{"name": "c"}]}}`,
		"compose.yaml":             "services:\n  a:\n    build: .\n    privileged: true\n    user: '1'\n",
		".github/workflows/ci.yml": "on: push\npermissions: write-all\njobs:\n  a:\n    runs-on: x\n",
		".gitlab-ci.yml":           "a:\n  script:\n    - eval $CI_COMMIT_TITLE\n",
		"t.yaml": "apiVersion: tekton.dev/v1\nkind: Task\nspec:\n  steps:\n    - name: s\n      " +
			"script: echo $(params.x)\n",
		"node_modules/a/Dockerfile":       "FROM alpine\n",
		"node_modules/a/b.yaml":           "apiVersion: v1\nkind: Pod\nspec: {hostPID: true}\n",
		"package.json":                    `{"name": "x"}`,
		"values.yaml":                     "a: [\n",
		"chart/Chart.yaml":                "apiVersion: v2\nname: x\n",
		"chart/templates/deployment.yaml": "apiVersion: v1\nkind: Pod\n{{ if .x }}\nspec: {}\n{{ end }}\n",
		"chart/templates/b.yaml":          "{{ include \"x\" . }}\n",
	}))
	want := []string{
		".github/workflows/ci.yml:2 github-wide-permissions", ".gitlab-ci.yml:3 gitlab-script-injection",
		"Dockerfile:1 dockerfile-unpinned-base", "Dockerfile:2 dockerfile-sudo", "compose.yaml:4 compose-privileged",
		"deploy/pod.json:1 kubernetes-host-namespaces", "t.yaml:6 tekton-script-injection",
	}
	if !slices.Equal(findings, want) {
		t.Errorf("%q, want %q", findings, want)
	}
	if len(gaps) != 1 || !strings.Contains(gaps[0], "templates of this chart (2) are not rendered") ||
		!strings.HasPrefix(gaps[0], core.ExamineCharts) { // so that a policy can accept it alone
		t.Errorf("%q", gaps)
	}
}

func TestWhatSurelyIsOfAKindAndCannotBeReadIsAGap(t *testing.T) {
	for name, text := range map[string]string{
		"Dockerfile": "NOT A DOCKERFILE\n", ".gitlab-ci.yml": "a: [\n", "a.yaml": "apiVersion: v1\nkind: Pod\nspec: [\n",
		"compose.yml": "services: [\n", ".github/workflows/x.yml": "jobs: [\n",
	} {
		if _, gaps := found(tree(t, map[string]string{name: text})); len(gaps) != 1 {
			t.Errorf("%s: %q", name, gaps)
		}
	}
	for name, text := range map[string]string{
		"a.yaml": "a: [\n", "b.yaml": "apiVersion: v1\nkind: Pod\n{{ if }}\n", "c.json": "{", "d.yml": "jobs: [\n",
		"Dockerfile.tmpl": "x",
	} {
		if _, gaps := found(tree(t, map[string]string{name: text})); len(gaps) != 0 {
			t.Errorf("%s: %q", name, gaps)
		}
	}
}

func TestManifestsInDisguiseAreFound(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nspec: {hostNetwork: true, containers: [{name: c}]}\n"
	wide := []byte{0xFF, 0xFE}
	for _, c := range []byte(pod) {
		wide = append(wide, c, 0)
	}
	for name, text := range map[string]string{
		"escaped.yaml": `"\x61piVersion": v1` + "\n" + `"kin\u0064": Pod` + "\n" +
			"spec: {hostNetwork: true, containers: [{name: c}]}\n",
		"folded.yml": "? \"api\\\n  Version\"\n: v1\n? \"ki\\\n  nd\"\n: Pod\n" +
			"spec: {hostNetwork: true, containers: [{name: c}]}\n",
		"escaped.json": `{"\u0061piVersion": "v1", "\u006bind": "Pod", ` +
			`"spec": {"hostNetwork": true, "containers": [{"name": "c"}]}}`,
		"wide.yaml": string(wide),
		// kubectl applies what is before the document that it cannot read.
		"first.yaml": "# {{ x\n" + pod + "---\n@\n",
	} {
		findings, _ := found(tree(t, map[string]string{name: text}))
		if !slices.ContainsFunc(findings, func(f string) bool {
			return strings.HasSuffix(f, "kubernetes-host-namespaces")
		}) {
			t.Errorf("%s: %q", name, findings)
		}
	}
	for text, want := range map[string]bool{
		`"\n\t\u00e9"`: false, `\`: false, `\x4`: false, `\x41`: true, `c:\dir`: false, "a\\\nb": true,
	} {
		if disguised([]byte(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

func TestWhatLiesBesideCounts(t *testing.T) {
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"
	policy := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
	if f, _ := found(tree(t, map[string]string{"a/n.yaml": namespace, "b/p.yaml": policy})); len(f) != 1 {
		t.Errorf("%q", f)
	}
	if f, _ := found(tree(t, map[string]string{"a/n.yaml": namespace, "a/p.yaml": policy})); len(f) != 0 {
		t.Errorf("%q", f)
	}
	file := "FROM a:1@sha256:x\nCOPY . .\nUSER 1\n"
	file = strings.Replace(file, "sha256:x", "sha256:"+strings.Repeat("0", 64), 1)
	if f, _ := found(tree(t, map[string]string{"a/Dockerfile": file})); len(f) != 1 {
		t.Errorf("%q", f)
	}
	for _, ignore := range []string{".dockerignore", "a/.dockerignore", "a/Dockerfile.dockerignore"} {
		if f, _ := found(tree(t, map[string]string{"a/Dockerfile": file, ignore: ".git\n"})); len(f) != 0 {
			t.Errorf("%s: %q", ignore, f)
		}
	}
}

// TestThisRepositoryIsClean holds our own files to what we ask of others: nothing without a reason.
func TestThisRepositoryIsClean(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	analyzers := SourceAnalyzers()
	files := 0
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == ".git" || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		for _, a := range analyzers {
			info, err := d.Info()
			if err != nil || !d.Type().IsRegular() || !a.Wants(p, info) {
				continue
			}
			text, err := fs.ReadFile(root, p)
			if err != nil {
				return err
			}
			files++
			got, err := a.Analyze(t.Context(), core.File{Path: p, Info: info, Related: root,
				Content: io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text)))})
			if err != nil || len(got.Problems) > 0 {
				t.Errorf("%s: %v %v", p, err, got.Problems)
			}
			for _, f := range got.Findings {
				if len(f.Suppressions) == 0 {
					t.Errorf("%s:%d: %s %s: %s", p, f.Locations[0].Line, f.Severity, f.Rule, f.Title)
				}
			}
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// TestTheDocumentationIsOfTheseRules rewrites docs/misconfigurations.md with -update, and fails when it is stale.
func TestTheDocumentationIsOfTheseRules(t *testing.T) {
	name := filepath.Join("..", "..", "docs", "misconfigurations.md")
	want := documentation()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("%s is not of these rules (%v): go test ./core/misconfig -update", name, err)
	}
}

func FuzzAnalyze(f *testing.F) {
	f.Add("a.yaml", []byte("apiVersion: v1\nkind: Pod\nspec: {containers: [{}]}\n"))
	f.Add("Dockerfile", []byte("FROM a\nCOPY . .\n"))
	f.Add("compose.yml", []byte("services: {a: {ports: ['22', '127.0.0.1:22:22'], volumes: [/:/x], environment: "+
		"[TOKEN=abcdef]}}\n"))
	f.Add(".github/workflows/a.yml", []byte("on: pull_request_target\njobs: {a: {runs-on: self-hosted, steps: [{run: "+
		"'${{ github.head_ref }}'}]}}\n"))
	f.Add("action.yml", []byte("runs: {using: composite, steps: [{run: |\n curl x | sh\n}]}\n"))
	f.Add(".gitlab-ci.yml", []byte("include: [{remote: http://x}, {component: a/b@1}]\na: {script: [eval "+
		"$CI_COMMIT_TITLE, 'curl x | sh']}\n"))
	f.Add("t.yaml", []byte("apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{script: $(params.x), image: a}], "+
		"volumes: [{hostPath: {path: /}}]}\n"))
	f.Add("Chart.yaml", []byte("apiVersion: v2\n"))
	analyzers := SourceAnalyzers()
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		for _, a := range analyzers {
			if !a.Wants(name, nil) {
				continue
			}
			got, err := a.Analyze(context.Background(), core.File{
				Path: name, Content: io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text))), Related: fstest.MapFS{},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range got.Findings {
				if one.Fingerprint == "" || len(one.Locations) != 1 || one.Locations[0].Line < 1 || one.Title == "" {
					t.Fatalf("%s %q: %+v", name, text, one)
				}
			}
		}
	})
}

// BenchmarkTree asks the analyzers of a tree of forty thousand files, as a repository with its node_modules has.
func BenchmarkTree(b *testing.B) {
	names := make([]string, 0, 40_000)
	for i := range 40_000 {
		switch {
		case i%400 == 0:
			names = append(names, fmt.Sprintf("deploy/%d/app.yaml", i))
		case i%4000 == 1:
			names = append(names, fmt.Sprintf("app/%d/Dockerfile", i))
		default:
			names = append(names, fmt.Sprintf("web/node_modules/p%d/lib/index.js", i))
		}
	}
	analyzers := SourceAnalyzers()
	wanted := 0
	for b.Loop() {
		wanted = 0
		for _, n := range names {
			for _, a := range analyzers {
				if a.Wants(n, nil) {
					wanted++
				}
			}
		}
	}
	b.ReportMetric(float64(wanted), "wanted")
}
