package vuln

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// sameModule reports whether an advisory that fixes a package in some versions can be about the package installed, as
// far as module streams go: a package of one stream says nothing of those of others, nor of those that are in none. It
// is not sure where it is not known what stream one of them is of. That a version is of a module is known by its build:
// a label alone, which the author of a document may have made up, hides no flaw.
//
// Streams are written "nodejs:12". An advisory may be for several, "virt:rhel,virt-devel:rhel".
//
// https://docs.fedoraproject.org/en-US/modularity/
func sameModule(installed, about, installedVersion string, fixedVersions []string) (match, sure bool) {
	modular, theirs := advisory.IsModular(installedVersion), slices.ContainsFunc(fixedVersions, advisory.IsModular)
	if len(fixedVersions) == 0 {
		theirs = modular || about != "" // it names no build, so that it may be of any
	}
	switch {
	case !theirs:
		return !modular, true
	case !modular && installed == "":
		return false, true
	case installed == "" || about == "":
		return true, false
	}
	name, _, _ := strings.Cut(installed, ":")
	streams := 0
	for stream := range strings.SplitSeq(about, ",") {
		match = match || stream == installed
		if strings.HasPrefix(stream, name+":") {
			streams++
		}
	}
	return match, !match || streams == 1 // which of a module's streams a package's fix is for is not said
}

// hasModules reports whether a family's packages may be of module streams.
func hasModules(family string) bool { return statesEpochs(family) }

// moduleBuild is what the build of a module adds to a release: the platform, a count and a hash. They differ between
// architectures, and an advisory has those of one. Parts that did not change are listed with the builds of older ones.
var moduleBuild = regexp.MustCompile(`\.module[+_]el[0-9][^+]*\+[0-9]+\+[0-9a-f]+`)

func withoutBuild(version string) string {
	if !strings.Contains(version, ".module") {
		return version
	}
	return moduleBuild.ReplaceAllString(version, ".module")
}

// withoutBuilds is the advisory with its versions written as withoutBuild does.
func withoutBuilds(a advisory.Affected) advisory.Affected {
	if !hasModules(advisory.Family(a.Ecosystem)) || !slices.ContainsFunc(versionsOf(a), advisory.IsModular) {
		return a
	}
	a.Versions, a.Ranges = slices.Clone(a.Versions), slices.Clone(a.Ranges)
	for i, v := range a.Versions {
		a.Versions[i] = withoutBuild(v)
	}
	for i := range a.Ranges {
		a.Ranges[i].Events = slices.Clone(a.Ranges[i].Events)
		for j := range a.Ranges[i].Events {
			a.Ranges[i].Events[j].Version = withoutBuild(a.Ranges[i].Events[j].Version)
		}
	}
	return a
}
