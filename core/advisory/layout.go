package advisory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

const (
	layoutFile        = "oci-layout"
	layoutContent     = `{"imageLayoutVersion":"1.0.0"}`
	indexFile         = "index.json"
	manifestMediaType = "application/vnd.oci.image.manifest.v1+json"
	imageIndexType    = "application/vnd.oci.image.index.v1+json"
	createdAnnotation = "org.opencontainers.image.created"
	// previousAnnotation names, in index.json, the manifest that was replaced, whose blobs are kept for those who still
	// read it.
	previousAnnotation = "dev.cleanbill.previous"
	// maxManifest bounds index.json, manifests and index blobs, in bytes.
	maxManifest = 64 << 20
)

// descriptor points to a blob.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       core.Digest       `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// manifest is an OCI image manifest; imageIndex is the index.json of a layout.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type imageIndex struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// describe returns the descriptor of a blob.
func describe(mediaType string, blob []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: verify.DigestOf(blob), Size: int64(len(blob))}
}

// blobs is where a set's blobs come from.
type blobs interface {
	// get returns a blob whose size and digest are as described, of at most that many bytes.
	get(ctx context.Context, d descriptor, most int64) ([]byte, error)
}

// check refuses a descriptor that cannot be verified or is larger than such a blob may be.
func (d descriptor) check(most int64) error {
	if _, err := core.ParseDigest(string(d.Digest)); err != nil || !strings.HasPrefix(string(d.Digest), "sha256:") {
		return fmt.Errorf("%.80q is not a sha256 digest", d.Digest)
	}
	if d.Size < 0 || d.Size > most {
		return fmt.Errorf("advisory blob %s claims %d bytes; such a blob has at most %d", d.Digest.Short(), d.Size, most)
	}
	return nil
}

// readBlob reads what is described and verifies it.
func readBlob(r io.Reader, d descriptor) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(d.Size) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(r, d.Size+1)); err != nil {
		return nil, fmt.Errorf("read advisory blob %s: %w", d.Digest.Short(), err)
	}
	return b.Bytes(), verifyBlob(b.Bytes(), d)
}

func verifyBlob(raw []byte, d descriptor) error {
	if err := verify.Bytes(raw, d.Size, d.Digest); err != nil {
		return fmt.Errorf("advisory blob %s is damaged: %w", d.Digest.Short(), err)
	}
	return nil
}

// layout is an OCI image layout in a file system.
type layout struct{ fsys fs.FS }

func blobPath(d core.Digest) string {
	return path.Join("blobs", "sha256", strings.TrimPrefix(string(d), "sha256:"))
}

func (l layout) get(_ context.Context, d descriptor, most int64) ([]byte, error) {
	if err := d.check(most); err != nil {
		return nil, err
	}
	f, err := l.fsys.Open(blobPath(d.Digest))
	if err != nil {
		return nil, fmt.Errorf("advisory blob %s: %w", d.Digest.Short(), err)
	}
	defer f.Close()
	return readBlob(f, d)
}

// entries are the manifests that index.json names.
func (l layout) entries() ([]descriptor, error) {
	f, err := l.fsys.Open(indexFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", indexFile, err)
	}
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("%s has more than %d bytes", indexFile, maxManifest)
	}
	var ix imageIndex
	if err := json.Unmarshal(raw, &ix); err != nil {
		return nil, fmt.Errorf("read %s: %w", indexFile, err)
	}
	return ix.Manifests, nil
}

// head returns the descriptor of the one set in the layout.
func (l layout) head() (descriptor, error) {
	all, err := l.entries()
	if err != nil {
		return descriptor{}, err
	}
	var sets []descriptor
	for _, d := range all {
		if d.ArtifactType == ArtifactType {
			sets = append(sets, d)
		}
	}
	if len(sets) != 1 {
		return descriptor{}, fmt.Errorf("%s names %d sets of advisories (artifact type %s), want 1", indexFile, len(sets),
			ArtifactType)
	}
	return sets[0], nil
}

// writer puts a set into a layout: blobs first, the switch to them last.
type writer struct {
	dir     string // of the layout
	existed bool   // before

	mu      sync.Mutex // guards written and size
	written []string
	size    int64
}

