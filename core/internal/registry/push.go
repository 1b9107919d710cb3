package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
func (r *Repository) Upload(ctx context.Context, blob []byte) error {
	return r.Stream(ctx, verify.DigestOf(blob), int64(len(blob)),
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil })
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
	var sent atomic.Bool
	err = r.pusher.Upload(ctx, r.repo, streamed{hash, size, func() (io.ReadCloser, error) {
		sent.Store(true)
		return open()
	}})
	switch {
	case err != nil:
		return r.explain(err, "upload")
	case sent.Load() || size == 0:
		return nil
	}
	return r.holds(ctx, d, size)
}

// holds makes sure of a blob that the registry says to have: it asks for its first byte. Some registries go by a list that
// outlives what was deleted, and nobody could pull what is pushed on their word.
func (r *Repository) holds(ctx context.Context, d core.Digest, size int64) error {
	resp, err := r.get(ctx, "blobs/"+string(d), http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return r.explain(err, "blob")
	}
	defer resp.Body.Close()
	length := resp.ContentLength
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		length = -1
		if _, all, ok := strings.Cut(resp.Header.Get("Content-Range"), "/"); ok && all != "*" {
			if length, err = strconv.ParseInt(all, 10, 64); err != nil {
				length = -1
			}
		}
	case http.StatusNotFound:
		return r.pretends(d, network.ReadStatus(resp))
	default:
		return r.explain(network.ReadStatus(resp), "blob")
	}
	if length >= 0 && length != size {
		return r.pretends(d, &verify.MismatchError{Expected: d, ExpectedSize: size, ActualSize: length})
	}
	return nil
}

func (r *Repository) pretends(d core.Digest, err error) error {
	return advice.Unavailable("push to another repository, or let the registry's keeper repair this one",
		"%s says that it has %s, and does not: %w", r.host(), d.Short(), err)
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

// PutManifest stores a manifest under a tag or its own digest, as Put does, but writes no list of referrers. It returns the digest
// under which the registry says that it lists the manifest as a referrer by itself; empty if it does not.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
func (r *Repository) PutManifest(ctx context.Context, identifier string, manifest []byte, mediaType string) (listed core.Digest, err error) {
	u := url.URL{Scheme: "https", Host: r.repo.RegistryStr(), Path: "/v2/" + r.repo.RepositoryStr() + "/manifests/" + identifier}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(manifest))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.client.Do(req)
	if err != nil {
		return "", r.explain(err, "upload")
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", r.explain(network.ReadStatus(resp), "upload")
	}
	if announced := resp.Header.Get("Docker-Content-Digest"); announced != "" && announced != string(verify.DigestOf(manifest)) {
		return "", advice.Unavailable("the registry, or something between it and here, changes content: use nothing from there",
			"%s stored the manifest as %s", r.host(), redact.Limited(announced, 100))
	}
	return core.Digest(resp.Header.Get("OCI-Subject")), nil
}
