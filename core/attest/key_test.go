package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

const password = "correct horse battery staple"

// keyKinds are keys that cosign makes or imports.
func keyKinds(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	made := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = k
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made["RSA"], made["Ed25519"] = r, e
	return made
}

func pkcs8(t *testing.T, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// sealed is a key as cosign writes it.
func sealed(t *testing.T, k crypto.Signer, password string) []byte {
	t.Helper()
	der, err := encrypted.EncryptWithCustomKDFParameters(pkcs8(t, k), []byte(password), encrypted.Legacy)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("ENCRYPTED SIGSTORE PRIVATE KEY", der)
}

func fileOf(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func trustIn(t *testing.T, public crypto.PublicKey) signature.Trust {
	t.Helper()
	text, err := cryptoutils.MarshalPublicKeyToPEM(public)
	if err != nil {
		t.Fatal(err)
	}
	k, err := signature.ParseKey("cosign.pub", text)
	if err != nil {
		t.Fatal(err)
	}
	return signature.Trust{Keys: []signature.Key{k}}
}

func statementOf(t *testing.T, d ...core.Digest) []byte {
	t.Helper()
	s := Statement{PredicateType: TypeSignature, Predicate: []byte(`{}`)}
	for _, one := range d {
		s.Subjects = append(s.Subjects, Subject{Digest: one})
	}
	raw, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestWhatAKeySignsVerifiesInBothForms(t *testing.T) {
	for name, private := range keyKinds(t) {
		t.Run(name, func(t *testing.T) {
			variables := map[string]string{"KEY": string(inPEM("PRIVATE KEY", pkcs8(t, private))), "COSIGN_PASSWORD": password}
			for _, key := range []string{"env://KEY", fileOf(t, sealed(t, private, password))} {
				s, err := NewSigner(t.Context(), SignerOptions{Key: key, Getenv: environment(variables)})
				if err != nil {
					t.Fatal(err)
				}
				holdsBothForms(t, s, trustIn(t, private.Public()))
				if !s.LegacyByDefault() || len(s.Hosts()) != 0 {
					t.Errorf("the older form by default: %t; hosts: %q", s.LegacyByDefault(), s.Hosts())
				}
			}
		})
	}
}

// holdsBothForms signs in both forms and verifies both.
func holdsBothForms(t *testing.T, s Signer, trust signature.Trust) {
	t.Helper()
	raw, err := s.SignStatement(t.Context(), statementOf(t, otherDigest, digest))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := Payload("registry.example/app", digest)
	if err != nil {
		t.Fatal(err)
	}
	simple, err := s.SignPayload(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []signature.Material{{Bundles: [][]byte{raw}}, {Simple: []signature.Simple{simple}}} {
		if _, err := trust.Signed(t.Context(), digest, m); err != nil {
			t.Errorf("it does not verify: %v", err)
		}
		if _, err := trust.Signed(t.Context(), thirdDigest, m); err == nil {
			t.Error("it verifies for another digest")
		}
	}
}

const (
	otherDigest = core.Digest("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	thirdDigest = core.Digest("sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
)

func TestAKeyThatCannotSignIsRefusedWithoutShowingIt(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain, closed := inPEM("PRIVATE KEY", pkcs8(t, private)), sealed(t, private, password)
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	weak, err := x509.ParsePKCS8PrivateKey(weakRSA(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		o    SignerOptions
		says string
	}{
		"no file":            {SignerOptions{Key: "/nowhere/cosign.key"}, "there is no file"},
		"a folder":           {SignerOptions{Key: t.TempDir()}, "directory"},
		"wrong password":     {SignerOptions{Key: fileOf(t, closed), Getenv: environment(map[string]string{"COSIGN_PASSWORD": "tr0ub4dor"})}, "cannot be decrypted with the password of the variable COSIGN_PASSWORD"},
		"no password":        {SignerOptions{Key: fileOf(t, closed)}, "holds no password"},
		"wrong file":         {SignerOptions{Key: fileOf(t, closed), PasswordFile: fileOf(t, []byte("tr0ub4dor\n"))}, "cannot be decrypted"},
		"cut off":            {SignerOptions{Key: fileOf(t, plain[:len(plain)/2])}, "no whole key"},
		"cut inside":         {SignerOptions{Key: fileOf(t, inPEM("PRIVATE KEY", pkcs8(t, private)[:60]))}, "no whole private key"},
		"cut ciphertext":     {SignerOptions{Key: fileOf(t, inPEM("ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`{"kdf":`))), Getenv: environment(map[string]string{"COSIGN_PASSWORD": password})}, "cannot be decrypted"},
		"empty":              {SignerOptions{Key: fileOf(t, nil)}, "no whole key"},
		"a public key":       {SignerOptions{Key: fileOf(t, public)}, "it is a public key"},
		"a certificate":      {SignerOptions{Key: fileOf(t, inPEM("CERTIFICATE", []byte("x")))}, "not read"},
		"OpenSSL's own":      {SignerOptions{Key: fileOf(t, inPEM("ENCRYPTED PRIVATE KEY", []byte("x")))}, "not read"},
		"a weak key":         {SignerOptions{Key: fileOf(t, inPEM("PRIVATE KEY", pkcs8(t, weak.(crypto.Signer))))}, "too weak"},
		"an empty variable":  {SignerOptions{Key: "env://NONE"}, "NONE is empty or not set"},
		"no variable":        {SignerOptions{Key: "env://A B"}, "does not name a variable"},
		"a huge variable":    {SignerOptions{Key: "env://HUGE", Getenv: environment(map[string]string{"HUGE": strings.Repeat(password, 1<<14)})}, "more than a key"},
		"pasted":             {SignerOptions{Key: string(plain)}, "the key itself stands where its name belongs"},
		"a huge file":        {SignerOptions{Key: fileOf(t, make([]byte, maxSecret+1))}, "exceeds the limit"},
		"a log that cannot":  {SignerOptions{Key: fileOf(t, plain), RekorURL: "http://log.example"}, "not encrypted"},
		"a log with a login": {SignerOptions{Key: fileOf(t, plain), RekorURL: "https://user:tr0ub4dor@log.example"}, "more than host and path"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSigner(context.Background(), tc.o)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v; want an error that says %q", err, tc.says)
			}
			hidesSecrets(t, err.Error()+core.HintOf(err), plain, closed)
		})
	}
}

// hidesSecrets checks that no line of a key and no password is in a text.
func hidesSecrets(t *testing.T, text string, keys ...[]byte) {
	t.Helper()
	secrets := []string{password, "tr0ub4dor"}
	for _, k := range keys {
		for line := range strings.Lines(string(k)) {
			if !strings.HasPrefix(line, "-----") {
				secrets = append(secrets, strings.TrimSpace(line))
			}
		}
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q shows the secret %q", text, s)
		}
	}
}

// weakRSA is a key that nobody should sign with.
func weakRSA(t *testing.T) []byte {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skipf("this Go makes no weak keys: %v", err)
	}
	return pkcs8(t, k)
}
