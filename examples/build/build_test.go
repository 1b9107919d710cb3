package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

const (
	app       = "../app"
	committed = "../image"
)

// TestCommittedImageIsWhatThisCodeMakes holds everything but the compiler's part: it makes the image again from the
// committed programs, and every file of the layout must be the same.
func TestCommittedImageIsWhatThisCodeMakes(t *testing.T) {
	index, err := image(committedPrograms(t))
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "image")
	if err := images.WriteLayout(again, index); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sums(t, committed), sums(t, again)); diff != "" {
		t.Errorf("examples/image is stale: go run ./examples/build (-committed +made again):\n%s", diff)
	}
}

// TestCommittedProgramsCompileAgain holds the compiler's part, where the Go release is the one that made them.
func TestCommittedProgramsCompileAgain(t *testing.T) {
	want := committedPrograms(t)
	got, err := compileAll(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	for _, architecture := range architectures() {
		made, here := goVersion(t, want[architecture]), goVersion(t, got[architecture])
		if made != here {
			t.Skipf("the committed programs were compiled by %s and this is %s: the rest of the image was compared, "+
				"the programs were not", made, here)
		}
		if !bytes.Equal(want[architecture], got[architecture]) {
			t.Errorf("the program for %s differs from the committed one: go run ./examples/build", architecture)
		}
	}
}

func TestCommittedProgramRuns(t *testing.T) {
	program, ok := committedPrograms(t)[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		t.Skipf("the image has no program for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	file := filepath.Join(t.TempDir(), "pagetitle")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), file)
	command.Stdin = strings.NewReader("<html><title> Cleanbill </title></html>")
	out, err := command.CombinedOutput()
	if err != nil || string(out) != "Cleanbill\n" {
		t.Errorf("got %q and %v, want Cleanbill", out, err)
	}
}

// TestImageIsSmall keeps a clone of the repository quick.
func TestImageIsSmall(t *testing.T) {
	const most = 3 << 20
	var total int64
	walk(t, committed, func(_ string, data []byte) { total += int64(len(data)) })
	if total > most {
		t.Errorf("examples/image has %d bytes, want at most %d", total, most)
	}
}

func TestNothingIsRemovedThatIsNoLayout(t *testing.T) {
	out := t.TempDir()
	precious := filepath.Join(out, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	index, err := image(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceLayout(out, index); err == nil {
		t.Error("a folder that is no layout was replaced")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestALayoutIsReplacedWhole(t *testing.T) {
	out := filepath.Join(t.TempDir(), "image")
	for _, program := range []string{"old", "new"} {
		index, err := image(map[string][]byte{"amd64": []byte(program), "arm64": []byte(program)})
		if err != nil {
			t.Fatal(err)
		}
		if err := replaceLayout(out, index); err != nil {
			t.Fatal(err)
		}
	}
	for architecture, program := range programsOf(t, out) {
		if string(program) != "new" {
			t.Errorf("%s has the program %q", architecture, program)
		}
	}
	beside, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(beside) != 1 {
		t.Errorf("left behind: %v, %v", beside, err)
	}
}

func committedPrograms(t *testing.T) map[string][]byte {
	t.Helper()
	return programsOf(t, committed)
}

// programsOf returns the program of each architecture in the layout.
func programsOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	named, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := top.ImageIndex(named.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string][]byte{}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		programs[m.Platform.Architecture] = programOf(t, image)
	}
	return programs
}

func programOf(t *testing.T, image v1.Image) []byte {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		stream, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(stream)
		for header, err := archive.Next(); err == nil; header, err = archive.Next() {
			if header.Name != programPath {
				continue
			}
			var program bytes.Buffer
			if _, err := program.ReadFrom(archive); err != nil {
				t.Fatal(err)
			}
			return program.Bytes()
		}
	}
	t.Fatalf("no layer has %s", programPath)
	return nil
}

func goVersion(t *testing.T, program []byte) string {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	return info.GoVersion
}

// sums returns the SHA-256 of every file in dir.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	walk(t, dir, func(path string, data []byte) {
		sum, _, err := v1.SHA256(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		all[path] = sum.Hex
	})
	return all
}

func walk(t *testing.T, dir string, visit func(path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err == nil {
			visit(filepath.ToSlash(relative), data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
