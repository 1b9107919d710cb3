package imageconfig

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func rootUser() check {
	r := rule.Rule{
		ID: "image-root-user", Title: "The image runs as root", Severity: core.SeverityMedium,
		Why: "Whoever breaks into a process that is root in its container is one flaw of the kernel or of a mount " +
			"away from being root on the host.",
		Fix:        "End the last stage of the Dockerfile with USER and a numeric id that is not 0.",
		References: []string{"CIS Docker 4.1", "NIST SP 800-190 4.1.2"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if user := f.Facts.User; (user == "" || known.Root(user)) && f.Facts.Platform.OS != "windows" {
			report(rule.Hit{})
		}
	}}
}
