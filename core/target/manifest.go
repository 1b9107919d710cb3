package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Media types that go-containerregistry does not name.
const (
	dockerZstdLayer   = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	ociRestrictedZstd = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
	emptyConfig       = "application/vnd.oci.empty.v1+json"
	inTotoStatement   = "application/vnd.in-toto+json"
)

// maxLayers is how many layers an image may have. Engines stop at about 127.
const maxLayers = 4096

// Annotations that name an entry of an index.
const (
	annotationRefName         = "org.opencontainers.image.ref.name"
	annotationContainerd      = "io.containerd.image.name"
	annotationReferenceType   = "vnd.docker.reference.type"
	annotationReferenceDigest = "vnd.docker.reference.digest"
)

// descriptor points at content.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       core.Digest       `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     *platform         `json:"platform,omitempty"`
}

// platform is core.Platform as indexes and configurations spell it.
type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
	OSVersion    string `json:"os.version,omitempty"`
}

func (p platform) core() core.Platform {
	return core.Platform{
		OS: redact.Limited(p.OS, 64), Architecture: redact.Limited(p.Architecture, 64),
		Variant: redact.Limited(p.Variant, 64), OSVersion: redact.Limited(p.OSVersion, 64),
	}
}

// manifest is an image manifest or an image index, as yet unknown which.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations"`
	FSLayers      json.RawMessage   `json:"fsLayers"` // schema 1
}

// artifactError is the error for something that a registry may hold but that is no image.
type artifactError struct{ mediaType, role string }

func (e *artifactError) Error() string {
	return fmt.Sprintf("it is not a container image but an artifact (its %s is %q)", e.role, redact.Limited(e.mediaType, 120))
}

// parseManifest reads an image manifest or index and checks everything in it that can be checked without its blobs. The
// content type is what the server or the parent descriptor said; empty if nobody did.
func parseManifest(raw []byte, contentType string, limits limit.Limits) (*manifest, error) {
	var m manifest
	if err := decodeJSON(raw, &m); err != nil {
		return nil, fmt.Errorf("this is not a manifest: %w", err)
	}
	if err := m.settleMediaType(contentType); err != nil {
		return nil, err
	}
	if m.isIndex() {
		return &m, m.checkIndex(limits)
	}
	return &m, m.checkImage(limits)
}

func (m *manifest) isIndex() bool { return isIndexType(m.MediaType) }

// settleMediaType decides what m is. A manifest that can be read in two ways is refused: whoever pulls it later might read
// it in the other.
func (m *manifest) settleMediaType(contentType string) error {
	declared := mediaTypeOf(contentType)
	switch {
	case m.FSLayers != nil || m.SchemaVersion == 1 || strings.HasPrefix(declared, "application/vnd.docker.distribution.manifest.v1"):
		return errors.New("it has a Docker schema 1 manifest, which registries have dropped and which names no configuration: push it again with a current client")
	case m.Manifests != nil && (m.Config != nil || m.Layers != nil):
		return errors.New("its manifest is ambiguous: it has the fields of an image and of an index")
	case m.MediaType != "" && isManifestType(declared) && declared != m.MediaType:
		return fmt.Errorf("its manifest is ambiguous: it says that it is %q but was announced as %q", redact.Limited(m.MediaType, 120), declared)
	}
	if m.MediaType == "" && isManifestType(declared) {
		m.MediaType = declared
	}
	if m.MediaType == "" { // OCI 1.0 had no such field, and not every server says
		switch {
		case m.Manifests != nil:
			m.MediaType = string(types.OCIImageIndex)
		case m.Config != nil:
			m.MediaType = string(types.OCIManifestSchema1)
		default:
			return errors.New("this is not a manifest: it has neither a configuration nor manifests")
		}
	}
	if !isManifestType(m.MediaType) {
		return &artifactError{m.MediaType, "media type"}
	}
	if m.isIndex() && m.Config != nil || !m.isIndex() && m.Manifests != nil {
		return fmt.Errorf("its manifest is ambiguous: it is declared as %q and has the fields of the other kind", m.MediaType)
	}
	return nil
}

