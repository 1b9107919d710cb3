package walk

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// gitDir is left out of source trees wherever it is: it changes without the sources changing.
const gitDir = ".git"

// Tree reads every file of a source tree and returns its subject, packages, findings and examinations. A symbolic link
// to a file is followed within dir for the analyzers that want the file by the link's name alone, and is a gap where it
// leads further; nothing outside dir is ever opened.
//
// The subject's digest is the SHA-256 of one record for each regular file and symbolic link below dir, in byte order of
// the slash-separated relative paths, .git excluded. A record is the kind ("f" file, "x" file that its owner may
// execute, "l" link, "?" could not be read), a space, the path's length in bytes in decimal, a colon, the path, a
// space, the SHA-256 of the content or of the link's target in lower-case hex (nothing for "?"), and a newline. Owners, times
// and empty directories do not count, as in git.
//
// Its core.ExamineLayers examination says whether every file was read. An error means that ctx ended, that dir cannot
// be opened, or that there is no room for temporary files.
func Tree(ctx context.Context, dir string, name string, o Options) (core.Evidence, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return core.Evidence{}, &core.Failure{Doing: "open the source tree " + name, Err: err}
	}
	defer root.Close()
	r, ctx := newRun(ctx, o)
	defer r.close()
	t := &tree{run: r, root: root, related: &treeFS{root: root, limit: r.limits.FileSize}}
	t.report = r.progress.throttled(Event{})
	t.report(EventStarted, 0, 0)
	walkErr := t.walk(ctx)
	r.pool.wait()
	if err := context.Cause(ctx); err != nil {
		return core.Evidence{}, r.reason(err)
	}
	if walkErr != nil {
		t.report(EventFailed, t.read, t.files)
	} else {
		t.report(EventDone, t.read, t.files)
	}
	return t.evidence(name, walkErr), nil
}

// tree is a source tree that is being read.
type tree struct {
	run     *run
	root    *os.Root
	related fs.FS
	report  watchFunc
	results results

	entries int64
	read    int64
	files   int

	mu      sync.Mutex
	records []record
	gaps    []string
}

// record is one file or link in the digest of the tree.
type record struct {
	kind byte
	path string
	sum  string
}

// walk goes through the directories in order. An error is a limit that was exceeded: what is behind it was not read.
func (t *tree) walk(ctx context.Context) error {
	dirs := []string{image.Root}
	for len(dirs) > 0 {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		below, err := t.directory(ctx, dir)
		if err != nil {
			return err
		}
		slices.Reverse(below)
		dirs = append(dirs, below...)
	}
	return nil
}

// directory reads one directory and returns its subdirectories.
func (t *tree) directory(ctx context.Context, dir string) ([]string, error) {
	f, err := t.root.Open(filepath.FromSlash(dir))
	if err != nil {
		t.gap(dir, err)
		return nil, nil
	}
	defer f.Close()
	var below []string
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			if e.Name() == gitDir {
				continue
			}
			p := path.Join(dir, e.Name())
			if err := t.count(p); err != nil {
				return nil, err
			}
			switch {
			case e.IsDir():
				below = append(below, p)
			case e.Type()&fs.ModeSymlink != 0:
				t.link(p)
				t.follow(ctx, p)
			case e.Type().IsRegular():
				if err := t.file(ctx, p); err != nil {
					return nil, err
				}
			}
		}
		if err == io.EOF {
			slices.Sort(below)
			return below, nil
		}
		if err != nil {
			t.gap(dir, err)
			return below, nil
		}
	}
}

func (t *tree) count(p string) error {
	limits := t.run.limits
	if t.entries++; t.entries > limits.Entries {
		return &limit.Exceeded{Limit: "entries", Max: limits.Entries, Unit: "entries", What: "the source tree"}
	}
	if int64(len(p)) > limits.PathLength {
		return &limit.Exceeded{Limit: "path-length", Max: limits.PathLength, Unit: "bytes",
			What: fmt.Sprintf("the path %q…", p[:min(len(p), 64)])}
	}
	return nil
}

func (t *tree) link(p string) {
	target, err := t.root.Readlink(filepath.FromSlash(p))
	if err != nil {
		t.gap(p, err)
		t.record('?', p, nil)
		return
	}
	sum := sha256.Sum256([]byte(filepath.ToSlash(target)))
	t.record('l', p, sum[:])
}

// file checks the limits and hands the file to the pool.
func (t *tree) file(ctx context.Context, p string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	f, info, err := t.open(p)
	if err != nil {
		t.gap(p, err)
		t.record('?', p, nil)
		return nil
	}
	limits := t.run.limits
	if info.Size() > limits.FileSize {
		f.Close()
		return &limit.Exceeded{Limit: "file-size", Max: limits.FileSize, Unit: "bytes", What: fmt.Sprintf("the file %q", p)}
	}
	if t.read += info.Size(); t.read > limits.TotalSize {
		f.Close()
		return &limit.Exceeded{Limit: "total-size", Max: limits.TotalSize, Unit: "bytes", What: "the source tree"}
	}
	t.files++
	t.report(EventRead, t.read, t.files)
	t.run.pool.submit(func() {
		defer f.Close()
		if err := t.examine(ctx, p, info, f); err != nil {
			t.gap(p, err)
			t.record('?', p, nil)
		}
	})
	return nil
}

