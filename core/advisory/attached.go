package advisory

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// maxSignature bounds one signature or bundle, in bytes.
const maxSignature = 4 << 20

// refNameAnnotation is, in a layout, the tag.
const refNameAnnotation = "org.opencontainers.image.ref.name"

// attached is a manifest that belongs to a set: a signature or an attestation.
type attached struct {
	Tag        string     `json:"tag,omitempty"` // empty for a referrer
	Descriptor descriptor `json:"descriptor"`
}

// home is where a set is, with what belongs to it.
type home interface {
	blobs
	// attached lists the signatures of a set.
	attached(ctx context.Context, set descriptor) ([]attached, error)
}

// subjectOf is the part of a manifest that says what it belongs to.
type subjectOf struct {
	manifestBlobs
	ArtifactType string      `json:"artifactType"`
	Subject      *descriptor `json:"subject"`
}

func (l layout) attached(ctx context.Context, set descriptor) ([]attached, error) {
	all, err := l.entries()
	if err != nil {
		return nil, err
	}
	var out []attached
	for _, d := range all {
		tag := d.Annotations[refNameAnnotation]
		switch {
		case d.Digest == set.Digest:
		case registry.IsAttachedTag(tag) && strings.HasPrefix(tag, registry.FallbackTag(set.Digest)):
			out = append(out, attached{tag, d})
		case d.MediaType == manifestMediaType:
			raw, err := l.get(ctx, d, maxManifest)
			if err != nil {
				return nil, err
			}
			var m subjectOf
			if json.Unmarshal(raw, &m) == nil && m.Subject != nil && m.Subject.Digest == set.Digest {
				out = append(out, attached{"", d})
			}
		}
	}
	return out, nil
}

// attached asks the registry, or, when that cannot be asked, the cache.
func (r *remote) attached(ctx context.Context, set descriptor) ([]attached, error) {
	if r.asked {
		found, err := r.askAttached(ctx)
		if err == nil {
			r.remember(set, found)
		}
		return found, err
	}
	if r.cache == nil {
		return nil, errOffline
	}
	h, known := r.cache.head(r.reference.Name())
	if !known || h.Descriptor.Digest != set.Digest {
		return nil, errOffline
	}
	return h.Attached, nil
}

func (r *remote) askAttached(ctx context.Context) ([]attached, error) {
	repository, err := r.repo(ctx)
	if err != nil {
		return nil, err
	}
	list, err := repository.Attached(ctx, r.head.Digest, signature.BundleType)
	if err != nil {
		return nil, err
	}
	var out []attached
	for _, a := range list {
		d := descriptor{MediaType: manifestMediaType, Digest: a.Digest, Size: int64(len(a.Raw))}
		r.count(a.Raw)
		r.keep(d, a.Raw)
		out = append(out, attached{a.Tag, d})
	}
	return out, nil
}

// verifySigner checks that somebody who is trusted signed the set, and returns who. Without trust there is nothing to
// check.
func verifySigner(ctx context.Context, h home, set descriptor, trust signature.Trust) (string, error) {
	if trust.Empty() {
		return "", nil
	}
	list, err := h.attached(ctx, set)
	if err != nil {
		return "", fmt.Errorf("look for the signatures: %w", err)
	}
	material, err := materialOf(ctx, h, list)
	if err != nil {
		return "", fmt.Errorf("read the signatures: %w", err)
	}
	v, err := trust.Signed(ctx, set.Digest, material)
	if err != nil {
		return "", advice.Unavailable("use a set that a trusted signer signed, or name its signer", "its signature: %w", err)
	}
	return v.Signer, nil
}

// materialOf reads the signatures that manifests hold.
func materialOf(ctx context.Context, from blobs, list []attached) (signature.Material, error) {
	var manifests [][]byte
	for _, a := range list {
		raw, err := from.get(ctx, a.Descriptor, maxManifest)
		if err != nil {
			return signature.Material{}, err
		}
		manifests = append(manifests, raw)
	}
	return signature.Read(ctx, manifests, func(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
		return from.get(ctx, descriptor{Digest: d, Size: size}, size)
	})
}
