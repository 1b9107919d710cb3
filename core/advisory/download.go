package advisory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// maxDownload bounds one export, in bytes. The largest of OSV has a few hundred MiB.
const maxDownload = 4 << 30

// Network says how servers of exports are reached. The zero value has no proxies and default patience.
type Network struct {
	// Getenv looks up proxies; nil means an empty environment.
	Getenv func(string) string
	// Transport is nil for one with the proxies of the environment.
	Transport http.RoundTripper
	Patience  network.Patience
	UserAgent string
}

// downloader fetches files over HTTPS, or plain HTTP from this machine, into the cache or a temporary file.
type downloader struct {
	network  Network
	patience network.Patience
	cache    *Cache // nil for none
	log      hclog.Logger
	progress func(string)
}

func newDownloader(n Network, c *Cache, log hclog.Logger, progress func(string)) *downloader {
	if n.Getenv == nil {
		n.Getenv = func(string) string { return "" }
	}
	if n.Transport == nil {
		n.Transport = network.Transport(n.Getenv)
	}
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &downloader{network: n, patience: n.Patience.Filled(), cache: c, log: log, progress: progress}
}

// isURL reports whether a name is an address of the web, not of a file.
func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// copied is an open file with what a name led to.
type copied struct {
	*os.File
	size int64
	// modified is what the server said; zero for files of this machine, whose dates copying changes.
	modified time.Time
}

// open opens a file, or downloads an address and opens the copy.
func (d *downloader) open(ctx context.Context, name string) (*copied, error) {
	if isURL(name) {
		c, err := d.download(ctx, name)
		if err != nil {
			return nil, err
		}
		if _, err := c.Seek(0, io.SeekStart); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	}
	f, size, err := localfile.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &copied{File: f, size: size}, nil
}

// kept describes a download in the cache.
type kept struct {
	URL      string `json:"url"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	File     string `json:"file"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
}

func (d *downloader) download(ctx context.Context, address string) (*copied, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%s is not an address of the web without credentials", redact.Reference(address))
	}
	have, old := d.kept(address)
	c, err := d.ask(ctx, u, have)
	var status *network.StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotModified && old != nil {
		d.progress("unchanged: " + redact.Reference(address))
		return old, nil
	}
	if old != nil {
		old.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", redact.Reference(address), network.Explain(u.Host, err))
	}
	return c, nil
}

// kept returns what the cache has of an address, whole.
func (d *downloader) kept(address string) (kept, *copied) {
	if d.cache == nil {
		return kept{}, nil
	}
	raw, err := localfile.Read(d.cache.exportFile(address), maxHead)
	var k kept
	if err != nil || json.Unmarshal(raw, &k) != nil || k.URL != address || !filepath.IsLocal(k.File) {
		return kept{}, nil
	}
	f, size, err := localfile.Open(filepath.Join(d.cache.dir, "exports", k.File))
	if err != nil {
		return kept{}, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil || size != k.Size || hex.EncodeToString(h.Sum(nil)) != k.SHA256 {
		f.Close()
		return kept{}, nil
	}
	return k, &copied{File: f, size: size, modified: httpTime(k.Modified)}
}

func httpTime(s string) time.Time {
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (c *Cache) exportFile(address string) string {
	sum := sha256.Sum256([]byte(address))
	return filepath.Join(c.dir, "exports", hex.EncodeToString(sum[:16])+".json")
}

// ask requests an address, unless it is still what the cache has, and spools the answer.
func (d *downloader) ask(ctx context.Context, u *url.URL, have kept) (*copied, error) {
	client := &http.Client{Transport: network.Patient(d.network.Transport, d.patience, network.IsLoopback(u.Host), d.log)}
	body := &network.Body{
		Get: func(h http.Header) (*http.Response, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
			if err != nil {
				return nil, err
			}
			req.Header = h
			if d.network.UserAgent != "" {
				req.Header.Set("User-Agent", d.network.UserAgent)
			}
			if have.ETag != "" && h.Get("Range") == "" {
				req.Header.Set("If-None-Match", have.ETag)
			}
			return client.Do(req)
		},
		Size: network.UnknownSize, Versioned: true, Patience: d.patience, Log: d.log, Name: redact.Reference(u.String()),
	}
	if err := body.Connect(ctx); err != nil {
		return nil, err
	}
	defer body.Close()
	if body.Size > maxDownload {
		return nil, tooLargeDownload(u)
	}
	if body.Size > 0 {
		d.progress(fmt.Sprintf("download %s (%.1f MB)", redact.Reference(u.String()), float64(body.Size)/1e6))
	} else {
		d.progress("download " + redact.Reference(u.String()))
	}
	return d.spool(u, body)
}

func tooLargeDownload(u *url.URL) error {
	return &limit.Exceeded{Limit: "download", Max: maxDownload, Unit: "bytes", What: redact.Reference(u.String())}
}

// spool writes a body into the cache, or into a file that is gone when it is closed.
func (d *downloader) spool(u *url.URL, body *network.Body) (_ *copied, err error) {
	dir := ""
	if d.cache != nil {
		dir = filepath.Join(d.cache.dir, "exports")
	}
	f, err := os.CreateTemp(dir, unfinished+"*")
	if err != nil {
		return nil, err
	}
	defer func() {
		os.Remove(f.Name()) // it has another name by now, or should have none
		if err != nil {
			f.Close()
		}
	}()
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(body, maxDownload+1))
	if err != nil {
		return nil, err
	}
	if size > maxDownload {
		return nil, tooLargeDownload(u)
	}
	k := kept{URL: u.String(), ETag: body.Header.Get("ETag"), Modified: body.Header.Get("Last-Modified"), Size: size,
		SHA256: hex.EncodeToString(h.Sum(nil))}
	if d.cache != nil {
		if err := d.cache.keepExport(k, f.Name()); err != nil {
			return nil, fmt.Errorf("keep it: %w", err)
		}
	}
	return &copied{File: f, size: size, modified: httpTime(k.Modified)}, nil
}

// keepExport gives a spooled file its name, and then makes its address lead to it. The file that it led to before is
// removed; whoever reads it has it open.
func (c *Cache) keepExport(k kept, spooled string) error {
	meta := c.exportFile(k.URL)
	var before kept
	if raw, err := localfile.Read(meta, maxHead); err == nil {
		_ = json.Unmarshal(raw, &before) // what cannot be read is replaced
	}
	k.File = strings.TrimSuffix(filepath.Base(meta), ".json") + "-" + k.SHA256[:16]
	if err := os.Rename(spooled, filepath.Join(c.dir, "exports", k.File)); err != nil {
		return err
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := replaceFile(meta, raw); err != nil {
		return err
	}
	if before.File != "" && before.File != k.File && filepath.IsLocal(before.File) {
		os.Remove(filepath.Join(c.dir, "exports", before.File))
	}
	return nil
}
