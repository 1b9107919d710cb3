package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

func digestOf(c string) core.Digest { return core.Digest("sha256:" + strings.Repeat(c, 64)) }

// judged returns a document that uses every member of every type, with lists out of order.
func judged() Document {
	var (
		day       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		index     = digestOf("1")
		image     = digestOf("2")
		base, top = digestOf("a"), digestOf("b")
		removed   = 1
		score     = 9.8
		critical  = core.FingerprintOf(core.KindVulnerability, "CVE-2022-0778", "openssl")
		secret    = core.FingerprintOf(core.KindSecret, "aws", "app/.env")
	)
	e := core.Evidence{
		Subjects: []core.Subject{
			{Name: "registry.example/app:1", Kind: core.KindIndex, Digest: index,
				MediaType: "application/vnd.oci.image.index.v1+json"},
			{Name: "registry.example/app:1", Kind: core.KindImage, Digest: image, Parent: index,
				Platform: &core.Platform{OS: "linux", Architecture: "arm", Variant: "v7", OSVersion: "1"}},
		},
		Images: []core.ImageFacts{{
			Subject: image, Platform: core.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}, Created: day,
			User:         "app",
			ExposedPorts: []string{"8080/tcp"}, EnvNames: []string{"PATH"}, Entrypoint: []string{"/app"},
			Cmd:        []string{"<serve>"},
			WorkingDir: "/srv", Volumes: []string{"/data"}, StopSignal: "SIGTERM", Healthcheck: true,
			Labels: map[string]string{"b": "2", "a": "1", "A": "other"},
			Layers: []core.LayerFacts{
				{Digest: digestOf("c"), DiffID: base, Size: 10, Uncompressed: 20,
					MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", CreatedBy: "ADD rootfs", Created: day},
				{Digest: digestOf("d"), DiffID: top, Size: 1, Uncompressed: 2,
					MediaType: "application/vnd.oci.image.layer.v1.tar+gzip"},
			},
			Base: &core.BaseImage{Name: "debian:12", Digest: digestOf("e"), SignedBy: "release@example.com"},
			Distro: &core.Distro{ID: "debian", IDLike: []string{"x"}, VersionID: "12", Codename: "bookworm",
				PrettyName: "Debian", Ecosystem: "Debian:12", EndOfLife: "2028-06-30"},
			Files: 3,
		}},
		Packages: []core.Package{
			{Subject: image, Name: "openssl", Version: "3.0.11-1",
				Purl:      "pkg:deb/debian/openssl@3.0.11-1?arch=armhf&distro=debian-12",
				Ecosystem: "Debian:12", Architecture: "armhf", Source: &core.SourcePackage{Name: "openssl",
					Version: "3.0.11-1"}, Module: "nodejs:12",
				Licenses: []string{"Apache-2.0"}, Hashes: map[string]string{"sha256": strings.Repeat("f", 64)},
				Locations: []core.Location{{Path: "var/lib/dpkg/status", Line: 9, EndLine: 20, Column: 1, Layer: base}},
				Origin:    &core.Origin{Layer: 0, DiffID: base, CreatedBy: "ADD rootfs", RemovedIn: &removed},
				Analyzer:  "os/dpkg", Scope: core.ScopeRuntime, Vendored: true},
			{Subject: image, Name: "left-pad", Version: "1.0.0", Purl: "pkg:npm/left-pad@1.0.0",
				Analyzer: "javascript/packagelock", Scope: core.ScopeDevelopment, Relation: core.RelationTransitive,
				Via: []string{"pad"}},
		},
		Findings: []core.Finding{
			{Fingerprint: secret, Subject: image, Kind: core.KindSecret, Rule: "aws-access-token", Title: "AWS key",
				Severity: core.SeverityHigh,
				Locations: []core.Location{{Path: "app/.env", Line: 1, Commit: strings.Repeat("c", 40),
					Date: time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)}}, Fix: core.Fix{Text: "Revoke it."},
				Weaknesses: []string{"CWE-798"}, Secret: &core.SecretFacts{Entropy: 4.5, Verified: "active"},
				Suppressions: []core.Suppression{{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "app/.env", Line: 1,
					Reason: "r", Base: true}}},
			{Fingerprint: critical, Subject: image, Kind: core.KindVulnerability, Rule: "CVE-2022-0778",
				Aliases: []string{"DSA-1", "DLA-2"},
				Title:   "a loop & <more>", Severity: core.SeverityCritical, Score: &score, Vector: "CVSS:3.1/AV:N",
				SeveritySource: "CVSS 3.1",
				Package: &core.PackageRef{Name: "openssl", Version: "3.0.11-1",
					Purl: "pkg:deb/debian/openssl@3.0.11-1", Ecosystem: "Debian:12"},
				Origin: &core.Origin{Layer: 1, DiffID: top}, Match: core.MatchSource,
				Fix:       core.Fix{State: core.FixAvailable, Versions: []string{"3.0.12"}, Version: "3.0.12"},
				Exploited: &core.Exploited{Since: "2026-01-01", Ransomware: true}, EPSS: &core.EPSS{Score: 0.5,
					Percentile: 0.9},
				Published: day, Modified: day, References: []string{"https://security.example/1"},
				SeenBy: []string{"Debian", "Alpine"}},
		},
		Examinations: []core.Examination{
			{Name: core.ExaminePackages, Subject: image, Tool: "cleanbill", Version: "1", Status: core.Complete,
				Input: digestOf("9"), Enforced: []string{"file-size"}, Unenforced: []string{"landlock"},
				Granted: []string{"host example.com"}},
			{Name: core.ExamineAdvisories, Tool: "cleanbill", Status: core.Partial, Why: []string{"b", "a"},
				Remedy: "get more", Code: core.CodeStarterAdvisories},
		},
		Advisories: core.AdvisorySource{Name: "embedded starter set", Digest: digestOf("8"), Built: day, Newest: day,
			Records: 5, Ecosystems: []string{"Go"}, Starter: true},
		Change: &core.Change{Repository: "acme/app", Branch: "main", Head: "abc", Base: "def", Request: "#12"},
	}
	v := core.Verdict{
		Decision: core.Refused, Time: day, Policy: core.PolicyRef{Name: "standard", Digest: digestOf("7"),
			Source: "built in"},
		Refusals: []core.Outcome{{Rule: "critical", Action: core.ActionFail, Subject: image, Fingerprint: critical,
			Message: "m"}},
		Warnings: []core.Outcome{{Rule: "secrets", Action: core.ActionWarn, Subject: image, Fingerprint: secret,
			Message: "m", Waiver: "W-1", Cause: core.CauseKnown, Held: true}},
		Gaps: []core.Gap{{Examination: core.ExamineAdvisories, Subject: image, Status: core.Partial,
			Why: []string{"starter"}, Remedy: "get more", Rule: "required"},
			{Examination: core.ExamineDistro, Rule: "required"}},
		Accepted: []core.Gap{{Examination: "hook", Why: []string{"w"}, Rule: "accept"}},
		Counts:   core.Counts{Packages: 2, Findings: 2, Critical: 1, High: 1, Fixable: 1},
		Upgrades: []core.Upgrade{{Subject: image, Package: "openssl", Ecosystem: "Debian:12", From: "3.0.11-1",
			To: "3.0.12", Packages: []string{"pkg:deb/debian/openssl@3.0.11-1"},
			Fixes: []string{critical}, Severity: core.SeverityCritical, Where: "layer 0",
			Command: "apt-get install --only-upgrade openssl"}},
		Waivers: []core.WaiverUse{{ID: "W-1", Owner: "team", Reason: "r", Expires: "2026-12-31", State: core.WaiverUsed,
			Excused: 1}},
		Baseline: &core.BaselineRef{Source: "baseline.json", Digest: digestOf("6"), Commit: "abc", Known: 1, New: 1},
	}
	return NewDocument(Tool{Name: "cleanbill", Version: "1.2.3", Commit: "abc"}, e, &v)
}

