package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

// told is what is known of each package, as "name@version:line relation via", with a ? for an unknown relation.
func told(packages []core.Package) []string {
	all := []string{}
	for _, p := range packages {
		relation := string(p.Relation)
		if relation == "" {
			relation = "?"
		}
		text := fmt.Sprintf("%s@%s:%d %s", p.Name, p.Version, p.Locations[0].Line, relation)
		if len(p.Via) > 0 {
			text += " " + strings.Join(p.Via, ">")
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestLockfilesSayHowPackagesComeToBeThere(t *testing.T) {
	for _, c := range []struct {
		name, file string
		lines      []string
		want       []string
	}{
		{"npm, version 3", "package-lock.json", []string{
			`{"name": "app", "lockfileVersion": 3, "packages": {`,
			`  "": {"dependencies": {"a": "^1"}, "devDependencies": {"tool": "1"}, "optionalDependencies": {"absent": "1"}},`,
			`  "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "^1"}},`,
			`  "node_modules/a/node_modules/b": {"version": "1.0.0", "dependencies": {"c": "1"}},`,
			`  "node_modules/b": {"version": "2.0.0", "dependencies": {"c": "1", "tool": "1"}},`,
			`  "node_modules/c": {"version": "1.0.0", "dependencies": {"b": "^2"}},`,
			`  "node_modules/tool": {"version": "1.0.0", "dev": true, "peerDependencies": {"lonely": "*"}},`,
			`  "node_modules/stranger": {"version": "1.0.0"}`,
			`}}`},
			[]string{"a@1.0.0:3 direct", "b@1.0.0:4 transitive a", "b@2.0.0:5 transitive a>b>c", "c@1.0.0:6 transitive a>b",
				"stranger@1.0.0:8 transitive", "tool@1.0.0:7 direct"}},
		{"npm with workspaces and other names", "package-lock.json", []string{
			`{"lockfileVersion": 2, "packages": {"": {"workspaces": ["packages/*"]},`,
			`  "packages/w": {"version": "0.1.0", "dependencies": {"other": "npm:real@1"}},`,
			`  "node_modules/w": {"resolved": "packages/w", "link": true},`,
			`  "packages/w/node_modules/other": {"name": "real", "version": "1.0.0", "dependencies": {"x": "1"}},`,
			`  "node_modules/x": {"version": "1.0.0"}}}`},
			[]string{"real@1.0.0:4 direct", "w@0.1.0:2 ?", "x@1.0.0:5 transitive real"}},
		{"npm whose project names what is not there", "package-lock.json", []string{
			`{"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1", "lost": "1"}},`,
			`  "node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "1.0.0"}}}`},
			[]string{"a@1.0.0:2 direct", "b@1.0.0:2 ?"}},
		{"npm, version 1", "package-lock.json", []string{`{"lockfileVersion": 1, "dependencies": {`,
			`  "a": {"version": "1.0.0", "requires": {"b": "1"}, "dependencies": {`, `    "b": {"version": "1.0.0"}}}}}`},
			[]string{"a@1.0.0:2 ?", "b@1.0.0:3 ?"}},
		{"Yarn, version 1", "yarn.lock", []string{
			`# yarn lockfile v1`, ``,
			`"@s/a@^1.0.0":`, `  version "1.0.0"`, `  dependencies:`, `    b "^1.0.0"`, `    "c" "^2"`, ``,
			`b@^1.0.0, b@^1.1.0:`, `  version "1.1.0"`, `  dependencies:`, `    c "^2"`, ``,
			`c@^2:`, `  version "2.0.0"`, `  dependencies:`, `    "@s/a" "^1.0.0"`, `    d "*"`, ``,
			`d@*:`, `  version "4.0.0"`, ``, `e@^1:`, `  version "1.0.0"`},
			[]string{"@s/a@1.0.0:3 ? b>c", "b@1.1.0:9 direct", "c@2.0.0:14 ? b", "d@4.0.0:20 ? b>c", "e@1.0.0:23 direct"}},
		{"Yarn of today", "yarn.lock", []string{
			`__metadata:`, `  version: 8`, ``,
			`"a@npm:^1.0.0":`, `  version: 1.0.0`, `  resolution: "a@npm:1.0.0"`, `  dependencies:`, `    "@s/b": "npm:^1.0.0"`, `  checksum: 10/aa`,
			`  languageName: node`, `  linkType: hard`, ``,
			`"@s/b@npm:^1.0.0, @s/b@npm:^1.1.0":`, `  version: 1.1.0`, `  resolution: "@s/b@npm:1.1.0"`, `  checksum: 10/bb`, `  languageName: node`,
			`  linkType: hard`, ``,
			`"app@workspace:.":`, `  version: 0.0.0-use.local`, `  resolution: "app@workspace:."`, `  dependencies:`, `    a: "npm:^1.0.0"`,
			`  languageName: unknown`, `  linkType: soft`},
			[]string{"@s/b@1.1.0:13 transitive a", "a@1.0.0:4 direct"}},
		{"pnpm, version 9", "pnpm-lock.yaml", []string{
			`lockfileVersion: '9.0'`, `importers:`, `  .:`, `    dependencies:`, `      a:`, `        specifier: ^1`, `        version: 1.0.0(p@1.0.0)`,
			`    devDependencies:`, `      own:`, `        specifier: workspace:*`, `        version: link:packages/own`,
			`packages:`, `  a@1.0.0:`, `    resolution: {integrity: sha512-aa}`, `  '@s/b@2.0.0':`, `    resolution: {integrity: sha512-aa}`,
			`  p@1.0.0:`, `    resolution: {integrity: sha512-aa}`,
			`snapshots:`, `  a@1.0.0(p@1.0.0):`, `    dependencies:`, `      '@s/b': 2.0.0`, `      p: 1.0.0`, `  '@s/b@2.0.0': {}`, `  p@1.0.0: {}`},
			[]string{"@s/b@2.0.0:15 transitive a", "a@1.0.0:13 direct", "p@1.0.0:17 transitive a"}},
		{"pnpm, version 5", "pnpm-lock.yaml", []string{
			`lockfileVersion: 5.3`, `specifiers:`, `  a: ^1`, `dependencies:`, `  a: 1.0.0`, `packages:`, `  /a/1.0.0:`,
			`    resolution: {integrity: sha512-aa}`, `    dependencies:`, `      '@s/b': 2.0.0_a@1.0.0`, `  /@s/b/2.0.0_a@1.0.0:`,
			`    resolution: {integrity: sha512-aa}`},
			[]string{"@s/b@2.0.0:11 transitive a", "a@1.0.0:7 direct"}},
		{"Go", "go.mod", []string{`module m`, `go 1.22`, `require example.org/a v1.0.0`, `require (`, `	example.org/b v1.0.0 // indirect`,
			`	example.org/c v1.0.0`, `)`, `replace example.org/c => example.org/d v1.2.0`},
			[]string{"example.org/a@1.0.0:3 direct", "example.org/b@1.0.0:5 transitive", "example.org/d@1.2.0:6 direct", "stdlib@1.22:2 ?"}},
		{"Rust", "Cargo.lock", []string{`version = 3`, `[[package]]`, `name = "app"`, `version = "0.1.0"`, `dependencies = [`, ` "a",`,
			` "b 2.0.0",`, `]`, `[[package]]`, `name = "a"`, `version = "1.0.0"`, `source = "registry+x"`, `dependencies = ["b 1.0.0 (registry+x)"]`,
			`[[package]]`, `name = "b"`, `version = "1.0.0"`, `source = "registry+x"`, `[[package]]`, `name = "b"`, `version = "2.0.0"`,
			`source = "registry+x"`},
			[]string{"a@1.0.0:10 direct", "app@0.1.0:3 ?", "b@1.0.0:15 transitive a", "b@2.0.0:19 direct"}},
		{"Poetry", "poetry.lock", []string{`[[package]]`, `name = "Flask"`, `version = "2.0"`, `[package.dependencies]`, `Jinja2 = ">=3"`, ``,
			`[[package]]`, `name = "jinja2"`, `version = "3.0"`, `[package.dependencies]`, `markup_safe = "*"`, ``,
			`[[package]]`, `name = "markup-safe"`, `version = "1.0"`},
			[]string{"Flask@2.0:2 direct", "jinja2@3.0:8 ? flask", "markup-safe@1.0:14 ? flask>jinja2"}},
		{"uv", "uv.lock", []string{`version = 1`, `[[package]]`, `name = "app"`, `version = "0.1.0"`, `source = { virtual = "." }`,
			`dependencies = [{ name = "a" }]`, `[package.dev-dependencies]`, `dev = [{ name = "t" }]`,
			`[[package]]`, `name = "a"`, `version = "1.0"`, `source = { registry = "https://pypi.org/simple" }`, `dependencies = [{ name = "b" }]`,
			`[[package]]`, `name = "b"`, `version = "1.0"`, `source = { registry = "https://pypi.org/simple" }`,
			`[[package]]`, `name = "t"`, `version = "1.0"`, `source = { registry = "https://pypi.org/simple" }`},
			[]string{"a@1.0:10 direct", "b@1.0:15 transitive a", "t@1.0:19 direct"}},
		{"Composer", "composer.lock", []string{`{"packages": [`, `  {`, `    "name": "v/a",`, `    "version": "v1.0.0", "require": {"php": ">=8", "v/b": "^1", "x/impl": "*"}},`,
			`  {"name": "v/b", "version": "1.0.0"},`, `  {"name": "v/c", "version": "1.0.0", "provide": {"x/impl": "1"}}], "packages-dev": [`,
			`  {"name": "v/d", "version": "2.0.0"}]}`},
			[]string{"v/a@v1.0.0:3 direct", "v/b@1.0.0:5 ? v/a", "v/c@1.0.0:6 ? v/a", "v/d@2.0.0:7 direct"}},
		{"Bundler", "Gemfile.lock", []string{`PATH`, `  remote: .`, `  specs:`, `    own (0.1.0)`, `      rack`, `GEM`, `  remote: https://rubygems.org/`, `  specs:`,
			`    rails (7.0.0)`, `      rack (>= 2)`, `      thor`, `    rack (2.0.0)`, `    thor (1.0.0)`, ``, `PLATFORMS`, `  ruby`, ``, `DEPENDENCIES`, `  own!`,
			`  rails (~> 7)`},
			[]string{"own@0.1.0:4 ?", "rack@2.0.0:12 direct", "rails@7.0.0:9 direct", "thor@1.0.0:13 transitive rails"}},
		{"NuGet", "packages.lock.json", []string{`{"version": 1, "dependencies": {"net8.0": {`, `  "A": {"type": "Direct", "resolved": "1.0.0", "dependencies": {"b": "1.0.0"}},`,
			`  "B": {"type": "Transitive", "resolved": "1.0.0"},`, `  "C": {"type": "Transitive", "resolved": "1.0.0"},`, `  "lib": {"type": "Project", "dependencies": {"C": "1"}}}}}`},
			[]string{"A@1.0.0:2 direct", "B@1.0.0:3 transitive A", "C@1.0.0:4 transitive lib", "lib@:5 direct"}},
		{"Gradle", "gradle.lockfile", []string{`# comment`, `org.a:a:1.0=compileClasspath`, `empty=x`}, []string{"org.a:a@1.0:2 ?"}},
		{"Maven", "pom.xml", []string{`<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>x</artifactId><version>1</version>`,
			`<dependencies>`, `<dependency>`, `<groupId>org.a</groupId><artifactId>a</artifactId><version>1.0</version>`, `</dependency></dependencies></project>`},
			[]string{"org.a:a@1.0:4 direct"}},
		{"requirements", "requirements.txt", []string{`# needed`, `flask==2.0`, `Jinja2==3.0 ; python_version > "3"`},
			[]string{"Jinja2@3.0:3 direct", "flask@2.0:2 direct"}},
		{"requirements that say by what", "requirements.txt", []string{`flask==2.0`, `    # via -r requirements.in`, `jinja2==3.0`, `    # via`, `    #   flask`, `    #   other`,
			`markupsafe==1.0  # via jinja2`, `silent==1.0`, `werkzeug==1.0`, `    # via flask`},
			[]string{"flask@2.0:1 direct", "jinja2@3.0:3 direct", "markupsafe@1.0:7 transitive jinja2", "silent@1.0:8 ?", "werkzeug@1.0:9 transitive flask"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := drive(t, tree{c.file: []byte(strings.Join(c.lines, "\n"))})
			if diff := cmp.Diff(c.want, told(got.packages)); diff != "" {
				t.Error(diff)
			}
			if len(got.problems)+len(got.failed) > 0 {
				t.Errorf("problems %v, failed %v", got.problems, got.failed)
			}
		})
	}
}

func TestWhatAFileDoesNotSayIsUnknown(t *testing.T) {
	for file, content := range map[string]string{
		"Pipfile.lock": `{"default":{"a":{"version":"==1.0"}}}`,
		"mix.lock":     "%{\n  \"plug\": {:hex, :plug, \"1.0.0\", \"abc\", [:mix], [], \"hexpm\", \"def\"},\n}\n",
	} {
		for _, p := range drive(t, tree{file: []byte(content)}).packages {
			if p.Relation != "" || p.Via != nil {
				t.Errorf("%s: %s is %q via %v", file, p.Name, p.Relation, p.Via)
			}
		}
	}
}

// A package is in several lockfiles: one that names it names it, and one that does not say so leaves it open.
func TestOfSeveralLockfilesTheNearestCounts(t *testing.T) {
	copies := func(relations ...core.Package) core.Package {
		e := core.Evidence{Subjects: []core.Subject{{Kind: core.KindSource, Digest: "sha256:1"}}}
		for i, p := range relations {
			p.Name, p.Version, p.Purl, p.Subject = "a", "1", "pkg:npm/a@1", "sha256:1"
			p.Locations = []core.Location{{Path: fmt.Sprint(i)}}
			e.Packages = append(e.Packages, p)
		}
		Finish(&e)
		if len(e.Packages) != 1 {
			t.Fatalf("%d packages", len(e.Packages))
		}
		return e.Packages[0]
	}
	long := core.Package{Relation: core.RelationTransitive, Via: []string{"x", "y"}, Analyzer: "javascript/packagelockjson"}
	short := core.Package{Relation: core.RelationTransitive, Via: []string{"z"}, Analyzer: "javascript/packagelockjson"}
	direct := core.Package{Relation: core.RelationDirect, Analyzer: "javascript/packagelockjson"}
	open := core.Package{Analyzer: "javascript/yarnlock"}
	installed := core.Package{Analyzer: "javascript/packagejson"}
	for name, c := range map[string]struct {
		copies   []core.Package
		relation core.Relation
		via      string
	}{
		"the shorter chain":    {[]core.Package{long, short}, core.RelationTransitive, "z"},
		"one that names it":    {[]core.Package{short, direct}, core.RelationDirect, ""},
		"one that leaves open": {[]core.Package{short, open}, "", "z"},
		"what is installed":    {[]core.Package{installed, long}, core.RelationTransitive, "x y"},
	} {
		for range 2 {
			if got := copies(c.copies...); got.Relation != c.relation || strings.Join(got.Via, " ") != c.via {
				t.Errorf("%s: %q via %v", name, got.Relation, got.Via)
			}
			slices.Reverse(c.copies)
		}
	}
}

func TestExtractorsThatRelateAreThoseOfTheCatalog(t *testing.T) {
	want := []string{"java/pomxml"} // which has no graph
	for _, e := range catalog() {
		if e.graph != nil {
			want = append(want, e.name)
		}
	}
	got := relating()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// npmChain makes a lockfile of n packages that need one another in a ring, and each some more.
func npmChain(n int) []byte {
	type entry struct {
		Version      string            `json:"version,omitempty"`
		Dependencies map[string]string `json:"dependencies,omitempty"`
	}
	packages := map[string]entry{"": {Dependencies: map[string]string{"p0": "1"}}}
	for i := range n {
		needs := map[string]string{fmt.Sprint("p", (i+1)%n): "1"}
		for k := range 4 {
			needs[fmt.Sprint("p", (i*7+k*31)%n)] = "1"
		}
		packages[fmt.Sprint("node_modules/p", i)] = entry{Version: "1.0.0", Dependencies: needs}
	}
	raw, err := json.MarshalIndent(map[string]any{"lockfileVersion": 3, "packages": packages}, "", " ")
	if err != nil {
		panic(err)
	}
	return raw
}

func TestCyclesAndLongChainsEnd(t *testing.T) {
	var lock bytes.Buffer
	lock.WriteString(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"p0":"1"}}`)
	const n = 500
	for i := range n {
		fmt.Fprintf(&lock, `,"node_modules/p%d":{"version":"1.0.0","dependencies":{"p%d":"1"}}`, i, (i+1)%n)
	}
	lock.WriteString("}}")
	for _, p := range drive(t, tree{"package-lock.json": lock.Bytes()}).packages {
		var i int
		if _, err := fmt.Sscanf(p.Name, "p%d", &i); err != nil {
			t.Fatal(err)
		}
		want := core.RelationTransitive
		if i == 0 {
			want = core.RelationDirect
		}
		links := i
		if links > maxVia {
			links = 0 // longer ones are not told
		}
		if p.Relation != want || len(p.Via) != links {
			t.Errorf("%s is %s via %d", p.Name, p.Relation, len(p.Via))
		}
	}
	g, err := npmGraph(npmChain(300))
	if err != nil {
		t.Fatal(err)
	}
	first := g.search()
	for range 5 {
		if !slices.Equal(first, g.search()) {
			t.Fatal("the search depends on chance")
		}
	}
}

// Thirty times the packages must not take nine hundred times the time. The margin is wide: machines are busy.
func TestGraphsOfManyPackagesAreReadInLinearTime(t *testing.T) {
	took := func(n int) time.Duration {
		raw := npmChain(n)
		best := time.Hour
		for range 3 {
			start := time.Now()
			g, err := npmGraph(raw)
			if err != nil || len(g.nodes) != n+1 {
				t.Fatal(err)
			}
			packages := make([]core.Package, n)
			for i := range packages {
				packages[i] = core.Package{Name: fmt.Sprint("p", i), Version: "1.0.0", Locations: make([]core.Location, 1)}
			}
			g.tell(packages)
			best = min(best, time.Since(start))
		}
		return best
	}
	few, many := took(700), took(21000)
	t.Logf("700 packages: %v, 21,000: %v", few, many)
	if many > 250*few {
		t.Errorf("700 packages take %v, 21,000 take %v", few, many)
	}
}

func BenchmarkNpmGraph(b *testing.B) {
	raw := npmChain(3000)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		g, err := npmGraph(raw)
		if err != nil {
			b.Fatal(err)
		}
		g.search()
	}
}

// TestRealLockfilesAreRelated reads those of the corpus: most must say a lot.
func TestRealLockfilesAreRelated(t *testing.T) {
	root := shared(t, "corpus", "lockfiles")
	type count struct{ all, lines, direct, transitive, via int }
	counts := map[string]*count{}
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, found := range drive(t, tree{filepath.Base(p): content}).packages {
			if !slices.Contains(relating(), found.Analyzer) {
				continue
			}
			c := counts[found.Analyzer]
			if c == nil {
				c = &count{}
				counts[found.Analyzer] = c
			}
			c.all++
			if found.Locations[0].Line > 0 {
				c.lines++
			}
			switch found.Relation {
			case core.RelationDirect:
				c.direct++
			case core.RelationTransitive:
				c.transitive++
			}
			if len(found.Via) > 0 {
				c.via++
			}
			lines := bytes.Split(content, []byte("\n"))
			if n := found.Locations[0].Line; n > len(lines) {
				t.Errorf("%s: %s is in line %d of %d", p, found.Name, n, len(lines))
			} else if n > 0 && found.Analyzer == "javascript/packagelockjson" && !strings.Contains(string(lines[n-1]), `"`) {
				t.Errorf("%s: %s is not in line %d: %s", p, found.Name, n, lines[n-1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range slices.Sorted(maps.Keys(counts)) {
		c := counts[a]
		t.Logf("%-40s %5d packages, %5d with a line, %5d direct, %5d transitive, %5d with a chain", a, c.all, c.lines, c.direct, c.transitive, c.via)
		if c.lines*10 < c.all*9 {
			t.Errorf("%s: only %d of %d packages have a line", a, c.lines, c.all)
		}
		if c.direct == 0 && a != "java/gradlelockfile" {
			t.Errorf("%s: nothing is direct", a)
		}
	}
}

// TestGoSaysTheSame compares go.mod of this repository with what the go command says of it.
func TestGoSaysTheSame(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "mod", "edit", "-json", "../../go.mod").Output()
	if err != nil {
		t.Skip("there is no go command: ", err)
	}
	var file struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	relations := map[string]core.Relation{}
	for _, p := range drive(t, tree{"go.mod": content}).packages {
		relations[p.Name] = p.Relation
	}
	for _, r := range file.Require {
		want := core.RelationDirect
		if r.Indirect {
			want = core.RelationTransitive
		}
		if relations[r.Path] != want {
			t.Errorf("%s is %q", r.Path, relations[r.Path])
		}
	}
}

// fuzzGraph checks of any content that what comes of it is a graph, that the search ends, and that chains begin at what is
// direct.
func fuzzGraph(f *testing.F, read func([]byte) (*graph, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		g, err := read(content)
		if err != nil {
			return
		}
		found := g.search()
		lines := bytes.Count(content, []byte("\n")) + 1
		for i, n := range g.nodes {
			for _, need := range n.needs {
				if need < 0 || need >= len(g.nodes) {
					t.Fatalf("%d needs %d", i, need)
				}
			}
			if n.line < 0 || n.line > lines {
				t.Errorf("%s is in line %d of %d", n.name, n.line, lines)
			}
			if via := g.via(found, i); len(via) > maxVia || n.direct && via != nil {
				t.Errorf("%s via %d", n.name, len(via))
			}
			if n.direct && n.own {
				t.Errorf("%s is the project's and direct", n.name)
			}
		}
	})
}

func FuzzNpmGraph(f *testing.F) {
	fuzzGraph(f, npmGraph, `{"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1"},"w":{},"node_modules/w":{"link":true,"resolved":"w"}}}`,
		`{"dependencies":{"a":{"version":"1","dependencies":{"b":{}}}}}`)
}

func FuzzComposerGraph(f *testing.F) {
	fuzzGraph(f, composerGraph, `{"packages":[{"name":"a/b","version":"1","require":{"c/d":"1"}}],"packages-dev":[{"name":"c/d"}]}`)
}

func FuzzNugetGraph(f *testing.F) {
	fuzzGraph(f, nugetGraph, `{"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1","dependencies":{"b":"1"}},"B":{"type":"Transitive"}}}}`)
}

func FuzzPnpmGraph(f *testing.F) {
	fuzzGraph(f, pnpmGraph, "importers:\n  .:\n    dependencies:\n      a: {version: 1.0.0}\npackages:\n  a@1.0.0: {}\nsnapshots:\n  a@1.0.0: {}\n",
		"dependencies:\n  a: 1.0.0\npackages:\n  /a/1.0.0:\n    dependencies: {a: 1.0.0}\n")
}

func FuzzYarnGraph(f *testing.F) {
	fuzzGraph(f, yarnGraph, "a@^1, b@^2:\n  version \"1\"\n  dependencies:\n    c \"1\"\n", "\"a@workspace:.\":\n  resolution: \"a@workspace:.\"\n")
}

func FuzzTOMLGraphs(f *testing.F) {
	seed := "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = {virtual=\".\"}\ndependencies = [{name=\"b\"}]\n[[package]]\nname = \"b\"\n"
	fuzzGraph(f, func(content []byte) (*graph, error) {
		all := &graph{}
		for _, read := range []func([]byte) (*graph, error){cargoGraph, poetryGraph, uvGraph} {
			g, err := read(content)
			if err != nil {
				return nil, err
			}
			offset := len(all.nodes)
			for _, n := range g.nodes {
				n.needs = slices.Clone(n.needs)
				for i := range n.needs {
					n.needs[i] += offset
				}
				all.nodes = append(all.nodes, n)
			}
		}
		return all, nil
	}, seed, "[[package]]\nname = \"a\"\n[package.dependencies]\na = \"*\"\n")
}

func FuzzGemGraph(f *testing.F) {
	fuzzGraph(f, gemGraph, "GEM\n  specs:\n    a (1)\n      b\n    b (1)\n\nDEPENDENCIES\n  a!\n", "PATH\n  specs:\n    a (1)\n")
}

func FuzzGoGraph(f *testing.F) {
	fuzzGraph(f, goGraph, "module m\nrequire a.org/a v1.0.0 // indirect\nreplace a.org/a => b.org/b v1.0.0\n")
}

func FuzzGradleGraph(f *testing.F) { fuzzGraph(f, gradleGraph, "a:b:1=x\n#\nempty=\n") }

func FuzzRequirementsGraph(f *testing.F) {
	fuzzGraph(f, requirementsGraph, "a==1\n    # via -r x.in\nb==1 # via a\n", "a==1\n    # via\n    #   b\n    #   c\n")
}
