// Package images makes container images for tests: from lists of files, from root filesystem archives, for several
// platforms, and damaged in every way that a gate must notice. Nothing is stored; the same description gives the same
// bytes on every machine and with every toolchain, so that digests in golden files hold.
//
// It is for tests and for the generator of the example image. The product must not import it.
package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Spec describes an image for one platform.
type Spec struct {
	// Platform is linux/amd64 if it is empty.
	Platform v1.Platform
	Config   v1.Config
	Layers   []Layer
	// WithoutHistory leaves the history out of the configuration, which the specification allows.
	WithoutHistory bool
}

// Layer describes one layer, or one line of history that made none.
type Layer struct {
	// CreatedBy is the line of history.
	CreatedBy string
	// Entries are written in this order. Parent directories are not added: an image need not have them.
	Entries []Entry
	// Tar, if set, writes the uncompressed layer in place of Entries.
	Tar func(w io.Writer) error
	// Compression of the blob, gzip if it is empty.
	Compression Compression
	// Empty is for a line of history without a layer, such as USER or ENV.
	Empty bool
	// DiffID, if set, is what the configuration claims, true or not.
	DiffID string
}

// Compression is how a layer is stored.
type Compression string

// The compressions that the OCI image specification knows.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
const (
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Plain Compression = "plain"
)

// Epoch is the time stamp of everything that this package makes.
func Epoch() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Platform returns linux with the given architecture.
func Platform(architecture string) v1.Platform {
	return v1.Platform{OS: "linux", Architecture: architecture}
}

// Build makes the image. Layers are held in memory, compressed.
func Build(s Spec) (v1.Image, error) {
	base, err := mutate.ConfigFile(emptyImage(), s.configFile())
	if err != nil {
		return nil, fmt.Errorf("set the configuration: %w", err)
	}
	adds := make([]mutate.Addendum, 0, len(s.Layers))
	for i, l := range s.Layers {
		add, err := l.addendum()
		if err != nil {
			return nil, fmt.Errorf("make layer %d (%s): %w", i, l.CreatedBy, err)
		}
		adds = append(adds, add)
	}
	image, err := mutate.Append(base, adds...)
	if err != nil {
		return nil, fmt.Errorf("append the layers: %w", err)
	}
	if s.WithoutHistory {
		return withoutHistory(image)
	}
	return image, nil
}

// Index makes an image index of the images, with the platform of each from its configuration.
func Index(images ...v1.Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: config.Platform()},
		})
	}
	return index, nil
}

// BuildIndex makes an image of each description and an index of them all.
func BuildIndex(specs ...Spec) (v1.ImageIndex, error) {
	var built []v1.Image
	for _, s := range specs {
		image, err := Build(s)
		if err != nil {
			return nil, fmt.Errorf("build for %s: %w", s.platform(), err)
		}
		built = append(built, image)
	}
	return Index(built...)
}

func emptyImage() v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
}

func (s Spec) platform() v1.Platform {
	if s.Platform.OS == "" {
		return Platform("amd64")
	}
	return s.Platform
}

func (s Spec) configFile() *v1.ConfigFile {
	p := s.platform()
	return &v1.ConfigFile{
		OS:           p.OS,
		Architecture: p.Architecture,
		Variant:      p.Variant,
		OSVersion:    p.OSVersion,
		Created:      v1.Time{Time: Epoch()},
		Config:       s.Config,
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
	}
}

func withoutHistory(image v1.Image) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config = config.DeepCopy()
	config.History = nil
	return mutate.ConfigFile(image, config)
}

func (l Layer) addendum() (mutate.Addendum, error) {
	add := mutate.Addendum{
		History: v1.History{Created: v1.Time{Time: Epoch()}, CreatedBy: l.CreatedBy, EmptyLayer: l.Empty},
	}
	if l.Empty {
		return add, nil
	}
	b, err := l.blob()
	if err != nil {
		return add, err
	}
	add.MediaType = b.mediaType
	add.Layer, err = partial.CompressedToLayer(b)
	return add, err
}

func appendBlob(image v1.Image, b *blob) (v1.Image, error) {
	layer, err := partial.CompressedToLayer(b)
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: b.mediaType})
}

// blob is a stored layer. Its digests are computed once, when it is made.
type blob struct {
	data           []byte
	digest, diffID v1.Hash
	mediaType      types.MediaType
}

func (b *blob) Digest() (v1.Hash, error)            { return b.digest, nil }
func (b *blob) DiffID() (v1.Hash, error)            { return b.diffID, nil }
func (b *blob) Size() (int64, error)                { return int64(len(b.data)), nil }
func (b *blob) MediaType() (types.MediaType, error) { return b.mediaType, nil }
func (b *blob) Compressed() (io.ReadCloser, error)  { return io.NopCloser(bytes.NewReader(b.data)), nil }

func (l Layer) blob() (*blob, error) {
	var stored bytes.Buffer
	compressor, mediaType, err := l.Compression.writer(&stored)
	if err != nil {
		return nil, err
	}
	uncompressed := sha256.New()
	if err := l.write(io.MultiWriter(uncompressed, compressor)); err != nil {
		return nil, err
	}
	if err := compressor.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	b := &blob{
		data:      stored.Bytes(),
		digest:    hash(sha256.Sum256(stored.Bytes())),
		diffID:    hash([sha256.Size]byte(uncompressed.Sum(nil))),
		mediaType: mediaType,
	}
	if l.DiffID != "" {
		if b.diffID, err = v1.NewHash(l.DiffID); err != nil {
			return nil, fmt.Errorf("claim the diff-id: %w", err)
		}
	}
	return b, nil
}

func (l Layer) write(w io.Writer) error {
	if l.Tar != nil {
		return l.Tar(w)
	}
	return writeEntries(w, l.Entries)
}

// writer compresses with libraries whose version go.mod pins, not with the toolchain's: its output may change with
// the toolchain, and the bytes here must not.
func (c Compression) writer(w io.Writer) (io.WriteCloser, types.MediaType, error) {
	switch c {
	case Gzip, "":
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		return z, types.OCILayer, err
	case Zstd:
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		return z, types.OCILayerZStd, err
	case Plain:
		return nopCloser{w}, types.OCIUncompressedLayer, nil
	}
	return nil, "", fmt.Errorf("unknown compression %q", string(c))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func hash(sum [sha256.Size]byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}
