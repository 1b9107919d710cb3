package images

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Hostile is an image that a gate must not be fooled, crashed or exhausted by.
type Hostile struct {
	// Name is fit for a sub-test.
	Name string
	Spec Spec
	// Damage, if set, is done to the layout after it is written. It gets the image that was written there.
	Damage func(dir string, image v1.Image) error
	// NeverPasses is true if the image must not pass whatever policy says: no honest tool can read every byte within
	// reasonable limits, or there is nothing to read.
	NeverPasses bool
}

// Write writes the image as a layout and damages it.
func (h Hostile) Write(dir string) error {
	image, err := Build(h.Spec)
	if err != nil {
		return err
	}
	if err := WriteLayout(dir, image); err != nil || h.Damage == nil {
		return err
	}
	return h.Damage(dir, image)
}

// HostileImages are the images that every end-to-end test runs through. All but the empty one would be like Clean if
// they were whole.
func HostileImages() []Hostile {
	damaged := []Hostile{
		{Name: "truncated-layer", Damage: damageLayer(Truncate), NeverPasses: true},
		{Name: "corrupt-layer", Damage: damageLayer(FlipByte), NeverPasses: true},
		{Name: "missing-layer", Damage: damageLayer(os.Remove), NeverPasses: true},
		{Name: "corrupt-config", Damage: damageConfig, NeverPasses: true},
		{Name: "wrong-diff-id", NeverPasses: true, Spec: with(Layer{
			CreatedBy: "RUN lie",
			Entries:   []Entry{File("srv/lie", "lie")},
			DiffID:    "sha256:" + strings.Repeat("0", 64),
		})},
		{Name: "truncated-tar", NeverPasses: true, Spec: with(Layer{CreatedBy: "RUN cut", Tar: truncatedTar})},
		{Name: "not-a-tar", NeverPasses: true, Spec: with(Layer{CreatedBy: "RUN noise", Tar: func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("this is no tar archive\n", 100))
			return err
		}})},
		{Name: "gzip-bomb", NeverPasses: true, Spec: with(Layer{CreatedBy: "RUN bomb", Tar: Zeros("srv/zeros", 64<<20)})},
		{Name: "million-entries", NeverPasses: true, Spec: with(Layer{
			CreatedBy:   "RUN many",
			Tar:         Many(1_000_000),
			Compression: Zstd, // several times faster to make
		})},
		{Name: "long-path", NeverPasses: true, Spec: with(entries(File(strings.Repeat("d/", 4096)+"f", "")))},
	}
	odd := []Hostile{
		{Name: "absolute-path", Spec: with(entries(File("/srv/absolute", "x")))},
		{Name: "parent-path", Spec: with(entries(File("../../etc/shadow", "x")))},
		{Name: "device-node", Spec: with(entries(Device("dev/null")))},
		{Name: "cyclic-symlinks", Spec: with(entries(Symlink("srv/a", "b"), Symlink("srv/b", "a"),
			Symlink("var/lib/rpm", "rpm")))},
		{Name: "cyclic-hard-links", Spec: with(entries(HardLink("srv/a", "srv/b"), HardLink("srv/b", "srv/a")))},
		{Name: "dangling-hard-link", Spec: with(entries(HardLink("srv/a", "srv/nowhere")))},
		{Name: "link-out-of-root", Spec: with(entries(Symlink("srv/up", "../../../../etc/passwd")))},
		{Name: "name-not-utf8", Spec: with(entries(rawName("srv/\xff\xfe.json")))},
		{Name: "control-characters", Spec: with(entries(rawName("srv/\x1b[2J::error::\r\n")))},
		{Name: "zip-bomb-jar", Spec: with(entries(File("srv/bomb.jar", zipBomb(256<<20))))},
		{Name: "without-history", Spec: withoutHistoryOf(Clean("amd64"))},
		{Name: "no-layers", NeverPasses: true, Spec: Spec{Platform: Platform("amd64")}},
	}
	all := append(damaged, odd...)
	for i := range all {
		if all[i].Damage != nil {
			all[i].Spec = Clean("amd64")
		}
	}
	return all
}