// scanned returns the smallest document.
func scanned() Document {
	return NewDocument(Tool{Name: "cleanbill", Version: "dev"}, core.Evidence{}, nil)
}

func written(t testing.TB, d Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteJSON(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaURL, resource); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func conforms(t testing.TB, s *jsonschema.Schema, document []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

func TestDocumentIsValidAndReadsBackAsItWas(t *testing.T) {
	s := schema(t)
	for name, d := range map[string]Document{"judged": judged(), "scanned": scanned()} {
		t.Run(name, func(t *testing.T) {
			data := written(t, d)
			if err := conforms(t, s, data); err != nil {
				t.Errorf("the document violates its schema: %v", err)
			}
			got, err := ReadDocument(bytes.NewReader(data), "evidence.json", 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			d.Evidence.Sort()
			if diff := cmp.Diff(d, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what was read differs (-written +read):\n%s", diff)
			}
			if again := written(t, got); !bytes.Equal(again, data) {
				t.Errorf("writing what was read gives other bytes:\n%s", cmp.Diff(string(data), string(again)))
			}
		})
	}
}

func TestWriterOmitsNothingThatTheTypesHold(t *testing.T) {
	d := judged()
	var got, want any
	if err := json.Unmarshal(written(t, d), &got); err != nil {
		t.Fatal(err)
	}
	d.Evidence = ordered(d.Evidence)
	v := complete(*d.Verdict)
	d.Verdict = &v
	plain, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(plain, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("WriteJSON differs from encoding/json (-want +got):\n%s", diff)
	}
}

func TestSameEvidenceGivesSameBytesInAnyOrder(t *testing.T) {
	d := judged()
	want := written(t, d)
	before := slices.Clone(d.Evidence.Findings)
	slices.Reverse(d.Evidence.Packages)
	slices.Reverse(d.Evidence.Findings)
	slices.Reverse(d.Evidence.Examinations)
	if got := written(t, d); !bytes.Equal(got, want) {
		t.Errorf("the order of the evidence shows:\n%s", cmp.Diff(string(want), string(got)))
	}
	if d.Evidence.Findings[0].Fingerprint != before[1].Fingerprint {
		t.Error("writing changed the caller's evidence")
	}
}

func TestElementsStandOnLinesOfTheirOwn(t *testing.T) {
	data := string(written(t, judged()))
	for _, line := range []string{
		`"packages":[` + "\n" + `{"subject":`,
		`"title":"a loop & <more>"`,
	} {
		if !strings.Contains(data, line) {
			t.Errorf("the document lacks %q", line)
		}
	}
}

// TestSchemaAndTypesAgree walks both at once: each member is in the schema with the right type, required exactly if the
// type never omits it, and the schema has no more.
func TestSchemaAndTypesAgree(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	if root["$id"] != SchemaURL {
		t.Errorf("$id is %v, want %s", root["$id"], SchemaURL)
	}
	a := agreement{t: t, defs: root["$defs"].(map[string]any), used: map[string]bool{}}
	a.object("document", root, reflect.TypeFor[Document]())
	for name := range a.defs {
		if !a.used[name] {
			t.Errorf("nothing uses the definition %q", name)
		}
	}
}

type agreement struct {
	t    *testing.T
	defs map[string]any
	used map[string]bool
}

func (a agreement) resolve(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	name := strings.TrimPrefix(ref, "#/$defs/")
	a.used[name] = true
	return a.defs[name].(map[string]any)
}

func (a agreement) object(path string, schema map[string]any, typ reflect.Type) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	if schema["additionalProperties"] != false {
		a.t.Errorf("%s: the schema allows other members", path)
	}
	names := map[string]bool{}
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		names[name] = true
		property, ok := properties[name].(map[string]any)
		if !ok {
			a.t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		if got, want := slices.Contains(required, any(name)), options == ""; got != want {
			a.t.Errorf("%s.%s: required is %v in the schema, %v in the type", path, name, got, want)
		}
		a.value(path+"."+name, a.resolve(property), typ.Field(i).Type)
	}
	for name := range properties {
		if !names[name] {
			a.t.Errorf("%s.%s is not in the type", path, name)
		}
	}
}

func (a agreement) value(path string, schema map[string]any, typ reflect.Type) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if words := enumOf(typ); words != nil {
		var got []string
		for _, w := range schema["enum"].([]any) {
			if w != "" {
				got = append(got, w.(string))
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(words, got); diff != "" {
			a.t.Errorf("%s: the words differ (-type +schema):\n%s", path, diff)
		}
		return
	}
	want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer",
		reflect.Int64:   "integer",
		reflect.Float64: "number", reflect.Slice: "array", reflect.Struct: "object", reflect.Map: "object"}[typ.Kind()]
	if typ == reflect.TypeFor[time.Time]() {
		want = "string"
	}
	if _, constant := schema["const"]; constant {
		return
	}
	if choices, ok := schema["anyOf"].([]any); ok {
		schema = a.resolve(choices[0].(map[string]any))
	}
	if schema["type"] != want {
		a.t.Errorf("%s: the schema says %v, the type is %s", path, schema["type"], typ)
		return
	}
	switch {
	case want == "array":
		a.value(path+"[]", a.resolve(schema["items"].(map[string]any)), typ.Elem())
	case typ.Kind() == reflect.Map:
		a.value(path+"{}", a.resolve(schema["additionalProperties"].(map[string]any)), typ.Elem())
	case want == "object":
		a.object(path, schema, typ)
	case typ == reflect.TypeFor[core.Digest]() && schema["pattern"] == nil:
		a.t.Errorf("%s is a digest, and the schema has no pattern", path)
	}
}

// enumOf returns the words of an enumeration, sorted, or nil.
func enumOf(t reflect.Type) []string {
	words := map[reflect.Type][]string{
		reflect.TypeFor[core.SubjectKind](): {string(core.KindIndex), string(core.KindImage), string(core.KindSource),
			string(core.KindSBOM)},
		reflect.TypeFor[core.Confidence](): {core.ConfidenceUnknown.String(), core.ConfidenceLow.String(),
			core.ConfidenceMedium.String(), core.ConfidenceHigh.String()},
		reflect.TypeFor[core.Reachability](): {string(core.ReachableYes), string(core.ReachableNo), string(core.ReachableUnknown)},
		reflect.TypeFor[core.VEXStatus](): {string(core.VEXNotAffected), string(core.VEXAffected), string(core.VEXFixed),
			string(core.VEXUnderInvestigation)},
		reflect.TypeFor[core.Completeness](): {string(core.Complete), string(core.Partial), string(core.Failed),
			string(core.Skipped)},
		reflect.TypeFor[core.FindingKind](): {string(core.KindVulnerability), string(core.KindMalware),
			string(core.KindEndOfLife), string(core.KindSecret),
			string(core.KindMisconfiguration), string(core.KindCode), string(core.KindSuppression)},
		reflect.TypeFor[core.FixState](): {string(core.FixAvailable), string(core.FixNone), string(core.FixWontFix),
			string(core.FixEndOfLife), string(core.FixNotAffected)},
		reflect.TypeFor[core.Match](): {string(core.MatchExact), string(core.MatchSource),
			string(core.MatchVendored), string(core.MatchName)},
		reflect.TypeFor[core.Relation](): {string(core.RelationDirect), string(core.RelationTransitive)},
		reflect.TypeFor[core.SuppressionKind](): {string(core.SuppressedInline), string(core.SuppressedConfig),
			string(core.SuppressedReport)},
		reflect.TypeFor[core.Cause](): {string(core.CauseKnown), string(core.CauseCode), string(core.CauseAdvisory),
			string(core.CausePolicy), string(core.CauseTool)},
		reflect.TypeFor[core.WaiverState](): {string(core.WaiverUsed), string(core.WaiverUnused), string(core.WaiverExpired),
			string(core.WaiverFixed)},
		reflect.TypeFor[core.Scope]():    {string(core.ScopeRuntime), string(core.ScopeDevelopment)},
		reflect.TypeFor[core.Action]():   {string(core.ActionFail), string(core.ActionWarn), string(core.ActionIgnore)},
		reflect.TypeFor[core.Decision](): {core.Passed.String(), core.Refused.String(), core.Undecided.String()},
	}
	for _, s := range core.Severities() {
		severity := reflect.TypeFor[core.Severity]()
		words[severity] = append(words[severity], s.String())
	}
	slices.Sort(words[t])
	return words[t]
}

func TestReadDocumentRefuses(t *testing.T) {
	valid := string(written(t, judged()))
	replace := func(old, new string) string {
		t.Helper()
		if !strings.Contains(valid, old) {
			t.Fatalf("the document lacks %q", old)
		}
		return strings.Replace(valid, old, new, 1)
	}
	two, five := string(digestOf("2")), string(digestOf("5"))
	for _, c := range []struct {
		name, document, want string
		// schemaToo is true where the schema says it as well.
		schemaToo bool
	}{
		{"nothing", "", "line 1, column 1: unexpected end of JSON input", false},
		{"a list", "[]", "not an evidence document of Cleanbill: it is no JSON object", true},
		{"another format", `{"bomFormat":"CycloneDX"}`, "it is an SBOM", true},
		{"a foreign schema", `{"$schema":"https://example.com/x"}`, "its schema is https://example.com/x", true},
		{"no schema", `{}`, `it has no "$schema"`, true},
		{"a later version", strings.Replace(replace(`"version":1`, `"version":2`), "evidence-v1", "evidence-v2", 1),
			"it has version 2", true},
		{"a truncated file", valid[:len(valid)/2], "unexpected end of JSON input", false},
		{"something after the end", valid + "{}", "after top-level value", false},
		{"an unknown member", replace(`"name":"openssl"`, `"name":"openssl","nome":1`),
			"evidence.packages[0].nome: there is no such member", true},
		{"a member in another case", replace(`"name":"openssl"`, `"Name":"openssl"`),
			"evidence.packages[0].Name: there is no such member", true},
		{"a repeated member", replace(`"name":"openssl"`, `"name":"openssl","name":"x"`),
			"evidence.packages[0].name: this member occurs twice", false},
		{"a repeated member by escape", replace(`"name":"openssl"`, `"name":"openssl","n\u0061me":"x"`),
			"this member occurs twice", false},
		{"a missing member", replace(`"name":"openssl",`, ``), `evidence.packages[0]: the member "name" is missing`,
			true},
		{"null for a list", replace(`"why":["starter"]`, `"why":null`),
			"verdict.gaps[0].why: want an array, found null", true},
		{"a number for a string", replace(`"name":"openssl"`, `"name":1`),
			"evidence.packages[0].name: want a string, found a number", true},
		{"a fraction for a count", replace(`"records":5`, `"records":5.5`),
			"evidence.advisories.records: want a whole number", true},
		{"an unknown severity", replace(`"severity":"critical"`, `"severity":"awful"`),
			`evidence.findings[0].severity: "awful" is not a severity`, true},
		{"an unknown decision", replace(`"decision":"refused"`, `"decision":"ok"`),
			`verdict.decision: "ok" is not a decision`, true},
		{"an unknown kind", replace(`"kind":"image-index"`, `"kind":"car"`),
			`evidence.subjects[0].kind: "car" is none of`, true},
		{"an unknown status", replace(`"status":"partial"`, `"status":"fine"`),
			`evidence.examinations[0].status: "fine" is none of`, true},
		{"an unknown scope", replace(`"scope":"runtime"`, `"scope":"x"`), `evidence.packages[0].scope: "x" is none of`,
			true},
		{"an unknown fix state", replace(`"state":"available"`, `"state":"x"`),
			`evidence.findings[0].fix.state: "x" is none of`, true},
		{"an unknown action", replace(`"action":"fail"`, `"action":"x"`), `verdict.refusals[0].action: "x" is none of`,
			true},
		{"a malformed digest", replace(`"digest":"sha256:`, `"digest":"sha257:`),
			"evidence.subjects[0].digest: want a digest", true},
		{"a malformed time", replace(`"time":"2026-03-01T12:00:00Z"`, `"time":"yesterday"`), "verdict.time: ", true},
		{"a package of no subject", replace(`"packages":[`+"\n"+`{"subject":"`+two,
			`"packages":[`+"\n"+`{"subject":"`+five), "evidence.packages[0].subject: no subject has this digest",
			false},
		{"a parent that is no index", replace(`"parent":"`+string(digestOf("1")), `"parent":"`+two),
			"evidence.subjects[1].parent: no image index", false},
		{"a layer that the image lacks", replace(`"layer":1,"diffId"`, `"layer":7,"diffId"`),
			"evidence.findings[0].origin.layer: the image has 2 layers", false},
		{"another diff-id", replace(`"layer":1,"diffId":"`+string(digestOf("b")), `"layer":1,"diffId":"`+five),
			"another diff-id", false},
		{"a gap without a reason", replace(`"why":["a","b"],`, ``), "must say why", true},
		{"a score out of range", replace(`"score":9.8`, `"score":98`), "want a number from 0 to 10", true},
		{"an outcome of no finding", replace(`"fingerprint":"`+judged().Verdict.Refusals[0].Fingerprint+`","message"`,
			`"fingerprint":"00","message"`), "verdict.refusals[0].fingerprint: no finding", false},
		{"a passed verdict with refusals", replace(`"decision":"refused"`, `"decision":"passed"`), "cannot be passed",
			false},
		{"deep nesting", replace(`"name":"openssl"`, `"name":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)),
			"nested deeper than 128 levels", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadDocument(strings.NewReader(c.document), "evidence.json", 1<<20)
			if err == nil {
				t.Fatal("it was read")
			}
			if !core.Usage(err) || !strings.Contains(err.Error(), "evidence.json") {
				t.Errorf("%v: want a usage failure that names the file", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			}
			if c.schemaToo && conforms(t, schema(t), []byte(c.document)) == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

func TestReadDocumentSaysWhere(t *testing.T) {
	document := strings.Replace(string(written(t, judged())), `"name":"openssl"`, `"name":7`, 1)
	_, err := ReadDocument(strings.NewReader(document), "e.json", 1<<20)
	line, column := 0, 0
	for i, text := range strings.Split(document, "\n") {
		if at := strings.Index(text, `"name":7`); at >= 0 {
			line, column = i+1, at+len(`"name":`)+1
		}
	}
	if want := fmt.Sprintf("line %d, column %d", line, column); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v does not say %q", err, want)
	}
}

func TestReadDocumentIsBounded(t *testing.T) {
	data := written(t, judged())
	_, err := ReadDocument(bytes.NewReader(data), "e.json", int64(len(data))-1)
	var exceeded *limit.Exceeded
	if !errors.As(err, &exceeded) || exceeded.Limit != "metadata-size" {
		t.Errorf("%v: want the limit metadata-size", err)
	}
	if _, err := ReadDocument(bytes.NewReader(data), "e.json", int64(len(data))); err != nil {
		t.Errorf("a document of exactly the limit: %v", err)
	}
}

func TestReadDocumentReportsAFailingReader(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := ReadDocument(failingReader{broken}, "e.json", 1<<20)
	if !errors.Is(err, broken) || core.Usage(err) {
		t.Errorf("%v: want the reader's error, which is not the user's mistake", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestWriteJSONReportsAFailingWriter(t *testing.T) {
	broken := errors.New("no space left")
	if err := WriteJSON(failingWriter{broken}, judged()); !errors.Is(err, broken) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// FuzzReadDocument holds that whatever is accepted conforms to the schema and reads back the same after writing.
func FuzzReadDocument(f *testing.F) {
	for _, d := range []Document{judged(), scanned()} {
		data := written(f, d)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte(`{"$schema":"` + SchemaURL + `","version":1}`))
	s := schema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadDocument(bytes.NewReader(data), "fuzz", 1<<20)
		if err != nil {
			return
		}
		again := written(t, d)
		if err := conforms(t, s, again); err != nil {
			t.Errorf("the reader accepts what the schema does not: %v", err)
		}
		read, err := ReadDocument(bytes.NewReader(again), "again", 8<<20)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		d.Evidence.Sort()
		if diff := cmp.Diff(d, read, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("it changed on the way:\n%s", diff)
		}
	})
}

// large returns a document with 3,000 packages and 500 findings.
func large() Document {
	d := judged()
	p, f := d.Evidence.Packages[0], d.Evidence.Findings[1]
	d.Evidence.Packages, d.Evidence.Findings, d.Verdict = nil, nil, nil
	for i := range 3000 {
		p.Name = fmt.Sprintf("package-%d", i)
		p.Purl = fmt.Sprintf("pkg:deb/debian/package-%d@3.0.11-1?arch=armhf&distro=debian-12", i)
		d.Evidence.Packages = append(d.Evidence.Packages, p)
	}
	for i := range 500 {
		f.Fingerprint = core.FingerprintOf(core.KindVulnerability, fmt.Sprint(i))
		d.Evidence.Findings = append(d.Evidence.Findings, f)
	}
	return d
}

func BenchmarkWriteJSON(b *testing.B) {
	d := large()
	b.SetBytes(int64(len(written(b, d))))
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteJSON(new(discard), d); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkReadDocument(b *testing.B) {
	data := written(b, large())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadDocument(bytes.NewReader(data), "large", 64<<20); err != nil {
			b.Fatal(err)
		}
	}
}
