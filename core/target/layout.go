package target

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// The files of an OCI image layout.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
)

// choice is the part of a reference that picks one image of several.
type choice struct {
	tag    string
	digest core.Digest
}

// layoutStore is an OCI image layout in a directory.
type layoutStore struct {
	dir    string
	limits limit.Limits
}

func openLayout(ctx context.Context, ref string, c choice, dir string, o Options) (*Target, error) {
	s := layoutStore{dir, o.Limits}
	version, err := localfile.Read(filepath.Join(dir, layoutFile), o.Limits.MetadataSize)
	if err != nil {
		return nil, advice.Misuse("", "%s is not an OCI image layout: %s: %w", dir, layoutFile, err)
	}
	index, err := localfile.Read(filepath.Join(dir, indexFile), o.Limits.MetadataSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	return openLayoutIndex(ctx, s, ref, c, version, index, o)
}

// openLayoutIndex opens one image of a layout, wherever its blobs are.
func openLayoutIndex(ctx context.Context, s store, ref string, c choice, version, index []byte, o Options) (*Target, error) {
	d, err := chooseFromLayout(version, index, c, o.Limits)
	if err != nil {
		return nil, err
	}
	raw, err := s.manifest(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest.Short(), err)
	}
	if err := verify.Bytes(raw, d.Size, d.Digest); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return assemble(ctx, s, root{name: ref, raw: raw, digest: d.Digest, contentType: d.MediaType}, o)
}

// chooseFromLayout picks the one manifest of a layout that the user means.
func chooseFromLayout(version, index []byte, c choice, limits limit.Limits) (descriptor, error) {
	var v struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := decodeJSON(version, &v); err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", layoutFile, err)
	}
	if !strings.HasPrefix(v.Version, "1.") {
		return descriptor{}, fmt.Errorf("%s: image layout version %q is not known: want 1.0.0", layoutFile, redact.Limited(v.Version, 40))
	}
	var m manifest
	if err := decodeJSON(index, &m); err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", indexFile, err)
	}
	if err := m.checkIndex(limits); err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", indexFile, err)
	}
	return choose(m.Manifests, c)
}

func choose(all []descriptor, c choice) (descriptor, error) {
	var fit []descriptor
	for _, d := range all {
		if isAttestation(d, all) || c.digest != "" && d.Digest != c.digest || c.tag != "" && !hasTag(d, c.tag) {
			continue
		}
		if !slices.ContainsFunc(fit, func(f descriptor) bool { return f.Digest == d.Digest }) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(all) == 0:
		return descriptor{}, fmt.Errorf("it holds no images: its %s is empty", indexFile)
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return descriptor{}, advice.Misuse("", "it has no image %s; it has %s", c, listImages(all))
	default:
		return descriptor{}, advice.Misuse("add :TAG or @DIGEST to say which", "it holds %d images: %s", len(fit), listImages(fit))
	}
}

func (c choice) String() string {
	s := c.tag
	if c.digest != "" {
		s = strings.TrimPrefix(s+"@"+string(c.digest), "@")
	}
	return fmt.Sprintf("%q", redact.Limited(s, 200))
}

func hasTag(d descriptor, tag string) bool {
	return sameImage(d.Annotations[annotationRefName], tag) || sameImage(d.Annotations[annotationContainerd], tag)
}

// sameImage reports whether a stored name is the one that the user gave, written out or not.
func sameImage(stored, given string) bool {
	if stored == "" || given == "" {
		return false
	}
	if stored == given {
		return true
	}
	a, errA := name.NewTag(stored)
	b, errB := name.NewTag(given)
	return errA == nil && errB == nil && a.Name() == b.Name()
}

// listImages names the images of a layout for people, at most twenty.
func listImages(all []descriptor) string {
	var names []string
	for _, d := range all {
		n := d.Annotations[annotationContainerd]
		if n == "" {
			n = d.Annotations[annotationRefName]
		}
		switch {
		case n == "" && d.Platform != nil:
			n = fmt.Sprintf("%s (%s)", d.Digest, d.Platform.core())
		case n == "":
			n = string(d.Digest)
		}
		names = append(names, n)
	}
	return listNames(names)
}

func listNames(names []string) string {
	const most = 20
	names = slices.Clone(names)
	slices.Sort(names)
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	for i := range names {
		names[i] = redact.Limited(names[i], 160)
	}
	return strings.Join(names, ", ") + more
}

func (s layoutStore) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	return readAll(ctx, s, d, s.limits)
}

func (s layoutStore) blob(_ context.Context, d descriptor) (io.ReadCloser, error) {
	algorithm, hex, _ := strings.Cut(string(d.Digest), ":") // checked when the descriptor was read
	f, size, err := localfile.Open(filepath.Join(s.dir, "blobs", algorithm, hex))
	if err != nil {
		return nil, fmt.Errorf("blob %s of the layout: %w", d.Digest.Short(), err)
	}
	if size != d.Size {
		f.Close()
		return nil, &verify.MismatchError{Expected: d.Digest, ExpectedSize: d.Size, ActualSize: size}
	}
	return f, nil
}

// readAll reads a small blob whole.
func readAll(ctx context.Context, s store, d descriptor, limits limit.Limits) ([]byte, error) {
	if d.Size > limits.MetadataSize {
		return nil, tooLarge(d.Digest.Short(), limits.MetadataSize)
	}
	r, err := s.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, d.Size+1))
}

func tooLarge(what string, largest int64) error {
	return &limit.Exceeded{Limit: "metadata-size", Max: largest, Unit: "bytes", What: what}
}

// isLayout reports whether a directory is an image layout.
func isLayout(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, layoutFile))
	return err == nil && info.Mode().IsRegular()
}
