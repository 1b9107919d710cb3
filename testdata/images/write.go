package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// WriteLayout writes an image or an index, whichever content is, as the one entry of a new OCI image layout.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
func WriteLayout(dir string, content mutate.Appendable) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("create the layout %s: %w", dir, err)
	}
	switch c := content.(type) {
	case v1.ImageIndex:
		err = path.AppendIndex(c)
	case v1.Image:
		err = path.AppendImage(c)
	default:
		err = fmt.Errorf("neither an image nor an index: %T", content)
	}
	if err == nil {
		err = makeReadable(dir)
	}
	if err != nil {
		return fmt.Errorf("write the layout %s: %w", dir, err)
	}
	return nil
}

// makeReadable gives every file the same mode. The library leaves blobs that only their owner may read and manifests
// that everybody may execute.
func makeReadable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o644)
	})
}

// TarLayout packs a layout directory into one tar file, with its files in order.
func TarLayout(dir, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return addFile(t, dir, path)
	})
	if err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return t.Close()
}

func addFile(t *tar.Writer, dir, path string) error {
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	e := entry(tar.TypeReg, filepath.ToSlash(relative), 0o644, body)
	if err := t.WriteHeader(&e.Header); err != nil {
		return err
	}
	_, err = t.Write(e.Body)
	return err
}

// WriteSave writes an archive as "docker save" does, with tag as its one name.
func WriteSave(file, tag string, image v1.Image) error {
	reference, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("parse the tag: %w", err)
	}
	return tarball.WriteToFile(file, reference, image)
}

// Blob returns the path of a blob within a layout.
func Blob(dir string, digest v1.Hash) string {
	return filepath.Join(dir, "blobs", digest.Algorithm, digest.Hex)
}

// LayerBlob returns the path of the blob of the image's layer i, counted from 0, the base, within the layout.
func LayerBlob(dir string, image v1.Image, i int) (string, error) {
	layers, err := image.Layers()
	if err != nil {
		return "", err
	}
	if i >= len(layers) {
		return "", fmt.Errorf("there is no layer %d: the image has %d", i, len(layers))
	}
	digest, err := layers[i].Digest()
	if err != nil {
		return "", err
	}
	return Blob(dir, digest), nil
}

// FlipByte changes one byte in the middle of file, so that its size stays and its digest does not.
func FlipByte(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fmt.Errorf("%s is empty: %w", file, io.ErrUnexpectedEOF)
	}
	data[len(data)/2] ^= 0xff
	return replace(file, data)
}

// Truncate leaves the first half of file.
func Truncate(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return replace(file, data[:len(data)/2])
}

// replace writes a new file in place of the old one, which may be read-only.
func replace(file string, data []byte) error {
	if err := os.Remove(file); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
