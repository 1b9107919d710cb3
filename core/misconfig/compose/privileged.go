package compose

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func privileged() check {
	r := rule.Rule{
		ID: "compose-privileged", Title: "A service is privileged", Severity: core.SeverityHigh,
		Why:        "A privileged container is root on the host: it sees its devices, and nothing keeps it in.",
		Fix:        "Take privileged away, and add the one device or capability that is needed.",
		References: []string{"CIS Docker 5.4", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			if at := s.Get("privileged"); at.Is("true") {
				report(s.hit(at, ""))
			}
		}
	}}
}
