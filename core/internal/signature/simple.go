package signature

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Simple is a signature in cosign's older form: a payload that names the digest, signed beside it. All but Payload are
// annotations of its layer.
//
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#storage
type Simple struct {
	Payload     []byte
	Annotations map[string]string
}

// The annotations of a layer that holds a payload.
const (
	AnnotationSignature   = "dev.cosignproject.cosign/signature"
	AnnotationCertificate = "dev.sigstore.cosign/certificate"
	AnnotationChain       = "dev.sigstore.cosign/chain"
	AnnotationBundle      = "dev.sigstore.cosign/bundle"
	AnnotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// SimpleType is the media type of a layer that holds a payload.
const SimpleType = "application/vnd.dev.cosign.simplesigning.v1+json"

func (t Trust) simple(ctx context.Context, s Simple, subject core.Digest) (Verified, error) {
	var log *bundle.RekorBundle
	var stamp *bundle.RFC3161Timestamp
	if err := errors.Join(member(s.Annotations[AnnotationBundle], &log), member(s.Annotations[AnnotationTimestamp], &stamp)); err != nil {
		return Verified{}, err
	}
	options := []static.Option{static.WithAnnotations(s.Annotations), static.WithBundle(log), static.WithRFC3161Timestamp(stamp)}
	certificate := s.Annotations[AnnotationCertificate]
	if certificate != "" {
		options = append(options, static.WithCertChain([]byte(certificate), []byte(s.Annotations[AnnotationChain])))
	}
	sig, err := static.NewSignature(s.Payload, s.Annotations[AnnotationSignature], options...)
	if err != nil {
		return Verified{}, fmt.Errorf("read a signature: %w", err)
	}
	hash, err := v1.NewHash(string(subject))
	if err != nil {
		return Verified{}, err
	}
	failed := errors.New("no key is trusted, and it has no certificate")
	for _, k := range t.Keys {
		co := &cosign.CheckOpts{SigVerifier: k.verifier, ClaimVerifier: cosign.SimpleClaimVerifier, IgnoreTlog: true}
		if _, err := cosign.VerifyImageSignature(ctx, sig, hash, co); err != nil {
			if !k.madeSimple(s) {
				err = errNotByKey
			}
			failed = fmt.Errorf("%s: %w", k.Name, err)
			continue
		}
		return Verified{Signer: k.Name}, nil
	}
	if certificate == "" || len(t.Identities) == 0 {
		return Verified{}, failed
	}
	if log == nil && stamp == nil {
		return Verified{}, errors.New("nothing confirms when it was signed: it has no entry of a log and no timestamp")
	}
	co := &cosign.CheckOpts{
		TrustedMaterial: t.Root, ClaimVerifier: cosign.SimpleClaimVerifier, Offline: true, IgnoreTlog: log == nil,
		UseSignedTimestamps: stamp != nil, IgnoreSCT: len(t.Root.CTLogs()) == 0,
	}
	if log == nil && len(t.Root.RekorLogs()) > 0 && len(t.Root.TimestampingAuthorities()) == 0 {
		return Verified{}, errors.New("it has no entry of a log, and the trusted root has no timestamp authority")
	}
	for _, i := range t.Identities {
		co.Identities = append(co.Identities, cosign.Identity{Issuer: i.Issuer, Subject: i.Subject,
			IssuerRegExp: whole(i.IssuerPattern), SubjectRegExp: whole(i.SubjectPattern)})
	}
	if _, err := cosign.VerifyImageSignature(ctx, sig, hash, co); err != nil {
		return Verified{}, err
	}
	return t.named(sig)
}

// madeSimple reports whether the key signed the payload, whatever else is wrong with it.
func (k Key) madeSimple(s Simple) bool {
	made, err := base64.StdEncoding.DecodeString(s.Annotations[AnnotationSignature])
	return err != nil || k.verifier.VerifySignature(bytes.NewReader(made), bytes.NewReader(s.Payload)) == nil
}

// named names the signer of a signature that was verified.
func (t Trust) named(sig interface {
	Cert() (*x509.Certificate, error)
}) (Verified, error) {
	certificate, err := sig.Cert()
	if err != nil {
		return Verified{}, err
	}
	extensions := cosign.CertExtensions{Cert: certificate}
	names := cryptoutils.GetSubjectAlternateNames(certificate)
	if len(names) == 0 {
		return Verified{}, errors.New("its certificate names nobody")
	}
	return signedBy(names[0], extensions.GetIssuer())
}

// member reads an annotation that holds JSON; it may be absent.
func member[T any](text string, into **T) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("read an annotation of a signature: %w", err)
	}
	return nil
}
