package revision

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// FuzzTree checks that whatever a tree holds, its names are names of files in it.
func FuzzTree(f *testing.F) {
	f.Add([]byte("100644 file\x0001234567890123456789"))
	f.Add([]byte("40000 dir\x0001234567890123456789120000 link\x0001234567890123456789"))
	f.Add([]byte("100644 ..\x0001234567890123456789"))
	f.Add([]byte("100644 a/b\x0001234567890123456789"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir, err := parseTree(raw, limit.NewCounter("entries", 100, "entries", ""))
		if err != nil {
			return
		}
		for _, e := range dir {
			if e.name != path.Base(e.name) || e.name == "." || e.name == ".." {
				t.Errorf("a file is named %q", e.name)
			}
		}
	})
}

// FuzzCommit checks that a commit is read only if it names a tree first.
func FuzzCommit(f *testing.F) {
	tree, parent := "tree "+strings.Repeat("a", 40)+"\n", "parent "+strings.Repeat("b", 40)+"\n"
	f.Add([]byte(tree + parent + "author x\n\nmessage\n"))
	f.Add([]byte(parent + tree))
	f.Add([]byte(tree + "author A <a@b> 1700000000 +0100\ncommitter B <> -5 x\n\n"))
	f.Add([]byte(tree + "author A > 99999999999999999999\ncommitter\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := parseCommit(raw); err == nil && (c.tree.IsZero() || !strings.HasPrefix(string(raw), "tree ")) {
			t.Errorf("%q was read as %+v", raw, c)
		}
		c, _ := parseCommit(raw)
		for _, at := range []int64{c.authored, c.committed} {
			if _, err := time.Unix(at, 0).UTC().MarshalText(); err != nil {
				t.Errorf("%q has a time that nobody can write: %v", raw, err)
			}
		}
	})
}

// FuzzRevision checks that no name of a revision leads to a file outside of the references.
func FuzzRevision(f *testing.F) {
	for _, s := range []string{"HEAD~2^", "origin/main", "../x", "a/../b", "HEAD^2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		start, back, err := splitRevision(name)
		if err != nil {
			return
		}
		if path.Clean("refs/"+start) != "refs/"+start || back < 0 || back > maxSteps || !strings.HasPrefix(name, start) {
			t.Errorf("%q is %q and %d back", name, start, back)
		}
	})
}
