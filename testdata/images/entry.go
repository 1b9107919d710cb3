package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Entry is one entry of a layer. The functions below make the usual ones; a hostile one is written out.
type Entry struct {
	Header tar.Header
	Body   []byte
}

// File is a regular file that everybody may read.
func File(name, body string) Entry { return entry(tar.TypeReg, name, 0o644, []byte(body)) }

// Program is a regular file that everybody may execute.
func Program(name string, body []byte) Entry { return entry(tar.TypeReg, name, 0o755, body) }

// Dir is a directory.
func Dir(name string) Entry { return entry(tar.TypeDir, strings.TrimSuffix(name, "/")+"/", 0o755, nil) }

// Symlink is a symbolic link from name to target.
func Symlink(name, target string) Entry {
	e := entry(tar.TypeSymlink, name, 0o777, nil)
	e.Header.Linkname = target
	return e
}

// HardLink is a hard link from name to target, a path within the layer or below it.
func HardLink(name, target string) Entry {
	e := entry(tar.TypeLink, name, 0o644, nil)
	e.Header.Linkname = target
	return e
}

// Device is a character device with the numbers of /dev/null.
func Device(name string) Entry {
	e := entry(tar.TypeChar, name, 0o666, nil)
	e.Header.Devmajor, e.Header.Devminor = 1, 3
	return e
}

// Whiteout deletes name, a file or a directory, from the layers below.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
func Whiteout(name string) Entry {
	dir, file := path.Split(name)
	return entry(tar.TypeReg, dir+".wh."+file, 0o644, nil)
}

// Opaque hides everything that the layers below have in dir.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#opaque-whiteout
func Opaque(dir string) Entry { return entry(tar.TypeReg, path.Join(dir, ".wh..wh..opq"), 0o644, nil) }

func entry(kind byte, name string, mode int64, body []byte) Entry {
	return Entry{
		Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, Size: int64(len(body)), ModTime: Epoch()},
		Body:   body,
	}
}

func writeEntries(w io.Writer, entries []Entry) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		if err := t.WriteHeader(&e.Header); err != nil {
			return fmt.Errorf("write the header of %q: %w", e.Header.Name, err)
		}
		if _, err := t.Write(e.Body); err != nil {
			return fmt.Errorf("write %q: %w", e.Header.Name, err)
		}
	}
	return t.Close()
}

// Archive gives Layer.Tar the content of a root filesystem archive: file is a tar, gzipped or not.
func Archive(file string) func(io.Writer) error {
	return func(w io.Writer) (err error) {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if !strings.HasSuffix(file, "gz") {
			_, err = io.Copy(w, f)
			return err
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		_, err = io.Copy(w, z)
		return errors.Join(err, z.Close())
	}
}

// Zeros gives Layer.Tar one file of size zero bytes. Gzip stores about a thousand of them in one byte.
func Zeros(name string, size int64) func(io.Writer) error {
	return func(w io.Writer) error {
		t := tar.NewWriter(w)
		e := entry(tar.TypeReg, name, 0o644, nil)
		e.Header.Size = size
		if err := t.WriteHeader(&e.Header); err != nil {
			return err
		}
		if _, err := io.CopyN(t, zeros{}, size); err != nil {
			return err
		}
		return t.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Many gives Layer.Tar n empty files, a thousand to a directory.
func Many(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		t := tar.NewWriter(w)
		for i := range n {
			e := entry(tar.TypeReg, fmt.Sprintf("many/%04d/%03d", i/1000, i%1000), 0o644, nil)
			if err := t.WriteHeader(&e.Header); err != nil {
				return err
			}
		}
		return t.Close()
	}
}
