package vuln

import (
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

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

// EcosystemOf returns the OSV ecosystem of a package, as it says it or by the type of its package URL; empty for none.
func EcosystemOf(p *core.Package) string { return ecosystemOf(p) }

// Names returns the ecosystems and names under which a set may know a package, and whether it covers its ecosystem.
func Names(set Advisories, p *core.Package) (names []advisory.PackageName, covered bool) {
	ecosystem := ecosystemOf(p)
	tables, covered := advisory.Tables(ecosystem, set.Source().Ecosystems)
	for _, l := range lookups(p, ecosystem, tables) {
		names = append(names, advisory.PackageName{Ecosystem: l.ecosystem, Name: l.name})
	}
	return names, covered
}
