package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func rootUser() check {
	r := rule.Rule{
		ID: "dockerfile-root-user", Title: "The image runs as root", Severity: core.SeverityHigh,
		Why: "Whoever breaks into a process that is root in its container is one flaw of the kernel or of a mount away " +
			"from being " +
			"root on the host. Without USER the image runs as its base does, which is root for nearly all of them (then the " +
			"finding " +
			"is medium).",
		Fix: "End the last stage with USER and a numeric id that is not 0, such as USER 65532:65532.",
		References: []string{"CIS Docker 4.1", "NIST SP 800-190 " +
			"4.1.2", "https://docs.docker.com/build/building/best-practices/#user"},
		Aliases: []string{"DL3002"}, Weaknesses: []string{"CWE-250"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		var last *step
		user := ""
		for _, st := range f.finalSteps() {
			if c, ok := st.command.(*instructions.UserCommand); ok {
				last, user = &st, expand(c.User, st.env)
			}
		}
		final, base := f.stages[f.final[len(f.final)-1]], f.stages[f.final[0]]
		switch {
		case last != nil && known.Root(user):
			report(f.hit(*last, "USER", "USER "+user+" is the last"))
		case last == nil && !known.NonRoot(base.base):
			line, column := f.source.Find(final.first, final.last, "FROM")
			report(rule.Hit{Detail: "no USER", Line: line, Column: column, EndLine: final.last, Severity: core.SeverityMedium,
				Object: []string{"no USER"}})
		}
	}}
}
