package attest

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

const digest = core.Digest("sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")

func TestAStatementIsEncodedAsInTotoHasIt(t *testing.T) {
	s := Statement{Subjects: []Subject{{"registry.example/app", digest}, {Digest: digest}},
		PredicateType: TypeVSA, Predicate: []byte(`{"verificationResult": "PASSED"}`)}
	raw, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(string(digest), "sha256:")
	want := `{"_type":"https://in-toto.io/Statement/v1","subject":[` +
		`{"name":"registry.example/app","digest":{"sha256":"` + hex + `"}},{"digest":{"sha256":"` + hex + `"}}],` +
		`"predicateType":"https://slsa.dev/verification_summary/v1","predicate":{"verificationResult":"PASSED"}}`
	if string(raw) != want {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
}

func TestWhatIsNoStatementIsNotEncoded(t *testing.T) {
	about := []Subject{{Digest: digest}}
	for name, s := range map[string]Statement{
		"no subject":       {PredicateType: TypeVSA, Predicate: []byte(`{}`)},
		"no digest":        {Subjects: []Subject{{Name: "app"}}, PredicateType: TypeVSA, Predicate: []byte(`{}`)},
		"no type":          {Subjects: about, Predicate: []byte(`{}`)},
		"no predicate":     {Subjects: about, PredicateType: TypeVSA},
		"another value":    {Subjects: about, PredicateType: TypeVSA, Predicate: []byte(`"text"`)},
		"no JSON at all":   {Subjects: about, PredicateType: TypeVSA, Predicate: []byte(`{`)},
		"something beside": {Subjects: about, PredicateType: TypeVSA, Predicate: []byte(`{} {}`)},
	} {
		if raw, err := s.Encode(); err == nil {
			t.Errorf("%s: encoded as %s", name, raw)
		}
	}
}
