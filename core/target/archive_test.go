package target

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// item is one entry of a tar that a test makes.
type item struct {
	name, body, link string
	kind             byte
	mtime            time.Time
}

func tarOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Typeflag: i.kind, Linkname: i.link, Mode: 0o644, Size: int64(len(i.body)), ModTime: i.mtime}
		if i.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstdOf(t testing.TB, b []byte) []byte {
	t.Helper()
	e := must[*zstd.Encoder](t)(zstd.NewWriter(nil))
	defer e.Close()
	return e.EncodeAll(b, nil)
}

func fileOf(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// saved is what docker save makes of one image of two layers.
func saved(t testing.TB) (config string, layers []string, items []item) {
	t.Helper()
	layers = []string{string(tarOf(t, item{name: "etc/os-release", body: "ID=alpine\n"})), string(tarOf(t, item{name: "app", body: "app"}))}
	config = string(marshal(t, map[string]any{
		"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []core.Digest{verify.DigestOf([]byte(layers[0])), verify.DigestOf([]byte(layers[1]))}},
	}))
	hex := strings.TrimPrefix(string(verify.DigestOf([]byte(config))), "sha256:")
	return config, layers, []item{
		{name: "aaa/", kind: tar.TypeDir},
		{name: "aaa/VERSION", body: "1.0"},
		{name: "aaa/layer.tar", body: layers[0]},
		{name: "bbb/layer.tar", body: layers[1]},
		{name: hex + ".json", body: config},
		{name: "manifest.json", body: `[{"Config":"` + hex + `.json","RepoTags":["app:1"],"Layers":["aaa/layer.tar","bbb/layer.tar"]}]`},
		{name: "repositories", body: `{}`},
	}
}

func TestDockerArchiveGetsOneManifestFromItsImageAlone(t *testing.T) {
	config, layers, items := saved(t)
	archive := tarOf(t, items...)

	// The same image saved again: other order, times, names and links.
	again := slices.Clone(items)
	slices.Reverse(again)
	for i := range again {
		again[i].mtime = time.Unix(1700000000, 0)
		again[i].name = "./" + again[i].name
	}
	linked := slices.Clone(items)
	linked[3] = item{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "../ccc/layer.tar"}
	linked = append(linked, item{name: "ccc/layer.tar", body: layers[1]})
	hard := slices.Clone(linked)
	hard[3] = item{name: "bbb/layer.tar", kind: tar.TypeLink, link: "ccc/layer.tar"}

	want := mustOpen(t, fileOf(t, "app.tar", archive), Options{}).Subject.Digest
	for name, content := range map[string][]byte{
		"gzip": gzipOf(t, archive), "zstd": zstdOf(t, archive), "other order and times": tarOf(t, again...),
		"symbolic link": tarOf(t, linked...), "hard link": gzipOf(t, tarOf(t, hard...)),
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{TempDir: emptyDir(t)}
			target := mustOpen(t, fileOf(t, "app.tar", content), o)
			if target.Subject.Digest != want {
				t.Errorf("digest is %s, want %s", target.Subject.Digest, want)
			}
			if verify.DigestOf(target.Images[0].Manifest) != want {
				t.Error("digest is not that of the manifest")
			}
			if string(target.Images[0].Config) != config {
				t.Error("configuration differs")
			}
			if target.Subject.MediaType != string(types.OCIManifestSchema1) || target.Subject.Platform.String() != "linux/amd64" {
				t.Errorf("subject: %+v", target.Subject)
			}
			for i, content := range readLayers(t, target.Images[0]) {
				if string(content) != layers[i] {
					t.Errorf("layer %d differs", i+1)
				}
				if target.Images[0].Layers[i].Digest != verify.DigestOf([]byte(layers[i])) || target.Images[0].Layers[i].MediaType != string(types.OCIUncompressedLayer) {
					t.Errorf("layer %d is %+v", i+1, target.Images[0].Layers[i])
				}
			}
		})
	}
}

