package github

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func scriptInjection() check {
	r := rule.Rule{
		ID: "github-script-injection", Title: "A script takes in what strangers write", Severity: core.SeverityHigh,
		Why: "The expression is replaced before the shell sees the script: a title such as \"$(…)\" is " +
			"executed. With triggers that strangers start with the rights of the repository the finding is critical.",
		Fix:        "Give it to the script as a variable: env: {TITLE: ${{ … }}}, and write \"$TITLE\" in the script.",
		References: []string{"CWE-94", "https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, s := range f.steps {
			for _, script := range s.scripts() {
				for _, e := range expressions(script.Text()) {
					severity := f.untrusted(e)
					if severity == core.SeverityUnknown {
						continue
					}
					h := f.in(s, script, "${{"+e+"}}", strings.TrimSpace(e))
					h.Severity = severity
					report(h)
				}
			}
		}
	}}
}

// untrusted rates an expression by who writes what it stands for; unknown means that nobody else does.
func (f *file) untrusted(expression string) core.Severity {
	e := strings.ToLower(strings.Join(strings.Fields(expression), ""))
	worst := core.SeverityUnknown
	for _, word := range strings.FieldsFunc(e, func(r rune) bool { return strings.ContainsRune("()|&!=<>,'\"", r) }) {
		switch {
		case word == "github.head_ref" || strings.HasPrefix(word, "github.event.") && written(word) ||
			word == "github.event" && strings.Contains(e, "tojson"):
			if f.privileged() {
				return core.SeverityCritical
			}
			worst = max(worst, core.SeverityHigh)
		case strings.HasPrefix(word, "inputs.") || strings.HasPrefix(word, "github.event.inputs.") ||
			word == "github.ref_name" || word == "github.ref":
			worst = max(worst, core.SeverityMedium) // written by whoever calls, or may push
		}
	}
	return worst
}

// written reports whether a field of an event is free text, or a name that may hold any letters.
func written(field string) bool {
	if strings.HasPrefix(field, "github.event.inputs.") || strings.HasPrefix(field, "github.event.client_payload") {
		return strings.HasPrefix(field, "github.event.client_payload")
	}
	switch field[strings.LastIndexByte(field, '.')+1:] {
	case "title", "body", "ref", "label", "default_branch", "message", "name", "email", "page_name", "description",
		"head_branch", "display_title",
		"homepage", "head_ref", "tag_name":
		return !strings.HasSuffix(field, "repository.name") && !strings.HasSuffix(field, "repository.default_branch") &&
			!strings.HasSuffix(field, "label.name") && !strings.HasSuffix(field, "base.ref")
	}
	return false
}
