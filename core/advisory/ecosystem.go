package advisory

import (
	"regexp"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
)

// Family returns an ecosystem without its release: "Debian" of "Debian:12".
func Family(ecosystem string) string {
	family, _, _ := strings.Cut(ecosystem, ":")
	return family
}

// distributions are the ecosystems of operating systems, whose advisories hold for one release.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func distribution(family string) bool {
	switch family {
	case "AlmaLinux", "Alpaquita", "Alpine", "Azure Linux", "BellSoft Hardened Containers", "Chainguard", "CleanStart",
		"Debian", "Docker Hardened Images", "Echo", "FreeBSD", "Mageia", "MinimOS", "openEuler", "openSUSE", "Photon OS",
		"Red Hat", "Rocky Linux", "SUSE", "Ubuntu", "Wolfi":
		return true
	}
	return false
}

// IsDistribution reports whether the ecosystem is that of an operating system's packages.
func IsDistribution(ecosystem string) bool { return distribution(Family(ecosystem)) }

// Known reports whether OSV defines the ecosystem.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func Known(ecosystem string) bool {
	family := Family(ecosystem)
	if distribution(family) {
		return true
	}
	switch family {
	case "Android", "Bioconductor", "Bitnami", "ConanCenter", "CRAN", "crates.io", "GHC", "GitHub Actions", "Go",
		"Hackage", "Hex", "Julia", "Kubernetes", "Linux", "Maven", "npm", "NuGet", "opam", "OSS-Fuzz", "Packagist", "Pub",
		"PyPI", "Root", "RubyGems", "SwiftURL", "TuxCare", "VSCode":
		return true
	}
	return false
}

// Canonical writes an ecosystem in one way, with which tables are named: without Ubuntu's ":LTS", without minor
// releases where the distribution's advisories have none, with Alpine's "v", and without the address of a registry.
func Canonical(ecosystem string) string {
	family, release, found := strings.Cut(ecosystem, ":")
	if !found {
		return ecosystem
	}
	switch family {
	case "Ubuntu":
		release = strings.TrimSuffix(release, ":LTS")
	case "AlmaLinux", "Azure Linux", "Debian", "Rocky Linux":
		release, _, _ = strings.Cut(release, ".")
	case "Docker Hardened Images":
		release = hardened(release)
	case "Alpine":
		if release != "" && '0' <= release[0] && release[0] <= '9' {
			release = "v" + release
		}
	}
	switch family {
	case "Root", "TuxCare":
		// What follows is the ecosystem whose packages these are, and by whose order.
		return family + ":" + Canonical(release)
	}
	if !distribution(family) || release == "" {
		// A release here is the address of another registry of the same kind of packages (Packagist, Maven): its names
		// are its own, and advisories of either are better matched than missed.
		return family
	}
	return family + ":" + release
}

// hardened writes the distribution of a hardened image with a number: "Debian:13" for "Debian:trixie", "Alpine:3.23".
func hardened(release string) string {
	lineage, of, _ := strings.Cut(release, ":")
	if number := distro.ReleaseOf(of); number != "" {
		of = number
	}
	return strings.TrimSuffix(lineage+":"+strings.TrimPrefix(of, "v"), ":")
}

// separators are what PyPI takes for one hyphen.
//
// https://packaging.python.org/en/latest/specifications/name-normalization/
var separators = regexp.MustCompile(`[-_.]+`)

// NormalName writes a package's name as its ecosystem compares it. Names of npm, Go and Maven are compared as they are.
func NormalName(ecosystem, name string) string {
	switch Family(ecosystem) {
	case "PyPI":
		return strings.ToLower(separators.ReplaceAllString(name, "-"))
	case "crates.io":
		return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	case "NuGet", "Packagist", "Hex", "Bitnami", "GitHub Actions":
		return strings.ToLower(name)
	case "SwiftURL":
		name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
		return strings.ToLower(strings.TrimSuffix(name, ".git"))
	}
	return name
}
