package vuln

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

const elsewhere = core.Digest("sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")

// openVEX writes a document of one statement about products, which is JSON.
func openVEX(status, extra, vulnerability, products string) string {
	return fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.org/vex/1","author":"nobody",
		"timestamp":"2026-01-02T03:04:05Z","version":1,"statements":[{"vulnerability":{"name":%q},"products":[%s],"status":%q%s}]}`,
		vulnerability, products, status, extra)
}

const because = `,"justification":"vulnerable_code_not_present"`

func parseVEX(t *testing.T, raw string) *VEX {
	t.Helper()
	d, err := ParseVEX("vex.json", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	d.TrustedBy = "policy"
	return d
}

// flawed is evidence of an index with a platform, which holds a package with a flaw.
func flawed() *core.Evidence {
	return &core.Evidence{
		Subjects: []core.Subject{{Kind: core.KindIndex, Digest: elsewhere}, {Kind: core.KindImage, Digest: subject, Parent: elsewhere}},
		Findings: []core.Finding{{Kind: core.KindVulnerability, Rule: "CVE-2024-1", Aliases: []string{"GHSA-aaaa"}, Subject: subject,
			Package: &core.PackageRef{Name: "thing", Version: "1.0", Purl: "pkg:npm/thing@1.0"}}},
	}
}

func TestAStatementIsAboutItsProductsAndNothingElse(t *testing.T) {
	image := "pkg:oci/app@" + strings.ReplaceAll(string(subject), ":", "%3A") + "?repository_url=registry.example/app"
	index := "registry.example/app@" + string(elsewhere)
	thing, other := `{"@id":"pkg:npm/thing@1.0"}`, `{"@id":"pkg:npm/other@1.0"}`
	part := func(of, what string) string { return fmt.Sprintf(`{"@id":%q,"subcomponents":[%s]}`, of, what) }
	for _, tc := range []struct {
		name, vulnerability, products string
		attested                      core.Digest
		about                         bool
	}{
		{"the package", "CVE-2024-1", thing, "", true},
		{"the package, by an alias", "GHSA-aaaa", thing, "", true},
		{"the package, in all versions", "CVE-2024-1", `{"@id":"pkg:npm/thing"}`, "", true},
		{"the package, by identifier", "CVE-2024-1", `{"@id":"https://x","identifiers":{"purl":"pkg:npm/thing@1.0"}}`, "", true},
		{"another version", "CVE-2024-1", `{"@id":"pkg:npm/thing@1.1"}`, "", false},
		{"another ecosystem", "CVE-2024-1", `{"@id":"pkg:pypi/thing@1.0"}`, "", false},
		{"a narrower package", "CVE-2024-1", `{"@id":"pkg:npm/thing@1.0?arch=arm64"}`, "", false},
		{"another flaw", "CVE-2024-2", thing, "", false},
		{"the image", "CVE-2024-1", fmt.Sprintf(`{"@id":%q}`, image), "", true},
		{"the image by its hash", "CVE-2024-1", fmt.Sprintf(`{"@id":"x","hashes":{"sha-256":%q}}`, strings.TrimPrefix(string(subject), "sha256:")), "", true},
		{"the index", "CVE-2024-1", fmt.Sprintf(`{"@id":%q}`, index), "", true},
		{"a part of the image", "CVE-2024-1", part(image, thing), "", true},
		{"another part of the image", "CVE-2024-1", part(image, other), "", false},
		{"an image by name only", "CVE-2024-1", `{"@id":"pkg:oci/app?repository_url=registry.example/app"}`, "", false},
		{"another image", "CVE-2024-1", `{"@id":"pkg:oci/app@sha256%3A` + strings.Repeat("c", 64) + `"}`, "", false},
		{"a longer digest", "CVE-2024-1", fmt.Sprintf(`{"@id":%q}`, "x@"+string(subject)+"0"), "", false},
		{"a part of another image", "CVE-2024-1", part("pkg:oci/x@sha256:"+strings.Repeat("c", 64), thing), "", false},
		{"no product", "CVE-2024-1", "", "", false},
		{"attested, no product", "CVE-2024-1", "", subject, true},
		{"attested to the index, no product", "CVE-2024-1", "", elsewhere, true},
		{"attested, an image by name only", "CVE-2024-1", `{"@id":"pkg:oci/app"}`, subject, true},
		{"attested to something else", "CVE-2024-1", thing, "sha256:" + core.Digest(strings.Repeat("c", 64)), false},
		{"attested, another image by digest", "CVE-2024-1", `{"@id":"pkg:oci/app@sha256:` + strings.Repeat("c", 64) + `"}`, subject, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := parseVEX(t, openVEX("not_affected", because, tc.vulnerability, tc.products))
			d.Subject = tc.attested
			e := flawed()
			Excuse(e, []*VEX{d})
			if got := e.Findings[0].Excuse() != nil; got != tc.about {
				t.Errorf("excused: %v, want %v (%+v)", got, tc.about, e.Findings[0].VEX)
			}
			if len(e.Findings) != 1 {
				t.Error("the finding is gone")
			}
		})
	}
}

func TestTheLatestStatementThatCountsDecides(t *testing.T) {
	at := func(s string, trusted bool, when string) *VEX {
		extra := ""
		switch s {
		case "not_affected":
			extra = because
		case "affected":
			extra = `,"action_statement":"update"`
		}
		d := parseVEX(t, strings.Replace(openVEX(s, extra, "CVE-2024-1", `{"@id":"pkg:npm/thing"}`), "2026-01-02", when, 1))
		if !trusted {
			d.TrustedBy = ""
		}
		return d
	}
	for _, tc := range []struct {
		name      string
		documents []*VEX
		excused   bool
	}{
		{"not affected", []*VEX{at("not_affected", true, "2026-01-02")}, true},
		{"fixed", []*VEX{at("fixed", true, "2026-01-02")}, true},
		{"affected", []*VEX{at("affected", true, "2026-01-02")}, false},
		{"under investigation", []*VEX{at("under_investigation", true, "2026-01-02")}, false},
		{"nobody's word", []*VEX{at("not_affected", false, "2026-01-02")}, false},
		{"later affected", []*VEX{at("affected", true, "2026-01-03"), at("not_affected", true, "2026-01-02")}, false},
		{"later not affected", []*VEX{at("not_affected", true, "2026-01-03"), at("affected", true, "2026-01-02")}, true},
		{"at once both", []*VEX{at("not_affected", true, "2026-01-02"), at("affected", true, "2026-01-02")}, false},
		{"later nobody's word", []*VEX{at("not_affected", true, "2026-01-02"), at("affected", false, "2026-01-03")}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := flawed()
			Excuse(e, tc.documents)
			f := &e.Findings[0]
			if got := f.Excuse() != nil; got != tc.excused || len(f.VEX) != len(tc.documents) {
				t.Errorf("excused: %v, want %v; %d statements of %d", got, tc.excused, len(f.VEX), len(tc.documents))
			}
		})
	}
}

func TestCycloneDXSaysTheSame(t *testing.T) {
	document := func(state, ref, root string) string {
		return fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"timestamp":"2026-01-02T03:04:05Z"%s},
			"components":[{"type":"library","bom-ref":"a","name":"x","components":[{"type":"library","bom-ref":"b","name":"thing","version":"1.0","purl":"pkg:npm/thing@1.0"}]}],
			"vulnerabilities":[{"id":"CVE-2024-1","analysis":{"state":%q,"justification":"code_not_reachable","detail":"we never call it"},"affects":[{"ref":%q}]}]}`,
			root, state, ref)
	}
	image := func(d core.Digest) string {
		return fmt.Sprintf(`,"component":{"type":"container","bom-ref":"root","name":"app","purl":%q}`, "pkg:oci/app@"+string(d))
	}
	for _, tc := range []struct {
		name, state, ref, root string
		excused                bool
	}{
		{"a component", "not_affected", "b", "", true},
		{"a false positive", "false_positive", "b", "", true},
		{"resolved", "resolved", "b", "", true},
		{"exploitable", "exploitable", "b", "", false},
		{"in triage", "in_triage", "b", "", false},
		{"a package URL", "not_affected", "pkg:npm/thing@1.0", "", true},
		{"a link to a document", "not_affected", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#b", "", true},
		{"a component without a package URL", "not_affected", "a", "", false},
		{"a component that is not there", "not_affected", "z", "", false},
		{"a component of this image", "not_affected", "b", image(subject), true},
		{"a component of another image", "not_affected", "b", image("sha256:" + core.Digest(strings.Repeat("c", 64))), false},
		{"the image", "not_affected", "root", image(subject), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := flawed()
			Excuse(e, []*VEX{parseVEX(t, document(tc.state, tc.ref, tc.root))})
			s := e.Findings[0].Excuse()
			if (s != nil) != tc.excused {
				t.Errorf("excused: %v, want %v", s != nil, tc.excused)
			}
			if s != nil && (s.Impact != "we never call it" || !s.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || s.Document != "vex.json") {
				t.Errorf("statement is %+v", s)
			}
		})
	}
}

