package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMembersInAnotherCaseAreNamed is for lockfiles that say one thing to their package manager and another to Go.
func TestMembersInAnotherCaseAreNamed(t *testing.T) {
	for p, content := range map[string]string{
		"a/package-lock.json": `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"3.4.1","Version":"99.0.0"}}}`,
		"b/package-lock.json": `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"3.4.1","Link":true}}}`,
		"c/package-lock.json": `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"3.4.1","Name":"b"}}}`,
		"d/package-lock.json": "\xef\xbb\xbf" + `{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"1.0.0","ver\u017Fion":"2.0.0"}}}}}`,
		"npm-shrinkwrap.json": `{"lockfileVersion":3,"Packages":{},"packages":{"node_modules/a":{"version":"3.4.1"}}}`,
		"Pipfile.lock":        `{"default":{"a":{"version":"==1.0.0","VERSION":"==9.0.0"}}}`,
		"composer.lock":       `{"packages":[{"name":"a/b","version":"1.0.0","Version":"9.0.0"}]}`,
		"conda-meta/a.json":   `{"name":"a","version":"1.0.0","Version":"9.0.0"}`,
		"a.deps.json":         `{"runtimeTarget":{"name":"x"},"libraries":{"A/1.0.0":{"type":"package","TYPE":"project"}}}`,
		"packages.lock.json":  `{"version":1,"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1.0.0","Resolved":"9.0.0"}}}}`,
		"project.assets.json": `{"targets":{},"libraries":{"A/1.0.0":{"type":"package","Type":"project"}}}`,
		"conan.lock":          `{"version":"0.5","requires":["a/1.0.0"],"Requires":[]}`,
		"package_config.json": `{"configVersion":2,"packages":[{"name":"a","rootUri":"file:///a-1.0.0","Name":"b"}]}`,
		"renv.lock":           `{"Packages":{"a":{"Package":"a","Version":"1","Source":"Repository","Repository":"CRAN","version":"9"}}}`,
		"Package.resolved":    `{"pins":[{"identity":"a","location":"https://x.org/a","state":{"version":"1.0.0","Version":"9.0.0"}}],"version":2}`,
		"x/.spack/spec.json":  `{"spec":{"nodes":[{"name":"a","version":"1.0.0","Version":"9.0.0"}]}}`,
	} {
		if got := drive(t, tree{p: []byte(content)}); len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, "only in case") {
			t.Errorf("%s: %v %v", p, got.problems, got.failed)
		}
	}
}

func TestMembersThatAreThereTwiceAreNamed(t *testing.T) {
	for p, content := range map[string]string{
		"a/package-lock.json": `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"3.4.1","version":"99.0.0"}}}`,
		"b/package-lock.json": `{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"3.4.1"}},"packages":{}}`,
		"bun.lock":            `{"packages":{"a":["a@1.0.0","",{},""]},/* more */"packages":{},}`,
		"Pipfile.lock":        `{"default":{"a":{"version":"==1.0.0","hashes":[],"version":"==9.0.0"}}}`,
		"composer.lock":       `{"packages":[{"name":"a/b","version":"1.0.0","name":"b/b"}]}`,
		"conda-meta/a.json":   `{"name":"a","version":"1.0.0","version":"9.0.0"}`,
	} {
		if got := drive(t, tree{p: []byte(content)}); len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, "twice") {
			t.Errorf("%s: %v %v", p, got.problems, got.failed)
		}
	}
}

func TestWhatFollowsADocumentIsNamed(t *testing.T) {
	for _, p := range []string{
		"package-lock.json", "npm-shrinkwrap.json", "bun.lock", "Pipfile.lock", "composer.lock", "conda-meta/a.json", "a.deps.json",
		"packages.lock.json", "project.assets.json", "conan.lock", "package_config.json", "renv.lock", "Package.resolved",
		"x/.spack/spec.json", "etc/cos-package-info.json", "node_modules/a/package.json",
	} {
		for _, rest := range []string{`{"packages":{}}`, "x", "\x00", "}"} {
			got := drive(t, tree{p: []byte("{}\n" + rest)})
			if len(got.problems) == 0 && got.failed[p] == nil {
				t.Errorf("%s: nothing is said of %q", p, rest)
			}
		}
	}
}

// TestNamesOfOthersMayBeInAnyCase is for maps by the names of packages, and for settings that we do not read, which may
// be there twice as well.
func TestNamesOfOthersMayBeInAnyCase(t *testing.T) {
	drive(t, tree{
		"package-lock.json": []byte(`{"lockfileVersion":3,"packages":{"node_modules/JSONStream":{"version":"1.0.0"},"node_modules/jsonstream":{"version":"1.0.0","dependencies":{"JSONStream":"1"}}}}`),
		"composer.lock":     []byte(`{"packages":[{"name":"a/b","version":"1.0.0","extra":{"laravel":{"aliases":{"Version":"A","Name":"B"}}}}]}`),
		"a.deps.json":       []byte(`{"runtimeTarget":{"name":"x"},"targets":{"net":{"A/1.0.0":{"dependencies":{"Type":"1.0.0"}}}},"libraries":{"A/1.0.0":{"type":"package"}}}`),
		"conda-meta/a.json": []byte(`{"name":"a","version":"1.0.0","build":"1","build":"1"}` + "\n\n"),
	}).clean(t)
}

