package images

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestTheSameDescriptionGivesTheSameBytes(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		index := buildIndex(t, Clean("amd64"), Vulnerable("arm64"))
		if err := WriteLayout(dir, index); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readTree(t, first), readTree(t, second)); diff != "" {
		t.Errorf("two layouts of one description differ (-first +second):\n%s", diff)
	}
}

// TestBytesDoNotDependOnTheToolchain holds the digest of one layer of each compression, so that golden files elsewhere
// that name digests break here first, with the reason.
func TestBytesDoNotDependOnTheToolchain(t *testing.T) {
	want := map[Compression]string{
		Gzip:  "sha256:ead631d9baeaa3a00eaa8f99d7f2ede98b2324ae1c8ccbf5e5a275286ff5404b",
		Zstd:  "sha256:13c996b5dd99e5bfcff2758b02c45b9f63883e55fbd7eea3f804487b3da80916",
		Plain: "sha256:f82e755e9ee048bc6dedc191eeb913180c249c05144eeb5c5c64acd7dd059a4f",
	}
	for compression, digest := range want {
		image := build(t, Spec{Layers: []Layer{{Entries: []Entry{File("etc/hostname", "box\n")}, Compression: compression}}})
		layers, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		got, err := layers[0].Digest()
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != digest {
			t.Errorf("%s layer: digest %s, want %s", compression, got, digest)
		}
	}
}

