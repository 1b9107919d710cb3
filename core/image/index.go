package image

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Kind is what an entry of a layer is.
type Kind uint8

// The kinds of entry.
const (
	KindDir Kind = iota + 1
	KindFile
	KindSymlink
	// KindLowerLink is a hard link to a file of a lower layer. One to a file of its own layer is a KindFile. A View, which
	// knows the lower layers, shows one to a symbolic link as a KindSymlink.
	KindLowerLink
	// KindOther is a device node, a FIFO or a socket.
	KindOther
)

// Node is one path of a layer, as the layer leaves it.
type Node struct {
	Kind Kind
	// Seq is the number of the entry within its layer, from 1. A later entry of the same path replaces an earlier one.
	Seq uint32
	// Size and Mode are those of a regular file. Mode holds the permission, setuid, setgid and sticky bits.
	Size int64
	Mode fs.FileMode
	// Implied is true for a directory that has no entry but contains entries.
	Implied bool
}

// Link is the target of a hard link, in the form of Index paths.
type Link struct {
	Target string
	// Seq is the target's entry in the same layer; 0 if the target is in a lower layer.
	Seq uint32
}

// Index is what one layer does to the file system: which paths it has and which it hides. Paths themselves are not kept
// but their seeded 64-bit hashes (two of a million paths collide once in 30 million runs, and nobody can aim for it);
// only the links, the implied directories and the directories that hold whiteouts cost memory by their length.
type Index struct {
	seed  maphash.Seed
	nodes map[uint64]node
	hides map[uint64]hiding
	// symlinks maps paths to targets as written.
	symlinks  map[string]string
	hardLinks map[string]Link
	implied   []string
	kept      *limit.Counter

	// The last directory that was placed, and where it really is: entries come directory by directory.
	lastDir, lastReal string
}

// node is a Node in sixteen bytes.
type node struct {
	// size is the file's, or for a directory the number of the entry that turned a non-directory into it: what was in
	// a directory of the same name before is gone.
	size    int64
	seq     uint32
	mode    uint16
	kind    Kind
	implied bool
}

type hiding uint8

const (
	hidesPath     hiding = 1 << iota // a whiteout
	hidesChildren                    // an opaque directory
)

// What an index entry costs at most, for the accounting: the map's slot at its lowest load, and string headers.
const (
	nodeCost = 64
	linkCost = 128
)

const maxLinkHops = 40 // as Linux: path_resolution(7)

var errLoop = errors.New("too many levels of symbolic links")

// NewIndex returns an empty index. All indexes of one View need the same seed. What it keeps is counted in kept.
func NewIndex(seed maphash.Seed, kept *limit.Counter) *Index {
	return &Index{
		seed:      seed,
		nodes:     make(map[uint64]node),
		hides:     make(map[uint64]hiding),
		symlinks:  make(map[string]string),
		hardLinks: make(map[string]Link),
		kept:      kept,
	}
}

func (x *Index) hash(p string) uint64 { return maphash.String(x.seed, p) }

// Place returns where an entry named p really is: parents that are symbolic links of the same layer are followed, as
// they are when a runtime extracts it. It notes the parents as directories.
func (x *Index) Place(p string, seq uint32) (string, error) {
	dir := parent(p)
	if dir == Root {
		return p, nil
	}
	if dir != x.lastDir {
		real, err := x.follow(dir)
		if err != nil {
			return "", err
		}
		if err := x.imply(real, seq); err != nil {
			return "", err
		}
		x.lastDir, x.lastReal = dir, real
	}
	if x.lastReal == dir {
		return p, nil
	}
	return path.Join(x.lastReal, path.Base(p)), nil
}

// follow resolves the symbolic links of this layer in dir, the last component included. Targets are confined to the
// root.
func (x *Index) follow(dir string) (string, error) {
	return FollowLinks(dir, func(p string) (string, bool) {
		if n, ok := x.nodes[x.hash(p)]; !ok || n.kind != KindSymlink {
			return "", false
		}
		target, ok := x.symlinks[p]
		return target, ok
	})
}

