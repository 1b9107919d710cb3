package compose

import (
	"cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func adminPort() check {
	r := rule.Rule{
		ID: "compose-admin-port", Title: "A port of administration or of a database is published",
		Severity:   core.SeverityMedium,
		Why:        "Docker publishes ports on every address of the host, past its firewall.",
		Fix:        "Publish it on 127.0.0.1, or not at all: services of one file reach each other without.",
		References: []string{"CIS Docker 5.7, 5.13", "NIST SP 800-190 4.3.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, p := range s.ports() {
				if name := cmp.Or(known.AdminPort(p.port), known.DataPort(p.port)); name != "" && !p.local {
					report(s.hit(p.at, p.port+" is that of "+name, p.port))
				}
			}
		}
	}}
}
