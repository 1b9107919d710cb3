package rego_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

var (
	image = core.Digest("sha256:" + strings.Repeat("a", 64))
	now   = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
)

func evidence() *core.Evidence {
	score := 9.8
	return &core.Evidence{
		Subjects: []core.Subject{{Name: "registry.example/app:1", Kind: core.KindImage, Digest: image,
			Platform: &core.Platform{OS: "linux", Architecture: "amd64"}}},
		Images: []core.ImageFacts{{Subject: image, ExposedPorts: []string{"22/tcp", "8080/tcp"}, Labels: map[string]string{"team": "web"},
			Distro: &core.Distro{ID: "debian", VersionID: "12"}}},
		Packages: []core.Package{
			{Subject: image, Name: "lodash", Version: "4.17.1", Purl: "pkg:npm/lodash@4.17.1", Licenses: []string{"MIT"}},
			{Subject: image, Name: "readline", Version: "8.2", Purl: "pkg:deb/debian/readline@8.2", Licenses: []string{"GPL-3.0-or-later"}},
		},
		Findings: []core.Finding{
			{Fingerprint: strings.Repeat("1", 32), Subject: image, Kind: core.KindVulnerability, Rule: "CVE-2026-1",
				Severity: core.SeverityCritical, Score: &score, Package: &core.PackageRef{Name: "lodash", Version: "4.17.1"},
				Published: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
			{Fingerprint: strings.Repeat("2", 32), Subject: image, Kind: core.KindSecret, Rule: "aws-key", Severity: core.SeverityHigh},
		},
	}
}

func compiled(t testing.TB, modules ...string) *rego.Set {
	t.Helper()
	s, err := rego.Compile(named(modules...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func named(modules ...string) map[string][]byte {
	m := map[string][]byte{}
	for i, text := range modules {
		m[string(rune('a'+i))+".rego"] = []byte(text)
	}
	return m
}

func evaluated(t testing.TB, s *rego.Set, e *core.Evidence) ([]rego.Result, []rego.Broken) {
	t.Helper()
	input, err := rego.Input(e)
	if err != nil {
		t.Fatal(err)
	}
	return s.Evaluate(t.Context(), input, now)
}

// said gives results as lines.
func said(results []rego.Result) []string {
	lines := []string{}
	for _, r := range results {
		line := r.Rule + " " + string(r.Action) + ": " + r.Message
		if r.Fingerprint != "" {
			line += " [" + r.Fingerprint[:1] + "]"
		}
		lines = append(lines, line)
	}
	return lines
}

// The rules are written as in Conftest's own examples and documentation, for this input.
func TestConftestRulesSpeakInBothDialects(t *testing.T) {
	for name, tc := range map[string]struct {
		modules []string
		want    []string
	}{
		"the older dialect": {
			[]string{`package main

deny[msg] {
	input.images[i].exposedPorts[_] == "22/tcp"
	msg = sprintf("image %d exposes ssh", [i])
}

deny_root[msg] {
	image := input.images[_]
	not image.user
	msg := "runs as root"
}

warn_label[msg] {
	image := input.images[_]
	not image.labels.owner
	msg := "label \"owner\" is missing"
}
`}, []string{"rego:main.deny fail: image 0 exposes ssh", "rego:main.deny_root fail: runs as root",
				`rego:main.warn_label warn: label "owner" is missing`},
		},
		"the older dialect with future keywords": {
			[]string{`package main

import future.keywords.contains
import future.keywords.if
import future.keywords.in

deny contains msg if {
	some f in input.findings
	f.severity == "critical"
	msg := f.rule
}
`}, []string{"rego:main.deny fail: CVE-2026-1"},
		},
		"the dialect of today, imported": {
			[]string{`package main

import rego.v1

violation contains {"msg": msg, "fingerprint": f.fingerprint, "subject": f.subject, "details": {"kind": f.kind}} if {
	some f in input.findings
	f.kind == "secret"
	msg := sprintf("%s: %s", [f.severity, f.rule])
}
`}, []string{"rego:main.violation fail: high: aws-key [2]"},
		},
		"the dialect of today": {
			[]string{`package licenses

copyleft := {"GPL-3.0-or-later", "AGPL-3.0-only"}

warn contains msg if {
	some p in input.packages
	some l in p.licenses
	l in copyleft
	msg := $"{p.name} is {l}"
}
`}, []string{"rego:licenses.warn warn: readline is GPL-3.0-or-later"},
		},
		"both dialects, several packages, a library": {
			[]string{"package lib.images\n\nnames = {s.name | s := input.subjects[_]}\n",
				"package main\n\nimport data.lib.images\n\ndeny[msg] {\n\tmsg := images.names[_]\n}\n",
				"package team.web\n\nimport data.lib.images\n\ndeny_latest contains \"no tag\" if {\n\tsome n in images.names\n\tnot endswith(n, \":2\")\n}\n"},
			[]string{"rego:main.deny fail: registry.example/app:1", "rego:team.web.deny_latest fail: no tag"},
		},
		"a list instead of a set": {
			[]string{"package main\n\ndeny := [m | m := input.subjects[_].name]\n"},
			[]string{"rego:main.deny fail: registry.example/app:1"},
		},
		"exceptions by name": {
			[]string{`package main

deny_root[msg] { msg := "root" }
deny_ssh[msg] { msg := "ssh" }
deny[msg] { msg := "plain" }
violation_root[msg] { msg := "also root" }

exception[rules] {
	input.images[_].labels.team == "web"
	rules = ["root"]
}
exception[rules] {
	input.images[_].labels.team == "nobody"
	rules = ["ssh", ""]
}
`}, []string{"rego:main.deny fail: plain", "rego:main.deny_root warn: root", "rego:main.deny_ssh fail: ssh",
				"rego:main.violation_root warn: also root"},
		},
		"the time of the verdict": {
			[]string{"package main\n\ndeny contains msg if {\n\t[y, m, d] := time.date(time.now_ns())\n\tmsg := sprintf(\"%d-%d-%d\", [y, m, d])\n}\n"},
			[]string{"rego:main.deny fail: 2026-11-24"},
		},
		"print and trace do nothing": {
			[]string{"package main\n\ndeny contains \"x\" if {\n\tprint(\"debug\", input.findings)\n\ttrace(\"t\")\n}\n"},
			[]string{"rego:main.deny fail: x"},
		},
		"functions and other names are no rules": {
			[]string{"package main\n\ndeny_if(x) := \"f\" if x\n\ndenylist := {\"x\"}\n\ndeny contains \"y\" if denylist[\"x\"]\n"},
			[]string{"rego:main.deny fail: y"},
		},
		"nothing to say": {[]string{"package main\n\ndeny contains \"x\" if input.findings[0].rule == \"CVE-1\"\n"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			results, broken := evaluated(t, compiled(t, tc.modules...), evidence())
			if diff := cmp.Diff(tc.want, said(results)); diff != "" || len(broken) > 0 {
				t.Errorf("-want +got:\n%s\nbroken: %+v", diff, broken)
			}
		})
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no Rego":              {"hello\n", "a.rego:1:1: "},
		"nothing":              {"", "a.rego:1:1: "},
		"half a rule":          {"package main\n\ndeny contains msg if {\n\tmsg := \n}\n", "a.rego:5:1: "},
		"half an older rule":   {"package main\n\ndeny[msg] {\n\tmsg := \"x\"\n", "a.rego:5:1"},
		"an unsafe variable":   {"package main\n\ndeny contains msg if input.findings[0].rule == x\n", "a.rego:3:"},
		"a misspelt member":    {"package main\n\ndeny contains \"x\" if input.findngs[0].rule == \"y\"\n", "a.rego:3:22: undefined ref: input.findngs"},
		"a deep misspelling":   {"package main\n\ndeny contains f.pakage.name if some f in input.findings\n", "a.rego:3:"},
		"another document":     {"package main\n\ndeny[msg] {\n\tinput.kind == \"Deployment\"\n\tmsg := \"x\"\n}\n", "a.rego:4:2: undefined ref: input.kind"},
		"a member of nothing":  {"package main\n\ndeny contains \"x\" if input.findings.severity == \"high\"\n", "a.rego:3:22: undefined ref"},
		"data from outside":    {"package main\n\ndeny contains \"x\" if input.findings[0].rule in data.forbidden\n", "a.rego:3:48: data.forbidden is defined by no module"},
		"a missing library":    {"package main\n\nimport data.lib.k8s\n\ndeny contains \"x\" if k8s.bad\n", "data.lib.k8s"},
		"a missing rule":       {"package main\n\ndeny contains \"x\" if data.main.bad\n", "a.rego:3:22: data.main.bad is defined by no module"},
		"a rule of one value":  {"package main\n\ndeny := true\n", "a.rego:3:1: deny must be a set of messages"},
		"a rule of one text":   {"package main\n\ndeny := \"x\" if true\n", "a.rego:3:1: deny must be a set"},
		"a rule that is a map": {"package main\n\ndeny[x] := y if { x := \"a\"; y := \"b\" }\n", "a.rego:3:1: deny must be a set"},
		"a tree of sets":       {"package main\n\ndeny.deep contains \"x\" if true\n", "a.rego:3:1: deny must be a set"},
		"no rule at all":       {"package main\n\ndenied contains \"x\" if true\n", "no module has a rule called deny"},
		"recursion":            {"package main\n\ndeny contains x if some x in deny\n", "recursive"},
		"the network":          {"package main\n\ndeny contains \"x\" if http.send({\"method\": \"get\", \"url\": \"http://x\"}).status_code == 200\n", "a.rego:3:22: undefined function http.send: it is switched off"},
		"name resolution":      {"package main\n\ndeny contains \"x\" if net.lookup_ip_addr(\"x\")\n", "net.lookup_ip_addr: it is switched off"},
		"randomness":           {"package main\n\ndeny contains \"x\" if rand.intn(\"x\", 2) == 1\n", "rand.intn: it is switched off"},
		"identifiers":          {"package main\n\ndeny contains uuid.rfc4122(\"x\") if true\n", "uuid.rfc4122: it is switched off"},
		"the runtime":          {"package main\n\ndeny contains x if x := opa.runtime().env.HOME\n", "opa.runtime: it is switched off"},
		"schemas":              {"package main\n\ndeny contains \"x\" if json.match_schema({}, {\"$ref\": \"file:///etc/passwd\"})[0]\n", "json.match_schema: it is switched off"},
		"templates":            {"package main\n\ndeny contains strings.render_template(\"x\", {}) if true\n", "strings.render_template: it is switched off"},
		"an unknown function":  {"package main\n\ndeny contains foo(\"x\") if true\n", "undefined function foo"},
		"the older network":    {"package main\n\ndeny[msg] { r := http.send({}); msg := r.body }\n", "http.send: it is switched off"},
		"a long body":          {"package main\n\ndeny contains \"x\" if {\n" + strings.Repeat("\ttrue\n", 501) + "}\n", "501 expressions"},
		"a long module":        {"package main\n#" + strings.Repeat("x", rego.MaxModule), "at most"},
		"many rules":           {"package main\n" + strings.Repeat("p := 1\n", 2001) + "deny contains \"x\" if p\n", "rules; a policy can have"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rego.Compile(named(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want an error that says %q", err, tc.want)
			}
		})
	}
	if _, err := rego.Compile(nil); err == nil {
		t.Error("a set of nothing compiles")
	}
}

func TestARuleThatFailsIsBrokenAndHidesNoOther(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a function fails":  {`deny_a contains "x" if to_number(input.subjects[0].name) == 1`, "a.rego:3:24: "},
		"no message":        {`deny_a contains m if some m in [{"message": "x"}, "y"]`, "no msg"},
		"a number":          {`deny_a contains 1 if true`, "a number where a message must be"},
		"a message of none": {`deny_a contains {"msg": 1} if true`, "no msg"},
		"a conflict":        {"deny_a contains p if true\np := \"x\" if true\np := \"y\" if input.findings", "complete rules must not produce multiple outputs"},
		"a computed text":   {"deny_a := concat(\"\", [\"a\", \"b\"])", "a set of messages"},
		"a bad exception":   {"deny_a contains \"x\" if true\nexception contains \"a\" if true", "lists of names"},
		"a local zone":      {`deny_a contains "x" if time.clock([0, "Europe/Berlin"])[0] == 1`, "UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			results, broken := evaluated(t, compiled(t, "package main\n\n"+tc.text+"\ndeny_b contains \"still here\" if true\n"), evidence())
			if len(broken) == 0 || broken[0].Rule != "rego:main.deny_a" || !strings.Contains(broken[0].Why, tc.want) {
				t.Errorf("broken %+v, want one that says %q", broken, tc.want)
			}
			if len(results) == 0 || results[len(results)-1].Rule != "rego:main.deny_b" {
				t.Errorf("results %+v", results)
			}
		})
	}
}

