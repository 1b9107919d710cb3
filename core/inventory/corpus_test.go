package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealLockfiles reads every lockfile of the corpus and prints what could not be read, which is looked at by people.
func TestRealLockfiles(t *testing.T) {
	root := shared(t, "corpus", "lockfiles")
	files := make(tree)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		rel, _ := filepath.Rel(root, p)
		files[filepath.ToSlash(rel)] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := drive(t, files)
	for p, err := range got.failed {
		t.Logf("failed %s: %v", p, err)
	}
	for _, p := range got.problems {
		t.Logf("problem %s: %s", p.Path, p.Why)
	}
	counts := map[string]int{}
	unversioned := map[string]int{}
	for _, p := range got.packages {
		counts[p.Analyzer]++
		if p.Version == "" {
			unversioned[p.Analyzer]++
		}
		if !strings.HasPrefix(p.Purl, "pkg:") {
			t.Errorf("%s %s has the package URL %q", p.Analyzer, p.Name, p.Purl)
		}
	}
	for _, a := range sortedKeys(counts) {
		t.Logf("%-45s %5d packages, %d without a version", a, counts[a], unversioned[a])
	}
}
