package signature_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
)

const bill = "https://cyclonedx.org/bom"

func TestAnOlderAttestationCountsByItsSignerAndSubject(t *testing.T) {
	mine, foreign := signaturetest.NewKey(t), signaturetest.NewKey(t)
	trust := signature.Trust{Keys: []signature.Key{keyOf(t, mine)}}
	about := func(k signaturetest.Key, d core.Digest) signature.Envelope {
		return k.Envelope(t, signaturetest.Statement(t, d, bill, map[string]any{"x": 1}))
	}
	good := about(mine, subject)
	changed := func(change func(e map[string]any)) signature.Envelope {
		var e map[string]any
		if err := json.Unmarshal(good.Raw, &e); err != nil {
			t.Fatal(err)
		}
		change(e)
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return signature.Envelope{Raw: raw, Annotations: good.Annotations}
	}
	for _, tc := range []struct {
		name string
		e    signature.Envelope
		says string // nothing: it counts
	}{
		{"by the key", good, ""},
		{"by another key", about(foreign, subject), "cosign.pub"},
		{"about something else", about(mine, other), "something else"},
		{"of another type of payload", changed(func(e map[string]any) { e["payloadType"] = "text/plain" }), "not an in-toto statement"},
		{"with another statement", changed(func(e map[string]any) {
			var of struct{ Payload string }
			if err := json.Unmarshal(foreign.Envelope(t, signaturetest.Statement(t, subject, bill, map[string]any{"x": 2})).Raw, &of); err != nil {
				t.Fatal(err)
			}
			e["payload"] = of.Payload
		}), "cosign.pub"},
		{"unsigned", changed(func(e map[string]any) { e["signatures"] = []any{} }), "cosign.pub"},
		{"with a payload that is none", changed(func(e map[string]any) { e["payload"] = "%" }), "not base64"},
		{"no envelope", signature.Envelope{Raw: []byte("[]")}, "not an envelope"},
		{"with a bundle that is none", signature.Envelope{Raw: good.Raw, Annotations: map[string]string{"dev.sigstore.cosign/bundle": "{"}}, "annotation"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := trust.Envelope(t.Context(), tc.e, subject)
			switch {
			case tc.says == "" && (err != nil || v.Signer != "cosign.pub" || v.PredicateType != bill || string(v.Predicate) != `{"x":1}`):
				t.Errorf("got %+v, %v", v, err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("got %+v, %v; want an error that says %q", v, err, tc.says)
			}
		})
	}
	if _, err := (signature.Trust{}).Envelope(t.Context(), good, subject); err == nil {
		t.Error("somebody who trusts nobody believed it")
	}
}

func TestClaimsHaveNoSigner(t *testing.T) {
	key := signaturetest.NewKey(t)
	raw := key.Bundle(t, signaturetest.Statement(t, subject, bill, map[string]any{"x": 1}))
	v, err := signature.Claims(raw, subject)
	if err != nil || v.Signer != "" || v.PredicateType != bill || !bytes.Contains(v.Predicate, []byte(`"x"`)) {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, err := signature.Claims(raw, other); err == nil {
		t.Error("what is said of another digest was taken for this one")
	}
	if _, err := signature.Claims(raw, ""); err == nil {
		t.Error("what is said of a digest was taken for none")
	}
}

// FuzzClaims reads envelopes and bundles that nobody verified.
func FuzzClaims(f *testing.F) {
	key := signaturetest.NewKey(f)
	statement := signaturetest.Statement(f, subject, bill, map[string]any{"x": 1})
	f.Add(key.Bundle(f, statement))
	f.Add(key.Envelope(f, statement).Raw)
	f.Add([]byte(`{"dsseEnvelope":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, read := range []func() (signature.Verified, error){
			func() (signature.Verified, error) { return signature.Claims(raw, subject) },
			func() (signature.Verified, error) { return signature.Envelope{Raw: raw}.Claims(subject) },
		} {
			if v, err := read(); err == nil && v.Signer != "" {
				t.Errorf("nobody was verified, and it is signed by %q", v.Signer)
			}
		}
	})
}
