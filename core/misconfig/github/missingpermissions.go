package github

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func missingPermissions() check {
	r := rule.Rule{
		ID: "github-missing-permissions", Title: "A workflow does not say what its token may do",
		Severity: core.SeverityMedium,
		Why: "Then the setting of the organisation decides, which is to write everything for all that were made " +
			"before 2023.",
		Fix: "Add permissions: {contents: read} at the top, and more for the jobs that need it.",
		References: []string{"CWE-250",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if f.action || f.root.Get("permissions").Exists() || len(f.on) == 1 && f.on[0] == "workflow_call" {
			return // a called workflow has its caller's
		}
		for _, j := range f.jobs {
			if !j.Get("permissions").Exists() {
				report(f.hit(f.root.Key("jobs"), "job "+j.name, ""))
				return
			}
		}
	}}
}
