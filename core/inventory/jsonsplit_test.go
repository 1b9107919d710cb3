package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// TestSplittingFindsWhatTheWholeDoes compares, for every real lockfile that is given to its extractor in pieces.
func TestSplittingFindsWhatTheWholeDoes(t *testing.T) {
	root := shared(t, "corpus", "lockfiles")
	compared := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, a := range analyzersNamed(t, "javascript/packagelockjson", "javascript/bunlock", "python/pipfilelock", "php/composerlock") {
			if !a.Wants(d.Name(), memoryInfo{}) {
				continue
			}
			content, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			want, err := extractedWhole(t, innerOf(a), d.Name(), content)
			if err != nil {
				continue // named elsewhere
			}
			if a.Info().Name == "javascript/packagelockjson" { // which takes the older list only if there is no other
				older, err := extractedWhole(t, innerOf(a), d.Name(), bytes.Replace(content, []byte(`"packages":`), []byte(`"newer":`), 1))
				if err != nil {
					return err
				}
				want = append(want, older...)
			}
			var got []string
			all := drive(t, tree{d.Name(): content})
			all.problems = slices.DeleteFunc(all.problems, func(x core.Problem) bool { // a file that was made to lie
				return strings.Contains(x.Why, "npm.registry.invalid") && strings.Contains(x.Why, "than it says")
			})
			for _, p := range all.clean(t).packages {
				if p.Analyzer == a.Info().Name {
					version := p.Version
					if p.Ecosystem == "" {
						version = ""
					}
					got = append(got, fmt.Sprint(p.Name, "@", version, ":", p.Locations[0].Line))
				}
			}
			// Of two members of one name, which one of the files has, the whole keeps the last.
			missing := slices.DeleteFunc(names(want), func(n string) bool { return slices.Contains(names(got), n) })
			if len(missing) > 0 || len(names(got)) > len(names(want))+1 {
				t.Errorf("%s: %d packages of %d, without %v", p, len(names(got)), len(names(want)), missing)
			}
			compared += len(want)
		}
		return nil
	})
	if err != nil || compared < 500 {
		t.Errorf("only %d packages were compared: %v", compared, err)
	}
}

// extractedWhole is what the extractor itself makes of a file: name, version and line of each package.
func extractedWhole(t *testing.T, a *analyzer, name string, content []byte) ([]string, error) {
	whole, err := a.inner.Extract(t.Context(), &filesystem.ScanInput{
		FS: surroundings{}, Path: name, Info: memoryInfo{size: int64(len(content))}, Reader: bytes.NewReader(content),
	})
	var list []string
	for _, p := range whole.Packages {
		if p.Version != "" || p.SourceCode != nil && p.SourceCode.Commit != "" {
			list = append(list, fmt.Sprint(p.Name, "@", p.Version, ":", p.Location.Descriptor.File.LineNumber))
		}
	}
	return list, err
}

