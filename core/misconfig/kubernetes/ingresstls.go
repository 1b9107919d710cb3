package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func ingressTLS() check {
	r := rule.Rule{
		ID: "kubernetes-ingress-tls", Title: "An Ingress serves without TLS", Severity: core.SeverityMedium,
		Why:        "Whoever is on the way reads and changes what users send.",
		Fix:        "Add tls with a host and the Secret of its certificate.",
		References: []string{"NIST SP 800-190 4.3.3", "https://kubernetes.io/docs/concepts/services-networking/ingress/#tls"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.objects {
			if o.is("networking.k8s.io", "Ingress") || o.is("extensions", "Ingress") {
				if spec := o.Node.Get("spec"); spec.IsMap() && len(spec.Get("tls").Items()) == 0 && (spec.Get("rules").Exists() ||
					spec.Get("defaultBackend").Exists()) {
					report(o.hit(o.Node.Key("spec"), ""))
				}
			}
		}
	}}
}
