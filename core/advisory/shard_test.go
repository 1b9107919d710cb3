package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
)

func zstdPair(t testing.TB) (*zstd.Encoder, *zstd.Decoder) {
	t.Helper()
	e, err1 := zstd.NewWriter(nil)
	d, err2 := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlock))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return e, d
}

func entriesOf(n, size int) []entry {
	var l []entry
	for i := range n {
		key := fmt.Sprintf("key-%d", i)
		l = append(l, entry{hashOf(key), key, []byte(strings.Repeat(key+" ", size))})
	}
	sortEntries(l)
	return l
}

func TestAShardFindsItsKeysAndNoOthers(t *testing.T) {
	z, d := zstdPair(t)
	entries := entriesOf(3000, 8)
	data, err := encodeShard(packagesTable, entries, z)
	if err != nil {
		t.Fatal(err)
	}
	s, err := decodeShard(packagesTable, data)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.blocks) < 3 {
		t.Errorf("%d blocks; the test wants several", len(s.blocks))
	}
	for _, e := range entries {
		v, ok, err := s.find(e.key, e.hash, d)
		if !ok || err != nil || !bytes.Equal(v, e.value) {
			t.Fatalf("%s: %q, %v, %v", e.key, v, ok, err)
		}
	}
	for i := range 3000 {
		key := fmt.Sprintf("other-%d", i)
		if _, ok, err := s.find(key, hashOf(key), d); ok || err != nil {
			t.Fatalf("%s: found %v, error %v", key, ok, err)
		}
	}
}

func TestAnAbsentKeyNeedsNoDecompression(t *testing.T) {
	z, d := zstdPair(t)
	data, err := encodeShard(packagesTable, entriesOf(100, 1), z)
	if err != nil {
		t.Fatal(err)
	}
	s, err := decodeShard(packagesTable, data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		key := fmt.Sprintf("other-%d", i)
		if _, _, err := s.find(key, hashOf(key), d); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.blocks {
		if s.blocks[i].raw != nil {
			t.Errorf("block %d was decompressed", i)
		}
	}
}

func TestATableIsSplitByLeadingBits(t *testing.T) {
	parts := split(entriesOf(20000, 4), shardTarget)
	if len(parts) < 8 {
		t.Fatalf("%d parts", len(parts))
	}
	total := 0
	ix := tableIndex{Kind: "packages", Keys: 20000}
	for i, p := range parts {
		size := 0
		for _, e := range p.entries {
			size += e.size()
			if !strings.HasPrefix(fmt.Sprintf("%064b", e.hash), p.prefix) {
				t.Fatalf("%s is in part %s", e.key, p.prefix)
			}
		}
		if size > shardTarget {
			t.Errorf("part %s has %d bytes", p.prefix, size)
		}
		total += len(p.entries)
		if i > 0 {
			ix.Prefixes += " "
		}
		ix.Prefixes += p.prefix
	}
	if total != 20000 {
		t.Errorf("%d entries in all parts", total)
	}
	opened, err := ix.open(len(parts))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if got, ok := opened.layerOf(p.entries[0].hash); !ok || got != i {
			t.Errorf("part %d is looked for in %d", i, got)
		}
	}
	if got := split(nil, shardTarget); len(got) != 0 {
		t.Errorf("an empty table has parts: %v", got)
	}
}

func TestAMalformedShardIsRefused(t *testing.T) {
	z, d := zstdPair(t)
	good, err := encodeShard(recordsTable, entriesOf(2000, 20), z)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeShard(packagesTable, good); !errors.Is(err, errShard) {
		t.Errorf("a shard of another kind: %v", err)
	}
	for n := range min(len(good), 2000) {
		if _, err := decodeShard(recordsTable, good[:n]); !errors.Is(err, errShard) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := decodeShard(recordsTable, append(bytes.Clone(good), 0)); !errors.Is(err, errShard) {
		t.Errorf("a byte too many: %v", err)
	}
	s, err := decodeShard(recordsTable, good)
	if err != nil {
		t.Fatal(err)
	}
	s.blocks[0].frame = s.blocks[0].frame[:len(s.blocks[0].frame)/2]
	if err := s.all(d, func(string, []byte) error { return nil }); !errors.Is(err, errShard) {
		t.Errorf("half a block: %v", err)
	}
}

// FuzzShard checks that no shard makes the decoder panic, allocate without bound, or find what is not there.
func FuzzShard(f *testing.F) {
	z, d := zstdPair(f)
	for _, entries := range [][]entry{nil, entriesOf(1, 1), entriesOf(50, 3), entriesOf(2000, 30)} {
		data, err := encodeShard(packagesTable, entries, z)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "key-0")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		s, err := decodeShard(packagesTable, data)
		if err != nil {
			return
		}
		var total int
		for i := range s.blocks {
			total += s.blocks[i].rawSize
		}
		if total > 1<<20 {
			return // it would only be slow
		}
		value, ok, err := s.find(key, hashOf(key), d)
		if ok && err == nil {
			// Values of any bytes decode or fail; they never panic.
			_, _ = decodeList("Go", value)
			_, _ = decodeRecord(key, value)
			_, _ = decodeFacts(value)
			_, _ = decodeNames(value)
			_, _, _ = decodePair(value)
		}
		_ = s.all(d, func(string, []byte) error { return nil })
	})
}