// names drops the lines: of copies of a package the extractor keeps any, we keep all.
func names(list []string) []string {
	var all []string
	for _, l := range list {
		name, _, _ := strings.Cut(l, ":")
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestSplittingCountsLines(t *testing.T) {
	lock := "{\n  \"lockfileVersion\": 1,\n  \"dependencies\": {\n    \"a\": {\n      \"version\": \"1.0.0\",\n      \"dependencies\": {\n" +
		"        \"b\": {\"version\": \"2.0.0\"},\n        \"c\": {\n          \"version\": \"3.0.0\"}\n      }\n    },\n    \"d\": {\"version\": \"4.0.0\"}\n  }\n}\n"
	lines := make(map[string]int)
	for _, p := range drive(t, tree{"package-lock.json": []byte(lock)}).clean(t).packages {
		lines[p.Name] = p.Locations[0].Line
	}
	if diff := cmp.Diff(map[string]int{"a": 4, "b": 7, "c": 8, "d": 12}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestForgedLockfilesEnd(t *testing.T) {
	deep := strings.Repeat(`{"dependencies":{"a":`, 5000) + "{}" + strings.Repeat("}}", 5000)
	many := "{\"packages\":{" + strings.TrimSuffix(strings.Repeat("\"node_modules/a\":{\"version\":\"1\"},", 20000), ",") + "}}"
	for name, lock := range map[string]string{"deep": deep, "many": many, "list": "[]", "entries that are none": `{"packages":{"a":5,"b":[]}}`, "container that is none": `{"packages":5}`} {
		got := drive(t, tree{"package-lock.json": []byte(lock)})
		if name != "many" && len(got.problems) == 0 && len(got.failed) == 0 {
			t.Errorf("%s: nothing is said of it", name)
		}
	}
}

func TestLockfileOfMorePackagesThanMayBeKeptIsNamed(t *testing.T) {
	var b strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&b, `{"name":"a/b%d","version":"1"},`, i)
	}
	lock := tree{"composer.lock": []byte(`{"packages":[` + strings.TrimSuffix(b.String(), ",") + "]}")}
	got := driveWith(t, Options{Limits: limit.Limits{KeptSize: 1 << 20}}, lock)
	var exceeded *limit.Exceeded
	if !errors.As(got.failed["composer.lock"], &exceeded) || exceeded.Limit != "kept-size" || len(got.packages) > 0 {
		t.Errorf("%d packages, %v", len(got.packages), got.failed)
	}
	if got := drive(t, lock).clean(t); len(got.packages) != 1100 {
		t.Errorf("%d packages by default", len(got.packages))
	}
}

func TestLockfileOfManyMembersIsRefused(t *testing.T) {
	got := drive(t, tree{"composer.lock": []byte("{" + strings.Repeat(`"a":1,`, maxFields) + `"packages":[]}`)})
	if got.failed["composer.lock"] == nil {
		t.Error("nothing is said of it")
	}
}

func TestProblemsOfAFileAreBounded(t *testing.T) {
	lock := `{"packages":{` + strings.Repeat(`"a":5,`, 500) + `"b":5}}`
	got := drive(t, tree{"package-lock.json": []byte(lock)})
	if n := len(got.problems); n != maxProblems+1 || got.problems[n-1].Why != "481 more problems like these" {
		t.Errorf("%d problems, the last: %v", n, got.problems[n-1])
	}
}

func FuzzNPMLock(f *testing.F) {
	f.Add([]byte(`{"packages":{"node_modules/a":{"version":"1.0.0"}}}`))
	f.Add([]byte(`{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2"}}}}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, p := range drive(t, tree{"package-lock.json": content, "bun.lock": content, "composer.lock": content, "Pipfile.lock": content,
			"node_modules/a/package.json": content}).packages {
			if p.Purl == "" || p.Name == "" || believable("name", p.Name, maxName) != nil {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzJavaArchive(f *testing.F) {
	f.Add(jar(f, pomProperties("a", "b", "1")))
	f.Add(jar(f, map[string]string{"META-INF/MANIFEST.MF": "Implementation-Title: a\n", "x.jar": string(jar(f, pomProperties("c", "d", "2")))}))
	f.Fuzz(func(t *testing.T, content []byte) {
		drive(t, tree{"a.jar": content, "b.whl": content, "c.gem": content})
	})
}

// FuzzEverything gives any bytes to every analyzer under the name of a file that it wants.
func FuzzEverything(f *testing.F) {
	for _, seed := range []string{"null", "{}", "[]", "a: b\n", "a==1\n", "<x/>", "PK\x03\x04", "\x7fELF", "[[package]]\nname = \"a\"\nversion = \"1\"\n"} {
		f.Add([]byte(seed))
	}
	paths := samplePathsFor(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		files := make(tree)
		for _, p := range paths {
			files[p] = content
		}
		drive(t, files)
	})
}

// samplePathsFor is one path for each analyzer.
func samplePathsFor(t testing.TB) []string {
	t.Helper()
	analyzers, err := Analyzers(Options{})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]bool)
	var paths []string
	for _, p := range listedPaths() {
		for _, a := range analyzers {
			if name := a.Info().Name; !taken[name] && a.Wants(p, memoryInfo{name: path.Base(p), size: 1 << 20, mode: 0o755}) {
				taken[name] = true
				paths = append(paths, p)
			}
		}
	}
	for _, a := range analyzers {
		if !taken[a.Info().Name] {
			t.Errorf("%s has no sample path", a.Info().Name)
		}
	}
	return slices.Compact(paths)
}
