package revision_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/revision"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

func history(t *testing.T, r *revision.Repository, head, without string) *revision.History {
	t.Helper()
	h, err := r.History(t.Context(), head, without, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func names(h *revision.History) []string {
	all := []string{}
	for _, c := range h.Commits {
		all = append(all, c.Name)
	}
	return all
}

// changes lists the paths that a commit changed, each with how many parents have it.
func changes(t *testing.T, h *revision.History, commit, dir string) []string {
	t.Helper()
	all := []string{}
	for i := range h.Commits {
		if h.Commits[i].Name != commit {
			continue
		}
		list, err := h.Changes(&h.Commits[i], dir, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			all = append(all, fmt.Sprint(c.Path, " ", len(c.Before)))
		}
	}
	return all
}

// branched has two branches that are merged, and a base on the main one.
func branched(t *testing.T) (r *gittest.Repository, commits map[string]string) {
	r = gittest.New(t)
	commits = map[string]string{}
	commits["root"] = r.Commit(t, map[string]string{"a": "1\n", "dir/b": "1\n", "dir/deep/c": "1\n", "gone/x": "x\n"})
	r.Git(t, "checkout", "--quiet", "-b", "side")
	commits["side"] = r.Commit(t, map[string]string{"side": "1\n", "dir/b": "side\n"})
	r.Git(t, "checkout", "--quiet", "main")
	commits["main"] = r.Commit(t, map[string]string{"dir/deep/c": "2\n"})
	r.Git(t, "merge", "--quiet", "--no-commit", "side")
	r.Write(t, map[string]string{"evil": "only in the merge\n"})
	r.Git(t, "add", "--all")
	r.Git(t, "commit", "--quiet", "--message=merge")
	commits["merge"] = r.Git(t, "rev-parse", "HEAD")
	r.Git(t, "mv", "gone", "kept")
	commits["rename"] = r.Commit(t, map[string]string{"new": "n\n"})
	return r, commits
}

func TestTheHistoryIsWhatGitLists(t *testing.T) {
	r, c := branched(t)
	for name, prepare := range map[string]func(){
		"loose objects": func() {},
		"packed":        func() { r.Git(t, "gc", "--quiet", "--aggressive", "--prune=now") },
	} {
		prepare()
		t.Run(name, func(t *testing.T) {
			repository := open(t, r.Dir)
			for _, without := range []string{"", c["root"], c["side"], c["main"], c["merge"], c["rename"], "side"} {
				args := []string{"rev-list", "HEAD"}
				if without != "" {
					args = append(args, "^"+without, "--")
				}
				want := strings.Fields(r.Git(t, args...))
				got := names(history(t, repository, "HEAD", without))
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("without %q: got %v, want %v", without, got, want)
				}
			}
		})
	}
}

func TestParentsComeFirstAndDatesAreTheAuthors(t *testing.T) {
	r := gittest.New(t)
	r.Git(t, "commit", "--quiet", "--allow-empty", "--message=x", "--date=2020-02-03T04:05:06+02:00")
	r.Commit(t, map[string]string{"a": "1\n"})
	h := history(t, open(t, r.Dir), "HEAD", "")
	if len(h.Commits) != 2 || !h.Commits[0].Authored.Equal(time.Date(2020, 2, 3, 2, 5, 6, 0, time.UTC)) {
		t.Errorf("%+v", h.Commits)
	}
}

// Whoever writes commits writes their dates too.
func TestFalseDatesHideNoCommit(t *testing.T) {
	r := gittest.New(t)
	base := r.Commit(t, map[string]string{"a": "1\n"})
	var want []string
	for i, date := range []string{"1970-01-02T00:00:00Z", "2090-01-01T00:00:00Z", "1980-01-02T00:00:00Z", "2001-01-01T00:00:00Z"} {
		r.Write(t, map[string]string{"a": fmt.Sprint(i, "\n")})
		r.Git(t, "add", "--all")
		t.Setenv("GIT_COMMITTER_DATE", date)
		r.Git(t, "commit", "--quiet", "--message=x", "--date="+date)
		want = append(want, r.Git(t, "rev-parse", "HEAD"))
	}
	if got := names(history(t, open(t, r.Dir), "HEAD", base)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestChangesAreWhatNoParentHas(t *testing.T) {
	r, c := branched(t)
	h := history(t, open(t, r.Dir), "HEAD", "")
	for commit, want := range map[string][]string{
		"root":   {"a 0", "dir/b 0", "dir/deep/c 0", "gone/x 0"},
		"side":   {"dir/b 1", "side 0"},
		"main":   {"dir/deep/c 1"},
		"merge":  {"evil 0"},
		"rename": {"new 0"},
	} {
		if got := changes(t, h, c[commit], "."); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", commit, got, want)
		}
	}
	if got := changes(t, h, c["root"], "dir"); !slices.Equal(got, []string{"b 0", "deep/c 0"}) {
		t.Errorf("below a directory: %v", got)
	}
	if got := changes(t, h, c["main"], "dir/deep"); !slices.Equal(got, []string{"c 1"}) {
		t.Errorf("below a deeper one: %v", got)
	}
	if got := changes(t, h, c["root"], "absent/dir"); len(got) != 0 {
		t.Errorf("below one that is absent: %v", got)
	}
}

func TestLinksAndSubmodulesAreNoFiles(t *testing.T) {
	inner := gittest.New(t)
	inner.Commit(t, map[string]string{"file": "x\n"})
	r := gittest.New(t)
	r.Git(t, "submodule", "--quiet", "add", "file://"+inner.Dir, "inner")
	link(t, r, "link", "elsewhere")
	commit := r.Commit(t, map[string]string{"file": "x\n"})
	if got := changes(t, history(t, open(t, r.Dir), "HEAD", ""), commit, "."); !slices.Equal(got, []string{".gitmodules 0", "file 0"}) {
		t.Errorf("%v", got)
	}
}

func TestAHistoryIsBounded(t *testing.T) {
	r, c := branched(t)
	repository := open(t, r.Dir)
	h, err := repository.History(t.Context(), "HEAD", "", 2)
	if err != nil || len(h.Commits) != 2 || !h.More || h.Commits[1].Name != c["rename"] {
		t.Errorf("%v, %+v", err, h)
	}
	if h, err = repository.History(t.Context(), "HEAD", "", 5); err != nil || h.More {
		t.Errorf("%v, %+v", err, h)
	}
	var exceeded *limit.Exceeded
	if _, err := h.Changes(&h.Commits[0], ".", 3); !errors.As(err, &exceeded) || exceeded.Limit != "entries" {
		t.Errorf("entries: %v", err)
	}
	root := slices.IndexFunc(h.Commits, func(k revision.Commit) bool { return k.Name == c["root"] })
	list, err := h.Changes(&h.Commits[root], ".", 1000)
	if err != nil {
		t.Fatal(err)
	}
	yes := func([]byte) bool { return true }
	if _, _, err := h.Read(list[0].Blob, 10, yes, 1); !errors.As(err, &exceeded) || exceeded.Limit != "kept-size" {
		t.Errorf("size: %v", err)
	}
	if raw, size, err := h.Read(list[0].Blob, 10, yes, 2); err != nil || string(raw) != "1\n" || size != 2 {
		t.Errorf("%q, %d, %v", raw, size, err)
	}
	if raw, size, err := h.Read(list[0].Blob, 1, func(b []byte) bool { return !bytes.Equal(b, []byte("1")) }, 2); err != nil || raw != nil || size != 2 {
		t.Errorf("not wanted: %q, %d, %v", raw, size, err)
	}
}

func TestAShallowHistoryIsCut(t *testing.T) {
	r, c := branched(t)
	h := history(t, open(t, r.Clone(t, "--depth=2").Dir), "HEAD", "")
	cut := 0
	for _, commit := range h.Commits {
		if commit.Cut {
			cut++
		}
	}
	if len(h.Commits) != 2 || cut != 1 || !h.Commits[0].Cut {
		t.Errorf("%+v", h.Commits)
	}
	_, err := open(t, r.Clone(t, "--depth=1").Dir).History(t.Context(), "HEAD", c["root"], 10)
	if missing := (*revision.Missing)(nil); !errors.As(err, &missing) || !missing.Shallow {
		t.Errorf("what is left out is not there: %v", err)
	}
}

// A forged object may begin as a picture does, which nobody searches.
func TestAForgedFileIsNotBelievedWhateverItIs(t *testing.T) {
	r := gittest.New(t)
	r.Commit(t, map[string]string{"text": "a secret\n", "picture": "\x00\x00\x00"})
	place := func(name string) string {
		h := r.Git(t, "rev-parse", "HEAD:"+name)
		return filepath.Join(r.Dir, ".git", "objects", h[:2], h[2:])
	}
	raw, err := os.ReadFile(place("picture"))
	if err != nil {
		t.Fatal(err)
	}
	text := place("text")
	if err := os.Remove(text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, raw, 0o444); err != nil {
		t.Fatal(err)
	}
	h := history(t, open(t, r.Dir), "HEAD", "")
	list, err := h.Changes(&h.Commits[0], ".", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		_, _, err := h.Read(c.Blob, 100, func(b []byte) bool { return bytes.IndexByte(b, 0) < 0 }, 100)
		if forged := c.Path == "text"; forged != (err != nil && strings.Contains(err.Error(), "hash")) {
			t.Errorf("%s: %v", c.Path, err)
		}
	}
}
