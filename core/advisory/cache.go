package advisory

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"crypto/sha256"

	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// Cache keeps, in a directory, blobs of sets by digest, downloaded exports, and which digest a reference had when it was
// last asked. Any number of processes use it at once without waiting for each other: what is written appears whole, under
// a name that follows from its content or replaces an older one at once, and what is read is verified. A damaged or
// half-written file counts as absent.
type Cache struct{ dir string }

// cacheTag keeps backups out. https://bford.info/cachedir/
const cacheTag = "Signature: 8a477f597d28d172789f06886806bc55\n"

// maxHead bounds the file of one reference, in bytes.
const maxHead = 64 << 10

// OpenCache makes dir a cache, if it is not one.
func OpenCache(dir string) (*Cache, error) {
	for _, sub := range []string{filepath.Join("blobs", "sha256"), "heads", "exports"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	tag := filepath.Join(dir, "CACHEDIR.TAG")
	if _, err := os.Lstat(tag); errors.Is(err, fs.ErrNotExist) {
		if err := replaceFile(tag, []byte(cacheTag)); err != nil {
			return nil, err
		}
	}
	return &Cache{dir: dir}, nil
}

func (c *Cache) blob(d descriptor) string {
	return filepath.Join(c.dir, filepath.FromSlash(blobPath(d.Digest)))
}

// get returns a blob that is there and whole; an error that is fs.ErrNotExist otherwise. It marks the blob as used.
func (c *Cache) get(_ context.Context, d descriptor, most int64) ([]byte, error) {
	if err := d.check(most); err != nil {
		return nil, err
	}
	absent := fmt.Errorf("advisory blob %s: %w", d.Digest.Short(), fs.ErrNotExist)
	f, size, err := localfile.Open(c.blob(d))
	if err != nil {
		return nil, absent
	}
	defer f.Close()
	raw, err := readBlob(f, d)
	if err != nil || size != d.Size {
		os.Remove(c.blob(d)) // damaged: the next to come writes it anew
		return nil, absent
	}
	now := time.Now()
	_ = os.Chtimes(c.blob(d), now, now) // only housekeeping: see sweep
	return raw, nil
}

// put keeps a blob that was verified.
func (c *Cache) put(d descriptor, raw []byte) error { return replaceFile(c.blob(d), raw) }

// head is what a reference led to, with its signatures if somebody asked for them. Whoever can write to the cache can
// write it: what is read offline is worth what its signature is worth.
type head struct {
	Reference  string     `json:"reference"`
	Descriptor descriptor `json:"descriptor"`
	Attached   []attached `json:"attached,omitempty"`
	Checked    time.Time  `json:"checked"`
}

func (c *Cache) headFile(reference string) string {
	sum := sha256.Sum256([]byte(reference))
	return filepath.Join(c.dir, "heads", hex.EncodeToString(sum[:16])+".json")
}

// head returns what the reference led to when it was last asked.
func (c *Cache) head(reference string) (head, bool) {
	raw, err := localfile.Read(c.headFile(reference), maxHead)
	var h head
	if err != nil || json.Unmarshal(raw, &h) != nil || h.Reference != reference || h.Descriptor.check(maxManifest) != nil {
		return head{}, false
	}
	return h, true
}

// setHead writes down what a reference led to. Signatures that are known of the same set stay known.
func (c *Cache) setHead(h head) error {
	if before, ok := c.head(h.Reference); ok && h.Attached == nil && before.Descriptor.Digest == h.Descriptor.Digest {
		h.Attached = before.Attached
	}
	h.Checked = h.Checked.UTC().Truncate(time.Second)
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return replaceFile(c.headFile(h.Reference), raw)
}

// unused is how long what no reference leads to is kept for processes that still read it.
const unused = 48 * time.Hour

// sweep removes what nothing leads to and nobody used for a while. It is only housekeeping: what fails stays for the
// next time.
func (c *Cache) sweep(ctx context.Context, now time.Time) {
	keep := map[string]bool{}
	heads, _ := filepath.Glob(filepath.Join(c.dir, "heads", "*.json"))
	for _, name := range heads {
		raw, err := localfile.Read(name, maxHead)
		var h head
		if err != nil || json.Unmarshal(raw, &h) != nil {
			continue
		}
		c.keepOf(ctx, keep, h.Descriptor)
		for _, a := range h.Attached {
			c.keepOf(ctx, keep, a.Descriptor)
		}
	}
	removeUnused(filepath.Join(c.dir, "blobs", "sha256"), keep, now)
	removeUnused(filepath.Join(c.dir, "exports"), nil, now.Add(-30*24*time.Hour))
}

// keepOf marks a manifest and what it names.
func (c *Cache) keepOf(ctx context.Context, keep map[string]bool, d descriptor) {
	keep[filepath.Base(c.blob(d))] = true
	raw, err := c.get(ctx, d, maxManifest)
	var m manifestBlobs
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return
	}
	for _, d := range append(m.Layers, m.Config) {
		keep[strings.TrimPrefix(string(d.Digest), "sha256:")] = true
	}
}

// manifestBlobs are the blobs that a manifest names.
type manifestBlobs struct {
	Config descriptor   `json:"config"`
	Layers []descriptor `json:"layers"`
}

// removeUnused removes the files of a directory that are not to be kept and were not touched for a while. Whoever is
// still writing one has touched it.
func removeUnused(dir string, keep map[string]bool, now time.Time) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, n := range names {
		info, err := n.Info()
		if err == nil && !keep[n.Name()] && now.Sub(info.ModTime()) > unused {
			os.Remove(filepath.Join(dir, n.Name()))
		}
	}
}
