package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// impatient makes retries and timeouts quick.
func impatient() Options {
	return Options{Patience: network.Patience{
		Delay: time.Millisecond, MaxDelay: 4 * time.Millisecond, Budget: 3 * time.Second,
		Header: time.Second, Idle: time.Second,
	}, daemonPatience: 2 * time.Second}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// must is for making test data.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// imageFor is a small image for a platform.
func imageFor(t testing.TB, p v1.Platform) v1.Image {
	t.Helper()
	img := must[v1.Image](t)(random.Image(2048, 2))
	config := must[*v1.ConfigFile](t)(img.ConfigFile())
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	return must[v1.Image](t)(mutate.ConfigFile(img, config))
}

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	armv7 = v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	none  = v1.Platform{OS: "unknown", Architecture: "unknown"}
)

// indexOf is an image index with one image for each platform. What is for no platform is an attestation of the first.
func indexOf(t testing.TB, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	first := ""
	for _, p := range platforms {
		add := mutate.IndexAddendum{Add: imageFor(t, p), Descriptor: v1.Descriptor{Platform: &p}}
		if p.OS == "unknown" {
			add.Descriptor.Annotations = map[string]string{
				annotationReferenceType: "attestation-manifest", annotationReferenceDigest: first,
			}
		} else if first == "" {
			first = digestString(t, add.Add.(v1.Image))
		}
		idx = mutate.AppendManifests(idx, add)
	}
	return idx
}

// newRegistry is a registry in this process, behind a middleware that may misbehave.
func newRegistry(t testing.TB, between func(http.Handler) http.Handler) string {
	t.Helper()
	h := server.New(server.Logger(log.New(io.Discard, "", 0)))
	if between != nil {
		h = between(h)
	}
	s := httptest.NewServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return strings.TrimPrefix(s.URL, "http://")
}

