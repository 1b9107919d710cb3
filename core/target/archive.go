package target

import (
	"archive/tar"
	"bufio"
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
	"strconv"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxLinks is how many links in a row are followed inside an archive. Old docker save writes one.
const maxLinks = 8

// zstdWindow is the largest window that an archive may ask for: that of zstd --long.
const zstdWindow = 128 << 20

// member is a regular file of an archive: a section of the archive itself, where that is an uncompressed tar, or else a
// file of the spool.
type member struct {
	file         string
	offset, size int64
	digest       core.Digest // sha256; empty until hashed
	link         string      // the member that this one stands for, if it is a link
}

// archive is the table of contents of an image archive.
type archive struct {
	members map[string]*member
	entries int64
	names   int64 // bytes of all names and links
	limits  limit.Limits
}

// openArchiveFile opens an archive in a file, plain or compressed.
func openArchiveFile(ctx context.Context, ref string, c choice, file string, o Options) (*Target, error) {
	f, _, err := localfile.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := headOf(f)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	compression := sniffCompression(head)
	if compression == plain {
		a, err := indexTar(ctx, f, file, o.Limits)
		if err != nil {
			return nil, err
		}
		return a.open(ctx, ref, c, o)
	}
	return spoolArchive(ctx, ref, c, f, compression, o)
}

// spoolArchive copies an archive that can be read only once into a private directory, and opens it there.
func spoolArchive(ctx context.Context, ref string, c choice, r io.Reader, compression compression, o Options) (t *Target, err error) {
	dir, err := os.MkdirTemp(o.TempDir, "cleanbill-") // mode 0700
	if err != nil {
		return nil, advice.Unavailable("set TMPDIR to a directory that can be written", "no place to spool the archive: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	a := &archive{members: map[string]*member{}, limits: o.Limits}
	if err := a.spool(ctx, r, compression, dir); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			err = advice.Unavailable("free some space there, or set TMPDIR to another directory", "%s is full: %w", dir, err)
		}
		return nil, err
	}
	t, err = a.open(ctx, ref, c, o)
	if err != nil {
		return nil, err
	}
	t.close = append(t.close, func() error { return os.RemoveAll(dir) })
	return t, nil
}

// open makes a target of an archive whose contents are known.
func (a *archive) open(ctx context.Context, ref string, c choice, o Options) (*Target, error) {
	layout, index, docker := a.members[layoutFile], a.members[indexFile], a.members[dockerManifestFile]
	switch {
	case layout != nil && index != nil:
		return a.openLayout(ctx, ref, c, o)
	case docker != nil && index != nil:
		return nil, ambiguous("it has both %s and %s, but no %s, without which readers differ in which of them counts",
			dockerManifestFile, indexFile, layoutFile)
	case docker != nil:
		return a.openDocker(ctx, ref, c, o)
	}
	return nil, advice.Misuse("make it with docker save, podman save or skopeo copy; for the files of a source tree, unpack it and name the directory",
		"it is a tar archive, but not of an image: it has neither %s nor %s", layoutFile+" and "+indexFile, dockerManifestFile)
}

// indexTar lists an uncompressed tar without copying it.
func indexTar(ctx context.Context, f *os.File, file string, limits limit.Limits) (*archive, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	a := &archive{members: map[string]*member{}, limits: limits}
	return a, a.each(ctx, f, func(name string, h *tar.Header, _ io.Reader) error {
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		return a.add(ctx, name, &member{file: file, offset: offset, size: h.Size})
	})
}

// spool copies the files of a tar, plain or compressed, into dir.
func (a *archive) spool(ctx context.Context, r io.Reader, compression compression, dir string) error {
	in := &counted{r: r}
	plainTar, err := decompress(bufio.NewReaderSize(interruptible{ctx, in}, 1<<16), compression)
	if err != nil {
		return fmt.Errorf("%s archive: %w", compression, err)
	}
	defer plainTar.Close()
	out := &bounded{r: plainTar, in: in, limits: a.limits, compressed: compression != plain}
	if err := a.each(ctx, out, func(name string, h *tar.Header, content io.Reader) error {
		return a.spoolMember(ctx, name, h, content, filepath.Join(dir, strconv.FormatInt(a.entries, 10)))
	}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, out) // padding, and then the checksum of the compression
	if err != nil {
		return fmt.Errorf("after the last entry of the archive: %w", err)
	}
	return nil
}

func (a *archive) spoolMember(ctx context.Context, name string, h *tar.Header, content io.Reader, file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	m := &member{file: file, size: h.Size}
	sum := sha256.New()
	var w io.Writer = f
	if !strings.HasPrefix(name, "blobs/") { // those of a layout have their digest as name
		w = io.MultiWriter(f, sum)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{content}, make([]byte, 1<<18))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if w != io.Writer(f) {
		m.digest = core.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	}
	return a.add(ctx, name, m)
}

// each calls visit for every regular file of a tar, and remembers the links. What an image archive has no use for is
// refused: somebody made it for another reader than us.
func (a *archive) each(ctx context.Context, r io.Reader, visit func(string, *tar.Header, io.Reader) error) error {
	tr := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("entry %d of the archive: %w", a.entries+1, err)
		}
		if a.entries++; a.entries > a.limits.Entries {
			return &limit.Exceeded{Limit: "entries", Max: a.limits.Entries, Unit: "entries", What: "the archive"}
		}
		name, err := memberName(h.Name, a.limits)
		if err != nil {
			return err
		}
		if a.names += int64(len(h.Name) + len(h.Linkname)); a.names > a.limits.KeptSize {
			return &limit.Exceeded{Limit: "kept-size", Max: a.limits.KeptSize, Unit: "bytes", What: "the names in the archive"}
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeSymlink:
			err = a.addLink(ctx, name, path.Join(path.Dir(name), h.Linkname), h.Linkname)
		case tar.TypeLink:
			err = a.addLink(ctx, name, path.Clean(h.Linkname), h.Linkname)
		case tar.TypeReg:
			if isSparse(h) {
				return fmt.Errorf("entry %q of the archive is a sparse file, which image archives do not have", redact.Limited(name, 120))
			}
			err = visit(name, h, tr)
		default:
			return fmt.Errorf("entry %q of the archive is neither a file nor a directory nor a link (type %q)", redact.Limited(name, 120), h.Typeflag)
		}
		if err != nil {
			return fmt.Errorf("entry %q of the archive: %w", redact.Limited(name, 120), err)
		}
	}
}