// TestNpmReadsExactNames also holds that npm installs what has the marks of other kinds of package.
func TestNpmReadsExactNames(t *testing.T) {
	for name, content := range map[string]string{
		"version in another case":  `{"name":"a","version":"1.0.0","VERSION":"99.0.0"}`,
		"name in another case":     `{"name":"a","version":"1.0.0","Name":"b"}`,
		"fold of another alphabet": `{"name":"a","version":"1.0.0","ver\u017fion":"99.0.0"}`,
		"for an editor":            `{"name":"a","version":"1.0.0","engines":{"vscode":"*"}}`,
		"that contributes":         `{"name":"a","version":"1.0.0","contributes":{}}`,
		"for Unity":                `{"name":"a","version":"1.0.0","unity":"2020"}`,
	} {
		got := drive(t, tree{"app/node_modules/a/package.json": []byte(content)}).clean(t)
		if diff := cmp.Diff([]string{"pkg:npm/a@1.0.0"}, purls(got.packages)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := drive(t, tree{"a/package.json": []byte(`{"name":"a","VERSION":"9.0.0"}`)}); len(got.packages) > 0 {
		t.Errorf("%v", got.packages)
	}
}

func TestDownloadWithoutAVersionIsNamed(t *testing.T) {
	content := `{"lockfileVersion":3,"packages":{"node_modules/a":{"resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz"}}}`
	got := drive(t, tree{"package-lock.json": []byte(content)})
	if len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, "has no version") {
		t.Errorf("%v", got.problems)
	}
	drive(t, tree{"package-lock.json": []byte(`{"lockfileVersion":1,"dependencies":{"a":{"version":"file:../a"}}}`)}).clean(t)
}

// npm installs what an entry leads to, whatever the entry calls it.
func TestADownloadOfSomethingElseIsNamed(t *testing.T) {
	const registry = "https://registry.npmjs.org/"
	for _, tc := range []struct{ name, path, entry, address string }{
		{"another version", "a", `"version":"99.0.0"`, registry + "a/-/a-1.0.0.tgz"},
		{"another package", "a", `"version":"1.0.0"`, registry + "b/-/b-1.0.0.tgz"},
		{"another package's file", "a", `"version":"1.0.0"`, registry + "a/-/b-1.0.0.tgz"},
		{"the file of another package", "a", `"version":"1.0.0"`, registry + "b/-/a-1.0.0.tgz"},
		{"another scope", "@s/a", `"version":"1.0.0"`, registry + "@t/a/-/a-1.0.0.tgz"},
		{"an alias of something else", "x", `"name":"a","version":"1.0.0"`, registry + "b/-/b-1.0.0.tgz"},
		{"escaped", "a", `"version":"1.0.0"`, registry + "%62/-/b-1.0.0.tgz"},
		{"with a query", "a", `"version":"1.0.0"`, registry + "b/-/b-1.0.0.tgz?a-1.0.0.tgz"},
	} {
		content := fmt.Sprintf(`{"lockfileVersion":3,"packages":{"node_modules/%s":{%s,"resolved":%q}}}`, tc.path, tc.entry, tc.address)
		got := drive(t, tree{"package-lock.json": []byte(content)})
		if len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, "another package or version than it says") {
			t.Errorf("%s: %v", tc.name, got.problems)
		}
	}
	for _, content := range []string{
		`{"lockfileVersion":3,"packages":{
			"node_modules/a":{"version":"1.0.0","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz"},
			"node_modules/@s/b":{"version":"1.0.0-rc.1+7","resolved":"https://npm.example.org/api/npm/all/@s%2fb/-/b-1.0.0-rc.1.tgz"},
			"node_modules/x":{"name":"c","version":"1.0.0","resolved":"https://registry.npmjs.org/c/-/c-1.0.0.tgz#abc"},
			"node_modules/d":{"version":"1.0.0","resolved":"https://gitlab.com/o/d/-/archive/v1/d-v1.tgz"},
			"node_modules/e":{"version":"1.0.0","resolved":"https://example.org/download/anything.tgz"}}}`,
		`{"lockfileVersion":1,"dependencies":{"x":{"version":"npm:a@1.0.0","resolved":"https://registry.npmjs.org/a/-/a-1.0.0.tgz",
			"dependencies":{"b":{"version":"2.0.0","resolved":"https://registry.npmjs.org/b/-/b-2.0.0.tgz"}}}}}`,
	} {
		drive(t, tree{"package-lock.json": []byte(content)}).clean(t)
	}
}
