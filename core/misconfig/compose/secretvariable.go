package compose

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretVariable() check {
	r := rule.Rule{
		ID: "compose-secret-variable", Title: "A secret stands in the file as a variable", Severity: core.SeverityMedium,
		Why: "Whoever can read the file or its history has the secret.",
		Fix: "Use secrets, or a variable of the shell (${NAME}), and renew what was published.",
		References: []string{"CIS Docker 4.10", "NIST SP 800-190 " +
			"4.1.4", "https://docs.docker.com/compose/how-tos/use-secrets/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, p := range s.variables() {
				if value := p.Value.Text(); known.SecretValue(value) || known.SecretName(p.Key.Text()) && known.Literal(value) {
					report(s.hit(p.Key, p.Key.Text(), p.Key.Text()))
				}
			}
			for _, item := range s.Get("environment").Items() {
				name, value, _ := strings.Cut(item.Text(), "=")
				if known.SecretValue(value) || known.SecretName(name) && known.Literal(value) {
					report(s.hit(item, name, name))
				}
			}
		}
	}}
}
