package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func copySecret() check {
	r := rule.Rule{
		ID: "dockerfile-copy-secret", Title: "A file of credentials is copied into a layer", Severity: core.SeverityHigh,
		Why:        "A later layer that deletes the file only hides it: whoever can pull the image can read the layer.",
		Fix:        "Mount it: RUN --mount=type=secret,id=…,target=…, or --mount=type=ssh for keys of SSH.",
		References: []string{"CIS Docker 4.10", "NIST SP 800-190 4.1.4", "https://docs.docker.com/build/building/secrets/"},
		Weaknesses: []string{"CWE-538"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			for _, source := range copied(st.command) {
				if holdsSecrets(source) {
					report(f.hit(st, source, source))
				}
			}
		}
	}}
}

// copied are the paths of the context that an instruction copies.
func copied(c instructions.Command) []string {
	switch c := c.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			return c.SourcePaths
		}
	case *instructions.AddCommand:
		return c.SourcePaths
	}
	return nil
}

func holdsSecrets(p string) bool {
	p = path.Clean(strings.TrimPrefix(p, "/"))
	base := path.Base(p)
	return slices.Contains([]string{
		".env", ".npmrc", ".pypirc", ".netrc", ".git-credentials", ".pgpass", ".dockercfg", "id_rsa", "id_dsa", "id_ecdsa",
		"id_ed25519",
		".ssh", ".aws", ".gnupg", ".kube", "kubeconfig", ".git", ".htpasswd", ".vault-token", ".docker", "credentials.json",
	}, base) || strings.HasPrefix(base, ".env.") && !strings.HasSuffix(base, ".example") && !strings.HasSuffix(base,
		".sample") ||
		strings.HasSuffix(p, ".docker/config.json") || strings.HasSuffix(p, ".aws/credentials")
}
