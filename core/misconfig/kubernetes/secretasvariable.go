package kubernetes

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretAsVariable() check {
	r := rule.Rule{
		ID: "kubernetes-secret-as-variable", Title: "A Secret is passed as a variable", Severity: core.SeverityLow,
		Why: "Variables show in crash reports and logs, and go to every program that the container starts; files " +
			"do not.",
		Fix:        "Mount the Secret as a volume.",
		References: []string{"CIS Kubernetes 5.4.1", "https://kubernetes.io/docs/concepts/security/secrets-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(w workload, c container) {
			for _, e := range c.Get("env").Items() {
				if ref := e.Get("valueFrom").Key("secretKeyRef"); ref.Exists() {
					report(w.on(c, ref, e.Get("name").Text(), e.Get("name").Text()))
					return // one for each container says it
				}
			}
			for _, e := range c.Get("envFrom").Items() {
				if ref := e.Key("secretRef"); ref.Exists() {
					report(w.on(c, ref, "all keys of "+e.Get("secretRef", "name").Text(), e.Get("secretRef", "name").Text()))
					return
				}
			}
		})
	}}
}
