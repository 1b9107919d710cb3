package signature

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"

	"github.com/cleanbill-ci/cleanbill/core"
)

// EnvelopeType is the media type of a layer that holds an attestation in cosign's older form.
const EnvelopeType = "application/vnd.dsse.envelope.v1+json"

// statementType is that of what an envelope holds.
const statementType = "application/vnd.in-toto+json"

// Envelope is an attestation in cosign's older form: a signed statement, beside what confirms its signer. All but Raw are
// annotations of its layer.
//
// https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md
type Envelope struct {
	Raw         []byte
	Annotations map[string]string
}

// Envelope verifies that a trusted signer made an attestation about the digest, and returns what it says.
func (t Trust) Envelope(ctx context.Context, e Envelope, subject core.Digest) (Verified, error) {
	if err := t.Check(); err != nil {
		return Verified{}, err
	}
	var log *bundle.RekorBundle
	var stamp *bundle.RFC3161Timestamp
	if err := errors.Join(member(e.Annotations[AnnotationBundle], &log),
		member(e.Annotations[AnnotationTimestamp], &stamp)); err != nil {
		return Verified{}, err
	}
	options := []static.Option{static.WithBundle(log), static.WithRFC3161Timestamp(stamp)}
	certificate := e.Annotations[AnnotationCertificate]
	if certificate != "" {
		options = append(options, static.WithCertChain([]byte(certificate), []byte(e.Annotations[AnnotationChain])))
	}
	sig, err := static.NewAttestation(e.Raw, options...)
	if err != nil {
		return Verified{}, fmt.Errorf("read an attestation: %w", err)
	}
	hash, err := v1.NewHash(string(subject))
	if err != nil {
		return Verified{}, err
	}
	said, err := e.Claims(subject)
	if err != nil {
		return Verified{}, err
	}
	failed := errors.New("no key is trusted, and it has no certificate")
	for _, k := range t.Keys {
		co := &cosign.CheckOpts{SigVerifier: k.verifier, ClaimVerifier: cosign.IntotoSubjectClaimVerifier, IgnoreTlog: true}
		if _, err := cosign.VerifyBlobAttestation(ctx, sig, hash, co); err != nil {
			failed = fmt.Errorf("%s: %w", k.Name, err)
			continue
		}
		said.Signer = k.Name
		return said, nil
	}
	if certificate == "" || len(t.Identities) == 0 {
		return Verified{}, failed
	}
	if log == nil && stamp == nil {
		return Verified{}, errors.New("nothing confirms when it was signed: it has no entry of a log and no timestamp")
	}
	if log == nil && len(t.Root.RekorLogs()) > 0 && len(t.Root.TimestampingAuthorities()) == 0 {
		return Verified{}, errors.New("it has no entry of a log, and the trusted root has no timestamp authority")
	}
	co := &cosign.CheckOpts{
		TrustedMaterial: t.Root, ClaimVerifier: cosign.IntotoSubjectClaimVerifier, Offline: true, IgnoreTlog: log == nil,
		UseSignedTimestamps: stamp != nil, IgnoreSCT: len(t.Root.CTLogs()) == 0,
	}
	for _, i := range t.Identities {
		co.Identities = append(co.Identities, cosign.Identity{Issuer: i.Issuer, Subject: i.Subject,
			IssuerRegExp: whole(i.IssuerPattern), SubjectRegExp: whole(i.SubjectPattern)})
	}
	if _, err := cosign.VerifyBlobAttestation(ctx, sig, hash, co); err != nil {
		return Verified{}, err
	}
	by, err := t.named(sig)
	said.Signer = by.Signer
	return said, err
}

// Claims returns what the envelope says of the digest, whoever made it: it has no Signer, because nobody was verified.
func (e Envelope) Claims(subject core.Digest) (Verified, error) {
	var envelope struct {
		PayloadType string `json:"payloadType"`
		Payload     string `json:"payload"`
	}
	if err := json.Unmarshal(e.Raw, &envelope); err != nil {
		return Verified{}, fmt.Errorf("it is not an envelope: %w", err)
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return Verified{}, errors.New("it is not an envelope: its payload is not base64")
	}
	return claims(envelope.PayloadType, payload, subject)
}

// Claims returns what a bundle says of the digest, whoever made it: it has no Signer, because nobody was verified.
func Claims(raw []byte, subject core.Digest) (Verified, error) {
	var b struct {
		Envelope json.RawMessage `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return Verified{}, fmt.Errorf("it is not a Sigstore bundle: %w", err)
	}
	if b.Envelope == nil {
		return Verified{}, errors.New("it is not an attestation")
	}
	return Envelope{Raw: b.Envelope}.Claims(subject)
}

func claims(payloadType string, payload []byte, about core.Digest) (Verified, error) {
	if payloadType != statementType {
		return Verified{}, fmt.Errorf("it holds %.100q, not an in-toto statement", payloadType)
	}
	var statement struct {
		Type    string `json:"_type"`
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(payload, &statement); err != nil {
		return Verified{}, fmt.Errorf("it is not an in-toto statement: %w", err)
	}
	if err := checkStatement(statement.Type, statement.PredicateType); err != nil {
		return Verified{}, err
	}
	algorithm, digits, _ := strings.Cut(string(about), ":")
	for _, s := range statement.Subject {
		if digits != "" && s.Digest[algorithm] == digits {
			return Verified{PredicateType: statement.PredicateType, Predicate: statement.Predicate}, nil
		}
	}
	return Verified{}, errors.New("it is about something else: no subject of the statement has this digest")
}

// checkStatement reports whether a statement is one, of whatever version, that says what kind of thing it says. One that does
// not would pass for a bare signature.
//
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
func checkStatement(kind, predicateType string) error {
	switch {
	case !strings.HasPrefix(kind, "https://in-toto.io/Statement/"):
		return fmt.Errorf("it is not an in-toto statement, but %.100q", kind)
	case predicateType == "":
		return errors.New("it does not say of which type what it says is")
	}
	return nil
}
