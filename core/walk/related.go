package walk

import (
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core/image"
)

// keptCost is what a kept file costs in memory beside its path and bytes.
const keptCost = 256

// keptFiles are the files of one layer that relating analyzers need.
type keptFiles struct {
	mu       sync.Mutex
	files    map[string]*kept // by real path; the last entry wins
	deferred []deferred
}

// deferred is a file that is analyzed when all layers were read.
type deferred struct {
	analyzer int
	real, as string
	file     *kept
}

func (k *keptFiles) add(real string, file *kept, all []wanted) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files == nil {
		k.files = make(map[string]*kept)
	}
	k.files[real] = file
	for _, w := range all {
		if w.viaLink {
			continue // the link's own layer defers it
		}
		for _, i := range w.deferred {
			k.deferred = append(k.deferred, deferred{analyzer: i, real: real, as: w.as, file: file})
		}
	}
}

// get returns the kept file of one entry.
func (k *keptFiles) get(real string, seq uint32) *kept {
	if f := k.files[real]; f != nil && f.seq == seq {
		return f
	}
	return nil
}

// relatedFS shows the kept files of a stack as of one layer.
type relatedFS struct {
	stack *stack
	upto  int
	// list makes the directories when one is first read.
	list func() map[string][]fs.DirEntry
}

func (s *stack) related(upto int) *relatedFS {
	f := &relatedFS{stack: s, upto: upto}
	f.list = sync.OnceValue(f.directories)
	return f
}

var (
	_ fs.StatFS     = (*relatedFS)(nil)
	_ fs.ReadDirFS  = (*relatedFS)(nil)
	_ fs.ReadFileFS = (*relatedFS)(nil)
)

// find returns the kept file that name leads to, or nil for a directory, whose real path it returns.
func (f *relatedFS) find(op, name string) (*kept, string, error) {
	fail := func(err error) (*kept, string, error) { return nil, "", &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	real, err := f.stack.view.Resolve(name, f.upto)
	if err != nil {
		return fail(err)
	}
	layer, at, node, ok := f.stack.view.Lookup(real, f.upto)
	switch {
	case !ok:
		return fail(fs.ErrNotExist)
	case node.Kind == image.KindDir:
		return nil, real, nil
	}
	if k := f.stack.keptAt(layer, at, node.Seq); k != nil {
		return k, real, nil
	}
	return fail(fs.ErrNotExist)
}

// Open implements fs.FS. Regular files implement io.ReaderAt and io.Seeker.
func (f *relatedFS) Open(name string) (fs.File, error) {
	k, real, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return &openDir{info: dirInfo(name), entries: f.list()[real]}, nil
	}
	return &openFile{SectionReader: io.NewSectionReader(k, 0, k.info.Size()), info: named(k.info, name)}, nil
}

// Stat implements fs.StatFS.
func (f *relatedFS) Stat(name string) (fs.FileInfo, error) {
	k, _, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return dirInfo(name), nil
	}
	return named(k.info, name), nil
}

// ReadFile implements fs.ReadFileFS.
func (f *relatedFS) ReadFile(name string) ([]byte, error) {
	k, _, err := f.find("read", name)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data := make([]byte, k.info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(k, 0, k.info.Size()), data); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS. It lists the kept files, the directories that lead to them and the links among them.
func (f *relatedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	k, real, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if k != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return slices.Clone(f.list()[real]), nil
}

// directories lists what is visible as of the layer.
func (f *relatedFS) directories() map[string][]fs.DirEntry {
	children := make(map[string]map[string]fs.DirEntry)
	add := func(p string, e fs.DirEntry) {
		for {
			dir := path.Dir(p)
			if children[dir] == nil {
				children[dir] = make(map[string]fs.DirEntry)
			}
			if _, ok := children[dir][path.Base(p)]; !ok {
				children[dir][path.Base(p)] = e
			}
			if dir == image.Root {
				return
			}
			p, e = dir, fs.FileInfoToDirEntry(dirInfo(dir))
		}
	}
	f.stack.eachKept(f.upto, func(layer int, p string, k *kept) {
		if l, _, n, ok := f.stack.view.Lookup(p, f.upto); ok && l == layer && n.Seq == k.seq {
			add(p, fs.FileInfoToDirEntry(named(k.info, p)))
		}
	})
	for p, layer := range f.stack.relatedLinks {
		if l, _, n, ok := f.stack.view.Lookup(p, f.upto); ok && l == layer && n.Kind == image.KindSymlink {
			add(p, fs.FileInfoToDirEntry(linkInfo(p)))
		}
	}
	sorted := make(map[string][]fs.DirEntry, len(children))
	for dir, entries := range children {
		sorted[dir] = slices.SortedFunc(maps.Values(entries), func(a, b fs.DirEntry) int {
			return strings.Compare(a.Name(),
				b.Name())
		})
	}
	return sorted
}

// openFile is a kept file.
type openFile struct {
	*io.SectionReader
	info fs.FileInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

// openDir is a directory of kept files.
type openDir struct {
	info    fs.FileInfo
	entries []fs.DirEntry
	next    int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	left := d.entries[d.next:]
	if n <= 0 {
		d.next = len(d.entries)
		return slices.Clone(left), nil
	}
	if len(left) == 0 {
		return nil, io.EOF
	}
	left = left[:min(n, len(left))]
	d.next += len(left)
	return slices.Clone(left), nil
}

// info gives a file another name or type.
type info struct {
	fs.FileInfo
	name string
	mode fs.FileMode
}

func named(i fs.FileInfo, p string) fs.FileInfo { return info{i, path.Base(p), i.Mode()} }

func dirInfo(p string) fs.FileInfo {
	return info{image.NewFileInfo("", 0, 0), path.Base(p), fs.ModeDir | 0o755}
}

func linkInfo(p string) fs.FileInfo {
	return info{image.NewFileInfo("", 0, 0), path.Base(p), fs.ModeSymlink | 0o777}
}

func (i info) Name() string      { return i.name }
func (i info) Mode() fs.FileMode { return i.mode }
func (i info) IsDir() bool       { return i.mode.IsDir() }
