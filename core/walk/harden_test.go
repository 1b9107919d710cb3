package walk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

func walkImages(t testing.TB, o Options, images ...*image.Image) core.Evidence {
	t.Helper()
	e, err := Images(t.Context(), images, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// examined returns the one examination of that name, subject and tool.
func examined(t testing.TB, e core.Evidence, name string, subject core.Digest, tool string) core.Examination {
	t.Helper()
	var found []core.Examination
	for _, x := range e.Examinations {
		if x.Name == name && x.Subject == subject && x.Tool == tool {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d examinations %q by %s, want one: %+v", len(found), name, tool, e.Examinations)
	}
	return found[0]
}

func TestImagesReadsSharedLayersOnce(t *testing.T) {
	base := layertest.Layer(t, layertest.File("base.pkgs", "a 1"))
	var opened atomic.Int32
	open := base.Open
	base.Open = func(ctx context.Context) (io.ReadCloser, error) { opened.Add(1); return open(ctx) }
	one := parse(t, "one", base, layertest.Layer(t, layertest.File("own.pkgs", "b 1")))
	two := parse(t, "two", layertest.Layer(t, layertest.File("below.pkgs", "c 1")), base, base)
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}}, one, two)
	if got := opened.Load(); got != 1 {
		t.Errorf("the shared layer was opened %d times", got)
	}
	want := []string{
		"a@1 base.pkgs since 0", "a@1 base.pkgs since 1", "b@1 own.pkgs since 1", "c@1 below.pkgs since 0",
	}
	if diff := cmp.Diff(want, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestImagesFillsFactsSubjectsAndLayers(t *testing.T) {
	img := parse(t, "app", layertest.Layer(t, layertest.File("etc/os-release", "distro old"),
		layertest.File("n\xff.pkgs", "a 1\nfinding f")),
		layertest.Layer(t, layertest.File("etc/os-release", "distro new")))
	e := walkImages(t, Options{Analyzers: []core.Analyzer{
		lines{"lines", suffix(".pkgs")}, lines{"os", suffix("os-release")},
	}}, img)
	facts := e.Images[0]
	if facts.Files != 3 || facts.Distro == nil || facts.Distro.ID != "new" || facts.Layers[0].Uncompressed == 0 {
		t.Errorf("facts = %+v", facts)
	}
	want := core.Package{
		Subject: img.Subject.Digest, Name: "a", Version: "1", Purl: "pkg:test/a@1", Analyzer: "lines",
		Locations: []core.Location{{Path: `n\xff.pkgs`, Layer: img.Layers[0].DiffID}},
		Origin:    &core.Origin{Layer: 0, DiffID: img.Layers[0].DiffID, CreatedBy: "layer 0"},
	}
	if diff := cmp.Diff([]core.Package{want}, e.Packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	f := e.Findings[0]
	if f.Subject != img.Subject.Digest || f.Origin == nil || f.Locations[0].Path != `n\xff.pkgs` ||
		f.Locations[0].Layer != img.Layers[0].DiffID {
		t.Errorf("finding = %+v", f)
	}
}

func TestImagesGoesOnWithTheOtherImagesWhenALayerIsCorrupt(t *testing.T) {
	good := layertest.Layer(t, layertest.File("good.pkgs", "a 1"))
	bad := layertest.Layer(t, layertest.File("bad.pkgs", "b 1"))
	bad.Digest = layertest.DigestOf([]byte("something else"))
	broken, whole := parse(t, "registry.example/broken:1", good, bad), parse(t, "whole", good)
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}}, broken, whole)
	x := examined(t, e, core.ExamineLayers, broken.Subject.Digest, tool)
	if x.Status != core.Failed || len(x.Why) != 1 {
		t.Fatalf("examination of the broken image: %+v", x)
	}
	for _, want := range []string{"registry.example/broken:1 (linux/amd64)", "layer 2 of 2", bad.Digest.Short(),
		"the digest of the blob is"} {
		if !strings.Contains(x.Why[0], want) {
			t.Errorf("why %q does not say %q", x.Why[0], want)
		}
	}
	if x := examined(t, e, core.ExaminePackages, broken.Subject.Digest, tool); x.Status != core.Partial ||
		len(x.Why) != 1 {
		t.Errorf("packages of the broken image: %+v", x)
	}
	for _, name := range []string{core.ExamineLayers, core.ExaminePackages} {
		if x := examined(t, e, name, whole.Subject.Digest, tool); x.Status != core.Complete {
			t.Errorf("%s of the whole image: %+v", name, x)
		}
	}
	if diff := cmp.Diff([]string{"a@1 good.pkgs since 0", "a@1 good.pkgs since 0"}, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestImagesFailsAllImagesWhenTheSumExceedsALimit(t *testing.T) {
	small, big := layertest.Layer(t, layertest.File("a.pkgs", "a 1")), layertest.Layer(t, layertest.File("b",
		strings.Repeat("x", 100_000)))
	one, two := parse(t, "one", small), parse(t, "two", small, big)
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}},
		Limits: limit.Limits{TotalSize: 50_000}}, one, two)
	for _, img := range []*image.Image{one, two} {
		x := examined(t, e, core.ExamineLayers, img.Subject.Digest, tool)
		if x.Status != core.Failed || !strings.Contains(x.Why[0], "--limit total-size=") {
			t.Errorf("%s: %+v", img.Subject.Name, x)
		}
	}
}

