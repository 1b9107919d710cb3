package walk

import (
	"path"

	"github.com/cleanbill-ci/cleanbill/core/image"
)

// nameLinks adds the symbolic links that give a file a name by which an analyzer wants it, and its own name does not:
// package managers read a lockfile through a link of any kind, so it is as good as a hard link. Those that are anchored
// have found theirs in follow.
//
// Links to directories are not looked into: that would be a second reading of nearly every image.
func (s *stack) nameLinks() {
	for i, l := range s.layers {
		if l.contents == nil {
			continue
		}
		s.view.Symlinks(i, func(p string) bool {
			s.nameLink(i, p)
			return true
		})
	}
}

// nameLink looks at one link that a layer stores at p.
func (s *stack) nameLink(layer int, p string) {
	top := s.view.Top()
	dir, err := s.view.Resolve(path.Dir(p), top)
	if err != nil {
		return
	}
	as := path.Join(dir, base(p))
	if l, at, n, ok := s.view.Lookup(as, top); !ok || l != layer || at != p || n.Kind != image.KindSymlink {
		return // a higher layer, or a later entry, has replaced it
	}
	real, err := s.view.Resolve(as, top)
	if err != nil {
		return // nobody reads it
	}
	from, at, node, ok := s.view.Lookup(real, top)
	if !ok || node.Kind != image.KindFile && node.Kind != image.KindLowerLink {
		return
	}
	from, at, node, err = s.view.Content(from, at)
	if err != nil || node.Kind != image.KindFile {
		return // a gap of its own
	}
	info, realInfo := image.NewFileInfo(base(as), node.Size, node.Mode), image.NewFileInfo(base(real), node.Size, node.Mode)
	own, _ := s.layers[layer].contents.Index.Lookup(p)
	for i := range s.run.analyzers {
		a := &s.run.analyzers[i]
		if a.anchors == nil && a.followed(as) && s.run.asks(i, as, info) && !s.run.asks(i, real, realInfo) {
			s.hardLinks = append(s.hardLinks, hardLink{
				place: place{layer, p}, seq: own.Seq, as: as, only: i, info: info,
				target: place{from, at}, targetSeq: node.Seq, targetInfo: image.NewFileInfo(base(at), node.Size, node.Mode),
			})
		}
	}
}

// followed reports whether the analyzer follows a link at all.
func (a *analyzer) followed(link string) bool { return a.follows == nil || a.follows.Follows(link) }
