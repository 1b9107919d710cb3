package vuln

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// Advisories is the set of advisories to match against. An empty answer means that nothing is known; what could not be
// read is an error. *advisory.Set is one.
type Advisories interface {
	Source() core.AdvisorySource
	// Covers reports whether the set holds an ecosystem's advisories, for a distribution those of the release.
	Covers(ecosystem string) bool
	// Prepare is told what is about to be looked up, to fetch it together.
	Prepare(ctx context.Context, k advisory.Keys) error
	Affected(ctx context.Context, ecosystem, name string) ([]advisory.Affected, error)
	Record(ctx context.Context, ecosystem, id string) (advisory.Record, error)
	Facts(ctx context.Context, cve string) (advisory.Facts, error)
	EndOfLife(ctx context.Context, distroID, versionID string) (date string, ok bool, err error)
}

// Match looks every visible package up and appends to e a finding for each flaw, a finding for each distribution
// beyond its support, and for each subject the examination of advisories. It sets e.Advisories and the end of life of
// distributions. An error means that the set could not be read; e is then as it was.
func Match(ctx context.Context, set Advisories, e *core.Evidence, now time.Time) error {
	m := newMatcher(set)
	return m.match(ctx, e, now)
}

func newMatcher(set Advisories) matcher {
	return matcher{set: set, tables: map[string]tables{}, known: map[identity]*answer{}}
}

func (m *matcher) match(ctx context.Context, e *core.Evidence, now time.Time) error {
	const hint = "the set of advisories is damaged, incomplete or out of reach: fetch or build it again"
	set := m.set
	coverage := map[core.Digest]*coverage{}
	for _, s := range e.Subjects {
		if s.Kind != core.KindIndex {
			coverage[s.Digest] = newCoverage()
		}
	}
	asked := make([]*answer, len(e.Packages))
	for i := range e.Packages {
		p := &e.Packages[i]
		if coverage[p.Subject] == nil {
			coverage[p.Subject] = newCoverage()
		}
		if p.Visible() {
			asked[i] = m.question(p, coverage[p.Subject])
		}
	}
	if err := m.answer(ctx); err != nil {
		return &core.Failure{Doing: "look the packages up", Err: err, Hint: hint}
	}
	var findings []core.Finding
	for i, a := range asked {
		if a != nil {
			p := &e.Packages[i]
			coverage[p.Subject].unclear = append(coverage[p.Subject].unclear, a.unclear...)
			findings = append(findings, a.about(p)...)
		}
	}
	findings, err := m.leaveToOwners(ctx, e.Packages, findings)
	if err != nil {
		return &core.Failure{Doing: "look up whose Python projects these are", Err: err, Hint: hint}
	}
	ended, ends, err := endsOfLife(ctx, set, e.Images, now)
	if err != nil {
		return &core.Failure{Doing: "look up the end of life of a distribution", Err: err, Hint: hint}
	}
	for i, date := range ends {
		if date != "" {
			e.Images[i].Distro.EndOfLife = date
		}
	}
	e.Advisories = set.Source()
	e.Findings = append(append(e.Findings, findings...), ended...)
	e.Examinations = append(e.Examinations, examinations(e.Advisories, e.Subjects, coverage)...)
	return nil
}

// matcher gathers questions, each asked once although every platform of an index asks it again, and answers them in
// stages, so that what a stage needs from afar is fetched together.
type matcher struct {
	set     Advisories
	tables  map[string]tables // by ecosystem of packages
	known   map[identity]*answer
	answers []*answer // in the order of asking
}

// identity is what the answer depends on.
type identity struct {
	ecosystem, name, version, module, source, sourceVersion string
}

// tables are those of the set that may be about the packages of an ecosystem.
type tables struct {
	names   []string
	covered bool // by what they need
}

func (m *matcher) tablesOf(ecosystem string) tables {
	t, ok := m.tables[ecosystem]
	if !ok {
		t.names, t.covered = advisory.Tables(ecosystem, m.set.Source().Ecosystems)
		m.tables[ecosystem] = t
	}
	return t
}

// answer is what is known of a package: findings without subject and place, and advisories that could not be compared.
type answer struct {
	pkg       *core.Package // one of those that ask
	ecosystem string
	lookups   []lookup
	hits      []hit
	// cleared are advisories of streams of extended support that the version has the fixes of.
	cleared  []advisory.RecordName
	flaws    []flaw
	findings []core.Finding
	unclear  []string
}

// question returns the answer to be to what is asked about a package, or nil if it cannot be looked up.
func (m *matcher) question(p *core.Package, c *coverage) *answer {
	ecosystem := ecosystemOf(p)
	t := m.tablesOf(ecosystem)
	c.add(p, ecosystem, t.covered)
	list := append(lookups(p, ecosystem, t.names), namesakes(m.set, p, ecosystem)...)
	if len(list) == 0 {
		return nil
	}
	id := identity{ecosystem: ecosystem, name: p.Name, version: p.Version, module: p.Module}
	if p.Source != nil {
		id.source, id.sourceVersion = p.Source.Name, p.Source.Version
	}
	a := m.known[id]
	if a == nil {
		a = &answer{pkg: p, ecosystem: ecosystem, lookups: list}
		m.known[id] = a
		m.answers = append(m.answers, a)
	}
	return a
}

