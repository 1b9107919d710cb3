package attest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
)

var update = flag.Bool("update", false, "write the golden files")

// statements are one of each predicate with all that it can say, and with as little as it can.
func statements() map[string]struct {
	kind    string
	encoded func() (json.RawMessage, error)
} {
	other := core.Digest("sha256:" + "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
	score := 9.8
	scan := Vulnerabilities{Scanner: VerifierID, Version: "1.2.3", Started: noon, Finished: noon.Add(90 * time.Second),
		Database: core.AdvisorySource{Name: "registry.example/advisories", Digest: other, AsOf: noon.Add(-time.Hour)},
		Findings: []core.Finding{
			{Kind: core.KindVulnerability, Rule: "CVE-2026-0001", Severity: core.SeverityCritical, Vector: "CVSS:3.1/AV:N/AC:L", Score: &score,
				Package: &core.PackageRef{Purl: "pkg:deb/debian/curl@1"}, Fix: core.Fix{State: core.FixAvailable, Version: "2"}},
			{Kind: core.KindVulnerability, Rule: "GHSA-aaaa-bbbb-cccc\x1b<b>"},
			{Kind: core.KindSecret, Rule: "key", Title: "which is no vulnerability"},
		},
		Judged: func(f core.Finding) (string, string) {
			if f.Fix.Version != "" {
				return "fail", "severe-with-fix"
			}
			return "ignore", "waiver W-1"
		}}
	summary := Summary{Version: "1.2.3", Verified: noon, Resource: "registry.example/app", Passed: true,
		Policy: core.PolicyRef{Name: "strict", Digest: other}, Inputs: []Resource{{URI: "registry.example/app", Digest: other, MediaType: "application/json"}}}
	failed := summary
	failed.Passed, failed.Inputs = false, nil
	build := Build{Builder: "https://ci.example/runner", Type: "https://ci.example/type", Invocation: "https://ci.example/runs/1",
		Source: "git+https://git.example/app", Revision: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc71",
		Parameters: map[string]string{"workflow": ".ci/build.yml", "ref": "refs/heads/main"}, Started: noon, Finished: noon.Add(time.Minute)}
	type made = struct {
		kind    string
		encoded func() (json.RawMessage, error)
	}
	return map[string]made{
		"vulns":            {TypeVulns, scan.Encode},
		"vulns-least":      {TypeVulns, Vulnerabilities{Scanner: VerifierID, Started: noon, Finished: noon}.Encode},
		"vsa-passed":       {TypeVSA, summary.Encode},
		"vsa-failed":       {TypeVSA, failed.Encode},
		"provenance":       {TypeProvenance, build.Encode},
		"provenance-least": {TypeProvenance, Build{Builder: "https://ci.example/runner", Type: "https://ci.example/type"}.Encode},
		"reference": {TypeReference, func() (json.RawMessage, error) {
			return EncodeReference(VerifierID, Resource{URI: "registry.example/app", Digest: other, MediaType: "application/vnd.cyclonedx+json"})
		}},
	}
}

// What others verify and read must not change unnoticed.
func TestStatementsAreAsTheGoldenFiles(t *testing.T) {
	provenance := provenanceSchema(t)
	for name, s := range statements() {
		t.Run(name, func(t *testing.T) {
			predicate, err := s.encoded()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := Statement{Subjects: []Subject{{"registry.example/app", digest}}, PredicateType: s.kind, Predicate: predicate}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if s.kind == TypeProvenance && provenance != nil {
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
				if err == nil {
					err = provenance.Validate(value)
				}
				if err != nil {
					t.Error(err)
				}
			}
			var got bytes.Buffer
			if err := json.Indent(&got, raw, "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("it differs from %s (-want +got); run with -update if that is meant:\n%s", file, diff)
			}
		})
	}
}

// provenanceSchema is SLSA's schema of a statement with provenance, or nil where the shared data is not beside the repository.
// Of the other predicates there is none; the types of in-toto read those.
func provenanceSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../../shared/schemas/slsa/slsa_provenance_v1.json")
	if err != nil {
		t.Logf("provenance is not held to SLSA's schema, for the shared data is not beside the repository: %v", err)
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("provenance.json", value); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("provenance.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
