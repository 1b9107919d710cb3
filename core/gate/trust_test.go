package gate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// published is a vulnerable image in a registry of this process.
func published(t *testing.T) (ref name.Digest, digest core.Digest) {
	t.Helper()
	s := httptest.NewServer(server.New(server.Logger(log.New(io.Discard, "", 0)), server.WithReferrersSupport(true)))
	t.Cleanup(s.Close)
	image, err := images.Build(images.Vulnerable("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(strings.TrimPrefix(s.URL, "http://")+"/team/app:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	h, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.Digest(h.String()), core.Digest(h.String())
}

// attest attaches a bundle to an image.
func attest(t *testing.T, ref name.Digest, bundle []byte) {
	t.Helper()
	subject, err := remote.Head(ref)
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(bundle, signaturetest.BundleType))
	if err != nil {
		t.Fatal(err)
	}
	artifact = mutate.ConfigMediaType(artifact, "application/vnd.oci.empty.v1+json")
	attached := mutate.Subject(artifact, *subject).(v1.Image)
	h, err := attached.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref.Context().Digest(h.String()), attached); err != nil {
		t.Fatal(err)
	}
}

// openVEX is a document that says of a flaw that it does no harm in the package.
func openVEX(vulnerability, product string) map[string]any {
	return map[string]any{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1", "author": "whoever",
		"timestamp": "2025-01-02T03:04:05Z", "version": 1, "statements": []any{map[string]any{
			"vulnerability": map[string]string{"name": vulnerability}, "products": []any{map[string]string{"@id": product}},
			"status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"}}}
}

// policyWith writes a policy that accepts the starter set, beside files that it names.
func policyWith(t *testing.T, more string, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), string(content))
	}
	file := filepath.Join(dir, "policy.yaml")
	write(t, file, "version: 1\nstarter-ok: true\n"+more)
	return file
}

// excused lists what VEX excused: rule ids in the evidence of the outcomes that it decided.
func excused(r *gate.Result) []string {
	var out []string
	for _, o := range r.Verdict.Ignored {
		for _, f := range r.Evidence.Findings {
			if o.Rule == "vex" && f.Fingerprint == o.Fingerprint {
				out = append(out, f.Rule+" "+o.Message)
			}
		}
	}
	return out
}

