package kubernetes

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func networkPolicy() check {
	r := rule.Rule{
		ID: "kubernetes-network-policy", Title: "A namespace has no NetworkPolicy", Severity: core.SeverityLow,
		Why: "Every pod of the cluster reaches every pod of the namespace.",
		Fix: "Add a NetworkPolicy that denies by default, and one for what is needed. One in the same folder counts.",
		References: []string{"CIS Kubernetes 5.3.2", "NIST SP 800-190 4.3.3",
			"https://kubernetes.io/docs/concepts/services-networking/network-policies/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		policies := func() bool {
			return slices.ContainsFunc(f.objects, isNetworkPolicy) || f.beside.NetworkPolicy != nil && f.beside.NetworkPolicy()
		}
		for _, o := range f.objects {
			if o.is("", "Namespace") && o.Node.Get("metadata").Exists() && !policies() {
				report(o.hit(o.Node.Get("metadata", "name"), ""))
			}
		}
	}}
}

// isNetworkPolicy knows the policies of Kubernetes and of the two most used network plugins.
func isNetworkPolicy(o Object) bool {
	return slices.Contains([]string{"NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy",
		"GlobalNetworkPolicy", "AdminNetworkPolicy"}, o.Kind)
}
