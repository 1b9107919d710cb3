package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// epoch is the time of everything in the image: a build time would make each build another image.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

// nobody is the user of the image. It needs no entry in a file of users, and any other will do as well.
const nobody = "65532:65532"

// writeImage writes the OCI layout with an image of the program for each Linux platform, and returns the digest of its index.
func writeImage(ctx context.Context, p plan, programs map[target]string) (v1.Hash, error) {
	roots, err := rootCertificates()
	if err != nil {
		return v1.Hash{}, err
	}
	certificates, err := layerOf(entry{"etc/ssl/certs/ca-certificates.crt", 0o644, roots})
	if err != nil {
		return v1.Hash{}, err
	}
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, t := range p.targets {
		if t.os != "linux" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return v1.Hash{}, err
		}
		img, err := imageOf(p, t, programs[t], certificates)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("%s/%s: %w", t.os, t.arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: t.os, Architecture: t.arch}}})
	}
	dir := filepath.Join(p.out, "image")
	if err := os.RemoveAll(dir); err != nil {
		return v1.Hash{}, err
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	if err := to.AppendIndex(index); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

func imageOf(p plan, t target, program string, certificates v1.Layer) (v1.Image, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	layer, err := layerOf(entry{"usr/bin/cleanbill", 0o755, content})
	if err != nil {
		return nil, err
	}
	img, err := baseFor(p, t)
	if err != nil {
		return nil, err
	}
	made := v1.Time{Time: epoch()}
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: certificates, History: v1.History{Created: made, CreatedBy: "root certificates"}},
		mutate.Addendum{Layer: layer, History: v1.History{Created: made, CreatedBy: "cleanbill " + p.version}})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created, config.Author = t.os, t.arch, made, ""
	config.Config.User, config.Config.WorkingDir = nobody, "/"
	config.Config.Entrypoint, config.Config.Cmd = []string{"/usr/bin/cleanbill"}, nil
	config.Config.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}
	config.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "cleanbill",
		"org.opencontainers.image.version":  p.version,
		"org.opencontainers.image.revision": p.commit,
		"org.opencontainers.image.source":   "https://github.com/cleanbill-ci/cleanbill",
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	return mutate.ConfigFile(img, config)
}

// baseFor returns what the program's layers come after: nothing, or the platform's image of the base.
func baseFor(p plan, t target) (v1.Image, error) {
	if p.base == "" {
		return mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), nil
	}
	index, err := layout.ImageIndexFromPath(p.base)
	if err != nil {
		return nil, fmt.Errorf("read the base: %w", err)
	}
	return findPlatform(index, t, 3)
}

func findPlatform(index v1.ImageIndex, t target, depth int) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read the base: %w", err)
	}
	for _, d := range manifest.Manifests {
		switch {
		case d.MediaType.IsIndex() && depth > 0:
			nested, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, fmt.Errorf("read the base: %w", err)
			}
			if img, err := findPlatform(nested, t, depth-1); err == nil {
				return img, nil
			}
		case d.MediaType.IsImage():
			img, err := index.Image(d.Digest)
			if err != nil {
				return nil, fmt.Errorf("read the base: %w", err)
			}
			if config, err := img.ConfigFile(); err == nil && config.OS == t.os && config.Architecture == t.arch {
				return img, nil
			}
		}
	}
	return nil, errors.New("the base has no image for it")
}

// rootCertificates are Mozilla's, as the version of the module in go.sum has them: those of this machine are its own.
func rootCertificates() ([]byte, error) {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // a file has no place for what its trust is limited by
		}
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	if b.Len() == 0 {
		return nil, errors.New("there are no root certificates")
	}
	return b.Bytes(), nil
}

type entry struct {
	path    string
	mode    int64
	content []byte
}

// layerOf makes a layer of one file and its directories.
func layerOf(e entry) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	header := func(name string, kind byte, mode, size int64) error {
		return w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, ModTime: epoch(), Format: tar.FormatUSTAR})
	}
	for i, c := range e.path {
		if c == '/' {
			if err := header(e.path[:i+1], tar.TypeDir, 0o755, 0); err != nil {
				return nil, err
			}
		}
	}
	if err := header(e.path, tar.TypeReg, e.mode, int64(len(e.content))); err != nil {
		return nil, err
	}
	if _, err := w.Write(e.content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompression(compression.GZip))
}