// Who signs a statement about one component does not sign that it holds for all others of the image.
func TestAnAttestedStatementAboutAComponentThatIsNotThereExcusesNothing(t *testing.T) {
	for _, tc := range []struct {
		name, affects string
		excused       bool
	}{
		{"the component", `[{"ref":"b"}]`, true},
		{"a component without a package URL", `[{"ref":"a"}]`, false},
		{"a component that is not there", `[{"ref":"z"}]`, false},
		{"no component", `[]`, false},
		{"one that is there and one that is not", `[{"ref":"z"},{"ref":"b"}]`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := parseVEX(t, `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[
				{"type":"library","bom-ref":"a","name":"x"},
				{"type":"library","bom-ref":"b","name":"thing","version":"1.0","purl":"pkg:npm/thing@1.0"}],
				"vulnerabilities":[{"id":"CVE-2024-1","analysis":{"state":"not_affected"},"affects":`+tc.affects+`}]}`)
			d.Subject = subject
			e := flawed()
			Excuse(e, []*VEX{d})
			if got := e.Findings[0].Excuse() != nil; got != tc.excused {
				t.Errorf("excused: %v, want %v", got, tc.excused)
			}
		})
	}
}

func TestAnAnalysisOfSomeVersionsExcusesNoOthers(t *testing.T) {
	image := `,"metadata":{"component":{"type":"container","bom-ref":"root","name":"app","purl":"pkg:oci/app@` + string(subject) + `"}}`
	for _, tc := range []struct {
		name, state, purl, versions string
		excused                     bool
	}{
		{"this version", "not_affected", "pkg:npm/thing", `{"version":"1.0","status":"unaffected"}`, true},
		{"this version, without a status", "not_affected", "pkg:npm/thing", `{"version":"1.0"}`, true},
		{"another version", "resolved", "pkg:npm/thing", `{"version":"2.0","status":"unaffected"}`, false},
		{"this one is affected, another is not", "resolved", "pkg:npm/thing",
			`{"version":"1.0","status":"affected"},{"version":"2.0","status":"unaffected"}`, false},
		{"a range", "not_affected", "pkg:npm/thing", `{"range":"vers:npm/>=2.0","status":"unaffected"}`, false},
		{"the component's version", "not_affected", "pkg:npm/thing@1.0", `{"range":"vers:npm/*","status":"unaffected"}`, true},
		{"the component's version is affected", "not_affected", "pkg:npm/thing@1.0", `{"version":"1.0","status":"affected"}`, false},
		{"of the component's version nothing is known", "resolved", "pkg:npm/thing@1.0", `{"version":"1.0","status":"unknown"}`, false},
	} {
		for in, metadata := range map[string]string{"": "", ", in the image": image} {
			t.Run(tc.name+in, func(t *testing.T) {
				d := parseVEX(t, fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","version":1%s,"components":[
					{"type":"library","bom-ref":"a","name":"thing","purl":%q}],"vulnerabilities":[{"id":"CVE-2024-1",
					"analysis":{"state":%q},"affects":[{"ref":"a","versions":[%s]}]}]}`, metadata, tc.purl, tc.state, tc.versions))
				e := flawed()
				Excuse(e, []*VEX{d})
				if got := e.Findings[0].Excuse() != nil; got != tc.excused {
					t.Errorf("excused: %v, want %v", got, tc.excused)
				}
			})
		}
	}
}

func TestDocumentsThatAreNoVEXAreRefused(t *testing.T) {
	for _, raw := range []string{
		``, `[]`, `{}`, `{"bomFormat":"CycloneDX","specVersion":"1.6"}`, `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{}]}`,
		openVEX("innocent", "", "CVE-2024-1", ""), openVEX("not_affected", "", "CVE-2024-1", ""), openVEX("fixed", "", "", ""),
		openVEX("not_affected", `,"justification":"trust_me"`, "CVE-2024-1", ""),
	} {
		if d, err := ParseVEX("x", []byte(raw)); err == nil {
			t.Errorf("%s was read as %+v", raw, d)
		}
	}
}

func TestRealDocumentsAreRead(t *testing.T) {
	read, failed := 0, map[string]string{}
	err := filepath.WalkDir(shared(t, "corpus/vex"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if text := string(raw); !strings.Contains(text, "openvex.dev/ns") && !strings.Contains(text, `"analysis"`) {
			return nil // of another kind: CSAF, databases
		}
		if _, err := ParseVEX(filepath.Base(path), raw); err != nil {
			failed[path] = err.Error()
			return nil
		}
		read++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, why := range failed {
		t.Errorf("%s: %s", path, why)
	}
	if read < 10 {
		t.Errorf("%d documents were read", read)
	}
}

// FuzzVEX checks that no document makes the reader panic, or the matching.
func FuzzVEX(f *testing.F) {
	f.Add([]byte(openVEX("not_affected", because, "CVE-2024-1", `{"@id":"pkg:npm/thing"}`)))
	f.Add([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","vulnerabilities":[{"id":"CVE-2024-1","analysis":{"state":"resolved"},"affects":[{"ref":"pkg:npm/thing"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := ParseVEX("x", raw)
		if err != nil {
			return
		}
		e := flawed()
		Excuse(e, []*VEX{d})
		if e.Findings[0].Excuse() != nil {
			t.Fatal("what nobody vouches for excuses")
		}
	})
}

func TestAPublisherWhoDeclinesToFixIsBelievedIfTrusted(t *testing.T) {
	const document = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"vulnerabilities":[{"id":"CVE-2024-1",
		"analysis":{"state":"exploitable","response":["will_not_fix"]},"affects":[{"ref":"pkg:npm/thing@1.0"}]}]}`
	for name, tc := range map[string]struct {
		trustedBy string
		was, want core.FixState
	}{
		"trusted":                {"policy", core.FixNone, core.FixWontFix},
		"not trusted":            {"", core.FixNone, core.FixNone},
		"though there was a fix": {"policy", core.FixAvailable, core.FixAvailable},
	} {
		t.Run(name, func(t *testing.T) {
			d, e := parseVEX(t, document), flawed()
			d.TrustedBy, e.Findings[0].Fix.State = tc.trustedBy, tc.was
			Excuse(e, []*VEX{d})
			if got := e.Findings[0].Fix.State; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
