package gitlab

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func secretVariable() check {
	r := rule.Rule{
		ID: "gitlab-secret-variable", Title: "A secret stands in the pipeline as a variable", Severity: core.SeverityHigh,
		Why: "Whoever can read the sources or their history has the secret.",
		Fix: "Keep it in the CI/CD settings, masked and protected, or in a secrets manager, and renew what was " +
			"published.",
		References: []string{"CWE-798", "https://docs.gitlab.com/ci/variables/#cicd-variable-security"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		look := func(n yamldoc.Node, where string) {
			for _, p := range n.Get("variables").Pairs() {
				value := p.Value
				if value.IsMap() {
					value = value.Get("value")
				}
				if known.SecretValue(value.Text()) || known.SecretName(p.Key.Text()) && known.Literal(value.Text()) {
					report(f.hit(p.Key, p.Key.Text(), where, p.Key.Text()))
				}
			}
		}
		for _, doc := range f.roots {
			look(doc, "")
		}
		for _, j := range f.jobs {
			look(j.Node, j.name)
		}
	}}
}
