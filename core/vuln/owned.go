package vuln

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// A distribution's package of a Python project brings the metadata that Python's own tools read, so the project is
// there twice: once as the distribution's package and once as PyPI's. PyPI's advisories go by the version of upstream,
// which does not change when the distribution mends a flaw in it.
//
// So where the set's advisories for the first are about the same flaw it is they that decide, by the version of a
// package that is looked up like any other: the finding about the second is one with the finding about the first, or
// says that the distributor does not call its build affected. Lists of files are not asked: who can write one could
// claim any file with it. A package of a distribution that somebody forges for the purpose has to be of the same project
// and the same version of upstream, and is itself found vulnerable where the distribution has not mended that version;
// and a flaw that the distribution's advisories do not know is found as before.

// pythonDirectory is where distributions, and hardly anybody else, put Python projects.
var pythonDirectory = regexp.MustCompile(`^usr/lib(?:64)?/python[0-9.]*/(?:dist|site)-packages/`)

// leaveToOwners lets distributions' advisories decide about the Python projects that their packages brought. Of a flaw
// that is found of both, the finding about the package remains.
func (m *matcher) leaveToOwners(ctx context.Context, packages []core.Package, findings []core.Finding) ([]core.Finding, error) {
	bySubject := make(map[core.Digest][]*core.Package)
	for i := range packages {
		p := &packages[i]
		if kind, _ := purlParts(p.Purl); p.Visible() && osPackage(kind) && m.tablesOf(ecosystemOf(p)).covered {
			bySubject[p.Subject] = append(bySubject[p.Subject], p)
		}
	}
	ownersOf := make([][]*core.Package, len(findings))
	known := make(map[*core.Package]flawIDs)
	for i, f := range findings {
		if !ofPythonDirectory(f) {
			continue
		}
		for _, p := range bySubject[f.Subject] {
			if owns(p, f.Package) {
				ownersOf[i] = append(ownersOf[i], p)
				known[p] = flawIDs{}
			}
		}
	}
	if err := m.learnFlaws(ctx, known); err != nil {
		return nil, err
	}
	var kept []core.Finding
	for i, f := range findings {
		owner := slices.IndexFunc(ownersOf[i], func(p *core.Package) bool { return known[p].has(f) })
		if owner < 0 {
			kept = append(kept, f)
			continue
		}
		p := ownersOf[i][owner]
		if !slices.ContainsFunc(findings, func(other core.Finding) bool { return isAbout(other, p) && sameFlaw(other, f) }) {
			f.Fix = core.Fix{State: core.FixNotAffected,
				Text: fmt.Sprintf("%s %s brought it, which the advisories of %s do not call affected", p.Name, p.Version, ecosystemOf(p))}
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// flawIDs are all names of some flaws.
type flawIDs map[string]bool

func (ids flawIDs) has(f core.Finding) bool {
	return ids[f.Rule] || slices.ContainsFunc(f.Aliases, func(id string) bool { return ids[id] })
}

func sameFlaw(a, b core.Finding) bool {
	ids := flawIDs{a.Rule: true}
	for _, id := range a.Aliases {
		ids[id] = true
	}
	return ids.has(b)
}

func isAbout(f core.Finding, p *core.Package) bool {
	return f.Subject == p.Subject && f.Package != nil && f.Package.Purl == p.Purl
}

// ofPythonDirectory reports whether a finding is about a Python project that is nowhere but where distributions put them.
func ofPythonDirectory(f core.Finding) bool {
	if f.Package == nil || f.Package.Ecosystem != "PyPI" || f.Kind != core.KindVulnerability || len(f.Locations) == 0 {
		return false
	}
	return !slices.ContainsFunc(f.Locations, func(l core.Location) bool { return !pythonDirectory.MatchString(l.Path) })
}

// learnFlaws fills in for each package the ids of all flaws that advisories are about by its names.
func (m *matcher) learnFlaws(ctx context.Context, known map[*core.Package]flawIDs) error {
	names := make(map[*core.Package][]advisory.PackageName, len(known))
	var keys advisory.Keys
	for p := range known {
		ecosystem := ecosystemOf(p)
		for _, l := range lookups(p, ecosystem, m.tablesOf(ecosystem).names) {
			names[p] = append(names[p], advisory.PackageName{Ecosystem: l.ecosystem, Name: l.name})
		}
		keys.Packages = append(keys.Packages, names[p]...)
	}
	if err := m.set.Prepare(ctx, keys); err != nil {
		return err
	}
	keys = advisory.Keys{}
	records := make(map[*core.Package][]advisory.RecordName, len(known))
	for p, list := range names {
		for _, n := range list {
			affected, err := m.set.Affected(ctx, n.Ecosystem, n.Name)
			if err != nil {
				return err
			}
			for _, a := range affected {
				records[p] = append(records[p], advisory.RecordName{Family: advisory.Family(n.Ecosystem), ID: a.ID})
			}
		}
		keys.Records = append(keys.Records, records[p]...)
	}
	if err := m.set.Prepare(ctx, keys); err != nil {
		return err
	}
	for p, list := range records {
		for _, n := range list {
			r, err := m.set.Record(ctx, n.Family, n.ID)
			if err != nil {
				return err
			}
			for _, id := range slices.Concat([]string{r.ID}, r.Aliases, r.Upstream, r.Related) {
				known[p][id] = true
			}
		}
	}
	return nil
}

// owns reports whether a distribution's package is of the project and of the same version.
func owns(p *core.Package, project *core.PackageRef) bool {
	name := p.Name
	if p.Source != nil && p.Source.Name != "" {
		name = p.Source.Name
	}
	return sameProject(name, project.Name) && upstreamVersion(p.Version) == project.Version
}

var (
	pythonSeparators = regexp.MustCompile(`[-_.]+`)
	pythonPrefix     = regexp.MustCompile(`^(?:(?:platform-)?python[0-9.]*|py[0-9]*)-`)
)

// sameProject compares the name of a distribution's package, such as python-urllib3, py3-yaml or python-nacl, with that
// of a project: urllib3, PyYAML, PyNaCl.
//
//   - https://peps.python.org/pep-0503/#normalized-names
//   - https://www.debian.org/doc/packaging-manuals/python-policy/#module-package-names
func sameProject(distributions, project string) bool {
	d, p := strings.ToLower(distributions), strings.ToLower(project)
	plain := pythonPrefix.ReplaceAllString(d, "")
	normal := func(s string) string { return pythonSeparators.ReplaceAllString(s, "-") }
	p = normal(p)
	return p == normal(d) || plain != "" && (p == normal(plain) || p == "py"+normal(plain))
}

var repacked = regexp.MustCompile(`[+~][a-z].*$`)

// upstreamVersion leaves out what distributions add to a version: the epoch, the revision, and the mark of a source
// that was repacked, as in 1:2.28.1+dfsg-1.
func upstreamVersion(v string) string {
	if _, after, ok := strings.Cut(v, ":"); ok {
		v = after
	}
	if i := strings.LastIndexByte(v, '-'); i > 0 {
		v = v[:i]
	}
	return repacked.ReplaceAllString(v, "")
}
