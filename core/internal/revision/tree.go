package revision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// maxFile bounds a file that is opened without saying how much of it is expected, in bytes.
const maxFile = 32 << 20

// maxLinks is how many symbolic links lead to one file at most, as on Linux.
const maxLinks = 40

// ErrOutside is why a symbolic link is not followed: it leads out of the commit.
var ErrOutside = errors.New("a symbolic link leads out of the repository")

// errSubmodule is why nothing is read of a submodule: its files are in another repository.
var errSubmodule = errors.New("it is in a submodule, whose files are not in this repository")

// Tree is the content of one commit, as a file system that is only read. Symbolic links are followed within it. It is
// safe for use by several goroutines.
//
// What the commit does not have is fs.ErrNotExist; what it has and the clone does not is a *Missing, and no reason to
// believe that there is nothing.
type Tree struct {
	// Commit is the full name of the commit.
	Commit string

	repository *Repository
	root       plumbing.Hash
	pathLength int64
	entries    *limit.Counter

	mu   sync.Mutex
	dirs map[plumbing.Hash][]entry
}

var (
	_ fs.StatFS     = (*Tree)(nil)
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
)

// Tree opens the content of the commit that a revision names.
func (r *Repository) Tree(revision string, l limit.Limits) (*Tree, error) {
	name, err := r.Resolve(revision)
	if err != nil {
		return nil, err
	}
	_, commit, err := r.commit(revision, plumbing.NewHash(name))
	if err != nil {
		return nil, err
	}
	l = l.Filled()
	t := &Tree{Commit: name, repository: r, root: commit.tree, pathLength: l.PathLength, dirs: map[plumbing.Hash][]entry{},
		entries: limit.NewCounter("entries", l.Entries, "entries", "commit "+name)}
	_, err = t.list(t.root)
	return t, err
}

// entry is one name in a directory.
type entry struct {
	name string
	mode fs.FileMode
	hash plumbing.Hash
	// submodule is true for a commit of another repository.
	submodule bool
}

// list reads a directory once.
func (t *Tree) list(h plumbing.Hash) ([]entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if dir, ok := t.dirs[h]; ok {
		return dir, nil
	}
	kind, raw, err := t.repository.object(h, maxTree)
	if err != nil {
		return nil, t.repository.explain(t.Commit, err)
	}
	if kind != plumbing.TreeObject {
		return nil, fmt.Errorf("the object %s is a %s, not a tree", h, kind)
	}
	dir, err := parseTree(raw, t.entries)
	if err != nil {
		return nil, fmt.Errorf("the tree %s: %w", h, err)
	}
	t.dirs[h] = dir
	return dir, nil
}

// parseTree reads a directory's list: for each entry an octal mode, a space, a name, a zero byte and 20 bytes of hash.
func parseTree(raw []byte, count *limit.Counter) ([]entry, error) {
	var dir []entry
	for len(raw) > 0 {
		head, rest, ok := bytes.Cut(raw, []byte{0})
		mode, name, also := strings.Cut(string(head), " ")
		if !ok || !also || len(rest) < 20 {
			return nil, errors.New("it ends in the middle of an entry")
		}
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%q is no name of a file", name)
		}
		e := entry{name: name, hash: plumbing.Hash(rest[:20])}
		switch strings.TrimLeft(mode, "0") {
		case "40000":
			e.mode = fs.ModeDir | 0o755
		case "120000":
			e.mode = fs.ModeSymlink | 0o777
		case "160000":
			e.mode, e.submodule = fs.ModeDir|0o755, true
		case "100755":
			e.mode = 0o755
		case "100644", "100664":
			e.mode = 0o644
		default:
			return nil, fmt.Errorf("%s has the mode %q, which is none", name, mode)
		}
		if err := count.Add(1); err != nil {
			return nil, err
		}
		dir, raw = append(dir, e), rest[20:]
	}
	return dir, nil
}

