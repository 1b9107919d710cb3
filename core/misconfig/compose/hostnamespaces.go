package compose

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func hostNamespaces() check {
	r := rule.Rule{
		ID: "compose-host-namespaces", Title: "A service shares the namespaces of the host", Severity: core.SeverityHigh,
		Why:        "With the host's network, processes or memory a container sees, and can disturb, everything else there.",
		Fix:        "Take the setting away; publish the ports that are needed.",
		References: []string{"CIS Docker 5.9, 5.15, 5.16, 5.20, 5.30", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, field := range []string{"network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"} {
				if at := s.Get(field); at.Is("host") {
					report(s.hit(at, field, field))
				}
			}
		}
	}}
}
