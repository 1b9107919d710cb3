package target

import (
	"context"
	"fmt"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// Content is what a target consists of, as it is stored: what a copy of it needs, whether it was examined or not.
type Content struct {
	store store
	root  root
	kind  string
}

// Descriptor names a manifest or a blob.
type Descriptor struct {
	MediaType string      `json:"mediaType"`
	Digest    core.Digest `json:"digest"`
	Size      int64       `json:"size"`
}

// Content returns the target's content; false for what is no image.
func (t *Target) Content() (Content, bool) { return t.content, t.content.store != nil }

// Root is the target's own manifest.
func (c Content) Root() (Descriptor, []byte) {
	return Descriptor{c.kind, c.root.digest, int64(len(c.root.raw))}, c.root.raw
}

// Manifest returns a manifest below the root, verified.
func (c Content) Manifest(ctx context.Context, d Descriptor) ([]byte, error) {
	raw, err := c.store.manifest(ctx, descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return nil, err
	}
	if err := verify.Bytes(raw, d.Size, d.Digest); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return raw, nil
}

// Blob streams a blob, verified at its end: a reader that sees no error has seen the bytes of the digest.
func (c Content) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	r, err := c.store.blob(ctx, descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{verify.Reader(r, d.Size, d.Digest), r}, nil
}