// answer finds the advisories that affect the packages and makes findings of them.
func (m *matcher) answer(ctx context.Context) error {
	var keys advisory.Keys
	for _, a := range m.answers {
		for _, l := range a.lookups {
			keys.Packages = append(keys.Packages, advisory.PackageName{Ecosystem: l.ecosystem, Name: l.name})
		}
	}
	if err := m.set.Prepare(ctx, keys); err != nil {
		return err
	}
	keys = advisory.Keys{}
	for _, a := range m.answers {
		if err := m.meet(ctx, a); err != nil {
			return fmt.Errorf("%s: %w", a.pkg.Purl, err)
		}
		for _, h := range a.hits {
			keys.Records = append(keys.Records, advisory.RecordName{Family: advisory.Family(h.affected[0].Ecosystem), ID: h.record.ID})
		}
		if len(a.hits) > 0 {
			keys.Records = append(keys.Records, a.cleared...)
		}
	}
	if err := m.set.Prepare(ctx, keys); err != nil {
		return err
	}
	keys = advisory.Keys{}
	for _, a := range m.answers {
		if err := m.join(ctx, a); err != nil {
			return fmt.Errorf("%s: %w", a.pkg.Purl, err)
		}
		for i := range a.flaws {
			keys.CVEs = append(keys.CVEs, a.flaws[i].cves()...)
		}
	}
	if err := m.set.Prepare(ctx, keys); err != nil {
		return err
	}
	for _, a := range m.answers {
		for _, f := range a.flaws {
			finding, err := m.finding(ctx, f, a.pkg, a.ecosystem)
			if err != nil {
				return fmt.Errorf("%s: %w", a.pkg.Purl, err)
			}
			a.findings = append(a.findings, finding)
		}
	}
	return nil
}

// about returns the findings for one of the packages that asked.
func (a *answer) about(p *core.Package) []core.Finding {
	out := make([]core.Finding, len(a.findings))
	for i, f := range a.findings {
		f.Subject = p.Subject
		f.Package = &core.PackageRef{Name: p.Name, Version: p.Version, Purl: p.Purl, Ecosystem: a.ecosystem}
		f.Locations, f.Origin = slices.Clone(p.Locations), p.Origin
		f.Aliases, f.SeenBy = slices.Clone(f.Aliases), slices.Clone(f.SeenBy)
		if p.Vendored {
			f.Match, f.Confidence = core.MatchVendored, min(f.Confidence, core.ConfidenceMedium)
		}
		out[i] = f
	}
	return out
}

// hit is one advisory that affects the package.
type hit struct {
	record   advisory.Record
	affected []advisory.Affected // what it says of the package, in all its parts
	version  string              // of the package or of its source
	match    core.Match
	// unsure says that the advisory may be about another build of the package.
	unsure bool
}

// meet finds the advisories that affect a package. Of their records only the ids are known then.
func (m *matcher) meet(ctx context.Context, a *answer) error {
	for _, l := range a.lookups {
		list, err := m.set.Affected(ctx, l.ecosystem, l.name)
		if err != nil {
			return err
		}
		for len(list) > 0 {
			n := 1
			for n < len(list) && list[n].ID == list[0].ID {
				n++
			}
			parts := list[:n]
			list = list[n:]
			if slices.ContainsFunc(a.hits, func(h hit) bool { return h.record.ID == parts[0].ID }) {
				continue // another name of the package met it
			}
			h, in, err := l.meets(parts, a.pkg.Module)
			if err != nil {
				a.unclear = append(a.unclear, parts[0].ID+" and "+l.name+" "+quote(l.version)+": "+err.Error())
			}
			switch {
			case in:
				a.hits = append(a.hits, h)
			case err == nil && len(h.affected) > 0 && advisory.IsExtended(l.ecosystem):
				a.cleared = append(a.cleared, advisory.RecordName{Family: advisory.Family(l.ecosystem), ID: h.record.ID})
			}
		}
	}
	var err error
	a.hits, err = m.withoutExtendedFixes(ctx, a.hits, a.ecosystem)
	return err
}

// join reads the records of the hits and joins those that are about one flaw.
func (m *matcher) join(ctx context.Context, a *answer) error {
	for i := range a.hits {
		h := &a.hits[i]
		var err error
		if h.record, err = m.set.Record(ctx, h.affected[0].Ecosystem, h.record.ID); err != nil {
			return err
		}
	}
	a.flaws = group(a.hits)
	return m.withoutStreamFixes(ctx, a)
}

// affects reports whether any part of an advisory affects the version. Being affected for sure wins over doubt.
func affects(parts []advisory.Affected, version string) (bool, error) {
	var doubt error
	version = withoutBuild(version)
	for _, a := range parts {
		in, err := withoutBuilds(a).Affects(version)
		if in {
			return true, nil
		}
		if err != nil {
			doubt = err
		}
	}
	return false, doubt
}

// withoutExtendedFixes drops what Ubuntu Pro has fixed in the version installed: the advisories of the plain release
// say that there is no fix, those of Pro name it.
func (m *matcher) withoutExtendedFixes(ctx context.Context, hits []hit, ecosystem string) ([]hit, error) {
	release, ok := strings.CutPrefix(ecosystem, "Ubuntu:")
	if !ok || strings.HasPrefix(release, "Pro:") {
		return hits, nil
	}
	var kept []hit
	for _, h := range hits {
		if strings.Contains(h.version, "esm") {
			pro, err := m.set.Affected(ctx, "Ubuntu:Pro:"+release, h.affected[0].Name)
			if err != nil {
				return nil, err
			}
			pro = slices.DeleteFunc(pro, func(a advisory.Affected) bool { return a.ID != h.record.ID })
			if in, err := affects(pro, h.version); len(pro) > 0 && !in && err == nil {
				continue
			}
		}
		kept = append(kept, h)
	}
	return kept, nil
}
