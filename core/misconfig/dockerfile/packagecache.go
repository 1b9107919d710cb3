package dockerfile

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func packageCache() check {
	r := rule.Rule{
		ID: "dockerfile-package-cache", Title: "The package manager's cache stays in the image", Severity: core.SeverityLow,
		Why: "It makes the image larger by what nobody needs, and lists packages that are not installed.",
		Fix: "Clean up in the same RUN (rm -rf /var/lib/apt/lists/*, apk add --no-cache, dnf clean all), or use " +
			"--mount=type=cache.",
		References: []string{"CIS Docker 4.3", "https://docs.docker.com/build/building/best-practices/#apt-get"},
		Aliases:    []string{"DL3009", "DL3019", "DL3032", "DL3036", "DL3040"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		for _, st := range f.steps {
			if !f.inFinal(st.stage) || st.onbuild || cacheMounted(st) {
				continue
			}
			for _, sc := range st.scripts {
				told := map[string]bool{}
				for _, c := range sc.Commands {
					manager := installer(c.Plain())
					if manager != "" && !told[manager] && !cleans(sc, c.Plain(), manager) {
						told[manager] = true
						report(f.at(st, sc, c, manager))
					}
				}
			}
		}
	}}
}

func cacheMounted(st step) bool {
	run, ok := st.command.(*instructions.RunCommand)
	if !ok {
		return false
	}
	for _, m := range instructions.GetMounts(run) {
		if (m.Type == instructions.MountTypeCache || m.Type == instructions.MountTypeTmpfs) && strings.HasPrefix(m.Target,
			"/var/") {
			return true
		}
	}
	return false
}

// cleans reports whether the script removes what a manager left, or the command leaves nothing.
func cleans(sc script, install shell.Command, manager string) bool {
	if manager == "apk" && install.Has("--no-cache") {
		return true
	}
	for _, c := range sc.Commands {
		p := c.Plain()
		text := p.String()
		switch {
		case p.Name() == "rm" && (manager == "apt" || manager == "apt-get") && strings.Contains(text, "/var/lib/apt"):
			return true
		case p.Name() == "rm" && manager == "apk" && strings.Contains(text, "/var/cache/apk"):
			return true
		case p.Name() == "rm" && strings.Contains(text, "/var/cache/"+strings.TrimPrefix(manager, "micro")):
			return true
		case manager != "apk" && manager != "apt" && manager != "apt-get" && p.Has("clean", "cc"):
			return true
		}
	}
	return false
}
