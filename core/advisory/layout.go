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
	"sync/atomic"
	"time"

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

// writer puts a set into a layout: blobs first, the switch to them last. Any number of processes write into one at once,
// without waiting for each other: the last to switch wins, and nobody removes what another has written or counts on.
type writer struct {
	dir  string // of the layout
	size atomic.Int64
}

// newWriter makes dir a layout, if it is not one. It refuses a directory that holds anything else.
func newWriter(dir string) (*writer, error) {
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// The mark that it is a layout comes first, under another name for a moment.
	names = slices.DeleteFunc(names, func(n fs.DirEntry) bool { return strings.HasPrefix(n.Name(), unfinished) })
	if len(names) > 0 {
		if _, err := os.Stat(filepath.Join(dir, layoutFile)); err != nil {
			return nil, errors.New("the directory is not empty and is not an OCI layout")
		}
		if _, err := (layout{os.DirFS(dir)}).head(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the directory is an OCI layout of something else: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if err := replaceFile(filepath.Join(dir, layoutFile), []byte(layoutContent)); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	return &writer{dir: dir}, nil
}

func (w *writer) path(d core.Digest) string {
	return filepath.Join(w.dir, filepath.FromSlash(blobPath(d)))
}

// has reports whether a blob is there, and whole. It marks the blob as used: see removeUnused.
func (w *writer) has(ctx context.Context, d descriptor) (bool, error) {
	if _, err := (layout{os.DirFS(w.dir)}).get(ctx, d, d.Size); err != nil {
		return false, nil
	}
	now := time.Now()
	return os.Chtimes(w.path(d.Digest), now, now) == nil, nil
}

// blob writes a blob whole or not at all, and returns its descriptor. It may be called by several goroutines.
func (w *writer) blob(mediaType string, blob []byte) (descriptor, error) {
	d := describe(mediaType, blob)
	if have, _ := w.has(context.Background(), d); have {
		return d, nil
	}
	if err := replaceFile(w.path(d.Digest), blob); err != nil {
		return descriptor{}, err
	}
	w.size.Add(d.Size)
	return d, nil
}

func (w *writer) new() int64 { return w.size.Load() }

// unfinished begins the name of a file that is being written.
const unfinished = ".new-"

// replaceFile writes a file beside its place and renames it, so that nobody ever sees half of it, whoever else writes
// the same.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), unfinished+"*")
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

// undo leaves what was written, after a failure. Nothing leads to it; the next attempt goes on with it, or the next sweep
// takes it. A layout without a blob becomes no directory again.
func (w *writer) undo() {
	blobs := filepath.Join(w.dir, "blobs")
	if os.Remove(filepath.Join(blobs, "sha256")) == nil && os.Remove(blobs) == nil {
		os.Remove(filepath.Join(w.dir, layoutFile))
		os.Remove(w.dir)
	}
}

// finish writes the manifest and switches the layout to it and its signatures, then removes old blobs that neither the new
// set nor the one before it needs. A set that is there already keeps the signatures that it has.
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
	if err := w.complete(ix.Manifests); err != nil {
		return descriptor{}, err
	}
	if err := replaceFile(filepath.Join(w.dir, indexFile), content); err != nil {
		return descriptor{}, err
	}
	w.sweep(ix.Manifests)
	return d, nil
}

// complete reports a blob that somebody has removed since it was written. What was written was verified then.
func (w *writer) complete(manifests []descriptor) error {
	needed := map[string]bool{}
	for _, d := range manifests {
		w.keep(needed, d.Digest)
	}
	for name := range needed {
		if _, err := os.Stat(filepath.Join(w.dir, "blobs", "sha256", name)); err != nil {
			return fmt.Errorf("a part of the set is gone again: %w", err)
		}
	}
	return nil
}

// sweep removes blobs that nothing needs and nobody used for a while. It is only housekeeping: what fails stays for the
// next time.
func (w *writer) sweep(manifests []descriptor) {
	needed := map[string]bool{}
	for _, d := range manifests {
		w.keep(needed, d.Digest)
		if previous := core.Digest(d.Annotations[previousAnnotation]); previous != "" {
			w.keep(needed, previous)
		}
	}
	removeUnused(filepath.Join(w.dir, "blobs", "sha256"), needed, time.Now())
}

// keep marks a manifest and what it names.
func (w *writer) keep(names map[string]bool, d core.Digest) {
	names[path.Base(blobPath(d))] = true
	raw, err := os.ReadFile(w.path(d))
	var m manifestBlobs
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return
	}
	for _, b := range append(m.Layers, m.Config) {
		names[path.Base(blobPath(b.Digest))] = true
	}
}
