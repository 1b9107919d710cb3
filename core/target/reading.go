package target

import (
	"context"
	"errors"
	"io"

	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// interruptible stops reading when the context ends.
type interruptible struct {
	ctx context.Context //nolint:containedctx // it lives within one call
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// readHead returns the beginning of a regular file, up to sniffLength bytes.
func readHead(path string) ([]byte, error) {
	f, _, err := localfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return headOf(f)
}

// headOf reads up to sniffLength bytes.
func headOf(r io.Reader) ([]byte, error) {
	head := make([]byte, sniffLength)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head[:n], nil
}
