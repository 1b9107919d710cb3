// Package layertest makes layers and images in memory, for tests of the rooms that read them. Nothing of the product
// imports it.
package layertest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/target"
)

// Entry is one entry of a tar archive.
type Entry struct {
	tar.Header
	Body string
}

// File is a regular file with mode 0644.
func File(name, body string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body))}, Body: body}
}

// Executable is a regular file with mode 0755.
func Executable(name, body string) Entry {
	e := File(name, body)
	e.Mode = 0o755
	return e
}

// Dir is a directory.
func Dir(name string) Entry {
	return Entry{Header: tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755}}
}

// Symlink is a symbolic link.
func Symlink(name, target string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}}
}

// HardLink is a hard link.
func HardLink(name, target string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644}}
}

// Device is a character device.
func Device(name string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666}}
}

// Fifo is a named pipe.
func Fifo(name string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: tar.TypeFifo, Mode: 0o644}}
}

// Tar writes the entries as an archive.
func Tar(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatalf("write the header of %q: %v", e.Name, err)
		}
		if _, err := io.WriteString(w, e.Body); err != nil {
			t.Fatalf("write the body of %q: %v", e.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Gzip compresses.
func Gzip(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Zstd compresses.
func Zstd(t testing.TB, plain []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(plain, nil)
}

// Blob is the blob of a layer with the digest of what it inflates to.
type Blob struct {
	target.Layer
	DiffID core.Digest
}

// Media types of layers.
const (
	MediaTypeTar  = "application/vnd.oci.image.layer.v1.tar"
	MediaTypeGzip = MediaTypeTar + "+gzip"
	MediaTypeZstd = MediaTypeTar + "+zstd"
)

// NewBlob states the right digests for stored bytes that inflate to plain.
func NewBlob(stored, plain []byte, mediaType string) Blob {
	return Blob{
		Layer: target.Layer{
			Digest: DigestOf(stored), Size: int64(len(stored)), MediaType: mediaType,
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stored)), nil },
		},
		DiffID: DigestOf(plain),
	}
}

// Layer is a gzip-compressed layer.
func Layer(t testing.TB, entries ...Entry) Blob {
	t.Helper()
	plain := Tar(t, entries...)
	return NewBlob(Gzip(t, plain), plain, MediaTypeGzip)
}

// Image is an image for linux/amd64 with one history line "layer N" for each layer.
func Image(t testing.TB, name string, blobs ...Blob) target.Image {
	t.Helper()
	type history struct {
		CreatedBy string `json:"created_by"`
	}
	var config struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		RootFS       struct {
			Type    string        `json:"type"`
			DiffIDs []core.Digest `json:"diff_ids"`
		} `json:"rootfs"`
		History []history `json:"history"`
	}
	config.OS, config.Architecture, config.RootFS.Type = "linux", "amd64", "layers"
	img := target.Image{}
	for i, b := range blobs {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, b.DiffID)
		config.History = append(config.History, history{"layer " + string(rune('0'+i%10))})
		img.Layers = append(img.Layers, b.Layer)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	img.Config = raw
	img.Subject = core.Subject{
		Name: name, Kind: core.KindImage, Digest: DigestOf([]byte(name), raw),
		Platform: &core.Platform{OS: "linux", Architecture: "amd64"},
	}
	return img
}

// DigestOf hashes the parts as one.
func DigestOf(parts ...[]byte) core.Digest {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return core.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// Realistic makes a layer that compresses about as real ones do (three to one): files sources of text of a few KiB, and
// binaries of 1 MiB that are half noise.
func Realistic(t testing.TB, seed uint64, sources, binaries int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([]string, 2000)
	for i := range words {
		word := make([]byte, 3+r.IntN(9))
		for j := range word {
			word[j] = byte('a' + r.IntN(26))
		}
		words[i] = string(word)
	}
	var entries []Entry
	for i := range sources {
		var b strings.Builder
		for size := 500 + r.IntN(16000); b.Len() < size; {
			b.WriteString(words[int(r.ExpFloat64()*200)%len(words)])
			b.WriteString([]string{" ", " ", "\n", ", ", "(", ");\n"}[r.IntN(6)])
		}
		entries = append(entries, File(fmt.Sprintf("usr/lib/node_modules/m%d/lib/f%d.js", i/12, i), b.String()))
	}
	for i := range binaries {
		b := make([]byte, 0, 1<<20)
		for len(b) < 1<<20 {
			if r.IntN(2) == 0 {
				b = binary.LittleEndian.AppendUint32(b, r.Uint32())
			} else {
				b = append(b, "\x48\x89\x45\xf8\x48\x8b\x00\x00\x00\x0f\x1f\x40"[:4+r.IntN(9)]...)
			}
		}
		entries = append(entries, Executable(fmt.Sprintf("usr/bin/b%d", i), string(b[:1<<20])))
	}
	return Tar(t, entries...)
}