// FollowLinks resolves symbolic links in all components of p, of which link returns the targets. Absolute targets start
// at the root, and ".." stops there.
func FollowLinks(p string, link func(p string) (target string, ok bool)) (string, error) {
	done, rest := "", p
	for hops := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if done = parent(done); done == Root {
				done = ""
			}
			continue
		}
		next := name
		if done != "" {
			next = done + "/" + name
		}
		target, ok := link(next)
		if !ok {
			done = next
			continue
		}
		if hops++; hops > maxLinkHops {
			return "", errLoop
		}
		if strings.HasPrefix(target, "/") {
			done = ""
		}
		rest = strings.TrimSuffix(target+"/"+rest, "/")
	}
	if done == "" {
		return Root, nil
	}
	return done, nil
}

// imply notes dir and its ancestors as directories.
func (x *Index) imply(dir string, seq uint32) error {
	var err error
	one := func(d string) bool {
		h := x.hash(d)
		n, ok := x.nodes[h]
		switch {
		case !ok:
			x.nodes[h] = node{seq: seq, kind: KindDir, implied: true}
			x.implied = append(x.implied, d)
			err = x.kept.Add(nodeCost + int64(len(d)))
		case n.kind == KindLowerLink && x.reachable(d, n.seq): // only the lower layer tells what it is and where it leads
			err = fmt.Errorf("its directory %q is a hard link", d)
		case n.kind != KindDir:
			x.nodes[h] = node{seq: seq, kind: KindDir, size: int64(seq)}
		case !x.reachable(d, n.seq): // it went with a parent that was replaced, and comes back
			x.nodes[h] = node{seq: seq, kind: KindDir, implied: true}
		}
		return err == nil
	}
	if ancestors(dir, one) && dir != Root {
		one(dir)
	}
	return err
}

// AddDir notes a directory entry.
func (x *Index) AddDir(p string, seq uint32) error {
	if p == Root {
		return nil
	}
	h := x.hash(p)
	n, ok := x.nodes[h]
	since := n.size
	if ok && n.kind != KindDir {
		since = int64(seq)
		x.lastDir = ""
	}
	x.nodes[h] = node{size: since, seq: seq, kind: KindDir}
	return x.count(!ok)
}

// AddFile notes a regular file.
func (x *Index) AddFile(p string, seq uint32, size int64, mode fs.FileMode) error {
	return x.addLeaf(p, node{size: size, seq: seq, mode: packMode(mode), kind: KindFile})
}

// AddOther notes a device node, a FIFO or a socket.
func (x *Index) AddOther(p string, seq uint32) error {
	return x.addLeaf(p, node{seq: seq, kind: KindOther})
}

// AddSymlink notes a symbolic link with its target as written.
func (x *Index) AddSymlink(p string, seq uint32, target string) error {
	x.symlinks[p] = target
	if err := x.kept.Add(linkCost + int64(len(p)+len(target))); err != nil {
		return err
	}
	return x.addLeaf(p, node{seq: seq, kind: KindSymlink})
}

// AddHardLink notes a hard link to a clean path, which is in the same layer or a lower one. A hard link to a symbolic
// link is that link once more, and one to a device a device.
func (x *Index) AddHardLink(p string, seq uint32, target string) error {
	dir, err := x.follow(parent(target))
	if err != nil {
		return err
	}
	target = path.Join(dir, path.Base(target))
	if target == p {
		return nil
	}
	n := node{kind: KindLowerLink}
	if _, ok := x.Lookup(target); ok {
		n = x.nodes[x.hash(target)]
	}
	switch n.kind {
	case KindDir:
		return fmt.Errorf("hard link to the directory %q", target)
	case KindSymlink:
		return x.AddSymlink(p, seq, x.symlinks[target])
	case KindOther:
		return x.AddOther(p, seq)
	}
	link := Link{Target: target, Seq: n.seq}
	if first, ok := x.hardLinks[target]; ok && n.seq != 0 {
		link = first
	}
	n.seq = seq
	if err := x.addLeaf(p, n); err != nil {
		return err
	}
	x.hardLinks[p] = link
	return x.kept.Add(linkCost + int64(len(p)+len(link.Target)))
}

// addLeaf notes an entry that is no directory. It replaces whatever had the path before.
func (x *Index) addLeaf(p string, n node) error {
	if p == Root {
		return errors.New("the root is not a directory")
	}
	h := x.hash(p)
	old, ok := x.nodes[h]
	if n.kind != KindSymlink {
		delete(x.symlinks, p)
	}
	delete(x.hardLinks, p)
	if n.kind == KindSymlink || ok && old.kind == KindDir {
		x.lastDir = ""
	}
	x.nodes[h] = n
	return x.count(!ok)
}

