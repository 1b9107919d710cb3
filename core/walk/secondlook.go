package walk

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
)

// question is one reason to read a layer a second time: an analyzer must see a file, or all files below a directory,
// under a path that only the whole stack of layers tells. Ordinary images raise none.
type question struct {
	path     string
	below    bool
	seq      uint32 // of the entry; 0 for all
	as       string
	analyzer int
	// viaLink marks the target of a hard link, whose results belong to the link alone.
	viaLink bool
}

// questions are those about one layer.
type questions map[question]struct{}

// lookAgain reads the layers that links have raised questions about.
func (r *run) lookAgain(ctx context.Context, stacks []*stack) error {
	open := make(map[*layer]questions)
	for _, s := range stacks {
		s.ask(func(layer int, q question) {
			l := s.layers[layer]
			if open[l] == nil {
				open[l] = make(questions)
			}
			open[l][q] = struct{}{}
		})
	}
	if len(open) == 0 {
		for _, s := range stacks {
			s.alias()
		}
		return nil
	}
	r.log.Debug("read layers a second time, because links lead to files that analyzers look for elsewhere", "layers",
		len(open))
	again := r.reading.Again()
	var group errgroup.Group
	group.SetLimit(r.parallel)
	for l, qs := range open {
		group.Go(func() error { return r.readAgain(ctx, again, l, qs) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.pool.wait()
	for _, s := range stacks {
		s.build() // a layer may have failed this time, or the limits
		s.alias()
	}
	return context.Cause(ctx)
}

func (r *run) readAgain(ctx context.Context, again *image.Reading, l *layer, qs questions) error {
	_, err := l.Read(ctx, again, nil, func(f image.File, in io.Reader) error {
		all := r.answers(l, f, qs)
		if len(all) == 0 {
			return nil
		}
		return r.take(ctx, l, f, all, in)
	})
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	var fatal *fatalError
	if errors.As(err, &fatal) {
		r.stop(fatal)
		return fatal
	}
	if err != nil {
		l.err, l.contents = err, nil
	}
	return nil
}

// answers returns who wants to see the file under which other names.
func (r *run) answers(l *layer, f image.File, qs questions) []wanted {
	byName := make(map[string]*wanted)
	for q := range qs {
		as, ok := q.match(f)
		if !ok {
			continue
		}
		key := as
		if q.viaLink {
			key = "\x00" + as // apart from the same name without a link
		}
		w := byName[key]
		if w == nil {
			w = &wanted{as: as, viaLink: q.viaLink}
			byName[key] = w
		}
		r.ask(w, q.analyzer, f.Info, func(i int, err error) {
			l.results.add(result{analyzer: i, real: f.Path, as: as, seq: f.Seq, err: err, viaLink: q.viaLink})
		})
	}
	var all []wanted
	for _, w := range byName {
		native := r.who(f.Path, f.Info, func(int, error) {})
		if !w.viaLink {
			// What an analyzer has seen under the file's own name it need not see again.
			w.direct = slices.DeleteFunc(w.direct, func(i int) bool { return slices.Contains(native.direct, i) })
			w.deferred = slices.DeleteFunc(w.deferred, func(i int) bool { return slices.Contains(native.deferred, i) })
		}
		if !w.empty() {
			all = append(all, *w)
		}
	}
	slices.SortFunc(all, func(a, b wanted) int { return strings.Compare(a.as, b.as) })
	return all
}

func (q question) match(f image.File) (as string, ok bool) {
	if q.seq != 0 && q.seq != f.Seq {
		return "", false
	}
	if !q.below {
		return q.as, f.Path == q.path
	}
	rest, ok := strings.CutPrefix(f.Path, q.path+"/")
	return path.Join(q.as, rest), ok
}

// ask raises the questions of one image.
func (s *stack) ask(raise func(layer int, q question)) {
	for i := range s.run.analyzers {
		if len(s.run.analyzers[i].anchors) > 0 {
			s.askAnchors(i, raise)
			s.askImplied(i, raise)
		}
	}
	s.askRelated(raise)
	s.askHardLinks(raise)
}

// askAnchors looks for files that a link has moved away from where the analyzer expects them.
func (s *stack) askAnchors(i int, raise func(int, question)) {
	a := s.run.analyzers[i]
	anchors := slices.Clone(a.anchors)
	for _, l := range s.layers {
		if l.contents == nil {
			continue
		}
		l.contents.Index.Symlinks(func(p, _ string) bool {
			for _, anchor := range a.anchors {
				if strings.HasPrefix(p, anchor+"/") {
					anchors = append(anchors, p)
				}
			}
			return true
		})
	}
	for _, anchor := range anchors {
		real, err := s.view.Resolve(anchor, s.view.Top())
		if err != nil || real == anchor || real == image.Root {
			continue // a link that leads nowhere leads no reader of the image anywhere either
		}
		s.askMoved(i, anchor, real, raise)
	}
}

func (s *stack) askMoved(i int, anchor, real string, raise func(int, question)) {
	for layer, l := range s.layers {
		if l.contents == nil {
			continue
		}
		node, ok := l.contents.Index.Lookup(real)
		switch {
		case !ok:
		case node.Kind == image.KindDir && !s.run.knows(l, i, real):
			raise(layer, question{path: real, below: true, as: anchor, analyzer: i})
		case node.Kind == image.KindFile && !s.run.asks(i, real, image.NewFileInfo(base(real), node.Size, node.Mode)):
			raise(layer, question{path: real, as: anchor, analyzer: i})
			if from, to := path.Dir(real), path.Dir(anchor); from != to && from != image.Root {
				raise(layer, question{path: from, below: true, as: to, analyzer: i}) // what belongs to it was moved as well
			}
		}
	}
}

// asks reports whether the analyzer wants the file.
func (r *run) asks(i int, p string, info image.FileInfo) bool {
	var w wanted
	w.as = p
	r.ask(&w, i, info, func(int, error) {})
	return len(w.direct)+len(w.deferred) > 0
}

// knows reports whether the analyzer found files below dir of its own accord, so that it knows the place.
func (r *run) knows(l *layer, i int, dir string) bool {
	under := func(p string) bool { return strings.HasPrefix(p, dir+"/") }
	return slices.ContainsFunc(l.kept.deferred, func(d deferred) bool { return d.analyzer == i && under(d.real) }) ||
		slices.ContainsFunc(l.results.list, func(one result) bool { return one.analyzer == i && under(one.real) })
}

// askImplied looks at directories that a layer has files in but no entry for, while a lower layer has a link there:
// runtimes that extract through the link put the files where it leads.
func (s *stack) askImplied(i int, raise func(int, question)) {
	for layer, l := range s.layers {
		if l.contents == nil || layer == 0 {
			continue
		}
		for _, dir := range l.contents.Index.Implied() {
			real, err := s.view.Resolve(dir, layer-1)
			if err != nil || real == dir {
				continue
			}
			if slices.ContainsFunc(s.run.analyzers[i].anchors, func(anchor string) bool { return overlap(anchor, real) }) {
				raise(layer, question{path: dir, below: true, as: real, analyzer: i})
			}
		}
	}
}

func overlap(a, b string) bool {
	return a == b || b == image.Root || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// askRelated looks for related files behind links.
func (s *stack) askRelated(raise func(int, question)) {
	for link := range s.relatedLinks {
		real, err := s.view.Resolve(link, s.view.Top())
		if err != nil {
			continue
		}
		layer, node, ok := s.view.Lookup(real, s.view.Top())
		if !ok || node.Kind != image.KindFile || s.keptAt(layer, real, node.Seq) != nil {
			continue
		}
		for i, a := range s.run.analyzers {
			if a.relater != nil {
				raise(layer, question{path: real, seq: node.Seq, as: link, analyzer: i})
			}
		}
	}
}

// askHardLinks looks at files that an analyzer wants by the name of the link only.
func (s *stack) askHardLinks(raise func(int, question)) {
	for _, h := range s.hardLinks {
		w := s.run.who(h.path, h.info, s.ignore)
		if w.empty() {
			continue
		}
		q := question{path: h.target.path, seq: h.targetSeq, as: h.path, viaLink: true}
		native := s.run.who(h.target.path, h.targetInfo, s.ignore)
		for _, i := range w.direct {
			if !slices.Contains(native.direct, i) {
				q.analyzer = i
				raise(h.target.layer, q)
			}
		}
		if !w.keep() || s.keptAt(h.target.layer, h.target.path, h.targetSeq) != nil {
			continue
		}
		for i, a := range s.run.analyzers {
			if a.relater != nil {
				q.analyzer = i
				raise(h.target.layer, q)
			}
		}
	}
}

// alias gives hard links the kept files of their targets.
func (s *stack) alias() {
	for _, h := range s.hardLinks {
		target := s.keptAt(h.target.layer, h.target.path, h.targetSeq)
		if target == nil || !s.run.who(h.path, h.info, s.ignore).keep() {
			continue
		}
		own := *target
		own.seq = h.seq
		s.aliases[h.place] = &own
	}
}

// hardLinkResults returns what analyzers found in the targets of the hard links, under the links' paths.
func (s *stack) hardLinkResults() []placed {
	type version struct {
		layer *layer
		path  string
		seq   uint32
	}
	byTarget := make(map[version][]result)
	seen := make(map[*layer]bool)
	var all []placed
	for _, h := range s.hardLinks {
		l := s.layers[h.target.layer]
		if !seen[l] {
			seen[l] = true
			for _, one := range l.results.list {
				v := version{l, one.real, one.seq}
				byTarget[v] = append(byTarget[v], one)
			}
		}
		found := byTarget[version{l, h.target.path, h.targetSeq}]
		if len(found) == 0 {
			continue
		}
		w := s.run.who(h.path, h.info, s.ignore)
		for _, one := range found {
			own := one.viaLink && one.as == h.path
			same := !one.viaLink && one.as == h.target.path && slices.Contains(w.direct, one.analyzer)
			if own || same {
				all = append(all, placed{layer: h.layer, result: one.at(h.path, h.seq)})
			}
		}
	}
	return all
}

// at returns a copy of the result for another path of the same bytes.
func (one result) at(p string, seq uint32) result {
	from := one.as
	one.real, one.as, one.seq, one.viaLink = p, p, seq, false
	if from == p {
		return one
	}
	move := func(locations []core.Location) []core.Location {
		moved := slices.Clone(locations)
		for i, l := range moved {
			if rest, ok := strings.CutPrefix(l.Path, from); ok {
				moved[i].Path = p + rest
			}
		}
		return moved
	}
	one.found.Packages = slices.Clone(one.found.Packages)
	for i := range one.found.Packages {
		one.found.Packages[i].Locations = move(one.found.Packages[i].Locations)
	}
	one.found.Findings = slices.Clone(one.found.Findings)
	for i := range one.found.Findings {
		one.found.Findings[i].Locations = move(one.found.Findings[i].Locations)
	}
	one.found.Problems = slices.Clone(one.found.Problems)
	for i, problem := range one.found.Problems {
		if rest, ok := strings.CutPrefix(problem.Path, from); ok {
			one.found.Problems[i].Path = p + rest
		}
	}
	return one
}
