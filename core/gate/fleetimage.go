package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/attest"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
)

// maxFleetPlatforms bounds the images of one index.
const maxFleetPlatforms = 100

// released is an image and what was attested to it.
type released struct {
	FleetImage
	// evidence has one subject, the image, with the packages of all its bills of materials.
	evidence core.Evidence
	// then is what was known of it when it was released; nil if nobody attested that.
	then *knownThen
	// shelf is what lies beside it, and heard what was read of that.
	shelf *attest.Shelf
	heard []heard
}

// heard is something that was said of a digest, and whether it counts: verified is what a trusted signer said, and err
// why it was none.
type heard struct {
	attest.Said
	verified signature.Verified
	err      error
}

// hear verifies what was said of a digest, once.
func (f *fleet) hear(ctx context.Context, said []attest.Said, about core.Digest) []heard {
	out := make([]heard, len(said))
	for i, s := range said {
		out[i].Said = s
		out[i].verified, out[i].err = s.Verify(ctx, f.trust, about)
	}
	return out
}

// isSBOM reports whether a predicate type is that of a bill of materials, of whatever version.
func isSBOM(predicateType string) bool {
	return ofType(predicateType, attest.TypeCycloneDX) || ofType(predicateType, attest.TypeSPDX)
}

// ofType reports whether a predicate type is that one, or a version of it: https://spdx.dev/Document/v2.3.
func ofType(predicateType, base string) bool {
	rest, ok := strings.CutPrefix(predicateType, base)
	return ok && (rest == "" || rest[0] == '/')
}

// manifestOf is what is read of an image's or index's manifest.
type manifestOf struct {
	MediaType   string            `json:"mediaType"`
	Annotations map[string]string `json:"annotations"`
	Config      struct {
		MediaType string      `json:"mediaType"`
		Digest    core.Digest `json:"digest"`
		Size      int64       `json:"size"`
	} `json:"config"`
	Manifests []fleetChild `json:"manifests"`
	indexed   bool
}

