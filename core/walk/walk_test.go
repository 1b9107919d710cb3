package walk

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// lines is an analyzer whose files list packages, one "name version" a line. "problem" and "error" lines are what they
// say.
type lines struct {
	name  string
	wants func(path string, info fs.FileInfo) bool
}

func (a lines) Info() core.Info { return core.Info{Name: a.name, Version: "1"} }

func (a lines) Wants(p string, info fs.FileInfo) bool { return a.wants(p, info) }

func (a lines) Analyze(_ context.Context, f core.File) (core.Found, error) {
	data, err := io.ReadAll(f.Content)
	if err != nil {
		return core.Found{}, err
	}
	var found core.Found
	for line := range strings.Lines(string(data)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "":
		case "problem":
			found.Problems = append(found.Problems, core.Problem{Path: f.Path, Why: version})
		case "error":
			return found, errors.New(version)
		case "panic":
			panic(version)
		case "distro":
			found.Distro = &core.Distro{ID: version}
		case "finding":
			found.Findings = append(found.Findings, core.Finding{Fingerprint: version,
				Locations: []core.Location{{Path: f.Path, Line: 1}}})
		default:
			found.Packages = append(found.Packages, core.Package{
				Name: name, Version: version, Purl: "pkg:test/" + name + "@" + version,
				Locations: []core.Location{{Path: f.Path}},
			})
		}
	}
	return found, nil
}

func suffix(s string) func(string, fs.FileInfo) bool {
	return func(p string, _ fs.FileInfo) bool { return strings.HasSuffix(p, s) }
}

