package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	sigstore "github.com/sigstore/sigstore/pkg/signature"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// statementMediaType is that of what a bundle signs.
const statementMediaType = "application/vnd.in-toto+json"

// signer is every Signer: one key, of a file, of a service, or of this run with a certificate.
type signer struct {
	options  SignerOptions
	services services
	root     root.TrustedMaterial // nil without one
	key      *keypair
	token    token    // of an identity
	asked    []string // hosts that are asked besides the services

	once     sync.Mutex
	identity *confirmed // after the first signature
}

// Hosts implements Signer.
func (s *signer) Hosts() []string { return s.services.hosts(s.asked) }

// LegacyByDefault implements Signer.
func (s *signer) LegacyByDefault() bool {
	for _, l := range s.services.logs {
		if l.version > 1 {
			return false
		}
	}
	return s.options.Key != "" || len(s.services.logs) > 0
}

// SignStatement implements Signer. A statement may have several subjects: whoever verifies a bundle looks for one of them
// that is the digest at hand, and so may an index and its platforms share one bundle, attached to each. Stock cosign does
// the same.
func (s *signer) SignStatement(ctx context.Context, statement []byte) ([]byte, error) {
	raw, err := s.signStatement(ctx, statement)
	return raw, advice.Failure(ctx, "sign a statement "+s.options.means(), without(s.token.secrets(), err))
}

func (s *signer) signStatement(ctx context.Context, statement []byte) ([]byte, error) {
	about, err := subjectOf(statement)
	if err != nil {
		return nil, err
	}
	made, err := s.sign(ctx, &sign.DSSEData{Data: statement, PayloadType: statementMediaType})
	if err != nil {
		return nil, err
	}
	raw, err := protojson.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("write down the bundle: %w", err)
	}
	return raw, s.accept(func(t signature.Trust) error {
		if s.alone() { // what else a verifier reads of a bundle was not made by anybody else, and a large statement takes its time
			return t.Keys[0].Envelope(statementMediaType, statement, made.GetDsseEnvelope().GetSignatures()[0].GetSig())
		}
		_, err := t.Bundle(raw, about)
		return err
	})
}

// alone reports whether a key signs and nobody confirms it.
func (s *signer) alone() bool {
	return s.services.fulcio == nil && len(s.services.logs) == 0 && len(s.services.stamps) == 0
}

// sign signs content and has it confirmed by every service there is.
func (s *signer) sign(ctx context.Context, content sign.Content) (*protobundle.Bundle, error) {
	options := sign.BundleOptions{Context: ctx}
	if s.services.fulcio != nil {
		identity, err := s.certify(ctx)
		if err != nil {
			return nil, err
		}
		options.CertificateProvider = given{identity.leaf.Raw}
	}
	if len(s.services.logs) > 0 && !s.key.logs() {
		return nil, advice.Misuse("sign with an ECDSA key, or without a log", "logs take no signatures of Ed25519 keys")
	}
	for _, u := range s.services.stamps {
		options.TimestampAuthorities = append(options.TimestampAuthorities, sign.NewTimestampAuthority(
			&sign.TimestampAuthorityOptions{URL: u.String(), Timeout: -1, Transport: s.options.reach(ctx, u)}))
	}
	for _, l := range s.services.logs {
		options.TransparencyLogs = append(options.TransparencyLogs, s.transparency(ctx, l))
	}
	if s.root != nil {
		options.TrustedRoot = s.root
		if s.services.fulcio == nil {
			options.TrustedRoot = withKey{s.root, s.key}
		}
	}
	made, err := sign.Bundle(content, s.key, options)
	if err != nil {
		return nil, network.Cleaned(err)
	}
	return made, nil
}

// accept verifies what was made as strictly as whoever reads it later: nothing is published that nobody would accept.
// Without a trusted root nothing confirms an identity, and its certificate was only held to what was asked for.
func (s *signer) accept(verify func(signature.Trust) error) error {
	var trust signature.Trust
	if s.services.fulcio == nil {
		text, err := s.key.GetPublicKeyPem()
		if err != nil {
			return err
		}
		key, err := signature.ParseKey("the key", []byte(text))
		if err != nil {
			return err
		}
		trust.Keys = []signature.Key{key}
	} else {
		if s.root == nil {
			return nil
		}
		trust.Root = s.root
		trust.Identities = []signature.Identity{{Subject: s.identity.subject, Issuer: s.identity.issuer}}
	}
	if err := verify(trust); err != nil {
		return advice.Unavailable("check that the trusted root is that of the services that are asked",
			"what was signed does not verify, and is not published: %w", err)
	}
	return nil
}

// given is a certificate that was asked for before. It implements sign.CertificateProvider.
type given struct{ der []byte }

// GetCertificate implements sign.CertificateProvider.
func (g given) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return g.der, nil
}

// withKey is a trusted root that knows one key besides.
type withKey struct {
	root.TrustedMaterial
	key *keypair
}

// PublicKeyVerifier implements root.TrustedMaterial.
func (w withKey) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	v, err := sigstore.LoadDefaultVerifier(w.key.public)
	if err != nil {
		return nil, err
	}
	return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
}

// subjectOf returns the first digest that a statement is about.
func subjectOf(statement []byte) (core.Digest, error) {
	var said struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(statement, &said); err != nil || len(said.Subject) == 0 {
		return "", errors.New("it is no statement about anything")
	}
	for algorithm, digits := range said.Subject[0].Digest {
		return core.ParseDigest(algorithm + ":" + digits)
	}
	return "", errors.New("the statement's subject has no digest")
}
