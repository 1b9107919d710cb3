package image

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// View is what a stack of layers adds up to. Layer numbers count from 0, the base; upto is the top layer that is looked
// at. A nil Index stands for a layer that could not be read and does nothing.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#applying-changesets
type View struct {
	layers []*Index
	// symlinks are, by layer, the hard links to symbolic links of lower layers, which are such links themselves.
	symlinks []map[string]string
	// through are, by layer, the directories that it only implies and that are symbolic links in lower layers, by where
	// those lead: extraction goes through the link.
	through []map[string][]string
	// beyond are the layers with more of them than are followed.
	beyond []bool
}

// maxThrough is how many links of lower layers a layer can write through. Images that are built to be run have a few,
// as lib to usr/lib.
const maxThrough = 1000

// NewView returns the view of the layers, the base first.
func NewView(layers []*Index) *View {
	v := &View{
		layers: layers, symlinks: make([]map[string]string, len(layers)),
		through: make([]map[string][]string, len(layers)), beyond: make([]bool, len(layers)),
	}
	for i, x := range layers {
		if x == nil {
			continue
		}
		linked := make(map[string]string)
		x.HardLinks(func(p string, link Link) bool {
			if link.Seq != 0 {
				return true
			}
			if l, from, n, err := v.Origin(i, link); err == nil && n.Kind == KindSymlink {
				linked[p] = v.target(l, from)
			}
			return true
		})
		v.symlinks[i] = linked
		v.writtenThrough(i)
	}
	return v
}

func (v *View) writtenThrough(layer int) {
	through, n := make(map[string][]string), 0
	for _, dir := range v.layers[layer].Implied() {
		real, err := v.Resolve(dir, layer-1)
		if err != nil || real == dir {
			continue
		}
		if up, err := v.Resolve(parent(dir), layer-1); err == nil && path.Join(up, path.Base(dir)) == real {
			continue // the link is further up
		}
		if n++; n > maxThrough {
			v.beyond[layer] = true
			break
		}
		through[real] = append(through[real], dir)
	}
	v.through[layer] = through
}

// ThroughTooMany reports whether a layer writes through more links than are followed.
func (v *View) ThroughTooMany(layer int) bool { return v.beyond[layer] }

// Top is the number of the top layer; -1 if there are none.
func (v *View) Top() int { return len(v.layers) - 1 }

// Lookup returns what is at a clean path as of layer upto, not following links, and the layer that has it.
//
// A directory that a layer only implies does not replace a symbolic link of a lower layer: extraction goes through
// the link. At returns the path of the entry within its layer, which is another then.
func (v *View) Lookup(p string, upto int) (layer int, at string, n Node, ok bool) {
	for layer = upto; layer >= 0; layer-- {
		x := v.layers[layer]
		if x == nil {
			continue
		}
		if at, n, ok := v.At(layer, p); ok {
			if n.Implied && p != Root && !x.hidesLower(p) {
				if l, at, lower, ok := v.Lookup(p, layer-1); ok && lower.Kind == KindSymlink {
					return l, at, lower, true
				}
			}
			return layer, at, n, true
		}
		if x.hidesLower(p) {
			break
		}
	}
	return 0, "", Node{}, false
}

// At returns what one layer has at a clean path of the view, and the path of the entry within the layer.
func (v *View) At(layer int, p string) (at string, n Node, ok bool) {
	at = p
	n, ok = v.node(layer, p)
	if len(v.through[layer]) == 0 {
		return at, n, ok
	}
	for dir := p; ; dir = parent(dir) {
		for _, written := range v.through[layer][dir] {
			other := path.Join(written, strings.TrimPrefix(strings.TrimPrefix(p, dir), "/"))
			if o, found := v.node(layer, other); found && (!ok || n.Seq < o.Seq) {
				at, n, ok = other, o, true
			}
		}
		if dir == Root {
			return at, n, ok
		}
	}
}

