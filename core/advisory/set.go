package advisory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Set is an opened set of advisories. Shards are read and verified when a look-up first needs them, and kept. It is
// safe for concurrent use.
type Set struct {
	source   core.AdvisorySource
	from     blobs
	manifest manifest
	index    *index
	tables   map[string]*tableIndex // by kind and name
	z        *zstd.Decoder

	mu     sync.Mutex // guards shards
	shards map[int]*loading
}

// loading is a shard that is being read, or was.
type loading struct {
	once  sync.Once
	shard *shard
	err   error
}

// Open opens the set that ref names: "oci:DIR", or the path of an OCI layout. The manifest and the index are read and
// verified now, shards when they are needed.
func Open(ctx context.Context, ref string) (*Set, error) {
	dir := strings.TrimPrefix(ref, "oci:")
	fail := func(err error, hint string, usage bool) (*Set, error) {
		return nil, &core.Failure{Doing: "open advisories " + ref, Err: err, Hint: hint, Usage: usage}
	}
	const hint = "make a set with: cleanbill advisories build --from DIR --out oci:DIR"
	info, err := os.Stat(dir)
	if err != nil {
		return fail(err, hint, true)
	}
	if !info.IsDir() {
		return fail(errors.New("it is not a directory"), hint, true)
	}
	l := layout{os.DirFS(dir)}
	head, err := l.head()
	if errors.Is(err, fs.ErrNotExist) {
		return fail(errors.New("it is not an OCI layout: it has no index.json"), hint, true)
	}
	if err != nil {
		return fail(err, hint, false)
	}
	s, err := openSet(ctx, l, head)
	if err != nil {
		return fail(err, "build the set again with: cleanbill advisories build --from DIR --out "+ref, false)
	}
	s.source.Name = ref
	return s, nil
}

// openSet reads and verifies manifest and index.
func openSet(ctx context.Context, from blobs, head descriptor) (*Set, error) {
	raw, err := read(ctx, from, head, maxManifest)
	if err != nil {
		return nil, err
	}
	s := &Set{from: from, tables: map[string]*tableIndex{}, shards: map[int]*loading{}}
	if err := json.Unmarshal(raw, &s.manifest); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if s.manifest.ArtifactType != ArtifactType {
		return nil, fmt.Errorf("the artifact type is %.80q, want %s", s.manifest.ArtifactType, ArtifactType)
	}
	if raw, err = read(ctx, from, s.manifest.Config, maxManifest); err != nil {
		return nil, err
	}
	if s.index, err = parseIndex(raw, len(s.manifest.Layers)); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	for i := range s.index.Tables {
		t := &s.index.Tables[i]
		s.tables[t.Kind+" "+t.Name] = t
	}
	if s.z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock)); err != nil {
		return nil, err
	}
	s.source = describeSource(head.Digest, &s.manifest, s.index)
	return s, nil
}

func describeSource(d core.Digest, m *manifest, ix *index) core.AdvisorySource {
	source := core.AdvisorySource{Digest: d, Newest: ix.Newest, Records: ix.Records, Starter: ix.Selected}
	// A time that does not parse is unknown; the set's content does not depend on it.
	if built, err := time.Parse(time.RFC3339, m.Annotations[createdAnnotation]); err == nil {
		source.Built = built
	}
	for _, e := range ix.Ecosystems {
		source.Ecosystems = append(source.Ecosystems, e.Name)
		source.Ecosystems = append(source.Ecosystems, e.Releases...)
	}
	slices.Sort(source.Ecosystems)
	source.Ecosystems = slices.Compact(source.Ecosystems)
	return source
}

// Source describes the set for evidence.
func (s *Set) Source() core.AdvisorySource { return s.source }

// Covers reports whether the set was built from the ecosystem's advisories and, for a distribution, whether they know
// the release.
func (s *Set) Covers(ecosystem string) bool {
	canonical := Canonical(ecosystem)
	for _, e := range s.index.Ecosystems {
		if Family(e.Name) != Family(canonical) {
			continue
		}
		if !IsDistribution(canonical) || canonical == e.Name && len(e.Releases) == 0 || slices.Contains(e.Releases,
			canonical) {
			return true
		}
	}
	return false
}

// Affected returns the advisories that name a package, as its ecosystem (with its release) writes it. An empty list
// means that the set knows none; what could not be read is an error.
func (s *Set) Affected(ctx context.Context, ecosystem, name string) ([]Affected, error) {
	canonical := Canonical(ecosystem)
	value, ok, err := s.find(ctx, packagesTable, canonical, NormalName(canonical, name))
	if !ok || err != nil {
		return nil, err
	}
	list, err := decodeAffected(canonical, value)
	if err != nil {
		return nil, fmt.Errorf("advisories of %s in %s: %w", name, canonical, err)
	}
	return list, nil
}

