package advisory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Set is an opened set of advisories. Shards are read and verified when a look-up first needs them, and kept. It is
// safe for concurrent use.
type Set struct {
	source     core.AdvisorySource
	descriptor descriptor // of the manifest
	from       blobs
	manifest   manifest
	index      *index
	tables     map[tableName]*tableOf
	z          *zstd.Decoder

	mu     sync.Mutex // guards loaded
	loaded map[int]*loading
}

type tableName struct {
	kind tableKind
	name string
}

// loading is a shard or filter that is being read, or was.
type loading struct {
	once   sync.Once
	shard  *shard
	filter *filter
	err    error
}

// openSet reads and verifies manifest and index.
func openSet(ctx context.Context, from blobs, d descriptor) (*Set, error) {
	raw, err := from.get(ctx, d, maxManifest)
	if err != nil {
		return nil, err
	}
	s := &Set{from: from, descriptor: d, tables: map[tableName]*tableOf{}, loaded: map[int]*loading{}}
	if err := json.Unmarshal(raw, &s.manifest); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if s.manifest.ArtifactType != ArtifactType {
		return nil, fmt.Errorf("the artifact type is %.80q, want %s", s.manifest.ArtifactType, ArtifactType)
	}
	if raw, err = from.get(ctx, s.manifest.Config, maxManifest); err != nil {
		return nil, err
	}
	var tables []*tableOf
	if s.index, tables, err = parseIndex(raw, len(s.manifest.Layers)); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	for _, t := range tables {
		s.tables[tableName{t.kind, t.name}] = t
	}
	if s.z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock)); err != nil {
		return nil, err
	}
	s.source = describeSource(d.Digest, &s.manifest, s.index)
	return s, nil
}

func describeSource(d core.Digest, m *manifest, ix *index) core.AdvisorySource {
	source := core.AdvisorySource{Digest: d, AsOf: ix.AsOf, Newest: ix.Newest, Records: ix.Records, Starter: ix.Selected}
	// A time that does not parse is unknown; the set's content does not depend on it.
	if built, err := time.Parse(time.RFC3339, m.Annotations[createdAnnotation]); err == nil {
		source.Built = built
	}
	for _, e := range ix.Ecosystems {
		if !e.known() {
			continue
		}
		source.Ecosystems = append(source.Ecosystems, e.Name)
		source.Ecosystems = append(source.Ecosystems, e.Releases...)
	}
	slices.Sort(source.Ecosystems)
	source.Ecosystems = slices.Compact(source.Ecosystems)
	for _, s := range ix.Sources {
		source.Sources = append(source.Sources, s.Name)
	}
	return source
}

// Source describes the set for evidence.
func (s *Set) Source() core.AdvisorySource {
	source := s.source
	notes := slices.DeleteFunc([]string{source.Note, s.index.unreadable()}, func(n string) bool { return n == "" })
	source.Note = strings.Join(notes, "; ")
	return source
}

// Description is all that a set says of itself.
type Description struct {
	core.AdvisorySource
	Ecosystems []EcosystemCount
	Dates      []Dated
	// Blobs and Bytes are those of the whole set, its manifest included.
	Blobs int
	Bytes int64
}

// Describe returns what the set says of itself.
func (s *Set) Describe() Description {
	d := Description{AdvisorySource: s.Source(), Ecosystems: s.index.Ecosystems, Dates: s.index.Sources, Blobs: 1,
		Bytes: s.descriptor.Size}
	for _, b := range s.blobs() {
		d.Blobs++
		d.Bytes += b.Size
	}
	return d
}

// blobs are the descriptors of all blobs but the manifest.
func (s *Set) blobs() []descriptor { return append(slices.Clone(s.manifest.Layers), s.manifest.Config) }

// Covers reports whether the set was built from the ecosystem's advisories and, for a distribution, whether they know
// the release.
func (s *Set) Covers(ecosystem string) bool {
	_, covered := Tables(ecosystem, s.source.Ecosystems)
	return covered
}

// Affected returns the advisories that name a package, as its ecosystem (with its release) writes it. An empty list
// means that the set knows none; what could not be read is an error.
func (s *Set) Affected(ctx context.Context, ecosystem, name string) ([]Affected, error) {
	canonical := Canonical(ecosystem)
	value, ok, err := s.find(ctx, packagesTable, canonical, NormalName(canonical, name))
	if !ok || err != nil {
		return nil, err
	}
	list, err := decodeList(canonical, value)
	if err != nil {
		return nil, fmt.Errorf("advisories of %s in %s: %w", name, canonical, err)
	}
	return list, nil
}

