package image

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// naive unpacks layers into a map of paths, entry by entry, as a runtime does on disk. A file is written as
// "layer.entry", a link as "-> target".
type naive map[string]string

const naiveDir = "dir"

func (n naive) removeAll(p string) {
	for q := range n {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(n, q)
		}
	}
}

// apply unpacks one layer. Whiteouts first, because they hide nothing of their own layer; then the layer in a tree of
// its own, which takes its own links; then that tree over the lower ones.
func (n naive) apply(layer int, entries []layertest.Entry) {
	own := naive{}
	for i, e := range entries {
		p := strings.TrimSuffix(e.Name, "/")
		base := path.Base(p)
		switch {
		case base == whiteoutOpaque:
			for q := range n {
				if strings.HasPrefix(q, path.Dir(p)+"/") {
					delete(n, q)
				}
			}
			continue
		case strings.HasPrefix(base, whiteoutPrefix):
			n.removeAll(path.Join(path.Dir(p), strings.TrimPrefix(base, whiteoutPrefix)))
			continue
		}
		ancestors(p, func(dir string) bool {
			if own[dir] == "" || own[dir] != naiveDir {
				own[dir] = naiveDir
			}
			return true
		})
		switch e.Typeflag {
		case '5':
			own[p] = naiveDir
		default:
			own.removeAll(p)
			own[p] = fmt.Sprintf("%d.%d", layer, i+1)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(own)) {
		if own[p] != naiveDir || n[p] != naiveDir {
			n.removeAll(p)
		}
		n[p] = own[p]
	}
}

// randomLayer makes entries over few names, so that they meet often. Whiteouts name lower layers' files only, wherever
// they stand in the layer.
func randomLayer(r *rand.Rand) []layertest.Entry {
	name := func() string {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = string(rune('a' + r.IntN(3)))
		}
		return strings.Join(parts, "/")
	}
	var entries []layertest.Entry
	for range r.IntN(8) {
		switch p := name(); r.IntN(6) {
		case 0:
			entries = append(entries, layertest.Dir(p))
		case 1:
			entries = append(entries, layertest.File(path.Join(path.Dir(p), ".wh."+path.Base(p)), ""))
		case 2:
			entries = append(entries, layertest.File(path.Join(p, ".wh..wh..opq"), ""))
		default:
			entries = append(entries, layertest.File(p, ""))
		}
	}
	return entries
}

