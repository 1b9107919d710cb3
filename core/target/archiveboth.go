package target

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// openLayout opens an archive that is an image layout.
func (a *archive) openLayout(ctx context.Context, ref string, c choice, o Options) (*Target, error) {
	version, err := a.readSmall(ctx, layoutFile)
	if err != nil {
		return nil, err
	}
	index, err := a.readSmall(ctx, indexFile)
	if err != nil {
		return nil, err
	}
	t, err := openLayoutIndex(ctx, memberStore{a.layoutBlob, a.limits}, ref, c, version, index, o)
	if err != nil || a.members[dockerManifestFile] == nil {
		return t, err
	}
	chosen, err := chooseFromLayout(version, index, c, o.Limits)
	if err != nil {
		return nil, err
	}
	if err := a.checkSaved(ctx, t, chosen, c, o); err != nil {
		return nil, err
	}
	return t, nil
}

// checkSaved refuses an archive that holds other images for readers of manifest.json than for readers of index.json.
// Current docker save writes both for the same image, and which of them counts differs: containerd and skopeo's
// oci-archive take index.json, Docker's classic store and skopeo's docker-archive take manifest.json. So what is judged
// must be what the others load.
func (a *archive) checkSaved(ctx context.Context, t *Target, chosen descriptor, c choice, o Options) error {
	list, err := a.readSmall(ctx, dockerManifestFile)
	if err != nil {
		return err
	}
	images, err := parseDockerManifest(list, a.limits)
	if err != nil {
		return err
	}
	agreed := false
	for i, img := range images {
		if !claims(img, chosen, c) {
			continue
		}
		same, err := a.isOf(ctx, img, t, o)
		if err != nil {
			return ambiguous("image %d of %s: %w", i+1, dockerManifestFile, err)
		}
		if !same {
			return ambiguous("image %d of %s has another configuration or other layers than the image that %s names", i+1,
				dockerManifestFile, indexFile)
		}
		agreed = true
	}
	if !agreed {
		return ambiguous("%s does not list the image that %s names", dockerManifestFile, indexFile)
	}
	return nil
}

func ambiguous(format string, args ...any) error {
	return advice.Unavailable("save the image again with one tool, so that every reader of the archive loads the same",
		"the archive is ambiguous: "+format, args...)
}

// claims reports whether somebody who asks for the chosen image may be given img. Without a name that is any.
func claims(img savedImage, chosen descriptor, c choice) bool {
	names := []string{c.tag, cmp.Or(chosen.Annotations[annotationContainerd], chosen.Annotations[annotationRefName])}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	if c == (choice{}) || len(names) == 0 {
		return true
	}
	return slices.ContainsFunc(img.RepoTags, func(tag string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return sameImage(tag, n) || strings.HasSuffix(tag, ":"+n) })
	})
}

// isOf reports whether a saved image is one of those that were opened, or one of another platform that was left out on
// request.
func (a *archive) isOf(ctx context.Context, img savedImage, t *Target, o Options) (bool, error) {
	for _, opened := range t.Images {
		if same, err := a.isSaved(ctx, img, opened.Manifest, opened.Subject.MediaType); same || err != nil {
			return same, err
		}
	}
	for _, x := range t.Examinations {
		if x.Status != core.Skipped {
			continue
		}
		raw, err := a.readSmall(ctx, blobName(x.Input))
		if err != nil || verify.DigestOf(raw) != x.Input {
			continue // it is not in the archive, and so it is not what was saved
		}
		if same, err := a.isSaved(ctx, img, raw, ""); !same || err != nil {
			continue
		}
		var configured platform
		config, err := a.readSmall(ctx, img.Config)
		if err == nil {
			err = decodeJSON(config, &configured)
		}
		return !wanted(configured.core(), o.Platforms), err
	}
	return false, nil
}

// isSaved reports whether a saved image has the configuration and the layers of a manifest.
func (a *archive) isSaved(ctx context.Context, img savedImage, raw []byte, mediaType string) (bool, error) {
	m, err := parseManifest(raw, mediaType, a.limits)
	if err != nil || m.isIndex() || len(m.Layers) != len(img.Layers) {
		return false, err
	}
	names := append([]string{img.Config}, img.Layers...)
	for i, d := range append([]descriptor{*m.Config}, m.Layers...) {
		if same, err := a.holds(ctx, names[i], d.Digest); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// holds reports whether the member of that name is the blob with that digest. The layout's own file of it counts as
// that: whoever reads it verifies it.
func (a *archive) holds(ctx context.Context, name string, d core.Digest) (bool, error) {
	m, err := a.find(name)
	if err != nil {
		return false, err
	}
	if blob, err := a.layoutBlob(d); err == nil && blob == m {
		return true, nil
	}
	if err := m.hash(ctx); err != nil {
		return false, fmt.Errorf("%q of the archive: %w", redact.Limited(name, 120), err)
	}
	return m.digest == d, nil
}
