package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func resourceLimits() check {
	r := rule.Rule{
		ID: "kubernetes-resource-limits", Title: "A container has no limit on memory", Severity: core.SeverityLow,
		Why: "One container can take all memory of its node, and everything else there dies.",
		Fix: "Set resources.limits.memory, and resources.requests.",
		References: []string{"NIST SP 800-190 4.4.3", "CIS Docker " +
			"5.10", "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(w workload, c container) {
			if c.list != "ephemeralContainers" && !c.Get("resources", "limits", "memory").Exists() {
				report(w.on(c, c.Key("resources"), ""))
			}
		})
	}}
}
