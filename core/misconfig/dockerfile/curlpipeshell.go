package dockerfile

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func curlPipeShell() check {
	r := rule.Rule{
		ID: "dockerfile-curl-pipe-shell", Title: "A download is executed unseen", Severity: core.SeverityHigh,
		Why: "Whoever controls the server, or the connection, executes commands in the build. Nothing says afterwards " +
			"what was " +
			"executed.",
		Fix: "Download a file of a fixed version, verify its checksum or signature in the same RUN, and only then " +
			"execute it.",
		References: []string{"CIS Docker 4.4", "NIST SP 800-190 4.1.4"},
		Weaknesses: []string{"CWE-494"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			for _, sc := range st.scripts {
				for _, c := range sc.Unverified() {
					report(f.at(st, sc, c, c.Plain().Name()))
				}
			}
		}
	}}
}
