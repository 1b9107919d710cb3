package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxManifests is how many manifests one target may have, indexes included. The largest published indexes have about
// thirty; each costs a request.
const maxManifests = 1024

// parallelManifests is how many platforms are opened at a time.
const parallelManifests = 4

// tool is the name under which this room signs its examinations.
const tool = "target"

// store is where an image's parts come from.
type store interface {
	// manifest returns the whole manifest that d names, unverified and at most d.Size+1 bytes.
	manifest(ctx context.Context, d descriptor) ([]byte, error)
	// blob returns the bytes that d names, unverified.
	blob(ctx context.Context, d descriptor) (io.ReadCloser, error)
}

// root is the manifest that a user's reference led to.
type root struct {
	name        string // for people, without credentials
	raw         []byte
	digest      core.Digest
	contentType string // as announced; may be empty
}

// assembler makes a Target of a root manifest.
type assembler struct {
	store   store
	root    root
	options Options
	seen    map[core.Digest]bool // manifests named so far, so that each is opened once
	kept    atomic.Int64         // bytes of manifests and configurations in memory
}

// assemble reads the manifests and configurations below root: all that must be known before the layers are read.
func assemble(ctx context.Context, s store, r root, o Options) (*Target, error) {
	m, err := parseManifest(r.raw, r.contentType, o.Limits)
	if err != nil {
		return nil, err
	}
	a := &assembler{store: s, root: r, options: o, seen: map[core.Digest]bool{r.digest: true}}
	var t *Target
	if m.isIndex() {
		t, err = a.index(ctx, m)
	} else {
		t, err = a.single(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	t.content = Content{s, r, m.MediaType}
	return t, nil
}

func (a *assembler) single(ctx context.Context, m *manifest) (*Target, error) {
	img, err := a.image(ctx, m, a.root.raw, a.root.digest, nil)
	if err != nil {
		return nil, err
	}
	if !wanted(*img.Subject.Platform, a.options.Platforms) {
		return nil, advice.Misuse("leave out --platform, or name an image that has it",
			"it has no %s: it is an image for %s only", listPlatforms(a.options.Platforms), img.Subject.Platform)
	}
	return &Target{Subject: img.Subject, Images: []Image{img}, Examinations: []core.Examination{opened(img.Subject.Digest)}}, nil
}

// entry is one platform of an index, as far as it could be opened.
type entry struct {
	descriptor
	platform core.Platform // zero if the index does not say and the configuration was not read
	image    Image
	excluded bool
	// attestation is true for what turned out to describe another entry instead of being a platform.
	attestation bool
	err         error
}

func (e *entry) String() string {
	if e.platform == (core.Platform{}) {
		return e.Digest.Short()
	}
	return fmt.Sprintf("%s (%s)", e.platform, e.Digest.Short())
}

func (a *assembler) index(ctx context.Context, m *manifest) (*Target, error) {
	entries, err := a.entries(ctx, m, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("its image index is empty: it names no platform's image")
	}
	if err := a.open(ctx, entries); err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e *entry) bool { return e.attestation })
	if len(entries) == 0 {
		return nil, errors.New("its image index names attestations only and no platform's image")
	}
	if err := a.checkWanted(entries); err != nil {
		return nil, err
	}
	t := &Target{
		Subject: core.Subject{Name: a.root.name, Kind: core.KindIndex, Digest: a.root.digest, MediaType: m.MediaType},
		Index:   a.root.raw,
	}
	for _, e := range entries {
		if e.err == nil && !e.excluded {
			t.Images = append(t.Images, e.image)
		}
	}
	if len(t.Images) == 0 {
		return nil, noneOpened(entries)
	}
	t.Examinations = a.examinations(entries)
	return t, nil
}

