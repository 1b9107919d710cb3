package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

const (
	// maxManifests is how many manifests are below one that is pushed.
	maxManifests = 1024
	// maxDepth is how deep indexes are nested.
	maxDepth = 4
	// maxManifestBytes bounds what all of them hold together, which is in memory meanwhile.
	maxManifestBytes = 64 << 20
	// parallelBlobs is how many blobs are uploaded at a time: each has a connection, and none is in memory.
	parallelBlobs = 4
)

// Source is what is pushed. Everything that it hands out is verified by whoever hands it out, blobs at their end.
type Source interface {
	Root() (target.Descriptor, []byte)
	Manifest(ctx context.Context, d target.Descriptor) ([]byte, error)
	Blob(ctx context.Context, d target.Descriptor) (io.ReadCloser, error)
}

var _ Source = target.Content{}

// Push stores the source in the repository, by digest and without a tag: nobody who asks for a name gets it yet. What is
// there is not sent again. At the end the registry has the manifest of that digest.
func Push(ctx context.Context, r *registry.Repository, s Source) error {
	top, raw := s.Root()
	if d := verify.DigestOf(raw); d != top.Digest && !sameBytes(raw, top) {
		return fmt.Errorf("the manifest has the digest %s, and %s was judged", d, top.Digest)
	}
	p := pusher{repository: r, source: s, seen: map[core.Digest]bool{}}
	if err := p.collect(ctx, node{top, raw}, 0); err != nil {
		return err
	}
	if err := p.blobs(ctx); err != nil {
		return err
	}
	for _, n := range p.manifests { // what an index names comes before it
		if _, err := r.PutManifest(ctx, string(n.Digest), n.raw, n.MediaType); err != nil {
			return fmt.Errorf("push manifest %s: %w", n.Digest.Short(), err)
		}
	}
	there, err := r.Resolve(ctx, string(top.Digest))
	if err != nil {
		return fmt.Errorf("read back what was pushed: %w", err)
	}
	if string(there.Raw) != string(raw) {
		return errors.New("the registry has another manifest under the digest that was pushed")
	}
	return nil
}

// sameBytes verifies a digest of another algorithm than the usual.
func sameBytes(raw []byte, d target.Descriptor) bool {
	return verify.Bytes(raw, d.Size, d.Digest) == nil
}

// node is a manifest with its bytes.
type node struct {
	target.Descriptor
	raw []byte
}

type pusher struct {
	repository *registry.Repository
	source     Source
	seen       map[core.Digest]bool
	manifests  []node
	bytes      int
	content    []target.Descriptor
}

// collect lists everything below a manifest, children first.
func (p *pusher) collect(ctx context.Context, n node, depth int) error {
	if p.seen[n.Digest] {
		return nil
	}
	p.seen[n.Digest] = true
	p.bytes += len(n.raw)
	if depth > maxDepth || len(p.manifests) >= maxManifests || p.bytes > maxManifestBytes {
		return errors.New("it has more manifests below it than are pushed")
	}
	var m struct {
		Config    *target.Descriptor  `json:"config"`
		Layers    []target.Descriptor `json:"layers"`
		Manifests []target.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(n.raw, &m); err != nil {
		return fmt.Errorf("manifest %s is not JSON of the right form: %s", n.Digest.Short(), redact.Limited(err.Error(), 200))
	}
	for _, d := range m.Manifests {
		if err := checkDescriptor(d); err != nil {
			return fmt.Errorf("manifest %s: %w", n.Digest.Short(), err)
		}
		raw, err := p.source.Manifest(ctx, d)
		if err != nil {
			return fmt.Errorf("read manifest %s: %w", d.Digest.Short(), err)
		}
		if err := p.collect(ctx, node{d, raw}, depth+1); err != nil {
			return err
		}
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, d := range m.Layers {
		if err := checkDescriptor(d); err != nil {
			return fmt.Errorf("manifest %s: %w", n.Digest.Short(), err)
		}
		if !p.seen[d.Digest] {
			p.seen[d.Digest] = true
			p.content = append(p.content, d)
		}
	}
	p.manifests = append(p.manifests, n)
	return nil
}

func (p *pusher) blobs(ctx context.Context) error {
	g, uploading := errgroup.WithContext(ctx)
	g.SetLimit(parallelBlobs)
	for _, d := range p.content {
		g.Go(func() error {
			err := p.repository.Stream(uploading, d.Digest, d.Size, func() (io.ReadCloser, error) { return p.source.Blob(uploading, d) })
			if err != nil {
				return fmt.Errorf("push %s: %w", d.Digest.Short(), err)
			}
			return nil
		})
	}
	return g.Wait()
}

// Tag gives what was pushed a name, which is the last thing to happen to it, and reads it back.
func Tag(ctx context.Context, r *registry.Repository, tag string, s Source) error {
	top, raw := s.Root()
	if _, err := r.PutManifest(ctx, tag, raw, top.MediaType); err != nil {
		return fmt.Errorf("set the tag %s: %w", tag, err)
	}
	there, err := r.Resolve(ctx, tag)
	if err != nil {
		return fmt.Errorf("read back the tag %s: %w", tag, err)
	}
	if string(there.Raw) != string(raw) {
		return fmt.Errorf("the tag %s names %s, which somebody else set meanwhile", tag, there.Digest)
	}
	return nil
}