// Record returns what the set holds of an advisory that Affected named. It is an error if there is none.
func (s *Set) Record(ctx context.Context, ecosystem, id string) (Record, error) {
	r, ok, err := s.record(ctx, RecordName{Family(ecosystem), id})
	if err == nil && !ok {
		err = fmt.Errorf("advisory %s of %s is not in the set, though its packages are", id, Family(ecosystem))
	}
	return r, err
}

func (s *Set) record(ctx context.Context, n RecordName) (Record, bool, error) {
	value, ok, err := s.find(ctx, recordsTable, n.Family, n.ID)
	if !ok || err != nil {
		return Record{}, false, err
	}
	r, err := decodeRecord(n.ID, value)
	if err != nil {
		return Record{}, false, fmt.Errorf("advisory %s: %w", n.ID, err)
	}
	return r, true, nil
}

// Lookup returns the whole records of all advisories that name a package, affected or not.
func (s *Set) Lookup(ctx context.Context, ecosystem, name string) ([]Record, error) {
	list, err := s.Affected(ctx, ecosystem, name)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(list))
	for i, a := range list {
		if records[i], err = s.Record(ctx, ecosystem, a.ID); err != nil {
			return nil, err
		}
		records[i].Affected = a
	}
	return records, nil
}

// Facts returns what is known of a CVE; the zero value if nothing is.
func (s *Set) Facts(ctx context.Context, cve string) (Facts, error) {
	value, ok, err := s.find(ctx, factsTable, "", cve)
	if !ok || err != nil {
		return Facts{}, err
	}
	f, err := decodeFacts(value)
	if err != nil {
		return Facts{}, fmt.Errorf("facts of %s: %w", cve, err)
	}
	return f, nil
}

// EndOfLife returns the last day of free support of a distribution's release, by ID and VERSION_ID of os-release, as
// yyyy-mm-dd. It is not ok if no date is known, as for rolling releases.
func (s *Set) EndOfLife(ctx context.Context, distroID, versionID string) (date string, ok bool, err error) {
	if strings.Contains(versionID, "_alpha") {
		return "", false, nil // Alpine's edge calls itself the release that it will become
	}
	for release := versionID; ; {
		value, ok, err := s.find(ctx, eolTable, "", distroID+" "+release)
		if err != nil {
			return "", false, err
		}
		if ok {
			date, _, err := decodePair(value)
			return date, err == nil, err
		}
		i := strings.LastIndexByte(release, '.')
		if i < 0 {
			return "", false, nil
		}
		release = release[:i]
	}
}

// Keys name what is about to be looked up.
type Keys struct {
	Packages []PackageName
	Records  []RecordName
	CVEs     []string
}

// parallelLoads is how many blobs are read at a time: registries answer each in a round trip or two.
const parallelLoads = 8

// Prepare reads, several at a time, all that look-ups of these keys will need, so that none of them waits for the
// network alone.
func (s *Set) Prepare(ctx context.Context, k Keys) error {
	var wanted []keyPlace
	for _, p := range k.Packages {
		canonical := Canonical(p.Ecosystem)
		wanted = append(wanted, s.placeOf(packagesTable, canonical, NormalName(canonical, p.Name)))
	}
	for _, r := range k.Records {
		wanted = append(wanted, s.placeOf(recordsTable, r.Family, r.ID))
	}
	for _, cve := range k.CVEs {
		wanted = append(wanted, s.placeOf(factsTable, "", cve))
	}
	wanted = slices.DeleteFunc(wanted, func(p keyPlace) bool { return p.table == nil })
	var filters []loadable
	for _, p := range wanted {
		if p.table.filter > 0 {
			filters = append(filters, loadable{p.table, p.table.filter})
		}
	}
	if err := s.loadAll(ctx, filters); err != nil {
		return err
	}
	var shards []loadable
	for _, p := range wanted {
		layer, ok, err := s.layerOf(ctx, p)
		if err != nil {
			return err
		}
		if ok {
			shards = append(shards, loadable{p.table, layer})
		}
	}
	return s.loadAll(ctx, shards)
}

// keyPlace is where a key would be: its table, nil if the set has none, and its hash there.
type keyPlace struct {
	table *tableOf
	key   string
	hash  uint64
}

func (s *Set) placeOf(kind tableKind, table, key string) keyPlace {
	return keyPlace{s.tables[tableName{kind, table}], key, kind.hash(key)}
}

// loadable is a layer of a table.
type loadable struct {
	table *tableOf
	layer int
}

