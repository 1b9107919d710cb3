package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func missingHealthcheck() check {
	r := rule.Rule{
		ID: "dockerfile-missing-healthcheck", Title: "A service has no HEALTHCHECK", Severity: core.SeverityLow,
		Why: "Docker and Swarm cannot tell a service that hangs from one that works. Kubernetes uses probes of its own " +
			"instead. " +
			"Images that expose no port are not asked for one.",
		Fix:        "Add HEALTHCHECK with a command of the image, or HEALTHCHECK NONE if the platform looks after it.",
		References: []string{"CIS Docker 4.6", "https://docs.docker.com/reference/dockerfile/#healthcheck"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		exposes := false
		for _, st := range f.finalSteps() {
			switch st.command.(type) {
			case *instructions.HealthCheckCommand:
				return
			case *instructions.ExposeCommand:
				exposes = true
			}
		}
		if final := f.stages[f.final[len(f.final)-1]]; exposes {
			line, column := f.source.Find(final.first, final.last, "FROM")
			report(rule.Hit{Line: line, Column: column, EndLine: final.last, Object: []string{"no HEALTHCHECK"}})
		}
	}}
}