// TestInputIsTheDocumentOfTheEvidence compares with what the JSON report would be read as.
func TestInputIsTheDocumentOfTheEvidence(t *testing.T) {
	full := evidence()
	layer := 3
	full.Findings[0].Origin = &core.Origin{Layer: 1, RemovedIn: &layer}
	full.Findings[0].EPSS = &core.EPSS{Score: 0.00042, Percentile: 1e-7}
	full.Findings[0].VEX = []core.VEXStatement{{Status: core.VEXFixed, Document: "d"}}
	full.Findings[0].Confidence, full.Findings[0].Title = core.ConfidenceHigh, "<b>\xff\xfe & \u2028\x00"
	full.Findings[1].Secret = &core.SecretFacts{Entropy: 4.25}
	full.Images[0].Layers = []core.LayerFacts{{Digest: image, Size: 1 << 40}}
	full.Images[0].Base = &core.BaseImage{Name: "b"}
	full.Change = &core.Change{Branch: "main"}
	full.Reach = []core.Reach{{IDs: []string{"x"}, Reachable: core.ReachableYes}}
	for name, e := range map[string]*core.Evidence{"full": full, "empty": {}} {
		var written bytes.Buffer
		if err := report.WriteJSON(&written, report.NewDocument(report.Tool{Name: "test", Version: "1"}, *e, nil)); err != nil {
			t.Fatal(err)
		}
		var want struct{ Evidence any }
		if err := json.Unmarshal(written.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		e.Sort()
		input, err := rego.Input(e)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := ast.JSON(input.Value)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Evidence, got); diff != "" {
			t.Errorf("%s: -document +input\n%s", name, diff)
		}
	}
}