// newWriter makes dir a layout, if it is not one. It refuses a directory that holds anything else.
func newWriter(dir string) (*writer, error) {
	_, statErr := os.Stat(dir)
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(names) > 0 {
		if _, err := os.Stat(filepath.Join(dir, layoutFile)); err != nil {
			return nil, errors.New("the directory is not empty and is not an OCI layout")
		}
		if _, err := (layout{os.DirFS(dir)}).head(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the directory is an OCI layout of something else: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	return &writer{dir: dir, existed: statErr == nil}, nil
}

// has reports whether a blob is there, and whole.
func (w *writer) has(ctx context.Context, d descriptor) (bool, error) {
	_, err := (layout{os.DirFS(w.dir)}).get(ctx, d, d.Size)
	return err == nil, nil
}

// blob writes a blob whole or not at all, and returns its descriptor. It may be called by several goroutines.
func (w *writer) blob(mediaType string, blob []byte) (descriptor, error) {
	d := describe(mediaType, blob)
	name := filepath.Join(w.dir, filepath.FromSlash(blobPath(d.Digest)))
	if have, _ := w.has(context.Background(), d); have {
		return d, nil
	}
	if err := replaceFile(name, blob); err != nil {
		return descriptor{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = append(w.written, name)
	w.size += d.Size
	return d, nil
}

func (w *writer) new() int64 { return w.size }

// replaceFile writes a file beside its place and renames it, so that nobody ever sees half of it, whoever else writes
// the same.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// undo removes what was written, after a failure. Blobs that were there before stay, and so does the set in use.
func (w *writer) undo() {
	if !w.existed {
		os.RemoveAll(w.dir)
		return
	}
	for _, name := range w.written {
		os.Remove(name)
	}
}

// finish writes the manifest and switches the layout to it and its signatures, then removes the blobs that neither the
// new set nor the one before it needs. A set that is there already keeps the signatures that it has.
func (w *writer) finish(raw []byte, signatures []attached) (descriptor, error) {
	d, err := w.blob(manifestMediaType, raw)
	if err != nil {
		return descriptor{}, err
	}
	d.ArtifactType = ArtifactType
	l := layout{os.DirFS(w.dir)}
	previous, err := l.head()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return descriptor{}, err
	case previous.Digest == d.Digest:
		d.Annotations = previous.Annotations
		before, err := l.attached(context.Background(), d)
		if err != nil {
			return descriptor{}, err
		}
		signatures = append(signatures, before...)
	default:
		d.Annotations = map[string]string{previousAnnotation: string(previous.Digest)}
	}
	ix := imageIndex{SchemaVersion: 2, MediaType: imageIndexType, Manifests: []descriptor{d}}
	for _, a := range signatures {
		if a.Tag != "" {
			a.Descriptor.Annotations = map[string]string{refNameAnnotation: a.Tag}
		}
		if !slices.ContainsFunc(ix.Manifests, func(k descriptor) bool { return k.Digest == a.Descriptor.Digest }) {
			ix.Manifests = append(ix.Manifests, a.Descriptor)
		}
	}
	content, err := json.Marshal(ix)
	if err != nil {
		return descriptor{}, err
	}
	if err := replaceFile(filepath.Join(w.dir, layoutFile), []byte(layoutContent)); err != nil {
		return descriptor{}, err
	}
	if err := replaceFile(filepath.Join(w.dir, indexFile), content); err != nil {
		return descriptor{}, err
	}
	w.sweep(ix.Manifests)
	return d, nil
}

// sweep removes blobs that nothing needs. It is only housekeeping: what fails stays for the next time.
func (w *writer) sweep(manifests []descriptor) {
	keep := map[core.Digest]bool{}
	for _, d := range manifests {
		w.keep(keep, d.Digest)
		if previous := core.Digest(d.Annotations[previousAnnotation]); previous != "" {
			w.keep(keep, previous)
		}
	}
	dir := filepath.Join(w.dir, "blobs", "sha256")
	names, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, n := range names {
		// A name with a dot is one that somebody else is writing, or died over.
		if !strings.HasPrefix(n.Name(), ".") && !keep[core.Digest("sha256:"+n.Name())] {
			os.Remove(filepath.Join(dir, n.Name()))
		}
	}
}

// keep marks a manifest and what it names.
func (w *writer) keep(set map[core.Digest]bool, d core.Digest) {
	set[d] = true
	raw, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(blobPath(d))))
	var m manifestBlobs
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return
	}
	set[m.Config.Digest] = true
	for _, l := range m.Layers {
		set[l.Digest] = true
	}
}