// AddWhiteout hides p, and all below it, of the lower layers.
func (x *Index) AddWhiteout(p string) error { return x.hide(p, hidesPath) }

// AddOpaque hides all below dir of the lower layers.
func (x *Index) AddOpaque(dir string) error { return x.hide(dir, hidesChildren) }

func (x *Index) hide(p string, how hiding) error {
	h := x.hash(p)
	old, ok := x.hides[h]
	x.hides[h] = old | how
	return x.count(!ok)
}

func (x *Index) count(isNew bool) error {
	if !isNew {
		return nil
	}
	return x.kept.Add(nodeCost)
}

// Lookup returns what the layer has at a clean path, not following links.
func (x *Index) Lookup(p string) (Node, bool) {
	if p == Root {
		return Node{Kind: KindDir, Implied: true}, true
	}
	n, ok := x.nodes[x.hash(p)]
	if !ok || !x.reachable(p, n.seq) {
		return Node{}, false
	}
	result := Node{Kind: n.kind, Seq: n.seq, Implied: n.implied}
	if n.kind == KindFile {
		result.Size, result.Mode = n.size, unpackMode(n.mode)
	}
	return result, true
}

// reachable reports whether all ancestors of an entry are still the directories that it was put into.
func (x *Index) reachable(p string, seq uint32) bool {
	return ancestors(p, func(dir string) bool {
		n, ok := x.nodes[x.hash(dir)]
		return ok && n.kind == KindDir && n.size <= int64(seq)
	})
}

// hidesLower reports whether the layer deletes or replaces a non-directory that lower layers have at p.
func (x *Index) hidesLower(p string) bool {
	if x.hides[x.hash(Root)]&hidesChildren != 0 || x.hides[x.hash(p)]&hidesPath != 0 {
		return true
	}
	return !ancestors(p, func(dir string) bool {
		h := x.hash(dir)
		if x.hides[h] != 0 {
			return false
		}
		n, ok := x.nodes[h]
		return !ok || n.kind == KindDir || !x.reachable(dir, n.seq)
	})
}

// Symlinks calls yield with each symbolic link that the layer leaves, in no order.
func (x *Index) Symlinks(yield func(p, target string) bool) {
	for p, target := range x.symlinks {
		if n, ok := x.Lookup(p); ok && n.Kind == KindSymlink && !yield(p, target) {
			return
		}
	}
}

// HardLinks calls yield with each hard link that the layer leaves, in no order.
func (x *Index) HardLinks(yield func(p string, link Link) bool) {
	for p := range x.hardLinks {
		if link, ok := x.HardLink(p); ok && !yield(p, link) {
			return
		}
	}
}

// HardLink returns the target if the layer leaves a hard link at p.
func (x *Index) HardLink(p string) (Link, bool) {
	link, ok := x.hardLinks[p]
	if !ok {
		return Link{}, false
	}
	n, ok := x.Lookup(p)
	return link, ok && (n.Kind == KindFile || n.Kind == KindLowerLink)
}

// Implied returns the directories that contain entries but have none of their own.
func (x *Index) Implied() []string {
	return slices.DeleteFunc(slices.Clone(x.implied), func(dir string) bool {
		n, ok := x.Lookup(dir)
		return !ok || !n.Implied
	})
}

const (
	packedSetuid = 1 << 11
	packedSetgid = 1 << 10
	packedSticky = 1 << 9
)

func packMode(m fs.FileMode) uint16 {
	packed := uint16(m.Perm())
	if m&fs.ModeSetuid != 0 {
		packed |= packedSetuid
	}
	if m&fs.ModeSetgid != 0 {
		packed |= packedSetgid
	}
	if m&fs.ModeSticky != 0 {
		packed |= packedSticky
	}
	return packed
}

// unpackMode also reads the mode bits of a tar header, which are the same.
func unpackMode(packed uint16) fs.FileMode {
	m := fs.FileMode(packed & 0o777)
	if packed&packedSetuid != 0 {
		m |= fs.ModeSetuid
	}
	if packed&packedSetgid != 0 {
		m |= fs.ModeSetgid
	}
	if packed&packedSticky != 0 {
		m |= fs.ModeSticky
	}
	return m
}
