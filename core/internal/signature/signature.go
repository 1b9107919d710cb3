// Package signature verifies who signed a digest: with a key, or with an identity that a certificate authority confirmed
// for the time of signing. It reads Sigstore's bundles and cosign's older form, makes no network request, and knows
// nothing of where signatures are kept.
//
//   - https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
//   - https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
package signature

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/cryptoutils/goodkey"
	sigstore "github.com/sigstore/sigstore/pkg/signature"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
)

// Trust says whose signatures count. One of its keys or identities is enough. The zero value trusts nobody.
type Trust struct {
	Keys       []Key
	Identities []Identity
	// Root confirms identities. It is needed for them, and for them only.
	Root root.TrustedMaterial
}

// Empty reports whether nobody is trusted, because nobody was named.
func (t Trust) Empty() bool { return len(t.Keys) == 0 && len(t.Identities) == 0 }

// Check says what is missing for verifying anything.
func (t Trust) Check() error {
	if len(t.Identities) > 0 && t.Root == nil {
		return errors.New("identities need a trusted root, which confirms them")
	}
	for _, id := range t.Identities {
		if err := id.check(); err != nil {
			return err
		}
	}
	return nil
}

// Key is a public key.
type Key struct {
	// Name is for messages: the file that it is from.
	Name     string
	verifier sigstore.Verifier
}

// ParseKey reads a public key in PEM.
func ParseKey(name string, pem []byte) (Key, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	switch {
	case err != nil && strings.Contains(string(pem), "PRIVATE KEY-----"):
		return Key{}, advice.Misuse("name the public key that belongs to it, such as cosign.pub",
			"it is a private key, and only the public one is needed to verify")
	case err != nil:
		return Key{}, advice.Misuse("cosign generate-key-pair writes one as cosign.pub, and openssl pkey -pubout makes one of a private key",
			"it is not a public key in PEM")
	}
	verifier, err := verifierOf(public)
	if err == nil {
		err = goodkey.ValidatePubKey(public)
	}
	if err != nil {
		return Key{}, fmt.Errorf("signatures of such a key cannot be verified: %w", err)
	}
	return Key{Name: name, verifier: verifier}, nil
}

// Identity is whom a certificate must name: the subject, as an address or a workflow's, and the issuer that vouched for
// it. Patterns are regular expressions for the whole value.
type Identity struct {
	Issuer, IssuerPattern   string
	Subject, SubjectPattern string
}

func (i Identity) check() error {
	if i.Issuer == "" && i.IssuerPattern == "" || i.Subject == "" && i.SubjectPattern == "" {
		return errors.New("an identity needs both an issuer and a subject, or patterns of them")
	}
	if i.Issuer != "" && i.IssuerPattern != "" || i.Subject != "" && i.SubjectPattern != "" {
		return errors.New("an identity has an issuer or a pattern of it, and a subject or a pattern of it: not both")
	}
	for _, pattern := range []string{i.IssuerPattern, i.SubjectPattern} {
		// By itself: within whole's parentheses one that closes them is another pattern.
		if _, err := regexp.Compile(pattern); err != nil {
			return fmt.Errorf("the pattern of an identity: %w", err)
		}
	}
	_, err := i.matcher()
	return err
}

func (i Identity) matcher() (verify.CertificateIdentity, error) {
	return verify.NewShortCertificateIdentity(i.Issuer, whole(i.IssuerPattern), i.Subject, whole(i.SubjectPattern))
}

// whole makes a pattern one of the whole value, because half a match is how impostors pass.
func whole(pattern string) string {
	if pattern == "" {
		return ""
	}
	return "^(?:" + pattern + ")$"
}

// String names the identity in messages.
func (i Identity) String() string {
	issuer, subject := i.Issuer, i.Subject
	if issuer == "" {
		issuer = "/" + i.IssuerPattern + "/"
	}
	if subject == "" {
		subject = "/" + i.SubjectPattern + "/"
	}
	return subject + " (" + issuer + ")"
}

// ParseRoot reads a trusted root, as "cosign trusted-root create" writes it.
//
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
func ParseRoot(json []byte) (root.TrustedMaterial, error) {
	r, err := root.NewTrustedRootFromJSON(json)
	if err != nil {
		return nil, fmt.Errorf("it is not a trusted root: %w", err)
	}
	return r, nil
}

// Verified is what a trusted signer said of a digest.
type Verified struct {
	// Signer is the name of the key, or the identity as the certificate has it.
	Signer string
	// PredicateType and Predicate are those of an attestation; empty for a bare signature.
	PredicateType string
	Predicate     []byte
}

