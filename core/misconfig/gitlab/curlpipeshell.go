package gitlab

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func curlPipeShell() check {
	r := rule.Rule{
		ID: "gitlab-curl-pipe-shell", Title: "A download is executed unseen", Severity: core.SeverityMedium,
		Why:        "Whoever controls the server executes commands with the secrets of the job.",
		Fix:        "Download a fixed version, verify its checksum, and only then execute it.",
		References: []string{"CWE-494"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, l := range f.lines() {
			script, err := shell.Parse(l.at.Text())
			if err != nil {
				continue // an entry may be a part of a command, or for another shell
			}
			for _, c := range script.Unverified() {
				h := f.in(l, c.Args[0], c.Plain().Name())
				h.Object = []string{l.job, l.at.Text()}
				report(h)
			}
		}
	}}
}