type fleetChild struct {
	MediaType   string            `json:"mediaType"`
	Digest      core.Digest       `json:"digest"`
	Platform    *core.Platform    `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

// isAbout reports whether an entry of an index describes another entry instead of being a platform, as BuildKit marks
// those.
//
// https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md
func (c fleetChild) isAbout(all []fleetChild) bool {
	return c.Platform != nil && c.Platform.OS == "unknown" && c.Platform.Architecture == "unknown" &&
		c.Annotations["vnd.docker.reference.type"] == "attestation-manifest" &&
		slices.ContainsFunc(all, func(other fleetChild) bool {
			return other.Digest != c.Digest && string(other.Digest) == c.Annotations["vnd.docker.reference.digest"]
		})
}

// image reads what lies beside an image, or beside every platform of an index, and lets it be visited. The error is the
// visitor's.
func (f *fleet) image(ctx context.Context, s *shelves, n *named) error {
	about := FleetImage{Repository: s.name, Digest: n.digest, Tags: slices.Clone(n.tags), SBOMs: []FleetSBOM{}}
	if about.Tags == nil {
		about.Tags = []string{}
	}
	m, err := f.manifest(ctx, s, n.digest, n.raw)
	n.raw = nil
	if err != nil {
		f.gap(about.Name(), err)
		return nil
	}
	if !m.indexed {
		return f.platform(ctx, s, about, m, nil)
	}
	index := &indexOf{fleet: f, of: s, digest: n.digest, manifest: m}
	seen := map[core.Digest]bool{}
	for _, c := range m.Manifests {
		if c.isAbout(m.Manifests) || seen[c.Digest] {
			continue
		}
		if seen[c.Digest] = true; len(seen) > maxFleetPlatforms {
			f.gap(about.Name(), fmt.Errorf("its index has more than %d images", maxFleetPlatforms))
			break
		}
		one := about
		one.Digest, one.Index, one.Platform = c.Digest, n.digest, c.Platform
		if one.Platform == nil {
			one.Platform = &core.Platform{OS: "unknown", Architecture: "unknown"}
		}
		if strings.Contains(c.MediaType, ".image.index.") || strings.Contains(c.MediaType, ".manifest.list.") {
			f.gap(about.Name(), errors.New("its index has another index in it, whose images are not looked at"))
			continue
		}
		if _, err := core.ParseDigest(string(c.Digest)); err != nil {
			f.gap(about.Name(), fmt.Errorf("its index has an entry without a digest: %w", err))
			continue
		}
		if err := f.platform(ctx, s, one, nil, index); err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		f.gap(about.Name(), errors.New("its index has no image"))
	}
	return nil
}

// manifest reads a manifest, unless it is at hand.
func (f *fleet) manifest(ctx context.Context, s *shelves, d core.Digest, raw []byte) (*manifestOf, error) {
	if raw == nil {
		var read registry.Manifest
		err := f.ask(ctx, s, func() (err error) {
			read, err = s.repository.Resolve(ctx, string(d))
			return err
		})
		if err != nil {
			return nil, err
		}
		raw = read.Raw
	}
	var m manifestOf
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("its manifest is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	m.indexed = m.Manifests != nil && m.Config.Digest == ""
	return &m, nil
}

// indexOf is an index, and what is said of it as a whole as far as that was asked for.
type indexOf struct {
	fleet    *fleet
	of       *shelves
	digest   core.Digest
	manifest *manifestOf
	shelf    *attest.Shelf
	err      error
	then     []heard // what was known of its images
}

// beside lists what lies beside the index, once.
func (x *indexOf) beside(ctx context.Context) (*attest.Shelf, error) {
	if x.shelf == nil && x.err == nil {
		x.shelf, x.err = x.fleet.beside(ctx, x.of, x.digest)
	}
	return x.shelf, x.err
}

func (f *fleet) beside(ctx context.Context, s *shelves, d core.Digest) (shelf *attest.Shelf, err error) {
	err = f.ask(ctx, s, func() (err error) {
		shelf, err = attest.Beside(ctx, s.repository, d)
		return err
	})
	return shelf, err
}

// from reads what may be wanted from the shelf of a digest.
func (f *fleet) from(ctx context.Context, s *shelves, shelf *attest.Shelf, about core.Digest,
	wanted func(predicateType string) bool) ([]heard, error) {
	var said []attest.Said
	err := f.ask(ctx, s, func() (err error) {
		said, err = shelf.Read(ctx, wanted)
		return err
	})
	for _, one := range said {
		if lost := one.Unreadable(); err == nil && lost != nil {
			err = fmt.Errorf("%s: %w", one.Digest.Short(), lost) // it may list what nothing else does
		}
	}
	return f.hear(ctx, said, about), err
}

// platform reads what lies beside one image. m is nil if its manifest was not read, and index is set for one of an
// index.
func (f *fleet) platform(ctx context.Context, s *shelves, about FleetImage, m *manifestOf, index *indexOf) error {
	shelf, err := f.beside(ctx, s, about.Digest)
	var said []heard
	if err == nil {
		said, err = f.from(ctx, s, shelf, about.Digest, f.wanted)
	}
	if err != nil {
		f.gap(about.Name(), fmt.Errorf("what is attested to it could not be read: %w", err))
		return nil
	}
	r := &released{FleetImage: about, shelf: shelf, heard: said}
	refused := f.bills(ctx, s, r)
	if len(r.SBOMs) == 0 {
		f.gap(about.Name(), f.noSBOM(ctx, refused, index))
		return nil
	}
	for _, err := range refused.unreadable {
		f.gap(about.Name(), err) // others are whole, and this one may list more
	}
	if r.Owner, err = f.owner(ctx, s, about.Digest, m, index); err != nil {
		f.gap(about.Name(), fmt.Errorf("whose it is could not be read: %w", err))
	}
	if !f.wanted(predicateVulns) {
		return f.visit(ctx, r)
	}
	if r.then, err = f.knownThen(ctx, s, r, index); err != nil {
		f.gap(about.Name(), fmt.Errorf("what was known of it when it was released could not be read: %w", err))
	}
	return f.visit(ctx, r)
}

// refusals are why attestations beside an image do not count.
type refusals struct {
	unverified []error // no trusted signer made them
	unreadable []error // one did, or nobody has to, and they cannot be read
}

// bills reads the bills of materials that count: all that trusted signers made or, if there is none and the plan allows
// it, all there are. Reading one of several only would let the poorest hide what the others list.
func (f *fleet) bills(ctx context.Context, s *shelves, r *released) refusals {
	var out refusals
	read := func(h heard, v signature.Verified) {
		if err := f.bill(ctx, s, r, h.Said, v); err != nil {
			out.unreadable = append(out.unreadable, err)
		}
	}
	r.evidence = core.Evidence{Subjects: []core.Subject{{Name: subjectName(&r.FleetImage), Kind: core.KindImage,
		Digest: r.Digest, Platform: r.Platform, Parent: r.Index}}}
	for _, h := range r.heard {
		switch {
		case h.err != nil && f.trust.Empty(): // nobody asked for a signature
		case h.err != nil:
			out.unverified = append(out.unverified, h.err)
		case isSBOM(h.verified.PredicateType), h.verified.PredicateType == attest.TypeReference:
			read(h, h.verified)
		}
	}
	if len(r.SBOMs) == 0 && len(out.unreadable) == 0 && f.plan.AllowUnsigned {
		for _, h := range r.heard {
			v, err := h.Claims(r.Digest)
			switch {
			case err != nil:
				out.unverified = append(out.unverified, err)
			case isSBOM(v.PredicateType), v.PredicateType == attest.TypeReference:
				read(h, v)
			}
		}
	}
	slices.SortFunc(r.SBOMs, func(a, b FleetSBOM) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Digest, b.Digest))
	})
	return out
}

// subjectName is the image without its platform, as its user named it: what policies and waivers go by.
func subjectName(i *FleetImage) string {
	one := *i
	one.Platform = nil
	return one.Name()
}

// bill adds the packages of one bill of materials to the evidence.
func (f *fleet) bill(ctx context.Context, s *shelves, r *released, said attest.Said, v signature.Verified) error {
	documents, kind := [][]byte{v.Predicate}, v.PredicateType
	if kind == attest.TypeReference {
		err := f.ask(ctx, s, func() (err error) {
			documents, err = attest.Referred(ctx, s.repository, v.Predicate, f.plan.Limits.MetadataSize,
				sbom.MediaTypeCycloneDX, sbom.MediaTypeSPDX)
			return err
		})
		if err != nil {
			return fmt.Errorf("an attested SBOM could not be read: %w", err)
		}
		if len(documents) == 0 {
			return nil // it names something else
		}
	}
	for _, raw := range documents {
		e, err := sbom.Read(ctx, r.Repository, raw, f.plan.Limits)
		if err != nil {
			return fmt.Errorf("an attested SBOM is not usable: %w", err)
		}
		if kind == attest.TypeReference {
			kind = attest.TypeCycloneDX
			if e.Subjects[0].MediaType == sbom.MediaTypeSPDX {
				kind = attest.TypeSPDX
			}
		}
		r.add(e)
	}
	r.SBOMs = append(r.SBOMs, FleetSBOM{Type: kind, Digest: said.Digest, Authenticated: v.Signer != "", Signer: v.Signer})
	return nil
}

// add adds what a bill of materials lists to the packages of the image, each once.
func (r *released) add(e core.Evidence) {
	type key struct{ purl, name, version, architecture string }
	seen := map[key]bool{}
	for _, p := range r.evidence.Packages {
		seen[key{p.Purl, p.Name, p.Version, p.Architecture}] = true
	}
	for _, p := range e.Packages {
		if k := (key{p.Purl, p.Name, p.Version, p.Architecture}); !seen[k] {
			seen[k] = true
			p.Subject = r.Digest
			r.evidence.Packages = append(r.evidence.Packages, p)
		}
	}
	for _, x := range e.Examinations {
		x.Subject, x.Input = r.Digest, e.Subjects[0].Digest
		r.evidence.Examinations = append(r.evidence.Examinations, x)
	}
}

// maxReasons is how many reasons a gap gives.
const maxReasons = 3

// noSBOM says why nothing is known of an image.
func (f *fleet) noSBOM(ctx context.Context, r refusals, index *indexOf) error {
	const remedy = "attest one to its digest, signed by somebody who is trusted here"
	var why []string
	for _, err := range slices.Concat(r.unreadable, r.unverified) {
		if len(why) < maxReasons && !slices.Contains(why, err.Error()) {
			why = append(why, redact.Limited(err.Error(), 200))
		}
	}
	text := "it has no attested SBOM"
	switch {
	case len(r.unreadable) > 0:
		text = "no attested SBOM of it can be read"
	case len(r.unverified) > 0:
		text = "it has no attested SBOM by a trusted signer"
	}
	if index != nil {
		if shelf, err := index.beside(ctx); err == nil && !shelf.Empty() {
			why = append(why, "what is attested to its index says nothing of the single platform")
		}
	}
	if len(why) > 0 {
		text += ": " + strings.Join(why, "; ")
	}
	return &core.Failure{Doing: "know its packages", Err: errors.New(text), Hint: remedy}
}

// The annotations and labels that say whose an image is, the first that is there.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys
func ownerKeys(first string) []string {
	keys := []string{"org.opencontainers.image.vendor", "org.opencontainers.image.authors",
		"org.opencontainers.image.source"}
	if first != "" {
		keys = append([]string{first}, keys...)
	}
	return keys
}

// owner says whose an image is, by the annotations of its manifest or index, or else the labels of its configuration.
func (f *fleet) owner(ctx context.Context, s *shelves, d core.Digest, m *manifestOf, index *indexOf) (string, error) {
	keys := ownerKeys(f.plan.OwnerLabel)
	if index != nil {
		if owner := first(keys, index.manifest.Annotations); owner != "" {
			return owner, nil
		}
	}
	if m == nil {
		var err error
		if m, err = f.manifest(ctx, s, d, nil); err != nil {
			return "", err
		}
	}
	if owner := first(keys, m.Annotations); owner != "" {
		return owner, nil
	}
	switch m.Config.MediaType {
	case "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json":
	default:
		return "", nil // an artifact, whose configuration has no labels
	}
	if m.Config.Size < 0 || m.Config.Size > f.plan.Limits.MetadataSize {
		return "", errors.New("its configuration is larger than what is read")
	}
	var raw []byte
	err := f.ask(ctx, s, func() error {
		body, err := s.repository.Blob(ctx, m.Config.Digest, m.Config.Size)
		if err != nil {
			return err
		}
		defer body.Close()
		raw, err = io.ReadAll(verify.Reader(body, m.Config.Size, m.Config.Digest))
		return err
	})
	if err != nil {
		return "", err
	}
	var config struct {
		Config struct {
			Labels map[string]string `json:"Labels"`
		} `json:"config"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return "", fmt.Errorf("its configuration is not JSON of the right form: %s", redact.Limited(err.Error(), 200))
	}
	return first(keys, config.Config.Labels), nil
}

func first(keys []string, of map[string]string) string {
	for _, k := range keys {
		if v := strings.TrimSpace(of[k]); v != "" {
			return redact.Limited(v, 200)
		}
	}
	return ""
}
