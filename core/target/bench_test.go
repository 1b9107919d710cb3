package target

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// BenchmarkRegistryBlob streams a layer over a socket of this machine.
func BenchmarkRegistryBlob(b *testing.B) {
	host := newRegistry(b, nil)
	push(b, host+"/app", must[v1.Image](b)(random.Image(32<<20, 1)))
	target, err := Open(b.Context(), host+"/app", Options{})
	if err != nil {
		b.Fatal(err)
	}
	layer := target.Images[0].Layers[0]
	b.SetBytes(layer.Size)
	for b.Loop() {
		r := must[io.ReadCloser](b)(layer.Open(b.Context()))
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func benchmarkArchive(b *testing.B, pack func(testing.TB, []byte) []byte) {
	_, _, items := saved(b)
	noise := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	items[2].body += hex.EncodeToString(noise) // compresses to the half, as layers do
	plainTar := tarOf(b, items...)
	file := fileOf(b, "x.tar", pack(b, plainTar))
	o := Options{TempDir: b.TempDir()}
	b.SetBytes(int64(len(plainTar)))
	for b.Loop() {
		target, err := Open(b.Context(), file, o)
		if err != nil {
			b.Fatal(err)
		}
		target.Close()
	}
}

// BenchmarkPlainArchive hashes the layers where they are.
func BenchmarkPlainArchive(b *testing.B) {
	benchmarkArchive(b, func(_ testing.TB, content []byte) []byte { return bytes.Clone(content) })
}

// BenchmarkCompressedArchive spools and hashes them.
func BenchmarkCompressedArchive(b *testing.B) { benchmarkArchive(b, zstdOf) }
