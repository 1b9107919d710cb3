package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// bundleType is the artifact type and the media type of the bundles that are made here.
//
// https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// emptyType is the media type of a configuration that is none, and emptyConfig that configuration.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
const (
	emptyType   = "application/vnd.oci.empty.v1+json"
	emptyConfig = "{}"
)

// The annotations by which cosign finds the bundles that it wants.
const (
	annotationContent   = "dev.sigstore.bundle.content"
	annotationPredicate = "dev.sigstore.bundle.predicateType"
	annotationCreated   = "org.opencontainers.image.created"
)

// parallelUploads is how many requests are made at a time.
const parallelUploads = 6

// Attachment is something that is kept beside a manifest.
type Attachment struct {
	// Subject is the manifest that it is about.
	Subject target.Descriptor
	// ArtifactType says what it is; empty means a signed statement, whose PredicateType is then there.
	ArtifactType  string
	PredicateType string
	// Content is the bundle, or whatever else it is.
	Content []byte
	// Created is when it was made.
	Created time.Time
}

// manifest returns the manifest that holds it and says what it belongs to.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage
func (a Attachment) manifest() ([]byte, registry.Descriptor, error) {
	type descriptor struct {
		MediaType string      `json:"mediaType"`
		Digest    core.Digest `json:"digest"`
		Size      int64       `json:"size"`
	}
	artifactType := a.ArtifactType
	annotations := map[string]string{annotationCreated: a.Created.UTC().Format(time.RFC3339)}
	if artifactType == "" {
		artifactType = bundleType
		annotations[annotationContent], annotations[annotationPredicate] = "dsse-envelope", a.PredicateType
	}
	raw, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		ArtifactType  string            `json:"artifactType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Subject       descriptor        `json:"subject"`
		Annotations   map[string]string `json:"annotations"`
	}{2, types.OCIManifestSchema1, artifactType,
		descriptor{emptyType, verify.DigestOf([]byte(emptyConfig)), int64(len(emptyConfig))},
		[]descriptor{{artifactType, verify.DigestOf(a.Content), int64(len(a.Content))}},
		descriptor{a.Subject.MediaType, a.Subject.Digest, a.Subject.Size}, annotations})
	return raw, registry.Descriptor{MediaType: string(types.OCIManifestSchema1), ArtifactType: artifactType,
		Digest: verify.DigestOf(raw), Size: int64(len(raw)), Annotations: annotations}, err
}

// Attach keeps all of them as referrers of what they are about, and returns the digests of their manifests in order. What
// they are about must be there. In a registry that does not list referrers by itself they are listed under a tag; when
// Attach returns, they are found either way.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func Attach(ctx context.Context, r *registry.Repository, all []Attachment) ([]core.Digest, error) {
	if len(all) == 0 {
		return nil, nil
	}
	blobs := map[core.Digest][]byte{verify.DigestOf([]byte(emptyConfig)): []byte(emptyConfig)}
	referrers, digests := make([]registry.Referrer, len(all)), make([]core.Digest, len(all))
	for i, a := range all {
		blobs[verify.DigestOf(a.Content)] = a.Content
		raw, d, err := a.manifest()
		if err != nil {
			return nil, err
		}
		referrers[i], digests[i] = registry.Referrer{Subject: a.Subject.Digest, Descriptor: d, Raw: raw}, d.Digest
	}
	g, uploading := errgroup.WithContext(ctx)
	g.SetLimit(parallelUploads)
	for d, content := range blobs {
		g.Go(func() error {
			return r.Stream(uploading, d, int64(len(content)),
				func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("upload attestations: %w", err)
	}
	if err := r.PutReferrers(ctx, referrers); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	return digests, nil
}

// Sign makes one bundle that says the statement, and an attachment of it for each of the manifests that it is about.
func Sign(ctx context.Context, s Signer, says Statement, about []target.Descriptor, created time.Time) ([]Attachment, error) {
	raw, err := says.Encode()
	if err != nil {
		return nil, err
	}
	bundle, err := s.SignStatement(ctx, raw)
	if err != nil {
		return nil, err
	}
	var out []Attachment
	for _, d := range about {
		if !slices.ContainsFunc(says.Subjects, func(s Subject) bool { return s.Digest == d.Digest }) {
			return nil, fmt.Errorf("the statement says nothing of %s", d.Digest)
		}
		out = append(out, Attachment{Subject: d, PredicateType: says.PredicateType, Content: bundle, Created: created})
	}
	return out, nil
}

// ContentDigest is that of what is attached.
func (a Attachment) ContentDigest() core.Digest { return verify.DigestOf(a.Content) }

// Digest is that of the manifest that holds it, by which it is fetched.
func (a Attachment) Digest() core.Digest {
	_, d, err := a.manifest()
	if err != nil {
		return "" // a manifest of these fields has no reason not to be written
	}
	return d.Digest
}