// memberName returns the clean name of an entry, or an error if it leaves the archive.
func memberName(raw string, limits limit.Limits) (string, error) {
	if int64(len(raw)) > limits.PathLength {
		return "", &limit.Exceeded{Limit: "path-length", Max: limits.PathLength, Unit: "bytes", What: "the name of an entry of the archive"}
	}
	name := path.Clean(raw)
	if strings.HasPrefix(raw, "/") || !fs.ValidPath(name) || strings.ContainsRune(raw, 0) || hasParent(raw) {
		return "", fmt.Errorf("entry %q of the archive is not inside it", redact.Limited(raw, 120))
	}
	return name, nil
}

func hasParent(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func (a *archive) addLink(ctx context.Context, name, to, raw string) error {
	if strings.HasPrefix(raw, "/") || !fs.ValidPath(to) || int64(len(raw)) > a.limits.PathLength {
		return fmt.Errorf("it links to %q, which is not inside the archive", redact.Limited(raw, 120))
	}
	return a.add(ctx, name, &member{link: to})
}

// add remembers a member. Two entries of one name are refused unless they are the same, because readers differ in which
// of them counts.
func (a *archive) add(ctx context.Context, name string, m *member) error {
	old := a.members[name]
	if old == nil {
		a.members[name] = m
		return nil
	}
	same := old.link == m.link && old.size == m.size
	if same && m.link == "" {
		for _, each := range []*member{old, m} {
			if err := each.hash(ctx); err != nil {
				return err
			}
		}
		same = old.digest == m.digest
	}
	if !same {
		return errors.New("it is there twice, with different content")
	}
	return nil
}

// find returns the file of that name, through links.
func (a *archive) find(name string) (*member, error) {
	at := path.Clean(name)
	for range maxLinks {
		m := a.members[at]
		if m == nil {
			return nil, fmt.Errorf("the archive has no %q", redact.Limited(at, 120))
		}
		if m.link == "" {
			return m, nil
		}
		at = m.link
	}
	return nil, fmt.Errorf("%q of the archive is a chain of more than %d links, or a circle", redact.Limited(name, 120), maxLinks)
}

func (a *archive) readSmall(ctx context.Context, name string) ([]byte, error) {
	m, err := a.find(name)
	if err != nil {
		return nil, err
	}
	if m.size > a.limits.MetadataSize {
		return nil, tooLarge(redact.Limited(name, 120), a.limits.MetadataSize)
	}
	r, err := m.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(interruptible{ctx, r})
}

func (a *archive) layoutBlob(d core.Digest) (*member, error) {
	return a.find(blobName(d))
}

// blobName is where a layout keeps a blob.
func blobName(d core.Digest) string { return "blobs/" + strings.Replace(string(d), ":", "/", 1) }

func (m *member) open() (io.ReadCloser, error) {
	f, err := os.Open(m.file)
	if err != nil {
		return nil, localfile.Pathless(err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, m.offset, m.size), f}, nil
}

// hash fills in the digest.
func (m *member) hash(ctx context.Context) error {
	if m.digest != "" {
		return nil
	}
	r, err := m.open()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{interruptible{ctx, r}}, make([]byte, 1<<18))
	if err == nil && n != m.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	m.digest = core.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	return nil
}

// memberStore finds blobs among the members of an archive.
type memberStore struct {
	find   func(core.Digest) (*member, error)
	limits limit.Limits
}

func (s memberStore) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	return readAll(ctx, s, d, s.limits)
}

func (s memberStore) blob(_ context.Context, d descriptor) (io.ReadCloser, error) {
	m, err := s.find(d.Digest)
	if err != nil {
		return nil, err
	}
	if m.size != d.Size {
		return nil, &verify.MismatchError{Expected: d.Digest, ExpectedSize: d.Size, ActualSize: m.size}
	}
	return m.open()
}

// decompress undoes the compression of a whole archive.
func decompress(r io.Reader, c compression) (io.ReadCloser, error) {
	switch c {
	case gzipped:
		return gzip.NewReader(r)
	case zstandard:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	default:
		return io.NopCloser(r), nil
	}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ratioFrom is from how many bytes on the ratio of expansion is looked at.
const ratioFrom = 16 << 20

// bounded reads what comes out of a decompressor until a limit is exceeded.
type bounded struct {
	r          io.Reader
	in         *counted
	n          int64
	limits     limit.Limits
	compressed bool
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limits.TotalSize:
		return 0, &limit.Exceeded{Limit: "total-size", Max: b.limits.TotalSize, Unit: "bytes", What: "the unpacked archive"}
	case b.compressed && b.n > ratioFrom && b.n/b.limits.Ratio > b.in.n:
		return 0, &limit.Exceeded{Limit: "ratio", Max: b.limits.Ratio, Unit: "bytes for each compressed byte", What: "the unpacked archive"}
	}
	return n, err
}
