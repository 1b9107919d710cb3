package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The media types of a set.
const (
	ArtifactType    = "application/vnd.cleanbill.advisories.v2"
	indexMediaType  = "application/vnd.cleanbill.advisories.index.v2+json"
	shardMediaType  = "application/vnd.cleanbill.advisories.shard.v2"
	filterMediaType = "application/vnd.cleanbill.advisories.filter.v2"
)

// index is the configuration blob of a set: what is in it, and in which shard.
type index struct {
	Format int `json:"format"`
	// Selected is true for a set that was made from a choice of the records: it can find, but not clear.
	Selected bool `json:"selected,omitempty"`
	// AsOf is when the sources were exported: the oldest of the exports whose date is known, or else Newest.
	AsOf time.Time `json:"asOf,omitzero"`
	// Newest is the latest modification among the records.
	Newest     time.Time        `json:"newest,omitzero"`
	Records    int              `json:"records"`
	Sources    []Dated          `json:"sources"`
	Ecosystems []EcosystemCount `json:"ecosystems"`
	Tables     []tableIndex     `json:"tables"`
}

// Dated is one source of a set with its own date or version.
type Dated struct {
	Name string `json:"name"`
	Date string `json:"date,omitempty"`
}

// The names of the sources of a set.
const (
	SourceOSV       = "OSV"
	SourceKEV       = "CISA KEV"
	SourceEPSS      = "EPSS"
	SourceEndOfLife = "end of life"
)

// EcosystemCount says how much of an ecosystem is in a set.
type EcosystemCount struct {
	Name string `json:"name"`
	// Exported is when the export was made, where that is known; Newest is the latest modification among its records.
	Exported time.Time `json:"exported,omitzero"`
	Newest   time.Time `json:"newest,omitzero"`
	// Records of the ecosystem's export that are in the set; Withdrawn, Unreadable and Other (not about security) were
	// left out.
	Records    int `json:"records"`
	Withdrawn  int `json:"withdrawn,omitempty"`
	Unreadable int `json:"unreadable,omitempty"`
	Other      int `json:"other,omitempty"`
	// Releases that have records, for distributions.
	Releases []string `json:"releases,omitempty"`
}

// known reports whether the export told anything. One without a record, or of which none could be read, says nothing of
// its packages; one whose records were all withdrawn does.
func (e *EcosystemCount) known() bool {
	return e.Records > 0 || e.Unreadable == 0 && e.Withdrawn+e.Other > 0
}

// unreadable says how many records could not be read when the set was built; empty for none.
func (ix *index) unreadable() string {
	var of []string
	for _, e := range ix.Ecosystems {
		if e.Unreadable > 0 {
			of = append(of, fmt.Sprintf("%d of %s", e.Unreadable, e.Name))
		}
	}
	if len(of) == 0 {
		return ""
	}
	return "records that could not be read when the set was built are not in it: " + strings.Join(of, ", ")
}

// tableIndex says where a table's shards are: from the layer First on, one for each of Prefixes, then the filter.
type tableIndex struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
	Keys  int    `json:"keys"`
	First int    `json:"first"`
	// Prefixes are binary digits, separated by spaces. A table of one shard has the empty prefix, one without keys none.
	Prefixes string `json:"prefixes,omitempty"`
	Filter   bool   `json:"filter,omitempty"`
}

// parseIndex reads and checks an index, so that a look-up can trust it.
func parseIndex(raw []byte, layers int) (*index, []*tableOf, error) {
	var ix index
	if err := json.Unmarshal(raw, &ix); err != nil {
		return nil, nil, err
	}
	if ix.Format != formatVersion {
		return nil, nil, fmt.Errorf("the set has format %d, and this program reads format %d", ix.Format, formatVersion)
	}
	var tables []*tableOf
	for i := range ix.Tables {
		if tableKinds()[ix.Tables[i].Kind] == 0 {
			continue // a later program's, which this one does not need
		}
		t, err := ix.Tables[i].open(layers)
		if err != nil {
			return nil, nil, fmt.Errorf("table %s %s: %w", ix.Tables[i].Kind, ix.Tables[i].Name, err)
		}
		tables = append(tables, t)
	}
	return &ix, tables, nil
}

func (t *tableIndex) open(layers int) (*tableOf, error) {
	out := &tableOf{kind: tableKinds()[t.Kind], name: t.Name, first: t.First}
	if t.Keys > 0 {
		out.prefixes = strings.Split(t.Prefixes, " ")
	}
	end := len(out.prefixes)
	if t.Filter {
		out.filter = t.First + end
		end++
	}
	if t.First < 0 || t.First > layers-end || t.Keys < 0 {
		return nil, fmt.Errorf("its shards are layers %d to %d of %d", t.First, t.First+end-1, layers)
	}
	for i, p := range out.prefixes {
		if len(p) > 64 || strings.Trim(p, "01") != "" {
			return nil, fmt.Errorf("shard %q: want binary digits", p)
		}
		if i > 0 && (p <= out.prefixes[i-1] || strings.HasPrefix(p, out.prefixes[i-1])) {
			return nil, errors.New("the shards overlap or are not sorted")
		}
	}
	return out, nil
}
