package sbom

import (
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
)

// distroOf is the distribution that a package URL names with its namespace and distro qualifier ("debian-12",
// "alpine-3.20.3", "3.20", "bookworm"). It reports whether the release is known. Without a qualifier the document's
// operating system counts, if it is of that distribution.
func distroOf(u packageurl.PackageURL, qualifier string, fallback *core.Distro) (core.Distro, bool) {
	namespace := strings.ToLower(u.Namespace)
	d := core.Distro{ID: distroID(namespace)}
	id, version := splitDistro(qualifier)
	switch {
	case qualifier == "" && fallback != nil && (namespace == "" || sameDistro(d.ID, fallback.ID)):
		return *fallback, fallback.VersionID != "" || fallback.Codename != "" || isRolling(fallback.ID)
	case qualifier == "":
		return d, isRolling(d.ID)
	case version == "" && knownCodename(id) != "":
		d.VersionID = knownCodename(id)
	case version == "":
		d.Codename = id
	default:
		d.VersionID = version
		if id != "" {
			d.ID = distroID(strings.ToLower(id))
		}
	}
	return d, true
}

// splitDistro splits at the last hyphen that a digit follows.
func splitDistro(qualifier string) (id, version string) {
	if qualifier == "" || isDigit(qualifier[0]) || qualifier == "edge" {
		return "", qualifier
	}
	i := strings.LastIndexByte(qualifier, '-')
	if i > 0 && i+1 < len(qualifier) && (isDigit(qualifier[i+1]) || qualifier[i+1:] == "edge") {
		return qualifier[:i], qualifier[i+1:]
	}
	if i > 0 && knownCodename(qualifier[i+1:]) != "" {
		return qualifier[:i], knownCodename(qualifier[i+1:])
	}
	return qualifier, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// distroID maps the vendors in package URLs to the ids of os-release.
func distroID(vendor string) string {
	switch vendor {
	case "redhat", "red hat":
		return "rhel"
	case "opensuse", "opensuse.leap":
		return "opensuse-leap"
	case "suse":
		return "sles"
	case "alma":
		return "almalinux"
	case "rockylinux":
		return "rocky"
	case "cbl-mariner":
		return "mariner"
	}
	return vendor
}

func sameDistro(a, b string) bool { return strings.EqualFold(a, distroID(strings.ToLower(b))) }

// family is an OSV ecosystem without its release.
func family(ecosystem string) string {
	name, _, _ := strings.Cut(ecosystem, ":")
	return name
}

// packedAs reports whether the packages of an OSV ecosystem are of a package URL type: a deb of Wolfi is a contradiction.
func packedAs(ecosystem, purlType string) bool {
	want := packageurl.TypeRPM
	switch family(ecosystem) {
	case "":
		return true
	case "Debian", "Ubuntu", "Echo":
		want = packageurl.TypeDebian
	case "Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "CleanStart", "MinimOS", "Wolfi":
		want = packageurl.TypeApk
	}
	return want == purlType || want == packageurl.TypeApk && purlType == "alpine"
}

// contradicts reports whether two ids of distributions that have advisories are of different ones. What is only named
// differently, or built upon the other and known under both names, does not.
func contradicts(a, b string) bool {
	a, b = maker(a), maker(b)
	return a != "" && b != "" && a != b
}

// maker is one name for a distribution and its variants; empty if it has no advisories.
func maker(id string) string {
	id = strings.ToLower(id)
	switch id {
	case "debian", "ubuntu", "echo", "alpine", "alpaquita", "bellsoft-hardened-containers", "minimos", "rhel", "almalinux",
		"rocky", "photon", "openeuler", "mageia":
		return id
	case "wolfi", "chainguard":
		return "wolfi"
	case "azurelinux", "mariner":
		return "azurelinux"
	}
	if strings.HasPrefix(id, "sle") || strings.HasPrefix(id, "suse") || strings.HasPrefix(id, "opensuse") {
		return "suse"
	}
	return ""
}

// isRolling is true for distributions without releases.
func isRolling(id string) bool {
	switch strings.ToLower(id) {
	case "wolfi", "chainguard", "minimos", "echo", "cleanstart", "opensuse-tumbleweed", "arch":
		return true
	}
	return false
}

// knownCodename returns the release with a code name of Debian or Ubuntu. Only releases that scanners still meet are
// in it: later ones state a number.
func knownCodename(name string) string {
	switch strings.ToLower(name) {
	case "jessie":
		return "8"
	case "stretch":
		return "9"
	case "buster":
		return "10"
	case "bullseye":
		return "11"
	case "bookworm":
		return "12"
	case "trixie":
		return "13"
	case "forky":
		return "14"
	case "trusty":
		return "14.04"
	case "xenial":
		return "16.04"
	case "bionic":
		return "18.04"
	case "focal":
		return "20.04"
	case "jammy":
		return "22.04"
	case "noble":
		return "24.04"
	}
	return ""
}

// distroEcosystem is the OSV ecosystem, with its release, of a distribution as package URLs name it; empty if OSV has
// none or the release is not known. It gives what inventory.EcosystemOf gives for the os-release of the same system,
// without its extractors.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func distroEcosystem(d core.Distro) string {
	if d.Ecosystem != "" {
		return d.Ecosystem
	}
	release := d.VersionID
	major, minor, _ := strings.Cut(release, ".")
	switch strings.ToLower(d.ID) {
	case "wolfi":
		return "Wolfi"
	case "chainguard":
		return "Chainguard"
	case "minimos":
		return "MinimOS"
	case "echo":
		return "Echo"
	case "cleanstart", "clnstrt":
		return "CleanStart"
	case "opensuse-tumbleweed":
		return "openSUSE:Tumbleweed"
	}
	if release == "" {
		return ""
	}
	switch strings.ToLower(d.ID) {
	case "debian":
		return "Debian:" + major
	case "ubuntu":
		return "Ubuntu:" + release + longTerm(major, minor)
	case "alpine":
		return alpineEcosystem(release)
	case "alpaquita":
		return "Alpaquita:" + release
	case "bellsoft-hardened-containers":
		return "BellSoft Hardened Containers:" + release
	case "rhel":
		return "Red Hat:enterprise_linux:" + major
	case "almalinux":
		return "AlmaLinux:" + major
	case "rocky":
		return "Rocky Linux:" + major
	case "sles":
		return "SUSE:" + suseRelease(release, major, minor)
	case "opensuse-leap":
		return "openSUSE:Leap " + release
	case "photon":
		return "Photon OS:" + release
	case "openeuler":
		return "openEuler:" + release
	case "azurelinux", "mariner":
		return "Azure Linux:" + major
	case "mageia":
		return "Mageia:" + release
	}
	return ""
}

// longTerm is what OSV adds to April's release of every even year.
func longTerm(year, month string) string {
	if n, err := strconv.Atoi(year); err == nil && n%2 == 0 && month == "04" {
		return ":LTS"
	}
	return ""
}

func alpineEcosystem(release string) string {
	release = strings.TrimPrefix(release, "v")
	if release == "edge" || strings.Contains(release, "_alpha") {
		return "Alpine:edge"
	}
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 || !isDigit(release[0]) {
		return ""
	}
	return "Alpine:v" + parts[0] + "." + parts[1]
}

func suseRelease(release, major, pack string) string {
	const product = "Linux Enterprise Server "
	switch {
	case pack == "" || pack == "0" && major != "16":
		return product + major
	case len(major) == 2 && major < "16":
		return product + major + " SP" + pack
	}
	return product + release
}
