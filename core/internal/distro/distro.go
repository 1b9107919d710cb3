// Package distro is the one table of distributions: what os-release or a package URL calls them, what their packages
// are, and which advisories are for them. Rooms that read images and rooms that read SBOMs share it, so that both say
// the same of the same system.
//
// The forms are OSV's, as its schema defines them and its records write them; where the two differ, the records count.
// The tests name where each form is from.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
package distro

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The types of packages, as package URLs name them.
const (
	deb = "deb"
	apk = "apk"
	rpm = "rpm"
)

// family is one line of the table.
type family struct {
	id        string // of os-release, in any case
	packages  string // their type; empty: that of the distribution that it says it is like
	ecosystem string // empty: OSV has no advisories
	// release is the ecosystem's suffix; nil if it has none.
	release func(core.Distro) string
	// namespace is that of package URLs; empty: the id.
	namespace string
}

func families() []family {
	return []family{
		{id: "debian", packages: deb, ecosystem: "Debian", release: debianRelease},
		{id: "ubuntu", packages: deb, ecosystem: "Ubuntu", release: ubuntuRelease},
		{id: "echo", packages: deb, ecosystem: "Echo"},
		{id: "dhi", ecosystem: "Docker Hardened Images", release: hardenedRelease},

		{id: "alpine", packages: apk, ecosystem: "Alpine", release: alpineRelease},
		{id: "wolfi", packages: apk, ecosystem: "Wolfi"},
		{id: "chainguard", packages: apk, ecosystem: "Chainguard"},
		{id: "minimos", packages: apk, ecosystem: "MinimOS"},
		{id: "alpaquita", packages: apk, ecosystem: "Alpaquita", release: versionID},
		{id: "bellsoft-hardened-containers", packages: apk, ecosystem: "BellSoft Hardened Containers", release: versionID},
		{id: "cleanstart", packages: apk, ecosystem: "CleanStart"},
		{id: "clnstrt", packages: apk, ecosystem: "CleanStart"},

		{id: "rhel", packages: rpm, ecosystem: "Red Hat", release: redHatRelease, namespace: "redhat"},
		{id: "hummingbird", packages: rpm, ecosystem: "Red Hat", release: fixed("hummingbird:1")},
		{id: "almalinux", packages: rpm, ecosystem: "AlmaLinux", release: major},
		{id: "rocky", packages: rpm, ecosystem: "Rocky Linux", release: major},
		suseLinux("sles", suseRelease("Server")),
		suseLinux("sles_sap", suseRelease("Server for SAP Applications")),
		suseLinux("sled", suseRelease("Desktop")),
		suseLinux("sle_hpc", suseRelease("High Performance Computing")),
		suseLinux("sle-micro", prefixed("Linux Enterprise Micro")),
		suseLinux("suse-microos", prefixed("Linux Enterprise Micro")),
		suseLinux("sl-micro", prefixed("Linux Micro")),
		openSUSE("opensuse-leap", prefixed("Leap")),
		openSUSE("opensuse-leap-micro", prefixed("Leap Micro")),
		openSUSE("opensuse-tumbleweed", fixed("Tumbleweed")),
		{id: "photon", packages: rpm, ecosystem: "Photon OS", release: versionID},
		{id: "openEuler", packages: rpm, ecosystem: "openEuler", release: openEulerRelease},
		{id: "azurelinux", packages: rpm, ecosystem: "Azure Linux", release: major},
		{id: "mariner", packages: rpm, ecosystem: "Azure Linux", release: major},
		{id: "mageia", packages: rpm, ecosystem: "Mageia", release: versionID},
		// And Amazon and Oracle Linux, CentOS and other rebuilds, which say that they are like it. OSV has advisories for
		// none of them. Red Hat's are not for rebuilds: their versions go on where Red Hat's do not.
		{id: "fedora", packages: rpm},
	}
}

func suseLinux(id string, release func(core.Distro) string) family {
	return family{id: id, packages: rpm, ecosystem: "SUSE", release: release, namespace: "suse"}
}

func openSUSE(id string, release func(core.Distro) string) family {
	return family{id: id, packages: rpm, ecosystem: "openSUSE", release: release, namespace: "opensuse"}
}

func familyOf(id string) (family, bool) {
	for _, f := range families() {
		if strings.EqualFold(f.id, id) {
			return f, true
		}
	}
	return family{}, false
}

// Ecosystem returns the OSV ecosystem, with its release, whose advisories are for the distribution. It is empty where
// OSV has none, or where the release cannot be told. Red Hat and SUSE publish for repositories and modules, which a
// distribution does not know: its ecosystem stands for all of them.
func Ecosystem(d core.Distro) string {
	f, ok := familyOf(d.ID)
	if !ok || f.release == nil {
		return f.ecosystem
	}
	if r := f.release(d); r != "" {
		return f.ecosystem + ":" + r
	}
	return ""
}

// PackageType is the type of a distribution's packages, as in package URLs, or of those that it is like; empty if it is
// like none that is known.
func PackageType(d core.Distro) string {
	for _, id := range append([]string{d.ID}, d.IDLike...) {
		if f, ok := familyOf(id); ok && f.packages != "" {
			return f.packages
		}
	}
	return ""
}

// Packs reports whether an OSV ecosystem has packages of a type; no ecosystem contradicts none.
func Packs(ecosystem, packageType string) bool {
	name, release, _ := strings.Cut(ecosystem, ":")
	if name == "Docker Hardened Images" {
		return Packs(release, packageType)
	}
	for _, f := range families() {
		if f.ecosystem == name && name != "" {
			return f.packages == packageType
		}
	}
	return ecosystem == ""
}

// Namespace is that of the package URLs of a distribution's packages.
func Namespace(id string) string {
	if f, ok := familyOf(id); ok && f.namespace != "" {
		return f.namespace
	}
	return strings.ToLower(id)
}

