package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

// follow shows the file that a link leads to to the analyzers that want it by the name of the link, and not by its own.
// Where that is out of the tree, or in .git, the digest of the tree does not cover it: then it is a gap of those who
// want the name.
func (t *tree) follow(ctx context.Context, p string) {
	failed := func(i int, err error) { t.results.add(result{analyzer: i, real: p, as: p, err: err}) }
	info, err := t.root.Stat(filepath.FromSlash(p))
	real := ""
	if err == nil {
		if !info.Mode().IsRegular() {
			return
		}
		if real, err = t.resolve(p); err == nil && slices.Contains(strings.Split(real, "/"), gitDir) {
			err = errors.New("it leads into " + gitDir)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return // nobody reads it
	case err != nil:
		w := t.run.who(p, image.NewFileInfo(base(p), 0, 0), failed)
		for _, i := range slices.Concat(w.direct, w.deferred) {
			failed(i, fmt.Errorf("it is a link that cannot be followed within the tree: %w", withoutPath(err)))
		}
		return
	}
	w := t.run.who(p, info, failed)
	native := t.run.who(real, info, func(int, error) {})
	seen := func(i int) bool { return slices.Contains(native.direct, i) || slices.Contains(native.deferred, i) }
	w.direct, w.deferred = slices.DeleteFunc(w.direct, seen), slices.DeleteFunc(w.deferred, seen)
	if len(w.direct)+len(w.deferred) == 0 {
		return
	}
	t.run.pool.submit(func() {
		if err := t.examineLinked(ctx, w, p); err != nil {
			t.gap(p, err)
		}
	})
}

// resolve returns where a link within the tree leads.
func (t *tree) resolve(p string) (string, error) {
	return image.FollowLinks(p, func(p string) (string, bool) {
		target, err := t.root.Readlink(filepath.FromSlash(p))
		return filepath.ToSlash(target), err == nil
	})
}

// examineLinked reads the file where it is. It is hashed under its own name, and within the limits there.
func (t *tree) examineLinked(ctx context.Context, w wanted, p string) error {
	f, err := t.root.Open(filepath.FromSlash(p))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errChanged
	}
	if err != nil {
		return err
	}
	_, err = t.show(ctx, w, info, content{ReaderAt: f, size: info.Size()})
	return err
}

// show runs the analyzers on a file. It reports whether one was left behind and may still read it.
func (t *tree) show(ctx context.Context, w wanted, info fs.FileInfo, c content) (left bool, err error) {
	r := t.run
	if r.hasSniffer(w) {
		head := make([]byte, min(c.size, core.SniffLength))
		if _, err := c.ReadAt(head, 0); err != nil && err != io.EOF {
			return false, err
		}
		r.sniff(&w, head, func(i int, err error) { t.results.add(result{analyzer: i, real: w.as, as: w.as, err: err}) })
	}
	for _, i := range slices.Concat(w.direct, w.deferred) {
		file := core.File{Path: w.as, Info: named(info, w.as), Content: io.NewSectionReader(c, 0, c.size)}
		if r.analyzers[i].relater != nil {
			file.Related = t.related
		}
		found, behind, err := r.analyze(ctx, i, file)
		left = left || behind
		t.results.add(result{analyzer: i, real: w.as, as: w.as, found: found, err: err})
	}
	return left, nil
}

// withoutPath leaves out what the message names anyway.
func withoutPath(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
