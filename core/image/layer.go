package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"math"
	"path"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Whiteout names, which delete instead of adding.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh." // aufs's own bookkeeping, which runtimes ignore
	whiteoutOpaque = ".wh..wh..opq"
)

// Reading is what all layers of one target share while they are read.
type Reading struct {
	Limits limit.Limits
	seed   maphash.Seed
	chunks chunks
	// total sums the uncompressed bytes, kept the bytes that are kept in memory beside the analysis.
	total, kept *limit.Counter
}

// NewReading returns the state for reading the layers of one target.
func NewReading(l limit.Limits) *Reading {
	l = l.Filled()
	return &Reading{
		Limits: l,
		seed:   maphash.MakeSeed(),
		total:  limit.NewCounter("total-size", l.TotalSize, "bytes", "the sum of all uncompressed layers"),
		kept:   limit.NewCounter("kept-size", l.KeptSize, "bytes", "what has to be kept in memory"),
	}
}

// Keep counts n bytes that the caller keeps in memory, or returns the error for the limit.
func (r *Reading) Keep(n int64) error { return r.kept.Add(n) }

// Err returns the error for a limit on the sum of all layers, if one was exceeded. Which layer hit it depends on the
// order of reading, so it concerns all.
func (r *Reading) Err() error {
	if err := r.total.Err(); err != nil {
		return err
	}
	return r.kept.Err()
}

// Again returns a Reading with the same limits and paths for reading layers a second time, which is not counted again.
func (r *Reading) Again() *Reading {
	again := NewReading(r.Limits)
	again.seed, again.kept = r.seed, r.kept
	return again
}

// File is one regular file of a layer.
type File struct {
	// Path is clean and relative to the root; symbolic links of the same layer in its parents are resolved. It may
	// hold any byte but NUL.
	Path string
	// Seq is the number of the entry within the layer.
	Seq  uint32
	Info fs.FileInfo
}

// Contents is what was read of one layer. It is verified: every byte of the blob and of the uncompressed stream has the
// stated digests.
type Contents struct {
	Index *Index
	// Uncompressed is the size of the tar stream in bytes.
	Uncompressed int64
	// Files counts the regular files.
	Files int
	// Trailing is true if anything but zeros follows the end of the tar archive. Runtimes ignore it, tools that join
	// archives read it, and nobody saw it.
	Trailing bool
}

// Progress is called while a layer is read, with the bytes of the blob and the files seen so far.
type Progress func(read int64, files int)

// Read reads one layer to its end and calls visit for each regular file, in the layer's order. The content is valid
// until visit returns and need not be read. An error of visit ends the reading and is returned as it is.
//
// What visit saw counts only if Read returns no error, because the digests are known only then. The error is a
// limit.Exceeded, the context's error, or says what is wrong with the layer.
func (l Layer) Read(ctx context.Context, r *Reading, progress Progress,
	visit func(f File, content io.Reader) error) (*Contents, error) {
	t := &tarReader{reading: r, contents: &Contents{Index: NewIndex(r.seed, r.kept)}, progress: progress, visit: visit}
	s := openStream(ctx, l, r, t.report)
	t.stream = s
	readErr := t.readAll()
	var visitErr *visitError
	if errors.As(readErr, &visitErr) {
		s.cancel()
		s.finish(readErr)
		return nil, visitErr.err
	}
	if err := s.finish(readErr); err != nil {
		return nil, err
	}
	t.contents.Uncompressed = s.inflated
	return t.contents, nil
}

// visitError is an error of the caller's own.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }

type tarReader struct {
	reading  *Reading
	stream   *stream
	contents *Contents
	progress Progress
	visit    func(File, io.Reader) error

	entries int64
	logical int64 // the sum of all files, holes included
}

func (t *tarReader) readAll() error {
	tr := tar.NewReader(t.stream)
	for {
		h, err := tr.Next()
		switch {
		case err == io.EOF:
			t.contents.Trailing = t.stream.trailing()
			return nil
		case err != nil && (h == nil || !errors.Is(err, tar.ErrInsecurePath)): // paths are checked below
			return fmt.Errorf("read the tar archive after %d entries: %w", t.entries, err)
		}
		if err := t.entry(h, tr); err != nil {
			return err
		}
	}
}

func (t *tarReader) report() {
	if t.progress != nil {
		t.progress(t.stream.read.Load(), t.contents.Files)
	}
}

