package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func setuid() check {
	r := rule.Rule{
		ID: "dockerfile-setuid", Title: "A setuid or setgid bit is set", Severity: core.SeverityMedium,
		Why:        "Whoever executes the file gets its owner's rights, which is how a process without rights becomes root.",
		Fix:        "Leave the bit away, and run the container with the capability that the program needs.",
		References: []string{"CIS Docker 4.8", "NIST SP 800-190 4.1.2"},
		Weaknesses: []string{"CWE-250"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.modes(shell.SetsID, report)
	}}
}

// modes reports where chmod, or --chmod of COPY and ADD, gives the image a mode of that kind.
func (f *file) modes(bad func(mode string) bool, report func(rule.Hit)) {
	f.commands(func(st step, sc script, c shell.Command) {
		if mode, files := c.Mode(); f.inFinal(st.stage) && bad(mode) {
			report(f.at(st, sc, c, "chmod "+mode+" "+strings.Join(files, " ")))
		}
	})
	for _, st := range f.steps {
		mode := ""
		switch c := st.command.(type) {
		case *instructions.CopyCommand:
			mode = c.Chmod
		case *instructions.AddCommand:
			mode = c.Chmod
		}
		if f.inFinal(st.stage) && bad(expand(mode, st.env)) {
			report(f.hit(st, "--chmod="+mode, "--chmod="+mode))
		}
	}
}
