package dockerfile

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func unpinnedBase() check {
	r := rule.Rule{
		ID: "dockerfile-unpinned-base", Title: "An image is taken by its tag, not by its digest", Severity: core.SeverityLow,
		Why: "A tag can be pushed again, by its owner or by whoever took over the account: the next build takes the new " +
			"content " +
			"without anybody having seen it.",
		Fix: "Add the digest: FROM name:1.2.3@sha256:…, and let a bot renew it.",
		References: []string{"CIS Docker 4.2", "NIST SP 800-190 " +
			"4.2.2", "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions"},
		Weaknesses: []string{"CWE-1357"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.images(func(image string, unknown bool, h rule.Hit) {
			switch ref := known.ParseReference(image); {
			case ref.Pinned():
			case unknown:
				h.Detail = "the argument in " + image + " has no default"
				report(h)
			case !ref.Latest():
				h.Detail = image
				report(h)
			}
		})
	}}
}
