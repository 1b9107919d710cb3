package vuln

import (
	"context"
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
	Affected(ctx context.Context, ecosystem, name string) ([]advisory.Affected, error)
	Record(ctx context.Context, ecosystem, id string) (advisory.Record, error)
	CVSS(ctx context.Context, cve string) ([]advisory.Vector, error)
	Exploited(ctx context.Context, cve string) (*core.Exploited, error)
	EPSS(ctx context.Context, cve string) (*core.EPSS, error)
	EndOfLife(ctx context.Context, distroID, versionID string) (date string, ok bool, err error)
}

// Match looks every visible package up and appends to e a finding for each flaw, a finding for each distribution
// beyond its support, and for each subject the examination of advisories. It sets e.Advisories and the end of life of
// distributions. An error means that the set could not be read; e is then as it was.
func Match(ctx context.Context, set Advisories, e *core.Evidence, now time.Time) error {
	m := matcher{set: set, known: map[identity]answer{}}
	var findings []core.Finding
	coverage := map[core.Digest]*coverage{}
	for _, s := range e.Subjects {
		if s.Kind != core.KindIndex {
			coverage[s.Digest] = newCoverage()
		}
	}
	for i := range e.Packages {
		p := &e.Packages[i]
		c := coverage[p.Subject]
		if c == nil {
			c = newCoverage()
			coverage[p.Subject] = c
		}
		if !p.Visible() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := m.packageFindings(ctx, p, c)
		if err != nil {
			return &core.Failure{Doing: "look up " + p.Purl, Err: err,
				Hint: "the set of advisories is damaged or incomplete: build or fetch it again"}
		}
		findings = append(findings, found...)
	}
	ended, ends, err := endsOfLife(ctx, set, e.Images, now)
	if err != nil {
		return &core.Failure{Doing: "look up the end of life of a distribution", Err: err,
			Hint: "the set of advisories is damaged or incomplete: build or fetch it again"}
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

// matcher remembers what it found out about a package, which every platform of an index asks again.
type matcher struct {
	set   Advisories
	known map[identity]answer
}

// identity is what the answer depends on.
type identity struct {
	ecosystem, name, version, source, sourceVersion string
}

// answer is what is known of a package: findings without subject and place, and advisories that could not be compared.
type answer struct {
	findings []core.Finding
	unclear  []string
}

func (m *matcher) packageFindings(ctx context.Context, p *core.Package, c *coverage) ([]core.Finding, error) {
	ecosystem := ecosystemOf(p)
	if !c.add(m.set, p, ecosystem) {
		return nil, nil
	}
	id := identity{ecosystem: ecosystem, name: p.Name, version: p.Version}
	if p.Source != nil {
		id.source, id.sourceVersion = p.Source.Name, p.Source.Version
	}
	a, ok := m.known[id]
	if !ok {
		var err error
		if a, err = m.ask(ctx, p, ecosystem); err != nil {
			return nil, err
		}
		m.known[id] = a
	}
	c.unclear = append(c.unclear, a.unclear...)
	out := make([]core.Finding, len(a.findings))
	for i, f := range a.findings {
		f.Subject = p.Subject
		f.Package = &core.PackageRef{Name: p.Name, Version: p.Version, Purl: p.Purl, Ecosystem: ecosystem}
		f.Locations, f.Origin = slices.Clone(p.Locations), p.Origin
		f.Aliases, f.SeenBy = slices.Clone(f.Aliases), slices.Clone(f.SeenBy)
		if p.Vendored {
			f.Match = core.MatchVendored
		}
		out[i] = f
	}
	return out, nil
}

// hit is one advisory that affects the package.
type hit struct {
	record   advisory.Record
	affected []advisory.Affected // what it says of the package, in all its parts
	version  string              // of the package or of its source
	match    core.Match
}

// ask finds the advisories that affect a package and makes findings of them.
func (m *matcher) ask(ctx context.Context, p *core.Package, ecosystem string) (answer, error) {
	var out answer
	var hits []hit
	for _, l := range lookups(p, ecosystem) {
		list, err := m.set.Affected(ctx, ecosystem, l.name)
		if err != nil {
			return answer{}, err
		}
		for len(list) > 0 {
			n := 1
			for n < len(list) && list[n].ID == list[0].ID {
				n++
			}
			parts := list[:n]
			list = list[n:]
			if slices.ContainsFunc(hits, func(h hit) bool { return h.record.ID == parts[0].ID }) {
				continue // the other name of the package met it
			}
			in, err := affects(parts, l.version)
			if err != nil {
				out.unclear = append(out.unclear, parts[0].ID+" and "+l.name+" "+quote(l.version)+": "+err.Error())
			}
			if in {
				hits = append(hits, hit{affected: parts, version: l.version, match: l.match})
				hits[len(hits)-1].record.ID = parts[0].ID
			}
		}
	}
	hits, err := m.withoutExtendedFixes(ctx, hits, ecosystem)
	if err != nil || len(hits) == 0 {
		return out, err
	}
	for i := range hits {
		if hits[i].record, err = m.set.Record(ctx, ecosystem, hits[i].record.ID); err != nil {
			return answer{}, err
		}
	}
	for _, g := range group(hits) {
		f, err := m.finding(ctx, g, p, ecosystem)
		if err != nil {
			return answer{}, err
		}
		out.findings = append(out.findings, f)
	}
	return out, nil
}

// affects reports whether any part of an advisory affects the version. Being affected for sure wins over doubt.
func affects(parts []advisory.Affected, version string) (bool, error) {
	var doubt error
	for _, a := range parts {
		in, err := a.Affects(version)
		if in {
			return true, nil
		}
		if err != nil {
			doubt = err
		}
	}
	return false, doubt
}

// lookup is a name under which advisories may know a package.
type lookup struct {
	name, version string
	match         core.Match
}

// lookups returns the names to try. Debian, Ubuntu and Alpine publish advisories about source packages only, and a
// binary
// package may have the name of another source. The rpm distributions and Wolfi publish about both.
func lookups(p *core.Package, ecosystem string) []lookup {
	binary := lookup{name: p.Name, version: p.Version, match: core.MatchExact}
	if p.Source == nil || p.Source.Name == "" || !advisory.IsDistribution(ecosystem) {
		return []lookup{binary}
	}
	source := lookup{name: p.Source.Name, version: p.Source.Version, match: core.MatchSource}
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
