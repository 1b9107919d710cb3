// Command issuer stands for the two parties of a private Sigstore that no program here is: OpenID Connect providers, and a
// log of certificates. It vouches for whatever it is asked to, so that it is for tests on loopback alone.
//
// Each folder below its address is a provider with the same key. POST /NAME/token with claims in JSON, or GET with claims
// as a query, answers as the server of GitHub's runners does. The log signs timestamps and keeps nothing.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "listen here")
	public := flag.String("log-key", "", "write the log's public key into this file")
	flag.Parse()
	if err := serve(*address, *public); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, public string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	p := provider{url: "http://" + listener.Addr().String(), key: key}
	l := certificateLog{id: sha256.Sum256(der), key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}/.well-known/openid-configuration", answering(p.configuration))
	mux.HandleFunc("GET /{name}/keys", answering(p.keys))
	mux.HandleFunc("/{name}/token", answering(p.token))
	mux.HandleFunc("POST /ct/v1/add-pre-chain", answering(l.add))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

func answering(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := answer(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // the client went away
	}
}

// provider vouches for identities.
type provider struct {
	url string
	key *ecdsa.PrivateKey
}

func (p provider) issuer(r *http.Request) string { return p.url + "/" + r.PathValue("name") }

// https://openid.net/specs/openid-connect-discovery-1_0.html
func (p provider) configuration(r *http.Request) (any, error) {
	at := p.issuer(r)
	return map[string]any{"issuer": at, "jwks_uri": at + "/keys", "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"}}, nil
}

// https://www.rfc-editor.org/rfc/rfc7517
func (p provider) keys(*http.Request) (any, error) {
	point, err := p.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	return map[string]any{"keys": []any{map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1",
		"x": inBase64(point[1:33]), "y": inBase64(point[33:])}}}, nil
}

// https://www.rfc-editor.org/rfc/rfc7519
func (p provider) token(r *http.Request) (any, error) {
	now := time.Now().Unix()
	claims := map[string]any{"iss": p.issuer(r), "aud": "sigstore", "iat": now, "nbf": now, "exp": now + 600}
	said := map[string]any{}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			return nil, err
		}
	} else {
		if r.Header.Get("Authorization") == "" {
			return nil, errors.New("nothing says with what right a token is asked for")
		}
		for name, values := range r.URL.Query() {
			said[name] = values[0]
		}
		if to, ok := said["audience"]; ok {
			said["aud"] = to
			delete(said, "audience")
		}
	}
	maps.Copy(claims, said)
	head, err := json.Marshal(map[string]string{"alg": "ES256", "kid": "1", "typ": "JWT"})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	text := inBase64(head) + "." + inBase64(body)
	digest := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return nil, err
	}
	return map[string]string{"value": text + "." + inBase64(append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...))}, nil
}

func inBase64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// certificateLog promises to log certificates.
type certificateLog struct {
	id  [sha256.Size]byte
	key *ecdsa.PrivateKey
}

// https://www.rfc-editor.org/rfc/rfc6962#section-4.2
func (l certificateLog) add(r *http.Request) (any, error) {
	var asked ct.AddChainRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	chain := make([]ct.ASN1Cert, len(asked.Chain))
	for i, der := range asked.Chain {
		chain[i] = ct.ASN1Cert{Data: der}
	}
	now := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(chain, ct.PrecertLogEntryType, now)
	if err != nil {
		return nil, err
	}
	input, err := ct.SerializeSCTSignatureInput(ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: l.id}, Timestamp: now},
		ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	signed, err := tls.CreateSignature(*l.key, tls.SHA256, input)
	if err != nil {
		return nil, err
	}
	encoded, err := tls.Marshal(signed)
	if err != nil {
		return nil, err
	}
	return ct.AddChainResponse{SCTVersion: ct.V1, ID: l.id[:], Timestamp: now, Signature: encoded}, nil
}
