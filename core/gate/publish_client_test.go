//go:build clients

package gate_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	said "github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientCosignAcceptsWhatIsPushedToRealRegistries publishes an index, signs it once more in a second job, promotes it, and
// asks stock cosign of the index and each platform: in a registry that lists referrers and in two that do not.
func TestClientCosignAcceptsWhatIsPushedToRealRegistries(t *testing.T) {
	for name, start := range map[string]func(*testing.T, string) *exec.Cmd{
		"olareg, which lists referrers": func(t *testing.T, port string) *exec.Cmd {
			return exec.CommandContext(t.Context(), clients.Tool(t, "olareg"), "serve", "--addr", "127.0.0.1", "--port", port, "--store-type", "mem")
		},
		"Debian's docker-registry, which does not": distribution("docker-registry"),
		"distribution v3, which does not":          distribution("distribution"),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDock(t)
			d.host = clients.Serving(t, func(port string) *exec.Cmd { return start(t, port) })
			r, err := d.gate().Run(context.Background(), d.plan())
			if err != nil {
				t.Fatal(err)
			}
			if d.tagged() != d.digest {
				t.Fatalf("the tag names %s, want %s", d.tagged(), d.digest)
			}
			d.complete()
			cosignAccepts(t, d, r.Evidence.Subjects, "/team/app")
			if _, err := d.gate().Run(context.Background(), d.signing()); err != nil {
				t.Fatal(err)
			}
			p := d.promotion(d)
			p.Destination = d.host + "/released/app:1"
			if _, err := d.gate().Promote(context.Background(), p); err != nil {
				t.Fatal(err)
			}
			cosignAccepts(t, d, r.Evidence.Subjects, "/released/app")
		})
	}
}

// distribution starts a program of the distribution project, which keeps what it gets in files.
func distribution(program string) func(*testing.T, string) *exec.Cmd {
	return func(t *testing.T, port string) *exec.Cmd {
		config := filepath.Join(t.TempDir(), "config.yml")
		write(t, config, fmt.Sprintf("version: 0.1\nstorage:\n  filesystem: {rootdirectory: %q}\nhttp: {addr: '127.0.0.1:%s'}\n",
			t.TempDir(), port))
		return exec.CommandContext(t.Context(), clients.Tool(t, program), "serve", config)
	}
}

// cosignAccepts asks cosign for the signature and each attestation.
func cosignAccepts(t *testing.T, d *dock, subjects []core.Subject, repository string) {
	t.Helper()
	cosign, home := clients.Tool(t, "cosign"), t.TempDir()
	root := filepath.Join(home, "root.json") // it names nobody: the key is enough
	write(t, root, `{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)
	key := d.public()
	run := func(args ...string) {
		t.Helper()
		args = append(args, "--key", key, "--trusted-root", root, "--insecure-ignore-tlog=true", "--allow-insecure-registry")
		if out, code := clients.Run(t, home, []string{"HOME=" + home}, cosign, args...); code != 0 {
			t.Errorf("cosign %q: exit code %d\n%.2000s", args, code, out)
		}
	}
	for _, s := range subjects {
		image := d.host + repository + "@" + string(s.Digest)
		run("verify", image, "--new-bundle-format=true")
		types := []string{said.TypeCycloneDX, said.TypeSPDX, said.TypeVulns, said.TypeVSA}
		if s.Parent == "" {
			types = append(types, report.PredicateType)
		}
		for _, kind := range types {
			run("verify-attestation", image, "--new-bundle-format=true", "--type", kind)
		}
	}
}

// TestClientCosignTakesAPassBack attests a failure with stock cosign, as docs/verifying.md tells: what passed before does not
// count any more, and is not promoted.
func TestClientCosignTakesAPassBack(t *testing.T) {
	d := newDock(t)
	d.host = clients.Serving(t, func(port string) *exec.Cmd {
		return exec.CommandContext(t.Context(), clients.Tool(t, "olareg"), "serve", "--addr", "127.0.0.1", "--port", port, "--store-type", "mem")
	})
	r, err := d.gate().Run(context.Background(), d.plan())
	if err != nil {
		t.Fatal(err)
	}
	g := d.gate()
	g.Now = func() time.Time { return judgedAt.Add(2 * time.Hour) }
	p := d.promotion(d)
	p.Destination = d.host + "/released/app:1"
	if m, err := g.Promote(context.Background(), p); err != nil || m.Decision != core.Passed {
		t.Fatalf("%+v, %v", m, err)
	}
	failed := filepath.Join(t.TempDir(), "failed.json")
	write(t, failed, fmt.Sprintf(`{"verifier": {"id": %q}, "timeVerified": %q, "resourceUri": "registry.example/team/app",
		"policy": {"uri": "strict", "digest": {"sha256": %q}}, "verificationResult": "FAILED"}`, said.VerifierID,
		judgedAt.Add(time.Hour).UTC().Format(time.RFC3339), strings.TrimPrefix(string(r.Verdict.Policy.Digest), "sha256:")))
	home := t.TempDir()
	imported, code := clients.Run(t, home, []string{"HOME=" + home, "COSIGN_PASSWORD="}, clients.Tool(t, "cosign"), "import-key-pair", "--key", d.key)
	if code != 0 {
		t.Fatalf("cosign import-key-pair: %d\n%s", code, imported)
	}
	if out, code := clients.Run(t, home, []string{"HOME=" + home, "COSIGN_PASSWORD="}, clients.Tool(t, "cosign"), "attest", "--key", "import-cosign.key",
		"--new-bundle-format", "--type", said.TypeVSA, "--predicate", failed, "--tlog-upload=false", "--allow-http-registry", "--yes",
		d.host+"/team/app@"+string(d.digest)); code != 0 {
		t.Fatalf("cosign attest: %d\n%s", code, out)
	}
	p.Destination = d.host + "/released/app:2"
	m, err := g.Promote(context.Background(), p)
	if err != nil || m.Decision != core.Refused || !strings.Contains(strings.Join(m.Refusals, "\n"), "did not pass") {
		t.Errorf("%+v, %v", m, err)
	}
}
