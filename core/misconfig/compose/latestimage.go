package compose

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func latestImage() check {
	r := rule.Rule{
		ID: "compose-latest-image", Title: "A service runs whatever image is the latest", Severity: core.SeverityLow,
		Why:        "The next start runs another program, and nobody can say what was judged.",
		Fix:        "Name the image by a version, and best by its digest.",
		References: []string{"CIS Docker 5.27", "NIST SP 800-190 4.2.2"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.services {
			image := s.Get("image")
			if text := image.Text(); text != "" && !strings.Contains(text, "$") && !s.Get("build").Exists() &&
				known.ParseReference(text).Latest() {
				report(s.hit(image, text))
			}
		}
	}}
}