func TestEveryCompressionIsAValidImage(t *testing.T) {
	for _, compression := range []Compression{Gzip, Zstd, Plain} {
		t.Run(string(compression), func(t *testing.T) {
			spec := Clean("arm64")
			for i := range spec.Layers {
				spec.Layers[i].Compression = compression
			}
			if err := check(build(t, spec)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIndexSharesTheLayersThatAreEqual(t *testing.T) {
	dir := t.TempDir()
	if err := WriteLayout(dir, buildIndex(t, Clean("amd64"), Clean("arm64"))); err != nil {
		t.Fatal(err)
	}
	// index, 2 manifests, 2 configurations, 2 package databases, 1 lockfile for both
	if got := len(readTree(t, filepath.Join(dir, "blobs"))); got != 8 {
		t.Errorf("%d blobs, want 8", got)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range images(t, index) {
		if err := check(platform); err != nil {
			t.Error(err)
		}
	}
}

func TestAttestationsAreNotPlatforms(t *testing.T) {
	index, err := Attested(buildIndex(t, Clean("amd64"), Clean("arm64")))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
	}
	want := []string{"linux/amd64", "linux/arm64", "unknown/unknown", "unknown/unknown"}
	if diff := cmp.Diff(want, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	got := manifest.Manifests[2].Annotations["vnd.docker.reference.digest"]
	if want := manifest.Manifests[0].Digest.String(); got != want {
		t.Errorf("the attestation refers to %q, want %q", got, want)
	}
}

func TestSaveArchiveHoldsTheImageUnderItsTag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.tar")
	image := build(t, Vulnerable("amd64"))
	if err := WriteSave(file, "registry.example/app:1", image); err != nil {
		t.Fatal(err)
	}
	saved, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(configName(t, image), configName(t, saved)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestTarOfALayoutHasItsFiles(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "layout.tar")
	if err := WriteLayout(dir, build(t, Clean("amd64"))); err != nil {
		t.Fatal(err)
	}
	if err := TarLayout(dir, file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := map[string]string{}
	archive := tar.NewReader(f)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = string(body)
	}
	if diff := cmp.Diff(readTree(t, dir), got); diff != "" {
		t.Errorf("files (-layout +tar):\n%s", diff)
	}
}

// TestHostileImagesAreWhatTheySay asks an independent reader: it must reject what is damaged, and accept what is only
// odd.
func TestHostileImagesAreWhatTheySay(t *testing.T) {
	// Whole in the eyes of a reader that has no limits.
	whole := map[string]bool{"gzip-bomb": true, "million-entries": true, "long-path": true, "no-layers": true}
	for _, hostile := range HostileImages() {
		t.Run(hostile.Name, func(t *testing.T) {
			if testing.Short() && whole[hostile.Name] {
				t.Skip("takes seconds")
			}
			dir := t.TempDir()
			if err := hostile.Write(dir); err != nil {
				t.Fatal(err)
			}
			index, err := layout.ImageIndexFromPath(dir)
			if err != nil {
				t.Fatal(err)
			}
			wantInvalid := hostile.NeverPasses && !whole[hostile.Name]
			if err := check(images(t, index)[0]); (err != nil) != wantInvalid {
				t.Errorf("an independent reader says %v, want an error: %v", err, wantInvalid)
			}
		})
	}
}

func TestArtifactsAreNoImages(t *testing.T) {
	for kind, want := range map[string]string{
		"helm-chart": "application/vnd.cncf.helm.config.v1+json",
		"signature":  "application/vnd.dev.cosign.simplesigning.v1+json",
	} {
		artifact, err := Artifact(kind)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := artifact.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		got := []string{string(manifest.Config.MediaType), string(manifest.Layers[0].MediaType)}
		if got[0] != want && got[1] != want {
			t.Errorf("%s: media types %q, want one to be %s", kind, got, want)
		}
	}
	if _, err := Artifact("poem"); err == nil {
		t.Error("an unknown artifact is made")
	}
}

func TestRealRootFilesystemBecomesAnImage(t *testing.T) {
	file := SharedRootfs(t, "alpine-minirootfs-3.20.3-x86_64.tar.gz")
	image := build(t, FromRootfs(file, "amd64", Zstd))
	if err := check(image); err != nil {
		t.Error(err)
	}
}

// check reads every byte of an image and verifies all digests. (The registry library's own validation knows gzip only,
// and a layout's configuration is not verified by it.)
func check(image v1.Image) error {
	raw, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	if got := hash(sha256.Sum256(raw)); got != manifest.Config.Digest {
		return fmt.Errorf("configuration: digest %s, want %s", got, manifest.Config.Digest)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for i, layer := range layers {
		if err := checkLayer(layer, manifest.Layers[i].Digest, config.RootFS.DiffIDs[i]); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return nil
}

func checkLayer(layer v1.Layer, wantDigest, wantDiffID v1.Hash) error {
	stored, err := layer.Compressed()
	if err != nil {
		return err
	}
	got, _, err := v1.SHA256(stored)
	if err != nil {
		return err
	}
	if got != wantDigest {
		return fmt.Errorf("digest %s, want %s", got, wantDigest)
	}
	uncompressed, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	sum := sha256.New()
	archive := tar.NewReader(io.TeeReader(uncompressed, sum))
	for err == nil {
		_, err = archive.Next()
	}
	if err != io.EOF {
		return err
	}
	if _, err := io.Copy(sum, uncompressed); err != nil {
		return err
	}
	if got := hash([sha256.Size]byte(sum.Sum(nil))); got != wantDiffID {
		return fmt.Errorf("diff-id %s, want %s", got, wantDiffID)
	}
	return nil
}

func images(t *testing.T, index v1.ImageIndex) []v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var all []v1.Image
	for _, m := range manifest.Manifests {
		if m.MediaType.IsIndex() {
			nested, err := index.ImageIndex(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, images(t, nested)...)
			continue
		}
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, image)
	}
	return all
}

func build(t *testing.T, s Spec) v1.Image {
	t.Helper()
	image, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func buildIndex(t *testing.T, specs ...Spec) v1.ImageIndex {
	t.Helper()
	index, err := BuildIndex(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func configName(t *testing.T, image v1.Image) string {
	t.Helper()
	digest, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		relative, _ := filepath.Rel(dir, path)
		tree[filepath.ToSlash(relative)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
