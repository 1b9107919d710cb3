package tekton

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func hostPath() check {
	r := rule.Rule{
		ID: "tekton-host-path", Title: "A task mounts a path of its node", Severity: core.SeverityHigh,
		Why: "What is written there outlives the task and is read by the node. The socket of the container engine " +
			"is as good as root (then the finding is critical).",
		Fix:        "Use a workspace or an emptyDir.",
		References: []string{"CIS Kubernetes 5.2.11", "NIST SP 800-190 4.4.3", "Pod Security Standards: baseline"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, sp := range f.specs {
			for _, v := range sp.Get("volumes").Items() {
				if at := v.Get("hostPath", "path"); at.Exists() {
					h := f.hit(sp, step{name: v.Get("name").Text(), list: "volumes"}, at, at.Text())
					h.Detail, h.Start = at.Text(), v.Line()
					if known.EngineSocket(at.Text()) {
						h.Severity = core.SeverityCritical
					}
					report(h)
				}
			}
		}
	}}
}
