package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxOlder bounds the signatures of the older form beside one digest.
const maxOlder = 500

// AttachOlder keeps a signature of the older form under the tag of the digest, beside those that are there. Others may
// write that tag too, so it is read again until the signature stays.
//
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#tag-based-discovery
func AttachOlder(ctx context.Context, r *registry.Repository, subject core.Digest, s signature.Simple) error {
	layer := v1.Descriptor{MediaType: signature.SimpleType, Size: int64(len(s.Payload)), Annotations: s.Annotations}
	var err error
	if layer.Digest, err = v1.NewHash(string(verify.DigestOf(s.Payload))); err != nil {
		return err
	}
	if err := r.Upload(ctx, s.Payload); err != nil {
		return err
	}
	return addOlder(ctx, r, registry.FallbackTag(subject)+".sig", []v1.Descriptor{layer})
}

// addOlder adds layers, which are stored, to the manifest under a tag, until they stay there.
func addOlder(ctx context.Context, r *registry.Repository, tag string, layers []v1.Descriptor) error {
	for attempt, stayed := 0, false; attempt < 12; attempt++ {
		m, err := olderManifest(ctx, r, tag)
		if err != nil {
			return err
		}
		missing := slices.DeleteFunc(slices.Clone(layers), func(l v1.Descriptor) bool { return holds(m, l) })
		switch {
		case len(missing) == 0 && (stayed || attempt == 0):
			return nil
		case len(missing) == 0:
			stayed = true
		case len(m.Layers)+len(missing) > maxOlder:
			return fmt.Errorf("%s has more than %d signatures", tag, maxOlder)
		default:
			stayed = false
			m.Layers = append(m.Layers, missing...)
			if err := putOlder(ctx, r, tag, m); err != nil {
				return err
			}
		}
		if err := r.Settle(ctx); err != nil {
			return err
		}
	}
	return advice.Unavailable("run it again when nobody else signs it",
		"the signatures under %s were overwritten by others again and again", tag)
}

// holds reports whether a signature is among those of a manifest.
func holds(m *v1.Manifest, layer v1.Descriptor) bool {
	for _, l := range m.Layers {
		if l.Digest == layer.Digest && l.Annotations[signature.AnnotationSignature] == layer.Annotations[signature.AnnotationSignature] {
			return true
		}
	}
	return false
}

func olderManifest(ctx context.Context, r *registry.Repository, tag string) (*v1.Manifest, error) {
	there, err := r.Resolve(ctx, tag)
	if registry.IsAbsent(err) {
		return &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(there.Raw))
	if err != nil || m.Config.MediaType == "" {
		return nil, fmt.Errorf("what is under the tag %s is no image of signatures: remove it", tag)
	}
	return m, nil
}

// putOlder stores the manifest with a configuration that fits its layers.
func putOlder(ctx context.Context, r *registry.Repository, tag string, m *v1.Manifest) error {
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, l := range m.Layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest) // they are stored as they are
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if err := r.Upload(ctx, raw); err != nil {
		return err
	}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(raw))}
	if m.Config.Digest, err = v1.NewHash(string(verify.DigestOf(raw))); err != nil {
		return err
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = r.PutManifest(ctx, tag, manifest, string(m.MediaType))
	return err
}

// OlderSignatures reads the signatures of the older form that lie beside a digest. None is no error.
func OlderSignatures(ctx context.Context, r *registry.Repository, subject core.Digest) ([]signature.Simple, error) {
	m, err := r.Resolve(ctx, registry.FallbackTag(subject)+".sig")
	if registry.IsAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	read, err := signature.Read(ctx, [][]byte{m.Raw}, func(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
		return blob(ctx, r, d, size)
	})
	return read.Simple, err
}
