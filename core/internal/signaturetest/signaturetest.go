// Package signaturetest makes signatures for tests: by keys, and by identities that an authority of its own confirms.
package signaturetest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	sigdsse "github.com/sigstore/sigstore/pkg/signature/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// BundleType is the artifact type and media type of the bundles that are made here.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// SignType is the predicate type of a bundle that only signs.
const SignType = "https://sigstore.dev/cosign/sign/v1"

// Statement is an in-toto statement about a digest.
func Statement(t testing.TB, subject core.Digest, predicateType string, predicate any) []byte {
	t.Helper()
	algorithm, digits, _ := strings.Cut(string(subject), ":")
	raw, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"digest": map[string]string{algorithm: digits}}},
		"predicateType": predicateType, "predicate": predicate,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Authority confirms identities, timestamps and log entries.
type Authority struct{ virtual *ca.VirtualSigstore }

// NewAuthority makes an authority that nobody else knows.
func NewAuthority(t testing.TB) Authority {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return Authority{v}
}

// Root is what those trust who trust the authority.
func (a Authority) Root() root.TrustedMaterial { return withoutCT{a.virtual} }

// withoutCT has no certificate transparency log, because the certificates that are made here are in none.
type withoutCT struct{ *ca.VirtualSigstore }

// CTLogs implements root.TrustedMaterial.
func (withoutCT) CTLogs() map[string]*root.TransparencyLog { return nil }

// Bundle is a statement about the subject, signed by an identity.
func (a Authority) Bundle(t testing.TB, identity, issuer string, statement []byte) []byte {
	t.Helper()
	entity, err := a.virtual.AttestAtTime(identity, issuer, statement, time.Now().Add(5*time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	verification, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	content, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := entity.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
		Certificate: &protocommon.X509Certificate{RawBytes: verification.Certificate().Raw}},
		TimestampVerificationData: &protobundle.TimestampVerificationData{}}
	for _, s := range stamps {
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps,
			&protocommon.RFC3161SignedTimestamp{SignedTimestamp: s})
	}
	for _, e := range entries {
		material.TlogEntries = append(material.TlogEntries, a.entry(t, e.TransparencyLogEntry()))
	}
	return marshal(t, material, content.EnvelopeContent().RawEnvelope())
}

// entry adds what the library's test authority leaves out: the kind, and the log's promise.
func (a Authority) entry(t testing.TB, e *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	t.Helper()
	promise, err := a.virtual.RekorSignPayload(tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(e.CanonicalizedBody),
		IntegratedTime: e.IntegratedTime, LogIndex: e.LogIndex, LogID: hex.EncodeToString(e.LogId.KeyId)})
	if err != nil {
		t.Fatal(err)
	}
	e.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return e
}

func marshal(t testing.TB, material *protobundle.VerificationMaterial, e *dsse.Envelope) []byte {
	t.Helper()
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	envelope := &protodsse.Envelope{PayloadType: e.PayloadType, Payload: payload}
	for _, s := range e.Signatures {
		sig, err := base64.StdEncoding.DecodeString(s.Sig)
		if err != nil {
			t.Fatal(err)
		}
		envelope.Signatures = append(envelope.Signatures, &protodsse.Signature{Sig: sig})
	}
	raw, err := protojson.Marshal(&protobundle.Bundle{MediaType: BundleType, VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: envelope}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Key signs.
type Key struct {
	private *ecdsa.PrivateKey
	signer  sigstore.Signer
}

// NewKey makes a key.
func NewKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sigstore.LoadSigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return Key{private, signer}
}

// PEM is the public key.
func (k Key) PEM(t testing.TB) []byte {
	t.Helper()
	raw, err := cryptoutils.MarshalPublicKeyToPEM(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Bundle is a statement, signed with the key.
func (k Key) Bundle(t testing.TB, statement []byte) []byte {
	t.Helper()
	signer, err := dsse.NewEnvelopeSigner(&sigdsse.SignerAdapter{SignatureSigner: k.signer, Pub: k.private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := signer.SignPayload(context.Background(), "application/vnd.in-toto+json", statement)
	if err != nil {
		t.Fatal(err)
	}
	return marshal(t, &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
		PublicKey: &protocommon.PublicKeyIdentifier{Hint: "test"}}}, envelope)
}

// Envelope is a statement, signed with the key, in cosign's older form.
func (k Key) Envelope(t testing.TB, statement []byte) signature.Envelope {
	t.Helper()
	signer, err := dsse.NewEnvelopeSigner(&sigdsse.SignerAdapter{SignatureSigner: k.signer, Pub: k.private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := signer.SignPayload(context.Background(), "application/vnd.in-toto+json", statement)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return signature.Envelope{Raw: raw, Annotations: map[string]string{"dev.cosignproject.cosign/signature": ""}}
}

// Simple is a signature of the digest in cosign's older form.
func (k Key) Simple(t testing.TB, subject core.Digest) signature.Simple {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"critical": map[string]any{
		"identity": map[string]string{"docker-reference": ""},
		"image":    map[string]string{"docker-manifest-digest": string(subject)},
		"type":     "cosign container image signature",
	}, "optional": nil})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := k.signer.SignMessage(strings.NewReader(string(payload)))
	if err != nil {
		t.Fatal(err)
	}
	return signature.Simple{Payload: payload, Annotations: map[string]string{
		"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}}
}
