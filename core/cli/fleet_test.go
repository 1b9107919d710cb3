package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/cli"
	store "github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

// released pushes an image whose owner tries to colour the terminal; its SBOM is attested if there is a key.
func released(t *testing.T, ref string, key *signaturetest.Key, purl string) {
	t.Helper()
	img, err := mutate.Config(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		v1.Config{Labels: map[string]string{"org.opencontainers.image.vendor": "Team \x1b[31mred", "is": ref}})
	if err != nil {
		t.Fatal(err)
	}
	pushImage(t, ref, img)
	if key == nil {
		return
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	name, version, _ := strings.Cut(purl[strings.LastIndexByte(purl, '/')+1:], "@")
	e := key.Envelope(t, signaturetest.Statement(t, core.Digest(d.String()), "https://cyclonedx.org/bom/v1.6", map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"components": []any{map[string]any{"type": "library", "name": name, "version": version, "purl": purl}}}))
	attestation, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(e.Raw, signature.EnvelopeType), Annotations: e.Annotations})
	if err != nil {
		t.Fatal(err)
	}
	repository, _, _ := strings.Cut(ref[strings.LastIndexByte(ref, '/'):], ":")
	pushImage(t, ref[:strings.LastIndexByte(ref, '/')]+repository+":"+strings.Replace(d.String(), ":", "-", 1)+".att", attestation)
}

func pushImage(t *testing.T, name string, img v1.Image) {
	t.Helper()
	ref, err := store.ParseReference(name)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAuditAndFindEndAsDocumented(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	key := signaturetest.NewKey(t)
	released(t, host+"/good/app:1", &key, "pkg:npm/left-pad@1.3.0")
	released(t, host+"/bad/app:1", &key, "pkg:golang/golang.org/x/net@v0.16.0")
	released(t, host+"/mute/app:1", nil, "")
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	signer := "--key=" + file("cosign.pub", string(key.PEM(t)))
	judge := "--policy=" + file("policy.yaml", "version: 1\nextends: standard\nstarter-ok: true\n")
	list := file("list.txt", "# released\n\n"+host+"/bad/app\n")
	report := filepath.Join(dir, "audit.json")
	for _, tc := range []struct {
		name string
		args []string
		exit int
		want []string
	}{
		{"all pass", []string{"audit", host + "/good/app", signer, judge}, 0, []string{"PASSED  1 image", `Team \x1b[31mred`, "app:1"}},
		{"one is refused", []string{"audit", host + "/good/app", "--from", list, signer, judge, "-o", "json=" + report}, 1,
			[]string{"REFUSED  2 images: 1 refused", "CVE-2023-45288", "fixed in 0.23.0", "since unknown"}},
		{"a refusal wins over a gap", []string{"audit", host + "/mute/app", host + "/bad/app", signer, judge}, 1, []string{"Could not be looked at"}},
		{"a gap", []string{"audit", host + "/mute/app", host + "/good/app", signer, judge}, 3, []string{"UNDECIDED", "it has no attested SBOM"}},
		{"nobody is trusted", []string{"audit", host + "/good/app", judge}, 2, []string{"--allow-unsigned"}},
		{"nothing is named", []string{"audit", signer}, 2, []string{"no repository was named"}},
		{"anybody is trusted", []string{"audit", host + "/good/app", "--allow-unsigned", judge}, 0, []string{"NOT AUTHENTICATED"}},
		{"found", []string{"find", "pkg:npm/left-pad", host + "/good/app", host + "/bad/app", signer}, 0, []string{"in 1 of 2 images", "left-pad  1.3.0"}},
		{"found and refused", []string{"find", "pkg:npm/left-pad", host + "/good/app", signer, "--refuse-found"}, 1, nil},
		{"not found", []string{"find", "pkg:npm/other", host + "/good/app", signer, "--refuse-found"}, 0, []string{"in 0 of 1 image"}},
		{"not found, and not all was looked at", []string{"find", "pkg:npm/other", host + "/good/app", host + "/mute/app", signer}, 3, []string{"INCOMPLETE"}},
		{"in JSON", []string{"find", "pkg:npm/left-pad", host + "/good/app", signer, "--format", "json"}, 0, []string{`"complete": true`, `"authenticated": true`}},
		{"misspelt", []string{"find", "pkg:npm/left-pda", host + "/good/app", signer}, 0,
			[]string{"none of them has a package of that name, in any version; spelled alike: pkg:npm/left-pad"}},
		{"a folder that is missing", []string{"audit", host + "/good/app", signer, judge, "-o", "json=" + filepath.Join(dir, "none", "x")}, 2,
			[]string{"create the directory first"}},
		{"a layout", []string{"audit", "oci:image", signer, judge}, 2, []string{"names no image in a registry"}},
		{"a form that is none", []string{"find", "pkg:npm/left-pad", host + "/good/app", signer, "--output", "sarif=x"}, 2, []string{"not one of text, json"}},
		{"bounds that are none", []string{"find", "pkg:npm/left-pad", host + "/good/app", signer, "--versions", "~1"}, 2, []string{"is not a bound"}},
		{"a pattern that is none", []string{"find", "pkg:npm/left-pad", host + "/good/app", signer, "--tags", "["}, 2, []string{"understand --tags ["}},
		{"a trusted root that is missing", []string{"find", "pkg:npm/left-pad", host + "/good/app", "--certificate-identity=a@b.example",
			"--certificate-oidc-issuer=https://i.example"}, 2, []string{"trusted root"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, diagnostics bytes.Buffer
			p := cli.Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &diagnostics, Now: time.Now, Getenv: func(name string) string {
				return map[string]string{"CLEANBILL_ADVISORIES": "starter"}[name]
			}}
			code := p.Main(context.Background(), tc.args)
			text := out.String() + diagnostics.String()
			if code != tc.exit {
				t.Errorf("exit code %d, want %d\n%s", code, tc.exit, text)
			}
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Errorf("an owner coloured the terminal: %q", out.String())
			}
		})
	}
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var written struct {
		Decision string
		Images   []struct{ Owner string }
	}
	if err := json.Unmarshal(raw, &written); err != nil || written.Decision != "refused" || len(written.Images) != 2 {
		t.Errorf("%v, %+v", err, written)
	}
}
