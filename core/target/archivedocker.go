package target

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// dockerManifestFile lists the images of an archive that docker save made.
//
// https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md (combined image JSON + filesystem changeset format)
const dockerManifestFile = "manifest.json"

// savedImage is one image of such an archive.
type savedImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// openDocker opens an image that has no manifest of a registry, by giving it one. The manifest follows from the image
// alone: the bytes of its configuration and of its layers as they are stored, in order. So the same image saved twice has
// the same digest, whatever the order, times and names in the archive.
func (a *archive) openDocker(ctx context.Context, ref string, c choice, o Options) (*Target, error) {
	list, err := a.readSmall(ctx, dockerManifestFile)
	if err != nil {
		return nil, err
	}
	images, err := parseDockerManifest(list, a.limits)
	if err != nil {
		return nil, err
	}
	saved, err := chooseSaved(images, c.tag)
	if err != nil {
		return nil, err
	}
	raw, blobs, err := a.buildManifest(ctx, saved)
	if err != nil {
		return nil, err
	}
	digest := verify.DigestOf(raw)
	if c.digest != "" && c.digest != digest {
		return nil, advice.Misuse("", "the image in it has the digest %s, not %s", digest, c.digest)
	}
	s := memberStore{limits: a.limits, find: func(d core.Digest) (*member, error) {
		if m := blobs[d]; m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("the archive has no %s", d.Short())
	}}
	return assemble(ctx, s, root{name: ref, raw: raw, digest: digest, contentType: string(types.OCIManifestSchema1)}, o)
}

// parseDockerManifest reads manifest.json.
func parseDockerManifest(raw []byte, limits limit.Limits) ([]savedImage, error) {
	var images []savedImage
	if err := decodeJSON(raw, &images); err != nil {
		return nil, fmt.Errorf("%s: %w", dockerManifestFile, err)
	}
	for i, img := range images {
		if img.Config == "" {
			return nil, fmt.Errorf("%s: image %d has no configuration", dockerManifestFile, i+1)
		}
		if len(img.Layers) > maxLayers {
			return nil, fmt.Errorf("%s: image %d has more than %d layers", dockerManifestFile, i+1, maxLayers)
		}
		for _, name := range append([]string{img.Config}, img.Layers...) {
			if _, err := memberName(name, limits); err != nil {
				return nil, fmt.Errorf("%s: image %d: %w", dockerManifestFile, i+1, err)
			}
		}
	}
	return images, nil
}

func chooseSaved(images []savedImage, tag string) (savedImage, error) {
	var fit []savedImage
	var names []string
	for _, img := range images {
		if len(img.RepoTags) == 0 {
			names = append(names, "an image without a tag")
		}
		names = append(names, img.RepoTags...)
		if tag == "" || slices.ContainsFunc(img.RepoTags, func(t string) bool { return sameImage(t, tag) }) {
			fit = append(fit, img)
		}
	}
	switch {
	case len(images) == 0:
		return savedImage{}, fmt.Errorf("it holds no images: its %s is empty", dockerManifestFile)
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return savedImage{}, advice.Misuse("", "it has no image %q; it has %s", redact.Limited(tag, 200), listNames(names))
	default:
		return savedImage{}, advice.Misuse("say which with docker-archive:PATH:NAME:TAG", "it holds %d images: %s", len(fit), listNames(names))
	}
}

// builtManifest is written with its keys sorted and without white space, which is its canonical form.
type builtManifest struct {
	Config        builtDescriptor   `json:"config"`
	Layers        []builtDescriptor `json:"layers"`
	MediaType     string            `json:"mediaType"`
	SchemaVersion int               `json:"schemaVersion"`
}

type builtDescriptor struct {
	Digest    core.Digest `json:"digest"`
	MediaType string      `json:"mediaType"`
	Size      int64       `json:"size"`
}

// buildManifest describes the image by an OCI manifest.
func (a *archive) buildManifest(ctx context.Context, saved savedImage) ([]byte, map[core.Digest]*member, error) {
	blobs := map[core.Digest]*member{}
	describe := func(name string) (builtDescriptor, *member, error) {
		m, err := a.find(name)
		if err != nil {
			return builtDescriptor{}, nil, err
		}
		if err := m.hash(ctx); err != nil {
			return builtDescriptor{}, nil, fmt.Errorf("%q of the archive: %w", redact.Limited(name, 120), err)
		}
		blobs[m.digest] = m
		return builtDescriptor{Digest: m.digest, Size: m.size}, m, nil
	}
	built := builtManifest{MediaType: string(types.OCIManifestSchema1), SchemaVersion: 2, Layers: []builtDescriptor{}}
	config, _, err := describe(saved.Config)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	if err := nameMatches(saved.Config, config); err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	config.MediaType = string(types.OCIConfigJSON)
	built.Config = config
	for i, name := range saved.Layers {
		layer, m, err := describe(name)
		if err == nil {
			layer.MediaType, err = layerMediaType(m)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("layer %d of %d: %w", i+1, len(saved.Layers), err)
		}
		built.Layers = append(built.Layers, layer)
	}
	raw, err := json.Marshal(built)
	return raw, blobs, err
}

// nameMatches checks the configuration against its name, which is its digest in all archives that docker save makes.
func nameMatches(name string, d builtDescriptor) error {
	stem := strings.TrimSuffix(path.Base(name), ".json")
	named, err := core.ParseDigest("sha256:" + stem)
	if err != nil || named == d.Digest {
		return nil //nolint:nilerr // other tools name it as they like
	}
	return &verify.MismatchError{Expected: named, Actual: d.Digest, ExpectedSize: verify.UnknownSize, ActualSize: d.Size}
}

// layerMediaType looks at how a layer is stored. Docker stores plain tars, other tools also compressed ones.
func layerMediaType(m *member) (string, error) {
	r, err := m.open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	head, err := headOf(r)
	if err != nil {
		return "", err
	}
	switch sniffCompression(head) {
	case gzipped:
		return string(types.OCILayer), nil
	case zstandard:
		return string(types.OCILayerZStd), nil
	default:
		return string(types.OCIUncompressedLayer), nil
	}
}
