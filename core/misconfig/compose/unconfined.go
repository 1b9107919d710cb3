package compose

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func unconfined() check {
	r := rule.Rule{
		ID: "compose-unconfined", Title: "A service switches a protection of the kernel off", Severity: core.SeverityMedium,
		Why:        "Seccomp, AppArmor and SELinux are what is between a broken container and its host.",
		Fix:        "Take the option away, or name a profile.",
		References: []string{"CIS Docker 5.2, 5.3, 5.22", "NIST SP 800-190 4.4.3"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			for _, o := range s.Get("security_opt").Items() {
				option := strings.ReplaceAll(strings.ToLower(o.Text()), "=", ":")
				if strings.HasSuffix(option, ":unconfined") || strings.HasSuffix(option, "label:disable") ||
					option == "no-new-privileges:false" {
					report(s.hit(o, o.Text(), option))
				}
			}
		}
	}}
}
