package walk

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/image"
)

// maxNames is under how many names one analyzer looks at the same file or directory. It bounds what links that lead to
// each other can cost.
const maxNames = 16

// owed is a file that the final file system shows an analyzer where it is anchored, by way of links.
type owed struct {
	analyzer int
	as, real string
}

// follower finds what links have moved away from where one analyzer expects it.
type follower struct {
	*stack
	analyzer int
	raise    func(layer int, q question)
	// links are the paths of all links of all layers, sorted.
	links []string
	names map[string]int
	owed  []owed
	// lost are links that are not followed.
	lost []result
}

// follow looks where the anchors of all analyzers lead. It adds the hard links there to those of the stack, and keeps
// the questions and what must be answered by the end.
func (s *stack) follow() {
	s.moved, s.owed, s.lost = make(map[int]questions), nil, nil
	links := make(map[string]struct{})
	for i, l := range s.layers {
		if l.contents == nil {
			continue
		}
		note := func(p string) bool {
			links[p] = struct{}{}
			s.view.Through(i, func(dir, real string) {
				if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
					links[path.Join(real, rest)] = struct{}{}
				}
			})
			return true
		}
		s.view.Symlinks(i, note)
		l.contents.Index.HardLinks(func(p string, _ image.Link) bool { return note(p) })
	}
	s.followRelated()
	sorted := slices.Sorted(maps.Keys(links))
	for i, a := range s.run.analyzers {
		if len(a.anchors) == 0 {
			continue
		}
		f := &follower{stack: s, analyzer: i, links: sorted, names: make(map[string]int)}
		f.raise = func(layer int, q question) {
			if s.moved[layer] == nil {
				s.moved[layer] = make(questions)
			}
			s.moved[layer][q] = struct{}{}
		}
		for _, anchor := range a.anchors {
			f.visit(anchor, anchor, nil)
		}
		f.implied()
		s.owed = append(s.owed, f.owed...)
		s.lost = append(s.lost, f.lost...)
	}
}

// followRelated adds the hard links that related links lead to.
func (s *stack) followRelated() {
	for link := range s.relatedLinks {
		real, err := s.view.Resolve(link, s.view.Top())
		if err != nil {
			continue
		}
		layer, at, _, ok := s.view.Lookup(real, s.view.Top())
		if !ok {
			continue
		}
		if _, ok := s.layers[layer].contents.Index.HardLink(at); !ok {
			continue
		}
		for i, a := range s.run.analyzers {
			if a.relater != nil {
				s.addHardLink(layer, at, link, i)
			}
		}
	}
}

// visit finds what readers of the image find under the name as, which a link, if there is one, at the path at stands
// for. The directories within led there.
func (f *follower) visit(as, at string, within []string) {
	top := f.view.Top()
	real, err := f.view.Resolve(at, top)
	if err != nil {
		return // a link that leads nowhere leads no reader of the image anywhere either
	}
	layer, stored, node, ok := f.view.Lookup(real, top)
	if !ok || slices.Contains(within, real) {
		return
	}
	if as != real {
		if f.names[real]++; f.names[real] > maxNames {
			f.lose(as, fmt.Sprintf("more than %d links lead to the same place", maxNames))
			return
		}
		f.land(as, real)
	} else if stored != real && node.Kind != image.KindDir {
		f.moveFile(layer, stored, as)
	}
	if node.Kind != image.KindDir {
		f.owed = append(f.owed, owed{analyzer: f.analyzer, as: as, real: real})
		return
	}
	within = append(slices.Clip(within), real)
	f.below(real, func(p, rest string) {
		if _, _, n, ok := f.view.Lookup(p, top); ok && n.Kind == image.KindSymlink {
			f.visit(path.Join(as, rest), p, within)
		}
	})
}

// below calls yield with the links below a directory, in order.
func (f *follower) below(dir string, yield func(p, rest string)) {
	prefix := dir + "/"
	if dir == image.Root {
		prefix = ""
	}
	first, _ := slices.BinarySearch(f.links, prefix)
	for _, p := range f.links[first:] {
		rest, ok := strings.CutPrefix(p, prefix)
		if !ok {
			return
		}
		yield(p, rest)
	}
}

