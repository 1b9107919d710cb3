package target

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
)

// sniffLength is how much of a file shows what it is: one block of a tar.
const sniffLength = 512

// compression is how a whole file is compressed.
type compression string

const (
	plain     compression = "uncompressed"
	gzipped   compression = "gzip"
	zstandard compression = "zstd"
)

func sniffCompression(head []byte) compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // skippable frame
		return zstandard
	default:
		return plain
	}
}

// isTar reports whether a file begins with the header of a tar entry.
func isTar(head []byte) bool {
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	// The header may announce more headers, which are beyond what was read.
	return len(head) == sniffLength && (err == nil || errors.Is(err, io.ErrUnexpectedEOF))
}

// isJSONObject reports whether a text file begins like a JSON object, with or without a byte order mark.
func isJSONObject(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{"))
}

// foreignFormat names well-known formats that we do not read, with what to do about it.
func foreignFormat(head []byte) (name, hint string) {
	for _, f := range []struct{ magic, name, hint string }{
		{"BZh", "a bzip2 file", "decompress it first (bunzip2)"},
		{"\xfd7zXZ\x00", "an xz file", "decompress it first (unxz)"},
		{"PK\x03\x04", "a zip file", "unpack it and name the directory"},
		{"\x7fELF", "an executable", "name the directory that holds it with dir:"},
		{"SQLite format 3\x00", "a SQLite database", ""},
		{"<?xml", "an XML file", "SBOMs are read as CycloneDX or SPDX JSON: convert it first"},
		{"SPDXVersion:", "an SPDX tag-value file", "SBOMs are read as CycloneDX or SPDX JSON: convert it first"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.name, f.hint
		}
	}
	return "", ""
}
