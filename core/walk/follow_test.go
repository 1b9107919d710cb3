package walk

import (
	"cmp"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
)

// database is anchored at a file and at a directory of single entries, as dpkg's.
func database() core.Analyzer {
	return anchored{
		lines{"database", func(p string, _ fs.FileInfo) bool { return p == "var/db" || strings.HasPrefix(p, "var/db.d/") }},
		[]string{"var/db", "var/db.d"},
	}
}

// found is what the final file system shows, and the gaps.
func found(t testing.TB, analyzers []core.Analyzer, layers ...[]layertest.Entry) (packages, gaps []string) {
	t.Helper()
	var blobs []layertest.Blob
	for _, entries := range layers {
		blobs = append(blobs, layertest.Layer(t, entries...))
	}
	e := walkImages(t, Options{Analyzers: analyzers}, parse(t, "app", blobs...))
	for _, p := range e.Packages {
		if p.Origin.RemovedIn == nil {
			packages = append(packages, p.Name+" "+p.Locations[0].Path)
		}
	}
	for _, x := range e.Examinations {
		if x.Status != core.Complete {
			gaps = append(gaps, x.Why...)
		}
	}
	slices.Sort(packages)
	return packages, gaps
}

func TestAnchoredFilesAreReadThroughAnyLinks(t *testing.T) {
	type layer = []layertest.Entry
	file, link, hard, dir := layertest.File, layertest.Symlink, layertest.HardLink, layertest.Dir
	for _, tc := range []struct {
		name   string
		layers []layer
		want   []string
	}{
		{"link to a hard link", []layer{{file("y", "a 1"), hard("x", "y"), link("var/db", "/x")}}, []string{"a var/db"}},
		{"link to a hard link to a lower layer", []layer{{file("y", "a 1")}, {hard("x", "y"), link("var/db", "/x")}},
			[]string{"a var/db"}},
		{"link to a hard link to a hard link of a lower layer", []layer{{file("z", "a 1"), hard("y", "z")},
			{hard("x", "y"), link("var/db", "/x")}}, []string{"a var/db"}},
		{"hard link to a hard link of a lower layer", []layer{{file("z", "a 1"), hard("y", "z")}, {hard("var/db", "y")}},
			[]string{"a var/db"}},
		{"hard link to a link", []layer{{file("z", "a 1"), link("y", "/z"), hard("var/db", "y")}}, []string{"a var/db"}},
		{"hard link to a link of a lower layer", []layer{{file("z", "a 1"), link("y", "/z")}, {hard("var/db", "y")}},
			[]string{"a var/db"}},
		{"hard link to that again", []layer{{file("z", "a 1"), link("y", "/z")}, {hard("x", "y")}, {hard("var/db", "x")}},
			[]string{"a var/db"}},
		{"directory that is a hard link to a link", []layer{{file("d/db", "a 1"), link("y", "/d")}, {hard("var", "y")}},
			[]string{"a var/db"}},
		{"hard link in a moved directory", []layer{{file("y", "a 1"), hard("d/db", "y"), link("var", "d")}},
			[]string{"a var/db"}},
		{"link in a moved directory to a hard link", []layer{{file("y", "a 1"), hard("x", "y"), link("d/db", "../x"),
			link("var", "d")}}, []string{"a var/db"}},
		{"hard link in a moved directory of entries", []layer{{file("y", "a 1"), link("var/db.d", "/s"), hard("s/e", "y")}},
			[]string{"a var/db.d/e"}},
		{"link in a moved directory of entries", []layer{{file("y", "a 1"), link("var/db.d", "/s"), link("s/e", "/y")}},
			[]string{"a var/db.d/e"}},
		{"moved directory of entries with one that is known from elsewhere", []layer{{file("var/db.d/k", "k 1"),
			link("var/db.d/sub", "/s"), file("s/e", "a 1"), link("s/var", "/var")}},
			[]string{"a var/db.d/sub/e", "k var/db.d/k"}},
		{"directory of entries that is the root", []layer{{file("e", "a 1"), dir("var"), link("var/db.d", "/")}},
			[]string{"a var/db.d/e"}},
		{"directory of entries within itself", []layer{{file("var/db.d/e", "a 1"), link("var/db.d/more", ".")}},
			[]string{"a var/db.d/e"}},
		{"hard link put through a lower layer's link", []layer{{dir("var"), link("alias", "var"), file("y", "a 1")},
			{hard("alias/db", "y")}}, []string{"a var/db"}},
		{"link put through a lower layer's link", []layer{{dir("var"), link("alias", "var"), file("y", "a 1")},
			{link("alias/db", "/y")}}, []string{"a var/db"}},
		{"file put through a lower layer's link where another link leads", []layer{{dir("s"), link("alias", "s"),
			link("var/db", "/s/x")}, {file("alias/x", "a 1")}}, []string{"a var/db"}},
		{"entry put through a lower layer's link where another link leads", []layer{{dir("s/d"), link("alias", "s"),
			link("var/db.d", "/s")}, {file("alias/d/e", "a 1")}}, []string{"a var/db.d/d/e"}},
		{"moved files are followed through the layers", []layer{{file("y", "a 1"), hard("x", "y"), link("var/db", "/x")},
			{file("x", "b 1")}}, []string{"b var/db"}},
		{"link to nowhere", []layer{{link("var/db", "/nowhere")}}, nil},
		{"link to a device", []layer{{layertest.Device("dev"), link("var/db", "/dev")}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, gaps := found(t, []core.Analyzer{database()}, tc.layers...)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
			if len(gaps) > 0 {
				t.Errorf("gaps: %q", gaps)
			}
		})
	}
}

