package dockerfile

import (
	"path"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func copyContext() check {
	r := rule.Rule{
		ID: "dockerfile-copy-context", Title: "The whole context is copied into the image, .git with it",
		Severity: core.SeverityLow,
		Why: "The history of the sources, settings with passwords and whatever else lies beside them becomes part of the " +
			"image.",
		Fix: "Name what is copied, or keep .git and files with secrets out with a .dockerignore beside the Dockerfile or " +
			"at the " +
			"root of the sources.",
		References: []string{"CIS Docker 4.10", "https://docs.docker.com/build/concepts/context/#dockerignore-files"},
		Weaknesses: []string{"CWE-538"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			if !f.inFinal(st.stage) || f.ignored.keepsOut(".git") {
				continue
			}
			for _, source := range copied(st.command) {
				if p := path.Clean("/" + expand(source, st.env)); p == "/" || p == "/*" {
					report(f.hit(st, source, ""))
				}
			}
		}
	}}
}
