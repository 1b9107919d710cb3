package github

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func headCheckout() check {
	r := rule.Rule{
		ID: "github-head-checkout", Title: "A workflow with the rights of the repository checks out a stranger's change",
		Severity: core.SeverityCritical,
		Why: "With pull_request_target and workflow_run the job has the repository's secrets and a token that " +
			"writes; what the change brings (build files, hooks, tests) is executed with them.",
		Fix: "Use pull_request, or split the work: one workflow without secrets builds, another one takes only " +
			"its results.",
		References: []string{"CWE-829",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if !f.triggered("pull_request_target", "workflow_run", "issue_comment") {
			return
		}
		for _, s := range f.steps {
			ref := s.Get("with", "ref")
			if strings.HasPrefix(s.Get("uses").Text(), "actions/checkout@") && isHead(ref.Text()+" "+s.Get("with",
				"repository").Text()) {
				at := ref
				if !at.Exists() {
					at = s.Get("with", "repository")
				}
				h := f.hit(at, s.job, s.job, s.title())
				h.Start = s.Line()
				report(h)
			}
			for _, line := range strings.Split(s.Get("run").Text(), "\n") {
				if strings.Contains(line, "gh pr checkout") || strings.Contains(line, "git") && (strings.Contains(line,
					"refs/pull/") || strings.Contains(line, " pull/")) {
					report(f.in(s, s.Get("run"), strings.TrimSpace(line), s.job))
				}
			}
		}
	}}
}

// isHead reports whether a ref or repository is that of the change.
func isHead(ref string) bool {
	for _, head := range []string{"github.event.pull_request.head", "github.head_ref", "github.event.workflow_run.head",
		"refs/pull/", "github.event.issue.number", "pull_request.merge_commit_sha"} {
		if strings.Contains(ref, head) {
			return true
		}
	}
	return false
}
