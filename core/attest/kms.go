package attest

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	sigstore "github.com/sigstore/sigstore/pkg/signature"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
)

// serviceReference is a reference to a key management service: its name and what it calls the key.
var serviceReference = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,39})://([^\s\x00-\x1f]{1,1000})$`)

// keeper is a service that keeps a private key and signs with it.
type keeper interface {
	// public returns the public key.
	public(ctx context.Context) (crypto.PublicKey, error)
	// sign signs a message, of which digest is made by the hash; both are the message for a key that signs no digests.
	sign(ctx context.Context, message, digest []byte, hash crypto.Hash) ([]byte, error)
}

// useKey makes the signer sign with the key that the options name.
func (s *signer) useKey(ctx context.Context) error {
	if err := forbidDumps(); err != nil {
		s.options.Log.Warn("memory may be dumped when a process crashes", "because", err)
	}
	m := serviceReference.FindStringSubmatch(s.options.Key)
	if m == nil || m[1] == strings.TrimSuffix(schemeVariable, "://") {
		private, err := s.options.privateKey()
		if err != nil {
			return err
		}
		s.key, err = keypairOf(private)
		return err
	}
	k, host, err := s.options.keeper(m[1], m[2])
	if err != nil {
		return err
	}
	if host != "" {
		s.asked = append(s.asked, host)
	}
	public, err := k.public(ctx)
	if err != nil {
		return fmt.Errorf("ask for the public key: %w", err)
	}
	details, err := sigstore.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return fmt.Errorf("nobody could verify what such a key signs: %w", err)
	}
	verifier, err := sigstore.LoadDefaultVerifier(public)
	if err != nil {
		return fmt.Errorf("nobody could verify what such a key signs: %w", err)
	}
	s.key, err = newKeypair(kept{k, public, details.GetHashType(), verifier}, public, details)
	return err
}

// keeper finds the service, and the host that is asked if there is one.
func (o SignerOptions) keeper(scheme, id string) (keeper, string, error) {
	switch scheme {
	case "hashivault", "openbao":
		v, err := o.vault(id)
		if err != nil {
			return nil, "", err
		}
		return v, v.url.Host, nil
	case "k8s", "pkcs11":
		return nil, "", advice.Misuse("name a file, "+schemeVariable+"NAME, hashivault://KEY, or a service that has a sigstore-kms- program",
			"keys of %s:// are not read", scheme)
	case "http", "https", "file":
		return nil, "", advice.Misuse("name a file without a scheme", "keys are not fetched from %s://", scheme)
	}
	p, err := o.plugin(scheme, id)
	return p, "", err
}

// kept signs with a key that a service keeps. It implements sigstore.Signer.
type kept struct {
	keeper   keeper
	key      crypto.PublicKey
	hash     crypto.Hash
	verifier sigstore.Verifier
}

// PublicKey implements sigstore.Signer.
func (k kept) PublicKey(...sigstore.PublicKeyOption) (crypto.PublicKey, error) { return k.key, nil }

// SignMessage implements sigstore.Signer. What comes back is verified: a service that was turned to another key, or a
// broken program, must not make signatures that nobody accepts.
func (k kept) SignMessage(message io.Reader, options ...sigstore.SignOption) ([]byte, error) {
	ctx := context.Background()
	for _, o := range options {
		o.ApplyContext(&ctx)
	}
	raw, err := io.ReadAll(message)
	if err != nil {
		return nil, err
	}
	digest := raw
	if k.hash != crypto.Hash(0) {
		h := k.hash.New()
		h.Write(raw)
		digest = h.Sum(nil)
	}
	made, err := k.keeper.sign(ctx, raw, digest, k.hash)
	if err != nil {
		return nil, err
	}
	if err := k.verifier.VerifySignature(strings.NewReader(string(made)), strings.NewReader(string(raw))); err != nil {
		return nil, errors.New("what the key management service signed does not verify with the key that it named")
	}
	return made, nil
}
