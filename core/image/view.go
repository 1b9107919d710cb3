package image

import (
	"fmt"
	"io/fs"
	"path"
)

// View is what a stack of layers adds up to. Layer numbers count from 0, the base; upto is the top layer that is looked
// at. A nil Index stands for a layer that could not be read and does nothing.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#applying-changesets
type View struct {
	layers []*Index
	// symlinks are, by layer, the hard links to symbolic links of lower layers, which are such links themselves.
	symlinks []map[string]string
}

// NewView returns the view of the layers, the base first.
func NewView(layers []*Index) *View {
	v := &View{layers: layers, symlinks: make([]map[string]string, len(layers))}
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
	}
	return v
}

// Top is the number of the top layer; -1 if there are none.
func (v *View) Top() int { return len(v.layers) - 1 }

// Lookup returns what is at a clean path as of layer upto, and the layer that has it, not following links.
//
// A directory that a layer only implies does not replace a symbolic link of a lower layer: extraction goes through
// the link.
func (v *View) Lookup(p string, upto int) (layer int, n Node, ok bool) {
	for layer = upto; layer >= 0; layer-- {
		x := v.layers[layer]
		if x == nil {
			continue
		}
		if n, ok := v.node(layer, p); ok {
			if n.Implied && p != Root && !x.hidesLower(p) {
				if l, lower, ok := v.Lookup(p, layer-1); ok && lower.Kind == KindSymlink {
					return l, lower, true
				}
			}
			return layer, n, true
		}
		if x.hidesLower(p) {
			break
		}
	}
	return 0, Node{}, false
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
	real, err := followLinks(p, func(p string) (string, bool) {
		layer, n, ok := v.Lookup(p, upto)
		if !ok || n.Kind != KindSymlink {
			return "", false
		}
		return v.target(layer, p), true
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
		l, n, ok := v.Lookup(p, layer-1)
		if !ok {
			break
		}
		if n.Kind != KindLowerLink {
			return v.Content(l, p)
		}
		layer, p = l, v.layers[l].hardLinks[p].Target
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