func TestBuiltManifestIsCanonical(t *testing.T) {
	config, layers, items := saved(t)
	got := string(mustOpen(t, fileOf(t, "app.tar", tarOf(t, items...)), Options{}).Images[0].Manifest)
	layer := func(content string) string {
		return fmt.Sprintf(`{"digest":%q,"mediaType":"application/vnd.oci.image.layer.v1.tar","size":%d}`, verify.DigestOf([]byte(content)), len(content))
	}
	want := fmt.Sprintf(`{"config":{"digest":%q,"mediaType":"application/vnd.oci.image.config.v1+json","size":%d},`+
		`"layers":[%s,%s],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}`,
		verify.DigestOf([]byte(config)), len(config), layer(layers[0]), layer(layers[1]))
	if got != want {
		t.Errorf("manifest is\n%s\nwant\n%s", got, want)
	}
}

func TestCompressedLayersOfAnArchiveAreKeptAsStored(t *testing.T) {
	_, layers, items := saved(t)
	items[2].body, items[3].body = string(gzipOf(t, []byte(layers[0]))), string(zstdOf(t, []byte(layers[1])))
	target := mustOpen(t, fileOf(t, "app.tar", tarOf(t, items...)), Options{})
	var got []string
	for _, l := range target.Images[0].Layers {
		got = append(got, l.MediaType)
	}
	if want := []string{string(types.OCILayer), string(types.OCILayerZStd)}; !slices.Equal(got, want) {
		t.Errorf("media types %q, want %q", got, want)
	}
	readLayers(t, target.Images[0])
}

func TestTheRealDockerSaveArchive(t *testing.T) {
	file := shared(t, "rootfs", "trivy-alpine-310.tar.gz")
	target := mustOpen(t, file, Options{TempDir: emptyDir(t)})
	if target.Subject.Platform.String() != "linux/amd64" || len(target.Images[0].Layers) != 1 {
		t.Errorf("subject %+v with %d layers", target.Subject, len(target.Images[0].Layers))
	}
	readLayers(t, target.Images[0])
	if again := mustOpen(t, file, Options{}); again.Subject.Digest != target.Subject.Digest {
		t.Errorf("digests %s and %s", target.Subject.Digest, again.Subject.Digest)
	}
}

func TestArchivesOfSeveralImagesNeedAChoice(t *testing.T) {
	a, b := imageFor(t, amd64), imageFor(t, arm64)
	file := filepath.Join(t.TempDir(), "both.tar")
	err := tarball.MultiWriteToFile(file, map[name.Tag]v1.Image{
		must[name.Tag](t)(name.NewTag("registry.example/team/a:1")): a, must[name.Tag](t)(name.NewTag("b:2")): b,
	})
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"docker-archive:" + file + ":registry.example/team/a:1": "linux/amd64",
		"docker-archive:" + file + ":b:2":                       "linux/arm64/v8",
		"docker-archive:" + file + ":docker.io/library/b:2":     "linux/arm64/v8",
	} {
		if got := mustOpen(t, ref, Options{}).Subject.Platform.String(); got != want {
			t.Errorf("%s is %s, want %s", ref, got, want)
		}
	}
	_, err = Open(testContext(t), file, Options{})
	checkFailure(t, err, failure{[]string{"holds 2 images", "registry.example/team/a:1", "b:2", "docker-archive:PATH:NAME:TAG"}, true})
	_, err = Open(testContext(t), "docker-archive:"+file+":c:3", Options{})
	checkFailure(t, err, failure{[]string{`no image "c:3"`, "registry.example/team/a:1"}, true})
}