// land asks for what the layers have at real, where the analyzer expects it at as.
func (f *follower) land(as, real string) {
	for layer, l := range f.layers {
		if l.contents == nil {
			continue
		}
		at, node, ok := f.view.At(layer, real)
		switch {
		case !ok:
		case node.Kind == image.KindDir:
			f.moveDir(layer, real, as)
		case node.Kind == image.KindFile || node.Kind == image.KindLowerLink:
			f.moveFile(layer, at, as)
			from, to := path.Dir(real), path.Dir(as)
			if f.run.analyzers[f.analyzer].relater != nil && from != to && from != image.Root {
				f.moveDir(layer, from, to) // what belongs to it was moved as well
			}
		}
	}
}

// moveDir asks for all files below a directory, wherever the layer has them.
func (f *follower) moveDir(layer int, real, as string) {
	f.moveStored(layer, real, as)
	f.view.Through(layer, func(dir, to string) {
		if rest, ok := below(to, real); ok {
			f.moveStored(layer, dir, path.Join(as, rest))
		} else if rest, ok := below(real, to); ok {
			f.moveStored(layer, path.Join(dir, rest), as)
		}
	})
}

// moveStored asks for all files that a layer has below a directory of its own.
func (f *follower) moveStored(layer int, dir, as string) {
	f.raise(layer, question{path: dir, below: true, as: as, analyzer: f.analyzer})
	f.below(dir, func(p, rest string) {
		if _, ok := f.layers[layer].contents.Index.HardLink(p); ok {
			f.addHardLink(layer, p, path.Join(as, rest), f.analyzer)
		}
	})
}

// below reports whether p is dir or below it, and the rest of the path.
func below(p, dir string) (rest string, ok bool) {
	if p == dir || dir == image.Root {
		return strings.TrimPrefix(p, dir), true
	}
	return strings.CutPrefix(p, dir+"/")
}

func (f *follower) moveFile(layer int, real, as string) {
	x := f.layers[layer].contents.Index
	if _, ok := x.HardLink(real); ok {
		f.addHardLink(layer, real, as, f.analyzer)
		return
	}
	node, _ := x.Lookup(real)
	if !f.run.asks(f.analyzer, real, image.NewFileInfo(base(real), node.Size, node.Mode)) {
		f.raise(layer, question{path: real, as: as, analyzer: f.analyzer})
	}
}

// implied looks for what layers put where an anchor is, through links of lower layers.
func (f *follower) implied() {
	for layer, l := range f.layers {
		if l.contents == nil {
			continue
		}
		f.view.Through(layer, func(dir, real string) {
			if f.anchors(real) {
				f.moveStored(layer, dir, real)
			}
		})
	}
}

// anchors reports whether an anchor of the analyzer is at, above or below p.
func (f *follower) anchors(p string) bool {
	return slices.ContainsFunc(f.run.analyzers[f.analyzer].anchors, func(anchor string) bool {
		return anchor == p || p == image.Root || strings.HasPrefix(anchor, p+"/") || strings.HasPrefix(p, anchor+"/")
	})
}

func (f *follower) lose(as, why string) {
	f.lost = append(f.lost, result{analyzer: f.analyzer, as: as, err: errors.New(why)})
}

// unanswered returns the owed files that nobody looked at, as gaps of their analyzers, and the links that are not
// followed.
func (s *stack) unanswered() []result {
	all := slices.Clone(s.lost)
	for _, o := range s.owed {
		if why := s.unseen(o); why != nil {
			all = append(all, result{analyzer: o.analyzer, as: o.as, err: why})
		}
	}
	slices.SortStableFunc(all, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.analyzer, b.analyzer), strings.Compare(a.as, b.as))
	})
	return all
}

// unseen says why an analyzer did not look at a file that it is owed; nil if it did or does not want it.
func (s *stack) unseen(o owed) error {
	layer, at, node, ok := s.view.Lookup(o.real, s.view.Top())
	if !ok || node.Kind != image.KindFile && node.Kind != image.KindLowerLink {
		return nil // a device, which is nobody's package database
	}
	layer, p, node, err := s.view.Content(layer, at)
	if err != nil {
		return nil // a gap of its own
	}
	info := image.NewFileInfo(base(p), node.Size, node.Mode)
	shown := image.NewFileInfo(base(o.as), node.Size, node.Mode)
	if s.run.asks(o.analyzer, p, info) || !s.run.asks(o.analyzer, o.as, shown) {
		return nil
	}
	kept := s.run.analyzers[o.analyzer].relater != nil && s.keptAt(layer, p, node.Seq) != nil
	if kept || s.layers[layer].answered[answer{p, node.Seq, o.as, o.analyzer}] {
		return nil
	}
	return fmt.Errorf("links lead from it to %q, which was not read", p)
}
