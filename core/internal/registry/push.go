package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// Has reports whether the repository has a blob.
func (r *Repository) Has(ctx context.Context, d core.Digest) (bool, error) {
	resp, err := r.do(ctx, http.MethodHead, "blobs/"+string(d), nil)
	if err != nil {
		return false, r.explain(err, "blob")
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusNotFound:
		return false, nil
	}
	return false, r.explain(network.ReadStatus(resp), "blob")
}

// Upload stores a blob that fits into memory, unless the repository has it.
func (r *Repository) Upload(ctx context.Context, blob []byte, mediaType string) error {
	if err := r.pusher.Upload(ctx, r.repo, static.NewLayer(blob, types.MediaType(mediaType))); err != nil {
		return r.explain(err, "upload")
	}
	return nil
}

// Put stores a manifest under a tag or its own digest. What it names must have been stored before. If it has a subject,
// a registry without the API for referrers gets their tag.
func (r *Repository) Put(ctx context.Context, identifier string, manifest []byte, mediaType string) error {
	var ref name.Reference = r.repo.Tag(identifier)
	if _, err := core.ParseDigest(identifier); err == nil {
		ref = r.repo.Digest(identifier)
	}
	if err := r.pusher.Push(ctx, ref, rawManifest{manifest, types.MediaType(mediaType)}); err != nil {
		return r.explain(err, "upload")
	}
	return nil
}

// rawManifest is pushed as it is, so that its digest stays.
type rawManifest struct {
	raw       []byte
	mediaType types.MediaType
}

// RawManifest implements remote.Taggable.
func (m rawManifest) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType is asked for by the library.
func (m rawManifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

// newPusher makes the writer of a repository that was dialled for writing.
func (r *Repository) newPusher() (*remote.Pusher, error) {
	if !r.options.Write {
		return nil, nil
	}
	p, err := remote.NewPusher(remote.WithTransport(r.client.Transport), remote.WithUserAgent(r.options.UserAgent))
	if err != nil {
		return nil, errors.Join(errors.New("prepare to push"), err)
	}
	return p, nil
}
