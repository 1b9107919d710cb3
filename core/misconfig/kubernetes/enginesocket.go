package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func engineSocket() check {
	r := rule.Rule{
		ID: "kubernetes-engine-socket", Title: "A pod mounts the socket of the container engine",
		Severity: core.SeverityCritical,
		Why:      "Whoever can write to the socket starts containers on the node with any rights: it is root on the node.",
		Fix:      "Take the mount away; build images without the node's engine (BuildKit without root, kaniko).",
		References: []string{"CIS Docker 5.31", "NIST SP 800-190 " +
			"4.4.3", "https://kubernetes.io/docs/concepts/security/pod-security-standards/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, w := range f.workloads {
			for _, v := range w.spec.Get("volumes").Items() {
				if at := v.Get("hostPath", "path"); known.EngineSocket(at.Text()) {
					report(w.hit(at, at.Text(), v.Get("name").Text()))
				}
			}
		}
	}}
}
