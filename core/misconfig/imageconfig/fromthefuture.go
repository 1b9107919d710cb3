package imageconfig

import (
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func fromTheFuture() check {
	r := rule.Rule{
		ID: "image-from-the-future", Title: "The image was created in the future", Severity: core.SeverityMedium,
		Why: "The clock of the builder was wrong, or somebody wrote the date: what it says of the image's age " +
			"means nothing.",
		Fix:        "Set the clock of the builder, or SOURCE_DATE_EPOCH to the time of the commit.",
		References: []string{"NIST SP 800-190 4.1.1", "https://reproducible-builds.org/specs/source-date-epoch/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		if f.Facts.Created.After(f.Now.Add(24 * time.Hour)) {
			report(rule.Hit{Detail: f.Facts.Created.UTC().Format(time.DateOnly)})
		}
	}}
}
