//go:build clients

package actions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// TestClientSigstoreSignsAsTheJob runs the example that publishes, without a key: the services of a private Sigstore confirm the
// job, as GitHub's provider of identities names it, and stock cosign accepts nobody else.
func TestClientSigstoreSignsAsTheJob(t *testing.T) {
	s := clients.StartSigstore(t)
	project := &clients.Project{Dir: t.TempDir()}
	project.Write(t, "policy.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
	project.Write(t, "main.go", "package main\n\nfunc main() {}\n")
	example, err := os.ReadFile(filepath.Join(clients.Root(t), "examples", "github", "publish.yml"))
	if err != nil {
		t.Fatal(err)
	}
	const consent = `public-log: "true"`
	if !strings.Contains(string(example), consent) {
		t.Fatalf("the example has no %s", consent)
	}
	project.Write(t, ".github/workflows/publish.yml", strings.Replace(string(example), consent,
		"signing-config: "+s.SigningConfig+"\n          trusted-root: "+s.TrustedRoot, 1))
	project.Commit(t)
	act := newAct(t, project.Dir)
	act.env = append(act.env, "PATH="+standInDocker(t, images.Clean("amd64"))+":"+os.Getenv("PATH"))
	image := startOlareg(t) + "/acme/app"
	run := act.run(t, "push", "--var", "IMAGE="+image, "--var", "POLICY=policy.yaml", "--secret", "GITHUB_TOKEN=token-of-the-job",
		"--env", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=right-to-ask", "--env",
		"ACTIONS_ID_TOKEN_REQUEST_URL="+s.Issuer+"/github/token?sub=repo:acme/app&repository=acme/app&job_workflow_ref="+clients.Workflow)
	if run.exit != 0 {
		t.Fatalf("act ended with %d\n%s", run.exit, run.log)
	}
	if strings.Contains(run.log, "right-to-ask") {
		t.Error("the log shows the right to ask for a token")
	}
	for identity, accepted := range map[string]bool{"https://github.com/" + clients.Workflow: true,
		"https://github.com/mallory/app/.github/workflows/release.yml@refs/heads/main": false} {
		for _, command := range [][]string{{"verify"}, {"verify-attestation", "--type", "https://slsa.dev/verification_summary/v1"}} {
			text, err := s.TryCosign(nil, append(command, "--certificate-identity", identity, "--certificate-oidc-issuer", s.Issuer+"/github",
				"--new-bundle-format", "--trusted-root", s.TrustedRoot, "--use-signed-timestamps", "--allow-http-registry",
				image+":"+commitOf(t, project.Dir))...)
			if (err == nil) != accepted {
				t.Errorf("cosign %s by %s: %v\n%.2000s", command[0], identity, err, text)
			}
		}
	}
}