func TestLinksThatAreNotFollowedAreGaps(t *testing.T) {
	file, link, dir := layertest.File, layertest.Symlink, layertest.Dir
	many := []layertest.Entry{file("y", "a 1")}
	for i := range maxNames + 1 {
		many = append(many, link(fmt.Sprintf("var/db.d/%02d", i), "/y"))
	}
	var aliases, written []layertest.Entry
	for i := range 1001 {
		aliases = append(aliases, link(fmt.Sprintf("a%d", i), "/var"))
		written = append(written, file(fmt.Sprintf("a%d/x", i), ""))
	}
	for _, tc := range []struct {
		name   string
		layers [][]layertest.Entry
		want   string
	}{
		{"many links to one file", [][]layertest.Entry{many},
			"database: var/db.d/16: more than 16 links lead to the same place"},
		{"files put through many links", [][]layertest.Entry{aliases, written}, "it writes through more links"},
		{"file put through a hard link to a lower layer's link", [][]layertest.Entry{{dir("var"), link("alias", "var")},
			{layertest.HardLink("other", "alias"), file("other/db", "a 1")}}, `its directory "other" is a hard link`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, gaps := found(t, []core.Analyzer{database()}, tc.layers...)
			if !strings.Contains(strings.Join(gaps, "\n"), tc.want) {
				t.Errorf("gaps %q, want %q", gaps, tc.want)
			}
		})
	}
}

func TestAnOwedFileThatNobodyReadIsAGap(t *testing.T) {
	img := parse(t, "app", layertest.Layer(t, layertest.File("x", "a 1"), layertest.Symlink("var/db", "/x")))
	r, ctx := newRun(t.Context(), Options{Analyzers: []core.Analyzer{database()}})
	defer r.close()
	layers, stacks := r.stacks([]*image.Image{img})
	if err := r.readAll(ctx, layers); err != nil {
		t.Fatal(err)
	}
	stacks[0].build() // and no second look
	x := examined(t, stacks[0].evidence(), core.ExaminePackages, img.Subject.Digest, "database")
	want := `database: var/db: links lead from it to "x", which was not read`
	if x.Status != core.Partial || x.Why[0] != want {
		t.Errorf("examination %+v, want %q", x, want)
	}
}

// unpacked is a file system of one root, as a runtime makes it: a path is a directory, a link ("-> target"), or the
// content of a file. Hard links are copies, because nothing writes into a file.
type unpacked map[string]string

const isDir = "directory"