// signedBy is the signer whom a certificate names.
func signedBy(subject, issuer string) (Verified, error) {
	if strings.ContainsFunc(subject+issuer, unicode.IsControl) {
		return Verified{}, fmt.Errorf("its certificate names %.200q, which is no name", subject)
	}
	return Verified{Signer: subject + " (" + issuer + ")"}, nil
}

// Material is what lies beside a digest.
type Material struct {
	Bundles [][]byte // in JSON
	Simple  []Simple
}

// maxSignature bounds one signature or bundle, maxMaterial all that lie beside a digest, in bytes, and maxSignatures their
// number: each is asked for and verified.
const (
	maxSignature  = 16 << 20
	maxMaterial   = 128 << 20
	maxSignatures = 2000
)

// Read gathers the signatures that manifests hold. fetch returns a whole blob of that size, verified.
func Read(ctx context.Context, manifests [][]byte, fetch func(ctx context.Context, d core.Digest, size int64) ([]byte, error)) (Material, error) {
	var m Material
	var total int64
	for _, raw := range manifests {
		var manifest struct {
			Layers []struct {
				MediaType   string            `json:"mediaType"`
				Digest      core.Digest       `json:"digest"`
				Size        int64             `json:"size"`
				Annotations map[string]string `json:"annotations"`
			} `json:"layers"`
		}
		if err := json.Unmarshal(raw, &manifest); err != nil {
			return m, fmt.Errorf("read a manifest of signatures: %w", err)
		}
		for _, l := range manifest.Layers {
			simple := l.MediaType == SimpleType
			if !simple && !BundleType(l.MediaType) {
				continue
			}
			if l.Size < 0 || l.Size > maxSignature {
				return m, fmt.Errorf("a signature claims %d bytes; one has at most %d", l.Size, maxSignature)
			}
			if len(m.Simple)+len(m.Bundles) == maxSignatures {
				return m, fmt.Errorf("it has more than %d signatures", maxSignatures)
			}
			if total += l.Size; total > maxMaterial {
				return m, fmt.Errorf("the signatures claim more than %d bytes together", maxMaterial)
			}
			blob, err := fetch(ctx, l.Digest, l.Size)
			if err != nil {
				return m, err
			}
			if simple {
				m.Simple = append(m.Simple, Simple{Payload: blob, Annotations: l.Annotations})
			} else {
				m.Bundles = append(m.Bundles, blob)
			}
		}
	}
	return m, nil
}

// maxNamed is how many reasons an error gives.
const maxNamed = 5

// Signed returns who signed the digest, among those who are trusted. Attestations about it are no signatures of it. The
// error says for each signature why it does not count.
func (t Trust) Signed(ctx context.Context, subject core.Digest, m Material) (Verified, error) {
	if err := t.Check(); err != nil {
		return Verified{}, err
	}
	var reasons []string
	for _, raw := range m.Bundles {
		v, err := t.Bundle(raw, subject)
		if err == nil && v.PredicateType != "" && v.PredicateType != cosignSign {
			err = fmt.Errorf("it is an attestation (%s), not a signature", v.PredicateType)
		}
		if err == nil {
			return v, nil
		}
		reasons = append(reasons, err.Error())
	}
	for _, s := range m.Simple {
		v, err := t.simple(ctx, s, subject)
		if err == nil {
			return v, nil
		}
		reasons = append(reasons, err.Error())
	}
	if len(reasons) == 0 {
		return Verified{}, errors.New("it has no signature")
	}
	more := ""
	if n := len(reasons) - maxNamed; n > 0 {
		reasons, more = reasons[:maxNamed], fmt.Sprintf("; and %d more", n)
	}
	return Verified{}, fmt.Errorf("none of its signatures is by a trusted signer: %s%s", strings.Join(reasons, "; "), more)
}

// cosignSign is the predicate type of a bundle that signs a digest and says no more.
const cosignSign = "https://sigstore.dev/cosign/sign/v1"

// keyMaterial is trust in one key for all times.
func (k Key) material() root.TrustedMaterial {
	forever := root.NewExpiringKey(k.verifier, time.Time{}, time.Time{})
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return forever, nil })
}

// PEM is the key as it is written to files.
func (k Key) PEM() ([]byte, error) {
	public, err := k.verifier.PublicKey()
	if err != nil {
		return nil, err
	}
	return cryptoutils.MarshalPublicKeyToPEM(public)
}
