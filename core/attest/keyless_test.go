package attest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

// options are those of an identity that the small Sigstore confirms, with a log and timestamps.
func (s *smallSigstore) options(t *testing.T) SignerOptions {
	return SignerOptions{IdentityToken: tokenOf(t, nil), FulcioURL: s.server.URL, RekorURL: s.server.URL, TimestampURL: s.server.URL + "/api/v1/timestamp",
		TrustedRoot: s.root, Patience: impatient}
}

func (s *smallSigstore) trust(t *testing.T, o SignerOptions) signature.Trust {
	t.Helper()
	raw, err := o.document("trusted root", "", s.root)
	if err != nil {
		t.Fatal(err)
	}
	r, err := signature.ParseRoot(raw)
	if err != nil {
		t.Fatal(err)
	}
	return signature.Trust{Root: r, Identities: []signature.Identity{{Subject: testIdentity, Issuer: testIssuer}}}
}

func TestWhatAnIdentitySignsVerifiesInBothFormsWithOneCertificate(t *testing.T) {
	s := newSmallSigstore(t)
	for name, change := range map[string]func(*SignerOptions){
		"log and timestamps": func(*SignerOptions) {},
		"log":                func(o *SignerOptions) { o.TimestampURL = "" },
		"no root":            func(o *SignerOptions) { o.TrustedRoot = "" },
	} {
		t.Run(name, func(t *testing.T) {
			o := s.options(t)
			change(&o)
			before := s.asked.Load()
			signer, err := NewSigner(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			holdsBothForms(t, signer, s.trust(t, o))
			if n := s.asked.Load() - before; n != 1 {
				t.Errorf("%d certificates were asked for", n)
			}
			if !signer.LegacyByDefault() || !slices.Equal(signer.Hosts(), []string{hostOf(t, s.server.URL)}) {
				t.Errorf("older form %t, hosts %q", signer.LegacyByDefault(), signer.Hosts())
			}
		})
	}
}

func TestAKeyIsLoggedAndStampedToo(t *testing.T) {
	s := newSmallSigstore(t)
	private := newECDSA(t)
	signer, err := NewSigner(t.Context(), SignerOptions{Key: fileOf(t, inPEM("PRIVATE KEY", pkcs8(t, private))), RekorURL: s.server.URL,
		TimestampURL: s.server.URL + "/api/v1/timestamp", TrustedRoot: s.root, Patience: impatient})
	if err != nil {
		t.Fatal(err)
	}
	holdsBothForms(t, signer, trustIn(t, private.Public()))
	raw, err := signer.SignStatement(t.Context(), statementOf(t, digest))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"tlogEntries", "rfc3161Timestamps", "inclusionPromise", "checkpoint"} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("the bundle has no %s", part)
		}
	}
}