func (s *Set) loadAll(ctx context.Context, list []loadable) error {
	slices.SortFunc(list, func(a, b loadable) int { return cmp.Compare(a.layer, b.layer) })
	list = slices.CompactFunc(list, func(a, b loadable) bool { return a.layer == b.layer })
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLoads)
	for _, l := range list {
		group.Go(func() error { return s.load(ctx, l.table, l.layer).err })
	}
	return group.Wait()
}

// layerOf finds the layer that holds a key, unless the table's filter says that it lacks it.
func (s *Set) layerOf(ctx context.Context, p keyPlace) (int, bool, error) {
	layer, ok := p.table.layerOf(p.hash)
	if !ok || p.table.filter == 0 {
		return layer, ok, nil
	}
	l := s.load(ctx, p.table, p.table.filter)
	if l.err != nil {
		return 0, false, l.err
	}
	return layer, l.filter.mayHold(p.key), nil
}

// find looks a key up in a table.
func (s *Set) find(ctx context.Context, kind tableKind, table, key string) (value []byte, ok bool, err error) {
	p := s.placeOf(kind, table, key)
	if p.table == nil {
		return nil, false, nil
	}
	layer, ok, err := s.layerOf(ctx, p)
	if !ok || err != nil {
		return nil, false, err
	}
	l := s.load(ctx, p.table, layer)
	if l.err != nil {
		return nil, false, l.err
	}
	value, ok, err = l.shard.find(key, p.hash, s.z)
	if err != nil {
		return nil, false, fmt.Errorf("search %s: %w", s.tableOf(p.table), err)
	}
	return value, ok, nil
}

// tableOf names a table in errors.
func (s *Set) tableOf(t *tableOf) string {
	return strings.TrimSpace(fmt.Sprintf("the table of %s %s", t.kind, t.name)) + " of advisories " + s.source.Name
}

// load reads and verifies a layer once. A failure is not kept: the next look-up tries again.
func (s *Set) load(ctx context.Context, t *tableOf, layer int) *loading {
	s.mu.Lock()
	l := s.loaded[layer]
	if l == nil {
		l = &loading{}
		s.loaded[layer] = l
	}
	s.mu.Unlock()
	l.once.Do(func() {
		if l.shard, l.filter, l.err = s.read(ctx, t, layer); l.err != nil {
			l.err = fmt.Errorf("read %s: %w", s.tableOf(t), l.err)
		}
	})
	if l.err != nil {
		s.mu.Lock()
		if s.loaded[layer] == l {
			delete(s.loaded, layer)
		}
		s.mu.Unlock()
	}
	return l
}

func (s *Set) read(ctx context.Context, t *tableOf, layer int) (*shard, *filter, error) {
	raw, err := s.from.get(ctx, s.manifest.Layers[layer], maxShard)
	if err != nil {
		return nil, nil, err
	}
	if t.filter > 0 && layer == t.filter {
		f, err := decodeFilter(raw)
		return nil, f, err
	}
	sh, err := decodeShard(t.kind, raw)
	return sh, nil, err
}

// Verify reads the whole set and checks every blob against its digest, every shard against its form, and that every key
// is where it would be looked for. It keeps nothing of what it reads.
func (s *Set) Verify(ctx context.Context) error {
	for i := range s.index.Tables {
		t := s.tables[tableName{tableKinds()[s.index.Tables[i].Kind], s.index.Tables[i].Name}]
		if t == nil {
			continue
		}
		if err := s.verifyTable(ctx, t, s.index.Tables[i].Keys); err != nil {
			return fmt.Errorf("%s: %w", s.tableOf(t), err)
		}
	}
	return nil
}

func (s *Set) verifyTable(ctx context.Context, t *tableOf, want int) error {
	var f *filter
	if t.filter > 0 {
		var err error
		if _, f, err = s.read(ctx, t, t.filter); err != nil {
			return err
		}
	}
	keys := 0
	for _, layer := range t.layers() {
		if err := ctx.Err(); err != nil {
			return err
		}
		sh, _, err := s.read(ctx, t, layer)
		if err != nil {
			return err
		}
		err = sh.all(s.z, func(key string, _ []byte) error {
			keys++
			hash := t.kind.hash(key)
			if at, ok := t.layerOf(hash); !ok || at != layer || f != nil && !f.mayHold(key) {
				return fmt.Errorf("%w: %q is not where it would be looked for", errShard, key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if keys != want {
		return fmt.Errorf("it has %d keys, want %d", keys, want)
	}
	return nil
}
