package imageconfig

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretVariable() check {
	r := rule.Rule{
		ID: "image-secret-variable", Title: "A secret is in the image's configuration", Severity: core.SeverityHigh,
		Why: "Whoever can pull the image reads its variables, and the arguments of its build in its history.",
		Fix: "Build with RUN --mount=type=secret, give the variable to the container when it starts, and renew " +
			"what was published.",
		References: []string{"CIS Docker 4.10", "NIST SP 800-190 4.1.4"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		look := func(kind, pair string) {
			name, value, _ := strings.Cut(pair, "=")
			if known.SecretValue(value) || known.SecretName(name) && known.Literal(value) {
				report(rule.Hit{Detail: kind + " " + name, Object: []string{kind, name}})
			}
		}
		for _, e := range f.Env {
			look("variable", e)
		}
		for _, s := range f.steps {
			for _, a := range s.args {
				look("build argument", a)
			}
		}
	}}
}
