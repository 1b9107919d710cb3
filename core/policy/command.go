package policy

import (
	"regexp"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
)

// Names and versions come from images that strangers made, and a person will paste the command into a shell. So a
// command is only made of names and versions in these forms, which no shell and no option parser reads as anything
// else, and is left out otherwise. Their length is checked apart: a counted repetition costs milliseconds at the start of
// every run.
var (
	safeName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	safeScoped  = regexp.MustCompile(`^(?:@[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$`)
	safePath    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	safeVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+:~_-]*$`)
)

// distribution reports whether the packages of an OSV ecosystem are installed by an operating system's package manager.
func distribution(ecosystem string) bool {
	return ecosystem != "" && (distro.Packs(ecosystem, "deb") || distro.Packs(ecosystem, "apk") || distro.Packs(ecosystem, "rpm"))
}

func family(ecosystem string) string {
	name, _, _ := strings.Cut(ecosystem, ":")
	return name
}

// maxNames is how many package names a command lists, and maxName how long each may be.
const (
	maxNames = 12
	maxName  = 200
)

// command returns the command that makes the upgrade, or nothing where none is known to be right and safe. names are
// the packages to upgrade: the binary packages of a distribution's source package.
func command(u core.Upgrade, names []string) string {
	if len(names) > maxNames || !fits(safeVersion, u.To) {
		return ""
	}
	if distribution(u.Ecosystem) {
		return distributionCommand(u, names)
	}
	if len(names) != 1 {
		return ""
	}
	return languageCommand(u, names[0])
}

func distributionCommand(u core.Upgrade, names []string) string {
	for _, name := range names {
		if !fits(safeName, name) {
			return ""
		}
	}
	list := strings.Join(names, " ")
	switch name := family(u.Ecosystem); {
	case name == "Docker Hardened Images": // have no package manager
		return ""
	case distro.Packs(u.Ecosystem, "deb"):
		return "apt-get update && apt-get install --only-upgrade -y " + list
	case distro.Packs(u.Ecosystem, "apk"):
		wanted := make([]string, len(names))
		for i, name := range names {
			wanted[i] = "'" + name + ">=" + u.To + "'"
		}
		return "apk add " + strings.Join(wanted, " ")
	case name == "openSUSE", name == "SUSE":
		return "zypper update -y " + list
	case name == "Azure Linux", name == "Photon OS":
		return "tdnf update -y " + list
	}
	return "dnf upgrade -y " + list
}

func languageCommand(u core.Upgrade, name string) string {
	switch family(u.Ecosystem) {
	case "Go":
		return goCommand(name, u.To)
	case "npm":
		return checked(safeScoped, name, "npm install "+name+"@"+u.To)
	case "PyPI":
		return checked(safeName, name, "pip install '"+name+">="+u.To+"'")
	case "crates.io":
		if !fits(safeVersion, u.From) {
			return ""
		}
		return checked(safeName, name, "cargo update -p "+name+"@"+u.From+" --precise "+u.To)
	case "RubyGems":
		return checked(safeName, name, "bundle update --conservative "+name)
	case "Packagist":
		return checked(safePath, name, "composer update "+name+" --with "+name+":^"+u.To)
	case "NuGet":
		return checked(safeName, name, "dotnet add package "+name+" --version "+u.To)
	}
	return ""
}

// goCommand upgrades a module; the standard library is upgraded with the toolchain.
func goCommand(module, version string) string {
	version = strings.TrimPrefix(version, "v")
	if module == "stdlib" || module == "toolchain" {
		return "go get toolchain@go" + version
	}
	return checked(safePath, module, "go get "+module+"@v"+version)
}

func checked(form *regexp.Regexp, name, command string) string {
	if !fits(form, name) {
		return ""
	}
	return command
}

func fits(form *regexp.Regexp, s string) bool { return len(s) <= maxName && form.MatchString(s) }
