package vuln

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// NamesSources reports whether the advisories of an ecosystem name what packages are built from, and nothing else.
func NamesSources(ecosystem string) bool { return namingOf(advisory.Family(ecosystem)) == namesSource }

// lookup is a name under which advisories may know a package.
type lookup struct {
	ecosystem     string
	name, version string
	match         core.Match
	// epochless says that the version lacks the epoch that it may have: a file's name is all that says what an rpm was
	// built from, and epochs are not in it.
	epochless bool
	// unsure says that the advisories may be about another build of the package.
	unsure bool
}

// naming says which packages the records of a distribution name.
type naming int

const (
	namesBoth   naming = iota // or it is not known
	namesSource               // those that are built from
	namesBinary               // those that are installed
)

// namingOf is what the records themselves do; the schema says "source" of some that name what is installed.
//
//   - AlmaLinux: "openssl-libs", https://github.com/AlmaLinux/osv-database
//   - Red Hat: "iwl100-firmware", and the source as well, https://security.access.redhat.com/data/osv
//   - Rocky Linux: only what is built from, apollo/server/routes/api_osv.py of https://github.com/resf/distro-tools
//   - SUSE, openSUSE: the source, and what is built from it elsewhere ("binaries")
//   - openEuler, Mageia, Azure Linux: "dnsmasq", "microcode", "zlib"
//   - Alpaquita, BellSoft: "arch=source", https://github.com/bell-sw/osv-database
//   - Chainguard, Wolfi, MinimOS: "nri-memcached" and its "nri-memcached-compat", "openjdk-19-jre-base"; but not always
//     all that is built from one
//   - Docker Hardened Images, CleanStart, Photon OS: "the name of the package", with examples where both are one
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func namingOf(family string) naming {
	switch family {
	case "Alpaquita", "Alpine", "Azure Linux", "BellSoft Hardened Containers", "Debian", "Echo", "Mageia", "openEuler",
		"openSUSE", "Rocky Linux", "SUSE", "Ubuntu":
		return namesSource
	case "AlmaLinux", "Red Hat":
		return namesBinary
	}
	return namesBoth
}

// lookups returns what to look up for a package: its names, in each table that may be about it.
func lookups(p *core.Package, ecosystem string, tables []string) []lookup {
	var list []lookup
	for _, table := range tables {
		family := advisory.Family(table)
		lineage := family != advisory.Family(ecosystem)
		if lineage && strings.Contains(p.Version, hardenedBuild) {
			continue
		}
		for _, l := range names(p, family) {
			l.ecosystem, l.unsure = table, lineage
			list = append(list, l)
		}
	}
	return list
}

// hardenedBuild marks Docker's own builds of Debian's packages. Others in a hardened image may be Debian's.
//
// https://github.com/docker-hardened-images/advisories/tree/main/integration/upcoming-id-dhi
const hardenedBuild = "+dhi"

// names returns the names and versions under which the advisories of a family may know a package. A binary package may
// have the name of another's source, so that only those are asked for that the records have.
func names(p *core.Package, family string) []lookup {
	binary := lookup{name: p.Name, version: p.Version, match: core.MatchExact}
	of := namingOf(family)
	if p.Source == nil || p.Source.Name == "" || of == namesBinary || !advisory.IsDistribution(family) {
		return []lookup{binary}
	}
	source := sourceOf(p, family)
	switch {
	case source.name == p.Name:
		source.match = core.MatchExact
		return []lookup{source}
	case of == namesSource:
		return []lookup{source}
	}
	return []lookup{binary, source}
}

// sourceOf is the source package of a package, as advisories know it.
func sourceOf(p *core.Package, family string) lookup {
	l := lookup{name: p.Source.Name, version: p.Source.Version, match: core.MatchSource}
	if l.version == "" {
		l.version = p.Version
	}
	if epoch, version := cutEpoch(l.version); isRPM(family) && epoch == "" {
		if _, binary := cutEpoch(p.Version); version == binary {
			l.version = p.Version
		} else {
			l.epochless = true // a part with a version of its own has an epoch of its own
		}
	}
	return unsigned(l, p.Version, family)
}

var signedKernel = regexp.MustCompile(`^linux-signed(-.+?)??(?:-amd64|-arm64|-i386)?$`)

