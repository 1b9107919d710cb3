package signature

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cleanbill-ci/cleanbill/core"
)

// BundleType reports whether an artifact type is that of Sigstore's bundles, of whatever version.
func BundleType(artifactType string) bool {
	return strings.HasPrefix(artifactType, "application/vnd.dev.sigstore.bundle")
}

// Bundle verifies that a trusted signer made a bundle about the digest, and returns what it says.
func (t Trust) Bundle(raw []byte, subject core.Digest) (Verified, error) {
	if err := t.Check(); err != nil {
		return Verified{}, err
	}
	b, err := parseBundle(raw)
	if err != nil {
		return Verified{}, fmt.Errorf("it is not a Sigstore bundle: %w", err)
	}
	algorithm, digits, _ := strings.Cut(string(subject), ":")
	digest, err := hex.DecodeString(digits)
	if err != nil {
		return Verified{}, fmt.Errorf("%q is not a digest", subject)
	}
	artifact := verify.WithArtifactDigest(algorithm, digest)
	content, err := b.VerificationContent()
	if err != nil {
		return Verified{}, fmt.Errorf("read the bundle: %w", err)
	}
	if content.Certificate() == nil {
		return t.bundleByKey(b.Bundle, artifact)
	}
	return t.bundleByIdentity(b, content.Certificate(), artifact)
}

func (t Trust) bundleByKey(b *bundle.Bundle, artifact verify.ArtifactPolicyOption) (Verified, error) {
	if len(t.Keys) == 0 {
		return Verified{}, errors.New("it is signed with a key, and no key is trusted")
	}
	var failed []error
	for _, k := range t.Keys {
		// A key is trusted for all times, so that no time of signing is needed.
		v, err := verify.NewVerifier(k.material(), verify.WithNoObserverTimestamps())
		if err != nil {
			return Verified{}, err
		}
		result, err := v.Verify(b, verify.NewPolicy(artifact, verify.WithKey()))
		if err == nil {
			return verified(Verified{Signer: k.Name}, result)
		}
		if !k.madeBundle(b) {
			err = errNotByKey
		}
		failed = append(failed, fmt.Errorf("%s: %w", k.Name, err))
	}
	return Verified{}, errors.Join(failed...)
}

// errNotByKey is the usual reason why something does not count. Libraries say it in terms of envelopes and thresholds.
var errNotByKey = errors.New("this key did not sign it")

// madeBundle reports whether the key signed what is in the bundle, whatever else is wrong with it. Of a bundle without an
// envelope that is not known.
func (k Key) madeBundle(b *bundle.Bundle) bool {
	content, err := b.SignatureContent()
	if err != nil || content.EnvelopeContent() == nil {
		return true
	}
	envelope := content.EnvelopeContent().RawEnvelope()
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return true
	}
	for _, s := range envelope.Signatures {
		made, err := base64.StdEncoding.DecodeString(s.Sig)
		if err == nil && k.Envelope(envelope.PayloadType, payload, made) == nil {
			return true
		}
	}
	return false
}

func (t Trust) bundleByIdentity(b parsed, certificate *x509.Certificate, artifact verify.ArtifactPolicyOption) (Verified, error) {
	if len(t.Identities) == 0 {
		return Verified{}, errors.New("it is signed by an identity, and no identity is trusted")
	}
	policies := make([]verify.PolicyOption, 0, len(t.Identities))
	for _, i := range t.Identities {
		m, err := i.matcher()
		if err != nil {
			return Verified{}, err
		}
		policies = append(policies, verify.WithCertificateIdentity(m))
	}
	logged, err := b.logged(t.Root, certificate)
	if err != nil {
		return Verified{}, err
	}
	v, err := verify.NewVerifier(t.Root, requirements(t.Root, logged)...)
	if err != nil {
		return Verified{}, err
	}
	result, err := v.Verify(b.Bundle, verify.NewPolicy(artifact, policies...))
	if err != nil {
		return Verified{}, err
	}
	if result.Signature == nil || result.Signature.Certificate == nil {
		return Verified{}, errors.New("it names no signer")
	}
	c := result.Signature.Certificate
	by, err := signedBy(c.SubjectAlternativeName, c.Issuer)
	if err != nil {
		return Verified{}, err
	}
	return verified(by, result)
}

// requirements are what the trusted root can confirm: what it has a log or an authority for must be there, a log's entry
// unless one was verified already.
func requirements(r root.TrustedMaterial, logged bool) []verify.VerifierOption {
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1)}
	if len(r.RekorLogs()) > 0 && !logged {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(r.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	return options
}

// verified adds what a bundle says to whom it is signed by.
func verified(out Verified, r *verify.VerificationResult) (Verified, error) {
	if r.Statement == nil {
		return out, nil
	}
	if err := checkStatement(r.Statement.GetType(), r.Statement.GetPredicateType()); err != nil {
		return Verified{}, err
	}
	predicate, err := protojson.Marshal(r.Statement.GetPredicate())
	if err != nil {
		return Verified{}, fmt.Errorf("read the predicate: %w", err)
	}
	out.PredicateType, out.Predicate = r.Statement.GetPredicateType(), predicate
	return out, nil
}
