package compose

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func engineSocket() check {
	r := rule.Rule{
		ID: "compose-engine-socket", Title: "A service mounts the socket of the container engine",
		Severity:   core.SeverityCritical,
		Why:        "Whoever can write to the socket starts containers with any rights: it is root on the host.",
		Fix:        "Take the mount away, or put a proxy between that lets only through what is needed.",
		References: []string{"CIS Docker 5.31", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, m := range s.mounts() {
				if known.EngineSocket(m.source) {
					report(s.hit(m.at, m.source, m.source))
				}
			}
		}
	}}
}