func TestStatementsCountByTheirSignerOrThePolicyAndNotByTheirAuthor(t *testing.T) {
	ref, digest := published(t)
	plain := run(t, gate.Plan{Targets: []string{ref.String()}, Policy: policyWith(t, "", nil)})
	if plain.Verdict.Decision != core.Refused {
		t.Fatalf("the image is not refused: %+v", plain.Verdict)
	}
	var flaw core.Finding
	for _, f := range plain.Evidence.Findings {
		if f.Kind == core.KindVulnerability && f.Fingerprint == plain.Verdict.Refusals[0].Fingerprint {
			flaw = f
		}
	}
	document := openVEX(flaw.Rule, flaw.Package.Purl)
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	mine, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	const predicate = "https://openvex.dev/ns/v0.2.0"
	signed := func(k signaturetest.Key, d core.Digest) []byte {
		return k.Bundle(t, signaturetest.Statement(t, d, predicate, document))
	}
	file := filepath.Join(t.TempDir(), "vex.json")
	write(t, file, string(raw))
	trust := "vex:\n  signed-by: [{key: cosign.pub}]\n"
	key := map[string][]byte{"cosign.pub": mine.PEM(t)}
	bundle := func(b []byte) string {
		file := filepath.Join(t.TempDir(), "vex.sigstore.json")
		write(t, file, string(b))
		return file
	}
	for _, tc := range []struct {
		name     string
		policy   string
		vex      []string
		attached []byte
		counts   bool
		known    bool // it is in the evidence
	}{
		{"a flag", policyWith(t, "", nil), []string{file}, nil, false, true},
		{"a flag, where the policy accepts it", policyWith(t, "vex: {accept-unsigned: true}\n", nil), []string{file}, nil, true, true},
		{"a file that the policy names", policyWith(t, "vex: {files: [said.json]}\n", map[string][]byte{"said.json": raw}), nil, nil, true, true},
		{"a signed file", policyWith(t, trust, key), []string{bundle(signed(mine, digest))}, nil, true, true},
		{"a file signed by somebody else", policyWith(t, trust, key), []string{bundle(signed(foreign, digest))}, nil, false, false},
		{"a signed file about something else", policyWith(t, trust, key),
			[]string{bundle(signed(mine, "sha256:"+core.Digest(strings.Repeat("c", 64))))}, nil, false, false},
		{"an attestation by somebody else", policyWith(t, trust, key), nil, signed(foreign, digest), false, false},
		{"an attestation that nobody asked for", policyWith(t, "", nil), nil, signed(mine, digest), false, false},
		{"an attestation", policyWith(t, trust, key), nil, signed(mine, digest), true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.attached != nil {
				attest(t, ref, tc.attached)
			}
			r := run(t, gate.Plan{Targets: []string{ref.String()}, Policy: tc.policy, VEX: tc.vex})
			if got := excused(r); (len(got) > 0) != tc.counts || tc.counts && !strings.Contains(got[0], "vulnerable_code_not_in_execute_path") {
				t.Errorf("excused %q, want something: %v", got, tc.counts)
			}
			said := 0
			for _, f := range r.Evidence.Findings {
				said += len(f.VEX)
			}
			if (said > 0) != tc.known || len(r.Evidence.Findings) != len(plain.Evidence.Findings) {
				t.Errorf("%d statements and %d findings in the evidence, want statements: %v, and %d findings", said,
					len(r.Evidence.Findings), tc.known, len(plain.Evidence.Findings))
			}
		})
	}
}

func TestAPolicyBindsTheAdvisories(t *testing.T) {
	image := layout(t, images.Clean("amd64"))
	key := map[string][]byte{"cosign.pub": signaturetest.NewKey(t).PEM(t)}
	set := filepath.Join(t.TempDir(), "set")
	empty := t.TempDir()
	for _, f := range []string{"Go", "Debian"} {
		if err := os.MkdirAll(filepath.Join(empty, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(empty, "ecosystems.txt"), "")
	for _, tc := range []struct {
		name, policy, advisories string
		files                    map[string][]byte
		usage                    bool
		says                     string
	}{
		{"another set than the policy allows", "advisories: {source: starter}\n", "oci:" + set, nil, true, "allows starter only"},
		{"the set that the policy allows", "advisories: {source: starter}\n", "starter", nil, false, ""},
		{"a key that is not there", "advisories: {signed-by: [{key: cosign.pub}]}\n", "", nil, true, "read the key cosign.pub"},
		{"a key that is none", "advisories: {signed-by: [{key: cosign.pub}]}\n", "", map[string][]byte{"cosign.pub": []byte("x")}, true, "not a public key"},
		{"an identity without a root", "advisories: {signed-by: [{identity: x, issuer: y}]}\n", "", nil, true, "trusted root"},
		{"a root that is none", "trusted-root: r.json\nadvisories: {signed-by: [{identity: x, issuer: y}]}\n", "", map[string][]byte{"r.json": []byte("{}")}, true, "trusted root r.json"},
		{"a set that is not there", "advisories: {signed-by: [{key: cosign.pub}]}\n", "oci:" + set, key, true, "no such file"},
		{"a VEX file that is not there", "vex: {files: [none.json]}\n", "", nil, true, "VEX document none.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{image}, Policy: policyWith(t, tc.policy, tc.files), Advisories: tc.advisories})
			if tc.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(fmt.Sprint(err), tc.says) || core.Usage(err) != tc.usage || r != nil {
				t.Errorf("got %v (usage: %v), want one that says %q", err, core.Usage(err), tc.says)
			}
		})
	}
}
