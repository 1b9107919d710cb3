package imageconfig

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func missingHealthcheck() check {
	r := rule.Rule{
		ID: "image-missing-healthcheck", Title: "A service has no HEALTHCHECK", Severity: core.SeverityLow,
		Why: "Docker and Swarm cannot tell a service that hangs from one that works. Kubernetes uses probes of " +
			"its own instead.",
		Fix:        "Add HEALTHCHECK to the Dockerfile, or waive the rule where the platform looks after it.",
		References: []string{"CIS Docker 4.6"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if len(f.Facts.ExposedPorts) > 0 && !f.Facts.Healthcheck {
			report(rule.Hit{})
		}
	}}
}
