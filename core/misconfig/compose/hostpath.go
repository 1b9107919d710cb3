package compose

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func hostPath() check {
	r := rule.Rule{
		ID: "compose-host-path", Title: "A service mounts a path that gives the host away", Severity: core.SeverityHigh,
		Why:        "What is read there, or written, is the host's own: users, keys, processes, devices.",
		Fix:        "Mount only the folder that is needed, read-only, or a volume.",
		References: []string{"CIS Docker 5.5", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, m := range s.mounts() {
				if len(m.source) > 0 && m.source[0] == '/' && known.HostPath(m.source) && !harmless(m.source) {
					report(s.hit(m.at, m.source, m.source))
				}
			}
		}
	}}
}

// harmless are files that services are given so that they show the right time.
func harmless(p string) bool { return p == "/etc/localtime" || p == "/etc/timezone" }
