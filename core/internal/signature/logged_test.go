//lint:file-ignore SA1019 It is deprecated because logs take none any more. What they took is read still.

package signature_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/transparency-dev/merkle/rfc6962"
	sumdb "golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

// tiles is a log of the second version that has one entry.
type tiles struct {
	key sigstore.Signer
	id  []byte
}

const tilesHost = "log.example"

func newTiles(t *testing.T) tiles {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sigstore.LoadSigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(der)
	return tiles{signer, id[:]}
}

// withTiles is a trusted root whose only log is that one.
type withTiles struct {
	root.TrustedMaterial
	log tiles
}

// RekorLogs implements root.TrustedMaterial.
func (w withTiles) RekorLogs() map[string]*root.TransparencyLog {
	public, err := w.log.key.PublicKey()
	if err != nil {
		return nil
	}
	return map[string]*root.TransparencyLog{hex.EncodeToString(w.log.id): {BaseURL: "https://" + tilesHost, ID: w.log.id,
		HashFunc: crypto.SHA256, PublicKey: public, SignatureHashFunc: crypto.SHA256}}
}

// add returns the entry of a body.
func (l tiles) add(t *testing.T, body []byte) *protorekor.TransparencyLogEntry {
	t.Helper()
	signer, err := note.NewNoteSigner(context.Background(), tilesHost, l.key)
	if err != nil {
		t.Fatal(err)
	}
	top := base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.HashLeaf(body))
	checkpoint, err := sumdb.Sign(&sumdb.Note{Text: fmt.Sprintf("%s\n1\n%s\n", tilesHost, top)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return &protorekor.TransparencyLogEntry{LogId: &protocommon.LogId{KeyId: l.id}, CanonicalizedBody: body,
		KindVersion: &protorekor.KindVersion{Kind: "dsse", Version: "0.0.2"},
		InclusionProof: &protorekor.InclusionProof{TreeSize: 1, RootHash: rfc6962.DefaultHasher.HashLeaf(body),
			Checkpoint: &protorekor.Checkpoint{Envelope: string(checkpoint)}}}
}

// envelopeEntry is what a log keeps of an envelope.
func envelopeEntry(b *protobundle.Bundle) *rekortiles.Entry {
	sum := sha256.Sum256(b.GetDsseEnvelope().GetPayload())
	return &rekortiles.Entry{Kind: "dsse", ApiVersion: "0.0.2", Spec: &rekortiles.Spec{Spec: &rekortiles.Spec_DsseV002{
		DsseV002: &rekortiles.DSSELogEntryV002{
			PayloadHash: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signatures: []*rekortiles.Signature{{Content: b.GetDsseEnvelope().GetSignatures()[0].GetSig(),
				Verifier: &rekortiles.Verifier{KeyDetails: protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
					Verifier: &rekortiles.Verifier_X509Certificate{X509Certificate: &protocommon.X509Certificate{
						RawBytes: b.GetVerificationMaterial().GetCertificate().GetRawBytes()}}}}},
		}}}}
}

// cosign of the second version logs envelopes in a way that later programs do not. What is logged has to be what was signed.
func TestAnEnvelopeInALogOfTheSecondVersionCounts(t *testing.T) {
	a, mine, foreign := signaturetest.NewAuthority(t), newTiles(t), newTiles(t)
	trust := signature.Trust{Identities: []signature.Identity{{Subject: who, Issuer: issuer}}, Root: withTiles{a.Root(), mine}}
	statement := signaturetest.Statement(t, subject, signaturetest.SignType, nil)
	read := func(raw []byte) *protobundle.Bundle {
		var b protobundle.Bundle
		if err := protojson.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	other := read(a.Bundle(t, who, issuer, statement))
	for _, tc := range []struct {
		name   string
		log    tiles
		body   func(*rekortiles.Entry)
		change func(*protorekor.TransparencyLogEntry)
		says   string // nothing: it counts
	}{
		{"as it was logged", mine, nil, nil, ""},
		{"in an unknown log", foreign, nil, nil, "does not know the log"},
		{"in an unknown log that calls itself the known", foreign, nil, func(e *protorekor.TransparencyLogEntry) { e.LogId.KeyId = mine.id },
			"checkpoint"},
		{"another entry than the log has", mine, nil, func(e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody[9] ^= 1 }, "inclusion"},
		{"at another place", mine, nil, func(e *protorekor.TransparencyLogEntry) { e.LogIndex = 1 }, "inclusion"},
		{"without a proof", mine, nil, func(e *protorekor.TransparencyLogEntry) { e.InclusionProof = nil }, "proves nothing"},
		{"a changed checkpoint", mine, nil, func(e *protorekor.TransparencyLogEntry) {
			e.InclusionProof.Checkpoint.Envelope = strings.Replace(e.InclusionProof.Checkpoint.Envelope, "\n1\n", "\n2\n", 1)
		}, "checkpoint"},
		{"another statement", mine, func(e *rekortiles.Entry) { e.GetSpec().GetDsseV002().PayloadHash.Digest[0] ^= 1 }, nil, "another statement"},
		{"another signature", mine, func(e *rekortiles.Entry) {
			e.GetSpec().GetDsseV002().Signatures[0].Content = other.GetDsseEnvelope().GetSignatures()[0].GetSig()
		}, nil, "another signature"},
		{"another certificate", mine, func(e *rekortiles.Entry) {
			e.GetSpec().GetDsseV002().Signatures[0].Verifier.GetX509Certificate().RawBytes = other.GetVerificationMaterial().GetCertificate().GetRawBytes()
		}, nil, "another certificate"},
		{"no signature", mine, func(e *rekortiles.Entry) { e.GetSpec().GetDsseV002().Signatures = nil }, nil, "one signature"},
		{"another kind", mine, func(e *rekortiles.Entry) { e.Kind = "hashedrekord" }, nil, "calls itself"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := read(a.Bundle(t, who, issuer, statement))
			said := envelopeEntry(b)
			if tc.body != nil {
				tc.body(said)
			}
			body, err := protojson.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			e := tc.log.add(t, body)
			if tc.change != nil {
				tc.change(e)
			}
			b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{e}
			raw, err := protojson.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			v, err := trust.Signed(t.Context(), subject, signature.Material{Bundles: [][]byte{raw}})
			switch {
			case tc.says == "" && (err != nil || v.Signer == ""):
				t.Errorf("signed by %q, %v", v.Signer, err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("got %v, want an error that says %q", err, tc.says)
			}
		})
	}
}
