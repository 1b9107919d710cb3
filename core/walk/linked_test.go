package walk

import (
	"io"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
)

func TestAFileIsReadUnderTheNameThatALinkGivesIt(t *testing.T) {
	type layer = []layertest.Entry
	file, link, hard, dir := layertest.File, layertest.Symlink, layertest.HardLink, layertest.Dir
	plain := lines{"lines", suffix(".pkgs")}
	deferred := relating{lines{"deferred", suffix(".pkgs")}, func(p string) bool { return strings.HasSuffix(p, ".rel") },
		func(f core.File) []string {
			content, err := io.ReadAll(f.Content)
			if err != nil {
				return []string{err.Error()}
			}
			return []string{strings.TrimSuffix(string(content), " 1")}
		}}
	for _, tc := range []struct {
		name   string
		layers []layer
		want   []string
	}{
		{"beside it", []layer{{file("d/other", "a 1"), link("d/x.pkgs", "other")}}, []string{"a@1 d/x.pkgs since 0"}},
		{"absolute", []layer{{link("x.pkgs", "/other"), file("other", "a 1")}}, []string{"a@1 x.pkgs since 0"}},
		{"to a link", []layer{{file("other", "a 1"), link("y", "other"), link("x.pkgs", "y")}}, []string{"a@1 x.pkgs since 0"}},
		{"to a hard link", []layer{{file("other", "a 1"), hard("y", "other"), link("x.pkgs", "y")}},
			[]string{"a@1 x.pkgs since 0"}},
		{"to a hard link to a lower layer", []layer{{file("other", "a 1")}, {hard("y", "other"), link("x.pkgs", "y")}},
			[]string{"a@1 x.pkgs since 1"}},
		{"hard link to the link", []layer{{file("other", "a 1"), link("y", "other")}, {hard("x.pkgs", "y")}},
			[]string{"a@1 x.pkgs since 1"}},
		{"in a directory that is a link", []layer{{dir("d"), link("e", "d"), file("other", "a 1")}, {link("e/x.pkgs", "/other")}},
			[]string{"a@1 d/x.pkgs since 1"}},
		{"to a lower layer", []layer{{file("other", "a 1")}, {link("x.pkgs", "other")}}, []string{"a@1 x.pkgs since 1"}},
		{"to a higher layer", []layer{{link("x.pkgs", "other")}, {file("other", "a 1")}}, []string{"a@1 x.pkgs since 0"}},
		{"to the file that a higher layer puts there", []layer{{file("other", "b 1"), link("x.pkgs", "other")},
			{file("other", "a 1")}}, []string{"a@1 x.pkgs since 0"}},
		{"two links", []layer{{file("other", "a 1"), link("x.pkgs", "other"), link("y.pkgs", "other")}},
			[]string{"a@1 x.pkgs since 0", "a@1 y.pkgs since 0"}},
		{"to a file of a wanted name", []layer{{file("y.pkgs", "a 1"), link("x.pkgs", "y.pkgs")}}, []string{"a@1 y.pkgs since 0"}},
		{"under a name that nobody wants", []layer{{file("other", "a 1"), link("x", "other")}}, nil},
		{"removed", []layer{{file("other", "a 1"), link("x.pkgs", "other")}, {file(".wh.x.pkgs", "")}}, nil},
		{"replaced by a file", []layer{{file("other", "a 1"), link("x.pkgs", "other")}, {file("x.pkgs", "b 1")}},
			[]string{"b@1 x.pkgs since 1"}},
		{"target removed", []layer{{file("other", "a 1"), link("x.pkgs", "other")}, {file(".wh.other", "")}}, nil},
		{"to nowhere", []layer{{link("x.pkgs", "/nowhere")}}, nil},
		{"to itself", []layer{{link("x.pkgs", "x.pkgs")}}, nil},
		{"to a directory", []layer{{dir("d"), link("x.pkgs", "d")}}, nil},
		{"to a device", []layer{{layertest.Device("null"), link("x.pkgs", "null")}}, nil},
	} {
		for _, a := range []core.Analyzer{plain, deferred} {
			t.Run(a.Info().Name+"/"+tc.name, func(t *testing.T) {
				var blobs []layertest.Blob
				for _, entries := range tc.layers {
					blobs = append(blobs, layertest.Layer(t, entries...))
				}
				e := walkImages(t, Options{Analyzers: []core.Analyzer{a}}, parse(t, "app", blobs...))
				if diff := gocmp.Diff(tc.want, summary(e)); diff != "" {
					t.Errorf("packages (-want +got):\n%s", diff)
				}
				for _, x := range e.Examinations {
					if x.Status != core.Complete {
						t.Errorf("%s is %s: %q", x.Name, x.Status, x.Why)
					}
				}
			})
		}
	}
}

// choosy follows the links with a word in their names.
type choosy struct {
	lines
	word string
}

func (c choosy) Follows(link string) bool { return strings.Contains(link, c.word) }

func TestALinkIsFollowedForWhoeverFollowsIt(t *testing.T) {
	layer := layertest.Layer(t, layertest.File("other", "a 1"), layertest.Symlink("x.pkgs", "other"), layertest.Symlink("y.pkgs", "other"))
	e := walkImages(t, Options{Analyzers: []core.Analyzer{choosy{lines{"choosy", suffix(".pkgs")}, "y"}}}, parse(t, "app", layer))
	if diff := gocmp.Diff([]string{"a@1 y.pkgs since 0"}, summary(e)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestALinkBelongsToTheImagesThatHaveIt(t *testing.T) {
	base := layertest.Layer(t, layertest.File("other", "a 1"))
	with := parse(t, "with", base, layertest.Layer(t, layertest.Symlink("x.pkgs", "other")))
	without := parse(t, "without", base)
	e := walkImages(t, Options{Analyzers: []core.Analyzer{lines{"lines", suffix(".pkgs")}}}, with, without)
	if len(e.Packages) != 1 || e.Packages[0].Subject != with.Subject.Digest {
		t.Errorf("packages %+v", e.Packages)
	}
}
