package gate_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// policyRegistry is a registry of this process, and a switch that makes it change a byte of every blob that it serves.
func policyRegistry(t *testing.T) (host string, corrupt *atomic.Bool) {
	t.Helper()
	corrupt = &atomic.Bool{}
	inner := server.New(server.Logger(log.New(io.Discard, "", 0)), server.WithReferrersSupport(true))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !corrupt.Load() || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			inner.ServeHTTP(w, r)
			return
		}
		held := httptest.NewRecorder()
		inner.ServeHTTP(held, r)
		body := bytes.ToUpper(held.Body.Bytes())
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(held.Code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), corrupt
}

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, content := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, file), content)
	}
	return dir
}

func pushPolicy(t *testing.T, file, to string) string {
	t.Helper()
	reference, err := newGate().PushPolicy(t.Context(), file, to)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

const orgRules = "rules:\n  - {name: org-only, locked: true, for: subjects, when: subject.kind == \"image\", action: fail}\n"

func TestAPolicyIsPublishedAndExtendedByItsDigest(t *testing.T) {
	host, _ := policyRegistry(t)
	org := tree(t, map[string]string{
		"org.yaml":       "version: 1\nname: acme\nextends: lib/base.yaml\nvex: {files: [vex/said.json]}\nstarter-ok: true\n",
		"lib/base.yaml":  "version: 1\nextends: none\nadvisories: {signed-by: [{key: ../keys/a.pub}]}\n" + orgRules,
		"keys/a.pub":     string(signaturetest.NewKey(t).PEM(t)),
		"vex/said.json":  `{"said": "here"}`,
		"not-named.yaml": "version: 1\n",
	})
	reference := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy:v1")
	if again := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy"); again != reference || !strings.Contains(reference, "@sha256:") {
		t.Fatalf("pushed as %s and %s", reference, again)
	}
	project := tree(t, map[string]string{
		"p.yaml": "version: 1\nextends: " + reference + "\nrules: [{name: excuse, for: subjects, when: subject.kind != \"\", action: ignore}]\n",
		// The same names beside the policy that extends mean nothing.
		"vex/said.json": "wrong", "keys/a.pub": "wrong", "lib/base.yaml": "wrong",
	})
	p, err := newGate().Policy(t.Context(), filepath.Join(project, "p.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if said, err := p.ReadFile(p.VEX().Files[0], 100); err != nil || string(said) != `{"said": "here"}` {
		t.Errorf("the statement is %q, %v", said, err)
	}
	signer := p.Advisories().SignedBy[0]
	if key, err := p.ReadFile(policy.File{Name: signer.Key, From: signer.From}, 10_000); err != nil || !strings.HasPrefix(string(key), "-----BEGIN") {
		t.Errorf("the key is %q, %v", key, err)
	}
	if _, err := p.ReadFile(p.VEX().Files[0], 3); err == nil {
		t.Error("a file of a bundle is read beyond its bound")
	}
	direct, err := newGate().Policy(t.Context(), reference)
	if err != nil || direct.Ref().Name != "acme" || direct.Ref().Source != reference {
		t.Errorf("the bundle itself: %+v, %v", direct, err)
	}
	same, err := newGate().Policy(t.Context(), filepath.Join(org, "org.yaml"))
	if err != nil || same.Ref().Digest != direct.Ref().Digest {
		t.Errorf("as a file its digest is %v, as a bundle %v (%v)", same.Ref().Digest, direct.Ref().Digest, err)
	}
}

// The waivers of a policy are in force wherever its files lie, and what is shown of it is the same policy.
func TestWaiversOfABundleAreInForceAndShown(t *testing.T) {
	host, _ := policyRegistry(t)
	listed := func(id, cve string) string {
		return "version: 1\nwaivers: [{id: " + id + ", reason: r, owner: o, expires: 2099-01-01, match: {ids: [" + cve + "]}}]\n"
	}
	org := tree(t, map[string]string{
		"org.yaml":          "version: 1\nname: acme\nextends: lib/base.yaml\nwaiver-files: [w/a.yaml]\nbaseline: {source: .cleanbill/b.json}\n",
		"lib/base.yaml":     "version: 1\nwaiver-files: [w/b.yaml]\nstarter-ok: true\n",
		"w/a.yaml":          listed("a", "CVE-2023-44487"),
		"lib/w/b.yaml":      listed("b", "CVE-2023-45288"),
		".cleanbill/b.json": "{}",
	})
	reference := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy")
	project := tree(t, map[string]string{"team/p.yaml": "version: 1\nextends: " + reference + "\nwaiver-files: [c.yaml]\n",
		"team/c.yaml": listed("c", "CVE-2020-1"), "w/a.yaml": "wrong", "go.mod": flawed})
	r := run(t, gate.Plan{Targets: []string{project}, Policy: filepath.Join(project, "team", "p.yaml")})
	if used := r.Verdict.Waivers; r.Verdict.Decision != core.Passed || len(used) != 3 || used[0].Excused == 0 || used[1].Excused == 0 {
		t.Errorf("%v, %+v", r.Verdict.Decision, used)
	}
	p, err := newGate().Policy(t.Context(), filepath.Join(project, "team", "p.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.Show()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := policy.Parse("p.yaml", text); err != nil || again.Ref().Digest != p.Ref().Digest {
		t.Errorf("read again: %v\n%s", err, text)
	}
}

// A gate with a bundle whose rule is locked refuses, whatever the project says.
func TestAnOrganisationsBundleJudges(t *testing.T) {
	host, _ := policyRegistry(t)
	org := tree(t, map[string]string{"org.yaml": "version: 1\nextends: none\nstarter-ok: true\n" + orgRules})
	reference := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy")
	file := filepath.Join(tree(t, map[string]string{
		"p.yaml": "version: 1\nextends: " + reference + "\nrules: [{name: excuse, for: subjects, when: subject.kind != \"\", action: ignore}]\n"}), "p.yaml")
	r := run(t, gate.Plan{Targets: []string{layout(t, images.Clean("amd64"))}, Policy: file})
	if r.Verdict.Decision != core.Refused || r.Verdict.Refusals[0].Rule != "org-only" {
		t.Errorf("decision %v, refusals %+v", r.Verdict.Decision, r.Verdict.Refusals)
	}
}

func TestABundleCountsOnlyWithTheSignatureThatIsAskedFor(t *testing.T) {
	host, _ := policyRegistry(t)
	mine, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	org := tree(t, map[string]string{"org.yaml": "version: 1\nname: acme\n"})
	reference := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy")
	ref, err := name.NewDigest(strings.TrimPrefix(reference, "oci://"), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tree(t, map[string]string{
		"p.yaml":        "version: 1\nextends: " + reference + "\nextends-signed-by: [{key: keys/org.pub}]\n",
		"none.yaml":     "version: 1\nextends: " + reference + "\nextends-signed-by: [{key: keys/none.pub}]\n",
		"rooted.yaml":   "version: 1\nextends: " + reference + "\nextends-signed-by: [{identity: a, issuer: b}]\n",
		"keys/org.pub":  string(mine.PEM(t)),
		"unsigned.yaml": "version: 1\nextends: " + reference + "\n",
	}), "p.yaml")
	load := func() error {
		_, err := newGate().Policy(t.Context(), file)
		return err
	}
	signed := func(k signaturetest.Key) []byte {
		return k.Bundle(t, signaturetest.Statement(t, core.Digest(ref.DigestStr()), "https://sigstore.dev/cosign/sign/v1", map[string]any{}))
	}
	if err := load(); err == nil || core.Usage(err) || !strings.Contains(err.Error(), "it has no signature") {
		t.Errorf("without a signature: %v", err)
	}
	attest(t, ref, signed(foreign))
	if err := load(); err == nil || core.Usage(err) || !strings.Contains(err.Error(), "none of its signatures is by a trusted signer") {
		t.Errorf("signed by somebody else: %v", err)
	}
	attest(t, ref, signed(mine))
	if err := load(); err != nil {
		t.Errorf("signed: %v", err)
	}
	for other, says := range map[string]string{"none.yaml": "read the key keys/none.pub", "rooted.yaml": "identities need a trusted root"} {
		_, err := newGate().Policy(t.Context(), filepath.Join(filepath.Dir(file), other))
		if !core.Usage(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", other, err, says)
		}
	}
	if _, err := newGate().Policy(t.Context(), filepath.Join(filepath.Dir(file), "unsigned.yaml")); err != nil {
		t.Errorf("where no signer is named: %v", err)
	}
}

func TestABundleThatIsNotWhatItSaysIsNotUsed(t *testing.T) {
	host, corrupt := policyRegistry(t)
	org := tree(t, map[string]string{"org.yaml": "version: 1\nname: acme\n", "escape.yaml": "version: 1\nvex: {files: [../secret.json]}\n",
		"up/member.yaml": "version: 1\nextends: ../org.yaml\n", "gone.yaml": "version: 1\nvex: {files: [gone.json]}\n"})
	reference := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy")
	load := func(text string) error {
		_, err := newGate().Policy(t.Context(), filepath.Join(tree(t, map[string]string{"p.yaml": text}), "p.yaml"))
		return err
	}
	other := reference[:len(reference)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", reference[len(reference)-1])+1)%16])
	if err := load("version: 1\nextends: " + other + "\n"); err == nil || core.Usage(err) {
		t.Errorf("a digest that is not there: %v", err)
	}
	corrupt.Store(true)
	if err := load("version: 1\nextends: " + reference + "\n"); err == nil || core.Usage(err) || !strings.Contains(err.Error(), "fetch the policy") {
		t.Errorf("another content: %v", err)
	}
	corrupt.Store(false)
	image, digest := published(t)
	if err := load("version: 1\nextends: oci://" + image.Context().Name() + "@" + string(digest) + "\n"); !core.Usage(err) || !strings.Contains(err.Error(), "not a policy bundle") {
		t.Errorf("an image: %v", err)
	}
	for file, says := range map[string]string{"escape.yaml": "not below its folder", "up/member.yaml": "not below its folder", "gone.yaml": "read gone.json"} {
		_, err := newGate().PushPolicy(t.Context(), filepath.Join(org, file), "oci://"+host+"/acme/x")
		if !core.Usage(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is pushed: %v", file, err)
		}
	}
	for _, to := range []string{host + "/acme/x", "oci://", "oci://" + host + "/acme/x@sha256:" + strings.Repeat("0", 64), "oci://" + host + "/UPPER"} {
		if _, err := newGate().PushPolicy(t.Context(), filepath.Join(org, "org.yaml"), to); !core.Usage(err) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	if _, err := newGate().Policy(t.Context(), "oci://"+host+"/acme/policy:v1"); !core.Usage(err) || !strings.Contains(err.Error(), "has no digest") {
		t.Errorf("by a tag: %v", err)
	}
}
