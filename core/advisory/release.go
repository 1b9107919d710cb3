package advisory

import (
	"regexp"
	"slices"
	"strings"
)

// Tables returns the ecosystems under which a set may hold advisories for the packages of an ecosystem. Those that the
// set has are listed in of, as AdvisorySource.Ecosystems lists them. For most it is the ecosystem itself. Red Hat
// publishes for every repository and stream, SUSE for every module, and an image does not know which of them a package
// is from: all that can be are returned. It is not covered if what a package of the ecosystem needs is not there; there
// may still be tables that are worth looking at.
func Tables(ecosystem string, of []string) (tables []string, covered bool) {
	canonical := Canonical(ecosystem)
	family, release, _ := strings.Cut(canonical, ":")
	switch family {
	case "Red Hat":
		return redHatTables(release, of)
	case "SUSE":
		return suseTables(release, of)
	case "Docker Hardened Images":
		return hardenedTables(canonical, release, of)
	}
	switch {
	case canonical == "":
	case !distribution(family):
		covered = slices.ContainsFunc(of, func(e string) bool { return Family(e) == family })
	case release != "" || releaseless(family):
		covered = slices.Contains(of, canonical)
	default: // a set whose advisories name no release either
		covered = slices.Contains(of, canonical) &&
			!slices.ContainsFunc(of, func(e string) bool { return strings.HasPrefix(e, canonical+":") })
	}
	if covered {
		tables = []string{canonical}
	}
	return tables, covered
}

// releaseless reports whether a distribution has one release only. What its ecosystem may go on with is not one: Echo
// has its builds of other ecosystems' packages there ("Echo:PyPI").
func releaseless(family string) bool {
	switch family {
	case "Chainguard", "CleanStart", "Echo", "MinimOS", "Wolfi":
		return true
	}
	return false
}

// product is the CPE that Red Hat's ecosystems go on with: a name, a version, and a repository or the release of
// Enterprise Linux that it is for, as in "rhel_eus:9.2::baseos" and "rhel_software_collections:3::el7". Enterprise
// Linux 10 has minor releases and no repositories: "enterprise_linux:10.1".
//
// https://redhatproductsecurity.github.io/security-data-guidelines/cpe/
type product struct{ name, version, edition string }

func redHatProduct(release string) product {
	var p product
	p.name, p.version, _ = strings.Cut(release, ":")
	p.version, p.edition, _ = strings.Cut(p.version, ":")
	p.edition = strings.TrimLeft(p.edition, ":")
	return p
}

func (p product) major() string {
	major, _, _ := strings.Cut(p.version, ".")
	return major
}

// redHatTables are those of all repositories of the release, and of the streams of extended support for the very minor
// release that the image has: those of others are about builds that go on from another point.
func redHatTables(release string, of []string) (tables []string, covered bool) {
	image := redHatProduct(release)
	for _, e := range of {
		release, ok := strings.CutPrefix(e, "Red Hat:")
		if !ok || image.version == "" {
			continue
		}
		p := redHatProduct(release)
		switch {
		case p.name == image.name && p.major() == image.major():
			covered = true
		case image.name == enterpriseLinux && (p.extends(image) || p.belongsTo(image)):
		default:
			continue
		}
		tables = append(tables, e)
	}
	return tables, covered
}

const enterpriseLinux = "enterprise_linux"

// belongsTo reports whether p is shipped beside a release of Enterprise Linux: its channels of extras, and the software
// collections, whose packages have names of their own.
func (p product) belongsTo(image product) bool {
	switch p.name {
	case "rhel_extras", "rhel_extras_other", "rhel_extras_rt":
		return p.major() == image.major()
	case "rhel_software_collections", "rhel_dotnet":
		return p.edition == "el"+image.major()
	}
	return false
}

// IsExtended reports whether an ecosystem is a stream of extended support, whose fixes are built for one minor release.
func IsExtended(ecosystem string) bool {
	release, ok := strings.CutPrefix(ecosystem, "Red Hat:")
	return ok && redHatProduct(release).extended()
}

func (p product) extended() bool {
	words := strings.Split(p.name, "_")
	return (words[0] == "rhel" || strings.HasPrefix(p.name, enterpriseLinux+"_")) &&
		slices.ContainsFunc(words, func(w string) bool {
			return slices.Contains([]string{"eus", "aus", "tus", "e4s", "els"}, w)
		})
}

// extends reports whether p is a stream of extended support for the image's minor release.
//
// https://access.redhat.com/support/policy/updates/errata
func (p product) extends(image product) bool {
	if !p.extended() {
		return false
	}
	last := map[string]string{"5": "5.11", "6": "6.10", "7": "7.9"} // whose streams name the major release alone
	return p.version == image.version || last[p.version] == image.version
}

// suseRelease takes the name of a product or module apart: what it is, the release, and the phase of its support.
var suseRelease = regexp.MustCompile(`^(.+?) (\d+(?:\.\d+)?(?: SP\d+)?)(-[A-Z-]+)?$`)

// suseTables are those of all editions, modules and phases of support of a release. Its packages are built once for all
// of them, and go on being built in the phases that are paid for.
//
// https://www.suse.com/lifecycle
func suseTables(release string, of []string) (tables []string, covered bool) {
	image := suseRelease.FindStringSubmatch(release)
	if image == nil {
		return nil, false
	}
	for _, e := range of {
		name, ok := strings.CutPrefix(e, "SUSE:")
		m := suseRelease.FindStringSubmatch(name)
		if !ok || m == nil || line(m[1]) != line(image[1]) || line(m[1]) == "" || !supported(m[3]) {
			continue
		}
		// Modules of 12 were for all of its service packs.
		whole := strings.HasPrefix(image[2], "12 ") && m[2] == "12" && strings.Contains(m[1], " Module ")
		if m[2] != image[2] && !whole {
			continue
		}
		tables = append(tables, e)
		covered = covered || !whole && m[1] != packageHub
	}
	return tables, covered
}

const packageHub = "Package Hub"

// line is the product line of a product, within which releases have one meaning.
func line(product string) string {
	for _, l := range []string{"Linux Enterprise Micro", "Linux Micro", "Linux Enterprise"} {
		if product == l || strings.HasPrefix(product, l+" ") {
			return l
		}
	}
	if product == packageHub {
		return "Linux Enterprise"
	}
	return ""
}

// supported reports whether a product's phase of support is one of those in which its packages go on.
func supported(phase string) bool {
	return phase == "" || phase == "-ESPOS" || phase == "-BCL" || strings.HasPrefix(phase, "-LTSS")
}

// hardenedTables are those of Docker's hardened images, and those of the distribution that they are made of, for what
// was added to one.
func hardenedTables(canonical, release string, of []string) (tables []string, covered bool) {
	for _, e := range []string{canonical, Canonical(release)} {
		if release != "" && slices.Contains(of, e) {
			tables = append(tables, e)
		}
	}
	return tables, slices.Contains(tables, canonical)
}
