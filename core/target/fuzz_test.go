package target

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

func FuzzReference(f *testing.F) {
	for _, ref := range []string{
		"alpine", "alpine:3.20", "ghcr.io/owner/app@sha256:" + strings.Repeat("0", 64), "localhost:5000/a/b:c", "[::1]:5000/x", "docker:app:1",
		"oci:dir:tag@sha256:" + strings.Repeat("a", 64), "https://user:pass@host/x", "user:pass@host/app", "registry:", "./x.tar", "docker-archive:a:b:c",
	} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		err := checkReference(ref)
		if clean, found := withoutUserinfo(ref); found {
			if err == nil {
				t.Fatalf("%q has credentials and is not refused", ref)
			}
			if again, found := withoutUserinfo(clean); found {
				t.Fatalf("%q is cut to %q, which would be cut again to %q", ref, clean, again)
			}
		}
		if s := shown(ref); strings.ContainsAny(s, "\x00\n\r\x1b") || len(s) > 310 {
			t.Fatalf("%q is shown as %q", ref, s)
		}
		s, rest := splitScheme(ref)
		if s != schemeNone && !strings.HasSuffix(ref, rest) {
			t.Fatalf("%q splits into %q and %q", ref, s, rest)
		}
		if parsed, err := registry.ParseReference(rest); err == nil {
			if registry.DisplayName(parsed) == "" || parsed.Context().RegistryStr() == "" {
				t.Fatalf("%q has no name", ref)
			}
			again, err := registry.ParseReference(registry.DisplayName(parsed))
			if err != nil || again.Name() != parsed.Name() {
				t.Fatalf("%q is displayed as %q, which is %v, %v", ref, registry.DisplayName(parsed), again, err)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	d := `"digest":"sha256:` + strings.Repeat("0", 64) + `","size":1`
	for _, raw := range []string{
		`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",` + d + `},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",` + d + `}]}`,
		`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",` + d + `,"platform":{"os":"linux","architecture":"amd64"}}]}`,
		`{"schemaVersion":1,"fsLayers":[]}`, `{"manifests":[],"layers":[]}`, `null`, `[]`, ``, `{"config":null}`,
	} {
		f.Add([]byte(raw), "application/vnd.oci.image.manifest.v1+json")
		f.Add([]byte(raw), "")
	}
	limits := limit.Defaults()
	f.Fuzz(func(t *testing.T, raw []byte, contentType string) {
		m, err := parseManifest(raw, contentType, limits)
		if err != nil {
			return
		}
		all := m.Manifests
		if !m.isIndex() {
			if m.Manifests != nil || m.Config == nil || !isConfigType(m.Config.MediaType) {
				t.Fatalf("accepted as an image: %s", raw)
			}
			all = append([]descriptor{*m.Config}, m.Layers...)
		} else if m.Config != nil || m.Layers != nil {
			t.Fatalf("accepted as an index: %s", raw)
		}
		for _, d := range all {
			if _, err := core.ParseDigest(string(d.Digest)); err != nil || d.Size < 0 || d.Size > limits.LayerSize {
				t.Fatalf("accepted the descriptor %+v", d)
			}
		}
	})
}

func FuzzDockerManifest(f *testing.F) {
	for _, raw := range []string{
		`[{"Config":"a.json","RepoTags":["app:1"],"Layers":["b/layer.tar"]}]`, `[{"Config":"../x","Layers":["/etc/passwd"]}]`, `[]`, `null`, `[null]`, `{}`,
	} {
		f.Add([]byte(raw))
	}
	limits := limit.Defaults()
	f.Fuzz(func(t *testing.T, raw []byte) {
		images, err := parseDockerManifest(raw, limits)
		if err != nil {
			return
		}
		_, _ = chooseSaved(images, "app:1")
		for _, img := range images {
			for _, name := range append([]string{img.Config}, img.Layers...) {
				if strings.HasPrefix(name, "/") || hasParent(name) {
					t.Fatalf("accepted %q", name)
				}
			}
		}
	})
}

// FuzzArchive reads whole archives; nothing may be taken for an image whose parts do not match.
func FuzzArchive(f *testing.F) {
	_, layers, items := saved(f)
	f.Add(tarOf(f, items...))
	items[3] = item{name: "bbb/layer.tar", kind: '2', link: "../aaa/layer.tar"}
	f.Add(gzipOf(f, tarOf(f, items...)))
	f.Add(zstdOf(f, tarOf(f, item{name: "oci-layout", body: `{"imageLayoutVersion":"1.0.0"}`}, item{name: "index.json", body: `{"manifests":[]}`})))
	f.Add([]byte(layers[0]))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<20 {
			return
		}
		o := Options{TempDir: t.TempDir()}.filled()
		o.Limits.TotalSize = 4 << 20
		target, err := spoolArchive(context.Background(), "x", choice{}, bytes.NewReader(raw), sniffCompression(raw), o)
		if err != nil {
			return
		}
		defer target.Close()
		for _, img := range target.Images {
			if img.Subject.MediaType == string(types.OCIManifestSchema1) && verify.DigestOf(img.Manifest) != img.Subject.Digest {
				t.Fatalf("subject %s has the manifest %s", img.Subject.Digest, img.Manifest)
			}
		}
	})
}

func FuzzSBOM(f *testing.F) {
	for _, raw := range []string{`{"bomFormat":"CycloneDX"}`, `{"spdxVersion":"SPDX-2.3"}`, `{"@context":"x"}`, `[]`, `null`, ``, `{"bomFormat":1}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		mediaType, err := recogniseSBOM(raw)
		if (err == nil) != (mediaType != "") {
			t.Fatalf("%q and %v", mediaType, err)
		}
	})
}