func readIndexes(t testing.TB, layers [][]layertest.Entry) []*Index {
	t.Helper()
	reading := NewReading(limit.Limits{})
	var indexes []*Index
	for _, entries := range layers {
		plain := layertest.Tar(t, entries...)
		c, err := layerOf(layertest.NewBlob(plain, plain, layertest.MediaTypeTar)).Read(t.Context(), reading, nil,
			func(File, io.Reader) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		indexes = append(indexes, c.Index)
	}
	return indexes
}

// checkView compares the view of the layers with unpacking them.
func checkView(t testing.TB, layers [][]layertest.Entry) {
	t.Helper()
	view := NewView(readIndexes(t, layers))
	unpacked := naive{}
	for i, entries := range layers {
		unpacked.apply(i, entries)
		for p, want := range unpacked {
			layer, _, node, ok := view.Lookup(p, i)
			got := "nothing"
			switch {
			case ok && node.Kind == KindDir:
				got = naiveDir
			case ok:
				got = fmt.Sprintf("%d.%d", layer, node.Seq)
			}
			if got != want {
				t.Fatalf("as of layer %d, %s is %s, unpacked it is %s\n%s", i, p, got, want, describe(layers))
			}
		}
	}
	for i, entries := range layers {
		for seq, e := range entries {
			if e.Typeflag != '0' || strings.HasPrefix(path.Base(e.Name), whiteoutPrefix) {
				continue
			}
			_, removed := view.RemovedIn(i, e.Name)
			visible := view.Current(i, e.Name, uint32(seq+1)) && !removed
			if want := unpacked[e.Name] == fmt.Sprintf("%d.%d", i, seq+1); visible != want {
				t.Fatalf("entry %d.%d (%s): visible = %v, unpacked %v\n%s", i, seq+1, e.Name, visible, want, describe(layers))
			}
		}
	}
	for _, p := range []string{"a", "b/a", "c/c/c", "a/b/c"} {
		if _, _, _, ok := view.Lookup(p, view.Top()); ok != (unpacked[p] != "") {
			t.Fatalf("%s: there = %v, unpacked %q\n%s", p, ok, unpacked[p], describe(layers))
		}
	}
}

func describe(layers [][]layertest.Entry) string {
	var b strings.Builder
	for i, entries := range layers {
		fmt.Fprintf(&b, "layer %d:", i)
		for _, e := range entries {
			fmt.Fprintf(&b, " %s", e.Name)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestViewIsWhatUnpackingGives(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		layers := make([][]layertest.Entry, 1+r.IntN(4))
		for i := range layers {
			layers[i] = randomLayer(r)
		}
		checkView(t, layers)
	}
}

func FuzzView(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, seed uint64, count uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		layers := make([][]layertest.Entry, count%6)
		for i := range layers {
			layers[i] = randomLayer(r)
		}
		checkView(t, layers)
	})
}

func TestResolveFollowsLinksWithinTheRoot(t *testing.T) {
	view := NewView(readIndexes(t, [][]layertest.Entry{
		{
			layertest.Dir("usr/lib"), layertest.Symlink("lib", "usr/lib"), layertest.Symlink("abs", "/usr"),
			layertest.Symlink("up", "../../../usr"), layertest.Symlink("loop", "loop2"), layertest.Symlink("loop2", "/loop"),
			layertest.Symlink("usr/back", "../lib"), layertest.Symlink("self", "."), layertest.Symlink("dangling",
				"nowhere/at/all"),
		},
		{layertest.File("abs/lib/x", ""), layertest.File(".wh.lib", "")},
	}))
	for in, want := range map[string]string{
		"lib/x": "usr/lib/x", "abs/lib": "usr/lib", "up/lib/y": "usr/lib/y", "usr/back/z": "usr/lib/z",
		"self/self/usr": "usr",
		"dangling":      "nowhere/at/all", "usr/lib": "usr/lib", "no/links": "no/links", ".": ".",
	} {
		if got, err := view.Resolve(in, 0); got != want || err != nil {
			t.Errorf("Resolve(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	if got, err := view.Resolve("loop/x", 0); err == nil {
		t.Errorf("Resolve of a circle = %q", got)
	}
	if got, _ := view.Resolve("lib/x", 1); got != "lib/x" {
		t.Errorf("the removed link was followed to %q", got)
	}
	if got, _ := view.Resolve("abs/lib/x", 1); got != "usr/lib/x" {
		t.Errorf("a directory that is only implied replaced the link: %q", got)
	}
}

func TestIndexKeepsHardLinks(t *testing.T) {
	x := readIndexes(t, [][]layertest.Entry{{
		layertest.Executable("bin/a", "12345"), layertest.HardLink("bin/b", "/bin/a"), layertest.HardLink("bin/c", "./bin/b"),
		layertest.HardLink("lower", "elsewhere/file"), layertest.Symlink("s", "bin"), layertest.HardLink("t", "s/a"),
		layertest.HardLink("u", "s"), layertest.File("bin/a", "new"),
	}})[0]
	got := make(map[string]Link)
	x.HardLinks(func(p string, l Link) bool { got[p] = l; return true })
	want := map[string]Link{
		"bin/b": {"bin/a", 1}, "bin/c": {"bin/a", 1}, "t": {"bin/a", 1}, "lower": {"elsewhere/file", 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if n, _ := x.Lookup("bin/c"); n.Kind != KindFile || n.Size != 5 || n.Mode != 0o755 {
		t.Errorf("bin/c = %+v, want the size and mode of its target", n)
	}
	if n, _ := x.Lookup("lower"); n.Kind != KindLowerLink {
		t.Errorf("lower = %+v", n)
	}
	if n, _ := x.Lookup("u"); n.Kind != KindSymlink {
		t.Errorf("u = %+v, want a link again", n)
	}
}

func TestIndexCountsWhatItKeeps(t *testing.T) {
	kept := limit.NewCounter("kept-size", 1000, "bytes", "it")
	x := NewIndex(maphash.MakeSeed(), kept)
	var err error
	for i := uint32(1); err == nil && i < 100; i++ {
		err = x.AddFile(fmt.Sprint("f", i), i, 0, 0)
	}
	if limitOf(err) == nil {
		t.Errorf("100 entries in 1000 bytes: error = %v", err)
	}
}
