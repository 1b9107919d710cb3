package advisory

import (
	"fmt"
	"sort"
	"strings"
)

// tableKind says what a table's values are.
type tableKind byte

// The kinds of table.
const (
	packagesTable tableKind = iota + 1
	recordsTable
	cvssTable
	kevTable
	epssTable
	eolTable
)

var tableNames = map[tableKind]string{
	packagesTable: "packages", recordsTable: "records", cvssTable: "cvss",
	kevTable: "kev", epssTable: "epss", eolTable: "eol",
}

// part is one shard's share of a table: the keys whose hash begins with prefix.
type part struct {
	prefix  string // of the hash, in binary digits
	entries []entry
}

// split cuts sorted entries into parts of at most shardTarget raw bytes, by leading bits of the hash.
func split(entries []entry) []part { return splitAt(nil, "", entries) }

func splitAt(parts []part, prefix string, entries []entry) []part {
	size := 0
	for i := range entries {
		size += entries[i].size()
	}
	switch {
	case len(entries) == 0:
		return parts
	case size <= shardTarget || len(entries) == 1 || len(prefix) == 64:
		return append(parts, part{prefix, entries})
	}
	bit := uint64(1) << (63 - len(prefix))
	middle := sort.Search(len(entries), func(i int) bool { return entries[i].hash&bit != 0 })
	return splitAt(splitAt(parts, prefix+"0", entries[:middle]), prefix+"1", entries[middle:])
}

// shardOf finds the shard that would hold the hash. Prefixes are sorted and none begins another.
func (t *tableIndex) shardOf(hash uint64) (int, bool) {
	bits := fmt.Sprintf("%064b", hash)
	i := sort.Search(len(t.Shards), func(i int) bool { return t.Shards[i].Prefix > bits }) - 1
	if i < 0 || !strings.HasPrefix(bits, t.Shards[i].Prefix) {
		return 0, false
	}
	return i, true
}
