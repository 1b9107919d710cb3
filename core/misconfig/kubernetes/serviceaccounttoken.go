package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func serviceAccountToken() check {
	r := rule.Rule{
		ID: "kubernetes-service-account-token", Title: "A pod gets a token for the API server whether or not it needs one",
		Severity: core.SeverityLow,
		Why:      "Whoever breaks into the pod can speak to the API server with its rights.",
		Fix: "Set automountServiceAccountToken: false in the pod or its ServiceAccount, unless it speaks to the " +
			"API server.",
		References: []string{"CIS Kubernetes " +
			"5.1.6", "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		off := map[string]bool{} // the service accounts of this file that switch it off
		for _, o := range f.objects {
			if o.is("", "ServiceAccount") && o.Node.Get("automountServiceAccountToken").Is("false") {
				off[o.Namespace+"/"+o.Name] = true
			}
		}
		for _, w := range f.workloads {
			setting := w.spec.Get("automountServiceAccountToken")
			account := w.spec.Get("serviceAccountName").Text()
			if w.patch || setting.Is("false") || !setting.Exists() && off[w.Namespace+"/"+account] {
				continue
			}
			report(w.hit(w.spec.Key("automountServiceAccountToken"), ""))
		}
	}}
}