func TestACertificateForSomethingElseIsNotUsed(t *testing.T) {
	other := newECDSA(t)
	for says, spoil := range map[string]func(*x509.Certificate){
		"it is for another key":      func(c *x509.Certificate) { c.PublicKey = other.Public() },
		"it is for another identity": func(c *x509.Certificate) { c.EmailAddresses = []string{"evil@example.invalid"} },
		"it names 2 identities":      func(c *x509.Certificate) { c.EmailAddresses = append(c.EmailAddresses, "evil@example.invalid") },
		"it has expired":             func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) },
		"it is valid from":           func(c *x509.Certificate) { c.NotBefore = time.Now().Add(5 * time.Minute) },
		"vouches for the identity": func(c *x509.Certificate) {
			value, _ := asn1.MarshalWithParams("https://evil.example", "utf8")
			c.ExtraExtensions = []pkix.Extension{{Id: issuerOID, Value: value}}
		},
		"does not verify": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	} {
		t.Run(says, func(t *testing.T) {
			s := newSmallSigstore(t)
			s.spoil = spoil
			o := s.options(t)
			signer, err := NewSigner(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := signer.SignStatement(t.Context(), statementOf(t, digest))
			if err == nil || !strings.Contains(err.Error(), says) && says != "does not verify" {
				t.Fatalf("signed %d bytes, %v", len(raw), err)
			}
			if strings.Contains(err.Error(), o.IdentityToken) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

// Another authority's certificates, and another log's entries, are noticed before anything is published.
func TestServicesThatTheTrustedRootDoesNotKnowAreRefused(t *testing.T) {
	mine, foreign := newSmallSigstore(t), newSmallSigstore(t)
	for name, change := range map[string]func(*SignerOptions){
		"authority": func(o *SignerOptions) { o.FulcioURL = foreign.server.URL },
		"log":       func(o *SignerOptions) { o.RekorURL = foreign.server.URL },
		"stamps":    func(o *SignerOptions) { o.TimestampURL = foreign.server.URL + "/api/v1/timestamp" },
	} {
		o := mine.options(t)
		change(&o)
		signer, err := NewSigner(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := signer.SignStatement(t.Context(), statementOf(t, digest)); err == nil {
			t.Errorf("%s: signed %d bytes", name, len(raw))
		}
		payload, err := Payload("app", digest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signer.SignPayload(t.Context(), payload); err == nil {
			t.Errorf("%s: signed a payload", name)
		}
	}
}

// TestServicesThatMisbehaveGetAndShowNoSecret lets each service answer badly: redirects to elsewhere, pages, floods, half
// answers, and repetitions of what it was told.
func TestServicesThatMisbehaveGetAndShowNoSecret(t *testing.T) {
	var told []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told = append(told, r.Header.Get("Authorization")+string(body))
	}))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}, "sends to another server"},
		"page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in") }, "not that of a Fulcio"},
		"flood": {func(w http.ResponseWriter, _ *http.Request) {
			for range 2 * maxAnswer / 1024 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		}, "answers with more than"},
		"empty":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }, "0 certificates"},
		"unavailable": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503"},
		"repeats": {func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Credentials struct{ OidcIdentityToken string } `json:"credentials"`
			}
			_ = json.NewDecoder(r.Body).Decode(&asked)
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": "the token " + asked.Credentials.OidcIdentityToken + " is refused"})
		}, "is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmallSigstore(t)
			s.answer = tc.answer
			o := s.options(t)
			var logged strings.Builder
			o.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &logged})
			signer, err := NewSigner(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = signer.SignStatement(t.Context(), statementOf(t, digest))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v; want an error that says %q", err, tc.says)
			}
			if shown := err.Error() + core.HintOf(err) + logged.String(); strings.Contains(shown, o.IdentityToken[:60]) {
				t.Errorf("the token is shown: %s", shown)
			}
		})
	}
	if len(told) > 0 {
		t.Errorf("another server was told %q", told)
	}
	s := newSmallSigstore(t)
	s.half = true
	signer, err := NewSigner(t.Context(), s.options(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.SignStatement(t.Context(), statementOf(t, digest)); err == nil || !strings.Contains(err.Error(), "half an entry") {
		t.Errorf("half an entry of a log: %v", err)
	}
}

const rightToAsk = "right-to-ask-for-tokens"

func TestGitHubIsAskedForATokenAndNobodyElse(t *testing.T) {
	var told []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = append(told, r.Header.Get("Authorization")) }))
	defer elsewhere.Close()
	given := tokenOf(t, nil)
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		says   string // nothing: it is taken
	}{
		"a token": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+rightToAsk || r.URL.Query().Get("audience") != audience || r.URL.Query().Get("api-version") != "2.0" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "value": given})
		}, ""},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "sends to another server"},
		"page":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in") }, "answers without one"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"value": strings.Repeat("x", maxSecret+1)})
		}, "answers without one"},
		"no token": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":"abc"}`) }, "holds no identity token"},
		"refuses": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": r.Header.Get("Authorization") + " may not"})
		}, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			defer server.Close()
			o := SignerOptions{Patience: impatient, Getenv: environment(map[string]string{variableGitHubURL: server.URL + "/token?api-version=2.0",
				variableGitHubToken: rightToAsk})}.filled()
			got, err := o.identityToken(t.Context())
			switch {
			case tc.says == "" && (err != nil || got.raw != given):
				t.Errorf("%v", err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), rightToAsk[:12])):
				t.Errorf("%v; want an error that says %q and not with what right we ask", err, tc.says)
			}
		})
	}
	if len(told) > 0 {
		t.Errorf("another server was told %q", told)
	}
	for _, address := range []string{"http://github.example/token", "https://u:p@github.example/", "://"} {
		o := SignerOptions{Patience: impatient, Getenv: environment(map[string]string{variableGitHubURL: address, variableGitHubToken: rightToAsk})}.filled()
		if _, err := o.identityToken(t.Context()); err == nil || strings.Contains(err.Error(), rightToAsk) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestATokenThatIsNoneIsRefusedWithoutShowingIt(t *testing.T) {
	for name, text := range map[string]string{
		"expired":  tokenOf(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"nobody":   tokenOf(t, map[string]any{"sub": ""}),
		"no claim": "eyJhbGciOiJFUzI1NiJ9.WzFd.c2ln",
		"two":      "eyJhbGciOiJFUzI1NiJ9.eyJzZWNyZXQiOjF9",
		"garbage":  "secret-secret-secret",
		"empty":    "",
	} {
		s := newSmallSigstore(t)
		o := s.options(t)
		o.IdentityToken = fileOf(t, []byte(text+"\n"))
		_, err := NewSigner(t.Context(), o)
		if err == nil || !core.Usage(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if _, err := NewSigner(t.Context(), SignerOptions{PublicLog: true, TrustedRoot: newSmallSigstore(t).root}); err == nil || !strings.Contains(err.Error(), "there is no identity token") {
		t.Errorf("%v", err)
	}
}

func TestAnIdentityNeedsWhatTellsTheTimeAndConsentToWhatIsPublic(t *testing.T) {
	s := newSmallSigstore(t)
	o := SignerOptions{IdentityToken: tokenOf(t, nil), FulcioURL: s.server.URL, TrustedRoot: s.root}
	if _, err := NewSigner(t.Context(), o); err == nil || !strings.Contains(err.Error(), "nothing would confirm when") {
		t.Errorf("%v", err)
	}
	for name, change := range map[string]func(*SignerOptions){
		"log":       func(o *SignerOptions) { o.RekorURL = "https://rekor.sigstore.dev" },
		"authority": func(o *SignerOptions) { o.FulcioURL, o.RekorURL = "https://FULCIO.sigstore.dev", s.server.URL },
	} {
		p := o
		change(&p)
		if _, err := NewSigner(t.Context(), p); err == nil || !strings.Contains(err.Error(), "is public") {
			t.Errorf("%s: %v", name, err)
		}
		for _, agree := range []func(*SignerOptions){func(o *SignerOptions) { o.PublicLog = true }, func(o *SignerOptions) { o.PublicImage = true }} {
			q := p
			agree(&q)
			if _, err := NewSigner(t.Context(), q); err != nil {
				t.Errorf("%s, with consent: %v", name, err)
			}
		}
	}
}

// FuzzReadToken checks that no token makes the reader panic, and that each that is read names somebody.
func FuzzReadToken(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2kiLCJzdWIiOiJzIiwiYXVkIjpbImEiXX0.c2ln")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		if got, err := readToken(raw); err == nil && (got.issuer == "" || got.proven == "") {
			t.Fatalf("%+v", got)
		}
	})
}
