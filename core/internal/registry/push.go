package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
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
	patience := r.options.Patience
	p, err := remote.NewPusher(remote.WithTransport(r.client.Transport), remote.WithUserAgent(r.options.UserAgent),
		// A blob that is read from somewhere else is sent again as a whole; everything else repeats itself.
		remote.WithRetryBackoff(remote.Backoff{Duration: patience.Delay, Factor: 2, Jitter: 0.5, Steps: max(patience.Attempts-2, 1),
			Cap: patience.MaxDelay}))
	if err != nil {
		return nil, errors.Join(errors.New("prepare to push"), err)
	}
	return p, nil
}

// Stream stores a blob that is read from open, unless the repository has it. It is not kept in memory. Whoever reads it
// verifies it: an error of the reader ends the upload, and nothing is stored.
func (r *Repository) Stream(ctx context.Context, d core.Digest, size int64, open func() (io.ReadCloser, error)) error {
	hash, err := v1.NewHash(string(d))
	if err != nil {
		return err
	}
	if err := r.pusher.Upload(ctx, r.repo, streamed{hash, size, open}); err != nil {
		return r.explain(err, "upload")
	}
	return nil
}

// streamed is a blob elsewhere, in the form in which it is stored.
type streamed struct {
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error)
}

// Digest implements v1.Layer.
func (s streamed) Digest() (v1.Hash, error) { return s.digest, nil }

// DiffID implements v1.Layer. Nobody asks for it.
func (s streamed) DiffID() (v1.Hash, error) { return v1.Hash{}, errors.New("it is not known") }

// Size implements v1.Layer.
func (s streamed) Size() (int64, error) { return s.size, nil }

// MediaType implements v1.Layer. A registry does not keep it.
func (s streamed) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed implements v1.Layer.
func (s streamed) Compressed() (io.ReadCloser, error) { return s.open() }

// Uncompressed implements v1.Layer. Nobody asks for it.
func (s streamed) Uncompressed() (io.ReadCloser, error) { return nil, errors.New("it is not known") }

// PutManifest stores a manifest under a tag or its own digest, as Put does, but writes no list of referrers. It says whether
// the registry lists by itself what the manifest's subject refers to.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
func (r *Repository) PutManifest(ctx context.Context, identifier string, manifest []byte, mediaType string) (listed bool, err error) {
	u := url.URL{Scheme: "https", Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/manifests/" + identifier}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(manifest))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.client.Do(req)
	if err != nil {
		return false, r.explain(err, "upload")
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return false, r.explain(network.ReadStatus(resp), "upload")
	}
	if announced := resp.Header.Get("Docker-Content-Digest"); announced != "" && announced != string(verify.DigestOf(manifest)) {
		return false, advice.Unavailable("the registry, or something between it and here, changes content: use nothing from there",
			"%s stored the manifest as %s", r.host(), redact.Limited(announced, 100))
	}
	return resp.Header.Get("OCI-Subject") != "", nil
}

// maxListings is how often the list of referrers is written, where others write it as well.
const maxListings = 12

// Settle waits for as long as what was written has to stay to count as staying: longer than another writer takes from reading
// it to writing it. Two who collide do not wait for the same time.
func (r *Repository) Settle(ctx context.Context) error {
	d := r.options.Patience.Delay
	return network.Sleep(ctx, d*3/10+rand.N(d*4/10+1))
}

// List adds descriptors to the tag that lists the referrers of a digest in a registry without the API. Nothing protects
// that tag from two writers who both keep what they read, so it is read again after it was written, and written again
// until what was added stays.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *Repository) List(ctx context.Context, subject core.Digest, add []Descriptor) error {
	tag := FallbackTag(subject)
	stayed := false
	for attempt := 0; attempt < maxListings; attempt++ {
		list, err := r.referrersTag(ctx, subject)
		if err != nil {
			return err
		}
		if len(list) > maxReferrers {
			return fmt.Errorf("%s lists more than %d referrers of %s", r.host(), maxReferrers, subject.Short())
		}
		missing := slices.DeleteFunc(slices.Clone(add), func(d Descriptor) bool {
			return slices.ContainsFunc(list, func(l Descriptor) bool { return l.Digest == d.Digest })
		})
		switch {
		case len(missing) == 0 && (stayed || attempt == 0):
			return nil
		case len(missing) == 0:
			stayed = true
		default:
			stayed = false
			raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex,
				"manifests": append(list, missing...)})
			if err != nil {
				return err
			}
			if _, err := r.PutManifest(ctx, tag, raw, string(types.OCIImageIndex)); err != nil {
				return err
			}
		}
		if err := r.Settle(ctx); err != nil {
			return err
		}
	}
	return advice.Unavailable("run it again when nobody else attaches something to it",
		"the list of referrers of %s was overwritten by others %d times", subject.Short(), maxListings)
}
