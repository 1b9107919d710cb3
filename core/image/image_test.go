package image

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

var (
	digestA = layertest.DigestOf([]byte("a"))
	digestB = layertest.DigestOf([]byte("b"))
	subject = core.Subject{
		Name: "registry.example/app:1", Kind: core.KindImage, Digest: digestA,
		Platform: &core.Platform{OS: "linux", Architecture: "arm64"},
	}
)

func TestParseReadsTheFactsOfTheConfiguration(t *testing.T) {
	config := `{"os":"linux","architecture":"arm64","variant":"v8","created":"2026-01-02T03:04:05Z",
	 "config":{"User":"app","ExposedPorts":{"8443/tcp":{},"8080/tcp":{}},
	  "Env":["PATH=/bin","TOKEN=hunter2","EMPTY","PATH=/usr/bin"],
	  "Entrypoint":["/app"],"Cmd":["serve"],"WorkingDir":"/srv","Volumes":{"/data":{}},"StopSignal":"SIGINT",
	  "Healthcheck":{"Test":["CMD","true"]},"Labels":{"a":"b","org.opencontainers.image.base.name":"label.example/base"}},
	 "rootfs":{"type":"layers","diff_ids":["` + string(digestA) + `","` + string(digestB) + `"]},
	 "history":[{"created_by":"base","created":"2026-01-01T00:00:00Z"},{"created_by":"ENV x","empty_layer":true},
	  {"created_by":"COPY app"}]}`
	img, err := Parse(target.Image{
		Subject: subject, Config: []byte(config),
		Annotations: map[string]string{annotationBaseName: "docker.io/library/debian:12",
			annotationBaseDigest: string(digestB)},
		Layers: []target.Layer{
			{Digest: digestB, Size: 1, MediaType: layertest.MediaTypeGzip}, {Digest: digestA, Size: 2,
				MediaType: layertest.MediaTypeZstd},
		},
	}, limit.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := core.ImageFacts{
		Subject:      digestA,
		Platform:     core.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
		Created:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		User:         "app",
		ExposedPorts: []string{"8080/tcp", "8443/tcp"},
		EnvNames:     []string{"PATH", "TOKEN", "EMPTY"},
		Entrypoint:   []string{"/app"},
		Cmd:          []string{"serve"},
		WorkingDir:   "/srv",
		Volumes:      []string{"/data"},
		StopSignal:   "SIGINT",
		Healthcheck:  true,
		Labels:       map[string]string{"a": "b", annotationBaseName: "label.example/base"},
		Base:         &core.BaseImage{Name: "docker.io/library/debian:12", Digest: digestB},
		Layers: []core.LayerFacts{
			{
				Digest: digestB, DiffID: digestA, Size: 1, MediaType: layertest.MediaTypeGzip,
				CreatedBy: "base", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			},
			{Digest: digestA, DiffID: digestB, Size: 2, MediaType: layertest.MediaTypeZstd, CreatedBy: "COPY app"},
		},
	}
	if diff := cmp.Diff(want, img.Facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got := img.Layers[1]; got.Index != 1 || got.DiffID != digestB || got.CreatedBy != "COPY app" {
		t.Errorf("layer 1 = %+v", got)
	}
}

func TestParseToleratesMissingHistory(t *testing.T) {
	for name, history := range map[string]string{
		"none": ``, "empty": `,"history":[]`, "too short": `,"history":[{"created_by":"x","empty_layer":true}]`,
		"too long": `,"history":[{"created_by":"x"},{"created_by":"y"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			img, err := Parse(target.Image{
				Subject: subject, Layers: []target.Layer{{Digest: digestA}},
				Config: []byte(`{"rootfs":{"diff_ids":["` + string(digestB) + `"]}` + history + `}`),
			}, limit.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Layers[0].CreatedBy; got != "" {
				t.Errorf("CreatedBy = %q, want none rather than a wrong one", got)
			}
		})
	}
}

func TestParseAcceptsAnImageWithoutLayers(t *testing.T) {
	img, err := Parse(target.Image{Subject: subject, Config: []byte(`{"os":"linux","rootfs":{"type":"layers"}}`)},
		limit.Limits{})
	if err != nil || len(img.Layers) != 0 {
		t.Errorf("Parse = %v, %v", img, err)
	}
}

func TestParseRefusesWhatIsNoImage(t *testing.T) {
	one := []target.Layer{{Digest: digestA}}
	for _, tc := range []struct {
		name, config string
		layers       []target.Layer
		want         string
	}{
		{"no JSON", `{`, one, "not valid JSON"},
		{"empty", ``, one, "not valid JSON"},
		{"wrong type", `{"rootfs":[]}`, one, "not valid JSON"},
		{"a Helm chart", `{"name":"chart","version":"1.0.0"}`, one, "not a container image"},
		{"too few diff-ids", `{"rootfs":{"diff_ids":["` + string(digestA) + `"]}}`, append(one, one...),
			"1 diff-ids but the manifest has 2 layers"},
		{"too many diff-ids", `{"rootfs":{"diff_ids":["` + string(digestA) + `"]}}`, nil,
			"1 diff-ids but the manifest has 0 layers"},
		{"a diff-id that is none", `{"rootfs":{"diff_ids":["sha256:1"]}}`, one, ""},
		{"a diff-id of another algorithm", `{"rootfs":{"diff_ids":["md5:` + strings.Repeat("0", 32) + `"]}}`, one, ""},
		{"larger than the limit", `{"author":"` + strings.Repeat("x", 100) + `"}`, nil, "--limit metadata-size="},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(target.Image{Subject: subject, Config: []byte(tc.config), Layers: tc.layers},
				limit.Limits{MetadataSize: 110})
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); !strings.Contains(got, tc.want) || !strings.Contains(got,
				"registry.example/app:1 (linux/arm64)") {
				t.Errorf("error %q does not name the image and %q", got, tc.want)
			}
		})
	}
}
