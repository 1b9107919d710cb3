package advisory

import (
	"archive/zip"
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory/version"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// BuildOptions say what a set is built from.
type BuildOptions struct {
	// From is a directory in the layout of the public OSV bucket: ecosystems.txt and <Ecosystem>/all.zip. Without
	// ecosystems.txt every directory with an all.zip counts.
	// https://google.github.io/osv.dev/data/
	From string
	// KEV, EPSS and EndOfLife are CISA's catalog (JSON), FIRST's scores (CSV, .gz or not) and a table of releases (CSV).
	// Empty means kev.json, epss.csv.gz or epss.csv, and eol-distros.csv in From or beside it, where they exist.
	KEV, EPSS, EndOfLife string
	// Now is written down as the time of the build. The zero time writes none.
	Now time.Time
	// Limits bound each record (MetadataSize) and the records of one export (Entries).
	Limits limit.Limits
	// Parallel is how many records are read at a time; 0 means as many as processors.
	Parallel int
	// Progress is told what is being done, one line at a time; nil for nothing. It is called by one goroutine at a time.
	Progress func(string)
	// Select, if set, says which of the packages that a record affects go into the set; the set is then marked as a
	// choice, which can find but not clear. It is called in one order, by one goroutine.
	Select func(r Record, affected []Affected) []Affected
	// FactsOnly leaves out summaries and references.
	FactsOnly bool
}

// BuildReport says what came of a build.
type BuildReport struct {
	Digest  core.Digest // of the manifest
	Records int         // in the set
	// Ecosystems as exported, sorted by name.
	Ecosystems []EcosystemCount
	// Unreadable names each record that does not parse, and why: "Debian: DSA-1.json: …".
	Unreadable []string
	Sources    []Dated
	Shards     int
	// Bytes is the size of all blobs of the set; Written those that were not there before.
	Bytes, Written int64
	Elapsed        time.Duration
}

// Build reads OSV exports and makes the OCI layout in the directory out hold their set. It replaces a set that is
// there, at once and last, reusing the shards that did not change; whatever else it finds there is an error. The same
// input gives the same digest.
func Build(ctx context.Context, o BuildOptions, out string) (BuildReport, error) {
	started := time.Now()
	b := builder{BuildOptions: o, index: index{Format: indexFormat}}
	b.Limits = o.Limits.Filled()
	if b.Parallel <= 0 {
		b.Parallel = runtime.GOMAXPROCS(0)
	}
	if b.Progress == nil {
		b.Progress = func(string) {}
	}
	if err := b.build(ctx, out); err != nil {
		var known *core.Failure
		if errors.As(err, &known) {
			return BuildReport{}, err
		}
		return BuildReport{}, &core.Failure{Doing: "build advisories from " + o.From, Err: err}
	}
	b.report.Elapsed = time.Since(started)
	return b.report, nil
}

type builder struct {
	BuildOptions
	exports []*export
	kev     map[string][2]string
	epss    map[string][2]string
	eol     map[string][2]string
	index   index
	report  BuildReport
}

// export is what one all.zip holds.
type export struct {
	count   EcosystemCount
	records []parsed
	bad     []string
}

func (b *builder) build(ctx context.Context, out string) error {
	names, err := b.ecosystems()
	if err != nil {
		return err
	}
	if err := b.readSources(); err != nil {
		return err
	}
	for _, name := range names {
		x, err := b.readExport(ctx, name)
		if err != nil {
			return err
		}
		b.exports = append(b.exports, x)
		b.report.Unreadable = append(b.report.Unreadable, x.bad...)
		b.Progress(fmt.Sprintf("read %s: %d records", name, x.count.Records))
	}
	tables := b.tables()
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.write(ctx, tables, out)
}

// ecosystems returns the names of the exports, sorted.
func (b *builder) ecosystems() ([]string, error) {
	listed, err := readLines(filepath.Join(b.From, "ecosystems.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		found, err := filepath.Glob(filepath.Join(b.From, "*", "all.zip"))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			listed = append(listed, filepath.Base(filepath.Dir(f)))
		}
	} else if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range listed {
		if strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("ecosystems.txt: %.60q is not the name of an ecosystem", name)
		}
		// The bucket also lists what holds no packages, and releases whose records their ecosystem's export holds too.
		if name == "GIT" || name == "[EMPTY]" || Family(name) != name && slices.Contains(listed, Family(name)) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil, &core.Failure{Doing: "build advisories from " + b.From, Usage: true,
			Err:  errors.New("it has no ecosystems.txt and no <Ecosystem>/all.zip"),
			Hint: "name a directory that holds OSV exports as gs://osv-vulnerabilities has them"}
	}
	return names, nil
}

