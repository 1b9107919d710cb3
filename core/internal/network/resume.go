package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// hangCost is how many resumes a hang counts for besides its own, because each takes the whole timeout.
const hangCost = 3

// UnknownSize is a Body's size that the server tells.
const UnknownSize = -1

// Body streams what a request answers, and goes on where it was when the connection breaks. Fill the fields and call
// Connect before the first Read.
type Body struct {
	// Get asks with these headers besides its own. It may be called again as long as the body is read.
	Get func(http.Header) (*http.Response, error)
	// Size is how many bytes must come, or UnknownSize.
	Size int64
	// Mismatch is the error for a size that is not Size; nil for a general one.
	Mismatch func(actual int64) error
	// Explain makes the error that Read returns; nil for none.
	Explain  func(error) error
	Patience Patience
	Log      hclog.Logger // may be nil
	// Name is what is fetched, for the log.
	Name string
	// Versioned says that the content may change under its name, so that a resumed body has to be of the same version.
	Versioned bool
	// Header is that of the first answer, after Connect.
	Header http.Header

	ctx      context.Context //nolint:containedctx // the reader asks again on its behalf
	body     io.ReadCloser
	n        int64  // bytes handed out
	version  string // a strong entity tag, so that parts of two versions are not put together
	noRanges bool   // the server refused one
	resumes  int
	err      error // sticky
}

// Connect asks for the body. Its error was not explained.
func (b *Body) Connect(ctx context.Context) error {
	b.ctx = ctx
	if b.Log == nil {
		b.Log = hclog.NewNullLogger()
	}
	return b.connect()
}

// connect asks for the rest of the body.
func (b *Body) connect() error {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if b.n > 0 && !b.noRanges {
		header.Set("Range", "bytes="+strconv.FormatInt(b.n, 10)+"-"+b.last())
		if b.version != "" {
			header.Set("If-Range", b.version)
		}
	}
	resp, err := b.Get(header)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && !b.noRanges {
		resp.Body.Close()
		b.noRanges = true
		return b.connect()
	}
	if err := b.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	b.body = resp.Body
	if b.Header == nil {
		b.Header = resp.Header
	}
	return nil
}

func (b *Body) last() string {
	if b.Size < 0 {
		return ""
	}
	return strconv.FormatInt(b.Size-1, 10)
}

func (b *Body) accept(resp *http.Response) error {
	tag := resp.Header.Get("ETag")
	if !b.Versioned || strings.HasPrefix(tag, "W/") {
		tag = ""
	}
	if b.Header != nil && b.version != "" && tag != b.version {
		return errors.New("what the server sends has changed since the connection broke")
	}
	b.version = tag
	switch resp.StatusCode {
	case http.StatusOK:
		if b.Size < 0 && resp.ContentLength >= 0 {
			b.Size = resp.ContentLength
		}
		if resp.ContentLength >= 0 && resp.ContentLength != b.Size {
			return b.mismatch(resp.ContentLength)
		}
		// A server that knows no ranges starts anew.
		if _, err := io.CopyN(io.Discard, resp.Body, b.n); err != nil {
			return &BodyError{err}
		}
		return nil
	case http.StatusPartialContent:
		start, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "-")
		if start != strconv.FormatInt(b.n, 10) {
			return fmt.Errorf("asked for the bytes from %d on, the server sent %q", b.n, redact.Limited(resp.Header.Get("Content-Range"), 80))
		}
		return nil
	default:
		return ReadStatus(resp)
	}
}

func (b *Body) mismatch(actual int64) error {
	if b.Mismatch != nil {
		return b.Mismatch(actual)
	}
	return fmt.Errorf("the server sent %d bytes, and had announced %d", actual, b.Size)
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	for {
		n, err := b.body.Read(p)
		b.n += int64(n)
		switch {
		case b.Size >= 0 && b.n > b.Size:
			b.err = b.mismatch(b.n)
			return 0, b.err
		case err == nil:
			return n, nil
		case (b.n == b.Size || b.Size < 0) && errors.Is(err, io.EOF):
			b.err = io.EOF
			return n, b.err
		}
		if err := b.resume(&BodyError{err}); err != nil {
			b.err = err
			if b.Explain != nil {
				b.err = b.Explain(err)
			}
		}
		if n > 0 || b.err != nil {
			return n, b.err
		}
	}
}

// resume connects again after the connection ended with err before the body did.
func (b *Body) resume(err error) error {
	b.body.Close()
	b.body = http.NoBody
	for {
		if b.ctx.Err() != nil || !Resumable(err) {
			return err
		}
		b.resumes++
		if IsHang(err) {
			b.resumes += hangCost
		}
		if b.resumes > b.Patience.Resumes {
			return fmt.Errorf("too many interruptions, the last after %d of %d bytes: %w", b.n, b.Size, err)
		}
		delay := b.Patience.Backoff(b.resumes)
		b.Log.Debug("connection broke in a body, resuming", "name", b.Name, "at", b.n, "in", delay,
			"because", redact.Limited(Leaf(err).Error(), 200))
		if err := Sleep(b.ctx, delay); err != nil {
			return err
		}
		if err = b.connect(); err == nil {
			return nil
		}
	}
}

// Close implements io.Closer.
func (b *Body) Close() error {
	if b.err == nil {
		b.err = errors.New("read after close")
	}
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}

// BodyError is the error of a body that ended too early. Errors before the body were already retried by the transport.
type BodyError struct{ Err error }

// Error implements error.
func (e *BodyError) Error() string {
	if errors.Is(e.Err, io.EOF) {
		return "it ended too early"
	}
	return e.Err.Error()
}

// Unwrap returns the error of the connection.
func (e *BodyError) Unwrap() error { return e.Err }

// Resumable reports whether the rest may come over a new connection.
func Resumable(err error) bool {
	var body *BodyError
	return errors.As(err, &body) && (IsHang(body.Err) || IsInterruption(body.Err))
}

// Attempts repeats a small request whole when its body breaks off, for what has no use in parts.
func Attempts(ctx context.Context, p Patience, ask func() error) error {
	for attempt := 1; ; attempt++ {
		err := ask()
		if err == nil {
			return nil
		}
		if IsHang(err) {
			attempt += hangCost
		}
		if ctx.Err() != nil || !Resumable(err) || attempt >= p.Attempts {
			return err
		}
		if err := Sleep(ctx, p.Backoff(attempt)); err != nil {
			return err
		}
	}
}
