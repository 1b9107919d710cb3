package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	rekor "github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
)

// smallSigstore speaks the protocols of Fulcio, of Rekor's first version and of a timestamp authority, with keys of its own.
type smallSigstore struct {
	server      *httptest.Server
	authority   *x509.Certificate
	key, logKey *ecdsa.PrivateKey
	stamper     *x509.Certificate
	stamperKey  *ecdsa.PrivateKey
	root        string // file
	asked       atomic.Int64

	// spoil changes the certificate before it is signed; nil for none.
	spoil func(*x509.Certificate)
	// answer replaces what Fulcio answers; nil for none.
	answer http.HandlerFunc
	// half leaves parts out of what the log answers.
	half bool
}

// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
var (
	olderIssuerOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	issuerOID      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
)

const (
	testIssuer   = "https://issuer.example"
	testIdentity = "releaser@example.invalid"
)

func newSmallSigstore(t *testing.T) *smallSigstore {
	t.Helper()
	s := &smallSigstore{key: newECDSA(t), logKey: newECDSA(t), stamperKey: newECDSA(t)}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	s.authority = certificateOf(t, ca, ca, s.key.Public(), s.key)
	critical, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		t.Fatal(err)
	}
	s.stamper = certificateOf(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "stamps"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: critical}}},
		s.authority, s.stamperKey.Public(), s.key)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", s.certify)
	mux.HandleFunc("POST /api/v1/log/entries", s.log)
	mux.HandleFunc("POST /api/v1/timestamp", s.stamp)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	s.writeRoot(t)
	return s
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certificateOf(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *smallSigstore) logID() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.logKey.Public())
	sum := sha256.Sum256(der)
	return sum[:], err
}

func (s *smallSigstore) writeRoot(t *testing.T) {
	t.Helper()
	id, err := s.logID()
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now().Add(-time.Hour)
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: s.authority, ValidityPeriodStart: from, URI: s.server.URL}}, nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: s.authority, Leaf: s.stamper, ValidityPeriodStart: from}},
		map[string]*root.TransparencyLog{hex.EncodeToString(id): {BaseURL: s.server.URL, ID: id, ValidityPeriodStart: from,
			HashFunc: crypto.SHA256, PublicKey: s.logKey.Public(), SignatureHashFunc: crypto.SHA256}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := trusted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s.root = filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(s.root, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify gives a certificate to whoever brings a token.
func (s *smallSigstore) certify(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	var asked struct {
		Request struct {
			Key struct{ Content string } `json:"publicKey"`
		} `json:"publicKeyRequest"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		http.Error(w, "no request", http.StatusBadRequest)
		return
	}
	block, _ := pem.Decode([]byte(asked.Request.Key.Content))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		http.Error(w, "no key", http.StatusBadRequest)
		return
	}
	issuer, _ := asn1.MarshalWithParams(testIssuer, "utf8")
	leaf := &x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(10 * time.Minute),
		EmailAddresses: []string{testIdentity}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: olderIssuerOID, Value: []byte(testIssuer)}, {Id: issuerOID, Value: issuer}}, PublicKey: public}
	if s.spoil != nil {
		s.spoil(leaf)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.authority, leaf.PublicKey, s.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{
		"certificates": []string{string(inPEM("CERTIFICATE", der)), string(inPEM("CERTIFICATE", s.authority.Raw))}}}})
}

// stamp answers with the time.
func (s *smallSigstore) stamp(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	asked, err := timestamp.ParseRequest(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	made := timestamp.Timestamp{HashAlgorithm: asked.HashAlgorithm, HashedMessage: asked.HashedMessage, Time: time.Now(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}}
	der, err := made.CreateResponseWithOpts(s.stamper, s.stamperKey, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(der)
}

// log keeps a tree with one leaf for each entry.
func (s *smallSigstore) log(w http.ResponseWriter, r *http.Request) {
	made, err := s.entry(r.Context(), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(made)
}

func (s *smallSigstore) entry(ctx context.Context, body io.Reader) (map[string]any, error) {
	proposed, err := models.UnmarshalProposedEntry(body, runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	parsed, err := rekor.UnmarshalEntry(proposed)
	if err != nil {
		return nil, err
	}
	canonical, err := rekor.CanonicalizeEntry(ctx, parsed)
	if err != nil {
		return nil, err
	}
	id, err := s.logID()
	if err != nil {
		return nil, err
	}
	signer, err := sigstore.LoadECDSASigner(s.logKey, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	payload := map[string]any{"body": canonical, "integratedTime": time.Now().Unix(), "logIndex": 0, "logID": hex.EncodeToString(id)}
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	if raw, err = jsoncanonicalizer.Transform(raw); err != nil {
		return nil, err
	}
	promise, err := signer.SignMessage(strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	leaf := sha256.Sum256(append([]byte{0}, canonical...))
	checkpoint, err := util.CreateAndSignCheckpoint(ctx, strings.TrimPrefix(s.server.URL, "http://"), 1, 1, leaf[:], signer)
	if err != nil {
		return nil, err
	}
	proof := map[string]any{"logIndex": 0, "treeSize": 1, "rootHash": hex.EncodeToString(leaf[:]), "hashes": []string{},
		"checkpoint": string(checkpoint)}
	if s.half {
		delete(proof, "checkpoint")
	}
	payload["verification"] = map[string]any{"signedEntryTimestamp": promise, "inclusionProof": proof}
	return map[string]any{"24296fb24b8ad77a": payload}, nil
}

// tokenOf is one that a provider might make; its signature is for the authority.
func tokenOf(t *testing.T, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": testIssuer, "sub": testIdentity, "email": testIdentity, "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(raw) + ".c2lnbmF0dXJl"
}

// hostOf is that of an address.
func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
