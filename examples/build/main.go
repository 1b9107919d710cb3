// Command build makes examples/image, the image of the first command in the README: a small Debian system, a web
// page's lockfile and a Go program, each with well-known vulnerabilities, for two platforms.
//
// Run it in the root of the repository:
//
//	go run ./examples/build
//
// The image is committed. The same Go release makes the same bytes on every machine, which the test beside this file
// holds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

func main() {
	app := flag.String("app", "examples/app", "folder of the program's `module`")
	out := flag.String("o", "examples/image", "`folder` of the OCI layout, replaced if it is one")
	flag.Parse()
	if err := run(context.Background(), *app, *out); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, app, out string) error {
	programs, err := compileAll(ctx, app)
	if err != nil {
		return err
	}
	index, err := image(programs)
	if err != nil {
		return err
	}
	return replaceLayout(out, index)
}

// replaceLayout writes the layout beside out and then takes its place, so that a failure leaves the old one whole. It
// refuses to remove a folder that is no layout.
func replaceLayout(out string, content mutate.Appendable) (err error) {
	switch _, err := os.Stat(filepath.Join(out, "oci-layout")); {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists and is no OCI layout: remove it, or name another folder", out)
		}
	case err != nil:
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(out), ".image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	if err := images.WriteLayout(fresh, content); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	return os.Rename(fresh, out)
}
