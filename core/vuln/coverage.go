package vuln

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
)

// maxNamed is how many things of one sort an examination names before it only counts them.
const maxNamed = 5

// coverage counts, for one subject, what could not be looked up.
type coverage struct {
	// uncovered counts packages by ecosystem of OSV that the set does not hold.
	uncovered map[string]int
	// foreign counts operating system packages of distributions that OSV has no advisories for.
	foreign map[string]int
	// undated counts those of distributions that it has advisories for, whose release is not known.
	undated map[string]int
	// sourceless counts, by ecosystem, packages that are known to be built from a source of another name, which is what
	// the advisories name, and which is not said.
	sourceless map[string]int
	// unlisted counts packages of kinds that no advisories are published for.
	unlisted map[string]int
	unclear  []string
}

func newCoverage() *coverage {
	return &coverage{uncovered: map[string]int{}, foreign: map[string]int{}, undated: map[string]int{},
		sourceless: map[string]int{}, unlisted: map[string]int{}}
}

// add counts a package, whose ecosystem is covered or not.
func (c *coverage) add(p *core.Package, ecosystem string, covered bool) {
	kind, namespace := purlParts(p.Purl)
	switch {
	case ecosystem == "" && osPackage(kind):
		if kind == "ebuild" { // whose namespace is a category
			namespace = distroOf(p.Purl)
		}
		packages := kind + " packages of " + cmp.Or(namespace, "an unknown distribution")
		if distro.Maker(distro.ID(namespace)) != "" {
			c.undated[packages]++
		} else {
			c.foreign[packages]++
		}
	case ecosystem == "" || !advisory.Known(ecosystem):
		c.unlisted[cmp.Or(ecosystem, kind, "unknown")]++
	case !covered:
		c.uncovered[ecosystem]++
	case lacksSource(p, ecosystem):
		c.sourceless[ecosystem]++
	}
}

// lacksSource reports whether a package that almost every system has does not say what it is built from, although the
// advisories name that. So do none of the others that come from where it comes from, most likely a bill of materials
// that lists what is installed and no more; they would be looked up by names that no advisory has.
func lacksSource(p *core.Package, ecosystem string) bool {
	if p.Source != nil && p.Source.Name != "" || !NamesSources(ecosystem) {
		return false
	}
	switch p.Name {
	case "glibc-common", "glibc-minimal-langpack", "libc-bin", "libc6", "libcrypto1.1", "libcrypto3", "libgcc-s1", "libssl1.1",
		"libssl3", "libssl3t64", "libstdc++", "libstdc++6", "musl-utils", "openssl-libs", "perl-base", "scanelf", "ssl_client",
		"zlib1g":
		return true
	}
	return false
}

// ecosystemOf returns the package's ecosystem, or the one that follows from the type of its purl.
func ecosystemOf(p *core.Package) string {
	if p.Ecosystem != "" {
		return p.Ecosystem
	}
	kind, _ := purlParts(p.Purl)
	switch kind {
	case "bitnami":
		return "Bitnami"
	case "cargo":
		return "crates.io"
	case "composer":
		return "Packagist"
	case "conan":
		return "ConanCenter"
	case "cran":
		return "CRAN"
	case "gem":
		return "RubyGems"
	case "githubactions":
		return "GitHub Actions"
	case "golang":
		return "Go"
	case "hackage":
		return "Hackage"
	case "hex":
		return "Hex"
	case "julia":
		return "Julia"
	case "maven":
		return "Maven"
	case "npm":
		return "npm"
	case "nuget":
		return "NuGet"
	case "pub":
		return "Pub"
	case "pypi":
		return "PyPI"
	case "swift":
		return "SwiftURL"
	}
	return ""
}