// Through calls yield with each directory that a layer only implies and that is a symbolic link in a lower layer, and
// where that leads: what the layer has below dir, extraction puts below real.
func (v *View) Through(layer int, yield func(dir, real string)) {
	for real, dirs := range v.through[layer] {
		for _, dir := range dirs {
			yield(dir, real)
		}
	}
}

// node returns what one layer has at a clean path.
func (v *View) node(layer int, p string) (Node, bool) {
	n, ok := v.layers[layer].Lookup(p)
	if ok && n.Kind == KindLowerLink {
		if _, ok := v.symlinks[layer][p]; ok {
			n.Kind = KindSymlink
		}
	}
	return n, ok
}

// target returns the target, as written, of a symbolic link that a layer has at p.
func (v *View) target(layer int, p string) string {
	if target, ok := v.symlinks[layer][p]; ok {
		return target
	}
	return v.layers[layer].symlinks[p]
}

// Symlinks calls yield with each symbolic link that a layer leaves, in no order.
func (v *View) Symlinks(layer int, yield func(p string) bool) {
	if v.layers[layer] == nil {
		return
	}
	for p := range v.symlinks[layer] {
		if !yield(p) {
			return
		}
	}
	v.layers[layer].Symlinks(func(p, _ string) bool { return yield(p) })
}

// Resolve follows all symbolic links in p as of layer upto. The result need not exist.
func (v *View) Resolve(p string, upto int) (string, error) {
	real, err := FollowLinks(p, func(p string) (string, bool) {
		layer, at, n, ok := v.Lookup(p, upto)
		if !ok || n.Kind != KindSymlink {
			return "", false
		}
		return v.target(layer, at), true
	})
	if err != nil {
		return "", fmt.Errorf("follow %q: %w", p, err)
	}
	return real, nil
}

// Content returns the layer, path and entry that hold the content of an entry of the given layer: its own, unless it is
// a hard link.
func (v *View) Content(layer int, p string) (int, string, Node, error) {
	n, ok := v.node(layer, p)
	if !ok {
		return 0, "", Node{}, fmt.Errorf("%q: %w", p, fs.ErrNotExist)
	}
	link, ok := v.layers[layer].HardLink(p)
	if !ok || n.Kind == KindSymlink {
		return layer, p, n, nil
	}
	l, from, origin, err := v.Origin(layer, link)
	if n.Kind == KindFile { // the target may have been replaced since
		origin.Size, origin.Mode = n.Size, n.Mode
	}
	return l, from, origin, err
}

// Origin returns the layer and path whose content a hard link of the given layer shows. That is never a hard link, but
// it may be a symbolic link.
func (v *View) Origin(layer int, link Link) (int, string, Node, error) {
	p := link.Target
	if link.Seq != 0 {
		n, _ := v.layers[layer].Lookup(p)
		if n.Seq != link.Seq {
			n = Node{Kind: KindFile, Seq: link.Seq}
		}
		return layer, p, n, nil
	}
	for range maxLinkHops {
		dir, err := v.Resolve(parent(p), layer-1)
		if err != nil {
			return 0, "", Node{}, err
		}
		p = path.Join(dir, path.Base(p))
		l, at, n, ok := v.Lookup(p, layer-1)
		if !ok {
			break
		}
		if n.Kind != KindLowerLink {
			return v.Content(l, at)
		}
		layer, p = l, v.layers[l].hardLinks[at].Target
	}
	return 0, "", Node{}, fmt.Errorf("hard link to %q: %w", link.Target, fs.ErrNotExist)
}

// RemovedIn returns the first layer above the given one that deletes or replaces its file at p.
func (v *View) RemovedIn(layer int, p string) (int, bool) {
	for above := layer + 1; above < len(v.layers); above++ {
		x := v.layers[above]
		if x == nil {
			continue
		}
		if _, ok := x.Lookup(p); ok || x.hidesLower(p) {
			return above, true
		}
	}
	return 0, false
}

// Current reports whether an entry of a layer is what the layer itself leaves at p.
func (v *View) Current(layer int, p string, seq uint32) bool {
	n, ok := v.layers[layer].Lookup(p)
	return ok && n.Seq == seq
}
