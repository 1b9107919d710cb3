package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretVariable() check {
	r := rule.Rule{
		ID: "kubernetes-secret-variable", Title: "A secret stands in the manifest as a variable", Severity: core.SeverityHigh,
		Why:        "Whoever can read the manifest, the object or its history has the secret.",
		Fix:        "Put it into a Secret that is made outside the sources, mount that, and renew what was published.",
		References: []string{"CIS Kubernetes 5.4.1", "NIST SP 800-190 4.1.4"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, w := range f.workloads {
			for _, c := range w.containers {
				for _, e := range c.Get("env").Items() {
					name, value := e.Get("name").Text(), e.Get("value")
					if known.SecretValue(value.Text()) || known.SecretName(name) && known.Literal(value.Text()) {
						report(w.on(c, value, name, name))
					}
				}
			}
		}
	}}
}
