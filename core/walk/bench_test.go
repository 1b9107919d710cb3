package walk

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/image"
	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
)

// reader reads the whole file and finds one package in it.
type reader struct {
	wants func(string, fs.FileInfo) bool
}

func (reader) Info() core.Info { return core.Info{Name: "reader"} }

func (r reader) Wants(p string, info fs.FileInfo) bool { return r.wants(p, info) }

func (reader) Analyze(_ context.Context, f core.File) (core.Found, error) {
	if _, err := io.Copy(io.Discard, f.Content); err != nil {
		return core.Found{}, err
	}
	return core.Found{Packages: []core.Package{{Name: f.Path, Version: "1", Purl: "pkg:test/" + f.Path + "@1"}}}, nil
}

// BenchmarkWalk reads an image of three layers with thirty analyzers, one of which reads every twelfth file.
func BenchmarkWalk(b *testing.B) {
	var blobs []layertest.Blob
	size := 0
	for i := range 3 {
		plain := layertest.Realistic(b, uint64(i), 2000, 24)
		size += len(plain)
		blobs = append(blobs, layertest.NewBlob(layertest.Gzip(b, plain), plain, layertest.MediaTypeGzip))
	}
	img := parse(b, "bench", blobs...)
	analyzers := []core.Analyzer{reader{suffix("0.js")}}
	for i := range 29 {
		analyzers = append(analyzers, lines{fmt.Sprint("idle", i), func(string, fs.FileInfo) bool { return false }})
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Images(b.Context(), []*image.Image{img}, Options{Analyzers: analyzers}); err != nil {
			b.Fatal(err)
		}
	}
}