func readLines(name string) ([]string, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return lines, nil
}

func (b *builder) readSources() (err error) {
	b.index.Sources = append(b.index.Sources, Dated{Name: "OSV"})
	if name := b.source(b.KEV, "kev.json"); name != "" {
		s := Dated{Name: "CISA KEV"}
		if s.Date, b.kev, err = readKEV(name); err != nil {
			return err
		}
		b.index.Sources = append(b.index.Sources, s)
	}
	if name := b.source(b.EPSS, "epss.csv.gz", "epss.csv"); name != "" {
		s := Dated{Name: "EPSS"}
		if s.Date, b.epss, err = readEPSS(name); err != nil {
			return err
		}
		b.index.Sources = append(b.index.Sources, s)
	}
	if name := b.source(b.EndOfLife, "eol-distros.csv"); name != "" {
		if b.eol, err = readEOL(name); err != nil {
			return err
		}
		b.index.Sources = append(b.index.Sources, Dated{Name: "end of life"})
	}
	return nil
}

// source returns the path of an optional source: as given, or where it lies in or beside the exports.
func (b *builder) source(given string, names ...string) string {
	if given != "" {
		return given
	}
	for _, dir := range []string{b.From, filepath.Dir(filepath.Clean(b.From))} {
		for _, name := range names {
			if p := filepath.Join(dir, name); isFile(p) {
				return p
			}
		}
	}
	return ""
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// outcome is what became of one file of an export.
type outcome struct {
	parsed parsed
	err    error
}

func (b *builder) readExport(ctx context.Context, name string) (*export, error) {
	archive := filepath.Join(b.From, name, "all.zip")
	z, err := zip.OpenReader(archive)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &core.Failure{Doing: "build advisories from " + b.From, Usage: true,
			Err:  fmt.Errorf("ecosystems.txt lists %s, but %s does not exist", name, archive),
			Hint: "download it, or take the ecosystem out of ecosystems.txt"}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	defer z.Close()
	if int64(len(z.File)) > b.Limits.Entries {
		return nil, &limit.Exceeded{Limit: "entries", Max: b.Limits.Entries, Unit: "entries", What: archive}
	}
	outcomes := make([]outcome, len(z.File))
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range b.Parallel {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(z.File); i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				outcomes[i].parsed, outcomes[i].err = b.readRecord(z.File[i])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read %s: %w", archive, err)
	}
	return collect(name, z.File, outcomes), nil
}

// errNoRecord marks a file that is none, such as a directory.
var errNoRecord = errors.New("not a record")

func (b *builder) readRecord(f *zip.File) (parsed, error) {
	if !strings.HasSuffix(f.Name, ".json") || f.FileInfo().IsDir() {
		return parsed{}, errNoRecord
	}
	r, err := f.Open()
	if err != nil {
		return parsed{}, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, b.Limits.MetadataSize+1))
	if err != nil {
		return parsed{}, err
	}
	if int64(len(raw)) > b.Limits.MetadataSize {
		return parsed{}, &limit.Exceeded{Limit: "metadata-size", Max: b.Limits.MetadataSize, Unit: "bytes"}
	}
	p, err := parse(raw)
	if err != nil {
		return parsed{}, err
	}
	for i := range p.affected {
		p.affected[i].dropCovered()
	}
	return p, nil
}

// notSecurity are advisories about bugs and enhancements, which rpm distributions publish beside those about flaws.
var notSecurity = regexp.MustCompile(`^(AL|RH|RL|EL)(BA|EA)-`)

func collect(name string, files []*zip.File, outcomes []outcome) *export {
	x := &export{count: EcosystemCount{Name: name}}
	for i, o := range outcomes {
		switch {
		case errors.Is(o.err, errNoRecord):
		case errors.Is(o.err, errWithdrawn):
			x.count.Withdrawn++
		case o.err != nil:
			x.count.Unreadable++
			x.bad = append(x.bad, fmt.Sprintf("%s: %.200q: %v", name, files[i].Name, o.err))
		case len(o.parsed.affected) == 0, notSecurity.MatchString(o.parsed.record.ID) && len(o.parsed.record.CVEs()) == 0:
			x.count.Other++
		default:
			x.count.Records++
			x.records = append(x.records, o.parsed)
		}
	}
	slices.Sort(x.bad)
	slices.SortStableFunc(x.records, func(a, b parsed) int { return cmp.Compare(a.record.ID, b.record.ID) })
	return x
}

