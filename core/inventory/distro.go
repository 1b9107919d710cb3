package inventory

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/google/osv-scalibr/purl"

	"github.com/cleanbill-ci/cleanbill/core"
)

// EcosystemOf returns the OSV ecosystem, with its release, whose advisories are for the distribution that os-release
// names. It is empty where OSV has none, or where the release cannot be told.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func EcosystemOf(d core.Distro) string {
	for _, f := range distroFamilies() {
		if !strings.EqualFold(f.id, d.ID) {
			continue
		}
		if f.release == nil {
			return f.ecosystem
		}
		if r := f.release(d); r != "" {
			return f.ecosystem + ":" + r
		}
		return ""
	}
	return ""
}

// distroFamily is one line of the table of distributions.
type distroFamily struct {
	id        string // of os-release, in any case
	packages  string // the type of its packages, as in package URLs
	ecosystem string // empty: OSV has no advisories
	// release is the ecosystem's suffix; nil if it has none.
	release func(core.Distro) string
	// vendor is the namespace of package URLs; empty: the id.
	vendor string
}

func distroFamilies() []distroFamily {
	const deb, apk, rpm = purl.TypeDebian, purl.TypeApk, purl.TypeRPM
	return []distroFamily{
		{id: "debian", packages: deb, ecosystem: "Debian", release: debianRelease},
		{id: "ubuntu", packages: deb, ecosystem: "Ubuntu", release: ubuntuRelease},
		{id: "echo", packages: deb, ecosystem: "Echo"},

		{id: "alpine", packages: apk, ecosystem: "Alpine", release: alpineRelease},
		{id: "wolfi", packages: apk, ecosystem: "Wolfi"},
		{id: "chainguard", packages: apk, ecosystem: "Chainguard"},
		{id: "minimos", packages: apk, ecosystem: "MinimOS"},
		{id: "alpaquita", packages: apk, ecosystem: "Alpaquita", release: versionID},
		{id: "bellsoft-hardened-containers", packages: apk, ecosystem: "BellSoft Hardened Containers", release: versionID},
		{id: "cleanstart", packages: apk, ecosystem: "CleanStart"},
		{id: "clnstrt", packages: apk, ecosystem: "CleanStart"},

		{id: "rhel", packages: rpm, ecosystem: "Red Hat", release: redHatRelease, vendor: "redhat"},
		{id: "almalinux", packages: rpm, ecosystem: "AlmaLinux", release: major},
		{id: "rocky", packages: rpm, ecosystem: "Rocky Linux", release: major},
		{id: "sles", packages: rpm, ecosystem: "SUSE", release: suse("Linux Enterprise Server"), vendor: "suse"},
		{id: "sles_sap", packages: rpm, ecosystem: "SUSE", release: suse("Linux Enterprise Server for SAP Applications"), vendor: "suse"},
		{id: "sle-micro", packages: rpm, ecosystem: "SUSE", release: prefixed("Linux Enterprise Micro"), vendor: "suse"},
		{id: "sl-micro", packages: rpm, ecosystem: "SUSE", release: prefixed("Linux Micro"), vendor: "suse"},
		{id: "opensuse-leap", packages: rpm, ecosystem: "openSUSE", release: prefixed("Leap"), vendor: "opensuse"},
		{id: "opensuse-leap-micro", packages: rpm, ecosystem: "openSUSE", release: prefixed("Leap Micro"), vendor: "opensuse"},
		{id: "opensuse-tumbleweed", packages: rpm, ecosystem: "openSUSE", release: fixed("Tumbleweed"), vendor: "opensuse"},
		{id: "photon", packages: rpm, ecosystem: "Photon OS", release: versionID},
		{id: "openEuler", packages: rpm, ecosystem: "openEuler", release: openEulerRelease},
		{id: "azurelinux", packages: rpm, ecosystem: "Azure Linux", release: major},
		{id: "mariner", packages: rpm, ecosystem: "Azure Linux", release: major},
		{id: "mageia", packages: rpm, ecosystem: "Mageia", release: versionID},
		{id: "fedora", packages: rpm}, // and Amazon and Oracle Linux, which are like it
	}
}

// packageType is the type of a distribution's packages, as in package URLs, or of those that it is like; empty if it is
// like none that is known.
func packageType(d core.Distro) string {
	families := distroFamilies()
	for _, id := range append([]string{d.ID}, d.IDLike...) {
		for _, f := range families {
			if strings.EqualFold(f.id, id) {
				return f.packages
			}
		}
	}
	return ""
}

// vendorOf is the namespace of the distribution's package URLs.
func vendorOf(id string) string {
	for _, f := range distroFamilies() {
		if strings.EqualFold(f.id, id) && f.vendor != "" {
			return f.vendor
		}
	}
	return strings.ToLower(id)
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
	switch d.Codename {
	case "bullseye":
		return "11"
	case "bookworm":
		return "12"
	case "trixie":
		return "13"
	case "forky":
		return "14"
	}
	return ""
}

// ubuntuRelease adds what OSV adds: April's release of every even year has long-term support.
func ubuntuRelease(d core.Distro) string {
	year, month, ok := strings.Cut(d.VersionID, ".")
	if n, err := strconv.Atoi(year); ok && err == nil && n%2 == 0 && month == "04" {
		return d.VersionID + ":LTS"
	}
	return d.VersionID
}

var alpineVersion = regexp.MustCompile(`^(\d+\.\d+)(?:\.\d+)*(_\w+)?$`)

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

// redHatRelease is the product and version of the CPE. OSV's ecosystems go on with the repository ("::baseos"), which
// os-release does not know: it is a prefix of theirs.
func redHatRelease(d core.Distro) string {
	if m := major(d); m != "" {
		return "enterprise_linux:" + m
	}
	return ""
}

// suse writes 15.5 as SUSE does: 15 SP5.
func suse(product string) func(core.Distro) string {
	return func(d core.Distro) string {
		release, pack, _ := strings.Cut(d.VersionID, ".")
		switch {
		case release == "":
			return ""
		case pack == "" || pack == "0" && release != "16":
			return product + " " + release
		case len(release) == 2 && release < "16":
			return product + " " + release + " SP" + pack
		}
		return product + " " + d.VersionID
	}
}

var openEulerName = regexp.MustCompile(`^openEuler (\d\d\.\d\d)(?: \((LTS(?:[- ]SP\d+)?)\))?$`)

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

// distroQualifier is the distro qualifier of package URLs: the release alone for apk, otherwise with the name, as
// "debian-12".
func distroQualifier(purlType string, d core.Distro) string {
	version := d.VersionID
	if version == "" {
		version = d.Codename
	}
	switch {
	case version == "" || purlType == "apk":
		return version
	}
	return strings.ToLower(d.ID) + "-" + version
}