// follow resolves the links in p, as the system does; in the last name only if told.
func (u unpacked) follow(p string, last bool) (string, bool) {
	at := image.Root
	rest := strings.Split(p, "/")
	for hops := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		target, ok := strings.CutPrefix(u[next], "-> ")
		if !ok || len(rest) == 0 && !last {
			at = next
			continue
		}
		if hops++; hops > 40 {
			return "", false
		}
		if strings.HasPrefix(target, "/") {
			at = image.Root
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, true
}

// apply unpacks a layer and reports whether a runtime can.
func (u unpacked) apply(entries []layertest.Entry) bool {
	for _, e := range entries {
		p, ok := u.follow(strings.TrimSuffix(e.Name, "/"), false)
		if !ok {
			return false
		}
		for dir := path.Dir(p); dir != image.Root; dir = path.Dir(dir) {
			if u[dir] != "" && u[dir] != isDir {
				return false
			}
			u[dir] = isDir
		}
		content := e.Body
		switch e.Typeflag {
		case '5':
			content = isDir
		case '2':
			content = "-> " + e.Linkname
		case '1':
			target, ok := u.follow(e.Linkname, false)
			if content = u[target]; !ok || content == "" || content == isDir {
				return false
			}
		}
		if content == isDir && u[p] == isDir {
			continue
		}
		for q := range u {
			if q == p || strings.HasPrefix(q, p+"/") {
				delete(u, q)
			}
		}
		u[p] = content
	}
	return true
}

// randomLinks makes a layer over few names, most of them links of both kinds.
func randomLinks(r *rand.Rand, layer int, there []string) []layertest.Entry {
	names := []string{"var", "var/db", "var/db.d", "var/db.d/e", "s", "s/db", "s/e", "t", "t/db", "x", "y"}
	name := func() string { return names[r.IntN(len(names))] }
	var entries []layertest.Entry
	for i := range 1 + r.IntN(5) {
		switch p := name(); r.IntN(5) {
		case 0:
			entries = append(entries, layertest.Dir(p))
		case 1:
			entries = append(entries, layertest.Symlink(p, "/"+name()))
		case 2:
			if len(there) > 0 {
				entries = append(entries, layertest.HardLink(p, there[r.IntN(len(there))]))
			}
		default:
			entries = append(entries, layertest.File(p, fmt.Sprintf("p%d-%d 1", layer, i)))
		}
	}
	return entries
}

// checkNothingIsMissed compares what an analyzer saw with what the unpacked file system shows at its anchors: it must
// have seen all of it, unless the examination is incomplete. It returns false if no runtime can unpack the layers.
func checkNothingIsMissed(t testing.TB, r *rand.Rand) (unpacks, complete bool) {
	t.Helper()
	layers := make([][]layertest.Entry, 1+r.IntN(3))
	u := unpacked{}
	for i := range layers {
		var there []string
		for p, content := range u {
			if content != isDir {
				there = append(there, p)
			}
		}
		slices.Sort(there)
		layers[i] = randomLinks(r, i, there)
		if !u.apply(layers[i]) {
			return false, false
		}
	}
	packages, gaps := found(t, []core.Analyzer{database()}, layers...)
	if len(gaps) > 0 {
		return true, false
	}
	seen := make(map[string]bool)
	for _, p := range packages {
		name, _, _ := strings.Cut(p, " ")
		seen[name] = true
	}
	for _, anchor := range []string{"var/db", "var/db.d/e", "var/db.d/db"} {
		p, ok := u.follow(anchor, true)
		if !ok || u[p] == "" || u[p] == isDir {
			continue
		}
		if name, _, _ := strings.Cut(u[p], " "); !seen[name] {
			var all []string
			for i, entries := range layers {
				for _, e := range entries {
					all = append(all, fmt.Sprintf("%d: %c %s %s", i, e.Typeflag, e.Name, cmp.Or(e.Linkname, e.Body)))
				}
			}
			t.Fatalf("%s shows %s, which was not seen among %q\n%s", anchor, u[p], packages, strings.Join(all, "\n"))
		}
	}
	return true, true
}

func TestWhatAnchorsShowIsNeverMissed(t *testing.T) {
	unpack, whole := 0, 0
	for seed := range uint64(1200) {
		unpacks, complete := checkNothingIsMissed(t, rand.New(rand.NewPCG(seed, 2)))
		if unpacks {
			unpack++
		}
		if complete {
			whole++
		}
	}
	if unpack < 500 || whole < unpack*9/10 {
		t.Errorf("%d images can be unpacked, of which %d are complete: the test is worth little", unpack, whole)
	}
}

func FuzzAnchors(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, a, b uint64) { checkNothingIsMissed(t, rand.New(rand.NewPCG(a, b))) })
}