func TestAnalyzersFailuresAreIncompleteExaminations(t *testing.T) {
	img := parse(t, "app", layertest.Layer(t,
		layertest.File("1.pkgs", "a 1\nproblem line 2 is \x1b[31mred"), layertest.File("2.pkgs", "error no\nnewline"),
		layertest.File("3.pkgs", "panic at the disco"), layertest.File("4.pkgs", "b 1")))
	e := walkImages(t, Options{Analyzers: []core.Analyzer{
		lines{"lines", suffix(".pkgs")},
		named2{lines{"fine", suffix(".none")}, "secrets"},
		lines{"wants", func(p string, _ fs.FileInfo) bool { panic("in Wants") }},
	}}, img)
	x := examined(t, e, core.ExaminePackages, img.Subject.Digest, "lines")
	want := []string{
		"lines: 1.pkgs in layer 1 of 1: line 2 is  [31mred", "lines: 2.pkgs in layer 1 of 1: no",
		"lines: 3.pkgs in layer 1 of 1: the analyzer panicked: at the disco",
	}
	if diff := cmp.Diff(want, x.Why); x.Status != core.Partial || diff != "" {
		t.Errorf("%s, why (-want +got):\n%s", x.Status, diff)
	}
	if x := examined(t, e, core.ExaminePackages, img.Subject.Digest, "wants"); len(x.Why) != 4 {
		t.Errorf("the panic in Wants: %+v", x)
	}
	if x := examined(t, e, "secrets", img.Subject.Digest, tool); x.Status != core.Complete {
		t.Errorf("the analyzer without trouble: %+v", x)
	}
	if diff := cmp.Diff([]string{"a@1 1.pkgs since 0", "b@1 4.pkgs since 0"}, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

type named2 struct {
	lines
	examines string
}

func (n named2) Info() core.Info { return core.Info{Name: n.name, Examines: n.examines} }

func TestGapsAreBounded(t *testing.T) {
	var entries []layertest.Entry
	for i := range 50 {
		entries = append(entries, layertest.File(fmt.Sprintf("%02d.pkgs", i), "error "+strings.Repeat("long ", 1000)))
	}
	img := parse(t, "app", layertest.Layer(t, entries...))
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}}, img)
	x := examined(t, e, core.ExaminePackages, img.Subject.Digest, "lines")
	if len(x.Why) != maxWhys+1 || !slices.Contains(x.Why, "… and 30 more") {
		t.Errorf("%d whys: %q", len(x.Why), x.Why)
	}
	for _, why := range x.Why {
		if len(why) > maxWhy+100 {
			t.Errorf("a why of %d bytes", len(why))
		}
	}
}

// sniffing wants files that begin with magic and counts what it sees.
type sniffing struct {
	lines
	seen *atomic.Int32
}

func (s sniffing) Sniff(_ string, head []byte) bool { return bytes.HasPrefix(head, []byte("magic")) }

func (s sniffing) Analyze(ctx context.Context, f core.File) (core.Found, error) {
	s.seen.Add(1)
	data, err := io.ReadAll(f.Content)
	if err != nil {
		return core.Found{}, err
	}
	return core.Found{Packages: []core.Package{{Name: f.Path, Version: string(layertest.DigestOf(data))}}}, nil
}

