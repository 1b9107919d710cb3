package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

const (
	chunkSize = 256 << 10
	// queued is how many chunks may wait between two stages of one layer.
	queued = 4
	// ratioFrom is where the expansion ratio begins to count, in uncompressed bytes.
	ratioFrom = 16 << 20
	// maxWindow is the largest window of a zstd stream, as the zstd command's own default.
	maxWindow = 128 << 20
)

// chunk is a piece of a stream that one or two stages read; the last to release it gives it back.
type chunk struct {
	buf  [chunkSize]byte
	n    int
	refs atomic.Int32
}

// chunks are shared by the streams of one Reading.
type chunks struct{ pool sync.Pool }

func (c *chunks) get(refs int32) *chunk {
	p, ok := c.pool.Get().(*chunk)
	if !ok {
		p = new(chunk)
	}
	p.n = 0
	p.refs.Store(refs)
	return p
}

func (c *chunks) release(p *chunk) {
	if p.refs.Add(-1) == 0 {
		c.pool.Put(p)
	}
}

// stream reads the blob of one layer in four stages that run at the same time: fetch (and hash), inflate, hash, and
// whoever calls Read. Every byte of the blob and of what it inflates to is hashed, whatever the reader skips.
type stream struct {
	ctx    context.Context
	cancel context.CancelFunc
	layer  Layer
	limits limit.Limits
	total  *limit.Counter
	chunks *chunks
	// onChunk is called by Read and Seek for every chunk.
	onChunk func()

	blob, plain, hashed chan *chunk
	stages              sync.WaitGroup
	// blobErr, plainErr and diffID are set before the stage that writes them is done.
	blobErr  error
	plainErr error
	diffID   core.Digest
	read     atomic.Int64 // of the blob
	inflated int64

	current *chunk
	rest    []byte
	pos     int64
}

// openStream starts to read. The caller must call finish.
func openStream(ctx context.Context, l Layer, r *Reading, onChunk func()) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{
		ctx: ctx, cancel: cancel, layer: l, limits: r.Limits, total: r.total, chunks: &r.chunks, onChunk: onChunk,
		blob: make(chan *chunk, queued), plain: make(chan *chunk, queued), hashed: make(chan *chunk, queued),
	}
	s.stages.Add(3)
	go s.fetch()
	go s.inflate()
	go s.hash()
	return s
}

// fetch reads and hashes the blob. A source that hangs is left behind when the context ends.
func (s *stream) fetch() {
	done := make(chan error, 1)
	go func() { done <- s.fetchBlob() }()
	select {
	case s.blobErr = <-done:
		close(s.blob)
	case <-s.ctx.Done():
		s.blobErr = context.Cause(s.ctx)
	}
	s.stages.Done()
}

func (s *stream) fetchBlob() error {
	r, err := s.layer.Open(s.ctx)
	if err != nil {
		return fmt.Errorf("open the blob: %w", err)
	}
	defer r.Close()
	h := newHash(s.layer.Digest)
	for got := int64(0); ; {
		c := s.chunks.get(1)
		n, err := io.ReadFull(r, c.buf[:])
		got += int64(n)
		if got > s.layer.Size {
			return fmt.Errorf("the blob is larger than the %d bytes that the manifest states", s.layer.Size)
		}
		h.Write(c.buf[:n])
		s.read.Store(got)
		c.n = n
		if n > 0 && !send(s.ctx, s.blob, c) {
			return context.Cause(s.ctx)
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("read the blob after %d of %d bytes: %w", got, s.layer.Size, err)
		case got < s.layer.Size:
			return fmt.Errorf("the blob is truncated: %d of the %d bytes that the manifest states", got, s.layer.Size)
		default:
			return checkDigest("the blob", s.layer.Digest, digestOf(s.layer.Digest, h))
		}
	}
}

func send(ctx context.Context, to chan<- *chunk, c *chunk) bool {
	select {
	case to <- c:
		return true
	case <-ctx.Done():
		return false
	}
}

// inflate uncompresses the blob into chunks that go to the hash and to the reader.
func (s *stream) inflate() {
	defer s.stages.Done()
	defer close(s.plain)
	defer close(s.hashed)
	in := &chunkReader{ctx: s.ctx, chunks: s.chunks, from: s.blob}
	s.plainErr = s.inflateFrom(bufio.NewReaderSize(in, 64<<10))
	if limitOf(s.plainErr) != nil {
		s.cancel()
		return
	}
	in.drain()
}

func (s *stream) inflateFrom(in *bufio.Reader) error {
	r, err := decompressor(in, s.layer.MediaType)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		c := s.chunks.get(2)
		var err error
		for c.n < chunkSize && err == nil {
			var n int
			n, err = r.Read(c.buf[c.n:])
			c.n += n
		}
		s.inflated += int64(c.n)
		if limitErr := s.checkSize(int64(c.n)); limitErr != nil {
			return limitErr
		}
		if c.n > 0 && (!send(s.ctx, s.hashed, c) || !send(s.ctx, s.plain, c)) {
			return context.Cause(s.ctx)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("inflate the layer after %d bytes: %w", s.inflated, err)
		}
	}
}

// checkSize applies the limits on the uncompressed size, of which n bytes are new.
func (s *stream) checkSize(n int64) error {
	if s.inflated > s.limits.LayerSize {
		return &limit.Exceeded{Limit: "layer-size", Max: s.limits.LayerSize, Unit: "bytes", What: "the uncompressed layer"}
	}
	// Division, because the product could overflow.
	if s.inflated > ratioFrom && s.inflated/s.limits.Ratio > s.layer.Size {
		return &limit.Exceeded{
			Limit: "ratio", Max: s.limits.Ratio, Unit: "uncompressed bytes for each compressed one", What: "the layer",
		}
	}
	return s.total.Add(n)
}

