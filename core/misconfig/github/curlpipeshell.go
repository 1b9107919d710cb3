package github

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func curlPipeShell() check {
	r := rule.Rule{
		ID: "github-curl-pipe-shell", Title: "A download is executed unseen", Severity: core.SeverityMedium,
		Why: "Whoever controls the server executes commands with the secrets of the job.",
		Fix: "Download a fixed version, verify its checksum, and only then execute it.",
		References: []string{"CWE-494",
			"https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.steps {
			if script := s.script(); script != nil {
				for _, c := range script.Unverified() {
					h := f.in(s, s.Get("run"), c.Args[0], c.Plain().Name())
					if run := s.Get("run"); run.IsBlock() {
						h.Line, h.Column = f.source.Within(run.Line()+c.Line, 1, 0, c.Args[0])
					}
					h.Object = []string{s.job, s.title(), c.String()}
					report(h)
				}
			}
		}
	}}
}