func TestFilesAreWholeWhateverTheirSize(t *testing.T) {
	noise := make([]byte, inMemory+300_000)
	r := rand.NewChaCha8([32]byte{})
	r.Read(noise)
	var entries []layertest.Entry
	var want []string
	for _, size := range []int{5, 511, 512, 513, 4096, 1 << 20, inMemory, inMemory + 1, len(noise)} {
		body := "magic" + string(noise[5:size])
		name := fmt.Sprint("f", size)
		entries = append(entries, layertest.File(name, body), layertest.File("no"+name, "other"+body))
		want = append(want, fmt.Sprintf("%s@%s %s since 0", name, layertest.DigestOf([]byte(body)), name))
	}
	entries = append(entries, layertest.File("empty", ""))
	slices.Sort(want)
	plain := layertest.Tar(t, entries...)
	img := parse(t, "app", layertest.NewBlob(plain, plain, layertest.MediaTypeTar))
	dir := t.TempDir()
	var seen atomic.Int32
	s := sniffing{lines{"sniff", suffix("")}, &seen}
	e := walkImages(t, Options{Analyzers: []core.Analyzer{s, relating{s.lines, func(p string) bool { return false },
		nil}}, TempDir: dir}, img)
	var got []string
	for _, line := range summary(e) {
		if strings.HasPrefix(line, "f") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if seen.Load() != int32(len(want)) {
		t.Errorf("%d files analyzed, want %d", seen.Load(), len(want))
	}
	nothingIn(t, dir)
}

func nothingIn(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// relating looks at its file and hands the related files to a function.
type relating struct {
	lines
	related func(string) bool
	look    func(f core.File) []string // names of packages
}

func (r relating) Related(p string) bool { return r.related(p) }

func (r relating) Analyze(_ context.Context, f core.File) (core.Found, error) {
	var found core.Found
	if r.look == nil {
		return found, nil
	}
	for _, name := range r.look(f) {
		found.Packages = append(found.Packages, core.Package{Name: name, Version: "1", Purl: "pkg:test/" + name})
	}
	return found, nil
}

func TestRelatedFilesAreThoseOfTheLayer(t *testing.T) {
	file, link := layertest.File, layertest.Symlink
	big := strings.Repeat("b", keptSmall+1)
	img := parse(t, "app",
		layertest.Layer(t, file("db/main", "0"), file("db/info/a", "0a"), file("db/info/b", "0b"), file("other/a", "no"),
			file("db/big", big)),
		layertest.Layer(t, file("db/info/.wh.a", ""), file("db/info/c", "1c")),
		layertest.Layer(t, file("db/main", "2"), file("db/info/b", "2b"), link("db/info/d", "../../elsewhere/d"),
			file("elsewhere/d", "2d"),
			layertest.HardLink("db/info/e", "elsewhere/d"), link("db/link", "info")),
	)
	look := func(f core.File) []string {
		var all []string
		entries, err := fs.ReadDir(f.Related, "db/info")
		if err != nil {
			return []string{err.Error()}
		}
		for _, e := range entries {
			data, err := fs.ReadFile(f.Related, "db/info/"+e.Name())
			all = append(all, fmt.Sprintf("%s=%s %v", e.Name(), data, err))
		}
		if _, err := fs.Stat(f.Related, "other/a"); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, "sees what it has not named")
		}
		if data, err := fs.ReadFile(f.Related, "db/big"); err != nil || string(data) != big {
			all = append(all, fmt.Sprintf("big: %d bytes, %v", len(data), err))
		}
		if err := fstest.TestFS(withoutLinks{f.Related}, "db/main", "db/info/b"); err != nil {
			all = append(all, err.Error())
		}
		opened, err := f.Related.Open("db/main")
		if err != nil {
			return append(all, err.Error())
		}
		if _, ok := opened.(io.ReaderAt); !ok {
			all = append(all, "files are not io.ReaderAt")
		}
		return all
	}
	a := relating{lines{"db", func(p string, _ fs.FileInfo) bool { return p == "db/main" }},
		func(p string) bool { return strings.HasPrefix(p, "db/") }, look}
	dir := t.TempDir()
	e := walkImages(t, Options{Analyzers: []core.Analyzer{a}, TempDir: dir}, img, img)
	want := []string{
		"a=0a <nil>@1 db/main since 0 removed in 2", "b=0b <nil>@1 db/main since 0 removed in 2",
		"b=2b <nil>@1 db/main since 2", "c=1c <nil>@1 db/main since 2",
		"d=2d <nil>@1 db/main since 2", "e=2d <nil>@1 db/main since 2",
	}
	got := slices.Compact(summary(e)) // the image was given twice
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	nothingIn(t, dir)
}

