package github

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unpinnedAction() check {
	r := rule.Rule{
		ID: "github-unpinned-action", Title: "An action is used by a tag or branch", Severity: core.SeverityMedium,
		Why: "Its owner, or whoever took over the account, can move the tag: the next run executes other code " +
			"with your secrets. For actions of GitHub itself the finding is low.",
		Fix: "Pin the commit: owner/action@0123…  # v1.2.3, and let a bot renew it.",
		References: []string{"CWE-829", "CVE-2025-30066", "CVE-2026-33634",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		pin := func(uses yamldoc.Node, job string) {
			text := uses.Text()
			if text == "" || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "docker://") || strings.Contains(text,
				"$") {
				return
			}
			name, ref, _ := strings.Cut(text, "@")
			if isCommit(ref) {
				return
			}
			h := f.hit(uses, text, job, name)
			if owner, _, _ := strings.Cut(name, "/"); owner == "actions" || owner == "github" {
				h.Severity = core.SeverityLow
			}
			report(h)
		}
		for _, s := range f.steps {
			pin(s.Get("uses"), s.job)
		}
		for _, j := range f.jobs {
			pin(j.Get("uses"), j.name)
		}
	}}
}

func isCommit(ref string) bool { return len(ref) == 40 && strings.Trim(ref, "0123456789abcdef") == "" }