// Ecosystems returns the ecosystems of OSV, with their releases, whose advisories may be about the visible packages,
// sorted.
func Ecosystems(e *core.Evidence) []string {
	found := map[string]bool{}
	for i := range e.Packages {
		p := &e.Packages[i]
		if !p.Visible() {
			continue
		}
		ecosystem := ecosystemOf(p)
		if advisory.Known(ecosystem) {
			found[ecosystem] = true
		}
		if made, of, _ := strings.Cut(ecosystem, ":"); made == "Docker Hardened Images" && advisory.Known(of) {
			found[of] = true
		}
		if kind, _ := purlParts(p.Purl); ecosystem == "" && kind == "generic" {
			found["Bitnami"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// purlParts returns a purl's type and the first part of its namespace.
func purlParts(purl string) (kind, namespace string) {
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return "", ""
	}
	kind, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if i := strings.IndexAny(rest, "@?#"); i >= 0 {
		rest = rest[:i]
	}
	if before, _, found := strings.Cut(rest, "/"); found {
		namespace = before
	}
	return strings.ToLower(kind), namespace
}

// distroOf returns the name in a purl's distro qualifier: "gentoo" of "distro=gentoo-2.18".
func distroOf(purl string) string {
	_, qualifiers, _ := strings.Cut(purl, "?")
	for q := range strings.SplitSeq(qualifiers, "&") {
		if value, ok := strings.CutPrefix(q, "distro="); ok {
			name, _, _ := strings.Cut(value, "-")
			return name
		}
	}
	return ""
}

// osPackage reports whether a purl type is that of an operating system's packages. Not knowing their flaws is a gap in
// every image; not knowing those of a model or of a file that somebody named "generic" is not.
func osPackage(kind string) bool {
	switch kind {
	case "deb", "apk", "rpm", "alpm", "ebuild", "opkg", "nix", "pkg":
		return true
	}
	return false
}

const (
	wholeSet = "fetch the published set with: cleanbill advisories update, or make one with: " +
		"cleanbill advisories build --from DIR --out oci:DIR, and judge with: cleanbill gate --advisories oci:DIR"
)

// examinations says for every subject how far its packages could be looked up. What the starter set lacks by its nature,
// which is most flaws and whole ecosystems, is an examination of its own, so that accepting that does not accept the rest.
func examinations(source core.AdvisorySource, subjects []core.Subject,
	by map[core.Digest]*coverage) []core.Examination {
	var order []core.Digest
	for _, s := range subjects {
		order = append(order, s.Digest)
	}
	for _, d := range slices.Sorted(maps.Keys(by)) {
		if !slices.Contains(order, d) {
			order = append(order, d)
		}
	}
	var out []core.Examination
	for _, d := range order {
		c := by[d]
		if c == nil {
			continue // an index has no packages of its own
		}
		out = append(out, c.examine(source, d)...)
	}
	return out
}

func (c *coverage) examine(source core.AdvisorySource, subject core.Digest) []core.Examination {
	blank := core.Examination{Name: core.ExamineAdvisories, Subject: subject, Tool: "cleanbill", Input: source.Digest}
	var out []core.Examination
	missing, releases := c.missing(source)
	gaps := append(c.gaps(), releases...)
	lists := missingLists(source)
	gaps = append(gaps, lists...)
	if source.Starter {
		x := blank
		x.Status, x.Code, x.Remedy = core.Partial, core.CodeStarterAdvisories, wholeSet
		only := fmt.Sprintf("only the %s (%d records) was used, a small selection of known-exploited and well-known flaws",
			source.Name, source.Records)
		x.Why = append([]string{only}, missing...)
		out = append(out, x)
	} else {
		gaps = append(gaps, missing...)
	}
	notes := counted(c.unlisted, "%s: no advisories are published for such packages (%d %s), and they were not looked up")
	if source.Note != "" {
		notes = append(notes, source.Note)
	}
	x := blank
	switch {
	case len(gaps) > 0:
		x.Status, x.Why = core.Partial, append(gaps, notes...)
		switch {
		case len(releases) > 0 && source.Starter:
			x.Remedy = wholeSet
		case len(missing)+len(releases) > 0:
			x.Remedy = "add the missing ecosystems: " + wholeSet
		case len(c.sourceless) > 0:
			x.Remedy = "judge the image itself, or a bill of materials whose package URLs say upstream=SOURCE, such as that of: cleanbill sbom IMAGE"
		case len(lists) > 0:
			x.Remedy = "build the set with --kev and --eol, or with kev.json and eol-distros.csv beside the exports"
		}
	case source.Starter:
		out[0].Why = append(out[0].Why, notes...)
		slices.Sort(out[0].Why)
		return out
	default:
		x.Status, x.Why = core.Complete, notes
	}
	slices.Sort(x.Why)
	return append(out, x)
}

// missingLists are the lists without which a rule about exploitation or ends of life can never hold.
func missingLists(source core.AdvisorySource) []string {
	var out []string
	for name, what := range map[string]string{
		advisory.SourceKEV:       "the set was built without CISA's list of exploited vulnerabilities",
		advisory.SourceEndOfLife: "the set was built without a list of distributions' ends of life",
	} {
		if !slices.Contains(source.Sources, name) {
			out = append(out, what)
		}
	}
	return out
}

// missing are the ecosystems that the set lacks altogether, and the releases that it does not know of distributions that
// it holds. The second is no matter of which set was used: a release that nobody knows may be one that does not exist,
// under which nothing is ever found.
func (c *coverage) missing(source core.AdvisorySource) (whole, releases []string) {
	known, unknown := map[string]int{}, map[string]int{}
	for ecosystem, n := range c.uncovered {
		if advisory.IsDistribution(ecosystem) && slices.Contains(source.Ecosystems, advisory.Family(ecosystem)) {
			unknown[ecosystem] = n
		} else {
			known[ecosystem] = n
		}
	}
	return counted(known, "%s: the set has no advisories for it (%d %s)"),
		counted(unknown, "%s: the set has advisories for other releases only (%d %s)")
}

// gaps are what no set of advisories would mend.
func (c *coverage) gaps() []string {
	gaps := counted(c.foreign, "%s: OSV has no advisories for them (%d %s)")
	gaps = append(gaps, counted(c.undated, "%s: of which release they are is not known (%d %s)")...)
	gaps = append(gaps, counted(c.sourceless,
		"%s: its advisories name what packages are built from, which is not said even of the best known (%d %s)")...)
	unclear := slices.Clone(c.unclear)
	slices.Sort(unclear)
	unclear = slices.Compact(unclear)
	for _, u := range unclear[:min(len(unclear), maxNamed)] {
		gaps = append(gaps, "cannot compare "+u)
	}
	if more := len(unclear) - maxNamed; more > 0 {
		gaps = append(gaps, fmt.Sprintf("cannot compare %d more advisories with the version installed", more))
	}
	return gaps
}

func counted(counts map[string]int, format string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		noun := "packages"
		if counts[name] == 1 {
			noun = "package"
		}
		out = append(out, fmt.Sprintf(format, name, counts[name], noun))
	}
	return out
}

func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}
