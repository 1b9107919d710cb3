package advisory

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// packed is a record as a set holds it, before it has a place there: the values are encoded as soon as it is read, so
// that a build holds little more than what it will write.
type packed struct {
	id       string
	modified time.Time
	names    []string // other ids of the flaw
	cves     []string
	vectors  []Vector // of the one CVE that it is about, if it is about one
	shares   []share
	whole    *parsed // only if somebody selects
}

// share is what a record says of the packages of one family of ecosystems.
type share struct {
	family   string
	record   []byte
	affected []packedAffected
}

type packedAffected struct {
	ecosystem, key string // of the table of packages
	value          []byte
}

// pack encodes a record.
func (b *builder) pack(p parsed) *packed {
	r := p.record
	if b.FactsOnly {
		r.Summary, r.References = "", nil
	}
	out := &packed{id: r.ID, modified: r.Modified, cves: r.CVEs()}
	if !b.FactsOnly {
		out.names = slices.Concat(r.Aliases, r.Upstream, r.Related)
	}
	if len(out.cves) == 1 {
		out.vectors = cvssOf(&r, p.affected)
	}
	byFamily := map[string][]Affected{}
	for _, a := range p.affected {
		byFamily[Family(a.Ecosystem)] = append(byFamily[Family(a.Ecosystem)], a)
	}
	for _, family := range slices.Sorted(maps.Keys(byFamily)) {
		out.shares = append(out.shares, shareOf(family, r, byFamily[family], b.FactsOnly))
	}
	if b.Select != nil {
		out.whole = &p
	}
	return out
}

func shareOf(family string, r Record, affected []Affected, factsOnly bool) share {
	s := share{family: family}
	r.Packages = nil
	for i := range affected {
		a := &affected[i]
		s.affected = append(s.affected, packedAffected{a.Ecosystem, NormalName(a.Ecosystem, a.Name), encodeAffected(a)})
		if !factsOnly {
			r.Packages = append(r.Packages, PackageName{a.Ecosystem, a.Name})
		}
	}
	slices.SortFunc(r.Packages, func(a, b PackageName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ecosystem, b.Ecosystem))
	})
	r.Packages = slices.Compact(r.Packages)
	s.record = encodeRecord(&r)
	return s
}

// cvssOf returns the CVSS vectors of a record.
func cvssOf(r *Record, affected []Affected) []Vector {
	all := slices.Clone(r.Severity)
	for _, a := range affected {
		all = append(all, a.Severity...)
	}
	return slices.DeleteFunc(all, func(v Vector) bool { return !strings.HasPrefix(v.Type, "CVSS_") })
}

// claim is one record for the packages of one family. The family's own export is believed before others, then the
// newest.
type claim struct {
	*share
	from *export
	of   *packed
}

func (c claim) better(d claim) bool {
	own, other := Family(c.from.count.Name) == c.family, Family(d.from.count.Name) == d.family
	if own != other {
		return own
	}
	return c.of.modified.After(d.of.modified)
}

// claims resolves records that several exports hold, and returns them in order of family and id.
func (b *builder) claims() []claim {
	best := map[RecordName]claim{}
	for _, x := range b.read {
		for _, p := range x.records {
			for i := range p.shares {
				c := claim{share: &p.shares[i], from: x, of: p}
				key := RecordName{c.family, p.id}
				if known, ok := best[key]; !ok || c.better(known) {
					best[key] = c
				}
			}
		}
	}
	list := slices.Collect(maps.Values(best))
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.of.id, b.of.id))
	})
	return list
}

// choose asks which packages of a claim go into the set. It reports false for none.
func (b *builder) choose(c claim) (claim, bool) {
	if b.Select == nil {
		return c, true
	}
	var own []Affected
	for _, a := range c.of.whole.affected {
		if Family(a.Ecosystem) == c.family {
			own = append(own, a)
		}
	}
	r := c.of.whole.record
	chosen := b.Select(r, own)
	if len(chosen) == 0 {
		return claim{}, false
	}
	if b.FactsOnly {
		r.Summary, r.References = "", nil
	}
	s := shareOf(c.family, r, chosen, b.FactsOnly)
	c.share = &s
	return c, true
}

// table is a map from keys to values, before it is cut into shards.
type table struct {
	kind    tableKind
	name    string
	entries []entry
}

func (t *table) add(key string, value []byte) {
	t.entries = append(t.entries, entry{hash: t.kind.hash(key), key: key, value: value})
}

// gathered is what all records say together.
type gathered struct {
	records  []table
	packages map[string]map[string][][]byte // values by ecosystem and key
	names    map[string][]RecordName        // records by another name of theirs
	vectors  map[string][]Vector            // by CVE
	cves     map[string]bool
	ids      map[string]bool
}

