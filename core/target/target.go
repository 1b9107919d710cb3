// Package target opens what is to be judged, once, to a digest: an image in a registry, an OCI layout, an archive, a
// daemon's image, a source directory, or an SBOM file.
//
// A tag is resolved here and nowhere else. Nothing in this room looks into layers or files: it hands out bytes.
package target

import (
	"context"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
)

// Open opens what ref names. The caller closes the Target.
//
// A prefix says what kind of thing ref is:
//
//	registry:NAME[:TAG][@DIGEST]          an image in a registry
//	oci:PATH[:TAG][@DIGEST]               an OCI image layout, a directory or a tar
//	docker-archive:PATH[:NAME:TAG]        an archive that docker save made
//	docker:NAME[:TAG]  podman:NAME[:TAG]  an image of the daemon on this machine
//	dir:PATH                              a directory of sources
//	sbom:PATH                             a CycloneDX or SPDX JSON file
//
// Without a prefix, what exists as a file or directory is that, recognised by its content; anything else is a reference
// to a registry. Daemons are never asked without a prefix: what is judged must not depend on what a machine happens to
// have. Errors are of type *core.Failure.
func Open(ctx context.Context, ref string, o Options) (*Target, error) {
	o = o.filled()
	t, err := open(ctx, ref, o)
	return t, advice.Failure(ctx, "open "+shown(ref), err)
}

// Target is one opened target. Close it to remove what was spooled.
type Target struct {
	// Subject is what the user named: an index, an image, a source tree (whose digest is known only after it was
	// read), or an SBOM.
	Subject core.Subject
	// Images are the platforms to judge, in the order of the index; one for a plain image; none for other kinds.
	Images []Image
	// Index is the raw manifest of an image index.
	Index []byte
	// Dir is the root of a source tree.
	Dir string
	// SBOM is the whole file of an SBOM.
	SBOM []byte
	// Examinations say what was opened and what was left out, such as platforms that --platform excluded.
	Examinations []core.Examination

	// Repository is where it is; nil for what is in no registry.
	Repository *registry.Repository

	content  Content
	attached func(ctx context.Context, subject core.Digest) ([][]byte, error) // nil: there is no registry
	close    []func() error
}

// Bundles returns the Sigstore bundles that the registry has for one of the target's digests, not verified. What is in no
// registry has none.
func (t *Target) Bundles(ctx context.Context, subject core.Digest) ([][]byte, error) {
	if t.attached == nil {
		return nil, nil
	}
	bundles, err := t.attached(ctx, subject)
	return bundles, advice.Failure(ctx, "look for attestations of "+t.Subject.Name, err)
}

// Image is one platform's image: its manifest and configuration, read and verified, and its layers, not yet read.
type Image struct {
	Subject  core.Subject
	Manifest []byte
	Config   []byte
	// Annotations are those of the manifest.
	Annotations map[string]string
	Layers      []Layer
}

// Layer is one blob of an image.
type Layer struct {
	Digest    core.Digest
	Size      int64
	MediaType string
	// Open returns the blob's bytes as stored. They are not verified: whoever reads them does that. It may be called
	// more than once and from several goroutines.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Close releases what the target holds. It is safe to call twice.
func (t *Target) Close() error {
	var first error
	for i := len(t.close) - 1; i >= 0; i-- {
		if err := t.close[i](); err != nil && first == nil {
			first = err
		}
	}
	t.close = nil
	return first
}
