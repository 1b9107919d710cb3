package signature

import (
	"bytes"
	"crypto"
	"errors"
	"io"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// verifierOf verifies what a key signs. Programs do not agree on the hash: cosign signs with the one that fits the key,
// others and its own older releases with SHA-256, and nothing beside a signature says which it was. Each of them is one
// that the key's owner chose.
func verifierOf(public crypto.PublicKey) (sigstore.Verifier, error) {
	var all anyOf
	for _, load := range []func() (sigstore.Verifier, error){
		func() (sigstore.Verifier, error) { return sigstore.LoadDefaultVerifier(public) },
		func() (sigstore.Verifier, error) { return sigstore.LoadVerifier(public, crypto.SHA256) },
		func() (sigstore.Verifier, error) {
			return sigstore.LoadDefaultVerifier(public, options.WithED25519ph())
		},
	} {
		v, err := load()
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// anyOf verifies with one of several verifiers of the same key.
type anyOf []sigstore.Verifier

// PublicKey implements sigstore.PublicKeyProvider.
func (a anyOf) PublicKey(opts ...sigstore.PublicKeyOption) (crypto.PublicKey, error) {
	return a[0].PublicKey(opts...)
}

// VerifySignature implements sigstore.Verifier.
func (a anyOf) VerifySignature(signature, message io.Reader, opts ...sigstore.VerifyOption) error {
	made, err := io.ReadAll(io.LimitReader(signature, maxSignature))
	if err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(message, maxSignature+1))
	if err != nil {
		return err
	}
	if len(said) > maxSignature {
		return errors.New("what is signed is too large")
	}
	for _, v := range a {
		if err = v.VerifySignature(bytes.NewReader(made), bytes.NewReader(said), opts...); err == nil {
			return nil
		}
	}
	return err
}

// Envelope verifies that the key signed a payload in an envelope.
//
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
func (k Key) Envelope(payloadType string, payload, signed []byte) error {
	return k.verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader(dsse.PAE(payloadType, payload)))
}
