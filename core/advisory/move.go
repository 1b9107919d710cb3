package advisory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// MoveOptions say how a set is moved.
type MoveOptions struct {
	OpenOptions
	// Progress is told what is being done, one line at a time; nil for nothing.
	Progress func(string)
}

// Moved says what came of a move.
type Moved struct {
	Digest core.Digest
	// From and To are references, as they were understood.
	From, To string
	// Blobs and Bytes are of the whole set without its manifest; Copied and CopiedBytes of what was not there before.
	Blobs, Copied      int
	Bytes, CopiedBytes int64
	// Signatures were moved with it; SignedBy is the signer that was verified.
	Signatures int
	SignedBy   string
}

// Mirror copies a set, with its signatures, from one place to another: a layout or a registry. Blobs that are there
// already are not moved again, so that a copy that broke off goes on where it was; the reference leads to the set only
// when all of it is there. Errors are core.Failures.
func Mirror(ctx context.Context, from, to string, o MoveOptions) (Moved, error) {
	o.OpenOptions = o.filled()
	m, err := mirror(ctx, from, to, o)
	return m, advice.Failure(ctx, "copy advisories from "+from+" to "+to, err)
}

func mirror(ctx context.Context, from, to string, o MoveOptions) (Moved, error) {
	target, err := parsePlace(to)
	if err != nil {
		return Moved{}, fmt.Errorf("understand %s: %w", to, err)
	}
	if target.starter {
		return Moved{}, advice.Misuse("name a directory as oci:DIR or an image in a registry", "the embedded set cannot be written")
	}
	// The source is not read through the cache: what goes elsewhere need not be kept here.
	source := o.OpenOptions
	if !source.Offline {
		source.Cache = nil
	}
	s, err := open(ctx, from, source)
	if err != nil {
		return Moved{}, err
	}
	w, err := openSink(ctx, target, o)
	if err != nil {
		return Moved{}, err
	}
	m, err := s.copyTo(ctx, w, o.Progress)
	m.From, m.To = s.source.Name, target.String()
	return m, err
}

// Update fetches all of a set in a registry into the cache, so that it can be used offline. Errors are core.Failures.
func Update(ctx context.Context, ref string, o MoveOptions) (Moved, error) {
	o.OpenOptions = o.filled()
	m, err := update(ctx, ref, o)
	return m, advice.Failure(ctx, "fetch advisories "+ref, err)
}

func update(ctx context.Context, ref string, o MoveOptions) (Moved, error) {
	p, err := parsePlace(ref)
	switch {
	case err != nil:
		return Moved{}, err
	case p.remote == nil:
		return Moved{}, advice.Misuse("use it as it is: --advisories "+ref, "%s is on this machine already", ref)
	case o.Cache == nil:
		return Moved{}, advice.Misuse("set CLEANBILL_CACHE_DIR to a directory that can be written", "there is no cache to keep it in")
	}
	s, err := openRemote(ctx, p, o.OpenOptions)
	if err != nil {
		return Moved{}, err
	}
	if s.source.Note != "" {
		return Moved{}, errors.New(s.source.Note)
	}
	m, err := s.copyTo(ctx, cacheSink{Cache: o.Cache, size: new(atomic.Int64)}, o.Progress)
	m.From, m.To = s.source.Name, o.Cache.dir
	if err == nil {
		o.Cache.sweep(ctx, o.Now)
	}
	return m, err
}

// copyTo copies a set whose index was verified, and the signatures that its place has.
func (s *Set) copyTo(ctx context.Context, w sink, progress func(string)) (_ Moved, err error) {
	if progress == nil {
		progress = func(string) {}
	}
	defer func() {
		if err != nil {
			w.undo()
		}
	}()
	m := Moved{Digest: s.descriptor.Digest, SignedBy: s.source.SignedBy}
	list := s.blobs()
	for _, d := range list {
		m.Blobs++
		m.Bytes += d.Size
	}
	progress(fmt.Sprintf("copy %s: %d blobs, %.1f MB", s.source.Name, m.Blobs, float64(m.Bytes)/1e6))
	if err := copyBlobs(ctx, s.from, w, list, maxShard, &m); err != nil {
		return m, err
	}
	signatures, err := s.copySignatures(ctx, w, &m)
	if err != nil {
		return m, err
	}
	raw, err := s.from.get(ctx, s.descriptor, maxManifest)
	if err != nil {
		return m, err
	}
	if _, err := w.finish(raw, signatures); err != nil {
		return m, err
	}
	return m, nil
}

func copyBlobs(ctx context.Context, from blobs, w sink, list []descriptor, most int64, m *Moved) error {
	var copied, bytes atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLoads)
	for _, d := range list {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			have, err := w.has(ctx, d)
			if have || err != nil {
				return err
			}
			blob, err := from.get(ctx, d, most)
			if err != nil {
				return err
			}
			copied.Add(1)
			bytes.Add(d.Size)
			_, err = w.blob(d.MediaType, blob)
			return err
		})
	}
	err := group.Wait()
	m.Copied += int(copied.Load())
	m.CopiedBytes += bytes.Load()
	return err
}

