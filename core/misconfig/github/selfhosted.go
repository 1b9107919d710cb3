package github

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func selfHosted() check {
	r := rule.Rule{
		ID: "github-self-hosted", Title: "A pull request runs on a machine of your own", Severity: core.SeverityMedium,
		Why: "A stranger's change is executed in your network, and what it leaves behind meets the next job, " +
			"unless the machine is thrown away.",
		Fix: "Use hosted runners for pull requests, or runners that live for one job.",
		References: []string{"NIST SP 800-190 " +
			"4.5", "https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if !f.triggered("pull_request", "pull_request_target") {
			return
		}
		for _, j := range f.jobs {
			runner := j.Get("runs-on")
			labels := runner
			if runner.IsMap() {
				labels = runner.Get("labels")
			}
			if labels.Contains("self-hosted") {
				report(f.hit(runner, "job "+j.name, j.name))
			}
		}
	}}
}