// unsigned takes a kernel that was signed for that which was: advisories are about it. Debian's signed sources have
// versions of their own, but what is built from them has the kernel's.
//
// https://wiki.debian.org/SecureBoot#Signing_process
func unsigned(l lookup, binary, family string) lookup {
	if family != "Debian" && family != "Ubuntu" {
		return l
	}
	if m := signedKernel.FindStringSubmatch(l.name); m != nil {
		l.name, l.version = "linux"+m[1], binary
	}
	return l
}

// isRPM reports whether a family's packages are rpms.
func isRPM(family string) bool {
	switch family {
	case "AlmaLinux", "Azure Linux", "Mageia", "openEuler", "openSUSE", "Photon OS", "Red Hat", "Rocky Linux", "SUSE":
		return true
	}
	return false
}

// statesEpochs reports whether the records of a family have the epoch of every version that has one. Others leave it
// out: openEuler's bind is fixed in 9.16.23-10, and installed as 32:9.16.23-9.
func statesEpochs(family string) bool {
	return family == "AlmaLinux" || family == "Red Hat" || family == "Rocky Linux"
}

// cutEpoch splits "1:3.0.7-27.el9".
func cutEpoch(version string) (epoch, rest string) {
	if epoch, rest, ok := strings.Cut(version, ":"); ok {
		return epoch, rest
	}
	return "", version
}

// meets returns the hit of an advisory, whose parts these are, if it affects what is looked up. Being affected for sure
// wins over doubt, which is an error.
func (l lookup) meets(parts []advisory.Affected, module string) (h hit, in bool, doubt error) {
	h = hit{match: l.match, unsure: true}
	h.record.ID = parts[0].ID
	for _, a := range parts {
		sure := !l.unsure
		if hasModules(advisory.Family(a.Ecosystem)) {
			same, known := sameModule(module, a.Module, l.version, a.FixedVersions())
			if !same {
				continue
			}
			sure = sure && known
		}
		h.affected = append(h.affected, a)
		v := l.versionFor(a)
		affected, err := affects([]advisory.Affected{a}, v)
		switch {
		case err != nil:
			doubt = err
		case affected && (!in || sure && h.unsure):
			h.version, in = v, true
			h.unsure = !sure
		}
	}
	if in {
		doubt = nil
	}
	return h, in, doubt
}

// versionFor writes the version installed as the advisory writes its own, without what the advisory leaves out.
func (l lookup) versionFor(a advisory.Affected) string {
	family := advisory.Family(a.Ecosystem)
	if !isRPM(family) {
		return l.version
	}
	stated := versionsOf(a)
	epoch, rest := cutEpoch(l.version)
	theirs, known := epochOf(stated)
	switch {
	case l.epochless && known:
		epoch = theirs
	case theirs == "" && known && !statesEpochs(family):
		epoch = ""
	}
	if family == "Azure Linux" {
		rest = withoutDist(rest, stated)
	}
	if epoch == "" {
		return rest
	}
	return epoch + ":" + rest
}

// versionsOf are all versions that an advisory names.
func versionsOf(a advisory.Affected) []string {
	versions := slices.Clip(a.Versions)
	for _, r := range a.Ranges {
		for _, e := range r.Events {
			if e.Kind != advisory.Introduced || e.Version != "0" {
				versions = append(versions, e.Version)
			}
		}
	}
	return versions
}

// epochOf is the epoch that an advisory's versions have, empty if none has one; it is not known if there are none.
func epochOf(versions []string) (epoch string, known bool) {
	for _, v := range versions {
		if epoch, _ := cutEpoch(v); epoch != "" {
			return epoch, true
		}
	}
	return "", len(versions) > 0
}

var azureDist = regexp.MustCompile(`\.(?:azl|cm)[0-9]+$`)

// withoutDist drops the mark of the distribution from a release if no version of the advisory has it. It matters where
// the last version affected is the one installed: "1.2.13-1" and "1.2.13-1.azl3".
func withoutDist(version string, stated []string) string {
	for _, v := range stated {
		if azureDist.MatchString(v) {
			return version
		}
	}
	return azureDist.ReplaceAllString(version, "")
}
