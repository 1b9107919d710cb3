package image

import (
	"bytes"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/cleanbill-ci/cleanbill/core/internal/layertest"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

func benchLayer(b *testing.B) (plain, stored []byte) {
	b.Helper()
	plain = layertest.Realistic(b, 1, 4000, 24)
	return plain, layertest.Gzip(b, plain)
}

// BenchmarkStream is the floor: what inflating and hashing cost one after the other, without looking at anything.
func BenchmarkStream(b *testing.B) {
	plain, stored := benchLayer(b)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		sha256.Sum256(stored)
		h := sha256.New()
		r, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(h, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLayerRead(b *testing.B) {
	plain, gz := benchLayer(b)
	for _, tc := range []struct {
		name  string
		layer Layer
	}{
		{"gzip", layerOf(layertest.NewBlob(gz, plain, layertest.MediaTypeGzip))},
		{"zstd", layerOf(layertest.NewBlob(layertest.Zstd(b, plain), plain, layertest.MediaTypeZstd))},
		{"tar", layerOf(layertest.NewBlob(plain, plain, layertest.MediaTypeTar))},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := tc.layer.Read(b.Context(), NewReading(limit.Limits{}), nil, func(File, io.Reader) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func layerOf(b layertest.Blob) Layer { return Layer{Layer: b.Layer, DiffID: b.DiffID} }

func gunzip(t testing.TB, stored []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