// FuzzValues checks that what decodes encodes to the same value again.
func FuzzValues(f *testing.F) {
	f.Add(encodeList([][]byte{encodeAffected(&Affected{ID: "GO-1", Name: "a", Ranges: []Range{rangeOf(true, "introduced", "0", "fixed",
		"1")}, Versions: []string{"1"}, Module: "nodejs:12"})}))
	f.Add(encodeRecord(&Record{Aliases: []string{"CVE-1"}, Severity: []Vector{{"CVSS_V2", "x"}}, Summary: "s",
		Packages: []PackageName{{"Debian:12", "a"}}}))
	f.Add(encodeFacts(&Facts{Vectors: []Vector{{"CVSS_V2", "x"}}, Exploited: &core.Exploited{Since: "2024-01-02"},
		EPSS: &core.EPSS{Score: 0.12345, Percentile: 1}}))
	f.Add(encodeNames([]RecordName{{"Go", "GO-1"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := decodeList("Go", data); err == nil {
			var all [][]byte
			for i := range l {
				all = append(all, encodeAffected(&l[i]))
			}
			again, err := decodeList("Go", encodeList(all))
			same(t, l, again, err)
		}
		if r, err := decodeRecord("X", data); err == nil {
			again, err := decodeRecord("X", encodeRecord(&r))
			same(t, r, again, err)
		}
		if v, err := decodeFacts(data); err == nil {
			again, err := decodeFacts(encodeFacts(&v))
			same(t, v, again, err)
		}
		if n, err := decodeNames(data); err == nil {
			again, err := decodeNames(encodeNames(n))
			same(t, n, again, err)
		}
	})
}

func same(t *testing.T, before, after any, err error) {
	t.Helper()
	if err != nil || !cmp.Equal(before, after, cmpopts.EquateEmpty()) {
		t.Fatalf("%v became %v (%v)", before, after, err)
	}
}

func TestARowOfEventsThatNoRecordMayHaveIsRefused(t *testing.T) {
	row := make([]Event, maxEvents+1)
	for i := range row {
		row[i] = Event{Introduced, "1.0.0"}
	}
	for n, ok := range map[int]bool{maxEvents: true, maxEvents + 1: false} {
		ranges := []Range{{Events: row[:n/2]}, {Events: row[n/2 : n]}}
		list := encodeList([][]byte{encodeAffected(&Affected{ID: "GO-1", Name: "a", Ranges: ranges})})
		if _, err := decodeList("Go", list); (err == nil) != ok {
			t.Errorf("%d events: %v", n, err)
		}
	}
}

func TestDatedIdsLieTogether(t *testing.T) {
	order := []string{"CVE-1999-5", "GO-2020-1", "ALSA-2023:9", "CVE-2023-10", "CVE-2023-1000", "CVE-2023-45288", "DEBIAN-CVE-2024-2"}
	for i := 1; i < len(order); i++ {
		if idHash(order[i-1]) >= idHash(order[i]) {
			t.Errorf("%s does not come before %s", order[i-1], order[i])
		}
	}
	for _, id := range []string{"GHSA-aaaa-bbbb-cccc", "DSA-5514-1", "X-12023-1", "CVE-2023-", "CVE-2023-12345678901", "CVE-2199-1"} {
		if idHash(id) != hashOf(id) {
			t.Errorf("%s is placed by a date", id)
		}
	}
}