var errChanged = errors.New("it changed while it was read")

// open opens a regular file. What it was when the directory was read does not count.
func (t *tree) open(p string) (*os.File, fs.FileInfo, error) {
	name := filepath.FromSlash(p)
	if info, err := t.root.Lstat(name); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, errChanged
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errChanged
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// examine hashes a file and runs the analyzers on it. Small files are read once, into memory; the system caches what it
// reads of large ones.
func (t *tree) examine(ctx context.Context, p string, info fs.FileInfo, f *os.File) error {
	r := t.run
	failed := func(i int, err error) { t.results.add(result{analyzer: i, real: p, as: p, err: err}) }
	w := r.who(p, info, failed)
	size := info.Size()
	var c content
	h := sha256.New()
	if size <= inMemory {
		held, err := r.buffers.hold(ctx, r.tempDir, size, nil, f)
		if err != nil {
			return changed(err)
		}
		c = held
		if _, err := io.Copy(h, io.NewSectionReader(c, 0, size)); err != nil {
			return err
		}
	} else {
		c = content{ReaderAt: f, size: size, release: func(bool) {}}
		if n, err := io.Copy(h, io.LimitReader(contextReader{ctx, f}, size)); err != nil || n < size {
			return changed(cmp.Or(err, io.ErrUnexpectedEOF))
		}
	}
	reuse := true
	defer func() { c.release(reuse) }()
	if n, _ := f.ReadAt(make([]byte, 1), size); n > 0 {
		return changed(io.ErrUnexpectedEOF)
	}
	kind := byte('f')
	if info.Mode()&0o100 != 0 {
		kind = 'x'
	}
	t.record(kind, p, h.Sum(nil))
	left, err := t.show(ctx, w, info, c)
	reuse = !left
	return err
}

func changed(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("its size changed while it was read")
	}
	return err
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (t *tree) record(kind byte, p string, sum []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, record{kind, p, hex.EncodeToString(sum)})
}

func (t *tree) gap(p string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gaps = append(t.gaps, fmt.Sprintf("%s: %s", shown(p), printable(withoutPath(err))))
}

// digest is the tree's digest as Tree describes it.
func (t *tree) digest() core.Digest {
	slices.SortFunc(t.records, func(a, b record) int { return strings.Compare(a.path, b.path) })
	var b bytes.Buffer
	h := sha256.New()
	for _, r := range t.records {
		b.Reset()
		fmt.Fprintf(&b, "%c %d:%s %s\n", r.kind, len(r.path), r.path, r.sum)
		h.Write(b.Bytes())
	}
	return core.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// evidence is all that is known of the tree.
func (t *tree) evidence(name string, walkErr error) core.Evidence {
	subject := core.Subject{Name: name, Kind: core.KindSource, Digest: t.digest()}
	e := core.Evidence{Subjects: []core.Subject{subject}, Packages: []core.Package{}, Findings: []core.Finding{}}
	list := t.results.list
	slices.SortStableFunc(list, func(a, b result) int {
		if a.analyzer != b.analyzer {
			return a.analyzer - b.analyzer
		}
		return strings.Compare(a.as, b.as)
	})
	gaps := newGaps(t.run.analyzers)
	packages := 0
	for _, one := range list {
		packages += len(one.found.Packages)
	}
	e.Packages = slices.Grow(e.Packages, packages)
	for i, one := range list {
		gaps.add(one, "")
		list[i] = result{} // what it found goes on from here
		for _, p := range one.found.Packages {
			p.Subject, p.Locations = subject.Digest, located(p.Locations, one.as, "")
			if p.Analyzer == "" {
				p.Analyzer = t.run.analyzers[one.analyzer].info.Name
			}
			e.Packages = append(e.Packages, p)
		}
		for _, f := range one.found.Findings {
			f.Subject, f.Locations = subject.Digest, located(f.Locations, one.as, "")
			e.Findings = append(e.Findings, f)
		}
	}
	x := core.Examination{
		Name: core.ExamineLayers, Subject: subject.Digest, Tool: tool, Status: core.Complete, Enforced: []string{"limits"},
	}
	var unread []string
	switch {
	case walkErr != nil:
		x.Status, x.Why = core.Failed, []string{fmt.Sprintf("source tree %s: %s", name, printable(walkErr))}
		unread = []string{"not all files were examined"}
	case len(t.gaps) > 0:
		x.Status, x.Why = core.Partial, bounded(t.gaps)
		unread = []string{fmt.Sprintf("%d files or directories could not be read", len(t.gaps))}
	}
	e.Examinations = append(gaps.examinations(subject.Digest, unread), x)
	e.Sort()
	return e
}

// treeFS shows a source tree to relating analyzers. Files above the limit are not there.
type treeFS struct {
	root  *os.Root
	limit int64
}

// Open implements fs.FS. Links are followed inside the tree.
func (t *treeFS) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	info, err := t.root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
	case !info.Mode().IsRegular():
		return fail(fs.ErrNotExist)
	case info.Size() > t.limit:
		return fail(&limit.Exceeded{Limit: "file-size", Max: t.limit, Unit: "bytes", What: name})
	}
	return t.root.Open(filepath.FromSlash(name))
}
