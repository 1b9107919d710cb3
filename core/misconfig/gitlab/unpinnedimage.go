package gitlab

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unpinnedImage() check {
	r := rule.Rule{
		ID: "gitlab-unpinned-image", Title: "A job runs in an image that is named by its tag", Severity: core.SeverityLow,
		Why: "The tag means another content tomorrow, and that is executed with your secrets. Without a version " +
			"the finding is medium.",
		Fix:        "Add the digest: name:1.2.3@sha256:…",
		References: []string{"NIST SP 800-190 4.2.2", "CWE-829"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		pin := func(n yamldoc.Node, where string) {
			if n.IsMap() {
				n = n.Get("name")
			}
			image := n.Text()
			ref := known.ParseReference(image)
			if image == "" || strings.Contains(image, "$") || ref.Pinned() {
				return
			}
			h := f.hit(n, image, where, ref.Name)
			if ref.Latest() {
				h.Severity = core.SeverityMedium
			}
			report(h)
		}
		look := func(n yamldoc.Node, where string) {
			pin(n.Get("image"), where)
			for _, s := range n.Get("services").Items() {
				pin(s, where)
			}
		}
		for _, doc := range f.roots {
			look(doc, "")
		}
		for _, j := range f.jobs {
			if j.name != "image" {
				look(j.Node, j.name)
			}
		}
	}}
}
