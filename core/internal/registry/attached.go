package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
)

// emptyConfig is the type of a configuration that is none. Some registries list it in place of the artifact type, which
// they then do not say.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
const emptyConfig = "application/vnd.oci.empty.v1+json"

// Attached is a manifest that belongs to another: it names it as its subject, or has a tag made of its digest.
type Attached struct {
	// Tag is empty for a referrer.
	Tag string
	Manifest
}

// AttachedTags are the tags under which cosign keeps what belongs to a digest, besides referrers.
//
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#tag-based-discovery
func AttachedTags(subject core.Digest) []string {
	base := FallbackTag(subject)
	return []string{base + ".sig", base + ".att", base + ".sbom"}
}

// IsAttachedTag reports whether a tag is one of those of some digest.
func IsAttachedTag(tag string) bool {
	base, suffix, _ := strings.Cut(tag, ".")
	_, err := core.ParseDigest(strings.Replace(base, "-", ":", 1))
	return err == nil && slices.Contains([]string{"sig", "att", "sbom"}, suffix)
}

// maxAttachedBytes bounds the manifests that belong to one digest, which are in memory together. Those of attestations have
// a few hundred bytes each.
const maxAttachedBytes = 64 << 20

// Attached reads the manifests that belong to a digest, of the artifact types that are wanted; nil for all. What is
// under a tag has no artifact type and is always wanted. What is listed and names another subject does not belong to it.
func (r *Repository) Attached(ctx context.Context, subject core.Digest, wanted func(artifactType string) bool) ([]Attached, error) {
	list, err := r.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	var out []Attached
	total := 0
	add := func(a Attached) error {
		if total += len(a.Raw); total > maxAttachedBytes {
			return advice.Unavailable("remove what does not belong there: whoever may push can attach anything",
				"the manifests that belong to %s have more than %d bytes together", subject.Short(), maxAttachedBytes)
		}
		out = append(out, a)
		return nil
	}
	for _, d := range list {
		if wanted != nil && d.ArtifactType != "" && d.ArtifactType != emptyConfig && !wanted(d.ArtifactType) {
			continue
		}
		m, err := r.Resolve(ctx, string(d.Digest))
		if IsAbsent(err) {
			continue // the list is older than a deletion
		}
		if err != nil {
			return nil, err
		}
		if !m.isAbout(subject) {
			continue
		}
		if err := add(Attached{Manifest: m}); err != nil {
			return nil, err
		}
	}
	for _, tag := range AttachedTags(subject) {
		m, err := r.Resolve(ctx, tag)
		if IsAbsent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := add(Attached{Tag: tag, Manifest: m}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isAbout reports whether a manifest names the digest as its subject.
func (m Manifest) isAbout(subject core.Digest) bool {
	var says struct {
		Subject struct {
			Digest core.Digest `json:"digest"`
		} `json:"subject"`
	}
	return json.Unmarshal(m.Raw, &says) == nil && says.Subject.Digest == subject
}
