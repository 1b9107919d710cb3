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

// answer is an entry of a layer that was shown to an analyzer under another name.
type answer struct {
	path     string
	seq      uint32
	as       string
	analyzer int
}

// asked are the questions of one layer by what they are about: files, and directories with all that is below.
type asked struct{ files, dirs map[string][]question }

func (qs questions) byPath() asked {
	a := asked{files: make(map[string][]question), dirs: make(map[string][]question)}
	for q := range qs {
		to := a.files
		if q.below {
			to = a.dirs
		}
		to[q.path] = append(to[q.path], q)
	}
	return a
}

// about calls yield with each question that the file answers, and the name to show it under.
func (a asked) about(f image.File, yield func(q question, as string)) {
	for _, q := range a.files[f.Path] {
		if q.seq == 0 || q.seq == f.Seq {
			yield(q, q.as)
		}
	}
	if len(a.dirs) == 0 {
		return
	}
	for dir := f.Path; dir != image.Root; {
		dir = path.Dir(dir)
		for _, q := range a.dirs[dir] {
			yield(q, path.Join(q.as, strings.TrimPrefix(strings.TrimPrefix(f.Path, dir), "/")))
		}
	}
}

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
	asked := qs.byPath()
	l.answered = make(map[answer]bool)
	_, err := l.Read(ctx, again, nil, func(f image.File, in io.Reader) error {
		all := r.answers(l, f, asked)
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
func (r *run) answers(l *layer, f image.File, asked asked) []wanted {
	byName := make(map[string]*wanted)
	asked.about(f, func(q question, as string) {
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
		if !q.below {
			l.answered[answer{f.Path, f.Seq, as, q.analyzer}] = true
		}
	})
	if len(byName) == 0 {
		return nil
	}
	native := r.who(f.Path, f.Info, func(int, error) {})
	var all []wanted
	for _, w := range byName {
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

// ask raises the questions of one image.
func (s *stack) ask(raise func(layer int, q question)) {
	for layer, qs := range s.moved {
		for q := range qs {
			raise(layer, q)
		}
	}
	s.askRelated(raise)
	s.askHardLinks(raise)
}

// asks reports whether the analyzer wants the file.
func (r *run) asks(i int, p string, info image.FileInfo) bool {
	var w wanted
	w.as = p
	r.ask(&w, i, info, func(int, error) {})
	return len(w.direct)+len(w.deferred) > 0
}

// askRelated looks for related files behind links.
func (s *stack) askRelated(raise func(int, question)) {
	for link := range s.relatedLinks {
		real, err := s.view.Resolve(link, s.view.Top())
		if err != nil {
			continue
		}
		layer, real, node, ok := s.view.Lookup(real, s.view.Top())
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

// whoLink asks the analyzers that a hard link concerns.
func (s *stack) whoLink(h hardLink) wanted {
	if h.only == everyone {
		return s.run.who(h.as, h.info, s.ignore)
	}
	w := wanted{as: h.as}
	s.run.ask(&w, h.only, h.info, s.ignore)
	return w
}

// askHardLinks looks at files that an analyzer wants by the name of the link only.
func (s *stack) askHardLinks(raise func(int, question)) {
	for _, h := range s.hardLinks {
		w := s.whoLink(h)
		if w.empty() {
			continue
		}
		q := question{path: h.target.path, seq: h.targetSeq, as: h.as, viaLink: true}
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
			if a.relater != nil && (h.only == everyone || h.only == i) {
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
		if target == nil || !s.whoLink(h).keep() {
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
		w := s.whoLink(h)
		for _, one := range found {
			own := one.viaLink && one.as == h.as && (h.only == everyone || h.only == one.analyzer)
			same := !one.viaLink && one.as == h.target.path && slices.Contains(w.direct, one.analyzer)
			if own || same {
				all = append(all, placed{layer: h.layer, result: one.at(h.path, h.as, h.seq)})
			}
		}
	}
	return all
}

// at returns a copy of the result for another path of the same bytes, shown as p.
func (one result) at(real, p string, seq uint32) result {
	from := one.as
	one.real, one.as, one.seq, one.viaLink = real, p, seq, false
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
