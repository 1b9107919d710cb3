package walk

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// writeTree writes files; a name that ends in "*" is executable, and a body "-> x" a link.
func writeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		mode := fs.FileMode(0o644)
		if short, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = short, 0o755
		}
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(p, []byte(body), mode)
		if target, ok := strings.CutPrefix(body, "-> "); ok {
			os.Remove(p)
			err = os.Symlink(target, p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func walkTree(t testing.TB, dir string, o Options) core.Evidence {
	t.Helper()
	e, err := Tree(t.Context(), dir, "src", o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTreeExaminesEveryFileButGit(t *testing.T) {
	dir := writeTree(t, map[string]string{
		"a.pkgs": "a 1", "d/e/b.pkgs": "b 1\nfinding f", ".git/c.pkgs": "c 1",
		"sub/.git": "gitdir: x", ".gitignore": "*.pkgs",
		"link.pkgs": "-> a.pkgs", "dir": "-> d",
		"big": strings.Repeat("x", inMemory+10),
	})
	e := walkTree(t, dir, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}})
	if diff := cmp.Diff([]string{"a@1 a.pkgs", "b@1 d/e/b.pkgs"}, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	s := e.Subjects[0]
	if s.Name != "src" || s.Kind != core.KindSource || e.Packages[0].Subject != s.Digest ||
		e.Findings[0].Subject != s.Digest {
		t.Errorf("subject %+v, packages %+v", s, e.Packages)
	}
	if p := e.Packages[0]; p.Origin != nil || p.Locations[0].Layer != "" || p.Analyzer != "lines" {
		t.Errorf("package %+v", p)
	}
	for _, name := range []string{core.ExamineLayers, core.ExaminePackages} {
		if x := examined(t, e, name, s.Digest, tool); x.Status != core.Complete {
			t.Errorf("%+v", x)
		}
	}
}

// TestTreeDigestIsTheDocumentedOne computes it from the documentation of Tree.
func TestTreeDigestIsTheDocumentedOne(t *testing.T) {
	files := map[string]string{"b": "two", "a/x*": "#!", "a.b": "", "l": "-> b", "é": "name"}
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	want := layertest.DigestOf([]byte(
		"f 3:a.b " + sum("") + "\n" + "x 3:a/x " + sum("#!") + "\n" + "f 1:b " + sum("two") + "\n" +
			"l 1:l " + sum("b") + "\n" +
			"f 2:é " + sum("name") + "\n"))
	digest := func(files map[string]string) core.Digest {
		return walkTree(t, writeTree(t, files), Options{}).Subjects[0].Digest
	}
	if got := digest(files); got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
	for name, change := range map[string]map[string]string{
		"content": {"b": "TWO"}, "name": {"bb": "two"}, "link": {"l": "-> a.b"}, "mode": {"b*": "two"},
	} {
		changed := map[string]string{"a/x*": "#!", "a.b": "", "l": "-> b", "é": "name", "b": "two"}
		for k, v := range change {
			delete(changed, strings.TrimSuffix(k, "*"))
			if k == "bb" {
				delete(changed, "b")
			}
			changed[k] = v
		}
		if digest(changed) == want {
			t.Errorf("another %s gives the same digest", name)
		}
	}
}

func TestTreeRelatedFilesAreTheTree(t *testing.T) {
	dir := writeTree(t, map[string]string{"go.mod": "module m", "go.sum": "sums", "link": "-> go.sum",
		"out": "-> /etc/passwd"})
	look := func(f core.File) []string {
		var all []string
		for _, name := range []string{"go.sum", "link", "out", "missing"} {
			data, err := fs.ReadFile(f.Related, name)
			all = append(all, fmt.Sprintf("%s=%s %v", name, data, err == nil))
		}
		return all
	}
	a := relating{lines{"mod", suffix("go.mod")}, suffixName("go.sum"), look}
	got := summary(walkTree(t, dir, Options{Analyzers: []core.Analyzer{a}}))
	want := []string{"go.sum=sums true@1 go.mod", "link=sums true@1 go.mod", "missing= false@1 go.mod",
		"out= false@1 go.mod"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func suffixName(s string) func(string) bool {
	return func(p string) bool { return strings.HasSuffix(p, s) }
}

func TestTreeSaysWhatItCouldNotRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := writeTree(t, map[string]string{"a": "x", "closed": "y"})
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	e := walkTree(t, dir, Options{Analyzers: []core.Analyzer{lines{"lines", suffix("")}}})
	x := examined(t, e, core.ExamineLayers, e.Subjects[0].Digest, tool)
	if x.Status != core.Partial || !slices.Equal(x.Why, []string{"closed: permission denied"}) {
		t.Errorf("%+v", x)
	}
}

func TestTreeLimitsAreFailedExaminations(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/b/c": "xx", "d": "yy"})
	for _, tc := range []struct {
		name   string
		limits limit.Limits
	}{
		{"entries", limit.Limits{Entries: 1}},
		{"path-length", limit.Limits{PathLength: 4}},
		{"file-size", limit.Limits{FileSize: 1}},
		{"total-size", limit.Limits{TotalSize: 3}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := walkTree(t, dir, Options{Analyzers: []core.Analyzer{lines{"lines", suffix("")}}, Limits: tc.limits})
			x := examined(t, e, core.ExamineLayers, e.Subjects[0].Digest, tool)
			if x.Status != core.Failed || !strings.Contains(x.Why[0], "--limit "+tc.name+"=") {
				t.Errorf("%+v", x)
			}
			if x := examined(t, e, core.ExaminePackages, e.Subjects[0].Digest, tool); x.Status != core.Partial {
				t.Errorf("%+v", x)
			}
		})
	}
}

func TestTreeThatCannotBeOpenedIsAFailure(t *testing.T) {
	_, err := Tree(t.Context(), filepath.Join(t.TempDir(), "missing"), "src", Options{})
	if err == nil || !strings.Contains(err.Error(), "could not open the source tree src") {
		t.Errorf("error = %v", err)
	}
}

func TestTreeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Tree(ctx, writeTree(t, map[string]string{"a": "x"}), "src", Options{}); err != context.Canceled {
		t.Errorf("error = %v", err)
	}
}
