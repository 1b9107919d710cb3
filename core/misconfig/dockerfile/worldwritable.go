package dockerfile

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func worldWritable() check {
	r := rule.Rule{
		ID: "dockerfile-world-writable", Title: "Everybody may write to files of the image", Severity: core.SeverityMedium,
		Why:        "A process that was broken into can replace programs and settings that others trust.",
		Fix:        "Give the files to the user that needs them (COPY --chown, chown), with a mode such as 750.",
		References: []string{"NIST SP 800-190 4.1.2"},
		Weaknesses: []string{"CWE-732"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.modes(shell.WorldWritable, report)
	}}
}
