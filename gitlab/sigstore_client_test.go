//go:build clients

package gitlab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientSigstoreSignsAsTheJob runs the example that publishes, without a key: the services of a private Sigstore confirm the
// job, as GitLab names it, and stock cosign accepts nobody else.
func TestClientSigstoreSignsAsTheJob(t *testing.T) {
	s := clients.StartSigstore(t)
	project := clients.Prepare(t)
	project.Copy(t, "examples/gitlab/push.yml", ".gitlab-ci.yml")
	const key = "      key: $APP_KEY"
	raw, err := os.ReadFile(filepath.Join(project.Dir, ".gitlab-ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	example := string(raw)
	if !strings.Contains(example, key) {
		t.Fatalf("the example has no %q", key)
	}
	project.Write(t, ".gitlab-ci.yml", strings.Replace(example, key, "      signing-config: "+s.SigningConfig+"\n"+key, 1))
	for _, template := range templates(t) {
		project.Copy(t, "gitlab/"+template, "gitlab/"+template)
	}
	project.Commit(t)
	const config = "gitlab.example/acme/app//.gitlab-ci.yml@refs/heads/main"
	token := s.Token(t, "gitlab", map[string]any{"sub": "project_path:acme/app:ref_type:branch:ref:main", "ci_config_ref_uri": config})
	image := project.Registry + "/team/app:1"
	p := play(t, project, "APP_LAYOUT=clean", "APP_POLICY=policy.yaml", "APP_IMAGE="+image, "CI_COMMIT_REF_PROTECTED=true",
		"SIGSTORE_ID_TOKEN="+token, "CLEANBILL_TRUSTED_ROOT="+s.TrustedRoot)
	if p.code != 0 {
		t.Fatalf("ended with %d\n%s", p.code, p.log)
	}
	if strings.Contains(p.log, token) {
		t.Error("the log shows the token")
	}
	for identity, accepted := range map[string]bool{"https://" + config: true, strings.Replace("https://"+config, "acme", "mallory", 1): false} {
		for _, command := range [][]string{{"verify"}, {"verify-attestation", "--type", "https://slsa.dev/verification_summary/v1"}} {
			text, err := s.TryCosign(nil, append(command, "--certificate-identity", identity, "--certificate-oidc-issuer", s.Issuer+"/gitlab",
				"--new-bundle-format", "--trusted-root", s.TrustedRoot, "--use-signed-timestamps", "--allow-http-registry", image)...)
			if (err == nil) != accepted {
				t.Errorf("cosign %s by %s: %v\n%.2000s", command[0], identity, err, text)
			}
		}
	}
}
