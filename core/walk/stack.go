package walk

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

// stack is one image: its layers, which it may share, and what is its own.
type stack struct {
	run    *run
	image  *image.Image
	layers []*layer
	view   *image.View

	hardLinks []hardLink
	// aliases are hard links to kept files, which belong to the layer of the link.
	aliases map[place]*kept
	// relatedLinks are the symbolic links at related paths, with the layer that is the last to have them.
	relatedLinks map[string]int
	// deferredResults are those of the relating analyzers.
	deferredResults []placed
	// gaps are what is wrong with the stack although every layer is good.
	gaps []string

	// moved are the questions, by layer, about what links have moved away from where analyzers expect it.
	moved map[int]questions
	owed  []owed
	lost  []result
}

// place is a path in a layer of a stack.
type place struct {
	layer int
	path  string
}

// hardLink is a link in one layer to a file whose bytes stand elsewhere in the same or a lower layer, or a symbolic link
// that an analyzer takes for one, whose file may be in a higher layer too.
type hardLink struct {
	place
	seq uint32
	// as is the name that it is shown under, which is not its path if a symbolic link leads to it.
	as string
	// only is the analyzer that it is shown to; everyone if it is shown to all.
	only      int
	info      fs.FileInfo
	target    place
	targetSeq uint32
	// targetInfo has the name of the target.
	targetInfo fs.FileInfo
}

const everyone = -1

// build makes the view and finds the hard links. Layers that could not be read have no part in it.
func (s *stack) build() {
	indexes := make([]*image.Index, len(s.layers))
	sums := s.run.reading.Err()
	for i, l := range s.layers {
		if sums != nil {
			l.contents, l.err = nil, sums
		}
		if l.contents != nil {
			indexes[i] = l.contents.Index
		}
	}
	s.view = image.NewView(indexes)
	s.hardLinks, s.gaps = nil, nil
	s.aliases, s.relatedLinks = make(map[place]*kept), make(map[string]int)
	for i, l := range s.layers {
		if l.contents == nil {
			continue
		}
		if s.view.ThroughTooMany(i) {
			s.gaps = append(s.gaps, s.layerName(i)+": it writes through more links of lower layers than are followed")
		}
		if l.contents.Trailing {
			s.gaps = append(s.gaps, s.layerName(i)+": data follows the end of its tar archive, which was not examined")
		}
		l.contents.Index.HardLinks(func(p string, _ image.Link) bool {
			s.addHardLink(i, p, p, everyone)
			return true
		})
		s.view.Symlinks(i, func(p string) bool {
			if s.run.isRelated(p) {
				s.relatedLinks[p] = i
			}
			return true
		})
	}
	s.follow()
	s.nameLinks()
	slices.SortFunc(s.hardLinks, func(a, b hardLink) int {
		return cmp.Or(cmp.Compare(a.layer, b.layer), cmp.Compare(a.path, b.path), cmp.Compare(a.only, b.only),
			strings.Compare(a.as, b.as))
	})
	s.hardLinks = slices.CompactFunc(s.hardLinks, func(a, b hardLink) bool {
		return a.place == b.place && a.only == b.only && a.as == b.as
	})
}

// addHardLink notes a hard link that a layer has at p. What cannot be followed is told once, where the link is its own.
func (s *stack) addHardLink(layer int, p, as string, only int) {
	own, _ := s.layers[layer].contents.Index.Lookup(p)
	from, target, node, err := s.view.Content(layer, p)
	switch {
	case err != nil && only == everyone && s.unread() == 0: // else the target may be in the layer that could not be read
		s.gaps = append(s.gaps, fmt.Sprintf("%s: %q: %s", s.layerName(layer), p, printable(err)))
		return
	case err != nil || node.Kind != image.KindFile: // a link to a link is one of the view's symbolic links
		return
	}
	s.hardLinks = append(s.hardLinks, hardLink{
		place: place{layer, p}, seq: own.Seq, as: as, only: only, info: image.NewFileInfo(base(as), node.Size, node.Mode),
		target: place{from, target}, targetSeq: node.Seq,
		targetInfo: image.NewFileInfo(base(target), node.Size, node.Mode),
	})
}

func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

