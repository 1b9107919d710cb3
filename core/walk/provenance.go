package walk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

// placed is a result in a layer of a stack.
type placed struct {
	layer int
	result
}

// version is one version of a file, with what an analyzer found in it.
type version struct {
	placed
	// end is the layer that removes or replaces the file; -1 if none does.
	end int
}

// file is all versions of one file that one analyzer saw, the oldest first.
type file []version

// files groups the results of a stack. A file that a layer has twice has two versions there.
func (s *stack) files() []file {
	var all []placed
	for i, l := range s.layers {
		if l.contents == nil {
			continue
		}
		for _, one := range l.results.list {
			if !one.viaLink {
				all = append(all, placed{layer: i, result: one})
			}
		}
	}
	all = append(append(all, s.hardLinkResults()...), s.deferredResults...)
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.analyzer, b.analyzer), strings.Compare(a.as, b.as), cmp.Compare(a.layer, b.layer),
			cmp.Compare(a.seq, b.seq), strings.Compare(a.real, b.real))
	})
	var files []file
	for i, p := range all {
		v := version{placed: p, end: s.end(p)}
		if i > 0 && all[i-1].analyzer == p.analyzer && all[i-1].as == p.as {
			files[len(files)-1] = append(files[len(files)-1], v)
			continue
		}
		files = append(files, file{v})
	}
	return files
}

func (s *stack) end(p placed) int {
	if !s.view.Current(p.layer, p.real, p.seq) {
		return p.layer
	}
	if layer, ok := s.view.RemovedIn(p.layer, p.real); ok {
		return layer
	}
	return -1
}

// origins follows one thing, which the versions with the given numbers contain, through a file: it was introduced by
// the first layer since when it has been there without a break, and it ends where its last version does. The last
// version with it is returned as well.
func (f file) origin(s *stack, numbers []int) (*core.Origin, version) {
	last := numbers[len(numbers)-1]
	start := last
	for i := len(numbers) - 2; i >= 0 && numbers[i] == start-1 && f[start-1].end == f[start].layer; i-- {
		start--
	}
	introduced := s.layers[f[start].layer]
	origin := &core.Origin{
		Layer: f[start].layer, DiffID: introduced.DiffID, CreatedBy: s.image.Layers[f[start].layer].CreatedBy,
	}
	if end := f[last].end; end >= 0 {
		origin.RemovedIn = &end
	}
	return origin, f[last]
}

// tracked counts things by identity across versions. The second of the same identity within one version is another
// thing.
type tracked struct {
	order   []string
	numbers map[string][]int
	index   map[string]int // of the thing within its last version
}

func track(versions int, keys func(version int) []string) tracked {
	t := tracked{numbers: make(map[string][]int), index: make(map[string]int)}
	for v := range versions {
		repeated := make(map[string]int)
		for i, key := range keys(v) {
			n := repeated[key]
			repeated[key]++
			key = fmt.Sprintf("%s\x00%d", key, n)
			if t.numbers[key] == nil {
				t.order = append(t.order, key)
			}
			t.numbers[key] = append(t.numbers[key], v)
			t.index[key] = i
		}
	}
	return t
}

// packages returns the packages of a file, each once.
func (s *stack) packages(f file) []core.Package {
	t := track(len(f), func(v int) []string {
		var keys []string
		for _, p := range f[v].found.Packages {
			keys = append(keys, strings.Join([]string{p.Name, p.Version, p.Purl, p.Architecture, paths(p.Locations)}, "\x00"))
		}
		return keys
	})
	var all []core.Package
	for _, key := range t.order {
		origin, last := f.origin(s, t.numbers[key])
		p := last.found.Packages[t.index[key]]
		p.Subject, p.Origin = s.image.Subject.Digest, origin
		p.Locations = s.locations(p.Locations, last)
		p.Analyzer = cmp.Or(p.Analyzer, s.run.analyzers[last.analyzer].info.Name)
		all = append(all, p)
	}
	return all
}

// findings returns the findings of a file, each once. A finding that only moved to another line is the same.
func (s *stack) findings(f file) []core.Finding {
	t := track(len(f), func(v int) []string {
		var keys []string
		for _, one := range f[v].found.Findings {
			keys = append(keys, strings.Join([]string{string(one.Kind), one.Rule, one.Fingerprint, paths(one.Locations)},
				"\x00"))
		}
		return keys
	})
	var all []core.Finding
	for _, key := range t.order {
		origin, last := f.origin(s, t.numbers[key])
		one := last.found.Findings[t.index[key]]
		one.Subject, one.Origin = s.image.Subject.Digest, origin
		one.Locations = s.locations(one.Locations, last)
		all = append(all, one)
	}
	return all
}

func paths(locations []core.Location) string {
	var b strings.Builder
	for _, l := range locations {
		b.WriteString(l.Path)
		b.WriteByte(0)
	}
	return b.String()
}

// locations adds the layer, and the file's own path where the analyzer gave none.
func (s *stack) locations(found []core.Location, v version) []core.Location {
	return located(found, v.as, s.layers[v.layer].DiffID)
}

func located(found []core.Location, p string, diffID core.Digest) []core.Location {
	all := slices.Clone(found)
	if len(all) == 0 {
		all = []core.Location{{Path: p}}
	}
	for i := range all {
		all[i].Path = image.EscapePath(cmp.Or(all[i].Path, p))
		all[i].Layer = cmp.Or(all[i].Layer, diffID)
	}
	return all
}
