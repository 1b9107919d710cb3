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
	idsTable
	factsTable
	eolTable
)

// tableKinds are the kinds by the names that the index gives them.
func tableKinds() map[string]tableKind {
	return map[string]tableKind{"packages": packagesTable, "records": recordsTable, "ids": idsTable, "facts": factsTable,
		"eol": eolTable}
}

// String returns the name that the index gives the kind.
func (k tableKind) String() string {
	for name, kind := range tableKinds() {
		if kind == k {
			return name
		}
	}
	return fmt.Sprintf("table(%d)", byte(k))
}

// part is one shard's share of a table: the keys whose hash begins with prefix.
type part struct {
	prefix  string // of the hash, in binary digits
	entries []entry
}

// split cuts sorted entries into parts of at most target raw bytes, by leading bits of the hash.
func split(entries []entry, target int) []part { return splitAt(nil, "", entries, target) }

func splitAt(parts []part, prefix string, entries []entry, target int) []part {
	size := 0
	for i := range entries {
		size += entries[i].size()
	}
	switch {
	case len(entries) == 0:
		return parts
	case size <= target || len(entries) == 1 || len(prefix) == 64:
		return append(parts, part{prefix, entries})
	}
	bit := uint64(1) << (63 - len(prefix))
	middle := sort.Search(len(entries), func(i int) bool { return entries[i].hash&bit != 0 })
	return splitAt(splitAt(parts, prefix+"0", entries[:middle], target), prefix+"1", entries[middle:], target)
}

// tableOf is a table of an opened set.
type tableOf struct {
	kind     tableKind
	name     string
	prefixes []string // of its shards, sorted; none begins another
	first    int      // position of the first shard among the manifest's layers
	filter   int      // position of the filter, 0 for none: it follows the shards
}

// layerOf finds the layer that holds the shard that would hold the hash.
func (t *tableOf) layerOf(hash uint64) (int, bool) {
	if len(t.prefixes) == 0 {
		return 0, false
	}
	digits := fmt.Sprintf("%064b", hash)
	i := sort.Search(len(t.prefixes), func(i int) bool { return t.prefixes[i] > digits }) - 1
	if i < 0 || !strings.HasPrefix(digits, t.prefixes[i]) {
		return 0, false
	}
	return t.first + i, true
}

// layers are the positions of the table's shards.
func (t *tableOf) layers() []int {
	out := make([]int, len(t.prefixes))
	for i := range out {
		out[i] = t.first + i
	}
	return out
}
