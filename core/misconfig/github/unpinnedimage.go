package github

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unpinnedImage() check {
	r := rule.Rule{
		ID: "github-unpinned-image", Title: "A job runs in an image that is named by its tag", Severity: core.SeverityLow,
		Why: "The tag means another content tomorrow, and that is executed with your secrets. Without a version " +
			"the finding is medium.",
		Fix: "Add the digest: name:1.2.3@sha256:…",
		References: []string{"NIST SP 800-190 " +
			"4.2.2", "CWE-829", "https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		pin := func(at yamldoc.Node, image, where string) {
			ref := known.ParseReference(image)
			if image == "" || strings.Contains(image, "$") || ref.Pinned() || image == "Dockerfile" || strings.HasPrefix(image,
				"./") {
				return
			}
			h := f.hit(at, image, where, ref.Name)
			if ref.Latest() {
				h.Severity = core.SeverityMedium
			}
			report(h)
		}
		for _, j := range f.jobs {
			if c := j.Get("container"); c.IsScalar() {
				pin(c, c.Text(), j.name)
			} else {
				pin(c.Get("image"), c.Get("image").Text(), j.name)
			}
			for _, p := range j.Get("services").Pairs() {
				pin(p.Value.Get("image"), p.Value.Get("image").Text(), j.name)
			}
		}
		for _, s := range f.steps {
			if image, ok := strings.CutPrefix(s.Get("uses").Text(), "docker://"); ok {
				pin(s.Get("uses"), image, s.job)
			}
		}
		if image, ok := strings.CutPrefix(f.root.Get("runs", "image").Text(), "docker://"); ok {
			pin(f.root.Get("runs", "image"), image, "")
		}
	}}
}
