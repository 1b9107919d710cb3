package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func writableSecret() check {
	r := rule.Rule{
		ID: "kubernetes-writable-secret-mount", Title: "A Secret is mounted writable", Severity: core.SeverityLow,
		Why: "Kubernetes mounts secrets read-only today, but the manifest says otherwise, and other runtimes take " +
			"it at its word.",
		Fix:        "Set readOnly: true on the mount.",
		References: []string{"CIS Docker 5.13", "https://kubernetes.io/docs/concepts/configuration/secret/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, w := range f.workloads {
			secret := map[string]bool{}
			for _, v := range w.spec.Get("volumes").Items() {
				if v.Get("secret").Exists() {
					secret[v.Get("name").Text()] = true
				}
			}
			for _, c := range w.containers {
				for _, m := range c.Get("volumeMounts").Items() {
					if name := m.Get("name").Text(); secret[name] && !m.Get("readOnly").Is("true") {
						report(w.on(c, m, name, name))
					}
				}
			}
		}
	}}
}