// dropCovered removes the enumerated versions that the ranges include anyway.
func (a *Affected) dropCovered() {
	for _, r := range a.Ranges {
		order, err := r.order(a.Ecosystem)
		if err != nil {
			continue
		}
		events, err := parseEvents(order, r.Events)
		if err != nil {
			continue
		}
		a.Versions = slices.DeleteFunc(a.Versions, func(v string) bool { return covers(order, events, v) })
	}
}

func covers(order version.Order, events []event, v string) bool {
	at, err := order.Parse(v)
	if err != nil {
		return false
	}
	in, err := evaluate(events, at)
	return in && err == nil
}

// claim is one record for the packages of one ecosystem. The ecosystem's own export is believed before others, then
// the newest.
type claim struct {
	family string
	from   *export
	*parsed
}

func (c claim) better(d claim) bool {
	own, other := Family(c.from.count.Name) == c.family, Family(d.from.count.Name) == d.family
	if own != other {
		return own
	}
	return c.record.Modified.After(d.record.Modified)
}

// claims resolves records that several exports hold, and returns them in order of ecosystem and id.
func (b *builder) claims() []claim {
	best := map[[2]string]claim{}
	for _, x := range b.exports {
		for i := range x.records {
			p := &x.records[i]
			for _, a := range p.affected {
				c := claim{family: Family(a.Ecosystem), from: x, parsed: p}
				key := [2]string{c.family, p.record.ID}
				if known, ok := best[key]; !ok || c.better(known) {
					best[key] = c
				}
			}
		}
	}
	list := slices.Collect(maps.Values(best))
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.record.ID, b.record.ID))
	})
	return list
}

// table is a map from keys to values, before it is cut into shards.
type table struct {
	kind    tableKind
	name    string
	entries []entry
}

func (t *table) add(key string, value []byte) {
	t.entries = append(t.entries, entry{hash: hashOf(key), key: key, value: value})
}

// tables makes all tables, in their order in the index.
func (b *builder) tables() []table {
	var out []table
	packages := map[string]map[string][]Affected{} // by ecosystem and name
	vectors := map[string][]Vector{}               // by CVE
	ids, cves := map[string]bool{}, map[string]bool{}
	for _, c := range b.claims() {
		affected := b.choose(c)
		if len(affected) == 0 {
			continue
		}
		if len(out) == 0 || out[len(out)-1].name != c.family {
			out = append(out, table{kind: recordsTable, name: c.family})
		}
		r := c.record
		if b.FactsOnly {
			r.Summary, r.References = "", nil
		}
		out[len(out)-1].add(r.ID, encodeRecord(&r))
		ids[r.ID] = true
		if r.Modified.After(b.index.Newest) {
			b.index.Newest = r.Modified
		}
		for _, a := range affected {
			byName := packages[a.Ecosystem]
			if byName == nil {
				byName = map[string][]Affected{}
				packages[a.Ecosystem] = byName
			}
			name := NormalName(a.Ecosystem, a.Name)
			byName[name] = append(byName[name], a)
		}
		named := r.CVEs()
		for _, cve := range named {
			cves[cve] = true
		}
		if len(named) == 1 {
			vectors[named[0]] = append(vectors[named[0]], cvssOf(&r, affected)...)
		}
	}
	b.index.Records = len(ids)
	b.countEcosystems(packages)
	out = append(out, packageTables(packages)...)
	return append(out, b.factTables(vectors, cves)...)
}

// choose returns the packages of the claim's ecosystem that go into the set.
func (b *builder) choose(c claim) []Affected {
	var own []Affected
	for _, a := range c.affected {
		if Family(a.Ecosystem) == c.family {
			own = append(own, a)
		}
	}
	if b.Select != nil {
		return b.Select(c.record, own)
	}
	return own
}

// cvssOf returns the CVSS vectors of a record.
func cvssOf(r *Record, affected []Affected) []Vector {
	all := slices.Clone(r.Severity)
	for _, a := range affected {
		all = append(all, a.Severity...)
	}
	return slices.DeleteFunc(all, func(v Vector) bool { return !strings.HasPrefix(v.Type, "CVSS_") })
}

func (b *builder) countEcosystems(packages map[string]map[string][]Affected) {
	releases := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if name != Family(name) {
			releases[Family(name)] = append(releases[Family(name)], name)
		}
	}
	for _, x := range b.exports {
		count := x.count
		count.Releases = releases[Family(count.Name)]
		b.index.Ecosystems = append(b.index.Ecosystems, count)
	}
	b.index.Selected = b.Select != nil
}

