// Command floor does the least that reading an image can be: it inflates every gzip layer of an OCI layout with the
// library that Cleanbill uses and hashes both sides, two layers at a time. It verifies the digests and looks at
// nothing.
//
// What it takes is the floor under any tool that verifies what it reads.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// atATime is how many layers are read at a time.
const atATime = 2

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor OCI-LAYOUT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("%s has %d images, want one", dir, len(manifest.Manifests))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	return read(dir, image)
}

func read(dir string, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return errors.New("the configuration and the manifest differ in the number of layers")
	}
	var group errgroup.Group
	group.SetLimit(atATime)
	for i, layer := range manifest.Layers {
		group.Go(func() error { return inflate(dir, layer.Digest, config.RootFS.DiffIDs[i]) })
	}
	return group.Wait()
}

func inflate(dir string, digest, diffID v1.Hash) error {
	f, err := os.Open(filepath.Join(dir, "blobs", digest.Algorithm, digest.Hex))
	if err != nil {
		return err
	}
	defer f.Close()
	stored, uncompressed := sha256.New(), sha256.New()
	blob := bufio.NewReaderSize(io.TeeReader(f, stored), 256<<10)
	z, err := gzip.NewReader(blob)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(uncompressed, z, make([]byte, 256<<10)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, blob); err != nil {
		return err
	}
	if got := hex.EncodeToString(stored.Sum(nil)); got != digest.Hex {
		return fmt.Errorf("the blob's digest is %s, want %s", got, digest.Hex)
	}
	if got := hex.EncodeToString(uncompressed.Sum(nil)); got != diffID.Hex {
		return fmt.Errorf("the diff-id is %s, want %s", got, diffID.Hex)
	}
	return nil
}