func (s *Set) copySignatures(ctx context.Context, w sink, m *Moved) ([]attached, error) {
	h, ok := s.from.(home)
	if !ok {
		return nil, nil
	}
	list, err := h.attached(ctx, s.descriptor)
	if errors.Is(err, errOffline) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the signatures: %w", err)
	}
	for _, a := range list {
		raw, err := s.from.get(ctx, a.Descriptor, maxManifest)
		if err != nil {
			return nil, err
		}
		var named manifestBlobs
		if err := json.Unmarshal(raw, &named); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", a.Descriptor.Digest.Short(), err)
		}
		if err := copyBlobs(ctx, s.from, w, append(named.Layers, named.Config), maxSignature, m); err != nil {
			return nil, err
		}
		if _, err := w.blob(manifestMediaType, raw); err != nil {
			return nil, err
		}
	}
	m.Signatures = len(list)
	return list, nil
}

func openSink(ctx context.Context, p setPlace, o MoveOptions) (sink, error) {
	if p.dir != "" {
		w, err := newWriter(p.dir)
		if err != nil {
			return nil, advice.Misuse("name a new directory, or one that holds a set of advisories", "%w", err)
		}
		return w, nil
	}
	if o.Offline {
		return nil, advice.Misuse("leave out --offline", "a registry cannot be written to without the network")
	}
	options := o.Registry
	options.Write = true
	r, err := registry.Dial(ctx, p.remote.Context(), options)
	if err != nil {
		return nil, err
	}
	return &remoteSink{ctx: ctx, repository: r, identifier: p.remote.Identifier(), manifests: map[core.Digest][]byte{}}, nil
}

// remoteSink writes into a registry. What was uploaded before a failure has no name, and registries remove such blobs.
type remoteSink struct {
	ctx        context.Context //nolint:containedctx // a sink lives as long as the move that it was opened for
	repository *registry.Repository
	identifier string // a tag, or the digest that the set must have
	size       atomic.Int64

	mu        sync.Mutex // guards manifests
	manifests map[core.Digest][]byte
}

func (r *remoteSink) has(ctx context.Context, d descriptor) (bool, error) {
	return r.repository.Has(ctx, d.Digest)
}

// blob uploads a blob. A manifest waits for what it names.
func (r *remoteSink) blob(mediaType string, blob []byte) (descriptor, error) {
	d := describe(mediaType, blob)
	if mediaType == manifestMediaType {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.manifests[d.Digest] = blob
		return d, nil
	}
	r.size.Add(d.Size)
	return d, r.repository.Upload(r.ctx, blob)
}

// finish puts the manifest without a tag, then its signatures, and then the tag, which therefore never leads to a set
// whose signatures are missing.
func (r *remoteSink) finish(manifest []byte, signatures []attached) (descriptor, error) {
	d := describe(manifestMediaType, manifest)
	_, err := core.ParseDigest(r.identifier)
	byDigest := err == nil
	if byDigest && r.identifier != string(d.Digest) {
		return d, advice.Misuse("name a tag", "the set has the digest %s", d.Digest)
	}
	if err := r.repository.Put(r.ctx, string(d.Digest), manifest, manifestMediaType); err != nil {
		return d, err
	}
	for _, a := range signatures {
		identifier := a.Tag
		if identifier == "" {
			identifier = string(a.Descriptor.Digest)
		}
		if err := r.repository.Put(r.ctx, identifier, r.manifests[a.Descriptor.Digest], manifestMediaType); err != nil {
			return d, err
		}
	}
	if byDigest {
		return d, nil
	}
	return d, r.repository.Put(r.ctx, r.identifier, manifest, manifestMediaType)
}

func (*remoteSink) undo() {}

func (r *remoteSink) new() int64 { return r.size.Load() }

// cacheSink writes into the cache. The reference was already made to lead to the set: what is missing of it is fetched
// when it is needed.
type cacheSink struct {
	*Cache
	reference string // for a set that was built; empty for one whose reference leads to it
	now       time.Time
	size      *atomic.Int64
}

func (c cacheSink) has(ctx context.Context, d descriptor) (bool, error) {
	_, err := c.get(ctx, d, d.Size)
	return err == nil, nil
}

func (c cacheSink) blob(mediaType string, blob []byte) (descriptor, error) {
	d := describe(mediaType, blob)
	if have, _ := c.has(context.Background(), d); have {
		return d, nil
	}
	c.size.Add(d.Size)
	return d, c.put(d, blob)
}

func (c cacheSink) finish(manifest []byte, signatures []attached) (descriptor, error) {
	d, err := c.blob(manifestMediaType, manifest)
	if err != nil || c.reference == "" {
		return d, err
	}
	d.ArtifactType = ArtifactType
	return d, c.setHead(head{Reference: c.reference, Descriptor: d, Attached: signatures, Checked: c.now})
}

// undo leaves what was kept: nothing leads to it, and the next sweep takes it.
func (cacheSink) undo() {}

func (c cacheSink) new() int64 { return c.size.Load() }
