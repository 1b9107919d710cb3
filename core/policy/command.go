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
	safeName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	safeScoped = regexp.MustCompile(`^(?:@[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$`)
	safePath   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	// safeCoordinates are those of Maven.
	safeCoordinates = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._-]*$`)
	safeVersion     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+:~_-]*$`)
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

// change is one upgrade with what its command depends on.
type change struct {
	core.Upgrade
	// names are the packages to upgrade: the binary packages of a distribution's source package.
	names []string
	// file is the name of the file that decides the version, without its folders.
	file string
	// transitive is true if a lockfile says that the sources do not name the package themselves.
	transitive bool
}

// command returns the command that makes the upgrade, or nothing where none is known to be right and safe.
func (c change) command() string {
	if len(c.names) > maxNames || !fits(safeVersion, c.To) {
		return ""
	}
	if distribution(c.Ecosystem) {
		return distributionCommand(c.Upgrade, c.names)
	}
	if len(c.names) != 1 {
		return ""
	}
	return c.languageCommand(c.names[0])
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

func (c change) languageCommand(name string) string {
	switch family(c.Ecosystem) {
	case "Go":
		return goCommand(name, c.To)
	case "npm":
		return checked(safeScoped, name, c.npmCommand(name))
	case "PyPI":
		return checked(safeName, name, c.pythonCommand(name))
	case "crates.io":
		if !fits(safeVersion, c.From) {
			return ""
		}
		return checked(safeName, name, "cargo update -p "+name+"@"+c.From+" --precise "+c.To)
	case "RubyGems":
		return checked(safeName, name, "bundle update --conservative "+name)
	case "Packagist":
		return checked(safePath, name, "composer update "+name+" --with "+name+":^"+c.To)
	case "NuGet":
		if c.file == "packages.config" {
			return checked(safeName, name, "nuget update packages.config -Id "+name+" -Version "+c.To)
		}
		return checked(safeName, name, "dotnet add package "+name+" --version "+c.To)
	case "Maven":
		return checked(safeCoordinates, name, c.mavenCommand(name))
	}
	return ""
}

// npmCommand speaks to the package manager whose lockfile it is. What the sources do not name themselves is overridden
// for all that depend on it: an update stays within what they allow, which may not be enough.
//
//   - https://docs.npmjs.com/cli/v11/configuring-npm/package-json#overrides
//   - https://yarnpkg.com/configuration/manifest#resolutions
//   - https://pnpm.io/settings#overrides
func (c change) npmCommand(name string) string {
	install, override := "npm install", "overrides"
	switch c.file {
	case "yarn.lock":
		install, override = "yarn add", "resolutions"
	case "pnpm-lock.yaml":
		install, override = "pnpm add", "pnpm.overrides"
	case "bun.lock":
		install = "bun add"
	}
	if !c.transitive {
		return install + " " + name + "@" + c.To
	}
	tool, _, _ := strings.Cut(install, " ")
	return "npm pkg set '" + override + "[" + name + "]=" + c.To + "' && " + tool + " install"
}

// pythonCommand speaks to the tool whose lockfile it is.
func (c change) pythonCommand(name string) string {
	wanted := "'" + name + ">=" + c.To + "'"
	switch c.file {
	case "poetry.lock":
		if c.transitive {
			return "poetry update " + name
		}
		return "poetry add " + wanted
	case "uv.lock":
		return "uv lock --upgrade-package '" + name + "==" + c.To + "'"
	case "Pipfile.lock":
		if c.transitive {
			return "pipenv upgrade --lock-only " + wanted
		}
		return "pipenv upgrade " + wanted
	case "pdm.lock":
		return "pdm update " + name
	}
	return "pip install " + wanted
}

// mavenCommand edits the file that names the dependency. There is none for archives in an image.
//
// https://www.mojohaus.org/versions/versions-maven-plugin/use-dep-version-mojo.html
func (c change) mavenCommand(name string) string {
	switch {
	case c.file == "pom.xml" && !c.transitive:
		return "mvn versions:use-dep-version -Dincludes=" + name + " -DdepVersion=" + c.To
	case c.file == "gradle.lockfile":
		return "gradle dependencies --update-locks " + name
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
