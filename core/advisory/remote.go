package advisory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// remote is a set in a registry, behind a cache. Blobs are fetched when they are asked for, and kept.
type remote struct {
	reference name.Reference
	options   registry.Options
	cache     *Cache // nil for none
	offline   bool
	log       hclog.Logger

	head  descriptor // what the reference led to
	asked bool       // the registry said so, in this run
	now   time.Time  // when

	dial       sync.Mutex // guards repository
	repository *registry.Repository

	fetched, bytes atomic.Int64
}

// errOffline says that the network was needed and may not be used.
var errOffline = errors.New("it is not in the cache, and the network may not be used")

func (r *remote) repo(ctx context.Context) (*registry.Repository, error) {
	r.dial.Lock()
	defer r.dial.Unlock()
	if r.repository != nil {
		return r.repository, nil
	}
	repository, err := registry.Dial(ctx, r.reference.Context(), r.options)
	if err != nil {
		return nil, err
	}
	r.repository = repository
	return repository, nil
}

// remember writes down what the reference led to, and its signatures.
func (r *remote) remember(d descriptor, signatures []attached) {
	if r.cache == nil {
		return
	}
	if err := r.cache.setHead(head{Reference: r.reference.Name(), Descriptor: d, Attached: signatures, Checked: r.now}); err != nil {
		r.log.Debug("cannot remember what the reference led to", "error", err)
	}
}

// resolved is what a reference led to.
type resolved struct {
	descriptor
	// note says that it is what it led to earlier, and why; empty if it was asked now.
	note string
}

// resolve asks the registry what the reference leads to. When the registry cannot be asked, what it last led to counts,
// with a note; how old a set may be is for policy to say.
func (r *remote) resolve(ctx context.Context, now time.Time) (resolved, error) {
	var cached head
	known := false
	if r.cache != nil {
		cached, known = r.cache.head(r.reference.Name())
	}
	if r.offline {
		if !known {
			return resolved{}, advice.Unavailable("fetch the set while the network may be used: cleanbill advisories update "+r.reference.String(),
				"%w", errOffline)
		}
		return resolved{cached.Descriptor, ""}, nil
	}
	m, err := r.ask(ctx)
	if err == nil {
		d := descriptor{MediaType: manifestMediaType, ArtifactType: ArtifactType, Digest: m.Digest, Size: int64(len(m.Raw))}
		if err := d.check(maxManifest); err != nil {
			return resolved{}, err
		}
		r.keep(d, m.Raw)
		r.head, r.asked, r.now = d, true, now
		r.remember(d, nil)
		return resolved{d, ""}, nil
	}
	if !known || ctx.Err() != nil || registry.IsAbsent(err) {
		return resolved{}, err
	}
	return resolved{cached.Descriptor, fmt.Sprintf("%s could not be asked (%s): what it led to at %s was used",
		r.reference.Context().RegistryStr(), redact.Limited(err.Error(), 200), cached.Checked.UTC().Format(time.RFC3339))}, nil
}

func (r *remote) ask(ctx context.Context) (registry.Manifest, error) {
	repository, err := r.repo(ctx)
	if err != nil {
		return registry.Manifest{}, err
	}
	m, err := repository.Resolve(ctx, r.reference.Identifier())
	if err == nil {
		r.count(m.Raw)
	}
	return m, err
}

func (r *remote) count(raw []byte) {
	r.fetched.Add(1)
	r.bytes.Add(int64(len(raw)))
}

// keep puts a verified blob into the cache. A cache that is full or read-only costs speed, not the answer.
func (r *remote) keep(d descriptor, raw []byte) {
	if r.cache == nil {
		return
	}
	if err := r.cache.put(d, raw); err != nil {
		r.log.Debug("cannot keep an advisory blob", "digest", d.Digest, "error", err)
	}
}

func (r *remote) get(ctx context.Context, d descriptor, most int64) ([]byte, error) {
	if r.cache != nil {
		raw, err := r.cache.get(ctx, d, most)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return raw, err
		}
	}
	if r.offline {
		return nil, advice.Unavailable("fetch the whole set while the network may be used: cleanbill advisories update "+r.reference.String(),
			"advisory blob %s: %w", d.Digest.Short(), errOffline)
	}
	raw, err := r.fetch(ctx, d, most)
	if err != nil {
		return nil, err
	}
	r.keep(d, raw)
	return raw, nil
}

func (r *remote) fetch(ctx context.Context, d descriptor, most int64) ([]byte, error) {
	if err := d.check(most); err != nil {
		return nil, err
	}
	repository, err := r.repo(ctx)
	if err != nil {
		return nil, err
	}
	if d.MediaType == manifestMediaType {
		raw, err := repository.Manifest(ctx, d.Digest, d.Size)
		if err != nil {
			return nil, err
		}
		r.count(raw)
		return raw, verifyBlob(raw, d)
	}
	body, err := repository.Blob(ctx, d.Digest, d.Size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := readBlob(body, d)
	if err != nil {
		return nil, err
	}
	r.count(raw)
	r.log.Debug("fetched an advisory blob", "digest", d.Digest, "bytes", len(raw))
	return raw, nil
}
