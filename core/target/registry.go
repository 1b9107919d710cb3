package target

import (
	"context"
	"io"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

func openRegistry(ctx context.Context, ref name.Reference, o Options) (*Target, error) {
	r, err := registry.Dial(ctx, ref.Context(), o.registry())
	if err != nil {
		return nil, err
	}
	top, err := r.Resolve(ctx, ref.Identifier())
	if err != nil {
		return nil, err
	}
	return assemble(ctx, repository{r}, root{
		name: registry.DisplayName(ref), raw: top.Raw, digest: top.Digest, contentType: top.MediaType,
	}, o)
}

// repository is a store in a registry.
type repository struct{ *registry.Repository }

func (r repository) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	return r.Manifest(ctx, d.Digest, d.Size)
}

func (r repository) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	return r.Blob(ctx, d.Digest, d.Size)
}
