package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	reference "github.com/in-toto/attestation/go/predicates/reference/v0"
	vsa "github.com/in-toto/attestation/go/predicates/vsa/v1"
	vulns "github.com/in-toto/attestation/go/predicates/vulns/v02"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/signature"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("", 3600))

// strictly reads a predicate with in-toto's own types, which refuse members that they do not know.
func strictly(t *testing.T, raw []byte, err error, into proto.Message) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
}

// withoutVersion leaves out the verifier's version, which SLSA has had since 1.1 and the types of in-toto do not have.
//
// https://slsa.dev/spec/v1.1/verification_summary#verifier.version
func withoutVersion(t *testing.T, raw []byte) []byte {
	t.Helper()
	var members map[string]json.RawMessage
	var verifier map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &members), json.Unmarshal(members["verifier"], &verifier)); err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	delete(verifier, "version")
	var errs [2]error
	members["verifier"], errs[0] = json.Marshal(verifier)
	raw, errs[1] = json.Marshal(members)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestASummaryIsReadByTheTypesOfInToto(t *testing.T) {
	s := Summary{Version: "1.2.3", Verified: noon, Resource: "registry.example/app", Passed: true,
		Policy: core.PolicyRef{Name: "strict", Digest: digest}, Inputs: []Resource{{URI: "registry.example/app", Digest: digest}}}
	raw, err := s.Encode()
	var got vsa.VerificationSummary
	strictly(t, withoutVersion(t, raw), err, &got)
	if got.GetVerificationResult() != "PASSED" || got.GetVerifier().GetId() != VerifierID ||
		got.GetTimeVerified().AsTime() != time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC) ||
		"sha256:"+got.GetPolicy().GetDigest()["sha256"] != string(digest) || len(got.GetInputAttestations()) != 1 {
		t.Errorf("got %v", &got)
	}
	if again, err := s.Encode(); err != nil || !bytes.Equal(raw, again) {
		t.Errorf("the same summary gives other bytes: %s, %v", again, err)
	}
}

func TestWhatDidNotPassClaimsNoLevel(t *testing.T) {
	raw, err := Summary{Verified: noon, Policy: core.PolicyRef{Digest: digest}}.Encode()
	var got vsa.VerificationSummary
	strictly(t, withoutVersion(t, raw), err, &got)
	if levels := got.GetVerifiedLevels(); got.GetVerificationResult() != "FAILED" || len(levels) != 1 || levels[0] != "FAILED" {
		t.Errorf("got %v", &got)
	}
}

func TestVulnerabilitiesAreReadByTheTypesOfInTotoAndHideNothing(t *testing.T) {
	v := Vulnerabilities{Scanner: VerifierID, Version: "1.2.3", Started: noon, Finished: noon.Add(time.Second),
		Database: core.AdvisorySource{Name: "registry.example/advisories", Digest: digest, AsOf: noon},
		Findings: []core.Finding{
			{Kind: core.KindVulnerability, Rule: "CVE-2026-1", Severity: core.SeverityHigh, Vector: "CVSS:3.1/AV:N",
				Package: &core.PackageRef{Purl: "pkg:deb/debian/curl@1"}},
			{Kind: core.KindSecret, Rule: "key"},
		},
		Judged: func(core.Finding) (string, string) { return "ignored", "waiver W-1" }}
	raw, err := v.Encode()
	var got vulns.Vulns
	strictly(t, raw, err, &got)
	results := got.GetScanner().GetResult()
	if len(results) != 1 || results[0].GetId() != "CVE-2026-1" || len(results[0].GetSeverity()) != 2 {
		t.Fatalf("got %v", results)
	}
	said := results[0].GetAnnotations()[0].AsMap()
	if said["outcome"] != "ignored" || said["reason"] != "waiver W-1" || said["package"] != "pkg:deb/debian/curl@1" {
		t.Errorf("what was waived is told as %v", said)
	}
}

func TestProvenanceClaimsOnlyWhatIsKnown(t *testing.T) {
	raw, err := Build{Builder: "https://ci.example/runner", Type: "https://ci.example/type"}.Encode()
	want := `{"buildDefinition":{"buildType":"https://ci.example/type","externalParameters":{}},` +
		`"runDetails":{"builder":{"id":"https://ci.example/runner"}}}`
	if err != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, err)
	}
	raw, err = Build{Builder: "https://ci.example/runner", Type: "https://ci.example/type", Invocation: "https://ci.example/1",
		Source: "git+https://git.example/app", Revision: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc71",
		Parameters: map[string]string{"ref": "main"}, Started: noon, Finished: noon}.Encode()
	var got provenance.Provenance
	strictly(t, raw, err, &got)
	if d := got.GetBuildDefinition().GetResolvedDependencies(); len(d) != 1 || d[0].GetDigest()["gitCommit"] == "" {
		t.Errorf("got %v", d)
	}
}

