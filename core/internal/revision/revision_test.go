package revision_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

func open(t *testing.T, dir string) *revision.Repository {
	t.Helper()
	place, err := revision.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := place.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func tree(t *testing.T, dir, rev string) *revision.Tree {
	t.Helper()
	tr, err := open(t, dir).Tree(rev, limit.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func wantFile(t *testing.T, tr fs.FS, name, want string) {
	t.Helper()
	raw, err := fs.ReadFile(tr, name)
	if err != nil || string(raw) != want {
		t.Errorf("%s is %q, %v; want %q", name, raw, err, want)
	}
}

func link(t *testing.T, r *gittest.Repository, name, target string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(r.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

// sample has an older commit, whose files the later one changes, adds to and removes.
func sample(t *testing.T) (r *gittest.Repository, base, head string) {
	r = gittest.New(t)
	link(t, r, "link", "dir/sub/file")
	link(t, r, "dirlink", "dir/../dir/sub")
	base = r.Commit(t, map[string]string{"file": "base\n", "gone": "here\n", "dir/sub/file": "deep\n", "long": strings.Repeat("x\n", 9000)})
	head = r.Commit(t, map[string]string{"file": "head\n", "gone": "", "new": "new\n", "long": strings.Repeat("x\n", 9001)})
	return r, base, head
}

func TestACommitIsReadAsItWasWhateverTheCheckoutSays(t *testing.T) {
	r, base, _ := sample(t)
	for name, prepare := range map[string]func(){
		"loose objects": func() {},
		"packed":        func() { r.Git(t, "gc", "--quiet", "--aggressive", "--prune=now") },
	} {
		prepare()
		t.Run(name, func(t *testing.T) {
			tr := tree(t, filepath.Join(r.Dir, "dir", "sub"), base)
			wantFile(t, tr, "file", "base\n")
			wantFile(t, tr, "gone", "here\n")
			wantFile(t, tr, "link", "deep\n")
			wantFile(t, tr, "dirlink/file", "deep\n")
			wantFile(t, tr, "long", strings.Repeat("x\n", 9000))
			if _, err := fs.ReadFile(tr, "new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that came later: %v", err)
			}
			if err := fstest.TestFS(tr, "file", "gone", "dir/sub/file", "long"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARevisionIsFoundByAnyOfItsNames(t *testing.T) {
	r, base, head := sample(t)
	r.Git(t, "tag", "--annotate", "--message=x", "v1", base)
	r.Git(t, "branch", "feature/x", base)
	clone := r.Clone(t)
	clone.Git(t, "pack-refs", "--all")
	for _, dir := range []string{r.Dir, clone.Dir} {
		repository := open(t, dir)
		names := map[string]string{base: base, head: head, base[:9]: base, "HEAD": head, "main": head, "refs/heads/main": head,
			"v1": base, "tags/v1": base, "HEAD~1": base, "HEAD^": base, "main~": base, "main^1~0": base}
		if dir == clone.Dir {
			names["origin/main"], names["origin"], names["origin/feature/x"] = head, head, base
		}
		for name, want := range names {
			if got, err := repository.Resolve(name); err != nil || got != want {
				t.Errorf("%s is %s, %v; want %s", name, got, err, want)
			}
		}
		for _, name := range []string{"", "HEAD~99", "HEAD^2", "HEAD^{tree}", "HEAD~x", "-n", "../../x", "a..b", "main@{1}", "/etc/passwd",
			"heads/../../config", strings.Repeat("a", 64), strings.Repeat("~", 3), "x" + strings.Repeat("y", 2000), "HEAD~99999999999999999999", "\x00"} {
			if got, err := repository.Resolve(name); err == nil {
				t.Errorf("%q is %s", name, got)
			}
		}
		for _, name := range []string{"absent", strings.Repeat("a", 40), "1234567", "config"} {
			var missing *revision.Missing
			if got, err := repository.Resolve(name); !errors.As(err, &missing) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q is %s, %v", name, got, err)
			}
		}
	}
}

func TestWorktreesSubmodulesAndSharedObjectsAreRepositoriesToo(t *testing.T) {
	r, base, _ := sample(t)
	worktree := filepath.Join(t.TempDir(), "worktree")
	r.Git(t, "worktree", "add", "--quiet", worktree, base)
	shared := &gittest.Repository{Dir: filepath.Join(t.TempDir(), "shared")}
	r.Git(t, "clone", "--quiet", "--shared", r.Dir, shared.Dir)
	again := &gittest.Repository{Dir: filepath.Join(t.TempDir(), "again")}
	shared.Git(t, "clone", "--quiet", "--shared", shared.Dir, again.Dir)
	outer := gittest.New(t)
	outer.Git(t, "submodule", "--quiet", "add", r.Dir, "inner")
	outerHead := outer.Commit(t, map[string]string{"of-outer": "x\n"})
	for name, dir := range map[string]string{"worktree": worktree, "shared": shared.Dir, "shared twice": again.Dir,
		"submodule": filepath.Join(outer.Dir, "inner")} {
		t.Run(name, func(t *testing.T) {
			wantFile(t, tree(t, dir, base), "file", "base\n")
		})
	}
	if got, err := open(t, worktree).Resolve("HEAD"); err != nil || got != base {
		t.Errorf("HEAD of the worktree is %s, %v", got, err)
	}
	_, err := fs.ReadFile(tree(t, outer.Dir, outerHead), "inner/file")
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "submodule") {
		t.Errorf("a file of a submodule: %v", err)
	}
}

func TestWhatACloneLeftOutIsMissingAndNotAbsent(t *testing.T) {
	r, base, head := sample(t)
	r.Git(t, "config", "uploadpack.allowFilter", "true")
	shallow := open(t, r.Clone(t, "--depth=1").Dir)
	_, err := shallow.Tree(base, limit.Limits{})
	var missing *revision.Missing
	if !errors.As(err, &missing) || !missing.Shallow || !strings.Contains(err.Error(), "shallow") {
		t.Errorf("the base of a shallow clone: %v", err)
	}
	if tr, err := shallow.Tree(head, limit.Limits{}); err != nil {
		t.Error(err)
	} else {
		wantFile(t, tr, "file", "head\n")
	}
	partial, err := open(t, r.Clone(t, "--filter=blob:none", "--no-checkout").Dir).Tree(base, limit.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(partial, "file"); !errors.As(err, &missing) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of a partial clone: %v", err)
	}
	if _, err := fs.ReadFile(partial, "absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the commit does not have: %v", err)
	}
}

// Git stores a file as pieces of another one, in any order. The stream of such a file is wrong in go-git 5.19.2.
func TestAFileOfPiecesInAnotherOrderIsRead(t *testing.T) {
	r := gittest.New(t)
	block := func(n int) string {
		var b strings.Builder
		for i := range 200 {
			fmt.Fprintf(&b, "%x\n", sha256.Sum256([]byte{byte(n), byte(i)}))
		}
		return b.String()
	}
	versions := []string{block(2) + block(1) + block(7) + block(3),
		block(1) + block(2) + block(3) + block(4) + block(5) + block(6) + block(7) + block(8)}
	var commits []string
	for _, v := range versions {
		commits = append(commits, r.Commit(t, map[string]string{"file": v}))
	}
	r.Git(t, "gc", "--quiet", "--aggressive", "--prune=now")
	if list := r.Git(t, "verify-pack", "-v", packOf(t, r)); !strings.Contains(list, "chain length") {
		t.Fatalf("nothing is stored as pieces:\n%s", list)
	}
	for i, c := range commits {
		wantFile(t, tree(t, r.Dir, c), "file", versions[i])
	}
}

func packOf(t *testing.T, r *gittest.Repository) string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(r.Dir, ".git", "objects", "pack", "*.idx"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs %v, %v", packs, err)
	}
	return packs[0]
}

func TestAnObjectThatSomebodyForgedIsNotBelieved(t *testing.T) {
	r, base, _ := sample(t)
	forged := r.Git(t, "hash-object", "-w", "new")
	blob := r.Git(t, "rev-parse", base+":file")
	place := func(h string) string { return filepath.Join(r.Dir, ".git", "objects", h[:2], h[2:]) }
	raw, err := os.ReadFile(place(forged))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(place(blob)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(place(blob), raw, 0o444); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(tree(t, r.Dir, base), "file"); err == nil || !strings.Contains(err.Error(), "hash") {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestLinksDoNotLeadOutOfTheCommit(t *testing.T) {
	r := gittest.New(t)
	for name, target := range map[string]string{"absolute": "/etc/passwd", "up": "../secret", "round": "round", "far": "dir/../../x",
		"into": "dir/link", "dangling": "nothing"} {
		link(t, r, name, target)
	}
	if err := os.Mkdir(filepath.Join(r.Dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	link(t, r, "dir/link", "../file")
	tr := tree(t, r.Dir, r.Commit(t, map[string]string{"file": "x\n"}))
	wantFile(t, tr, "into", "x\n")
	for name, want := range map[string]error{"absolute": revision.ErrOutside, "up": revision.ErrOutside, "far": revision.ErrOutside,
		"round": nil, "dangling": fs.ErrNotExist, "file/x": fs.ErrNotExist} {
		if _, err := fs.ReadFile(tr, name); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	for _, name := range []string{"../file", "/file", "dir/../file", ""} {
		if _, err := fs.ReadFile(tr, name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatIsReadIsBounded(t *testing.T) {
	r, base, _ := sample(t)
	var exceeded *limit.Exceeded
	if _, err := open(t, r.Dir).Tree(base, limit.Limits{Entries: 3}); !errors.As(err, &exceeded) || exceeded.Limit != "entries" {
		t.Errorf("entries: %v", err)
	}
	tr := tree(t, r.Dir, base)
	if _, err := tr.Read("long", 100); !errors.As(err, &exceeded) || exceeded.Max != 100 {
		t.Errorf("size: %v", err)
	}
	short, err := open(t, r.Dir).Tree(base, limit.Limits{PathLength: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(short, "dir/sub/file"); !errors.As(err, &exceeded) || exceeded.Limit != "path-length" {
		t.Errorf("path: %v", err)
	}
}

func TestADirectoryWithoutARepositorySaysSo(t *testing.T) {
	dir := t.TempDir()
	if _, err := revision.Find(dir); !errors.Is(err, revision.ErrNoRepository) {
		t.Errorf("no repository: %v", err)
	}
	for name, content := range map[string]string{"empty": "", "nowhere": "gitdir: nowhere\n", "no word": "something"} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, ".git"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if p, err := revision.Find(sub); err == nil {
			t.Errorf("%s: found %+v", name, p)
		}
	}
}

func TestARepositoryOfAnotherHashSaysSo(t *testing.T) {
	r := &gittest.Repository{Dir: t.TempDir()}
	r.Git(t, "init", "--quiet", "--object-format=sha256")
	place, err := revision.Find(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := place.Open(); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("opened: %v", err)
	}
}

func TestManyReadersAtOnceSeeTheSame(t *testing.T) {
	r, base, _ := sample(t)
	tr := tree(t, r.Dir, base)
	errs := make(chan error)
	for range 8 {
		go func() {
			f, err := tr.Open("dir/sub/file")
			if err == nil {
				var raw []byte
				if raw, err = io.ReadAll(f); string(raw) != "deep\n" {
					err = fmt.Errorf("read %q, %v", raw, err)
				}
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