// ID returns the id of os-release for the namespace of a package URL, as this program, OSV and other scanners write it.
// A namespace of several distributions is that of the best known.
func ID(namespace string) string {
	namespace = strings.ToLower(namespace)
	switch namespace {
	case "redhat", "red hat":
		return "rhel"
	case "opensuse", "opensuse.leap":
		return "opensuse-leap"
	case "suse":
		return "sles"
	case "alma":
		return "almalinux"
	case "rockylinux", "rocky-linux":
		return "rocky"
	case "cbl-mariner":
		return "mariner"
	case "azure-linux":
		return "azurelinux"
	}
	return namespace
}

// Maker is one name for a distribution and its variants; empty if it has no advisories.
func Maker(id string) string {
	f, _ := familyOf(id)
	switch f.ecosystem {
	case "Chainguard": // built upon the other and known under both names
		return "Wolfi"
	case "openSUSE":
		return "SUSE"
	case "":
		if id = strings.ToLower(id); strings.HasPrefix(id, "sle") || strings.HasPrefix(id, "suse") ||
			strings.HasPrefix(id, "opensuse") {
			return "SUSE"
		}
	}
	return f.ecosystem
}

// Rolling reports whether a distribution has no releases that its advisories tell apart.
func Rolling(id string) bool {
	f, ok := familyOf(id)
	return ok && f.ecosystem != "" && (f.release == nil || f.release(core.Distro{ID: id}) != "") ||
		strings.EqualFold(id, "arch")
}

// ReleaseOf returns the release of Debian or Ubuntu with a code name. Only those that scanners still meet are in it:
// later ones state a number.
func ReleaseOf(codename string) string {
	switch strings.ToLower(codename) {
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
	case "duke":
		return "15"
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

func versionID(d core.Distro) string { return d.VersionID }

func major(d core.Distro) string {
	m, _, _ := strings.Cut(d.VersionID, ".")
	return m
}

func fixed(release string) func(core.Distro) string {
	return func(core.Distro) string { return release }
}

func prefixed(product string) func(core.Distro) string {
	return func(d core.Distro) string {
		if d.VersionID == "" {
			return ""
		}
		return product + " " + d.VersionID
	}
}

// debianRelease is the number. Images of testing have only its name, and unstable has no release at all.
func debianRelease(d core.Distro) string {
	if m := major(d); m != "" {
		return m
	}
	return ReleaseOf(d.Codename)
}

// ubuntuRelease adds what OSV adds: April's release of every even year has long-term support.
func ubuntuRelease(d core.Distro) string {
	year, month, ok := strings.Cut(d.VersionID, ".")
	if n, err := strconv.Atoi(year); ok && err == nil && n%2 == 0 && month == "04" {
		return d.VersionID + ":LTS"
	}
	return d.VersionID
}

// hardenedRelease is the distribution that an image is made of and its release, "Debian:13". Hardened images that
// still call themselves that distribution are looked up as such, as Docker asks.
//
// https://github.com/docker-hardened-images/advisories/blob/main/integration/README.md
func hardenedRelease(d core.Distro) string {
	for _, id := range d.IDLike {
		var release string
		switch strings.ToLower(id) {
		case "debian":
			release = debianRelease(d)
		case "alpine":
			release = strings.TrimPrefix(alpineRelease(d), "v")
		default:
			continue
		}
		if f, ok := familyOf(id); ok && release != "" {
			return f.ecosystem + ":" + release
		}
	}
	return ""
}

var alpineVersion = regexp.MustCompile(`^v?(\d+\.\d+)(?:\.\d+)*(_\w+)?$`)

// alpineRelease is v and two numbers; edge calls itself an alpha of the release to come.
func alpineRelease(d core.Distro) string {
	m := alpineVersion.FindStringSubmatch(d.VersionID)
	switch {
	case d.VersionID == "edge", m != nil && strings.HasPrefix(m[2], "_alpha"):
		return "edge"
	case m == nil:
		return ""
	}
	return "v" + m[1]
}

var redHatVersion = regexp.MustCompile(`^\d+(?:\.\d+)?`)

// redHatRelease is the product and version of a CPE. The minor release tells which streams of extended support are
// about the image.
//
// https://www.redhat.com/en/blog/how-accurately-match-oval-security-data-installed-rpms
func redHatRelease(d core.Distro) string {
	if v := redHatVersion.FindString(d.VersionID); v != "" {
		return "enterprise_linux:" + v
	}
	return ""
}

// suseRelease writes 15.5 as SUSE does: 15 SP5. Version 16 has no service packs.
func suseRelease(edition string) func(core.Distro) string {
	return func(d core.Distro) string {
		product := "Linux Enterprise " + edition + " "
		release, rest, _ := strings.Cut(d.VersionID, ".")
		pack, _, _ := strings.Cut(rest, ".")
		switch n, err := strconv.Atoi(release); {
		case err != nil:
			return ""
		case n >= 16:
			return product + d.VersionID
		case pack == "" || pack == "0":
			return product + release
		}
		return product + release + " SP" + pack
	}
}

var openEulerName = regexp.MustCompile(`^openEuler (\d\d\.\d\d)(?: \(?(LTS(?:[- ]SP\d+)?)\)?)?$`)

// openEulerRelease is in the pretty name only: "openEuler 24.03 (LTS-SP1)" is 24.03-LTS-SP1.
func openEulerRelease(d core.Distro) string {
	m := openEulerName.FindStringSubmatch(d.PrettyName)
	switch {
	case m == nil:
		return d.VersionID
	case m[2] == "":
		return m[1]
	}
	return m[1] + "-" + strings.ReplaceAll(m[2], " ", "-")
}