func parse(t testing.TB, name string, blobs ...layertest.Blob) *image.Image {
	t.Helper()
	img, err := image.Parse(layertest.Image(t, name, blobs...), limit.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// summary is a package in one line: what, where, since which layer, until which.
func summary(e core.Evidence) []string {
	var all []string
	for _, p := range e.Packages {
		line := fmt.Sprintf("%s@%s %s", p.Name, p.Version, p.Locations[0].Path)
		if p.Origin != nil {
			line += fmt.Sprintf(" since %d", p.Origin.Layer)
			if p.Origin.RemovedIn != nil {
				line += fmt.Sprintf(" removed in %d", *p.Origin.RemovedIn)
			}
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

func TestImagesFollowsPackagesThroughTheLayers(t *testing.T) {
	file, link, hard, dir := layertest.File, layertest.Symlink, layertest.HardLink, layertest.Dir
	for _, tc := range []struct {
		name   string
		layers [][]layertest.Entry
		want   []string
	}{
		{"one file", [][]layertest.Entry{{file("app/x.pkgs", "a 1\nb 2")}},
			[]string{"a@1 app/x.pkgs since 0", "b@2 app/x.pkgs since 0"}},
		{"rewritten with one kept, one upgraded and one added", [][]layertest.Entry{
			{file("x.pkgs", "a 1\nb 1")}, {file("x.pkgs", "a 1\nb 2\nc 1")}},
			[]string{"a@1 x.pkgs since 0", "b@1 x.pkgs since 0 removed in 1", "b@2 x.pkgs since 1", "c@1 x.pkgs since 1"}},
		{"removed and added again", [][]layertest.Entry{
			{file("x.pkgs", "a 1")}, {file("x.pkgs", "b 1")}, {file("x.pkgs", "a 1")}},
			[]string{"a@1 x.pkgs since 2", "b@1 x.pkgs since 1 removed in 2"}},
		{"whited out", [][]layertest.Entry{{file("d/x.pkgs", "a 1")}, {file("d/.wh.x.pkgs", "")}},
			[]string{"a@1 d/x.pkgs since 0 removed in 1"}},
		{"whited out and written again", [][]layertest.Entry{
			{file("x.pkgs", "a 1")}, {file(".wh.x.pkgs", "")}, {file("x.pkgs", "a 1")}},
			[]string{"a@1 x.pkgs since 2"}},
		{"whiteout of a directory", [][]layertest.Entry{{file("d/e/x.pkgs", "a 1")}, {file(".wh.d", "")}},
			[]string{"a@1 d/e/x.pkgs since 0 removed in 1"}},
		{"opaque directory before its new files", [][]layertest.Entry{
			{file("d/x.pkgs", "a 1")}, {dir("d"), file("d/.wh..wh..opq", ""), file("d/y.pkgs", "b 1")}},
			[]string{"a@1 d/x.pkgs since 0 removed in 1", "b@1 d/y.pkgs since 1"}},
		{"opaque directory after its new files", [][]layertest.Entry{
			{file("d/x.pkgs", "a 1")}, {dir("d"), file("d/y.pkgs", "b 1"), file("d/.wh..wh..opq", "")}},
			[]string{"a@1 d/x.pkgs since 0 removed in 1", "b@1 d/y.pkgs since 1"}},
		{"whiteout beside the new file", [][]layertest.Entry{
			{file("x.pkgs", "a 1")}, {file("x.pkgs", "a 1"), file(".wh.x.pkgs", "")}},
			[]string{"a@1 x.pkgs since 0"}},
		{"file over directory", [][]layertest.Entry{{file("d/x.pkgs", "a 1")}, {file("d", "")}},
			[]string{"a@1 d/x.pkgs since 0 removed in 1"}},
		{"directory over file", [][]layertest.Entry{{file("x.pkgs", "a 1")}, {file("x.pkgs/y", "")}},
			[]string{"a@1 x.pkgs since 0 removed in 1"}},
		{"twice in one layer", [][]layertest.Entry{{file("x.pkgs", "a 1"), file("x.pkgs", "b 1")}},
			[]string{"a@1 x.pkgs since 0 removed in 0", "b@1 x.pkgs since 0"}},
		{"hard link", [][]layertest.Entry{{file("x.pkgs", "a 1"), hard("y.pkgs", "x.pkgs")}},
			[]string{"a@1 x.pkgs since 0", "a@1 y.pkgs since 0"}},
		{"hard link outlives its target", [][]layertest.Entry{
			{file("x.pkgs", "a 1"), hard("y.pkgs", "x.pkgs")}, {file(".wh.x.pkgs", "")}},
			[]string{"a@1 x.pkgs since 0 removed in 1", "a@1 y.pkgs since 0"}},
		{"hard link into a lower layer", [][]layertest.Entry{{file("x.pkgs", "a 1")}, {hard("y.pkgs", "x.pkgs")}},
			[]string{"a@1 x.pkgs since 0", "a@1 y.pkgs since 1"}},
		{"hard link that alone has the wanted name", [][]layertest.Entry{{file("x", "a 1"), hard("y.pkgs", "x")}},
			[]string{"a@1 y.pkgs since 0"}},
		{"hard link that alone has the wanted name, into a lower layer", [][]layertest.Entry{{file("x", "a 1")},
			{hard("y.pkgs", "/x")}},
			[]string{"a@1 y.pkgs since 1"}},
		{"hard link to a replaced file", [][]layertest.Entry{{file("x.pkgs", "a 1"), hard("y.pkgs", "x.pkgs"),
			file("x.pkgs", "b 1")}},
			[]string{"a@1 x.pkgs since 0 removed in 0", "a@1 y.pkgs since 0", "b@1 x.pkgs since 0"}},
		{"through a link of the same layer", [][]layertest.Entry{{link("d", "/opt/real"), file("d/x.pkgs", "a 1")}},
			[]string{"a@1 opt/real/x.pkgs since 0"}},
		{"anchored place that is a link", [][]layertest.Entry{{file("data/db", "a 1"), dir("var"), link("var/db",
			"../data/db")}},
			[]string{"a@1 var/db since 0"}},
		{"anchored place below a link, in a higher layer", [][]layertest.Entry{{file("data/db", "a 1")}, {link("var",
			"/data")}, {file("data/db", "a 1\nb 1")}},
			[]string{"a@1 var/db since 0", "b@1 var/db since 2"}},
		{"anchored place reached through a lower layer's link", [][]layertest.Entry{{dir("var"), link("alias", "var")},
			{file("alias/db", "a 1")}},
			[]string{"a@1 var/db since 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var blobs []layertest.Blob
			for _, entries := range tc.layers {
				blobs = append(blobs, layertest.Layer(t, entries...))
			}
			e, err := Images(t.Context(), []*image.Image{parse(t, "app", blobs...)}, Options{
				Analyzers: []core.Analyzer{
					lines{"lines", suffix(".pkgs")},
					anchored{lines{"anchored", func(p string, _ fs.FileInfo) bool { return p == "var/db" }}, []string{"var/db"}},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, summary(e)); diff != "" {
				t.Errorf("packages (-want +got):\n%s", diff)
			}
			for _, x := range e.Examinations {
				if x.Status != core.Complete {
					t.Errorf("examination %s is %s: %q", x.Name, x.Status, x.Why)
				}
			}
		})
	}
}

type anchored struct {
	lines
	anchors []string
}

func (a anchored) Anchors() []string { return a.anchors }

// tarOf makes an archive of one file and one entry of any kind; names that tar cannot hold give an empty archive.
func tarOf(name, body, target string, kind byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))},
		{Name: "x" + name, Typeflag: kind, Linkname: target, Mode: 0o644},
	} {
		if w.WriteHeader(h) != nil {
			break
		}
		if h.Size > 0 {
			io.WriteString(w, body)
		}
	}
	w.Close()
	return b.Bytes()
}
