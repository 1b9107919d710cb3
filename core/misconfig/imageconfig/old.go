package imageconfig

import (
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func old() check {
	r := rule.Rule{
		ID: "image-old", Title: "The image was built long ago", Severity: core.SeverityLow,
		Why: "What was fixed since then is not in it. Dates before 1990 are those of reproducible builds, and say " +
			"nothing.",
		Fix:        "Build it again from a current base; once a month is a good habit.",
		References: []string{"NIST SP 800-190 4.1.1", "CIS Docker 4.4"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		const age = 180 * 24 * time.Hour
		if created := f.Facts.Created; created.Year() >= 1990 && f.Now.Sub(created) > age {
			report(rule.Hit{Detail: "on " + created.UTC().Format(time.DateOnly)})
		}
	}}
}
