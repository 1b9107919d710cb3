package walk

import (
	"context"
	"fmt"
	"io/fs"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// glancer finds how much content it was shown of files that everybody may write to.
type glancer struct{}

func (glancer) Info() core.Info                       { return core.Info{Name: "glancer"} }
func (glancer) Glances()                              {}
func (glancer) Wants(_ string, info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

func (glancer) Analyze(_ context.Context, f core.File) (core.Found, error) {
	return core.Found{Findings: []core.Finding{{Fingerprint: fmt.Sprintf("%d of %d", f.Content.Size(), f.Info.Size())}}},
		nil
}

func TestNothingIsKeptOfAFileForThoseWhoNeverReadIt(t *testing.T) {
	open := func(name, body string) layertest.Entry {
		e := layertest.File(name, body)
		e.Mode = 0o666
		return e
	}
	img, err := image.Parse(layertest.Image(t, "app", layertest.Layer(t, open("a", "0123456789"), open("list", "pkg 1"))),
		limit.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	reader := lines{name: "lines", wants: func(p string, _ fs.FileInfo) bool { return p == "list" }}
	e, err := Images(t.Context(), []*image.Image{img}, Options{Analyzers: []core.Analyzer{glancer{}, reader}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range e.Findings {
		got[f.Locations[0].Path] = f.Fingerprint
	}
	if got["a"] != "0 of 10" || got["list"] != "5 of 5" || len(e.Packages) != 1 {
		t.Errorf("%v, %d packages", got, len(e.Packages))
	}
}