func packageTables(packages map[string]map[string][]Affected) []table {
	var out []table
	for _, ecosystem := range slices.Sorted(maps.Keys(packages)) {
		t := table{kind: packagesTable, name: ecosystem}
		for name, list := range packages[ecosystem] {
			slices.SortStableFunc(list, func(a, b Affected) int { return cmp.Compare(a.ID, b.ID) })
			t.add(name, encodeAffected(list))
		}
		out = append(out, t)
	}
	return out
}

// factTables makes the tables about CVEs, for those that some record names, and about releases.
func (b *builder) factTables(vectors map[string][]Vector, cves map[string]bool) []table {
	cvss, kev, epss := table{kind: cvssTable}, table{kind: kevTable}, table{kind: epssTable}
	for cve, l := range vectors {
		slices.SortFunc(l, func(a, b Vector) int {
			return cmp.Or(cmp.Compare(a.Type, b.Type),
				cmp.Compare(a.Score, b.Score))
		})
		if l = slices.Compact(l); len(l) > 0 {
			cvss.add(cve, encodeVectors(l))
		}
	}
	for cve := range cves {
		if v, ok := b.kev[cve]; ok {
			kev.add(cve, encodePair(v[0], v[1]))
		}
		if v, ok := b.epss[cve]; ok {
			epss.add(cve, encodePair(v[0], v[1]))
		}
	}
	eol := table{kind: eolTable}
	for release, v := range b.eol {
		eol.add(release, encodePair(v[0], v[1]))
	}
	return []table{cvss, kev, epss, eol}
}

// write encodes all tables and switches the layout to them.
func (b *builder) write(ctx context.Context, tables []table, out string) (err error) {
	_, statErr := os.Stat(out)
	existed := statErr == nil
	w, err := newWriter(out)
	if err != nil {
		return &core.Failure{Doing: "write advisories to " + out, Err: err, Usage: true,
			Hint: "name a new directory, or one that holds a set of advisories"}
	}
	defer func() {
		if err != nil {
			w.undo(existed)
		}
	}()
	b.Progress("write " + out)
	m := manifest{SchemaVersion: 2, MediaType: manifestMediaType, ArtifactType: ArtifactType}
	if m.Layers, err = b.shards(ctx, tables, w); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	raw, err := json.Marshal(b.index)
	if err != nil {
		return err
	}
	if m.Config, err = w.blob(indexMediaType, raw); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	if !b.Now.IsZero() {
		m.Annotations = map[string]string{createdAnnotation: b.Now.UTC().Format(time.RFC3339)}
	}
	d, err := w.finish(&m)
	if err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	b.fillReport(d, &m, w)
	return nil
}

// piece is one shard to be: its table and part.
type piece struct {
	table int
	part
}

// shards encodes and writes all shards, several at a time, and lists them in the index.
func (b *builder) shards(ctx context.Context, tables []table, w *writer) ([]descriptor, error) {
	var pieces []piece
	for i := range tables {
		t := &tables[i]
		sortEntries(t.entries)
		listed := tableIndex{Kind: tableNames[t.kind], Name: t.name, Keys: len(t.entries)}
		for _, p := range split(t.entries) {
			listed.Shards = append(listed.Shards, shardIndex{Prefix: p.prefix, Layer: len(pieces)})
			pieces = append(pieces, piece{i, p})
		}
		b.index.Tables = append(b.index.Tables, listed)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithEncoderConcurrency(b.Parallel), zstd.WithEncoderCRC(false), zstd.WithWindowSize(encoderWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	layers := make([]descriptor, len(pieces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.Parallel)
	for i, p := range pieces {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			blob, err := encodeShard(tables[p.table].kind, p.entries, z)
			if err != nil {
				return err
			}
			layers[i], err = w.blob(shardMediaType, blob)
			return err
		})
	}
	return layers, group.Wait()
}

func (b *builder) fillReport(d descriptor, m *manifest, w *writer) {
	r := &b.report
	r.Digest, r.Records, r.Ecosystems, r.Sources = d.Digest, b.index.Records, b.index.Ecosystems, b.index.Sources
	r.Shards, r.Bytes = len(m.Layers), d.Size+m.Config.Size
	for _, l := range m.Layers {
		r.Bytes += l.Size
	}
	for _, name := range w.written {
		if info, err := os.Stat(name); err == nil {
			r.Written += info.Size()
		}
	}
}