func TestAReferenceIsReadByTheTypesOfInToto(t *testing.T) {
	raw, err := EncodeReference(VerifierID, Resource{URI: "registry.example/app", Digest: digest, MediaType: "application/json"})
	var got reference.Reference
	strictly(t, raw, err, &got)
	if r := got.GetReferences(); len(r) != 1 || r[0].GetDigest()["sha256"] == "" {
		t.Errorf("got %v", r)
	}
}

func TestASummaryCountsOnlyIfItSaysWhatIsDemanded(t *testing.T) {
	other := core.Digest("sha256:" + strings.Repeat("0", 64))
	good := Summary{Verified: noon, Resource: "registry.example/app", Policy: core.PolicyRef{Digest: digest}, Passed: true}
	demands := SummaryDemands{Policy: digest, MaxAge: time.Hour, Resource: "registry.example/app"}
	for name, c := range map[string]struct {
		change func(*Summary)
		after  time.Duration
		why    string
	}{
		"good":           {after: time.Hour},
		"stale":          {after: 2 * time.Hour, why: "2h0m0s ago"},
		"of the future":  {after: -time.Hour, why: "in the future"},
		"did not pass":   {change: func(s *Summary) { s.Passed = false }, why: `its result is "FAILED"`},
		"another policy": {change: func(s *Summary) { s.Policy.Digest = other }, why: "about the policy"},
		"another name":   {change: func(s *Summary) { s.Resource = "registry.example/tool" }, why: "registry.example/tool"},
	} {
		s := good
		if c.change != nil {
			c.change(&s)
		}
		raw, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = demands.Read(raw, noon.Truncate(time.Second).Add(c.after))
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: got %v, want %q", name, err, c.why)
		}
	}
}

func FuzzSummaryDemands(f *testing.F) {
	raw, err := Summary{Verified: noon, Policy: core.PolicyRef{Digest: digest}, Passed: true}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(raw))
	f.Add([]byte(`{"verifier":null,"policy":{"digest":null}}`))
	f.Add([]byte(`{"timeVerified":"9999-12-31T23:59:60Z","verificationResult":"PASSED"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := SummaryDemands{Policy: digest, MaxAge: time.Hour}.Read(raw, noon)
		if err == nil && (got.PolicyDigest != digest || got.Verifier != VerifierID || noon.Sub(got.Verified) > time.Hour) {
			t.Errorf("%s counts as %+v", raw, got)
		}
	})
}

// The latest verdict by a policy is the one that counts, in whatever order they lie there.
func TestAVerdictThatDidNotPassTakesBackEarlierOnes(t *testing.T) {
	other := core.Digest("sha256:" + strings.Repeat("0", 64))
	made := func(hour int, passed bool, policy core.Digest) signature.Verified {
		raw, err := Summary{Verified: noon.Add(time.Duration(hour) * time.Hour), Passed: passed, Policy: core.PolicyRef{Digest: policy}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return signature.Verified{Signer: fmt.Sprint("key ", hour), PredicateType: TypeVSA, Predicate: raw}
	}
	elsewhere := made(2, false, digest)
	elsewhere.Predicate = json.RawMessage(strings.ReplaceAll(string(elsewhere.Predicate), VerifierID, "https://verifier.example"))
	for name, c := range map[string]struct {
		said    []signature.Verified
		by, why string
	}{
		"none":                   {nil, "", ""},
		"passed":                 {[]signature.Verified{made(1, true, digest)}, "key 1", ""},
		"passed twice":           {[]signature.Verified{made(1, true, digest), made(3, true, digest), made(2, true, digest)}, "key 3", ""},
		"failed":                 {[]signature.Verified{made(1, false, digest)}, "", "did not pass"},
		"passed, then failed":    {[]signature.Verified{made(1, true, digest), made(2, false, digest)}, "", "and did not at"},
		"in another order":       {[]signature.Verified{made(2, false, digest), made(1, true, digest)}, "", "and did not at"},
		"at once":                {[]signature.Verified{made(1, false, digest), made(1, true, digest)}, "", "and did not at"},
		"failed, then passed":    {[]signature.Verified{made(1, false, digest), made(2, true, digest)}, "key 2", "did not pass"},
		"failed another policy":  {[]signature.Verified{made(1, true, digest), made(2, false, other)}, "key 1", "about the policy"},
		"failed in the future":   {[]signature.Verified{made(1, true, digest), made(20, false, digest)}, "key 1", "in the future"},
		"failed another program": {[]signature.Verified{made(1, true, digest), elsewhere}, "key 1", "its verifier is"},
	} {
		latest, by, reasons := SummaryDemands{Policy: digest}.Latest(c.said, noon.Add(4*time.Hour))
		if by != c.by || (latest != nil) != (c.by != "") || !strings.Contains(strings.Join(reasons, "\n"), c.why) {
			t.Errorf("%s: %+v by %q, %q", name, latest, by, reasons)
		}
	}
}
