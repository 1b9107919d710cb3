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
