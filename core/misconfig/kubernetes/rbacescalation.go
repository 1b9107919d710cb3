package kubernetes

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func rbacEscalation() check {
	r := rule.Rule{
		ID: "kubernetes-rbac-escalation", Title: "A role can give itself more rights", Severity: core.SeverityMedium,
		Why: "With escalate, bind or impersonate, or by entering pods of others, whoever has the role gets the " +
			"rights of somebody else.",
		Fix:        "Take the verbs away, or name the objects that they are needed for (resourceNames).",
		References: []string{"CIS Kubernetes 5.1.8", "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.rights(func(o Object, n yamldoc.Node) {
			verbs, resources := n.Get("verbs"), n.Get("resources")
			if n.Get("resourceNames").Exists() {
				return
			}
			for _, verb := range []string{"escalate", "bind", "impersonate"} {
				if verbs.Contains(verb) {
					report(o.hit(verbs, verb, verb, strings.Join(resources.Texts(), ",")))
				}
			}
			for _, r := range []string{"pods/exec", "pods/attach", "nodes/proxy"} {
				if resources.Contains(r) && (verbs.Contains("create") || verbs.Contains("*")) {
					report(o.hit(resources, r, r))
				}
			}
		})
	}}
}
