package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func missingProbes() check {
	r := rule.Rule{
		ID: "kubernetes-missing-probes", Title: "A service has no probe", Severity: core.SeverityLow,
		Why:        "Kubernetes sends requests to a container that hangs, and does not start it again.",
		Fix:        "Add a readinessProbe and a livenessProbe.",
		References: []string{"https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(w workload, c container) {
			if c.list == "containers" && w.served() && !c.Get("livenessProbe").Exists() && !c.Get("readinessProbe").Exists() {
				report(w.on(c, c.Key("name"), ""))
			}
		})
	}}
}
