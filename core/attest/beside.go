package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// What anybody who may write to a registry can put beside a digest is bounded: the number of attestations that are
// read, and the bytes of one and of all of them.
const (
	maxBeside      = 64
	maxBesideSize  = 32 << 20
	maxBesideTotal = 128 << 20
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
}

// Verify returns what a trusted signer said of the digest, or why it does not count.
func (s Said) Verify(ctx context.Context, t signature.Trust, subject core.Digest) (signature.Verified, error) {
	if t.Empty() {
		return signature.Verified{}, errors.New("nobody is trusted")
	}
	if s.bundle != nil {
		return t.Bundle(s.bundle, subject)
	}
	return t.Envelope(ctx, s.envelope, subject)
}

// Claims returns what is said of the digest, whoever said it.
func (s Said) Claims(subject core.Digest) (signature.Verified, error) {
	if s.bundle != nil {
		return signature.Claims(s.bundle, subject)
	}
	return s.envelope.Claims(subject)
}

// Bundle is the Sigstore bundle that it is, or nil.
func (s Said) Bundle() []byte { return s.bundle }

// shelf reads what lies beside one digest.
type shelf struct {
	repository *registry.Repository
	wanted     func(predicateType string) bool
	said       []Said
	seen       map[core.Digest]bool
	size       int64
}

// Beside reads the attestations that lie beside a digest, by referrers, by the tag that stands for them, and by cosign's
// older tag, except those that call themselves of a type that is not wanted. None is no error.
func Beside(ctx context.Context, r *registry.Repository, subject core.Digest, wanted func(predicateType string) bool) ([]Said, error) {
	s := &shelf{repository: r, wanted: wanted, seen: map[core.Digest]bool{}}
	list, err := r.Referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if !s.mayHold(d) {
			continue
		}
		if err := s.read(ctx, string(d.Digest)); err != nil {
			return nil, err
		}
	}
	if err := s.read(ctx, registry.FallbackTag(subject)+".att"); err != nil {
		return nil, err
	}
	return s.said, nil
}

// mayHold reports whether a referrer may hold an attestation that is wanted. Some registries list another artifact type
// than that of the manifest.
func (s *shelf) mayHold(d registry.Descriptor) bool {
	switch {
	case signature.BundleType(d.ArtifactType):
		return s.mayBe(d.Annotations[notePredicate])
	case d.ArtifactType == "", d.ArtifactType == emptyConfigType:
		return true
	}
	return false
}

// emptyConfigType is what some registries list in place of an artifact type.
const emptyConfigType = "application/vnd.oci.empty.v1+json"

// mayBe reports whether a type that something claims for itself may be wanted. Some versions of cosign claim that of a
// bare signature for everything.
func (s *shelf) mayBe(claimed string) bool {
	return claimed == "" || claimed == TypeSignature || s.wanted(claimed)
}

// read reads the attestations that a manifest holds.
func (s *shelf) read(ctx context.Context, identifier string) error {
	m, err := s.repository.Resolve(ctx, identifier)
	if registry.IsAbsent(err) {
		return nil // for a digest, the list is older than a deletion
	}
	if err != nil {
		return err
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
		Layers      []struct {
			MediaType   string            `json:"mediaType"`
			Digest      core.Digest       `json:"digest"`
			Size        int64             `json:"size"`
			Annotations map[string]string `json:"annotations"`
		} `json:"layers"`
	}
	if err := json.Unmarshal(m.Raw, &manifest); err != nil {
		return fmt.Errorf("read a manifest of attestations: %w", err)
	}
	for _, l := range manifest.Layers {
		bundle := signature.BundleType(l.MediaType)
		older := l.MediaType == signature.EnvelopeType
		if s.seen[l.Digest] || !bundle && !older || bundle && !s.mayBe(manifest.Annotations[notePredicate]) ||
			older && !s.mayBe(l.Annotations[noteOlderPredicate]) {
			continue
		}
		s.seen[l.Digest] = true
		if err := s.room(l.Size); err != nil {
			return err
		}
		raw, err := s.blob(ctx, l.Digest, l.Size)
		if err != nil {
			return err
		}
		said := Said{Digest: l.Digest}
		if bundle {
			said.bundle = raw
		} else {
			said.envelope = signature.Envelope{Raw: raw, Annotations: l.Annotations}
		}
		s.said = append(s.said, said)
	}
	return nil
}

// room counts one more against the bounds.
func (s *shelf) room(size int64) error {
	s.size += max(size, 0)
	switch {
	case size < 0 || size > maxBesideSize:
		return fmt.Errorf("an attestation claims %d bytes; at most %d are read", size, int64(maxBesideSize))
	case len(s.said) == maxBeside:
		return fmt.Errorf("more than %d attestations lie beside it", maxBeside)
	case s.size > maxBesideTotal:
		return fmt.Errorf("the attestations beside it have more than %d bytes together", int64(maxBesideTotal))
	}
	return nil
}

func (s *shelf) blob(ctx context.Context, d core.Digest, size int64) ([]byte, error) {
	body, err := s.repository.Blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(verify.Reader(body, size, d))
}
