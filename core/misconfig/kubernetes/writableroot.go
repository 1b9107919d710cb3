package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func writableRoot() check {
	r := rule.Rule{
		ID: "kubernetes-writable-root", Title: "A container can write to its own image", Severity: core.SeverityLow,
		Why:        "An attacker can put programs of his own beside yours, and change yours.",
		Fix:        "Set readOnlyRootFilesystem: true, and mount an emptyDir where it must write.",
		References: []string{"CIS Docker 5.12", "NIST SP 800-190 4.4.4"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(w workload, c container) {
			at := c.Get("securityContext").Key("readOnlyRootFilesystem")
			if c.list != "ephemeralContainers" && !c.Get("securityContext", "readOnlyRootFilesystem").Is("true") {
				report(w.on(c, at, ""))
			}
		})
	}}
}
