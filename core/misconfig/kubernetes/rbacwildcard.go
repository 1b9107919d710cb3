package kubernetes

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func rbacWildcard() check {
	r := rule.Rule{
		ID: "kubernetes-rbac-wildcard", Title: "A role allows everything", Severity: core.SeverityHigh,
		Why: "The role grows with every kind of object that is installed, and includes reading secrets and " +
			"starting pods. For a role of one namespace, or of one group that is not the core one, the finding is medium.",
		Fix:        "List the resources and verbs that are needed.",
		References: []string{"CIS Kubernetes 5.1.3", "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.rights(func(o Object, n yamldoc.Node) {
			verbs, resources := n.Get("verbs"), n.Get("resources")
			if !verbs.Contains("*") && !resources.Contains("*") || !resources.Exists() {
				return
			}
			at, detail := verbs, "all verbs"
			switch {
			case verbs.Contains("*") && resources.Contains("*"):
				detail = "all verbs on all resources"
			case resources.Contains("*"):
				at, detail = resources, "all resources"
			}
			h := o.hit(at, detail, strings.Join(verbs.Texts(), ","), strings.Join(resources.Texts(), ","),
				strings.Join(n.Get("apiGroups").Texts(), ","))
			if groups := n.Get("apiGroups"); o.Kind == "Role" || detail != "all verbs on all resources" ||
				!groups.Contains("*") && !groups.Contains("") {
				h.Severity = core.SeverityMedium
			}
			report(h)
		})
	}}
}

// rights calls visit for every rule of every role.
func (f *file) rights(visit func(Object, yamldoc.Node)) {
	for _, o := range f.objects {
		if !o.is("rbac.authorization.k8s.io", "ClusterRole", "Role") {
			continue
		}
		for _, n := range o.Node.Get("rules").Items() {
			visit(o, n)
		}
	}
}
