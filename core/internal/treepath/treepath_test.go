package treepath

import (
	"path"
	"strings"
	"testing"
)

func TestPathsAreRelativeToTheTree(t *testing.T) {
	roots := Roots{}.With("/work/app").With("file:///C:/src/app/").With("/").With("relative").With("https://example.org/x")
	if len(roots) != 2 {
		t.Fatalf("roots: %q", roots)
	}
	for in, want := range map[string]string{
		"src/a.go":                       "src/a.go",
		"./src//a.go":                    "src/a.go",
		"src/../b.go":                    "b.go",
		"/work/app/src/a.go":             "src/a.go",
		"/work/application/a.go":         "outside:work/application/a.go",
		"/etc/passwd":                    "outside:etc/passwd",
		"../../etc/passwd":               "outside:etc/passwd",
		"src/../../x":                    "outside:x",
		"..":                             "outside:",
		".":                              "",
		"":                               "",
		`src\win\a.cs`:                   "src/win/a.cs",
		`C:\src\app\a.cs`:                "a.cs",
		`c:\SRC\app\lib\a.cs`:            "lib/a.cs",
		`D:\other\a.cs`:                  "outside:D:/other/a.cs",
		`..\..\x`:                        "outside:x",
		"file:///work/app/a%20b.go":      "a b.go",
		"file:/work/app/a.go":            "a.go",
		"FILE:///work/app/a.go":          "a.go",
		"file://localhost/work/app/a.go": "a.go",
		"file://server/share/a.go":       "outside:file://server/share/a.go",
		"file:///C:/src/app/a.cs":        "a.cs",
		"file://C:/src/app/a.cs":         "a.cs",
	} {
		if got := roots.Path(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"src/a%2Fb.go":           "src/a/b.go",
		"src/%2e%2e/%2e%2e/x":    "outside:x",
		"100%.txt":               "100%.txt",
		"a%C3%A9.go":             "aé.go",
		"https://example.org/a":  "outside:https://example.org/a",
		"src/what?.go":           "src/what?.go",
		"file:///work/app/../..": "outside:",
	} {
		if got := roots.URI(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := roots.Path(strings.Repeat("é", 5000)); len(got) > maxLength {
		t.Errorf("%d bytes", len(got))
	}
}

func TestTheInnermostRootHolds(t *testing.T) {
	if got := (Roots{}).With("/work").With("/work/app").Path("/work/app/a.go"); got != "a.go" {
		t.Error(got)
	}
}

// FuzzURI checks that no reference leads out of the tree.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "file:///work/app/x", `C:\x`, "%2e%2e/x", "a/..%2f../b", "file://C:",
		"://", "file:"} {
		f.Add(s)
	}
	roots := Roots{}.With("/work/app")
	f.Fuzz(func(t *testing.T, uri string) {
		for _, p := range []string{roots.URI(uri), roots.Path(uri)} {
			if path.IsAbs(p) || strings.HasPrefix(path.Join("root", p)+"/", "root/") == false || strings.HasPrefix(p,
				"../") {
				t.Errorf("%q gives %q", uri, p)
			}
		}
		roots.With(uri)
	})
}
