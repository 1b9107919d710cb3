package tekton

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func unpinnedImage() check {
	r := rule.Rule{
		ID: "tekton-unpinned-image", Title: "A step runs in an image that is named by its tag", Severity: core.SeverityLow,
		Why: "The tag means another content tomorrow, and that is executed with your secrets. Without a version " +
			"the finding is medium.",
		Fix:        "Add the digest: name:1.2.3@sha256:…",
		References: []string{"NIST SP 800-190 4.2.2", "CIS Kubernetes 5.5.1"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(sp spec, st step) {
			at := st.Get("image")
			ref := known.ParseReference(at.Text())
			if at.Text() == "" || strings.Contains(at.Text(), "$(") || strings.Contains(at.Text(), "://") || ref.Pinned() {
				return
			}
			h := f.hit(sp, st, at, at.Text(), ref.Name)
			if ref.Latest() {
				h.Severity = core.SeverityMedium
			}
			report(h)
		})
	}}
}