func (m *manifest) checkIndex(limits limit.Limits) error {
	if m.ArtifactType != "" {
		return &artifactError{m.ArtifactType, "artifact type"}
	}
	for i, d := range m.Manifests {
		if err := d.check(limits.MetadataSize); err != nil {
			return fmt.Errorf("entry %d of its index: %w", i+1, err)
		}
	}
	return nil
}

func (m *manifest) checkImage(limits limit.Limits) error {
	if m.Config == nil {
		return errors.New("its manifest names no configuration")
	}
	if !isConfigType(m.Config.MediaType) {
		if m.ArtifactType != "" && m.Config.MediaType == emptyConfig {
			return &artifactError{m.ArtifactType, "artifact type"}
		}
		return &artifactError{m.Config.MediaType, "configuration's media type"}
	}
	if m.ArtifactType != "" && m.ArtifactType != m.Config.MediaType {
		return &artifactError{m.ArtifactType, "artifact type"}
	}
	if err := m.Config.check(limits.MetadataSize); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if len(m.Layers) > maxLayers {
		return fmt.Errorf("its manifest has more than %d layers", maxLayers)
	}
	for i, d := range m.Layers {
		if !isLayerType(d.MediaType) {
			return &artifactError{d.MediaType, fmt.Sprintf("layer %d's media type", i+1)}
		}
		if err := d.check(limits.LayerSize); err != nil {
			return fmt.Errorf("its layer %d: %w", i+1, err)
		}
	}
	return nil
}

// check reports whether the descriptor can be followed: its digest and size mean something.
func (d descriptor) check(largest int64) error {
	if _, err := core.ParseDigest(string(d.Digest)); err != nil {
		return fmt.Errorf("%q is not a digest: want sha256: and 64 lower-case hex digits", redact.Limited(string(d.Digest), 80))
	}
	if d.Size < 0 {
		return fmt.Errorf("%s has the negative size %d", d.Digest.Short(), d.Size)
	}
	if d.Size > largest {
		name := "metadata-size"
		if isLayerType(d.MediaType) {
			name = "layer-size"
		}
		return &limit.Exceeded{Limit: name, Max: largest, Unit: "bytes", What: d.Digest.Short()}
	}
	return nil
}

// mediaTypeOf strips the parameters of a Content-Type.
func mediaTypeOf(contentType string) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return t
}

func isManifestType(t string) bool { return isIndexType(t) || isImageType(t) }

func isIndexType(t string) bool {
	return t == string(types.OCIImageIndex) || t == string(types.DockerManifestList)
}

func isImageType(t string) bool {
	return t == string(types.OCIManifestSchema1) || t == string(types.DockerManifestSchema2)
}

func isConfigType(t string) bool {
	return t == string(types.OCIConfigJSON) || t == string(types.DockerConfigJSON)
}

func isLayerType(t string) bool {
	return slices.Contains([]string{
		string(types.OCILayer), string(types.OCIUncompressedLayer), string(types.OCILayerZStd),
		string(types.DockerLayer), string(types.DockerUncompressedLayer), dockerZstdLayer,
	}, t) || isForeignLayerType(t)
}

// isForeignLayerType reports whether registries may leave the layer out and name a place on the web for it.
func isForeignLayerType(t string) bool {
	return slices.Contains([]string{
		string(types.DockerForeignLayer), string(types.OCIRestrictedLayer),
		string(types.OCIUncompressedRestrictedLayer), ociRestrictedZstd,
	}, t)
}

// decodeJSON reads exactly one JSON value.
func decodeJSON(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("it is empty")
		}
		return fmt.Errorf("it is not valid JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON document")
	}
	return nil
}
