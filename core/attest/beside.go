package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// What anybody who may write to a registry can put beside a digest is bounded: the number of attestations that are
// read, and the bytes of one and of all of them.
const (
	maxBeside      = 256
	maxOpened      = 1024 // manifests, of which many hold something else
	maxBesideSize  = 32 << 20
	maxBesideTotal = 256 << 20
)

// The annotations in which bundles and envelopes say what they are about. They are not signed, and only save reading
// what calls itself something else.
const (
	notePredicate      = "dev.sigstore.bundle.predicateType"
	noteOlderPredicate = "predicateType"
)

// Said is what was said beside a digest, by whomever: nothing of it counts before it is verified.
type Said struct {
	// Digest is that of the blob that holds it.
	Digest core.Digest

	bundle   []byte // nil for an envelope
	envelope signature.Envelope
	lost     error
}

// Unreadable says why it cannot be read, such as that the registry does not have what a manifest names; nil if it was.
// Nobody knows what it would say.
func (s Said) Unreadable() error { return s.lost }

// Verify returns what a trusted signer said of the digest, or why it does not count.
func (s Said) Verify(ctx context.Context, t signature.Trust, subject core.Digest) (signature.Verified, error) {
	if t.Empty() {
		return signature.Verified{}, errors.New("nobody is trusted")
	}
	if s.lost != nil {
		return signature.Verified{}, s.lost
	}
	if s.bundle != nil {
		return t.Bundle(s.bundle, subject)
	}
	return t.Envelope(ctx, s.envelope, subject)
}

// Claims returns what is said of the digest, whoever said it.
func (s Said) Claims(subject core.Digest) (signature.Verified, error) {
	if s.lost != nil {
		return signature.Verified{}, s.lost
	}
	if s.bundle != nil {
		return signature.Claims(s.bundle, subject)
	}
	return s.envelope.Claims(subject)
}

// Bundle is the Sigstore bundle that it is, or nil.
func (s Said) Bundle() []byte { return s.bundle }

// Shelf is what lies beside one digest, listed once and read as far as it is wanted.
type Shelf struct {
	repository *registry.Repository
	items      []item
	seen       map[string]bool
	opened     int
	said       int
	size       int64
}

// item is something on a shelf: a manifest that is not read yet, or a layer of one that is.
type item struct {
	claimed string // the predicate type that it calls itself; empty if it does not
	done    bool

	manifest core.Digest // empty for a layer
	layer    layer
	lost     error // why it cannot be read
}

