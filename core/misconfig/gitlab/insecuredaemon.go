package gitlab

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func insecureDaemon() check {
	r := rule.Rule{
		ID: "gitlab-insecure-daemon", Title: "A Docker daemon of the job listens without TLS", Severity: core.SeverityMedium,
		Why:        "Whatever else runs in the job's network can give it commands, and it is privileged.",
		Fix:        "Leave DOCKER_TLS_CERTDIR at /certs, or build without a daemon.",
		References: []string{"CIS Docker 2.6", "https://docs.gitlab.com/ci/docker/using_docker_build/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		look := func(n yamldoc.Node, where string) {
			vars := n.Get("variables")
			if at := vars.Get("DOCKER_TLS_CERTDIR"); at.Exists() && at.Text() == "" {
				report(f.hit(at, "DOCKER_TLS_CERTDIR is empty", where))
			} else if at := vars.Get("DOCKER_HOST"); strings.HasSuffix(at.Text(), ":2375") || strings.HasSuffix(at.Text(),
				":2375/") {
				report(f.hit(at, at.Text(), where))
			}
		}
		for _, doc := range f.roots {
			look(doc, "")
		}
		for _, j := range f.jobs {
			look(j.Node, j.name)
		}
	}}
}
