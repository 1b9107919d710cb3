//go:build clients

package gate_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// BenchmarkClientSign signs an image of 3,000 packages and attests it, judging included, and beside it lets cosign sign and make
// four attestations of the same sizes, one command each, as it has to. It reports both times and their ratio.
func BenchmarkClientSign(b *testing.B) {
	cosign, err := exec.LookPath("cosign")
	if err != nil {
		b.Skip("cosign is not on the PATH")
	}
	program, err := exec.LookPath("cleanbill")
	if err != nil {
		b.Skip("cleanbill is not on the PATH")
	}
	olareg, err := exec.LookPath("olareg")
	if err != nil {
		b.Skip("olareg is not on the PATH")
	}
	dir := b.TempDir()
	host := clients.Serving(b, func(port string) *exec.Cmd {
		return exec.CommandContext(b.Context(), olareg, "serve", "--addr", "127.0.0.1", "--port", port, "--store-type", "mem")
	})
	run := func(program string, args ...string) time.Duration {
		b.Helper()
		began := time.Now()
		cmd := exec.CommandContext(b.Context(), program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "COSIGN_PASSWORD=password", "CLEANBILL_ADVISORIES=starter")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s %q: %v\n%.2000s", program, args, err, out)
		}
		return time.Since(began)
	}
	image := pushThousands(b, host)
	run(cosign, "generate-key-pair")
	policy := filepath.Join(dir, "policy.yaml")
	text := "version: 1\nextends: none\nstarter-ok: true\nrequire: [packages]\nrules: [{name: bad, when: 'finding.rule == \"never\"', action: fail}]\n"
	if err := os.WriteFile(policy, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	run(program, "scan", image, "--output", "cyclonedx=a.json", "--output", "spdx=b.json", "--output", "json=c.json")
	if err := os.WriteFile(filepath.Join(dir, "d.json"), []byte(`{"result":"PASSED"}`), 0o644); err != nil {
		b.Fatal(err)
	}
	how := []string{"--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "--new-bundle-format", "--yes", image}
	var ours, theirs time.Duration
	for b.Loop() {
		ours += run(program, "sign", image, "--key", "cosign.key", "--policy", policy, "--signature-form", "bundle")
		theirs += run(cosign, append([]string{"sign"}, how...)...)
		for kind, file := range map[string]string{"cyclonedx": "a.json", "spdxjson": "b.json", "https://example.com/evidence": "c.json", "https://example.com/verdict": "d.json"} {
			theirs += run(cosign, append([]string{"attest", "--type", kind, "--predicate", file}, how...)...)
		}
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "cleanbill-s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "cosign-s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}

// pushThousands pushes an image with 3,000 Debian packages and returns its reference by digest.
func pushThousands(b *testing.B, host string) string {
	b.Helper()
	var packages []images.DebianPackage
	for i := range 3000 {
		packages = append(packages, images.DebianPackage{Name: fmt.Sprintf("package-%d", i), Version: fmt.Sprintf("1.%d-1", i)})
	}
	spec := images.Clean("amd64")
	spec.Layers = []images.Layer{{CreatedBy: "ADD rootfs.tar /", Entries: []images.Entry{
		images.Dir("usr"), images.Dir("usr/lib"), images.File("usr/lib/os-release", images.DebianRelease("12", "bookworm")),
		images.Dir("etc"), images.Symlink("etc/os-release", "../usr/lib/os-release"),
		images.Dir("var"), images.Dir("var/lib"), images.Dir("var/lib/dpkg"), images.File("var/lib/dpkg/status", images.DpkgStatus("amd64", packages...)),
	}}}
	img, err := images.Build(spec)
	if err != nil {
		b.Fatal(err)
	}
	return push(b, host, img)
}

func push(b *testing.B, host string, img v1.Image) string {
	b.Helper()
	ref, err := name.NewTag(host+"/team/thousands:1", name.Insecure)
	if err != nil {
		b.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		b.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		b.Fatal(err)
	}
	return host + "/team/thousands@" + digest.String()
}