type layer struct {
	MediaType   string            `json:"mediaType"`
	Digest      core.Digest       `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

// Beside lists the attestations that lie beside a digest, by referrers, by the tag that stands for them, and by
// cosign's older tag. None is no error.
func Beside(ctx context.Context, r *registry.Repository, subject core.Digest) (*Shelf, error) {
	s := &Shelf{repository: r, seen: map[string]bool{}}
	list, err := r.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		// Some registries list another artifact type than that of the manifest.
		if signature.BundleType(d.ArtifactType) || d.ArtifactType == "" || d.ArtifactType == noArtifactType {
			s.items = append(s.items, item{claimed: d.Annotations[notePredicate], manifest: d.Digest})
		}
	}
	return s, s.open(ctx, registry.FallbackTag(subject)+".att")
}

// Empty reports whether nothing lies there.
func (s *Shelf) Empty() bool { return len(s.items) == 0 }

// noArtifactType is what some registries list in place of an artifact type.
const noArtifactType = "application/vnd.oci.empty.v1+json"

// Read reads the attestations that may be of a type that is wanted and were not read before. What an attestation calls
// itself only saves reading it: some versions of cosign call everything a bare signature.
func (s *Shelf) Read(ctx context.Context, wanted func(predicateType string) bool) ([]Said, error) {
	may := func(i *item) bool {
		c := i.claimed
		return !i.done && (c == "" || c == TypeSignature || c == TypeReference || wanted(c))
	}
	var out []Said
	for n := 0; n < len(s.items); n++ { // which grows by the layers of manifests
		i := &s.items[n]
		if !may(i) {
			continue
		}
		i.done = true
		if i.manifest != "" {
			if err := s.open(ctx, string(i.manifest)); err != nil {
				return nil, err
			}
			continue
		}
		said, err := s.read(ctx, i)
		if err != nil {
			return nil, err
		}
		out = append(out, said)
	}
	return out, nil
}

// read reads one attestation. That one is broken is said of it, because whoever may push could otherwise break all the
// others; that the registry cannot be reached is an error.
func (s *Shelf) read(ctx context.Context, i *item) (Said, error) {
	said := Said{Digest: i.layer.Digest, lost: i.lost}
	if said.lost == nil && (i.layer.Size < 0 || i.layer.Size > maxBesideSize) {
		said.lost = fmt.Errorf("it claims %d bytes; at most %d are read", i.layer.Size, int64(maxBesideSize))
	}
	if err := s.room(i.layer.Size, said.lost == nil); err != nil || said.lost != nil {
		return said, err
	}
	raw, err := blob(ctx, s.repository, i.layer.Digest, i.layer.Size)
	var mismatch *verify.MismatchError
	switch {
	case registry.IsAbsent(err), errors.As(err, &mismatch):
		said.lost = err
	case err != nil:
		return said, err
	case i.layer.MediaType == signature.EnvelopeType:
		said.envelope = signature.Envelope{Raw: raw, Annotations: i.layer.Annotations}
	default:
		said.bundle = raw
	}
	return said, nil
}

// open lists the attestations that a manifest holds.
func (s *Shelf) open(ctx context.Context, identifier string) error {
	if s.opened++; s.opened > maxOpened {
		return tooMuch("more than %d things lie beside it", maxOpened)
	}
	m, err := s.repository.Resolve(ctx, identifier)
	if registry.IsAbsent(err) {
		return nil // of a digest, the list is older than a deletion
	}
	if err != nil {
		return err
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
		Layers      []layer           `json:"layers"`
	}
	if err := json.Unmarshal(m.Raw, &manifest); err != nil {
		s.items = append(s.items, item{layer: layer{Digest: m.Digest}, lost: fmt.Errorf("its manifest is not of the right form: %w", err)})
		return nil
	}
	for _, l := range manifest.Layers {
		claimed := ""
		switch {
		case signature.BundleType(l.MediaType):
			claimed = manifest.Annotations[notePredicate]
		case l.MediaType == signature.EnvelopeType:
			claimed = l.Annotations[noteOlderPredicate]
		default:
			continue
		}
		i := item{claimed: claimed, layer: l}
		if _, err := core.ParseDigest(string(l.Digest)); err != nil {
			i.layer.Digest, i.lost = m.Digest, fmt.Errorf("its manifest names %q, which is no digest", redact.Limited(string(l.Digest), 80))
		}
		// The same content under another claim is something else: one that lies must not stand for one that does not.
		key, err := json.Marshal([]any{claimed, l})
		if err != nil {
			return err
		}
		if !s.seen[string(key)] {
			s.seen[string(key)] = true
			s.items = append(s.items, i)
		}
	}
	return nil
}

// room counts one more against the bounds, with its size if it is to be read.
func (s *Shelf) room(size int64, read bool) error {
	if read {
		s.size += size
	}
	if s.said++; s.said > maxBeside {
		return tooMuch("more than %d attestations lie beside it", maxBeside)
	}
	if s.size > maxBesideTotal {
		return tooMuch("the attestations beside it have more than %d bytes together", maxBesideTotal)
	}
	return nil
}

// tooMuch is the error for what is not read to its end: what is left may be what counts, or what refuses.
func tooMuch(format string, most int64) error {
	return advice.Unavailable("remove what does not belong there: whoever may push can attach anything", format, most)
}

func blob(ctx context.Context, r *registry.Repository, d core.Digest, size int64) ([]byte, error) {
	body, err := r.Blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(verify.Reader(body, size, d))
}