// tables makes all tables, in their order in the index.
func (b *builder) tables() []table {
	g := gathered{packages: map[string]map[string][][]byte{}, names: map[string][]RecordName{},
		vectors: map[string][]Vector{}, cves: map[string]bool{}, ids: map[string]bool{}}
	claims := b.claims()
	if b.Select != nil { // what is left out is not in the set
		for _, x := range b.read {
			x.count.Records, x.count.Newest = 0, time.Time{}
		}
	}
	for _, c := range claims {
		if c, ok := b.choose(c); ok {
			g.add(c)
			if b.Select != nil && c.family == Family(c.from.count.Name) {
				c.from.chosen(c.of, b.believes(c.of.modified))
			}
			if b.believes(c.of.modified) && c.of.modified.After(b.index.Newest) {
				b.index.Newest = c.of.modified
			}
		}
	}
	b.index.Records = len(g.ids)
	b.describe(&g)
	return slices.Concat(g.records, g.packageTables(), []table{g.idTable(), b.facts(&g), b.ends()})
}

// chosen counts a record that is in the set.
func (x *export) chosen(p *packed, dated bool) {
	x.count.Records++
	if dated && p.modified.After(x.count.Newest) {
		x.count.Newest = p.modified
	}
}

// add takes a claim in. Claims come in order, so that everything does.
func (g *gathered) add(c claim) {
	id := c.of.id
	if len(g.records) == 0 || g.records[len(g.records)-1].name != c.family {
		g.records = append(g.records, table{kind: recordsTable, name: c.family})
	}
	g.records[len(g.records)-1].add(id, c.record)
	g.ids[id] = true
	for _, a := range c.affected {
		byKey := g.packages[a.ecosystem]
		if byKey == nil {
			byKey = map[string][][]byte{}
			g.packages[a.ecosystem] = byKey
		}
		byKey[a.key] = append(byKey[a.key], a.value)
	}
	for _, n := range c.of.names {
		g.names[n] = append(g.names[n], RecordName{c.family, id})
	}
	for _, cve := range c.of.cves {
		g.cves[cve] = true
	}
	if len(c.of.cves) == 1 {
		g.vectors[c.of.cves[0]] = append(g.vectors[c.of.cves[0]], c.of.vectors...)
	}
}

// describe writes into the index what is in the set, and how old it is.
func (b *builder) describe(g *gathered) {
	releases := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(g.packages)) {
		if name != Family(name) {
			releases[Family(name)] = append(releases[Family(name)], name)
		}
	}
	for _, x := range b.read {
		count := x.count
		count.Releases = releases[Family(count.Name)]
		b.index.Ecosystems = append(b.index.Ecosystems, count)
		if at := count.Exported; !at.IsZero() && (b.index.AsOf.IsZero() || at.Before(b.index.AsOf)) {
			b.index.AsOf = at
		}
	}
	if b.index.AsOf.IsZero() {
		b.index.AsOf = b.index.Newest
	}
	b.index.Sources[0].Date = dateOf(b.index.AsOf)
	b.index.Selected = b.Select != nil
}

func dateOf(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}

func (g *gathered) packageTables() []table {
	var out []table
	for _, ecosystem := range slices.Sorted(maps.Keys(g.packages)) {
		t := table{kind: packagesTable, name: ecosystem}
		for key, values := range g.packages[ecosystem] {
			t.add(key, encodeList(values))
		}
		out = append(out, t)
	}
	return out
}

func (g *gathered) idTable() table {
	t := table{kind: idsTable}
	for name, records := range g.names {
		t.add(name, encodeNames(slices.Compact(records)))
	}
	return t
}

// facts makes the table about CVEs, for those that some record names.
func (b *builder) facts(g *gathered) table {
	t := table{kind: factsTable}
	for cve := range g.cves {
		f := Facts{Vectors: g.vectors[cve]}
		slices.SortFunc(f.Vectors, func(a, b Vector) int {
			return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Score, b.Score))
		})
		f.Vectors = slices.Compact(f.Vectors)
		if e, ok := b.lists.kev[cve]; ok {
			f.Exploited = &core.Exploited{Since: e.Since, Ransomware: e.Ransomware}
		}
		if e, ok := b.lists.epss[cve]; ok {
			f.EPSS = &core.EPSS{Score: e.Score, Percentile: e.Percentile}
		}
		if len(f.Vectors) > 0 || f.Exploited != nil || f.EPSS != nil {
			t.add(cve, encodeFacts(&f))
		}
	}
	return t
}

// ends makes the table of ends of life.
func (b *builder) ends() table {
	t := table{kind: eolTable}
	for release, v := range b.lists.eol {
		t.add(release, encodePair(v[0], v[1]))
	}
	return t
}
