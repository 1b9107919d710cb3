package revision

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Commit is one commit of a history.
type Commit struct {
	// Name is its full name.
	Name string
	// Authored is when its author says that he wrote it; zero if he does not.
	Authored time.Time
	// Cut is true if the clone lacks one of its parents, so that nobody can tell what it changed.
	Cut bool

	hash    plumbing.Hash
	tree    plumbing.Hash
	parents []plumbing.Hash
}

// History are the commits that lead to one and not to another, parents before their children wherever dates allow it.
type History struct {
	Commits []Commit
	// More is true if there are more commits than were asked for. Those that are left out are the oldest.
	More bool

	repository *Repository
	trees      map[plumbing.Hash][]entry
	kept       int // entries in trees
}

// Shallow reports whether the clone was cut.
func (r *Repository) Shallow() bool { return r.shallow }

// visited is a commit on the way through a history.
type visited struct {
	Commit
	committed int64
	without   bool // it leads to what is left out
	queued    bool
}

// byDate is a queue of commits, the latest first.
type byDate []*visited

func (q byDate) Len() int      { return len(q) }
func (q byDate) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q byDate) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].committed, q[i].committed), slices.Compare(q[i].hash[:], q[j].hash[:])) < 0
}
func (q *byDate) Push(x any) { *q = append(*q, x.(*visited)) }
func (q *byDate) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// History lists the commits that lead to head and, unless without is empty, do not lead to that one. At most most of
// them are listed.
//
// Like git's own, the walk takes the latest commit first, and ends when it has only commits that are left out and older
// than all that are listed. Where dates are wrong it may list too many, and never too few.
//
// https://git-scm.com/docs/git-rev-list
func (r *Repository) History(ctx context.Context, head, without string, most int64) (*History, error) {
	w := walker{repository: r, seen: map[plumbing.Hash]*visited{}}
	for _, start := range []struct {
		name    string
		without bool
	}{{head, false}, {without, true}} {
		if start.name == "" {
			continue
		}
		name, err := r.Resolve(start.name)
		if err != nil {
			return nil, err
		}
		present, err := w.push(plumbing.NewHash(name), start.without)
		if err == nil && !present {
			err = &Missing{}
		}
		if err != nil {
			return nil, r.explain(start.name, err)
		}
	}
	h := &History{repository: r, trees: map[plumbing.Hash][]entry{}}
	var listed []*visited
	earliest := int64(latest)
	for w.wanted > 0 || len(w.queue) > 0 && w.queue[0].committed >= earliest {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		next := heap.Pop(&w.queue).(*visited)
		if next.queued = false; !next.without {
			w.wanted--
			if h.More = int64(len(listed)) == most; h.More {
				break
			}
			listed = append(listed, next)
			earliest = min(earliest, next.committed)
		}
		for _, parent := range next.parents {
			present, err := w.push(parent, next.without)
			if err != nil {
				return nil, r.explain(next.Name, err)
			}
			next.Cut = next.Cut || !present
		}
	}
	for _, v := range slices.Backward(listed) {
		if !v.without { // which may have been found out later
			h.Commits = append(h.Commits, v.Commit)
		}
	}
	return h, nil
}

type walker struct {
	repository *Repository
	seen       map[plumbing.Hash]*visited
	queue      byDate
	wanted     int // commits in the queue that are not left out
}

// push puts a commit into the queue unless it was there, and reports whether the repository has it. One that was there is
// put there again if it turns out to be left out, for the sake of its parents.
func (w *walker) push(h plumbing.Hash, without bool) (present bool, err error) {
	v, ok := w.seen[h]
	switch {
	case ok && (v == nil || !without || v.without):
		return v != nil, nil
	case ok:
		v.without = true
		if v.queued {
			w.wanted--
			return true, nil
		}
	default:
		of, head, err := w.repository.commit(h.String(), h)
		if missing := (*Missing)(nil); errors.As(err, &missing) && len(w.seen) > 0 {
			w.seen[h] = nil
			return false, nil
		}
		if err != nil {
			return false, err
		}
		v = &visited{Commit: Commit{Name: of.String(), hash: of, tree: head.tree, parents: head.parents},
			committed: head.committed, without: without}
		if head.authored > 0 {
			v.Authored = time.Unix(head.authored, 0).UTC()
		}
		w.seen[h] = v
	}
	if v.queued = true; !v.without {
		w.wanted++
	}
	heap.Push(&w.queue, v)
	return true, nil
}

