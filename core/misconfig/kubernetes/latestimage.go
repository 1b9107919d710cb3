package kubernetes

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func latestImage() check {
	r := rule.Rule{
		ID: "kubernetes-latest-image", Title: "A container runs whatever image is the latest", Severity: core.SeverityMedium,
		Why: "Two pods of the same manifest run different programs, and nobody can say what was judged.",
		Fix: "Name the image by a version, and best by the digest that was judged.",
		References: []string{"CIS Kubernetes 5.5.1", "NIST SP 800-190 4.2.2",
			"https://kubernetes.io/docs/concepts/containers/images/"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.each(func(w workload, c container) {
			image := c.Get("image")
			if text := image.Text(); text != "" && !strings.Contains(text, "$") && !strings.Contains(text, "://") &&
				known.ParseReference(text).Latest() {
				report(w.on(c, image, text))
			}
		})
	}}
}
