package kubernetes

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func anonymousBinding() check {
	r := rule.Rule{
		ID: "kubernetes-anonymous-binding", Title: "Everybody is given rights, known or not", Severity: core.SeverityCritical,
		Why:        "The rights hold for whoever reaches the API server, without logging in.",
		Fix:        "Name the users, groups or service accounts that need the role.",
		References: []string{"CIS Kubernetes 5.1", "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.objects {
			if !o.is("rbac.authorization.k8s.io", "ClusterRoleBinding", "RoleBinding") || harmless(o.Node.Get("roleRef",
				"name").Text()) {
				continue
			}
			for _, s := range o.Node.Get("subjects").Items() {
				name := s.Get("name").Text()
				if slices.Contains([]string{"system:anonymous", "system:unauthenticated"}, name) {
					report(o.hit(s.Get("name"), name, name))
				}
			}
		}
	}}
}

// harmless are the roles that Kubernetes itself gives to everybody.
func harmless(role string) bool {
	return slices.Contains([]string{"system:public-info-viewer", "system:discovery", "system:basic-user",
		"system:service-account-issuer-discovery"}, role)
}
