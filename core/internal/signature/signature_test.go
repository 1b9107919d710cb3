package signature_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

const (
	subject = core.Digest("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	other   = core.Digest("sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	who     = "https://github.com/acme/app/.github/workflows/ci.yml@refs/heads/main"
	issuer  = "https://token.actions.githubusercontent.com"
)

func keyOf(t *testing.T, k signaturetest.Key) signature.Key {
	t.Helper()
	key, err := signature.ParseKey("cosign.pub", k.PEM(t))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOnlyTheTrustedKeySigns(t *testing.T) {
	mine, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	trust := signature.Trust{Keys: []signature.Key{keyOf(t, mine)}}
	sign := func(k signaturetest.Key, d core.Digest) []byte {
		return k.Bundle(t, signaturetest.Statement(t, d, signaturetest.SignType, nil))
	}
	good := sign(mine, subject)
	for _, tc := range []struct {
		name string
		m    signature.Material
		says string // nothing: it counts
	}{
		{"a bundle", signature.Material{Bundles: [][]byte{good}}, ""},
		{"the older form", signature.Material{Simple: []signature.Simple{mine.Simple(t, subject)}}, ""},
		{"one among others", signature.Material{Bundles: [][]byte{sign(foreign, subject), []byte("{"), good}}, ""},
		{"nothing", signature.Material{}, "no signature"},
		{"a foreign bundle", signature.Material{Bundles: [][]byte{sign(foreign, subject)}}, "cosign.pub: this key did not sign it"},
		{"a foreign signature of the older form", signature.Material{Simple: []signature.Simple{foreign.Simple(t, subject)}},
			"cosign.pub: this key did not sign it"},
		{"a bundle about something else", signature.Material{Bundles: [][]byte{sign(mine, other)}}, "artifact digest"},
		{"the older form about something else", signature.Material{Simple: []signature.Simple{mine.Simple(t, other)}}, "digest"},
		{"an attestation", signature.Material{Bundles: [][]byte{mine.Bundle(t, signaturetest.Statement(t, subject, "https://slsa.dev/provenance/v1", nil))}},
			"it is an attestation"},
		{"no bundle", signature.Material{Bundles: [][]byte{[]byte(`{"mediaType":"x"}`)}}, "not a Sigstore bundle"},
		{"a changed bundle", signature.Material{Bundles: [][]byte{bytes.Replace(good, []byte(`"payload":"`), []byte(`"payload":"AAAA`), 1)}}, "none of"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := trust.Signed(t.Context(), subject, tc.m)
			switch {
			case tc.says == "" && (err != nil || v.Signer != "cosign.pub"):
				t.Errorf("signed by %q, %v", v.Signer, err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("signed by %q, %v; want an error that says %q", v.Signer, err, tc.says)
			}
		})
	}
}

func TestOnlyTheTrustedIdentitySigns(t *testing.T) {
	mine, foreign := signaturetest.NewAuthority(t), signaturetest.NewAuthority(t)
	statement := signaturetest.Statement(t, subject, signaturetest.SignType, nil)
	good := mine.Bundle(t, who, issuer, statement)
	exact := signature.Identity{Subject: who, Issuer: issuer}
	for _, tc := range []struct {
		name   string
		id     signature.Identity
		bundle []byte
		ok     bool
	}{
		{"exact", exact, good, true},
		{"by patterns", signature.Identity{SubjectPattern: `https://github\.com/acme/.*`, IssuerPattern: `https://token\..*`}, good, true},
		{"another subject", exact, mine.Bundle(t, strings.Replace(who, "main", "evil", 1), issuer, statement), false},
		{"another issuer", exact, mine.Bundle(t, who, "https://gitlab.com", statement), false},
		{"half a pattern", signature.Identity{SubjectPattern: `https://github\.com/acme`, Issuer: issuer}, good, false},
		{"another authority", exact, foreign.Bundle(t, who, issuer, statement), false},
		{"a key", exact, signaturetest.NewKey(t).Bundle(t, statement), false},
		{"a trailing slash", exact, mine.Bundle(t, who, issuer+"/", statement), false},
		{"upper case", exact, mine.Bundle(t, strings.ToUpper(who), issuer, statement), false},
		{"a pattern that does not stop at lines", signature.Identity{SubjectPattern: `(?m)https://github\.com/acme/.*`, Issuer: issuer},
			mine.Bundle(t, "evil\nhttps://github.com/acme/app", issuer, statement), false},
		{"a name with a line in it", signature.Identity{SubjectPattern: `https://github\.com/acme/[^/]*`, Issuer: issuer},
			mine.Bundle(t, "https://github.com/acme/app\nevil", issuer, statement), false},
		{"about something else", exact, mine.Bundle(t, who, issuer, signaturetest.Statement(t, other, signaturetest.SignType, nil)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trust := signature.Trust{Identities: []signature.Identity{tc.id}, Root: mine.Root()}
			v, err := trust.Signed(t.Context(), subject, signature.Material{Bundles: [][]byte{tc.bundle}})
			if (err == nil) != tc.ok || tc.ok && v.Signer != who+" ("+issuer+")" {
				t.Errorf("signed by %q, %v", v.Signer, err)
			}
		})
	}
}

func TestASignatureWithoutATrustedTimeOrLogIsNone(t *testing.T) {
	a := signaturetest.NewAuthority(t)
	trust := signature.Trust{Identities: []signature.Identity{{Subject: who, Issuer: issuer}}, Root: a.Root()}
	for _, member := range []string{"tlogEntries", "timestampVerificationData"} {
		var b map[string]any
		if err := json.Unmarshal(a.Bundle(t, who, issuer, signaturetest.Statement(t, subject, signaturetest.SignType, nil)), &b); err != nil {
			t.Fatal(err)
		}
		material := b["verificationMaterial"].(map[string]any)
		if material[member] == nil {
			t.Fatalf("the bundle has no %s", member)
		}
		delete(material, member)
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		_, err = trust.Signed(t.Context(), subject, signature.Material{Bundles: [][]byte{raw}})
		if ok := err == nil; ok != (member == "timestampVerificationData") { // the log's time is one
			t.Errorf("without %s: %v", member, err)
		}
	}
}

func TestTrustWithoutWhatConfirmsItIsRefused(t *testing.T) {
	for name, trust := range map[string]signature.Trust{
		"no root":                    {Identities: []signature.Identity{{Subject: who, Issuer: issuer}}},
		"no issuer":                  {Identities: []signature.Identity{{Subject: who}}, Root: signaturetest.NewAuthority(t).Root()},
		"subject and pattern":        {Identities: []signature.Identity{{Subject: "nobody", SubjectPattern: ".*", Issuer: issuer}}, Root: signaturetest.NewAuthority(t).Root()},
		"a pattern that closes ours": {Identities: []signature.Identity{{SubjectPattern: "nobody)|(?:.*", Issuer: issuer}}, Root: signaturetest.NewAuthority(t).Root()},
		"bad pattern":                {Identities: []signature.Identity{{SubjectPattern: "(", Issuer: issuer}}, Root: signaturetest.NewAuthority(t).Root()},
	} {
		if _, err := trust.Signed(t.Context(), subject, signature.Material{}); err == nil || strings.Contains(err.Error(), "no signature") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := signature.ParseKey("x", []byte("-----BEGIN PUBLIC KEY-----\n")); err == nil {
		t.Error("half a key was read")
	}
	private := "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
	if _, err := signature.ParseKey("x", []byte(private)); err == nil || !strings.Contains(err.Error(), "it is a private key") {
		t.Errorf("a private key: %v", err)
	}
	if _, err := signature.ParseRoot([]byte("{}")); err == nil {
		t.Error("an empty root was read")
	}
}

func TestAnAttestationSaysWhatWasAttested(t *testing.T) {
	k := signaturetest.NewKey(t)
	trust := signature.Trust{Keys: []signature.Key{keyOf(t, k)}}
	raw := k.Bundle(t, signaturetest.Statement(t, subject, "https://openvex.dev/ns/v0.2.0", map[string]any{"author": "somebody"}))
	v, err := trust.Bundle(raw, subject)
	if err != nil || v.PredicateType != "https://openvex.dev/ns/v0.2.0" || !strings.Contains(string(v.Predicate), "somebody") {
		t.Errorf("%+v (%s), %v", v, v.Predicate, err)
	}
}

// FuzzBundle checks that no bundle of somebody else counts, and none makes the reader panic.
func FuzzBundle(f *testing.F) {
	k := signaturetest.NewKey(f)
	f.Add(k.Bundle(f, signaturetest.Statement(f, subject, signaturetest.SignType, nil)))
	f.Add(signaturetest.NewAuthority(f).Bundle(f, who, issuer, signaturetest.Statement(f, subject, signaturetest.SignType, nil)))
	key, err := signature.ParseKey("k", signaturetest.NewKey(f).PEM(f))
	if err != nil {
		f.Fatal(err)
	}
	trust := signature.Trust{Keys: []signature.Key{key}, Identities: []signature.Identity{{Subject: who, Issuer: issuer}},
		Root: signaturetest.NewAuthority(f).Root()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := trust.Bundle(raw, subject); err == nil {
			t.Fatalf("it counts as signed by %s", v.Signer)
		}
	})
}

// Each of them is asked for and verified, and a manifest has room for tens of thousands.
func TestSignaturesAreBounded(t *testing.T) {
	layer := fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1}`, signature.SimpleType, subject)
	for n, ok := range map[int]bool{2000: true, 2001: false} {
		fetched := 0
		manifest := `{"layers":[` + strings.Repeat(layer+",", n-1) + layer + `]}`
		m, err := signature.Read(t.Context(), [][]byte{[]byte(manifest)}, func(context.Context, core.Digest, int64) ([]byte, error) {
			fetched++
			return []byte("x"), nil
		})
		if (err == nil) != ok || fetched > 2000 || ok && len(m.Simple) != n {
			t.Errorf("of %d, %d are fetched: %v", n, fetched, err)
		}
	}
}

// What a trusted key signed counts only for what it says, of what it says it.
func TestAnEnvelopeThatIsOddDoesNotCount(t *testing.T) {
	k, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	trust := signature.Trust{Keys: []signature.Key{keyOf(t, k)}}
	digits := strings.TrimPrefix(string(subject), "sha256:")
	statement := func(kind, predicateType, subjects string) []byte {
		return fmt.Appendf(nil, `{"_type":%q,"subject":[%s],"predicateType":%q,"predicate":{}}`, kind, subjects, predicateType)
	}
	const v1 = "https://in-toto.io/Statement/v1"
	mine := `{"digest":{"sha256":"` + digits + `"}}`
	good := statement(v1, "https://example.invalid/x", mine)
	if _, err := trust.Bundle(k.Bundle(t, good), subject); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"another kind":            statement("https://example.invalid/Statement", "x", mine),
		"no predicate type":       statement(v1, "", mine),
		"no subject":              statement(v1, "x", ""),
		"no digest":               statement(v1, "x", `{"name":"`+string(subject)+`","digest":{}}`),
		"another algorithm":       statement(v1, "x", `{"digest":{"sha512":"`+digits+`"}}`),
		"the digest as algorithm": statement(v1, "x", `{"digest":{"`+digits+`":"sha256"}}`),
		"another digest":          statement(v1, "x", strings.Replace(mine, digits, strings.Repeat("1", 64), 1)),
		"half a digest":           statement(v1, "x", strings.Replace(mine, digits, digits[:32], 1)),
	} {
		if v, err := trust.Bundle(k.Bundle(t, raw), subject); err == nil {
			t.Errorf("%s, as a bundle: %+v", name, v)
		}
		if v, err := trust.Envelope(t.Context(), k.Envelope(t, raw), subject); err == nil {
			t.Errorf("%s, in the older form: %+v", name, v)
		}
	}
	envelope := func(change func(e map[string]any)) []byte {
		var b map[string]any
		if err := json.Unmarshal(k.Bundle(t, good), &b); err != nil {
			t.Fatal(err)
		}
		change(b["dsseEnvelope"].(map[string]any))
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var theirs struct {
		Envelope struct{ Signatures []any } `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(foreign.Bundle(t, good), &theirs); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"no signature":    envelope(func(e map[string]any) { e["signatures"] = []any{} }),
		"somebody else's": envelope(func(e map[string]any) { e["signatures"] = theirs.Envelope.Signatures }),
		"another type":    envelope(func(e map[string]any) { e["payloadType"] = "text/plain" }),
		"another payload": envelope(func(e map[string]any) { e["payload"] = "e30=" }),
		"two payloads":    bytes.Replace(k.Bundle(t, good), []byte(`"payload":`), []byte(`"payload":"e30=","payload":`), 1),
		"two, one not ours": envelope(func(e map[string]any) {
			e["signatures"] = append(theirs.Envelope.Signatures, e["signatures"].([]any)...)
		}),
		"no envelope":        []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""}}}`),
		"an empty signature": envelope(func(e map[string]any) { e["signatures"] = []any{map[string]any{"sig": ""}} }),
	} {
		if v, err := trust.Bundle(raw, subject); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestAWeakKeyIsNotTrusted(t *testing.T) {
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	odd.E = 3
	for name, public := range map[string]crypto.PublicKey{"P-224": small.Public(), "RSA with the exponent 3": odd.Public(),
		"RSA of 1024 bits": &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}} {
		text, err := cryptoutils.MarshalPublicKeyToPEM(public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signature.ParseKey("key.pub", text); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}

// Each part of what an identity signed is held to the others: a byte of any of them changed, or a part of another bundle in its
// place, and nothing counts.
func TestAChangedPartOfABundleDoesNotCount(t *testing.T) {
	a := signaturetest.NewAuthority(t)
	trust := signature.Trust{Identities: []signature.Identity{{Subject: who, Issuer: issuer}}, Root: a.Root()}
	read := func() *protobundle.Bundle {
		var b protobundle.Bundle
		raw := a.Bundle(t, who, issuer, signaturetest.Statement(t, subject, signaturetest.SignType, map[string]string{"a": "b"}))
		if err := protojson.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	other := read()
	material := func(b *protobundle.Bundle) *protobundle.VerificationMaterial { return b.GetVerificationMaterial() }
	for name, part := range map[string]func(b *protobundle.Bundle) *[]byte{
		"the statement":   func(b *protobundle.Bundle) *[]byte { return &b.GetDsseEnvelope().Payload },
		"the signature":   func(b *protobundle.Bundle) *[]byte { return &b.GetDsseEnvelope().Signatures[0].Sig },
		"the certificate": func(b *protobundle.Bundle) *[]byte { return &material(b).GetCertificate().RawBytes },
		"the log's entry": func(b *protobundle.Bundle) *[]byte { return &material(b).TlogEntries[0].CanonicalizedBody },
		"the log's promise": func(b *protobundle.Bundle) *[]byte {
			return &material(b).TlogEntries[0].InclusionPromise.SignedEntryTimestamp
		},
		"the log's name": func(b *protobundle.Bundle) *[]byte { return &material(b).TlogEntries[0].LogId.KeyId },
	} {
		t.Run(name, func(t *testing.T) {
			counts := func(b *protobundle.Bundle) error {
				raw, err := protojson.Marshal(b)
				if err != nil {
					t.Fatal(err)
				}
				_, err = trust.Bundle(raw, subject)
				return err
			}
			if err := counts(read()); err != nil {
				t.Fatal(err)
			}
			b := read()
			*part(b) = *part(other)
			if !bytes.Equal(*part(b), *part(read())) && counts(b) == nil {
				t.Error("that of another bundle counts")
			}
			whole := read()
			for i := 0; i < len(*part(whole)); i += 1 + len(*part(whole))/40 {
				b := proto.CloneOf(whole)
				(*part(b))[i] ^= 1
				if counts(b) == nil {
					t.Errorf("with byte %d changed it counts", i)
				}
			}
		})
	}
}

// The certificate of an identity is valid for minutes: without what tells that it was signed in them, it is worth nothing.
func TestAnExpiredCertificateWithoutATimestampIsRefused(t *testing.T) {
	a := signaturetest.NewAuthority(t)
	for name, root := range map[string]root.TrustedMaterial{"with a log": a.Root(), "without a log": unlogged{a.Root()}} {
		var b protobundle.Bundle
		raw := a.Bundle(t, who, issuer, signaturetest.Statement(t, subject, signaturetest.SignType, nil))
		if err := protojson.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		b.VerificationMaterial.TimestampVerificationData = nil
		b.VerificationMaterial.TlogEntries = nil
		raw, err := protojson.Marshal(&b)
		if err != nil {
			t.Fatal(err)
		}
		trust := signature.Trust{Identities: []signature.Identity{{Subject: who, Issuer: issuer}}, Root: root}
		if v, err := trust.Bundle(raw, subject); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// unlogged is a root that knows no log.
type unlogged struct{ root.TrustedMaterial }

// RekorLogs implements root.TrustedMaterial.
func (unlogged) RekorLogs() map[string]*root.TransparencyLog { return nil }
