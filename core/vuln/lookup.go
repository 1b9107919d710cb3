package vuln

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// lookup is a name under which advisories may know a package.
type lookup struct {
	ecosystem     string
	name, version string
	match         core.Match
}

// lookups returns the names to try. Debian, Ubuntu and Alpine publish advisories about source packages only, and a
// binary package may have the name of another source. The rpm distributions and Wolfi publish about both.
func lookups(p *core.Package, ecosystem string) []lookup {
	if ecosystem == "" {
		return nil
	}
	binary := lookup{ecosystem: ecosystem, name: p.Name, version: p.Version, match: core.MatchExact}
	if p.Source == nil || p.Source.Name == "" || !advisory.IsDistribution(ecosystem) {
		return []lookup{binary}
	}
	source := lookup{ecosystem: ecosystem, name: p.Source.Name, version: p.Source.Version, match: core.MatchSource}
	if source.version == "" {
		source.version = p.Version
	}
	if source.name == p.Name {
		source.match = core.MatchExact
		return []lookup{source}
	}
	switch advisory.Family(ecosystem) {
	case "Debian", "Ubuntu", "Alpine", "Alpaquita", "BellSoft Hardened Containers", "Echo":
		return []lookup{source}
	}
	return []lookup{binary, source}
}

// namesakes returns what may be the same software under its bare name: a package that no advisories are published for,
// as the upstream application of that name, which Bitnami's advisories are about; and an npm package with capitals in
// its name, which new ones may not have, as the one without.
//
//   - https://github.com/bitnami/vulndb
//   - https://docs.npmjs.com/cli/v11/configuring-npm/package-json#name
func namesakes(set Advisories, p *core.Package, ecosystem string) []lookup {
	kind, _ := purlParts(p.Purl)
	switch lower := strings.ToLower(p.Name); {
	case ecosystem == "" && kind == "generic" && set.Covers("Bitnami"):
		return []lookup{{ecosystem: "Bitnami", name: p.Name, version: p.Version, match: core.MatchName}}
	case ecosystem == "npm" && lower != p.Name && set.Covers("npm"):
		return []lookup{{ecosystem: "npm", name: lower, version: p.Version, match: core.MatchName}}
	}
	return nil
}

// Names returns the ecosystems and names under which advisories may know a package.
func Names(p *core.Package) []advisory.PackageName {
	var out []advisory.PackageName
	for _, l := range lookups(p, ecosystemOf(p)) {
		out = append(out, advisory.PackageName{Ecosystem: l.ecosystem, Name: l.name})
	}
	return out
}