// Change is a file that a commit added or changed.
type Change struct {
	// Path is relative to the directory that was asked for.
	Path string
	Blob Blob
	// Before are what the commit's parents have in its place.
	Before []Blob
}

// Blob is the content of a file, by its name in the repository.
type Blob plumbing.Hash

// maxKept bounds the entries of directories that are kept for the next commit, which mostly has the same.
const maxKept = 200_000

// Changes lists the regular files below a directory that a commit added or changed, in order of their paths: not as any
// of its parents has them. A file that was only renamed is not listed. At most entries entries of directories are read.
func (h *History) Changes(c *Commit, dir string, entries int64) ([]Change, error) {
	d := differ{history: h, commit: c, entries: limit.NewCounter("entries", entries, "entries", "commit "+c.Name)}
	tree, err := d.below(c.tree, dir)
	if err != nil || tree == nil {
		return nil, err
	}
	var before []plumbing.Hash
	for _, p := range c.parents {
		_, parent, err := h.repository.commit(p.String(), p)
		if err != nil {
			return nil, err
		}
		old, err := d.below(parent.tree, dir)
		if err != nil {
			return nil, err
		}
		if old != nil {
			before = append(before, *old)
		}
	}
	if err := d.diff("", *tree, before); err != nil {
		return nil, err
	}
	return d.withoutRenamed()
}

// differ compares one commit with its parents.
type differ struct {
	history *History
	commit  *Commit
	entries *limit.Counter
	changes []Change
	gone    []entry // what a parent has and the commit has not
}

// below returns the directory at a path of a tree; nil if there is none.
func (d *differ) below(tree plumbing.Hash, dir string) (*plumbing.Hash, error) {
	if dir == "." || dir == "" {
		return &tree, nil
	}
	first, rest := path.Split(path.Clean(dir))
	parent := &tree
	if first != "" {
		var err error
		if parent, err = d.below(tree, path.Clean(first)); err != nil || parent == nil {
			return nil, err
		}
	}
	list, err := d.list(*parent)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, func(e entry) bool { return e.name == rest && e.isTree() }); i >= 0 {
		return &list[i].hash, nil
	}
	return nil, nil
}

func (e entry) isTree() bool { return e.mode.IsDir() && !e.submodule }
func (e entry) isFile() bool { return e.mode.IsRegular() }

func (d *differ) list(h plumbing.Hash) ([]entry, error) {
	history := d.history
	if dir, ok := history.trees[h]; ok {
		return dir, d.entries.Add(int64(len(dir)))
	}
	kind, raw, err := history.repository.object(h, maxTree)
	if err != nil {
		return nil, history.repository.explain(d.commit.Name, err)
	}
	if kind != plumbing.TreeObject {
		return nil, fmt.Errorf("the object %s is a %s, not a tree", h, kind)
	}
	dir, err := parseTree(raw, d.entries)
	if err != nil {
		return nil, fmt.Errorf("the tree %s: %w", h, err)
	}
	if history.kept += len(dir) + 1; history.kept > maxKept {
		clear(history.trees)
		history.kept = len(dir) + 1
	}
	history.trees[h] = dir
	return dir, nil
}