// withoutLinks hides symbolic links, which fstest would open as what they are, and the big file, which it would read
// byte by byte.
type withoutLinks struct{ fs.FS }

func (w withoutLinks) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if d, ok := f.(*openDir); ok {
		d.entries = slices.DeleteFunc(slices.Clone(d.entries),
			func(e fs.DirEntry) bool { return e.Type()&fs.ModeSymlink != 0 || e.Name() == "big" })
	}
	return f, err
}

// blocking waits in Analyze until its context ends, or for good.
type blocking struct {
	lines
	started chan struct{}
	stuck   bool
	once    *sync.Once
}

func (b blocking) Analyze(ctx context.Context, _ core.File) (core.Found, error) {
	b.once.Do(func() { close(b.started) })
	if b.stuck {
		select {}
	}
	<-ctx.Done()
	return core.Found{}, ctx.Err()
}

func TestImagesEndsWithinASecondOfItsContextAndLeavesNothingBehind(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("big", strings.Repeat("x", inMemory+1)), layertest.File("kept",
		strings.Repeat("y", keptSmall+1)), layertest.File("small", "z"))
	for _, stuck := range []bool{false, true} {
		t.Run(fmt.Sprintf("stuck analyzer %v", stuck), func(t *testing.T) {
			img := parse(t, "app", layertest.NewBlob(plain, plain, layertest.MediaTypeTar))
			dir := t.TempDir()
			b := blocking{lines{"blocking", suffix("")}, make(chan struct{}), stuck, new(sync.Once)}
			keeps := relating{lines{"keeps", suffix("kept")}, func(string) bool { return false }, nil}
			ctx, cancel := context.WithCancel(t.Context())
			var ended time.Time
			go func() {
				<-b.started
				ended = time.Now()
				cancel()
			}()
			_, err := Images(ctx, []*image.Image{img}, Options{Analyzers: []core.Analyzer{b, keeps}, TempDir: dir})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v", err)
			}
			if took := time.Since(ended); took > 10*time.Second { // a second on a machine that does nothing else
				t.Errorf("ended after %v", took)
			}
			nothingIn(t, dir)
		})
	}
}

func TestTheTimeLimitHasItsOwnError(t *testing.T) {
	img := parse(t, "app", layertest.Layer(t, layertest.File("a", "x")))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	b := blocking{lines{"blocking", suffix("")}, make(chan struct{}), false, new(sync.Once)}
	_, err := Images(ctx, []*image.Image{img}, Options{Analyzers: []core.Analyzer{b},
		Limits: limit.Limits{Time: time.Minute}})
	var l *limit.Exceeded
	if !errors.As(err, &l) || l.Limit != "time" || l.Max != 60 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
}

func TestNoTemporaryFolderEndsTheRun(t *testing.T) {
	plain := layertest.Tar(t, layertest.File("big", strings.Repeat("x", inMemory+1)))
	img := parse(t, "app", layertest.NewBlob(plain, plain, layertest.MediaTypeTar))
	_, err := Images(t.Context(), []*image.Image{img}, Options{
		Analyzers: []core.Analyzer{lines{"lines", suffix("")}}, TempDir: filepath.Join(t.TempDir(), "missing"),
	})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
}

func TestResultsDoNotDependOnTheOrderOfReading(t *testing.T) {
	var images []*image.Image
	var shared []layertest.Blob
	for i := range 5 {
		var entries []layertest.Entry
		for j := range 30 {
			entries = append(entries, layertest.File(fmt.Sprintf("d%d/%d.pkgs", (i+j)%3, j),
				fmt.Sprintf("a%d %d\nproblem p%d\nfinding f%d", j, i, j, j)))
		}
		shared = append(shared, layertest.Layer(t, entries...))
	}
	for i := range 4 {
		images = append(images, parse(t, fmt.Sprint("app", i), shared[i:]...))
	}
	var first core.Evidence
	for run := range 6 {
		e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"one", suffix(".pkgs")}, lines{"two",
			suffix("5.pkgs")}}, Parallel: 1 + run}, images...)
		if run == 0 {
			first = e
			continue
		}
		if diff := cmp.Diff(first, e); diff != "" {
			t.Fatalf("run %d differs:\n%s", run, diff)
		}
	}
}

