package dockerfile

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func password() check {
	r := rule.Rule{
		ID: "dockerfile-password", Title: "A user of the image has a fixed password", Severity: core.SeverityHigh,
		Why: "The password is the same in every container of the image, and stands in its history.",
		Fix: "Leave the user without a password (it needs none to run a container), and take services for logging " +
			"in away.",
		References: []string{"CIS Docker 4.10", "NIST SP 800-190 4.1.4"},
		Weaknesses: []string{"CWE-798"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.commands(func(st step, sc script, c shell.Command) {
			p := c.Plain()
			sets := p.Name() == "chpasswd" || p.Name() == "passwd" && p.Has("--stdin")
			if p.Name() == "useradd" || p.Name() == "usermod" {
				for i, a := range p.Args[:len(p.Args)-1] {
					value := p.Args[i+1]
					sets = sets || (a == "-p" || a == "--password") && len(value) > 1 && !strings.HasPrefix(value, "!") && value != "*"
				}
			}
			if sets {
				h := f.at(st, sc, c, p.Name())
				h.Object = []string{f.stageKey(st.stage), p.Name()}
				report(h)
			}
		})
	}}
}