// diff notes what a directory has that is in none of the others in its place.
func (d *differ) diff(dir string, tree plumbing.Hash, before []plumbing.Hash) error {
	if slices.Contains(before, tree) {
		return nil
	}
	now, err := d.list(tree)
	if err != nil {
		return err
	}
	names := make(map[string]bool, len(now))
	for _, e := range now {
		names[e.name] = true
	}
	old := make([]map[string]entry, len(before))
	for i, b := range before {
		list, err := d.list(b)
		if err != nil {
			return err
		}
		old[i] = make(map[string]entry, len(list))
		for _, e := range list {
			if old[i][e.name] = e; !names[e.name] {
				d.gone = append(d.gone, e)
			}
		}
	}
	for _, e := range now {
		c := Change{Path: path.Join(dir, e.name), Blob: Blob(e.hash)}
		var dirs []plumbing.Hash
		same := false
		for _, o := range old {
			was, ok := o[e.name]
			same = same || ok && was.hash == e.hash && was.mode.Type() == e.mode.Type()
			switch {
			case !ok:
			case was.isFile():
				c.Before = append(c.Before, Blob(was.hash))
			case was.isTree():
				dirs = append(dirs, was.hash)
			}
		}
		switch {
		case same:
		case e.isTree():
			if err := d.diff(c.Path, e.hash, dirs); err != nil {
				return err
			}
		case e.isFile():
			d.changes = append(d.changes, c)
		}
	}
	return nil
}

// withoutRenamed leaves out the files that are new in name only.
func (d *differ) withoutRenamed() ([]Change, error) {
	if len(d.gone) == 0 || !slices.ContainsFunc(d.changes, func(c Change) bool { return len(c.Before) == 0 }) {
		return d.changes, nil
	}
	moved, listed := map[Blob]bool{}, map[plumbing.Hash]bool{}
	for len(d.gone) > 0 {
		e := d.gone[len(d.gone)-1]
		d.gone = d.gone[:len(d.gone)-1]
		switch {
		case e.isFile():
			moved[Blob(e.hash)] = true
		case e.isTree() && !listed[e.hash]:
			listed[e.hash] = true
			dir, err := d.list(e.hash)
			if err != nil {
				return nil, err
			}
			d.gone = append(d.gone, dir...)
		}
	}
	return slices.DeleteFunc(d.changes, func(c Change) bool { return len(c.Before) == 0 && moved[c.Blob] }), nil
}

// Read returns the content of a file and its size. Of one whose first bytes are not wanted nothing is returned; it is
// hashed all the same, because whoever forges an object may let it begin as he likes. What is wanted may have largest
// bytes.
func (h *History) Read(b Blob, head int, wanted func(head []byte) bool, largest int64) (_ []byte, size int64, err error) {
	r := h.repository
	r.mu.Lock()
	defer r.mu.Unlock()
	hash := plumbing.Hash(b)
	for _, s := range r.stores {
		o, err := s.EncodedObject(plumbing.AnyObject, hash)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read the object %s: %w", hash, err)
		}
		content, err := stream(o, hash, head, wanted, largest)
		return content, o.Size(), err
	}
	return nil, 0, &Missing{Object: hash.String(), Shallow: r.shallow}
}

func stream(o plumbing.EncodedObject, h plumbing.Hash, head int, wanted func([]byte) bool, largest int64) ([]byte, error) {
	if o.Type() != plumbing.BlobObject {
		return nil, fmt.Errorf("the object %s is a %s, not a file", h, o.Type())
	}
	in, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	defer in.Close()
	first := make([]byte, min(int64(head), o.Size()))
	if _, err := io.ReadFull(in, first); err != nil {
		return nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	want := wanted(first)
	if want && o.Size() > largest {
		return nil, &limit.Exceeded{Limit: "kept-size", Max: largest, Unit: "bytes", What: "a file"}
	}
	sum := plumbing.NewHasher(plumbing.BlobObject, o.Size())
	sum.Write(first)
	var content []byte
	if want {
		content = make([]byte, o.Size())
		n := copy(content, first)
		if _, err = io.ReadFull(in, content[n:]); err == nil {
			sum.Write(content[n:])
		}
	} else {
		_, err = io.Copy(sum, io.LimitReader(in, o.Size()))
	}
	if err != nil {
		return nil, fmt.Errorf("read the object %s: %w", h, err)
	}
	if sum.Sum() != h {
		return nil, fmt.Errorf("the object %s is damaged: its content has another hash", h)
	}
	return content, nil
}
