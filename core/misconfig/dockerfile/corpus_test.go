package dockerfile

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

// TestRealFilesAreRead reads what others build their images by. What each rule finds there was looked at by people; a
// rule that suddenly finds more or less should be looked at again.
func TestRealFilesAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "dockerfiles")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the folder shared is not beside the repository")
	}
	counts := map[string]int{}
	files := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		files++
		rel, _ := filepath.Rel(root, p)
		s := rule.NewSource(rel, text)
		c := rule.NewCollector(s)
		Examine(context.Background(), c, s, nil)
		found := c.Found(func(string) bool { return true })
		for _, f := range found.Findings {
			counts[f.Rule]++
			t.Logf("%s:%d:%d %s %s: %s", rel, f.Locations[0].Line, f.Locations[0].Column, f.Severity, f.Rule, f.Title)
		}
		for _, problem := range found.Problems {
			counts["problem"]++
			t.Logf("%s: %s", rel, problem.Why)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"dockerfile-admin-port":          1,
		"dockerfile-copy-context":        3,
		"dockerfile-latest-base":         18,
		"dockerfile-missing-healthcheck": 8,
		"dockerfile-package-cache":       7,
		"dockerfile-root-user":           67,
		"dockerfile-unpinned-base":       37,
		"dockerfile-world-writable":      2,
		"problem":                        7,
	}
	if files < 70 || !maps.Equal(counts, want) {
		t.Errorf("%d files: %v, want %v", files, counts, want)
	}
}