func push(t testing.TB, ref string, what remote.Taggable) {
	t.Helper()
	parsed := must[name.Reference](t)(name.ParseReference(ref, name.Insecure))
	var err error
	switch w := what.(type) {
	case v1.Image:
		err = remote.Write(parsed, w)
	case v1.ImageIndex:
		err = remote.WriteIndex(parsed, w)
	default:
		err = remote.Put(parsed, what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rawManifest is pushed as it is.
type rawManifest struct {
	raw       []byte
	mediaType types.MediaType
}

func (r rawManifest) RawManifest() ([]byte, error)        { return r.raw, nil }
func (r rawManifest) MediaType() (types.MediaType, error) { return r.mediaType, nil }

func mustOpen(t *testing.T, ref string, o Options) *Target {
	t.Helper()
	target, err := Open(testContext(t), ref, o)
	if err != nil {
		t.Fatalf("Open(%q): %v (hint: %s)", ref, err, core.HintOf(err))
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// readLayers reads and verifies all layers.
func readLayers(t *testing.T, img Image) [][]byte {
	t.Helper()
	var all [][]byte
	for _, l := range img.Layers {
		all = append(all, must[[]byte](t)(readLayer(testContext(t), l)))
	}
	return all
}

func readLayer(ctx context.Context, l Layer) ([]byte, error) {
	r, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(verify.Reader(r, l.Size, l.Digest))
}

// failure is what an error must say.
type failure struct {
	says  []string // in the error or its hint
	usage bool
}

func checkFailure(t *testing.T, err error, want failure) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", want.says)
	}
	var f *core.Failure
	if !errors.As(err, &f) {
		t.Fatalf("%v (%T) is no core.Failure", err, err)
	}
	all := err.Error() + "\nhint: " + core.HintOf(err)
	for _, w := range want.says {
		if !strings.Contains(all, w) {
			t.Errorf("%s\ndoes not say %q", all, w)
		}
	}
	if core.Usage(err) != want.usage {
		t.Errorf("%s\nUsage is %v, want %v", all, core.Usage(err), want.usage)
	}
}

func digestString(t testing.TB, d interface{ Digest() (v1.Hash, error) }) string {
	return must[v1.Hash](t)(d.Digest()).String()
}

// completeness lists the target's examinations in short.
func completeness(target *Target) []string {
	var all []string
	for _, e := range target.Examinations {
		s := string(e.Status)
		if len(e.Why) > 0 {
			s += ": " + strings.Join(e.Why, "; ")
		}
		all = append(all, s)
	}
	return all
}

func marshal(t testing.TB, v any) []byte { return must[[]byte](t)(json.Marshal(v)) }

// emptyDir fails the test at its end if anything was left in the directory.
func emptyDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		left := must[[]os.DirEntry](t)(os.ReadDir(dir))
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return dir
}

// shared returns a file of the data that is kept beside the repository.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	dir := must[string](t)(os.Getwd())
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
	}
	file := filepath.Join(append([]string{dir, "..", "shared"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the shared test data is not there: %v", err)
	}
	return file
}

func TestOpenRegistryImage(t *testing.T) {
	host := newRegistry(t, nil)
	img := imageFor(t, amd64)
	push(t, host+"/team/app:1", img)
	digest := digestString(t, img)
	for _, ref := range []string{
		host + "/team/app:1", "registry:" + host + "/team/app:1", "docker://" + host + "/team/app:1",
		host + "/team/app@" + digest, host + "/team/app:1@" + digest,
	} {
		t.Run(ref, func(t *testing.T) {
			target := mustOpen(t, ref, impatient())
			if got := target.Subject; string(got.Digest) != digest || got.Kind != core.KindImage || got.Platform.String() != "linux/amd64" {
				t.Errorf("subject is %+v, want the image %s for linux/amd64", got, digest)
			}
			if !strings.HasPrefix(target.Subject.Name, host+"/team/app") {
				t.Errorf("name is %q", target.Subject.Name)
			}
			if len(target.Images) != 1 || len(target.Images[0].Layers) != 2 {
				t.Fatalf("images: %+v", target.Images)
			}
			if want := must[[]byte](t)(img.RawConfigFile()); !bytes.Equal(target.Images[0].Config, want) {
				t.Error("configuration is not the image's")
			}
			for i, content := range readLayers(t, target.Images[0]) {
				layer := must[[]v1.Layer](t)(img.Layers())[i]
				if want := must[[]byte](t)(io.ReadAll(must[io.ReadCloser](t)(layer.Compressed()))); !bytes.Equal(content, want) {
					t.Errorf("layer %d differs", i)
				}
			}
			if got := completeness(target); !slices.Equal(got, []string{"complete"}) {
				t.Errorf("examinations: %q", got)
			}
		})
	}
}

func TestOpenIndexOpensEveryPlatform(t *testing.T) {
	host := newRegistry(t, nil)
	idx := indexOf(t, amd64, arm64, none, armv7)
	push(t, host+"/app", idx)
	target := mustOpen(t, host+"/app", impatient())
	if target.Subject.Kind != core.KindIndex || string(target.Subject.Digest) != digestString(t, idx) {
		t.Errorf("subject is %+v", target.Subject)
	}
	if want := must[[]byte](t)(idx.RawManifest()); !bytes.Equal(target.Index, want) {
		t.Error("Index is not the raw index")
	}
	var got []string
	for _, img := range target.Images {
		got = append(got, img.Subject.Platform.String())
		if img.Subject.Parent != target.Subject.Digest {
			t.Errorf("parent of %s is %q", img.Subject.Platform, img.Subject.Parent)
		}
		readLayers(t, img)
	}
	if want := []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v7"}; !slices.Equal(got, want) {
		t.Errorf("platforms %q, want %q: all, in order, without the attestation", got, want)
	}
	if got := completeness(target); !slices.Equal(got, []string{"complete", "complete", "complete", "complete"}) {
		t.Errorf("examinations: %q", got)
	}
}

func TestPlatformsRestrictAnIndex(t *testing.T) {
	host := newRegistry(t, nil)
	push(t, host+"/app", indexOf(t, amd64, arm64))
	o := impatient()
	o.Platforms = []core.Platform{{OS: "linux", Architecture: "arm64"}}
	target := mustOpen(t, host+"/app", o)
	if len(target.Images) != 1 || target.Images[0].Subject.Platform.String() != "linux/arm64/v8" {
		t.Fatalf("opened %+v", target.Images)
	}
	got := completeness(target)
	if len(got) != 2 || !strings.Contains(got[0], "skipped: linux/amd64") || got[1] != "complete" {
		t.Errorf("examinations: %q", got)
	}

	o.Platforms = append(o.Platforms, core.Platform{OS: "linux", Architecture: "s390x"})
	_, err := Open(testContext(t), host+"/app", o)
	checkFailure(t, err, failure{[]string{"has no linux/s390x", "linux/amd64, linux/arm64/v8"}, true})

	push(t, host+"/single", imageFor(t, amd64))
	_, err = Open(testContext(t), host+"/single", o)
	checkFailure(t, err, failure{[]string{"linux/amd64 only"}, true})
}

func TestAPlatformThatCannotBeOpenedIsAnExamination(t *testing.T) {
	var missing string
	host := newRegistry(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && missing != "" && strings.HasSuffix(r.URL.Path, missing) {
				http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"gone"}]}`, http.StatusNotFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	idx := indexOf(t, amd64, arm64)
	push(t, host+"/app", idx)
	missing = must[*v1.IndexManifest](t)(idx.IndexManifest()).Manifests[1].Digest.String()
	target := mustOpen(t, host+"/app", impatient())
	if len(target.Images) != 1 {
		t.Fatalf("opened %d images, want the one that is there", len(target.Images))
	}
	e := target.Examinations[0]
	if e.Status != core.Failed || e.Subject != target.Subject.Digest || string(e.Input) != missing || e.Remedy == "" ||
		!strings.Contains(e.Why[0], "linux/arm64/v8") || !strings.Contains(e.Why[0], "404") {
		t.Errorf("examination: %+v", e)
	}
}

func TestOnlyAttestationsAreNoPlatforms(t *testing.T) {
	type notes = map[string]string
	image, nested, statement := imageFor(t, amd64), indexOf(t, arm64), must[v1.Image](t)(mutate.Append(
		mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		mutate.Addendum{Layer: static.NewLayer([]byte("{}"), inTotoStatement), MediaType: inTotoStatement}))
	first := imageFor(t, armv7)
	marked := notes{annotationReferenceType: "attestation-manifest", annotationReferenceDigest: digestString(t, first)}
	for name, tc := range map[string]struct {
		entry mutate.Appendable
		notes notes
		want  []string
	}{
		"as BuildKit marks them":       {statement, marked, []string{"linux/arm/v7"}},
		"without annotations":          {statement, nil, []string{"linux/arm/v7"}},
		"an image of no platform":      {image, nil, []string{"linux/arm/v7", "unknown/unknown"}},
		"an image that names no other": {image, notes{annotationReferenceType: "attestation-manifest"}, []string{"linux/arm/v7", "unknown/unknown"}},
		"an image that names itself": {image, notes{annotationReferenceType: "attestation-manifest",
			annotationReferenceDigest: digestString(t, image)}, []string{"linux/arm/v7", "unknown/unknown"}},
		"a nested index": {nested, marked, []string{"linux/arm/v7", "linux/arm64/v8"}},
	} {
		t.Run(name, func(t *testing.T) {
			idx := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
				mutate.IndexAddendum{Add: first, Descriptor: v1.Descriptor{Platform: &armv7}},
				mutate.IndexAddendum{Add: tc.entry, Descriptor: v1.Descriptor{Platform: &none, Annotations: tc.notes}})
			target := mustOpen(t, writeLayout(t, map[string]mutate.Appendable{"": idx}), Options{})
			var got []string
			for _, img := range target.Images {
				got = append(got, img.Subject.Platform.String())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("opened %q, want %q", got, tc.want)
			}
			if i := slices.IndexFunc(completeness(target), func(s string) bool { return s != "complete" }); i >= 0 {
				t.Errorf("examinations: %q", completeness(target))
			}
		})
	}
}

func TestNestedIndexes(t *testing.T) {
	host := newRegistry(t, nil)
	inner := indexOf(t, arm64, armv7)
	outer := mutate.AppendManifests(indexOf(t, amd64), mutate.IndexAddendum{Add: inner})
	push(t, host+"/app", outer)
	target := mustOpen(t, host+"/app", impatient())
	if len(target.Images) != 3 || target.Images[2].Subject.Parent != target.Subject.Digest {
		t.Errorf("images: %+v", target.Images)
	}

	o := impatient()
	o.Limits.Nesting = 1
	_, err := Open(testContext(t), host+"/app", o)
	checkFailure(t, err, failure{says: []string{"nests more than 1", "--limit nesting"}})
}

func ExampleOpen() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main"), 0o600)
	target, err := Open(context.Background(), "dir:"+dir, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	fmt.Println(target.Subject.Kind)
	// Output: source
}
