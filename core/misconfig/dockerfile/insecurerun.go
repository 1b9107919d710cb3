package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func insecureRun() check {
	r := rule.Rule{
		ID: "dockerfile-insecure-run", Title: "A build step runs without isolation", Severity: core.SeverityHigh,
		Why: "RUN --security=insecure has all rights of the builder, and --network=host reaches what only the builder " +
			"should: other " +
			"builds, the metadata of the cloud (then the finding is medium).",
		Fix:        "Take the option away; if the step needs it, build that part elsewhere.",
		References: []string{"NIST SP 800-190 4.4.3", "https://docs.docker.com/reference/dockerfile/#run---security"},
		Weaknesses: []string{"CWE-250"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			run, ok := st.command.(*instructions.RunCommand)
			if !ok {
				continue
			}
			if instructions.GetSecurity(run) == instructions.SecurityInsecure {
				report(f.hit(st, "--security=insecure", "--security=insecure"))
			}
			if instructions.GetNetwork(run) == instructions.NetworkHost {
				h := f.hit(st, "--network=host", "--network=host")
				h.Severity = core.SeverityMedium
				report(h)
			}
		}
	}}
}
