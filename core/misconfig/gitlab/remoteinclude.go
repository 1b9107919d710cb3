package gitlab

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func remoteInclude() check {
	r := rule.Rule{
		ID: "gitlab-remote-include", Title: "A pipeline includes a file from the network", Severity: core.SeverityMedium,
		Why: "What the address serves when the pipeline starts is executed with its secrets. Over http anybody on " +
			"the way decides what that is (then the finding is high).",
		Fix:        "Include it from a project by commit, or add integrity: sha256-… to the include.",
		References: []string{"CWE-829", "https://docs.gitlab.com/ci/yaml/#includeremote"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.includes(func(n yamldoc.Node) {
			remote := n.Get("remote")
			if n.IsScalar() && strings.Contains(n.Text(), "://") {
				remote = n
			}
			if remote.Exists() && !n.Get("integrity").Exists() {
				h := f.hit(remote, redact.Reference(remote.Text()), remote.Text())
				if strings.HasPrefix(remote.Text(), "http://") {
					h.Severity = core.SeverityHigh
				}
				report(h)
			}
		})
	}}
}

// includes calls visit for every include.
func (f *file) includes(visit func(yamldoc.Node)) {
	for _, doc := range f.roots {
		n := doc.Get("include")
		if n.IsMap() || n.IsScalar() && !n.IsNull() {
			visit(n)
		}
		for _, item := range n.Items() {
			visit(item)
		}
	}
}