func TestProgressTellsOfEveryLayer(t *testing.T) {
	good, bad := layertest.Layer(t, layertest.File("a", "x")), layertest.Layer(t, layertest.File("b", "y"))
	bad.DiffID = good.DiffID
	var got []string
	img := parse(t, "app", good, bad)
	walkImages(t, Options{Parallel: 1, Progress: func(e Event) {
		if e.Kind != EventRead {
			got = append(got, fmt.Sprintf("%s %d %v %d", e.Kind, e.Index, e.Image == img.Subject.Digest, e.Files))
		}
	}}, img)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"done 0 true 1", "failed 1 true 0", "started 0 true 0", "started 1 true 0"},
		got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAHardLinkToNothingIsAGap(t *testing.T) {
	img := parse(t, "app", layertest.Layer(t, layertest.HardLink("a", "missing")))
	x := examined(t, walkImages(t, Options{}, img), core.ExamineLayers, img.Subject.Digest, tool)
	if x.Status != core.Partial || !strings.Contains(x.Why[0], `hard link to "missing"`) {
		t.Errorf("examination: %+v", x)
	}
}

func TestAnImageWithoutLayersIsComplete(t *testing.T) {
	img := parse(t, "scratch")
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix("")}}}, img)
	if x := examined(t, e, core.ExamineLayers, img.Subject.Digest, tool); x.Status != core.Complete ||
		len(e.Packages) != 0 {
		t.Errorf("%+v", e)
	}
}

// FuzzImages walks two layers of arbitrary files; nothing may panic or hang, and what is found has a layer.
func FuzzImages(f *testing.F) {
	f.Add("a.pkgs", "b.pkgs", "a 1", "a.pkgs", byte('1'))
	f.Add("d/.wh..wh..opq", "d/x.pkgs", "a 1", "/etc", byte('2'))
	f.Fuzz(func(t *testing.T, one, two, body, target string, kind byte) {
		var blobs []layertest.Blob
		for _, name := range []string{one, two} {
			var b bytes.Buffer
			b.Write(tarOf(name, body, target, kind))
			blobs = append(blobs, layertest.NewBlob(b.Bytes(), b.Bytes(), ""))
		}
		img := parse(t, "app", blobs...)
		e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix("")}, anchored{lines{"db",
			suffix("db")}, []string{"var/db"}}}}, img)
		for _, p := range e.Packages {
			if p.Origin == nil || p.Locations[0].Layer == "" {
				t.Errorf("package without a layer: %+v", p)
			}
		}
	})
}

func TestDataAfterTheEndOfALayersArchiveIsAGap(t *testing.T) {
	plain := append(layertest.Tar(t, layertest.File("a.pkgs", "a 1")),
		layertest.Tar(t, layertest.File("b.pkgs", "b 1"))...)
	img := parse(t, "app", layertest.NewBlob(plain, plain, layertest.MediaTypeTar))
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}}, img)
	x := examined(t, e, core.ExamineLayers, img.Subject.Digest, tool)
	if x.Status != core.Partial || !strings.Contains(x.Why[0], "data follows the end of its tar archive") {
		t.Errorf("examination: %+v", x)
	}
	if diff := cmp.Diff([]string{"a@1 a.pkgs since 0"}, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestWhatIsFoundCountsAsKept(t *testing.T) {
	var list strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&list, "p%d 1\n", i)
	}
	o := Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}, Limits: limit.Limits{KeptSize: 1 << 20}}
	one := parse(t, "one", layertest.Layer(t, layertest.File("a.pkgs", list.String())))
	if e := walkImages(t, o, one); len(e.Packages) == 0 {
		t.Fatalf("one file alone is too much: %+v", e.Examinations)
	}
	two := parse(t, "two", layertest.Layer(t, layertest.File("a.pkgs", list.String())),
		layertest.Layer(t, layertest.File("b.pkgs", list.String())))
	e := walkImages(t, o, two)
	x := examined(t, e, core.ExamineLayers, two.Subject.Digest, tool)
	if x.Status != core.Failed || !strings.Contains(strings.Join(x.Why, "\n"), "--limit kept-size=") {
		t.Errorf("image: %+v", x)
	}
	e = walkTree(t, writeTree(t, map[string]string{"a.pkgs": list.String(), "b.pkgs": list.String()}), o)
	x = examined(t, e, core.ExaminePackages, e.Subjects[0].Digest, "lines")
	if x.Status != core.Partial || !strings.Contains(strings.Join(x.Why, "\n"), "--limit kept-size=") {
		t.Errorf("tree: %+v", x)
	}
}