// Record returns what the set holds of an advisory that Affected named. It is an error if there is none.
func (s *Set) Record(ctx context.Context, ecosystem, id string) (Record, error) {
	value, ok, err := s.find(ctx, recordsTable, Family(ecosystem), id)
	if err != nil {
		return Record{}, err
	}
	if !ok {
		return Record{}, fmt.Errorf("advisory %s of %s is not in the set, though its packages are", id, Family(ecosystem))
	}
	r, err := decodeRecord(id, value)
	if err != nil {
		return Record{}, fmt.Errorf("advisory %s: %w", id, err)
	}
	return r, nil
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

// CVSS returns the CVSS vectors that any record gives for exactly this CVE.
func (s *Set) CVSS(ctx context.Context, cve string) ([]Vector, error) {
	value, ok, err := s.find(ctx, cvssTable, "", cve)
	if !ok || err != nil {
		return nil, err
	}
	return decodeVectors(value)
}

// Exploited returns what CISA's catalog says of a CVE; nil if it does not list it.
func (s *Set) Exploited(ctx context.Context, cve string) (*core.Exploited, error) {
	value, ok, err := s.find(ctx, kevTable, "", cve)
	if !ok || err != nil {
		return nil, err
	}
	since, use, err := decodePair(value)
	if err != nil {
		return nil, err
	}
	return &core.Exploited{Since: since, Ransomware: use == "ransomware"}, nil
}

// EPSS returns the score of a CVE; nil if it has none.
func (s *Set) EPSS(ctx context.Context, cve string) (*core.EPSS, error) {
	value, ok, err := s.find(ctx, epssTable, "", cve)
	if !ok || err != nil {
		return nil, err
	}
	score, percentile, err := decodePair(value)
	if err != nil {
		return nil, err
	}
	var e core.EPSS
	if e.Score, err = strconv.ParseFloat(score, 64); err == nil {
		e.Percentile, err = strconv.ParseFloat(percentile, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("EPSS of %s: %w", cve, err)
	}
	return &e, nil
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

// find looks a key up in a table.
func (s *Set) find(ctx context.Context, kind tableKind, name, key string) (value []byte, ok bool, err error) {
	t := s.tables[tableNames[kind]+" "+name]
	if t == nil {
		return nil, false, nil
	}
	hash := hashOf(key)
	i, ok := t.shardOf(hash)
	if !ok {
		return nil, false, nil
	}
	sh, err := s.load(ctx, kind, t.Shards[i].Layer)
	if err != nil {
		return nil, false, fmt.Errorf("read the %s table %s of advisories %s: %w", t.Kind, name, s.source.Name, err)
	}
	value, ok, err = sh.find(key, hash, s.z)
	if err != nil {
		return nil, false, fmt.Errorf("search the %s table %s of advisories %s: %w", t.Kind, name, s.source.Name, err)
	}
	return value, ok, nil
}

// load reads and verifies a shard once. A failure is not kept: the next look-up tries again.
func (s *Set) load(ctx context.Context, kind tableKind, layer int) (*shard, error) {
	s.mu.Lock()
	l := s.shards[layer]
	if l == nil {
		l = &loading{}
		s.shards[layer] = l
	}
	s.mu.Unlock()
	l.once.Do(func() {
		var raw []byte
		if raw, l.err = read(ctx, s.from, s.manifest.Layers[layer], maxShard); l.err == nil {
			l.shard, l.err = decodeShard(kind, raw)
		}
	})
	if l.err != nil {
		s.mu.Lock()
		if s.shards[layer] == l {
			delete(s.shards, layer)
		}
		s.mu.Unlock()
	}
	return l.shard, l.err
}

// Verify reads the whole set and checks every blob against its digest and every shard against its form.
func (s *Set) Verify(ctx context.Context) error {
	for i := range s.index.Tables {
		t := &s.index.Tables[i]
		keys := 0
		for _, sh := range t.Shards {
			if err := ctx.Err(); err != nil {
				return err
			}
			loaded, err := s.load(ctx, kindOf(t.Kind), sh.Layer)
			if err == nil {
				err = loaded.all(s.z, func(key string, _ []byte) error {
					keys++
					if at, ok := t.shardOf(hashOf(key)); !ok || t.Shards[at].Layer != sh.Layer {
						return fmt.Errorf("%w: %q is not where it would be looked for", errShard, key)
					}
					return nil
				})
			}
			if err != nil {
				return fmt.Errorf("table %s %s, shard %q: %w", t.Kind, t.Name, sh.Prefix, err)
			}
		}
		if keys != t.Keys {
			return fmt.Errorf("table %s %s has %d keys, want %d", t.Kind, t.Name, keys, t.Keys)
		}
	}
	return nil
}

func kindOf(name string) tableKind {
	for kind, n := range tableNames {
		if n == name {
			return kind
		}
	}
	return 0
}
