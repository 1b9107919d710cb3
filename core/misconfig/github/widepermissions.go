package github

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func widePermissions() check {
	r := rule.Rule{
		ID: "github-wide-permissions", Title: "A workflow's token may write everything", Severity: core.SeverityHigh,
		Why: "Any step, and any action that a step uses, can push, release and approve with it. A right to write " +
			"for all jobs of a workflow is a low finding.",
		Fix: "List what is needed, for the job that needs it; start with permissions: {}.",
		References: []string{"CWE-250",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		look := func(n yamldoc.Node, where string) {
			if n.Is("write-all") {
				report(f.hit(n, "write-all", where))
			}
		}
		all := f.root.Get("permissions")
		look(all, "")
		for _, j := range f.jobs {
			look(j.Get("permissions"), j.name)
		}
		for _, p := range all.Pairs() {
			if len(f.jobs) > 1 && p.Value.Is("write") {
				h := f.hit(p.Key, p.Key.Text()+" for all jobs", p.Key.Text())
				h.Severity = core.SeverityLow
				report(h)
			}
		}
	}}
}
