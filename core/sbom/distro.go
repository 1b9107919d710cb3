package sbom

import (
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
)

// distroOf is the distribution that a package URL names with its namespace and distro qualifier ("debian-12",
// "alpine-3.20.3", "3.20", "bookworm"). It reports whether the release is known. Without a qualifier the document's
// operating system counts, if it is of that distribution.
func distroOf(u packageurl.PackageURL, qualifier string, fallback *core.Distro) (core.Distro, bool) {
	namespace := strings.ToLower(u.Namespace)
	d := core.Distro{ID: distro.ID(namespace)}
	if d.ID == hardened { // whose packages are of one distribution or another
		d.IDLike = []string{"debian"}
		if u.Type == packageurl.TypeApk {
			d.IDLike = []string{"alpine"}
		}
	}
	id, version := splitDistro(qualifier)
	switch {
	case qualifier == "" && fallback != nil && (namespace == "" || sameDistro(d.ID, fallback.ID)):
		return *fallback, fallback.VersionID != "" || fallback.Codename != "" || distro.Rolling(fallback.ID)
	case qualifier == "":
		return d, distro.Rolling(d.ID)
	case version == "" && distro.ReleaseOf(id) != "":
		d.VersionID = distro.ReleaseOf(id)
	case version == "":
		d.Codename = id
	default:
		d.VersionID = version
		if id != "" {
			d.ID = distro.ID(id)
		}
	}
	return d, true
}

// hardened is the namespace of Docker's hardened images.
const hardened = "dhi"

// distroQualifier is the qualifier that names the distribution: "distro", or what Docker writes in its place.
//
// https://github.com/docker-hardened-images/advisories/blob/main/integration/README.md
func distroQualifier(qualifiers map[string]string) string {
	if d := qualifiers["distro"]; d != "" || qualifiers["os_version"] == "" {
		return d
	}
	if name := qualifiers["os_name"]; name != "" {
		return name + "-" + qualifiers["os_version"]
	}
	return qualifiers["os_version"]
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
	if i > 0 && distro.ReleaseOf(qualifier[i+1:]) != "" {
		return qualifier[:i], distro.ReleaseOf(qualifier[i+1:])
	}
	return qualifier, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func sameDistro(a, b string) bool { return strings.EqualFold(a, distro.ID(b)) }

// family is an OSV ecosystem without its release.
func family(ecosystem string) string {
	name, _, _ := strings.Cut(ecosystem, ":")
	return name
}

// packedAs reports whether the packages of an OSV ecosystem are of a package URL type: a deb of Wolfi is a contradiction.
func packedAs(ecosystem, purlType string) bool {
	if purlType == "alpine" {
		purlType = packageurl.TypeApk
	}
	return distro.Packs(ecosystem, purlType)
}

// contradicts reports whether two ids of distributions that have advisories are of different ones. What is only named
// differently, or built upon the other and known under both names, does not.
func contradicts(a, b string) bool {
	a, b = distro.Maker(a), distro.Maker(b)
	return a != "" && b != "" && a != b
}

// distroEcosystem is the OSV ecosystem, with its release, of a distribution as package URLs name it; empty if OSV has
// none or the release is not known.
func distroEcosystem(d core.Distro) string {
	if d.Ecosystem != "" {
		return d.Ecosystem
	}
	return distro.Ecosystem(d)
}
