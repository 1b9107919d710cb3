// Package verify checks bytes against the digest and size that somebody promised for them, while they stream past.
//
// It holds nothing but that check: fetching, decompressing and limits live with their users.
package verify

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// UnknownSize is passed to Reader when nothing was promised about the size.
const UnknownSize = -1

// MismatchError is the error for bytes that are not what was promised.
type MismatchError struct {
	Expected, Actual core.Digest // Actual is empty when the size alone shows that the bytes are wrong
	// ExpectedSize and ActualSize are in bytes. ExpectedSize is UnknownSize if none was promised. When more came than
	// was promised, reading stopped and ActualSize is how much had come by then.
	ExpectedSize, ActualSize int64
}

// Error names what was expected and what came.
func (e *MismatchError) Error() string {
	switch {
	case e.ExpectedSize >= 0 && e.ActualSize > e.ExpectedSize:
		return fmt.Sprintf("%s has more than the %d bytes expected", e.Expected, e.ExpectedSize)
	case e.ExpectedSize >= 0 && e.ActualSize < e.ExpectedSize:
		return fmt.Sprintf("%s ended after %d of the %d bytes expected", e.Expected, e.ActualSize, e.ExpectedSize)
	default:
		return fmt.Sprintf("expected %s but the %d bytes received have %s", e.Expected, e.ActualSize, e.Actual)
	}
}

// Unwrap lets callers tell a truncated stream from other mismatches with errors.Is(err, io.ErrUnexpectedEOF).
func (e *MismatchError) Unwrap() error {
	if e.ExpectedSize >= 0 && e.ActualSize < e.ExpectedSize {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Reader returns a reader of r's bytes that gives io.EOF only if they were exactly size bytes (unless size is
// UnknownSize) with the digest; otherwise the last Read gives a *MismatchError. Bytes handed out before that are not yet
// verified. It never hands out more than size bytes.
func Reader(r io.Reader, size int64, digest core.Digest) io.Reader {
	h, err := newHash(digest)
	return &reader{r: r, size: size, digest: digest, hash: h, err: err}
}

// ReadCloser is Reader with r's Close.
func ReadCloser(r io.ReadCloser, size int64, digest core.Digest) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{Reader(r, size, digest), r}
}

// Bytes checks b as a whole.
func Bytes(b []byte, size int64, digest core.Digest) error {
	h, err := newHash(digest)
	if err != nil {
		return err
	}
	n := int64(len(b))
	if size >= 0 && n != size {
		return &MismatchError{Expected: digest, ExpectedSize: size, ActualSize: n}
	}
	h.Write(b)
	if actual := digestOf(digest, h); actual != digest {
		return &MismatchError{Expected: digest, Actual: actual, ExpectedSize: size, ActualSize: n}
	}
	return nil
}

// DigestOf computes the sha256 digest of b.
func DigestOf(b []byte) core.Digest {
	sum := sha256.Sum256(b)
	return core.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

type reader struct {
	r      io.Reader
	size   int64
	digest core.Digest
	hash   hash.Hash
	n      int64
	err    error // sticky
}

func (v *reader) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	// One byte more than is left shows an overlong stream without handing the excess out.
	if v.size >= 0 && int64(len(p)) > v.size-v.n+1 {
		p = p[:v.size-v.n+1]
	}
	n, err := v.r.Read(p)
	v.n += int64(n)
	if v.size >= 0 && v.n > v.size {
		v.err = v.mismatch("")
		n = max(0, n-int(v.n-v.size))
		v.hash.Write(p[:n])
		return n, v.err
	}
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		err = v.atEnd()
	}
	v.err = err
	return n, err
}

func (v *reader) atEnd() error {
	if v.size >= 0 && v.n != v.size {
		return v.mismatch("")
	}
	if actual := digestOf(v.digest, v.hash); actual != v.digest {
		return v.mismatch(actual)
	}
	return io.EOF
}

func (v *reader) mismatch(actual core.Digest) error {
	return &MismatchError{Expected: v.digest, Actual: actual, ExpectedSize: v.size, ActualSize: v.n}
}

func newHash(d core.Digest) (hash.Hash, error) {
	if _, err := core.ParseDigest(string(d)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(d), "sha512:") {
		return sha512.New(), nil
	}
	return sha256.New(), nil
}

func digestOf(like core.Digest, h hash.Hash) core.Digest {
	algorithm, _, _ := strings.Cut(string(like), ":")
	return core.Digest(algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}
