package gitlab

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func scriptInjection() check {
	r := rule.Rule{
		ID: "gitlab-script-injection", Title: "A script executes what strangers write", Severity: core.SeverityHigh,
		Why: "Titles, messages and names of branches are free text. Where eval or sh -c reads them again, " +
			"\"$(…)\" in them is executed. Without quotes they become several words, options among them (then the finding " +
			"is medium).",
		Fix:        "Write \"$NAME\" in quotes, and never in eval, sh -c or ssh.",
		References: []string{"CWE-94", "https://docs.gitlab.com/ci/variables/#cicd-variable-security"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, l := range f.lines() {
			text := l.at.Text()
			if at := strings.Index(text, "$[["); at >= 0 {
				h := f.in(l, text[at:][:min(len(text)-at, 40)], "an input is put into the text of the script")
				h.Severity = core.SeverityMedium
				report(h)
			}
			script, err := shell.Parse(strings.ReplaceAll(text, "$[[", "__["))
			if err != nil {
				continue // an entry may be a part of a command, or for another shell
			}
			for _, use := range script.Uses {
				if !slices.Contains(freeText(), use.Name) {
					continue
				}
				again := slices.ContainsFunc(script.Commands, func(c shell.Command) bool {
					name := c.Plain().Name()
					return (name == "eval" || name == "ssh" || (name == "sh" || name == "bash") && c.Has("-c")) &&
						strings.Contains(c.String(), "$"+use.Name)
				})
				if again || !use.Quoted {
					h := f.in(l, use.Name, "$"+use.Name)
					if !again {
						h.Severity = core.SeverityMedium
					}
					report(h)
				}
			}
		}
	}}
}

// freeText are the variables whose value anybody may write who can open a merge request or push a branch.
//
// https://docs.gitlab.com/ci/variables/predefined_variables/
func freeText() []string {
	return []string{
		"CI_MERGE_REQUEST_TITLE", "CI_MERGE_REQUEST_DESCRIPTION", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
		"CI_MERGE_REQUEST_LABELS",
		"CI_COMMIT_MESSAGE", "CI_COMMIT_TITLE", "CI_COMMIT_DESCRIPTION", "CI_COMMIT_REF_NAME", "CI_COMMIT_BRANCH",
		"CI_COMMIT_TAG_MESSAGE",
		"CI_COMMIT_AUTHOR", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME", "GITLAB_USER_NAME", "CI_COMMIT_TAG",
	}
}