func (s *stream) hash() {
	defer s.stages.Done()
	h := newHash(s.layer.DiffID)
	for {
		c, ok := receive(s.ctx, s.hashed)
		if !ok {
			break
		}
		h.Write(c.buf[:c.n])
		s.chunks.release(c)
	}
	s.diffID = digestOf(s.layer.DiffID, h)
}

func receive(ctx context.Context, from <-chan *chunk) (*chunk, bool) {
	select {
	case c, ok := <-from:
		return c, ok
	default:
	}
	select {
	case c, ok := <-from:
		return c, ok
	case <-ctx.Done():
		return nil, false
	}
}

// Read reads the uncompressed layer. io.EOF may mean that an earlier stage failed: finish tells.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 && !s.next() {
		return 0, s.end()
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.pos += int64(n)
	return n, nil
}

// Seek only skips forward, without copying; archive/tar uses it to pass over the files that nobody wants. An end before
// the offset is io.ErrUnexpectedEOF, because archive/tar takes io.EOF for the end of the archive: a layer that stops in
// the middle of a file would look whole.
func (s *stream) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errors.New("a layer is read forward only")
	}
	for offset > 0 {
		if len(s.rest) == 0 && !s.next() {
			err := s.end()
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return s.pos, err
		}
		n := min(offset, int64(len(s.rest)))
		s.rest = s.rest[n:]
		s.pos += n
		offset -= n
	}
	return s.pos, nil
}

// trailing reads to the end and reports whether anything but zeros was left. Archives are padded with zeros, by GNU tar
// to a multiple of 10 KiB.
func (s *stream) trailing() bool {
	found := false
	for {
		found = found || len(bytes.TrimLeft(s.rest, "\x00")) > 0
		if !s.next() {
			return found
		}
	}
}

func (s *stream) next() bool {
	if s.current != nil {
		s.chunks.release(s.current)
		s.current = nil
	}
	c, ok := receive(s.ctx, s.plain)
	if !ok {
		return false
	}
	s.current, s.rest = c, c.buf[:c.n]
	s.onChunk()
	return true
}

func (s *stream) end() error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	return io.EOF
}

// finish reads what is left and returns why the layer cannot be trusted: readErr is what its reader ran into. A wrong
// digest explains everything that follows from it, so it comes first, but what exceeded a limit is not read on.
func (s *stream) finish(readErr error) error {
	if limitOf(readErr) != nil {
		s.cancel()
	}
	for s.next() {
	}
	s.stages.Wait()
	if s.current != nil {
		s.chunks.release(s.current)
	}
	cause := s.ctx.Err()
	s.cancel()
	for _, err := range []error{readErr, s.plainErr} {
		if l := limitOf(err); l != nil {
			return err
		}
	}
	switch {
	case cause != nil:
		return cause
	case s.blobErr != nil:
		return s.blobErr
	case s.plainErr != nil:
		return s.plainErr
	case readErr != nil:
		return readErr
	default:
		return checkDigest("the uncompressed layer", s.layer.DiffID, s.diffID)
	}
}

func limitOf(err error) *limit.Exceeded {
	var l *limit.Exceeded
	errors.As(err, &l)
	return l
}

func checkDigest(what string, want, got core.Digest) error {
	if want == got {
		return nil
	}
	return fmt.Errorf("the digest of %s is %s, not %s as stated", what, got, want)
}

func newHash(d core.Digest) hash.Hash {
	if strings.HasPrefix(string(d), "sha512:") {
		return sha512.New()
	}
	return sha256.New()
}

func digestOf(like core.Digest, h hash.Hash) core.Digest {
	algorithm, _, _ := strings.Cut(string(like), ":")
	return core.Digest(algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}

// chunkReader reads chunks as bytes.
type chunkReader struct {
	ctx     context.Context
	chunks  *chunks
	from    <-chan *chunk
	current *chunk
	rest    []byte
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && !r.next() {
		if err := context.Cause(r.ctx); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *chunkReader) next() bool {
	if r.current != nil {
		r.chunks.release(r.current)
		r.current = nil
	}
	c, ok := receive(r.ctx, r.from)
	if !ok {
		return false
	}
	r.current, r.rest = c, c.buf[:c.n]
	return true
}

// drain lets the fetching stage hash the rest of a blob that cannot be inflated.
func (r *chunkReader) drain() {
	for r.next() {
	}
}

var magics = []struct {
	magic       []byte
	compression string
}{
	{[]byte{0xfd, '7', 'z', 'X', 'Z', 0}, "xz"},
	{[]byte{0x04, 0x22, 0x4d, 0x18}, "lz4"},
	{[]byte("BZh91AY&SY"), "bzip2"},
}

// decompressor chooses by the first bytes, because media types are often wrong: containerd and Docker do the same.
func decompressor(in *bufio.Reader, mediaType string) (io.ReadCloser, error) {
	if strings.Contains(mediaType, "+encrypted") {
		return nil, fmt.Errorf("the layer is encrypted (%s)", mediaType)
	}
	head, err := in.Peek(10)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("read the gzip header: %w", err)
		}
		return r, nil
	case isZstd(head):
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("read the zstd header: %w", err)
		}
		return r.IOReadCloser(), nil
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, m.magic) {
			return nil, fmt.Errorf("the layer is compressed with %s: only gzip, zstd and uncompressed layers exist in images",
				m.compression)
		}
	}
	return io.NopCloser(in), nil
}

// isZstd recognises a frame or a skippable frame.
//
// https://www.rfc-editor.org/rfc/rfc8878#section-3.1
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}
