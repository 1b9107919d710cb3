package tekton

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func privileged() check {
	r := rule.Rule{
		ID: "tekton-privileged", Title: "A step is privileged", Severity: core.SeverityHigh,
		Why: "The step is root on the node of the cluster, beside everything else there.",
		Fix: "Take privileged away; build images without it (buildah with chroot isolation, kaniko, BuildKit " +
			"without root).",
		References: []string{"CIS Kubernetes 5.2.2", "NIST SP 800-190 4.4.3", "Pod Security Standards: baseline"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(sp spec, st step) {
			if at := st.Get("securityContext", "privileged"); at.Is("true") {
				report(f.hit(sp, st, at, ""))
			}
		})
	}}
}
