package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func rbacSecrets() check {
	r := rule.Rule{
		ID: "kubernetes-rbac-secrets", Title: "A role reads the secrets of the whole cluster", Severity: core.SeverityMedium,
		Why:        "The tokens of other service accounts are among them, so the role has their rights as well.",
		Fix:        "Use a Role in the namespace, and name the secrets (resourceNames).",
		References: []string{"CIS Kubernetes 5.1.2", "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.rights(func(o Object, n yamldoc.Node) {
			verbs, resources := n.Get("verbs"), n.Get("resources")
			reads := verbs.Contains("get") || verbs.Contains("list") || verbs.Contains("watch")
			if o.Kind == "ClusterRole" && reads && resources.Contains("secrets") && !n.Get("resourceNames").Exists() {
				report(o.hit(resources, ""))
			}
		})
	}}
}
