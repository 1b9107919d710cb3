package imageconfig

import (
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func curlPipeShell() check {
	r := rule.Rule{
		ID: "image-curl-pipe-shell", Title: "A download was executed unseen when the image was built",
		Severity:   core.SeverityHigh,
		Why:        "Nothing says what was executed, and what it left in the image.",
		Fix:        "Download a fixed version, verify its checksum, and only then execute it.",
		References: []string{"CIS Docker 4.4", "NIST SP 800-190 4.1.4"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.steps {
			if s.script == nil {
				continue
			}
			for _, c := range s.script.Unverified() {
				report(rule.Hit{Detail: fmt.Sprintf("%s, in layer %d of %d", c.Plain().Name(), s.layer+1, len(f.steps)),
					Object: []string{c.String()}})
				break
			}
		}
	}}
}
