package tekton

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func curlPipeShell() check {
	r := rule.Rule{
		ID: "tekton-curl-pipe-shell", Title: "A download is executed unseen", Severity: core.SeverityMedium,
		Why:        "Whoever controls the server executes commands with the secrets of the task.",
		Fix:        "Download a fixed version, verify its checksum, and only then execute it.",
		References: []string{"CWE-494"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(sp spec, st step) {
			at := st.Get("script")
			text := at.Text()
			if first, _, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "#!") && !strings.Contains(first, "sh") {
				return
			}
			script, err := shell.Parse(text)
			if err != nil {
				return // Tekton's own references make many scripts what no shell reads before they are replaced
			}
			for _, c := range script.Unverified() {
				h := f.hit(sp, st, at, c.Plain().Name(), c.String())
				if at.IsBlock() {
					h.Line, h.Column = f.source.Within(at.Line()+c.Line, 1, 0, c.Args[0])
				}
				report(h)
			}
		})
	}}
}