// find follows a path. The last link of it is followed only if follow is true.
func (t *Tree) find(name string, follow bool) (entry, error) {
	if !fs.ValidPath(name) {
		return entry{}, fs.ErrInvalid
	}
	if int64(len(name)) > t.pathLength {
		return entry{}, &limit.Exceeded{Limit: "path-length", Max: t.pathLength, Unit: "bytes", What: "a path"}
	}
	at := []entry{{name: ".", mode: fs.ModeDir | 0o755, hash: t.root}}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part, here := rest[0], at[len(at)-1]
		rest = rest[1:]
		switch {
		case here.submodule:
			return entry{}, errSubmodule
		case !here.mode.IsDir():
			return entry{}, fs.ErrNotExist
		case part == "" || part == ".":
			continue
		case part == ".." && len(at) == 1:
			return entry{}, ErrOutside
		case part == "..":
			at = at[:len(at)-1]
			continue
		}
		dir, err := t.list(here.hash)
		if err != nil {
			return entry{}, err
		}
		i := slices.IndexFunc(dir, func(e entry) bool { return e.name == part })
		if i < 0 {
			return entry{}, fs.ErrNotExist
		}
		if dir[i].mode&fs.ModeSymlink == 0 || len(rest) == 0 && !follow {
			at = append(at, dir[i])
			continue
		}
		if links++; links > maxLinks {
			return entry{}, errors.New("too many symbolic links lead to it")
		}
		target, err := t.content(dir[i], t.pathLength)
		switch {
		case err != nil:
			return entry{}, err
		case path.IsAbs(string(target)):
			return entry{}, ErrOutside
		}
		rest = append(strings.Split(string(target), "/"), rest...)
	}
	return at[len(at)-1], nil
}

func (t *Tree) content(e entry, largest int64) ([]byte, error) {
	kind, raw, err := t.repository.object(e.hash, largest)
	if err != nil {
		return nil, t.repository.explain(t.Commit, err)
	}
	if kind != plumbing.BlobObject {
		return nil, fmt.Errorf("the object %s is a %s, not a file", e.hash, kind)
	}
	return raw, nil
}

// Read reads a file of at most largest bytes.
func (t *Tree) Read(name string, largest int64) ([]byte, error) {
	e, err := t.find(name, true)
	if err == nil && !e.mode.IsRegular() {
		err = errors.New("it is a directory")
	}
	var raw []byte
	if err == nil {
		raw, err = t.content(e, largest)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return raw, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *Tree) ReadFile(name string) ([]byte, error) { return t.Read(name, maxFile) }

// Open implements fs.FS. A file is read whole before it is handed out.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.find(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	e.name = path.Base(name)
	if e.mode.IsDir() {
		list, err := t.ReadDir(name)
		return &openDir{info: info{entry: e}, list: list}, err
	}
	raw, err := t.content(e, maxFile)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{Reader: bytes.NewReader(raw), info: info{e, int64(len(raw))}}, nil
}

// Stat implements fs.StatFS.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.find(name, true)
	switch {
	case err == nil && e.submodule:
		err = errSubmodule
	case err == nil && !e.mode.IsDir():
		err = errors.New("it is no directory")
	}
	var dir []entry
	if err == nil {
		dir, err = t.list(e.hash)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(dir))
	for i, e := range dir {
		out[i] = dirEntry{e, t}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// dirEntry is an entry whose size nobody has asked for yet.
type dirEntry struct {
	entry
	tree *Tree
}

func (e dirEntry) Name() string      { return e.name }
func (e dirEntry) IsDir() bool       { return e.mode.IsDir() }
func (e dirEntry) Type() fs.FileMode { return e.mode.Type() }

func (e dirEntry) Info() (fs.FileInfo, error) {
	if e.mode.IsDir() {
		return info{entry: e.entry}, nil
	}
	raw, err := e.tree.content(e.entry, maxFile)
	return info{e.entry, int64(len(raw))}, err
}

// info describes a file. A commit keeps no times.
type info struct {
	entry
	size int64
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

type openFile struct {
	*bytes.Reader
	info info
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info info
	list []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("it is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.list) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.list) {
		n = len(d.list)
	}
	out := d.list[:n]
	d.list = d.list[n:]
	return out, nil
}

var _ io.ReaderAt = (*openFile)(nil)
