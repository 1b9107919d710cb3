package inventory

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cleanbill-ci/cleanbill/core"
)

// tree is a file system as the walk would hand it to the analyzers: content by path.
type tree map[string][]byte

// seen is what all analyzers together said of a tree.
type seen struct {
	packages []core.Package
	distro   *core.Distro
	problems []core.Problem
	failed   map[string]error // by path
}

// drive does what the walk does with one layer: every file to every analyzer that wants it.
func drive(t testing.TB, files tree) seen {
	t.Helper()
	return driveWith(t, Options{}, files)
}

func driveWith(t testing.TB, o Options, files tree) seen {
	t.Helper()
	analyzers, err := Analyzers(o)
	if err != nil {
		t.Fatal(err)
	}
	all := make(fstest.MapFS)
	for p, content := range files {
		all[p] = &fstest.MapFile{Data: content, Mode: 0o755}
	}
	s := seen{failed: make(map[string]error)}
	for _, p := range sortedKeys(files) {
		for _, a := range analyzers {
			s.analyze(t, a, p, files, all)
		}
	}
	return s
}

func (s *seen) analyze(t testing.TB, a core.Analyzer, p string, files tree, all fstest.MapFS) {
	t.Helper()
	info, err := fs.Stat(all, p)
	if err != nil {
		t.Fatal(err)
	}
	content := files[p]
	if !a.Wants(p, info) {
		return
	}
	if sn, ok := a.(core.Sniffer); ok && !sn.Sniff(p, content[:min(len(content), core.SniffLength)]) {
		return
	}
	f := core.File{Path: p, Info: info, Content: io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))}
	if r, ok := a.(core.Relater); ok {
		related := make(fstest.MapFS)
		for q, file := range all {
			if r.Related(q) {
				related[q] = file
			}
		}
		f.Related = related
	}
	found, err := a.Analyze(t.Context(), f)
	if err != nil {
		s.failed[p] = errors.Join(s.failed[p], err)
	}
	s.packages = append(s.packages, found.Packages...)
	s.problems = append(s.problems, found.Problems...)
	if found.Distro != nil {
		s.distro = found.Distro
	}
}

// evidence makes what the walk would of s, as one image, and finishes it.
func (s seen) evidence(files int) core.Evidence {
	const subject = core.Digest("sha256:image")
	e := core.Evidence{
		Subjects: []core.Subject{{Name: "image", Kind: core.KindImage, Digest: subject}},
		Images:   []core.ImageFacts{{Subject: subject, Distro: s.distro, Files: files}},
	}
	for _, p := range s.packages {
		p.Subject = subject
		e.Packages = append(e.Packages, p)
	}
	Finish(&e)
	e.Sort()
	return e
}

// clean fails the test for anything that could not be read.
func (s seen) clean(t testing.TB) seen {
	t.Helper()
	for p, err := range s.failed {
		t.Errorf("%s: %v", p, err)
	}
	for _, p := range s.problems {
		t.Errorf("%s: %s", p.Path, p.Why)
	}
	return s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// purls lists the package URLs in order.
func purls(packages []core.Package) []string {
	list := make([]string, 0, len(packages))
	for _, p := range packages {
		list = append(list, p.Purl)
	}
	slices.Sort(list)
	return list
}

// shared is the folder of real data beside the repository; the test is skipped where it is absent.
func shared(t testing.TB, elements ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	p := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, elements...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real data is not here: %v", err)
	}
	return p
}

// sharedFile reads one file of the real data.
func sharedFile(t testing.TB, elements ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(shared(t, elements...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// untar reads the regular files of a compressed root file system.
func untar(t testing.TB, name string) tree {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := make(tree)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), "/")] = content
	}
}