// with is the clean image with one more layer.
func with(l Layer) Spec {
	s := Clean("amd64")
	s.Layers = append(s.Layers, l)
	return s
}

func entries(e ...Entry) Layer { return Layer{CreatedBy: "COPY odd /", Entries: e} }

func withoutHistoryOf(s Spec) Spec {
	s.WithoutHistory = true
	return s
}

// rawName is a file whose name is written as it is; the PAX format would need UTF-8.
func rawName(name string) Entry {
	e := File(name, "{}")
	e.Header.Format = tar.FormatGNU
	return e
}

func damageLayer(damage func(file string) error) func(string, v1.Image) error {
	return func(dir string, image v1.Image) error {
		file, err := LayerBlob(dir, image, 1)
		if err != nil {
			return err
		}
		return damage(file)
	}
}

func damageConfig(dir string, image v1.Image) error {
	digest, err := image.ConfigName()
	if err != nil {
		return err
	}
	return FlipByte(Blob(dir, digest))
}

func truncatedTar(w io.Writer) error {
	var whole bytes.Buffer
	if err := writeEntries(&whole, []Entry{File("srv/cut", strings.Repeat("cut ", 1000))}); err != nil {
		return err
	}
	_, err := w.Write(whole.Bytes()[:1500])
	return err
}

// zipBomb is a zip archive with one file of size zero bytes.
func zipBomb(size int64) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	// The standard library's compressor is enough here: no digest of this image is in a golden file.
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	w, err := z.Create("META-INF/zeros.jar")
	if err == nil {
		_, err = io.CopyN(w, zeros{}, size)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil { // writing to memory does not fail
		return fmt.Sprintf("no zip: %v", err)
	}
	return b.String()
}

// Artifact is something in a registry that is no image, though it has the same manifest: kind is "helm-chart" or
// "signature".
func Artifact(kind string) (v1.Image, error) {
	image, err := Build(Spec{Layers: []Layer{entries(File("chart/Chart.yaml", "name: chart\nversion: 1.0.0\n"))}})
	if err != nil {
		return nil, err
	}
	switch kind {
	case "helm-chart":
		return mutate.ConfigMediaType(image, "application/vnd.cncf.helm.config.v1+json"), nil
	case "signature":
		layer := Layer{Compression: Plain, Tar: func(w io.Writer) error {
			_, err := io.WriteString(w, `{"critical":{"type":"cosign container image signature"}}`)
			return err
		}}
		b, err := layer.blob()
		if err != nil {
			return nil, err
		}
		b.mediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
		return appendBlob(emptyImage(), b)
	}
	return nil, fmt.Errorf("unknown artifact %q", kind)
}

// Attested adds to an index what BuildKit adds: for each image a manifest of the platform unknown/unknown that holds
// its provenance. Those are not platforms.
// https://github.com/moby/buildkit/blob/v0.25.1/docs/attestations/attestation-storage.md
func Attested(index v1.ImageIndex) (v1.ImageIndex, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, image := range manifest.Manifests {
		attestation, err := attestationOf(image.Digest)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{
				"vnd.docker.reference.digest": image.Digest.String(),
				"vnd.docker.reference.type":   "attestation-manifest",
			},
		}})
	}
	return index, nil
}

func attestationOf(subject v1.Hash) (v1.Image, error) {
	layer := Layer{Compression: Plain, Tar: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, `{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"digest":{"sha256":%q}}]}`,
			subject.Hex)
		return err
	}}
	b, err := layer.blob()
	if err != nil {
		return nil, err
	}
	b.mediaType = types.MediaType("application/vnd.in-toto+json")
	image, err := Build(Spec{Platform: v1.Platform{OS: "unknown", Architecture: "unknown"}})
	if err != nil {
		return nil, err
	}
	return appendBlob(image, b)
}
