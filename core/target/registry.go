package target

import (
	"context"
	"io"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
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
	t, err := assemble(ctx, repository{r}, root{
		name: registry.DisplayName(ref), raw: top.Raw, digest: top.Digest, contentType: top.MediaType,
	}, o)
	if err == nil {
		t.Repository, t.attached = r, repository{r}.attached
	}
	return t, err
}

// repository is a store in a registry.
type repository struct{ *registry.Repository }

func (r repository) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	return r.Manifest(ctx, d.Digest, d.Size)
}

func (r repository) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	return r.Blob(ctx, d.Digest, d.Size)
}

// attached reads the Sigstore bundles that belong to a digest.
func (r repository) attached(ctx context.Context, subject core.Digest) ([][]byte, error) {
	list, err := r.Attached(ctx, subject, signature.BundleType)
	if err != nil {
		return nil, err
	}
	var manifests [][]byte
	for _, a := range list {
		if a.Tag == "" {
			manifests = append(manifests, a.Raw)
		}
	}
	m, err := signature.Read(ctx, manifests, func(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
		body, err := r.Blob(ctx, d, size)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return io.ReadAll(verify.Reader(body, size, d))
	})
	return m.Bundles, err
}
