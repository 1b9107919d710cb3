package misconfig

import (
	"fmt"
	"strings"
)

// documentation is the page about all rules.
func documentation() string {
	var b strings.Builder
	b.WriteString(`# Misconfigurations

<!-- Written by go test ./core/misconfig -update. Change the rules, not this page. -->

Cleanbill examines the files of a source tree that images are built and run by, and the images themselves. Every rule
has an id that never changes: policies (` + "`finding.rule`" + `), waivers, baselines and ignore comments name it. The severity
is what a finding has unless the text says otherwise; what it is worth is decided by policy.

## Ignoring a finding

A comment on the line of the finding, on the line above it, or above the instruction or object that holds it:

` + "```" + `dockerfile
# cleanbill:ignore dockerfile-root-user the entry point drops its rights itself
USER root
` + "```" + `

Several rules are divided by commas. A comment without a reason, or for a rule that does not exist, has no effect and is
told as a finding of its own. In Dockerfiles ` + "`# hadolint ignore=DL3002`" + ` and ` + "`# hadolint global ignore=DL3002`" + ` are understood
for the rules that name an id of Hadolint below; the comment above is the reason. JSON has no comments. Whether a comment
counts is decided by policy: on a pull request those that the base does not have do not.

## What is not examined

Files below ` + "`node_modules`" + ` are left out. Templates of Helm charts are no manifests before they are rendered: each chart is
told as a gap of the examination ` + "`helm-charts`" + `. Examine the output of ` + "`helm template`" + ` like every manifest, and say so in
the policy: ` + "`accept: [{examination: helm-charts, reason: the pipeline examines what they render to}]`" + `. A file that surely
is of a kind below and cannot be read is a gap as well; YAML that merely looks odd is not. Of images the files below are not
examined, because they are not what the image was built by. Directories that everybody may write to are not told, only files.
`)
	for _, f := range Families() {
		fmt.Fprintf(&b, "\n## %s\n\nFiles: %s.\n", f.Name, f.About)
		for _, r := range f.Rules {
			fmt.Fprintf(&b, "\n### %s\n\n**%s** (%s). %s\n\n*Fix:* %s\n", r.ID, r.Title, r.Severity, r.Why, r.Fix)
			refs := append([]string(nil), r.Aliases...)
			for i := range refs {
				refs[i] = "Hadolint " + refs[i]
			}
			refs = append(append(refs, r.References...), r.Weaknesses...)
			for i, ref := range refs {
				if strings.HasPrefix(ref, "https://") {
					refs[i] = "<" + ref + ">"
				}
			}
			if len(refs) > 0 {
				fmt.Fprintf(&b, "\n*References:* %s\n", strings.Join(refs, "; "))
			}
		}
	}
	return b.String()
}
