package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInstalledNodePackageNeedsNoNameOrVersion follows Node, which finds packages by their directories.
func TestInstalledNodePackageNeedsNoNameOrVersion(t *testing.T) {
	for _, c := range []struct {
		path, content string
		want          []string
	}{
		{"app/node_modules/jquery/package.json", `{"name":"jquery"}`, []string{"pkg:npm/jquery"}},
		{"app/node_modules/jquery/package.json", `{"version":"3.4.1"}`, []string{"pkg:npm/jquery@3.4.1"}},
		{"app/node_modules/jquery/package.json", `{"name":5,"version":{}}`, []string{"pkg:npm/jquery"}},
		{"app/node_modules/alias/package.json", `{"name":"jquery"}`, []string{"pkg:npm/jquery"}},
		{"node_modules/@a/b/package.json", `{}`, []string{"pkg:npm/%40a/b"}},
		{"node_modules/a/node_modules/b/package.json", `{}`, []string{"pkg:npm/b"}},
		{"node_modules/.pnpm/b@1.0.0/node_modules/b/package.json", `{}`, []string{"pkg:npm/b"}},
		{"node_modules/a/dist/esm/package.json", `{"type":"module"}`, nil},
		{"node_modules/a/test/node_modules/b/package.json", `{"name":"b"}`, nil},
		{"node_modules/package.json", `{"name":"b"}`, nil},
		{"node_modules/@a/package.json", `{"name":"b"}`, nil},
		{"node_modules/.cache/package.json", `{"name":"b"}`, nil},
		{"srv/package.json", `{"name":"b"}`, nil},
	} {
		got := drive(t, tree{c.path: []byte(c.content)}).clean(t)
		if diff := cmp.Diff(c.want, purls(got.packages)); diff != "" && len(c.want)+len(got.packages) > 0 {
			t.Errorf("%s %s: %s", c.path, c.content, diff)
		}
	}
}

func TestInstalledPackageWithoutAVersionDoesNotYieldToAnother(t *testing.T) {
	e := drive(t, tree{
		"node_modules/jquery/package.json":   []byte(`{"name":"jquery"}`),
		"x/node_modules/jquery/package.json": []byte(`{"name":"jquery","version":"3.7.1"}`),
	}).clean(t).evidence(2)
	if diff := cmp.Diff([]string{"pkg:npm/jquery", "pkg:npm/jquery@3.7.1"}, purls(e.Packages)); diff != "" {
		t.Error(diff)
	}
}

func TestTwoVersionsInOneManifestAreNamed(t *testing.T) {
	for content, problem := range map[string]bool{
		`{"name":"a","version":"1.0.0","version":"9.0.0"}`:                 true,
		`{"name":"a","version":"1.0.0","name":"b"}`:                        true,
		`{"name":"a","version":"1.0.0","version":"1.0.0"}`:                 false,
		`{"name":"a","version":"1.0.0","license":"MIT","license":"ISC"}`:   false,
		`{"name":"a","version":"1.0.0","engines":{"name":"b","name":"c"}}`: false,
	} {
		for _, p := range []string{"node_modules/a/package.json", "srv/package.json"} {
			got := drive(t, tree{p: []byte(content)})
			if problem != (len(got.problems) == 1 && strings.Contains(got.problems[0].Why, "twice")) {
				t.Errorf("%s: %v", content, got.problems)
			}
		}
	}
}

// TestBothListsOfANpmLockAreRead is for the list that npm reads from version 7 on, and the one that it read before.
func TestBothListsOfANpmLockAreRead(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	for name, c := range map[string]struct {
		lock string
		want []string
	}{
		"the same": {`{"lockfileVersion":2,"packages":{"":{"name":"app"},"node_modules/a":{"version":"1.0.0"},
			"node_modules/a/node_modules/b":{"version":"1.0.0"},"own":{"name":"own"},"node_modules/own":{"link":true,"resolved":"own"}},
			"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"1.0.0"}}},"own":{"version":"file:own"}}}`,
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"}},
		"the same under another name": {`{"lockfileVersion":2,"packages":{"node_modules/x":{"name":"a","version":"1.0.0"}},
			"dependencies":{"x":{"version":"npm:a@1.0.0"}}}`, []string{"pkg:npm/a@1.0.0"}},
		"the same from a repository": {`{"lockfileVersion":2,"packages":{"node_modules/a":{"version":"1.0.0","resolved":"git+ssh://git@github.com/o/a.git#` + commit + `"}},
			"dependencies":{"a":{"version":"git+ssh://git@github.com/o/a.git#` + commit + `","from":"a@github:o/a"}}}`,
			[]string{"pkg:npm/a@1.0.0?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Fo%2Fa%40" + commit}},
		"another version": {`{"lockfileVersion":2,"packages":{"node_modules/a":{"version":"2.0.0"}},"dependencies":{"a":{"version":"1.0.0"}}}`,
			[]string{"pkg:npm/a@1.0.0", "pkg:npm/a@2.0.0"}},
		"one in the older list only": {`{"dependencies":{"a":{"version":"1.0.0"}},"lockfileVersion":2,"packages":{"":{}}}`,
			[]string{"pkg:npm/a@1.0.0"}},
		"an empty newer list": {`{"lockfileVersion":3,"packages":{},"dependencies":{"a":{"version":"1.0.0"}}}`,
			[]string{"pkg:npm/a@1.0.0"}},
	} {
		got := drive(t, tree{"package-lock.json": []byte(c.lock)}).clean(t)
		if diff := cmp.Diff(c.want, purls(got.packages)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	got := drive(t, tree{"package-lock.json": []byte(`{"packages":{"node_modules/a":{"version":"1.0.0","dev":true}},
		"dependencies":{"a":{"version":"1.0.0"}}}`)}).clean(t).evidence(1)
	if len(got.Packages) != 1 || got.Packages[0].Scope != "" {
		t.Errorf("one list says that it is for development only: %+v", got.Packages)
	}
}

func TestAShrinkwrapThatLocksNothingHidesNoLockfile(t *testing.T) {
	lock := []byte(`{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}`)
	for shrinkwrap, want := range map[string][]string{
		`{"packages":{"node_modules/b":{"version":"1.0.0"}}}`: {"pkg:npm/b@1.0.0"},
		`{"dependencies":{"b":{"version":"1.0.0"}}}`:          {"pkg:npm/b@1.0.0"},
		`{"lockfileVersion":3,"packages":{}}`:                 {"pkg:npm/a@1.0.0"},
		`{"packages":{"":{"name":"app","version":"1.0.0"}}}`:  {"pkg:npm/a@1.0.0"},
		`{"lockfileVersion":1}`:                               {"pkg:npm/a@1.0.0"},
		`{}`:                                                  {"pkg:npm/a@1.0.0"},
		``:                                                    {"pkg:npm/a@1.0.0"},
		`nonsense`:                                            {"pkg:npm/a@1.0.0"},
	} {
		got := drive(t, tree{"package-lock.json": lock, "npm-shrinkwrap.json": []byte(shrinkwrap)})
		if diff := cmp.Diff(want, purls(got.packages)); diff != "" {
			t.Errorf("%q: %s", shrinkwrap, diff)
		}
		if unread := !strings.HasPrefix(shrinkwrap, "{"); unread != (got.failed["npm-shrinkwrap.json"] != nil) {
			t.Errorf("%q: %v", shrinkwrap, got.failed)
		}
	}
	got := drive(t, tree{"package-lock.json": lock, "npm-shrinkwrap.json/x": nil}).clean(t)
	if len(got.packages) != 1 {
		t.Errorf("a directory of that name: %v", purls(got.packages))
	}
}