func (s *stack) unread() int {
	n := 0
	for _, l := range s.layers {
		if l.contents == nil {
			n++
		}
	}
	return n
}

// keptAt returns the kept file of an entry.
func (s *stack) keptAt(layer int, p string, seq uint32) *kept {
	if k := s.layers[layer].kept.get(p, seq); k != nil {
		return k
	}
	return s.aliases[place{layer, p}]
}

// eachKept calls yield for all kept files up to a layer, shadowed ones included.
func (s *stack) eachKept(upto int, yield func(layer int, p string, k *kept)) {
	for i, l := range s.layers[:upto+1] {
		for p, k := range l.kept.files {
			yield(i, p, k)
		}
	}
	for at, k := range s.aliases {
		if at.layer <= upto {
			yield(at.layer, at.path, k)
		}
	}
}

// deferred returns all files of the stack that relating analyzers want, in order.
func (s *stack) deferred() []placedFile {
	var all []placedFile
	for i, l := range s.layers {
		if l.contents == nil {
			continue
		}
		for _, d := range l.kept.deferred {
			all = append(all, placedFile{layer: i, deferred: d})
		}
	}
	for _, h := range s.hardLinks {
		k := s.aliases[h.place]
		if k == nil {
			continue
		}
		for _, a := range s.whoLink(h).deferred {
			all = append(all, placedFile{layer: h.layer, deferred: deferred{analyzer: a, real: h.path, as: h.as, file: k}})
		}
	}
	return all
}

// ignore is for questions that the first reading has asked before.
func (s *stack) ignore(int, error) {}

type placedFile struct {
	layer int
	deferred
}

// versionKey names one version of a deferred file, and all layers below it, which its analysis may depend on. Images
// that begin with the same layers share the analysis.
type versionKey struct {
	chain    int
	analyzer int
	real, as string
	seq      uint32
}

// analyzeDeferred runs the relating analyzers on all versions of their files in all images.
func (r *run) analyzeDeferred(ctx context.Context, stacks []*stack) error {
	type link struct {
		below int
		layer *layer
	}
	chains := make(map[link]int)
	versions := make(map[versionKey]*result)
	type use struct {
		stack *stack
		layer int
		of    *result
	}
	var uses []use
	for _, s := range stacks {
		numbers := make([]int, len(s.layers))
		below := 0
		for i, l := range s.layers {
			k := link{below, l}
			if chains[k] == 0 {
				chains[k] = len(chains) + 1
			}
			numbers[i] = chains[k]
			below = numbers[i]
		}
		views := make(map[int]*relatedFS)
		for _, d := range s.deferred() {
			key := versionKey{numbers[d.layer], d.analyzer, d.real, d.as, d.file.seq}
			one, ok := versions[key]
			if !ok {
				if views[d.layer] == nil {
					views[d.layer] = s.related(d.layer)
				}
				one = &result{analyzer: d.analyzer, real: d.real, as: d.as, seq: d.file.seq}
				versions[key] = one
				related := views[d.layer]
				r.pool.submit(func() { r.analyzeKept(ctx, d, related, one) })
			}
			uses = append(uses, use{s, d.layer, one})
		}
	}
	r.pool.wait()
	for _, u := range uses {
		if !u.of.empty() {
			u.stack.deferredResults = append(u.stack.deferredResults, placed{layer: u.layer, result: *u.of})
		}
	}
	return context.Cause(ctx)
}

func (r *run) analyzeKept(ctx context.Context, d placedFile, related fs.FS, to *result) {
	if ctx.Err() != nil {
		return
	}
	to.found, _, to.err = r.analyze(ctx, d.analyzer, core.File{
		Path: d.as, Info: named(d.file.info, d.as), Content: sectionOf(d.file), Related: related,
	})
}

// isRelated reports whether any analyzer wants the file kept. A panic was recorded when it was asked first.
func (r *run) isRelated(p string) (yes bool) {
	defer func() { _ = recover() }()
	for _, a := range r.analyzers {
		if a.relater != nil && a.relater.Related(p) {
			return true
		}
	}
	return false
}

func (s *stack) layerName(i int) string {
	return fmt.Sprintf("%s, layer %d of %d (%s)", image.Name(s.image.Subject), i+1, len(s.layers),
		s.layers[i].Digest.Short())
}
