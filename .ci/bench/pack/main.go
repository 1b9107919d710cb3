// Command pack makes one image of tar files, a layer each, and writes it twice: as an OCI layout, image/, and as
// "docker save" does, image.tar. It prints what is in it.
package main

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

func main() {
	out := flag.String("o", ".", "`folder` to write to")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(out string, archives []string) error {
	spec := images.Spec{Config: v1.Config{User: "10001", Entrypoint: []string{"/usr/local/bin/server"}}}
	for _, archive := range archives {
		if err := describe(archive); err != nil {
			return fmt.Errorf("read %s: %w", archive, err)
		}
		spec.Layers = append(spec.Layers, images.Layer{
			CreatedBy: "COPY " + filepath.Base(archive) + " /",
			Tar:       images.Archive(archive),
		})
	}
	image, err := images.Build(spec)
	if err != nil {
		return err
	}
	layout := filepath.Join(out, "image")
	if err := os.RemoveAll(layout); err != nil {
		return err
	}
	if err := images.WriteLayout(layout, image); err != nil {
		return err
	}
	return images.WriteSave(filepath.Join(out, "image.tar"), "cleanbill/bench:1", image)
}

func describe(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	var files, bytes int64
	t := tar.NewReader(f)
	for {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			fmt.Printf("%-20s %6d files %5d MB\n", filepath.Base(archive), files, bytes/1e6)
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg {
			files++
			bytes += header.Size
		}
	}
}
