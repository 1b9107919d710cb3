package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func clusterAdmin() check {
	r := rule.Rule{
		ID: "kubernetes-cluster-admin", Title: "cluster-admin is given away", Severity: core.SeverityHigh,
		Why:        "Whoever gets hold of one of the subjects, such as the token of a pod, owns the cluster.",
		Fix:        "Bind a role with just the rights that are needed.",
		References: []string{"CIS Kubernetes 5.1.1", "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.objects {
			ref := o.Node.Get("roleRef")
			if o.is("rbac.authorization.k8s.io", "ClusterRoleBinding", "RoleBinding") &&
				ref.Get("kind").Text() == "ClusterRole" &&
				ref.Get("name").Text() == "cluster-admin" {
				h := o.hit(ref.Get("name"), "")
				if o.Kind == "RoleBinding" { // within one namespace
					h.Severity = core.SeverityMedium
				}
				report(h)
			}
		}
	}}
}
