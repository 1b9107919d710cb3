package dockerfile

import (
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

func sudo() check {
	r := rule.Rule{
		ID: "dockerfile-sudo", Title: "sudo is used or installed", Severity: core.SeverityMedium,
		Why: "sudo in an image lets a process without rights get all of them back. In a build it is not needed: USER " +
			"changes the " +
			"user.",
		Fix: "Put USER root before the instruction and the other USER behind it, and do not install sudo.",
		References: []string{"CIS Docker 4.8", "NIST SP 800-190 " +
			"4.1.2", "https://docs.docker.com/build/building/best-practices/#user"},
		Aliases: []string{"DL3004"}, Weaknesses: []string{"CWE-250"},
	}
	return check{r, func(f *file, report func(rule.Hit)) {
		f.commands(func(st step, sc script, c shell.Command) {
			installs := installer(c.Plain()) != "" && slices.Contains(c.Args[1:], "sudo") && f.inFinal(st.stage)
			if c.Name() == "sudo" || installs {
				report(f.at(st, sc, c, ""))
			}
		})
	}}
}

// installer is the package manager of a command that installs; empty for other commands.
func installer(c shell.Command) string {
	switch c.Name() {
	case "apt-get", "apt", "yum", "dnf", "microdnf", "tdnf", "zypper":
		if c.Has("install", "in", "localinstall", "groupinstall", "reinstall") {
			return c.Name()
		}
	case "apk":
		if c.Has("add") {
			return "apk"
		}
	}
	return ""
}
