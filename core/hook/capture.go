package hook

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// capture takes what a program prints, up to a limit, into a file that nobody else can open. What comes after the limit
// is thrown away, and tells that it was exceeded.
type capture struct {
	file     *os.File
	limit    int64
	exceeded func()

	mu   sync.Mutex
	size int64
	err  error
}

func newCapture(dir string, limit int64, exceeded func()) (*capture, error) {
	f, err := os.CreateTemp(dir, "hook-output-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &capture{file: f, limit: limit, exceeded: exceeded}, nil
}

// Write implements io.Writer. It takes everything, so that the program is not told.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := p
	if room := c.limit - c.size; int64(len(kept)) > room {
		kept = kept[:max(room, 0)]
		c.exceeded()
	}
	n, err := c.file.Write(kept)
	c.size += int64(n)
	if err != nil && c.err == nil {
		c.err = err
	}
	return len(p), nil
}

// reader reads what was kept from the beginning.
func (c *capture) reader() (io.ReadSeeker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, fmt.Errorf("keep what it printed: %w", c.err)
	}
	return io.NewSectionReader(c.file, 0, c.size), nil
}

// shownBytes is how much of the beginning and of the end of a program's complaint is shown, in bytes.
const shownBytes = 200

// complaint returns the beginning and the end of what was printed, in a form that is safe to show. Secrets are blotted
// out.
func (c *capture) complaint(secrets []string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	const enough = 64 << 10 // secrets may reach beyond what is shown
	head, tail := make([]byte, min(c.size, enough)), []byte(nil)
	n, _ := c.file.ReadAt(head, 0)
	head = head[:n]
	if c.size > enough {
		tail = make([]byte, min(c.size-enough, enough))
		n, _ := c.file.ReadAt(tail, c.size-int64(len(tail)))
		tail = tail[:n]
	}
	text := string(bytes.TrimSpace(append(head, tail...)))
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	if len(text) > 2*shownBytes {
		text = text[:shownBytes] + " … " + text[len(text)-shownBytes:]
	}
	return redact.Limited(strings.ToValidUTF8(text, "\ufffd"), 4*shownBytes)
}

func (c *capture) close() { c.file.Close() }
