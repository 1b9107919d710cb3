package gitlab

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func unpinnedInclude() check {
	r := rule.Rule{
		ID: "gitlab-unpinned-include", Title: "A pipeline includes what can change without you", Severity: core.SeverityLow,
		Why: "A branch, ~latest or a part of a version means another content tomorrow, which is executed with " +
			"your secrets.",
		Fix:        "Name a full version or a commit: @1.2.3, ref: 0123…",
		References: []string{"CWE-829", "https://docs.gitlab.com/ci/components/#component-versions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.includes(func(n yamldoc.Node) {
			if component := n.Get("component"); component.Exists() {
				name, version, _ := strings.Cut(component.Text(), "@")
				if !pinned(version) {
					report(f.hit(component, component.Text(), name))
				}
			}
			if project := n.Get("project"); project.Exists() && !pinned(n.Get("ref").Text()) {
				at := n.Get("ref")
				if !at.Exists() {
					at = project
				}
				report(f.hit(at, project.Text(), project.Text(), strings.Join(n.Get("file").Texts(), ",")))
			}
		})
	}}
}

// pinned reports whether a version is a whole one, a commit, or a variable that decides.
func pinned(version string) bool {
	if strings.HasPrefix(version, "$") || len(version) == 40 && strings.Trim(version, "0123456789abcdef") == "" {
		return true
	}
	digits := strings.TrimPrefix(version, "v")
	return strings.Count(digits, ".") >= 2 && digits[0] >= '0' && digits[0] <= '9'
}
