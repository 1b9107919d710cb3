package kubernetes

import (
	"encoding/base64"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func secretManifest() check {
	r := rule.Rule{
		ID: "kubernetes-secret-manifest", Title: "A Secret is kept in the sources with its values",
		Severity: core.SeverityMedium,
		Why:      "Base64 hides nothing: whoever reads the sources, or ever read them, has the values.",
		Fix: "Keep it outside (an operator for external secrets), or encrypted (SealedSecret, SOPS), and renew " +
			"what was published.",
		References: []string{"NIST SP 800-190 4.1.4", "https://kubernetes.io/docs/concepts/security/secrets-good-practices/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, o := range f.objects {
			if !o.is("", "Secret") || o.Node.Get("sops").Exists() {
				continue
			}
			for _, p := range append(o.Node.Get("data").Pairs(), o.Node.Get("stringData").Pairs()...) {
				value := p.Value.Text()
				if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && len(decoded) > 0 {
					value = string(decoded)
				}
				if value != "" && (known.Literal(value) || known.SecretValue(value)) {
					report(o.hit(p.Key, p.Key.Text()))
					break
				}
			}
		}
	}}
}
