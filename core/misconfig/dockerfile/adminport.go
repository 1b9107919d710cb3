package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func adminPort() check {
	r := rule.Rule{
		ID: "dockerfile-admin-port", Title: "A port of remote administration is exposed", Severity: core.SeverityMedium,
		Why: "A container is replaced, not administered: a service for logging in is one more way in, with keys and " +
			"passwords of " +
			"its own.",
		Fix:        "Take the service and EXPOSE away; use exec of the platform to look into a container.",
		References: []string{"CIS Docker 5.7", "NIST SP 800-190 4.1.2"},
		Aliases:    []string{"DL3011"}, Weaknesses: []string{"CWE-1188"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			expose, ok := st.command.(*instructions.ExposeCommand)
			if !ok || !f.inFinal(st.stage) {
				continue
			}
			for _, port := range expose.Ports {
				if name := known.AdminPort(expand(port, st.env)); name != "" {
					report(f.hit(st, port, port+" is that of "+name))
				}
			}
		}
	}}
}