// writeLayout writes an OCI image layout with named images.
func writeLayout(t testing.TB, images map[string]mutate.Appendable) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	path := must[layout.Path](t)(layout.Write(dir, empty.Index))
	for tag, what := range images {
		var options []layout.Option
		if tag != "" {
			options = append(options, layout.WithAnnotations(map[string]string{annotationRefName: tag}))
		}
		var err error
		switch w := what.(type) {
		case v1.Image:
			err = path.AppendImage(w, options...)
		case v1.ImageIndex:
			err = path.AppendIndex(w, options...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tarDir is a directory as a tar.
func tarDir(t testing.TB, dir string) []byte {
	t.Helper()
	var items []item
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel := must[string](t)(filepath.Rel(dir, path))
		items = append(items, item{name: filepath.ToSlash(rel), body: string(must[[]byte](t)(os.ReadFile(path)))})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, items...)
}

func TestLayoutsAsDirectoryAndTar(t *testing.T) {
	idx := indexOf(t, amd64, arm64, none)
	dir := writeLayout(t, map[string]mutate.Appendable{"": idx})
	whole := tarDir(t, dir)
	for name, ref := range map[string]string{
		"directory": dir, "directory with prefix": "oci:" + dir, "tar": fileOf(t, "x.tar", whole), "prefixed tar": "oci:" + fileOf(t, "x", whole),
		"oci-archive": "oci-archive:" + fileOf(t, "x", whole), "tar.gz": fileOf(t, "x.tgz", gzipOf(t, whole)), "tar.zst": fileOf(t, "x.img", zstdOf(t, whole)),
		"by digest": "oci:" + dir + "@" + digestString(t, idx),
	} {
		t.Run(name, func(t *testing.T) {
			target := mustOpen(t, ref, Options{TempDir: emptyDir(t)})
			if string(target.Subject.Digest) != digestString(t, idx) || len(target.Images) != 2 {
				t.Errorf("subject %+v with %d images", target.Subject, len(target.Images))
			}
			for _, img := range target.Images {
				readLayers(t, img)
			}
		})
	}
}

func TestLayoutsOfSeveralImagesNeedAChoice(t *testing.T) {
	a, b := imageFor(t, amd64), imageFor(t, arm64)
	dir := writeLayout(t, map[string]mutate.Appendable{"1.0": a, "registry.example/app:2": b})
	for ref, want := range map[string]v1.Image{
		"oci:" + dir + ":1.0": a, "oci:" + dir + ":registry.example/app:2": b,
		"oci:" + dir + "@" + digestString(t, b): b, "oci:" + dir + ":1.0@" + digestString(t, a): a,
	} {
		if got := mustOpen(t, ref, Options{}).Subject.Digest; string(got) != digestString(t, want) {
			t.Errorf("%s is %s", ref, got)
		}
	}
	for ref, want := range map[string][]string{
		dir:                   {"holds 2 images", "1.0", "registry.example/app:2", "add :TAG or @DIGEST"},
		"oci:" + dir + ":3.0": {`no image "3.0"`, "1.0"},
		"oci:" + dir + ":":    {"no tag follows"},
		"oci:" + dir + ":1.0@" + digestString(t, b): {"no image"},
		"oci:" + dir + "x:1":                        {"no such file"},
	} {
		_, err := Open(testContext(t), ref, Options{})
		checkFailure(t, err, failure{want, true})
	}
}

func TestBadLayouts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string, img v1.Image)
		want   []string
	}{
		{"empty", func(t *testing.T, dir string, _ v1.Image) { write(t, dir, "index.json", `{"manifests":[]}`) }, []string{"no images"}},
		{"no index", func(t *testing.T, dir string, _ v1.Image) { os.Remove(filepath.Join(dir, "index.json")) }, []string{"index.json", "no such file"}},
		{"garbage index", func(t *testing.T, dir string, _ v1.Image) { write(t, dir, "index.json", `{`) }, []string{"index.json", "not valid JSON"}},
		{"future version", func(t *testing.T, dir string, _ v1.Image) {
			write(t, dir, "oci-layout", `{"imageLayoutVersion":"2.0.0"}`)
		}, []string{"2.0.0", "not known"}},
		{"digest that climbs", func(t *testing.T, dir string, _ v1.Image) {
			write(t, dir, "index.json", `{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../../etc/passwd","size":1}]}`)
		}, []string{"not a digest"}},
		{"manifest lost", func(t *testing.T, dir string, img v1.Image) { os.Remove(blobPath(t, dir, img)) }, []string{"manifest sha256:", "no such file"}},
		{"manifest changed", func(t *testing.T, dir string, img v1.Image) {
			p := blobPath(t, dir, img)
			raw := must[[]byte](t)(os.ReadFile(p))
			raw[len(raw)-2] ^= 1
			if err := os.WriteFile(p, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"expected " + "sha256:"}},
		{"manifest truncated", func(t *testing.T, dir string, img v1.Image) { os.Truncate(blobPath(t, dir, img), 10) }, []string{"10 of the"}},
		{"blob is a pipe", func(t *testing.T, dir string, img v1.Image) {
			p := blobPath(t, dir, img)
			os.Remove(p)
			mkfifo(t, p)
		}, []string{"named pipe"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := imageFor(t, amd64)
			dir := writeLayout(t, map[string]mutate.Appendable{"": img})
			tc.damage(t, dir, img)
			_, err := Open(testContext(t), dir, Options{})
			checkFailure(t, err, failure{says: tc.want})
		})
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func blobPath(t *testing.T, dir string, d partial.WithRawManifest) string {
	t.Helper()
	raw := must[[]byte](t)(d.RawManifest())
	return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(string(verify.DigestOf(raw)), "sha256:"))
}

func TestAPlatformWhoseBlobsAreNotInTheArchiveIsAnExamination(t *testing.T) {
	idx := indexOf(t, amd64, arm64)
	dir := writeLayout(t, map[string]mutate.Appendable{"": idx})
	missing := must[*v1.IndexManifest](t)(idx.IndexManifest()).Manifests[1].Digest
	os.Remove(filepath.Join(dir, "blobs", "sha256", missing.Hex))
	for _, ref := range []string{dir, fileOf(t, "x.tar", tarDir(t, dir))} {
		target := mustOpen(t, ref, Options{})
		if e := target.Examinations[0]; len(target.Images) != 1 || e.Status != core.Failed || !strings.Contains(e.Why[0], "linux/arm64/v8") ||
			!strings.Contains(e.Remedy, "--platform") {
			t.Errorf("%s: %d images, %+v", ref, len(target.Images), e)
		}
	}
}

func TestTheSameEntryTwiceIsNoHarm(t *testing.T) {
	_, _, items := saved(t)
	twice := tarOf(t, append(append(slices.Clone(items), items...), item{name: "more", body: "x"})...)
	for _, content := range [][]byte{twice, gzipOf(t, twice)} {
		mustOpen(t, fileOf(t, "x.tar", content), Options{})
	}
}

// savedLayout is an archive that is an image layout and lists what for readers of manifest.json, with its name and tag.
func savedLayout(t testing.TB, what mutate.Appendable, more map[string]string, listed ...savedImage) string {
	t.Helper()
	dir := writeLayout(t, map[string]mutate.Appendable{"1": what})
	var index v1.IndexManifest
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(dir, indexFile))), &index); err != nil {
		t.Fatal(err)
	}
	index.Manifests[0].Annotations[annotationContainerd] = "docker.io/team/app:1"
	for name, content := range more {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range map[string]any{indexFile: index, dockerManifestFile: listed} {
		if err := os.WriteFile(filepath.Join(dir, name), marshal(t, v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fileOf(t, "x.tar", tarDir(t, dir))
}

// listing is how manifest.json lists an image of a layout.
func listing(t testing.TB, img v1.Image, tag string) savedImage {
	t.Helper()
	m := must[*v1.Manifest](t)(img.Manifest())
	s := savedImage{Config: "blobs/sha256/" + m.Config.Digest.Hex, RepoTags: []string{tag}}
	for _, l := range m.Layers {
		s.Layers = append(s.Layers, "blobs/sha256/"+l.Digest.Hex)
	}
	return s
}

// Docker 25 and later writes both an OCI layout and its own list of images.
func TestAnArchiveThatIsALayoutAsWellKeepsItsRealManifest(t *testing.T) {
	img := imageFor(t, amd64)
	file := savedLayout(t, img, nil, listing(t, img, "team/app:1"))
	for _, ref := range []string{file, "docker-archive:" + file, "docker-archive:" + file + ":team/app:1", "oci:" + file + ":1"} {
		if got := mustOpen(t, ref, Options{}).Subject.Digest; string(got) != digestString(t, img) {
			t.Errorf("%s is %s, want %s", ref, got, digestString(t, img))
		}
	}
}

func TestALayoutWhoseSavedImageIsOneOfItsPlatformsOpens(t *testing.T) {
	idx := indexOf(t, amd64, arm64, none)
	first := must[v1.Image](t)(idx.Image(must[*v1.IndexManifest](t)(idx.IndexManifest()).Manifests[0].Digest))
	file := savedLayout(t, idx, nil, listing(t, first, "team/app:1"))
	if target := mustOpen(t, file, Options{}); len(target.Images) != 2 {
		t.Errorf("opened %d images, want both platforms", len(target.Images))
	}
	other := Options{Platforms: []core.Platform{{OS: "linux", Architecture: "arm64"}}}
	if target := mustOpen(t, file, other); len(target.Images) != 1 {
		t.Errorf("opened %d images, want the one that was asked for", len(target.Images))
	}
}

func TestAnArchiveThatOthersReadAsAnotherImageIsRefused(t *testing.T) {
	img, other := imageFor(t, amd64), imageFor(t, arm64)
	right, tag := listing(t, img, "team/app:1"), []string{"team/app:1"}
	config := string(must[[]byte](t)(other.RawConfigFile()))
	loose := map[string]string{"c.json": config, "l.tar": "other"}
	for name, listed := range map[string][]savedImage{
		"another configuration": {{Config: "c.json", RepoTags: tag, Layers: right.Layers}},
		"another layer":         {{Config: right.Config, RepoTags: tag, Layers: []string{"l.tar"}}},
		"one layer less":        {{Config: right.Config, RepoTags: tag}},
		"a second image":        {right, {Config: "c.json", RepoTags: tag, Layers: []string{"l.tar"}}},
		"a file that is absent": {{Config: "gone.json", RepoTags: tag, Layers: right.Layers}},
		"no image":              {},
	} {
		file := savedLayout(t, img, loose, listed...)
		for _, ref := range []string{file, "docker-archive:" + file, "oci:" + file + ":1"} {
			_, err := Open(testContext(t), ref, Options{})
			if err == nil || !strings.Contains(err.Error(), "ambiguous") {
				t.Errorf("%s: %s: %v, want that the archive is ambiguous", name, filepath.Base(ref), err)
			}
		}
	}

	_, _, items := saved(t)
	_, err := Open(testContext(t), fileOf(t, "x.tar", tarOf(t, append(items, item{name: indexFile, body: "{}"})...)), Options{})
	checkFailure(t, err, failure{says: []string{"ambiguous", "no oci-layout"}})
}

func TestOddArchivesAreRefused(t *testing.T) {
	_, layers, items := saved(t)
	with := func(more ...item) []byte { return tarOf(t, append(slices.Clone(items), more...)...) }
	replaced := func(i int, by item) []byte {
		c := slices.Clone(items)
		c[i] = by
		return tarOf(t, c...)
	}
	plainTar := tarOf(t, items...)
	zipped := gzipOf(t, plainTar)
	corrupt := slices.Clone(zipped)
	corrupt[len(corrupt)-5] ^= 0xff // in the checksum
	for _, tc := range []struct {
		name    string
		content []byte
		want    []string
		usage   bool
	}{
		{"entry above", with(item{name: "../evil", body: "x"}), []string{`"../evil"`, "not inside"}, false},
		{"entry above in the middle", with(item{name: "a/../../evil", body: "x"}), []string{"not inside"}, false},
		{"absolute entry", with(item{name: "/etc/evil", body: "x"}), []string{"not inside"}, false},
		{"device", with(item{name: "dev", kind: tar.TypeChar}), []string{"neither a file nor a directory nor a link"}, false},
		{"pipe", with(item{name: "pipe", kind: tar.TypeFifo}), []string{"neither a file"}, false},
		{"link out", replaced(3, item{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "../../../etc/passwd"}), []string{"links to", "not inside"}, false},
		{"absolute link", replaced(3, item{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "/etc/passwd"}), []string{"links to", "not inside"}, false},
		{"link to itself", replaced(3, item{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "layer.tar"}), []string{"circle"}, false},
		{"dangling link", replaced(3, item{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "gone"}), []string{`no "bbb/gone"`}, false},
		{"twice, different", with(item{name: "aaa/layer.tar", body: layers[1]}), []string{"there twice"}, false},
		{"layer missing", replaced(3, item{name: "other", body: "x"}), []string{"layer 2 of 2", `no "bbb/layer.tar"`}, false},
		{"configuration missing", replaced(4, item{name: "other", body: "x"}), []string{"configuration"}, false},
		{"configuration is another", replaced(4, item{name: items[4].name, body: "{}"}), []string{"configuration", "expected sha256:"}, false},
		{"no images", replaced(5, item{name: "manifest.json", body: "[]"}), []string{"no images"}, false},
		{"null manifest", replaced(5, item{name: "manifest.json", body: "null"}), []string{"no images"}, false},
		{"manifest that climbs", replaced(5, item{name: "manifest.json", body: `[{"Config":"../../x"}]`}), []string{"not inside"}, false},
		{"garbage manifest", replaced(5, item{name: "manifest.json", body: "{"}), []string{"manifest.json", "not valid JSON"}, false},
		{"no image archive", tarOf(t, item{name: "src/main.go", body: "package main"}), []string{"not of an image", "docker save"}, true},
		{"truncated", plainTar[:len(plainTar)/2], []string{"unexpected EOF"}, false},
		{"truncated gzip", zipped[:len(zipped)/2], []string{"unexpected EOF"}, false},
		{"corrupt gzip", corrupt, []string{"checksum"}, false},
		{"gzip of nothing", gzipOf(t, nil), []string{"not of an image"}, true},
		{"gzip of garbage", gzipOf(t, bytes.Repeat([]byte("garbage "), 200)), []string{"invalid tar header"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, content := range [][]byte{tc.content, zstdOf(t, tc.content)} {
				_, err := Open(testContext(t), fileOf(t, "x.tar", content), Options{TempDir: emptyDir(t)})
				if tc.name == "truncated gzip" || tc.name == "corrupt gzip" || strings.HasPrefix(tc.name, "gzip of") {
					content = nil // twice compressed is another failure
				}
				checkFailure(t, err, failure{tc.want, tc.usage})
				if content == nil {
					break
				}
			}
		})
	}
}

func TestArchivesAreBounded(t *testing.T) {
	_, _, items := saved(t)
	bomb := gzipOf(t, tarOf(t, item{name: "zeros", body: strings.Repeat("\x00", 20<<20)}))
	for _, tc := range []struct {
		name    string
		content []byte
		limit   func(*Options)
		want    string
	}{
		{"total size", gzipOf(t, tarOf(t, items...)), func(o *Options) { o.Limits.TotalSize = 1000 }, "--limit total-size"},
		{"ratio", bomb, func(*Options) {}, "--limit ratio"},
		{"entries", tarOf(t, items...), func(o *Options) { o.Limits.Entries = 3 }, "--limit entries"},
		{"path length", tarOf(t, append(items, item{name: strings.Repeat("a/", 3000) + "b"})...), func(*Options) {}, "--limit path-length"},
		{"metadata", tarOf(t, items...), func(o *Options) { o.Limits.MetadataSize = 10 }, "--limit metadata-size"},
		{"layer", tarOf(t, items...), func(o *Options) { o.Limits.LayerSize = 10 }, "--limit layer-size"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{TempDir: emptyDir(t)}
			tc.limit(&o)
			_, err := Open(testContext(t), fileOf(t, "x.tar", tc.content), o)
			checkFailure(t, err, failure{says: []string{tc.want}})
		})
	}
}

// endless is an archive whose one file never ends.
type endless struct{ head []byte }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head)
	e.head = e.head[n:]
	if n == 0 {
		n = len(p)
	}
	return n, nil
}

func TestAnInterruptedSpoolLeavesNothing(t *testing.T) {
	var head bytes.Buffer
	w := tar.NewWriter(&head)
	if err := w.WriteHeader(&tar.Header{Name: "layer.tar", Typeflag: tar.TypeReg, Size: 1 << 50}); err != nil {
		t.Fatal(err)
	}
	o := Options{TempDir: emptyDir(t)}.filled()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := spoolArchive(ctx, "x", choice{}, &endless{head.Bytes()}, plain, o)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("took %s to end", took)
	}
}

func TestTheSpoolIsPrivate(t *testing.T) {
	_, _, items := saved(t)
	dir := t.TempDir()
	target := mustOpen(t, fileOf(t, "x.tar", gzipOf(t, tarOf(t, items...))), Options{TempDir: dir})
	entries := must[[]os.DirEntry](t)(os.ReadDir(dir))
	if len(entries) != 1 {
		t.Fatalf("%d entries in the temporary directory", len(entries))
	}
	if mode := must[os.FileInfo](t)(entries[0].Info()).Mode().Perm(); mode != 0o700 {
		t.Errorf("mode %o, want 700", mode)
	}
	if err := errors.Join(target.Close(), target.Close()); err != nil {
		t.Error(err)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
