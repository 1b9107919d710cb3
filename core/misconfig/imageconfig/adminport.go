package imageconfig

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func adminPort() check {
	r := rule.Rule{
		ID: "image-admin-port", Title: "A port of remote administration is exposed", Severity: core.SeverityMedium,
		Why:        "A container is replaced, not administered: a service for logging in is one more way in.",
		Fix:        "Take the service and EXPOSE away.",
		References: []string{"CIS Docker 5.7", "NIST SP 800-190 4.1.2"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, port := range f.Facts.ExposedPorts {
			if name := known.AdminPort(port); name != "" {
				report(rule.Hit{Detail: port + " is that of " + name, Object: []string{port}})
			}
		}
	}}
}