func (t *tarReader) entry(h *tar.Header, content io.Reader) error {
	if t.entries++; t.entries > t.reading.Limits.Entries || t.entries > math.MaxUint32 {
		return &limit.Exceeded{Limit: "entries", Max: t.reading.Limits.Entries, Unit: "entries", What: "the layer"}
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	p, err := t.checkedPath(h.Name)
	if err != nil {
		return err
	}
	if p == Root {
		if h.Typeflag != tar.TypeDir {
			return errors.New("the root directory has an entry that is no directory")
		}
		return nil
	}
	if err := t.place(h, p, content); err != nil {
		if limitOf(err) == nil {
			return &entryError{path: p, err: err}
		}
		return err
	}
	return nil
}

// entryError says which entry is wrong. Errors of the caller pass through it.
type entryError struct {
	path string
	err  error
}

func (e *entryError) Error() string { return fmt.Sprintf("entry %q: %v", e.path, e.err) }
func (e *entryError) Unwrap() error { return e.err }

func (t *tarReader) checkedPath(name string) (string, error) {
	if int64(len(name)) > t.reading.Limits.PathLength {
		return "", &limit.Exceeded{
			Limit: "path-length", Max: t.reading.Limits.PathLength, Unit: "bytes",
			What: fmt.Sprintf("the path %q…", name[:min(len(name), 64)]),
		}
	}
	p, err := CleanPath(name)
	if err != nil {
		return "", &entryError{path: name, err: err}
	}
	return p, nil
}

// place puts one entry into the index and shows it to the visitor.
func (t *tarReader) place(h *tar.Header, p string, content io.Reader) error {
	x, seq := t.contents.Index, uint32(t.entries)
	if strings.HasPrefix(path.Base(p), whiteoutPrefix) {
		return t.whiteout(p)
	}
	p, err := x.Place(p, seq)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.AddDir(p, seq)
	case tar.TypeSymlink:
		if _, err := t.checkedLink(h.Linkname); err != nil {
			return err
		}
		return x.AddSymlink(p, seq, h.Linkname)
	case tar.TypeLink:
		target, err := t.checkedLink(h.Linkname)
		if err != nil {
			return err
		}
		if target, err = CleanPath(target); err != nil {
			return fmt.Errorf("hard link to %q: %w", h.Linkname, err)
		}
		return x.AddHardLink(p, seq, target)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return x.AddOther(p, seq)
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return t.file(h, p, seq, content)
	default:
		return fmt.Errorf("its type %q is not one that layers have", h.Typeflag)
	}
}

func (t *tarReader) checkedLink(target string) (string, error) {
	if int64(len(target)) > t.reading.Limits.PathLength {
		return "", &limit.Exceeded{
			Limit: "path-length", Max: t.reading.Limits.PathLength, Unit: "bytes",
			What: fmt.Sprintf("the link target %q…", target[:min(len(target), 64)]),
		}
	}
	if strings.IndexByte(target, 0) >= 0 {
		return "", errors.New("the link target contains a NUL byte")
	}
	return target, nil
}

func (t *tarReader) whiteout(p string) error {
	x, base := t.contents.Index, path.Base(p)
	dir, err := x.follow(parent(p))
	if err != nil {
		return err
	}
	if base == whiteoutOpaque {
		return x.AddOpaque(dir)
	}
	if strings.HasPrefix(base, whiteoutMeta) {
		return nil
	}
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return errors.New("the whiteout names no file")
	}
	return x.AddWhiteout(path.Join(dir, name))
}

func (t *tarReader) file(h *tar.Header, p string, seq uint32, content io.Reader) error {
	limits := t.reading.Limits
	if h.Size > limits.FileSize {
		return &limit.Exceeded{Limit: "file-size", Max: limits.FileSize, Unit: "bytes", What: fmt.Sprintf("the file %q", p)}
	}
	// The holes of sparse files are no bytes of the stream, but whoever reads the file has to read them.
	if t.logical += h.Size; t.logical > limits.LayerSize {
		return &limit.Exceeded{Limit: "layer-size", Max: limits.LayerSize, Unit: "bytes",
			What: "the sum of all files of the layer"}
	}
	if t.logical > ratioFrom && t.logical/limits.Ratio > t.stream.layer.Size {
		return &limit.Exceeded{
			Limit: "ratio", Max: limits.Ratio, Unit: "uncompressed bytes for each compressed one",
			What: fmt.Sprintf("the layer with the file %q", p),
		}
	}
	info := FileInfo{name: path.Base(p), size: h.Size, mode: unpackMode(uint16(h.Mode & 0o7777)), modTime: h.ModTime}
	if err := t.contents.Index.AddFile(p, seq, info.size, info.mode); err != nil {
		return err
	}
	t.contents.Files++
	r := &contentReader{r: content}
	err := t.visit(File{Path: p, Seq: seq, Info: info}, r)
	switch {
	case err == nil:
		return nil
	case r.err != nil:
		return r.err
	case limitOf(err) != nil:
		return err
	default:
		return &visitError{err}
	}
}

// contentReader remembers whether the layer or its visitor failed.
type contentReader struct {
	r   io.Reader
	err error
}

func (c *contentReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// FileInfo describes a regular file. A header's own type bits are not in it: only its type flag decides what an entry
// is.
type FileInfo struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
}

// NewFileInfo returns the description of a regular file.
func NewFileInfo(name string, size int64, mode fs.FileMode) FileInfo {
	return FileInfo{name: name, size: size, mode: mode &^ fs.ModeType}
}

// Name implements fs.FileInfo.
func (i FileInfo) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i FileInfo) Size() int64 { return i.size }

// Mode implements fs.FileInfo.
func (i FileInfo) Mode() fs.FileMode { return i.mode }

// ModTime implements fs.FileInfo.
func (i FileInfo) ModTime() time.Time { return i.modTime }

// IsDir implements fs.FileInfo.
func (i FileInfo) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (i FileInfo) Sys() any { return nil }
