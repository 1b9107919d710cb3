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
	ArtifactType   = "application/vnd.cleanbill.advisories.v1"
	indexMediaType = "application/vnd.cleanbill.advisories.index.v1+json"
	shardMediaType = "application/vnd.cleanbill.advisories.shard.v1"
)

// indexFormat is the version of the index that this program writes and reads.
const indexFormat = 1

// index is the configuration blob of a set: what is in it, and in which shard.
type index struct {
	Format int `json:"format"`
	// Selected is true for a set that was made from a choice of the records: it can find, but not clear.
	Selected bool `json:"selected,omitempty"`
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

// EcosystemCount says how much of an ecosystem is in a set.
type EcosystemCount struct {
	Name string `json:"name"`
	// Records of the ecosystem's export that are in the set; Withdrawn, Unreadable and Other (not about security) were
	// left out.
	Records    int `json:"records"`
	Withdrawn  int `json:"withdrawn,omitempty"`
	Unreadable int `json:"unreadable,omitempty"`
	Other      int `json:"other,omitempty"`
	// Releases that have records, for distributions.
	Releases []string `json:"releases,omitempty"`
}

type tableIndex struct {
	Kind   string       `json:"kind"`
	Name   string       `json:"name,omitempty"`
	Keys   int          `json:"keys"`
	Shards []shardIndex `json:"shards"`
}

type shardIndex struct {
	Prefix string `json:"prefix"`
	Layer  int    `json:"layer"` // position among the manifest's layers
}

// parseIndex reads and checks an index, so that a look-up can trust it.
func parseIndex(raw []byte, layers int) (*index, error) {
	var ix index
	if err := json.Unmarshal(raw, &ix); err != nil {
		return nil, err
	}
	if ix.Format != indexFormat {
		return nil, fmt.Errorf("the set has format %d, and this program reads format %d", ix.Format, indexFormat)
	}
	for i := range ix.Tables {
		if err := ix.Tables[i].check(layers); err != nil {
			return nil, fmt.Errorf("table %s %s: %w", ix.Tables[i].Kind, ix.Tables[i].Name, err)
		}
	}
	return &ix, nil
}

func (t *tableIndex) check(layers int) error {
	for i, s := range t.Shards {
		if s.Layer < 0 || s.Layer >= layers {
			return fmt.Errorf("shard %q is layer %d of %d", s.Prefix, s.Layer, layers)
		}
		if len(s.Prefix) > 64 || strings.Trim(s.Prefix, "01") != "" {
			return fmt.Errorf("shard %q: want binary digits", s.Prefix)
		}
		if i > 0 && (s.Prefix <= t.Shards[i-1].Prefix || strings.HasPrefix(s.Prefix, t.Shards[i-1].Prefix)) {
			return errors.New("the shards overlap or are not sorted")
		}
	}
	return nil
}
