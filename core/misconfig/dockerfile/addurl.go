package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
)

func addURL() check {
	r := rule.Rule{
		ID: "dockerfile-add-url", Title: "ADD downloads without a checksum", Severity: core.SeverityMedium,
		Why: "What the address serves on the day of the build becomes part of the image, whoever put it there.",
		Fix: "Write ADD --checksum=sha256:… for files, and #COMMIT behind the address of a Git repository.",
		References: []string{"CIS Docker 4.9", "NIST SP 800-190 " +
			"4.1.4", "https://docs.docker.com/reference/dockerfile/#add---checksum"},
		Aliases: []string{"DL3020"}, Weaknesses: []string{"CWE-494"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			add, ok := st.command.(*instructions.AddCommand)
			if !ok || add.Checksum != "" {
				continue
			}
			for _, source := range add.SourcePaths {
				if isRemote(expand(source, st.env)) {
					report(f.hit(st, source, redact.Reference(source)))
				}
			}
		}
	}}
}

// isRemote reports whether ADD takes a source from the network, other than a commit of a Git repository.
func isRemote(source string) bool {
	git := strings.HasPrefix(source, "git@") || strings.HasPrefix(source, "git://") || strings.HasPrefix(source,
		"ssh://") ||
		strings.Contains(source, ".git#") || strings.HasSuffix(source, ".git")
	if git {
		_, fragment, _ := strings.Cut(source, "#")
		commit, _, _ := strings.Cut(fragment, ":")
		return len(commit) != 40 || strings.Trim(commit, "0123456789abcdef") != ""
	}
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}
