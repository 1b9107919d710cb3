package github

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unsecureCommands() check {
	r := rule.Rule{
		ID: "github-unsecure-commands", Title: "Commands that were withdrawn as unsafe are allowed",
		Severity: core.SeverityHigh,
		Why:      "Whatever a step prints can then set the environment of all later steps.",
		Fix:      "Take ACTIONS_ALLOW_UNSECURE_COMMANDS away, and write to GITHUB_ENV.",
		References: []string{"CVE-2020-15228",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		const name = "ACTIONS_ALLOW_UNSECURE_COMMANDS"
		look := func(n yamldoc.Node, where string) {
			if at := n.Get("env", name); at.Is("true") || at.Is("1") {
				report(f.hit(at, "", where))
			}
		}
		look(f.root, "")
		for _, j := range f.jobs {
			look(j.Node, j.name)
		}
		for _, s := range f.steps {
			look(s.Node, s.job+"/"+s.title())
		}
	}}
}
