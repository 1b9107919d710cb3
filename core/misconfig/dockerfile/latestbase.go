package dockerfile

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func latestBase() check {
	r := rule.Rule{
		ID: "dockerfile-latest-base", Title: "An image is taken in whatever version is the latest",
		Severity: core.SeverityMedium,
		Why: "Two builds of the same sources give different images, and nobody can say what was judged: the tag means " +
			"another " +
			"content tomorrow.",
		Fix: "Name a version, and best its digest: FROM name:1.2.3@sha256:…",
		References: []string{"CIS Docker 4.2", "NIST SP 800-190 " +
			"4.2.2", "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions"},
		Aliases: []string{"DL3006", "DL3007"}, Weaknesses: []string{"CWE-1357"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.images(func(image string, unknown bool, h rule.Hit) {
			if !unknown && known.ParseReference(image).Latest() {
				h.Detail = image
				report(h)
			}
		})
	}}
}
