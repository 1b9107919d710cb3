package compose

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func missingUser() check {
	r := rule.Rule{
		ID: "compose-missing-user", Title: "A service runs as root", Severity: core.SeverityLow,
		Why:        "The image decides who the process is, unless the service says it; for most images it is root.",
		Fix:        "Set user to a number that is not 0.",
		References: []string{"CIS Docker 4.1, 5.25", "NIST SP 800-190 4.1.2"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			user := s.Get("user")
			switch {
			case known.Root(user.Text()):
				h := s.hit(user, "user "+user.Text())
				h.Severity = core.SeverityMedium
				report(h)
			case !user.Exists() && s.Get("image").Exists() && !s.Get("extends").Exists() &&
				!known.NonRoot(s.Get("image").Text()):
				report(s.hit(s.key, "no user"))
			}
		}
	}}
}
