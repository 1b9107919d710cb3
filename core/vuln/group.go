package vuln

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// piece is what one record says of one flaw.
type piece struct {
	hit *hit
	ids []string // of the flaw; pieces that share one are joined
	// also names the record where its id is not the flaw's alone.
	also []string
	// shared is true if the record is about other flaws as well.
	shared bool
}

// pieces takes a record apart by the flaws that it is about.
func pieces(h *hit) []piece {
	r := &h.record
	own := append([]string{r.ID}, r.Aliases...)
	upstream := slices.DeleteFunc(slices.Clone(r.Upstream), func(id string) bool { return !advisory.IsCVE(id) })
	// Related holds CVEs only where the record names none otherwise.
	several := slices.Concat(upstream, r.Related)
	if len(r.Related) == 0 && len(upstream) <= 1 {
		return []piece{{hit: h, ids: append(own, r.Upstream...)}}
	}
	var out []piece
	for _, cve := range several {
		out = append(out, piece{hit: h, ids: []string{cve}, also: own, shared: len(several) > 1})
	}
	return out
}

// flaw is one vulnerability of the package, with all that is said about it.
type flaw struct {
	pieces []piece
	ids    []string // sorted
	rule   string
}

// group joins hits by alias, transitively. The result is sorted by rule.
func group(hits []hit) []flaw {
	var all []piece
	for i := range hits {
		all = append(all, pieces(&hits[i])...)
	}
	parent := make([]int, len(all))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			i = parent[i]
		}
		return i
	}
	byID := map[string]int{}
	for i, p := range all {
		for _, id := range p.ids {
			if j, ok := byID[id]; ok {
				parent[root(i)] = root(j)
			} else {
				byID[id] = i
			}
		}
	}
	flaws := map[int]*flaw{}
	for i, p := range all {
		f := flaws[root(i)]
		if f == nil {
			f = &flaw{}
			flaws[root(i)] = f
		}
		f.pieces = append(f.pieces, p)
		f.ids = append(f.ids, p.ids...)
	}
	out := make([]flaw, 0, len(flaws))
	for _, f := range flaws {
		f.name()
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b flaw) int { return cmp.Compare(a.rule, b.rule) })
	return out
}

// name chooses the rule among the flaw's own ids, and then adds the ids of shared records.
func (f *flaw) name() {
	slices.SortFunc(f.ids, compareIDs)
	f.rule = f.ids[0]
	for _, p := range f.pieces {
		f.ids = append(f.ids, p.also...)
	}
	slices.Sort(f.ids)
	f.ids = slices.Compact(f.ids)
}

// aliases returns all ids but the rule.
func (f *flaw) aliases() []string {
	return slices.DeleteFunc(slices.Clone(f.ids), func(id string) bool { return id == f.rule })
}

// cves returns the flaw's CVEs.
func (f *flaw) cves() []string {
	var out []string
	for _, p := range f.pieces {
		for _, id := range p.ids {
			if advisory.IsCVE(id) {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compareIDs orders ids from best known to least: malicious packages, CVE by age, GHSA, what other databases assign,
// and last what converters made up.
func compareIDs(a, b string) int {
	return cmp.Or(cmp.Compare(fame(a), fame(b)), cmp.Compare(sequence(a), sequence(b)), cmp.Compare(a, b))
}

func fame(id string) int {
	switch {
	case strings.HasPrefix(id, "MAL-"):
		return 0
	case advisory.IsCVE(id):
		return 1
	case strings.HasPrefix(id, "GHSA-"):
		return 2
	case strings.HasPrefix(id, "BIT-"):
		return 4
	case strings.HasPrefix(id, "x_"):
		return 5
	}
	return 3
}

// sequence returns the number of a CVE, year first; 0 for other ids.
func sequence(id string) int64 {
	year, number, ok := strings.Cut(strings.TrimPrefix(id, "CVE-"), "-")
	if !ok || !advisory.IsCVE(id) {
		return 0
	}
	y, err1 := strconv.ParseInt(year, 10, 32)
	n, err2 := strconv.ParseInt(number, 10, 32)
	if err1 != nil || err2 != nil {
		return 0
	}
	return y<<32 + n
}
