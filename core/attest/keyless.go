package attest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// useIdentity makes a key for this run and asks who the platform says that we are.
func (s *signer) useIdentity(ctx context.Context) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if s.key, err = keypairOf(private); err != nil {
		return err
	}
	s.token, err = s.options.identityToken(ctx)
	return err
}

// confirmed is what an authority says: a certificate, and those that it rests on without the root.
type confirmed struct {
	leaf            *x509.Certificate
	chain           []*x509.Certificate
	subject, issuer string
}

// certify asks the authority for the certificate of this run, once.
//
// https://github.com/sigstore/fulcio/blob/main/fulcio.proto
func (s *signer) certify(ctx context.Context) (*confirmed, error) {
	s.once.Lock()
	defer s.once.Unlock()
	if s.identity != nil {
		if time.Until(s.identity.leaf.NotAfter) > 0 {
			return s.identity, nil
		}
		// What was signed stays signed: its time is confirmed. What comes needs another.
		s.options.Log.Debug("the certificate has expired; asking for another")
	}
	host := s.services.fulcio.Host
	got, err := s.askForCertificate(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s for a certificate: %w", host, err)
	}
	if err := got.check(s.key, s.token, time.Now()); err != nil {
		return nil, fmt.Errorf("the certificate of %s: %w", host, err)
	}
	s.options.Log.Info("confirmed", "identity", redact.Limited(got.subject, 300), "issuer", redact.Limited(got.issuer, 300),
		"by", host)
	s.identity = got
	return got, nil
}

func (s *signer) askForCertificate(ctx context.Context) (*confirmed, error) {
	public, err := s.key.GetPublicKeyPem()
	if err != nil {
		return nil, err
	}
	// The signature of the token's subject proves that we hold the key.
	proof, _, err := s.key.SignData(ctx, []byte(s.token.proven))
	if err != nil {
		return nil, err
	}
	req, err := post(ctx, s.services.fulcio, "api/v2/signingCert", map[string]any{
		"credentials": map[string]string{"oidcIdentityToken": s.token.raw},
		"publicKeyRequest": map[string]any{
			"publicKey":         map[string]string{"algorithm": s.key.GetKeyAlgorithm(), "content": public},
			"proofOfPossession": base64.StdEncoding.EncodeToString(proof),
		},
	})
	if err != nil {
		return nil, err
	}
	body, _, _, err := s.options.ask(ctx, req, s.token.secrets(), http.StatusOK, http.StatusCreated)
	if err != nil {
		return nil, refusedToken(err, s.token)
	}
	type chain struct {
		Chain struct {
			Certificates []string `json:"certificates"`
		} `json:"chain"`
	}
	var answer struct {
		Embedded chain `json:"signedCertificateEmbeddedSct"`
		Detached chain `json:"signedCertificateDetachedSct"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("the answer is not that of a Fulcio")
	}
	if len(answer.Detached.Chain.Certificates) > 0 {
		return nil, errors.New("it keeps the certificate's timestamps apart, where a bundle cannot hold them")
	}
	return readChain(answer.Embedded.Chain.Certificates)
}

// refusedToken says what the authority knows of the token when it refuses.
func refusedToken(err error, t token) error {
	return &advice.Error{Err: err, Hint: fmt.Sprintf("check that the authority accepts tokens of %s for the audience %s",
		redact.Limited(t.issuer, 200), redact.Limited(strings.Join(t.audience, ", "), 200))}
}

// maxChain bounds a chain of certificates.
const maxChain = 8

func readChain(texts []string) (*confirmed, error) {
	if len(texts) == 0 || len(texts) > maxChain {
		return nil, fmt.Errorf("it sends %d certificates", len(texts))
	}
	var all []*x509.Certificate
	for _, text := range texts {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errors.New("it sends something else than certificates")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("it sends no certificate: %w", err)
		}
		all = append(all, c)
	}
	leaf := all[0]
	names := cryptoutils.GetSubjectAlternateNames(leaf)
	if len(names) != 1 {
		return nil, fmt.Errorf("it names %d identities", len(names))
	}
	extensions, err := certificate.ParseExtensions(leaf.Extensions)
	if err != nil {
		return nil, fmt.Errorf("read its extensions: %w", err)
	}
	issuer := extensions.Issuer
	return &confirmed{leaf: leaf, chain: all[1:], subject: names[0], issuer: issuer}, nil
}

// check holds the certificate to what was asked for.
func (c *confirmed) check(key *keypair, t token, now time.Time) error {
	switch {
	case cryptoutils.EqualKeys(c.leaf.PublicKey, key.public) != nil:
		return errors.New("it is for another key")
	case now.Add(time.Minute).Before(c.leaf.NotBefore):
		return fmt.Errorf("it is valid from %s on; check the clocks", c.leaf.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(c.leaf.NotAfter):
		return fmt.Errorf("it has expired at %s; check the clocks", c.leaf.NotAfter.UTC().Format(time.RFC3339))
	case !slices.Contains(t.issuers(), c.issuer):
		return fmt.Errorf("it says that %q vouches for the identity, and the token is of %q", redact.Limited(c.issuer, 200),
			redact.Limited(t.issuer, 200))
	case t.email != "" && slices.Contains(c.leaf.EmailAddresses, c.subject) && c.subject != t.email:
		return fmt.Errorf("it is for another identity, %q", redact.Limited(c.subject, 200))
	}
	return nil
}

// chainPEM is the chain without the leaf, in PEM.
func (c *confirmed) chainPEM() string {
	var b bytes.Buffer
	for _, one := range c.chain {
		// It fails only for headers, of which there are none.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: one.Raw})
	}
	return b.String()
}
