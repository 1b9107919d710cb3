package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

const (
	// maxAttached is how many manifests that belong to an image are copied with it: anybody who may write to a repository
	// can add some.
	maxAttached = 4000
	// maxAttachedDepth is how far what belongs to something that itself belongs to an image is followed.
	maxAttachedDepth = 3
)

// CopyAttached copies what belongs to a pushed source from the repository that it came from: everything that refers to one
// of its manifests, what refers to that, and what is under the tags of cosign's older form, which is added to what the
// destination has there. Nothing of it is trusted: it stays as it was signed, or not signed. It returns how many manifests
// there were.
func CopyAttached(ctx context.Context, to, from *registry.Repository, s Source) (int, error) {
	p := pusher{repository: to, source: s, seen: map[core.Digest]bool{}}
	top, raw := s.Root()
	if err := p.collect(ctx, node{top, raw}, 0); err != nil {
		return 0, err
	}
	c := copier{to: to, from: from, seen: map[core.Digest]bool{}}
	for _, n := range p.manifests {
		if err := c.attached(ctx, n.Digest, 0); err != nil {
			return c.copied, err
		}
	}
	return c.copied, nil
}

type copier struct {
	to, from *registry.Repository
	seen     map[core.Digest]bool
	copied   int
}

// attached copies what belongs to one manifest.
func (c *copier) attached(ctx context.Context, subject core.Digest, depth int) error {
	if c.seen[subject] {
		return nil
	}
	c.seen[subject] = true
	all, err := c.from.Attached(ctx, subject, nil)
	if err != nil {
		return fmt.Errorf("find what belongs to %s: %w", subject.Short(), err)
	}
	if len(all) > 0 && depth == maxAttachedDepth {
		return fmt.Errorf("what belongs to the image is nested deeper than %d", maxAttachedDepth)
	}
	var referrers []registry.Referrer
	for _, a := range all {
		if c.copied++; c.copied > maxAttached {
			return fmt.Errorf("more than %d manifests belong to the image", maxAttached)
		}
		if a.Tag != "" {
			if err := c.older(ctx, a); err != nil {
				return fmt.Errorf("copy %s: %w", a.Tag, err)
			}
			continue
		}
		d, err := c.referrer(ctx, a.Manifest)
		if err != nil {
			return fmt.Errorf("copy %s, which belongs to %s: %w", a.Digest.Short(), subject.Short(), err)
		}
		referrers = append(referrers, registry.Referrer{Subject: subject, Descriptor: d, Raw: a.Raw})
	}
	if err := c.to.PutReferrers(ctx, referrers); err != nil {
		return fmt.Errorf("copy what belongs to %s: %w", subject.Short(), err)
	}
	for _, a := range all {
		if a.Tag == "" {
			if err := c.attached(ctx, a.Digest, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// referrer copies what one manifest holds, and says how the manifest is listed, which is for later.
func (c *copier) referrer(ctx context.Context, m registry.Manifest) (d registry.Descriptor, err error) {
	var says struct {
		MediaType    string                     `json:"mediaType"`
		ArtifactType string                     `json:"artifactType"`
		Config       struct{ MediaType string } `json:"config"`
		Annotations  map[string]string          `json:"annotations"`
	}
	if err := json.Unmarshal(m.Raw, &says); err != nil {
		return d, fmt.Errorf("it is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	d = registry.Descriptor{MediaType: says.MediaType, ArtifactType: says.ArtifactType, Digest: m.Digest, Size: int64(len(m.Raw)),
		Annotations: says.Annotations}
	if d.MediaType == "" {
		d.MediaType = m.MediaType
	}
	if d.ArtifactType == "" { // as registries that list by themselves say it
		d.ArtifactType = says.Config.MediaType
	}
	source := stored{c.from, target.Descriptor{MediaType: d.MediaType, Digest: m.Digest, Size: d.Size}, m.Raw}
	p := pusher{repository: c.to, source: source, seen: map[core.Digest]bool{}}
	if err := p.collect(ctx, node{source.top, m.Raw}, 0); err != nil {
		return d, err
	}
	if err := p.blobs(ctx); err != nil {
		return d, err
	}
	for _, n := range p.manifests[:len(p.manifests)-1] { // it comes last
		if _, err = c.to.PutManifest(ctx, string(n.Digest), n.raw, n.MediaType); err != nil {
			return d, err
		}
	}
	return d, nil
}

// older adds the layers under a tag of the older form to those of the destination.
func (c *copier) older(ctx context.Context, a registry.Attached) error {
	var m v1.Manifest
	if err := json.Unmarshal(a.Raw, &m); err != nil {
		return fmt.Errorf("it is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	if len(m.Layers) > maxOlder {
		return fmt.Errorf("it has more than %d layers", maxOlder)
	}
	source := stored{repository: c.from}
	for _, l := range m.Layers {
		d := target.Descriptor{MediaType: string(l.MediaType), Digest: core.Digest(l.Digest.String()), Size: l.Size}
		if err := checkDescriptor(d); err != nil {
			return err
		}
		err := c.to.Stream(ctx, d.Digest, d.Size, func() (io.ReadCloser, error) { return source.Blob(ctx, d) })
		if err != nil {
			return err
		}
	}
	return addOlder(ctx, c.to, a.Tag, m.Layers)
}

// stored is a manifest of a repository, as something to push.
type stored struct {
	repository *registry.Repository
	top        target.Descriptor
	raw        []byte
}

// Root implements Source.
func (s stored) Root() (target.Descriptor, []byte) { return s.top, s.raw }

// Manifest implements Source.
func (s stored) Manifest(ctx context.Context, d target.Descriptor) ([]byte, error) {
	raw, err := s.repository.Manifest(ctx, d.Digest, d.Size)
	if err != nil {
		return nil, err
	}
	return raw, verify.Bytes(raw, d.Size, d.Digest)
}

// Blob implements Source.
func (s stored) Blob(ctx context.Context, d target.Descriptor) (io.ReadCloser, error) {
	body, err := s.repository.Blob(ctx, d.Digest, d.Size)
	if err != nil {
		return nil, err
	}
	return verify.ReadCloser(body, d.Size, d.Digest), nil
}

// checkDescriptor reports whether a descriptor of somebody else's manifest can be followed.
func checkDescriptor(d target.Descriptor) error {
	if _, err := core.ParseDigest(string(d.Digest)); err != nil {
		return fmt.Errorf("it names %q, which is no digest", redact.Limited(string(d.Digest), 80))
	}
	if d.Size < 0 {
		return errors.New("it names content of a negative size")
	}
	return nil
}
