//go:build clients

package attest

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The policies of examples/admission are given to cosign, with summaries as they are encoded here.
func TestClientCosignAdmitsOnlyWhatPassedByThePoliciesOfTheExamples(t *testing.T) {
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	ref, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, empty.Image); err != nil {
		t.Fatal(err)
	}
	hash, err := empty.Image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	image := ref.Context().Digest(hash.String()).String()
	examples, err := filepath.Abs("../../examples/admission")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cosign := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "cosign", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := cosign("generate-key-pair"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wanted := core.Digest("sha256:" + strings.Repeat("0", 64)) // as the examples have it
	for _, c := range []struct {
		name      string
		summary   Summary
		cue, rego bool
	}{
		{"passed", Summary{Verified: time.Now(), Policy: core.PolicyRef{Digest: wanted}, Passed: true}, true, true},
		{"stale", Summary{Verified: time.Now().AddDate(0, 0, -8), Policy: core.PolicyRef{Digest: wanted}, Passed: true}, true, false},
		{"failed", Summary{Verified: time.Now(), Policy: core.PolicyRef{Digest: wanted}}, false, false},
		{"another policy", Summary{Verified: time.Now(), Policy: core.PolicyRef{Digest: digest}, Passed: true}, false, false},
	} {
		predicate, err := c.summary.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "vsa.json"), predicate, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := cosign("attest", "--replace", "--yes", "--key", "cosign.key", "--tlog-upload=false",
			"--type", TypeVSA, "--predicate", "vsa.json", image); err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, out)
		}
		for policy, admitted := range map[string]bool{"vsa.cue": c.cue, "vsa.rego": c.rego} {
			out, err := cosign("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog=true",
				"--type", TypeVSA, "--policy", filepath.Join(examples, policy), image)
			if (err == nil) != admitted || err != nil && !strings.Contains(out, "validation errors") {
				t.Errorf("%s by %s: admitted %t, want %t: %s", c.name, policy, err == nil, admitted, out)
			}
		}
	}
}