// entries lists the platforms below an index, depth first and in order. What is no platform is left out; what cannot be
// read stays as an entry with an error.
func (a *assembler) entries(ctx context.Context, m *manifest, depth int64) ([]*entry, error) {
	var entries []*entry
	for _, d := range m.Manifests {
		switch {
		case a.seen[d.Digest]:
			a.options.Log.Debug("manifest is named twice in the index", "digest", d.Digest)
			continue
		case len(a.seen) >= maxManifests:
			return nil, fmt.Errorf("its index names more than %d manifests", maxManifests)
		}
		a.seen[d.Digest] = true
		switch {
		case isAttestation(d, m.Manifests):
			a.skipAttestation(d)
		case isIndexType(d.MediaType):
			nested, err := a.nested(ctx, d, depth)
			if err != nil {
				return nil, err
			}
			entries = append(entries, nested...)
		default:
			e := &entry{descriptor: d}
			if d.Platform != nil {
				e.platform = d.Platform.core()
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func (a *assembler) nested(ctx context.Context, d descriptor, depth int64) ([]*entry, error) {
	if depth >= a.options.Limits.Nesting {
		return nil, fmt.Errorf("its index nests more than %d indexes (raise it with --limit nesting=N if this is expected)", a.options.Limits.Nesting)
	}
	m, _, err := a.child(ctx, d)
	if err == nil && !m.isIndex() {
		err = fmt.Errorf("it was announced as an index but is %q", m.MediaType)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return []*entry{{descriptor: d, err: fmt.Errorf("nested index: %w", err)}}, nil
	}
	return a.entries(ctx, m, depth+1)
}

func (a *assembler) skipAttestation(d descriptor) {
	a.options.Log.Debug("not a platform: attestation manifest", "digest", d.Digest,
		"type", redact.Limited(d.Annotations[annotationReferenceType], 80))
}

// isAttestation reports whether an entry of an index, of which all are given, describes another entry instead of being a
// platform. BuildKit marks those by a platform that nothing runs on and by annotations. Each alone hides an image:
// runtimes select by platform whatever the annotations, and people pull an entry of an unknown platform by its digest.
//
// https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md
func isAttestation(d descriptor, all []descriptor) bool {
	return d.ofUnknownPlatform() && !isIndexType(d.MediaType) &&
		d.Annotations[annotationReferenceType] == "attestation-manifest" &&
		slices.ContainsFunc(all, func(other descriptor) bool {
			return other.Digest != d.Digest && string(other.Digest) == d.Annotations[annotationReferenceDigest]
		})
}

func (d descriptor) ofUnknownPlatform() bool {
	return d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// holdsStatements reports whether all that a manifest has are in-toto statements: an attestation that lost its
// annotations on the way.
func (m *manifest) holdsStatements() bool {
	return len(m.Layers) > 0 && !slices.ContainsFunc(m.Layers, func(l descriptor) bool { return l.MediaType != inTotoStatement })
}

// open opens the platforms that are wanted. It fails only if the run was interrupted.
func (a *assembler) open(ctx context.Context, entries []*entry) error {
	var g errgroup.Group
	g.SetLimit(parallelManifests)
	for _, e := range entries {
		if e.err != nil {
			continue
		}
		if e.platform != (core.Platform{}) && !wanted(e.platform, a.options.Platforms) {
			e.excluded = true
			continue
		}
		g.Go(func() error {
			e.err = a.openEntry(ctx, e)
			return ctx.Err()
		})
	}
	return g.Wait()
}

func (a *assembler) openEntry(ctx context.Context, e *entry) error {
	m, raw, err := a.child(ctx, e.descriptor)
	if m != nil && e.ofUnknownPlatform() && m.holdsStatements() {
		e.attestation = true
		a.skipAttestation(e.descriptor)
		return nil
	}
	if err != nil {
		return err
	}
	if m.isIndex() {
		return errors.New("it was announced as an image but is an index")
	}
	e.image, err = a.image(ctx, m, raw, e.Digest, e.Platform)
	if err != nil {
		return err
	}
	e.image.Subject.Parent = a.root.digest
	e.platform = *e.image.Subject.Platform
	e.excluded = !wanted(e.platform, a.options.Platforms)
	return nil
}

// child reads and verifies a manifest that an index names.
func (a *assembler) child(ctx context.Context, d descriptor) (*manifest, []byte, error) {
	if err := a.keep(d.Size); err != nil {
		return nil, nil, err
	}
	raw, err := a.store.manifest(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	if err := verify.Bytes(raw, d.Size, d.Digest); err != nil {
		return nil, nil, fmt.Errorf("manifest: %w", err)
	}
	m, err := parseManifest(raw, d.MediaType, a.options.Limits)
	return m, raw, err
}

// image reads and verifies the configuration of one platform. The platform is what the index says, which is what runtimes
// go by, and what the configuration says where there is no index.
func (a *assembler) image(ctx context.Context, m *manifest, raw []byte, digest core.Digest, announced *platform) (Image, error) {
	config, err := a.config(ctx, *m.Config)
	if err != nil {
		return Image{}, fmt.Errorf("configuration %s: %w", m.Config.Digest.Short(), err)
	}
	var configured platform
	if err := decodeJSON(config, &configured); err != nil {
		return Image{}, fmt.Errorf("configuration %s: %w", m.Config.Digest.Short(), err)
	}
	p := configured.core()
	p.OS, p.Architecture = cmp.Or(p.OS, "unknown"), cmp.Or(p.Architecture, "unknown")
	if announced != nil {
		p = announced.core()
		if !matchesPlatform(core.Platform{OS: p.OS, Architecture: p.Architecture}, configured.core()) {
			a.options.Log.Warn("index and configuration name different platforms", "manifest", digest,
				"index", p.String(), "configuration", configured.core().String())
		}
	}
	img := Image{
		Subject:     core.Subject{Name: a.root.name, Kind: core.KindImage, Digest: digest, MediaType: m.MediaType, Platform: &p},
		Manifest:    raw,
		Config:      config,
		Annotations: m.Annotations,
	}
	for i, d := range m.Layers {
		img.Layers = append(img.Layers, a.layer(d, i+1, len(m.Layers)))
	}
	return img, nil
}

// keep counts what is about to be kept in memory.
func (a *assembler) keep(size int64) error {
	if a.kept.Add(size) > a.options.Limits.KeptSize {
		return &limit.Exceeded{Limit: "kept-size", Max: a.options.Limits.KeptSize, Unit: "bytes", What: "the sum of its manifests and configurations"}
	}
	return nil
}

func (a *assembler) config(ctx context.Context, d descriptor) ([]byte, error) {
	if err := a.keep(d.Size); err != nil {
		return nil, err
	}
	r, err := a.store.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(verify.Reader(r, d.Size, d.Digest)) // at most d.Size, which was checked against the limit
}

func (a *assembler) layer(d descriptor, n, of int) Layer {
	doing := fmt.Sprintf("read layer %d of %d (%s) of %s", n, of, d.Digest.Short(), a.root.name)
	return Layer{
		Digest: d.Digest, Size: d.Size, MediaType: d.MediaType,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			r, err := a.store.blob(ctx, d)
			if err != nil {
				if isForeignLayerType(d.MediaType) {
					err = advice.Unavailable("push the image with its non-distributable layers, so that they can be examined",
						"it is a foreign layer (%s) that is not stored with the image, and the address that the manifest gives for it is not followed: %w",
						d.MediaType, err)
				}
				return nil, advice.Failure(ctx, doing, err)
			}
			return &explained{r, ctx, doing}, nil
		},
	}
}

// explained says of every read error what was being read.
type explained struct {
	io.ReadCloser
	ctx   context.Context //nolint:containedctx // the reader lives as long as the context it was opened with
	doing string
}

func (e *explained) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = advice.Failure(e.ctx, e.doing, err)
	}
	return n, err
}

// checkWanted refuses a platform that the index does not have.
func (a *assembler) checkWanted(entries []*entry) error {
	var have []core.Platform
	for _, e := range entries {
		if e.platform == (core.Platform{}) { // could not be read: it may be the one
			return nil
		}
		have = append(have, e.platform)
	}
	if missing := absent(a.options.Platforms, have); len(missing) > 0 {
		return advice.Misuse("", "it has no %s; it has %s", listPlatforms(missing), listPlatforms(have))
	}
	return nil
}

// noneOpened is the error for an index of which nothing could be opened.
func noneOpened(entries []*entry) error {
	var all []string
	var first error
	for _, e := range entries {
		if e.err != nil {
			all = append(all, fmt.Sprintf("%s: %v", e, e.err))
			first = cmp.Or(first, e.err)
		}
	}
	return &advice.Error{Err: fmt.Errorf("no platform of its index could be opened: %s", strings.Join(all, "; ")), Hint: advice.HintOf(first)}
}

// examinations records what became of every entry: those of the index say what is missing of it, and one says that an
// opened image was opened.
func (a *assembler) examinations(entries []*entry) []core.Examination {
	var all []core.Examination
	for _, e := range entries {
		switch {
		case e.err != nil:
			all = append(all, core.Examination{
				Name: core.ExamineTarget, Subject: a.root.digest, Tool: tool, Input: e.Digest, Status: core.Failed,
				Why: []string{fmt.Sprintf("%s could not be opened: %v", e, e.err)}, Remedy: remedy(e.err),
			})
		case e.excluded:
			all = append(all, core.Examination{
				Name: core.ExamineTarget, Subject: a.root.digest, Tool: tool, Input: e.Digest, Status: core.Skipped,
				Why:    []string{fmt.Sprintf("%s was left out on request (only %s was asked for)", e, listPlatforms(a.options.Platforms))},
				Remedy: "leave out --platform to judge every platform",
			})
		}
	}
	if len(all) == 0 {
		all = append(all, opened(a.root.digest))
	}
	for _, e := range entries {
		if e.err == nil && !e.excluded {
			all = append(all, opened(e.Digest))
		}
	}
	return slices.Clip(all)
}

func remedy(err error) string {
	if hint := advice.HintOf(err); hint != "" {
		return hint
	}
	return "repair that platform of the image, or name the platforms to judge with --platform"
}

func opened(d core.Digest) core.Examination {
	return core.Examination{Name: core.ExamineTarget, Subject: d, Tool: tool, Status: core.Complete}
}