// BenchmarkEvaluate100k asks ten rules about a hundred thousand findings.
func BenchmarkEvaluate100k(b *testing.B) {
	e := evidence()
	for i := range 100_000 {
		e.Findings = append(e.Findings, core.Finding{Fingerprint: fmt.Sprintf("%032x", i), Subject: image, Kind: core.KindVulnerability,
			Rule: fmt.Sprintf("CVE-2026-%d", i), Severity: core.Severity(i % 6), Package: &core.PackageRef{Name: fmt.Sprintf("p%d", i/10), Version: "1"}})
	}
	var text strings.Builder
	text.WriteString("package main\n")
	for i := range 10 {
		fmt.Fprintf(&text, "\ndeny_%d contains f.rule if {\n\tsome f in input.findings\n\tf.severity == \"critical\"\n\tf.package.name == \"p%d\"\n}\n", i, i)
	}
	s := compiled(b, text.String())
	b.Run("input", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rego.Input(e); err != nil {
				b.Fatal(err)
			}
		}
	})
	input, err := rego.Input(e)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("rules", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if results, broken := s.Evaluate(b.Context(), input, now); len(broken) > 0 || len(results) == 0 {
				b.Fatal(broken)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compiled(b, "package main\n\ndeny contains \"x\" if input.findings[0].rule == \"y\"\n")
	}
}
