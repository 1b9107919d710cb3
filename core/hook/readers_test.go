package hook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// samples are one small report of every format, made for these tests.
var samples = map[string]string{
	"sarif": `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Semgrep OSS","version":"1"}},"invocations":[{"executionSuccessful":true,
		"toolExecutionNotifications":[{"level":"error","message":{"text":"could not parse x.py"}}]}],
		"results":[{"ruleId":"eval","message":{"text":"eval"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.py"},"region":{"startLine":1}}}]}]}]}`,
	"aqua": `{"image":"app:1","registry":"r","digest":"45bc57e4e876533bc61ba7bf229f0f9f96d137b787614c3d0d5c70c3578fe867","os":"alpine","version":"3.9.4",
		"metadata":{"repo_digests":["app@sha256:0ace851f52a9579f5087cf39fc15c3b2c4b433bf6be28e6b1def05287ae15c5c"]},
		"resources":[{"resource":{"format":"apk","name":"musl","version":"1.1.20-r4"},"vulnerabilities":[{"name":"CVE-2019-14697","description":"x87\nmore",
		"fix_version":"1.1.20-r5","aqua_severity":"high","nvd_score_v3":9.8,"nvd_vectors_v3":"CVSS:3.0/AV:N","cwe_info":[{"Id":"CWE-787"}]}]}],
		"sensitive_data":[{"path":"/root/key.pem","type":"RSA key"}],
		"image_assurance_results":{"disallowed":true,"policy_failures":[{"policy_name":"Default","blocking":true,"controls":["max_severity"]},
		{"policy_name":"Audit","blocking":false,"controls":["root_user"]}],"checks_performed":[{"failed":true,"policy_name":"Default","control":"max_severity"},
		{"failed":true,"policy_name":"Audit","control":"root_user"},{"policy_name":"Default","control":"malware"}]}}`,
	"bandit": `{"errors":[{"filename":"b.py","reason":"syntax error"}],"generated_at":"2026-01-01","results":[{"code":"3 x\n4 eval(s)\n","filename":"./a.py",
		"issue_severity":"MEDIUM","issue_text":"Use of eval","issue_cwe":{"id":78,"link":"https://cwe.mitre.org/data/definitions/78.html"},"line_number":4,"col_offset":0,"test_id":"B307"}]}`,
	"bandit-xml": `<?xml version='1.0' encoding='utf-8'?><testsuite name="bandit" tests="1"><testcase classname="a.py" name="blacklist">
		<error more_info="https://bandit.readthedocs.io/b307" type="MEDIUM" message="Use of eval">Test ID: B307 Severity: MEDIUM
Use of eval
Location a.py:4</error></testcase></testsuite>`,
	"checkstyle": `<?xml version="1.0" encoding="ISO-8859-1"?><checkstyle version="8"><file name="a.sh"><error line="2" column="8" severity="warning" message="caf` + "\xe9" + `" source="ShellCheck.SC2115"/>
		</file><file name="b.java"><exception>lost</exception><error line="1" severity="error" message="m" source="com.puppycrawl.X"/></file></checkstyle>`,
	"cppcheck": `<?xml version="1.0"?><results version="2"><cppcheck version="2.10"/><errors>
		<error id="nullPointer" severity="error" msg="Null pointer" cwe="476" file0="a.c"><location file="a.c" line="11" column="16"/><location file="a.c" line="2"/></error>
		<error id="missingInclude" severity="information" msg="not found"/>
		<error id="syntaxError" severity="error" msg="bad"><location file="b.c" line="1" column="0"/></error>
		<error id="passedByValue" severity="performance" msg="slow"><location file="a.c" line="3" column="1"/></error></errors></results>`,
	"eslint": `[{"filePath":"/w/a.js","errorCount":1,"messages":[{"ruleId":"no-eval","severity":2,"message":"eval","line":3,"column":1},{"ruleId":null,"fatal":true,"severity":2,
		"message":"Parsing error","line":1},{"ruleId":null,"severity":1,"message":"File ignored"}],"suppressedMessages":[{"ruleId":"no-new-func","severity":1,
		"message":"new","line":4,"column":1,"suppressions":[{"kind":"directive","justification":"a test"}]}]}]`,
	"gitlab": `{"version":"15.0.4","vulnerabilities":[{"id":"1","name":"AWS key","description":"AKIAHUNTER2","severity":"Critical","raw_source_code_extract":"AKIAHUNTER2",
		"location":{"file":"README.md","start_line":5},"identifiers":[{"type":"gitleaks_rule_id","name":"AWS","value":"AWS"}]}],
		"scan":{"scanner":{"id":"gitleaks","name":"Gitleaks","version":"8"},"type":"secret_detection","status":"failure","messages":[{"level":"fatal","value":"no git"}]}}`,
	"gosec": `{"Golang errors":{"/w/b.go":[{"line":2,"error":"undeclared"}]},"Issues":[{"severity":"HIGH","cwe":{"id":"295","url":"https://cwe.mitre.org/295"},"rule_id":"G402",
		"details":"TLS","file":"/w/a.go","code":"20: x\n21: InsecureSkipVerify\n","line":"21-22","column":"9","nosec":false},
		{"severity":"LOW","rule_id":"G104","details":"errors","file":"/w/a.go","line":"3","column":"1","nosec":true,"suppressions":[{"kind":"inSource","justification":"fine"}]}],"GosecVersion":"2.1"}`,
	"govulncheck": stream,
	"grype": `{"matches":[{"vulnerability":{"id":"GHSA-1","severity":"High","fix":{"versions":["4.17.21"],"state":"fixed"},"urls":[]},"relatedVulnerabilities":[{"id":"CVE-2021-1",
		"cvss":[{"version":"3.1","vector":"CVSS:3.1/x","metrics":{"baseScore":7.2}}]}],"matchDetails":[{"type":"exact-direct-match"}],"artifact":{"name":"lodash","version":"4.17.20",
		"locations":[{"path":"/app/package-lock.json","layerID":"sha256:0ace851f52a9579f5087cf39fc15c3b2c4b433bf6be28e6b1def05287ae15c5c"}],"purl":"pkg:npm/lodash@4.17.20"}}],
		"ignoredMatches":[{"vulnerability":{"id":"CVE-2020-2","severity":"Low","fix":{"state":"wont-fix"}},"artifact":{"name":"apt","version":"1","purl":"pkg:deb/debian/apt@1?distro=debian-12"},
		"matchDetails":[{"type":"cpe-match"}],"appliedIgnoreRules":[{"reason":"accepted"}]}],
		"source":{"type":"image","target":{"userInput":"app:1","manifestDigest":"sha256:45bc57e4e876533bc61ba7bf229f0f9f96d137b787614c3d0d5c70c3578fe867","os":"linux","architecture":"amd64"}},
		"distro":{"name":"debian","version":"12"},"descriptor":{"name":"grype","version":"0.80"}}`,
	"npm-audit": `{"auditReportVersion":2,"vulnerabilities":{"debug":{"name":"debug","severity":"high","via":[{"source":1,"name":"debug","title":"ReDoS",
		"url":"https://github.com/advisories/GHSA-gxpj-cx7g-858c","severity":"moderate","cwe":["CWE-400"],"cvss":{"score":5.3,"vectorString":"CVSS:3.0/x"}},"ms"],"nodes":["node_modules/debug"]}}}`,
	"rubocop": `{"metadata":{"rubocop_version":"1.60.0","ruby_engine":"ruby"},"files":[{"path":"app.rb","offenses":[{"severity":"convention",
		"message":"Security/YAMLLoad: Prefer using YAML.safe_load over YAML.load.","cop_name":"Security/YAMLLoad","corrected":false,"location":{"start_line":3,"start_column":6,
		"last_line":3,"last_column":9,"length":4,"line":3,"column":6}}]},{"path":"broken.rb","offenses":[{"severity":"fatal","message":"unexpected token","cop_name":"Lint/Syntax",
		"location":{"start_line":1,"start_column":1,"last_line":1,"last_column":1}}]}],"summary":{"offense_count":2,"target_file_count":2,"inspected_file_count":2}}`,
	"shellcheck": `{"comments":[{"file":"x.sh","line":2,"endLine":2,"column":8,"level":"warning","code":2115,"message":"Use"}]}`,
	"snyk": `{"ok":false,"vulnerabilities":[{"id":"SNYK-JS-1","title":"Pollution","severity":"high","packageName":"lodash","version":"4.17.20","identifiers":{"CVE":["CVE-2021-1"],"CWE":["CWE-1321"]},
		"cvssScore":7.2,"CVSSv3":"CVSS:3.1/x","fixedIn":["4.17.21"]},{"id":"SNYK-JS-1","title":"Pollution","severity":"high","packageName":"lodash","version":"4.17.20","identifiers":{"CVE":["CVE-2021-1"]}},
		{"id":"snyk:lic:1","type":"license","packageName":"x","version":"1"}],"filtered":{"ignore":[{"id":"SNYK-JS-2","title":"i","severity":"low","packageName":"y","version":"1",
		"filtered":{"ignored":[{"reason":"no use"}]}}]},"packageManager":"npm","displayTargetFile":"package-lock.json"}`,
	"sonarqube": `{"rules":[{"id":"G402","name":"TLS","engineId":"gosec","impacts":[{"softwareQuality":"SECURITY","severity":"HIGH"}]}],
		"issues":[{"ruleId":"G402","primaryLocation":{"message":"bad TLS","filePath":"a.go","textRange":{"startLine":3,"startColumn":0}}},
		{"engineId":"old","ruleId":"R","severity":"CRITICAL","type":"BUG","primaryLocation":{"message":"m","filePath":"b.go"}}]}`,
	"trivy": `{"SchemaVersion":2,"ArtifactName":"app:1","ArtifactType":"container_image","Metadata":{"OS":{"Family":"debian","Name":"12.5"},"ImageID":"sha256:45bc57e4e876533bc61ba7bf229f0f9f96d137b787614c3d0d5c70c3578fe867",
		"DiffIDs":["sha256:0ace851f52a9579f5087cf39fc15c3b2c4b433bf6be28e6b1def05287ae15c5c"],"RepoDigests":["app@sha256:97a847b2a0230e01116e00d8b988a4d150b49ee2662032456ab5c46e39ccba1d"],
		"ImageConfig":{"architecture":"amd64","os":"linux"}},"Results":[{"Target":"app:1 (debian 12.5)","Class":"os-pkgs","Type":"debian","Vulnerabilities":[{"VulnerabilityID":"CVE-2011-3374",
		"PkgName":"apt","InstalledVersion":"2.6.1","Status":"affected","Severity":"LOW","CweIDs":["CWE-347"],"SeveritySource":"debian","CVSS":{"nvd":{"V3Score":3.7,"V3Vector":"CVSS:3.1/x"}},
		"Layer":{"DiffID":"sha256:0ace851f52a9579f5087cf39fc15c3b2c4b433bf6be28e6b1def05287ae15c5c"}}]},
		{"Target":"Node.js","Class":"lang-pkgs","Type":"node-pkg","Vulnerabilities":[{"VulnerabilityID":"CVE-2021-1","VendorIDs":["GHSA-1"],"PkgName":"lodash","PkgPath":"app/node_modules/lodash/package.json",
		"PkgIdentifier":{"PURL":"pkg:npm/lodash@4.17.20"},"InstalledVersion":"4.17.20","FixedVersion":"4.17.21","Severity":"HIGH"}],
		"ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"ignored","Statement":"no use","Source":".trivyignore","Finding":{"VulnerabilityID":"CVE-2021-9","PkgName":"z","InstalledVersion":"1","Severity":"LOW"}}]},
		{"Target":"/app/key","Class":"secret","Secrets":[{"RuleID":"aws-key","Severity":"CRITICAL","Title":"AWS key","StartLine":1,"EndLine":1,"Match":"AKIAHUNTER2"}]},
		{"Target":"Dockerfile","Class":"config","Type":"dockerfile","Misconfigurations":[{"ID":"DS002","AVDID":"AVD-DS-0002","Title":"root","Message":"say USER","Severity":"HIGH","Status":"FAIL","CauseMetadata":{"StartLine":2}},
		{"ID":"DS001","Severity":"LOW","Status":"PASS"}]}]}`,
}

func readSample(t *testing.T, format string, roots ...string) hook.Report {
	t.Helper()
	r, err := hook.Read(strings.NewReader(samples[format]), roots...)
	if err != nil {
		t.Fatal(err)
	}
	if r.Format != format {
		t.Fatalf("it was read as %s", r.Format)
	}
	return r
}

// show gives what matters of a finding in one line.
func show(f core.Finding) string {
	out := fmt.Sprintf("%s %s %s %q", f.Kind, f.Severity, f.Rule, f.Title)
	if len(f.Aliases) > 0 {
		out += " aka " + strings.Join(f.Aliases, ",")
	}
	if p := f.Package; p != nil {
		out += fmt.Sprintf(" in %s %s (%s, %s) %s %s", p.Name, p.Version, p.Ecosystem, p.Purl, f.Match, f.Confidence)
	}
	if f.Fix.State != "" {
		out += " fix " + string(f.Fix.State) + " " + f.Fix.Version
	}
	for _, l := range f.Locations {
		out += fmt.Sprintf(" at %s:%d:%d", l.Path, l.Line, l.Column)
	}
	if len(f.Weaknesses) > 0 {
		out += " " + strings.Join(f.Weaknesses, ",")
	}
	for _, s := range f.Suppressions {
		out += fmt.Sprintf(" suppressed %s by %s %s:%d (%s)", s.Kind, s.By, s.Path, s.Line, s.Reason)
	}
	return out + " by " + strings.Join(f.SeenBy, ",")
}

func TestEveryFormatIsRecognisedAndRead(t *testing.T) {
	want := map[string][]string{
		"sarif": {`code medium eval "eval" at a.py:1:0 by Semgrep OSS`},
		"aqua": {
			`misconfiguration high refused-by/aqua/max_severity "Aqua's assurance policy Default refuses it by its control max_severity" by Aqua`,
			`misconfiguration medium reported-by/aqua/root_user "Aqua's assurance policy Audit reports it by its control root_user" by Aqua`,
			`secret high RSA key "sensitive data of the type RSA key" at root/key.pem:0:0 CWE-798 by Aqua`,
			`vulnerability high CVE-2019-14697 "x87" in musl 1.1.20-r4 (Alpine:v3.9, pkg:apk/alpine/musl@1.1.20-r4) exact high fix available 1.1.20-r5 CWE-787 by Aqua`,
		},
		"bandit":     {`code medium B307 "Use of eval" at a.py:4:0 CWE-78 by bandit`},
		"bandit-xml": {`code medium B307 "Use of eval" at a.py:4:0 by bandit`},
		"checkstyle": {`code high com.puppycrawl.X "m" at b.java:1:0 by checkstyle`,
			`code medium SC2115 "café" at a.sh:2:8 by ShellCheck`},
		"cppcheck": {`code high nullPointer "Null pointer" at a.c:11:16 CWE-476 by Cppcheck`,
			`code low passedByValue "slow" at a.c:3:1 by Cppcheck`},
		"eslint": {`code high no-eval "eval" at a.js:3:1 by ESLint`,
			`code medium no-new-func "new" at a.js:4:1 suppressed inline by eslint-disable a.js:4 (a test) by ESLint`},
		"gitlab": {`secret critical AWS "AWS key" at README.md:5:0 CWE-798 by Gitleaks`},
		"gosec": {`code high G402 "TLS" at a.go:21:9 CWE-295 by gosec`,
			`code low G104 "errors" at a.go:3:1 suppressed inline by #nosec a.go:3 (fine) by gosec`},
		"govulncheck": nil,
		"grype": {
			`vulnerability high CVE-2021-1 "CVE-2021-1 in lodash" aka GHSA-1 in lodash 4.17.20 (npm, pkg:npm/lodash@4.17.20) exact high fix available 4.17.21 at app/package-lock.json:0:0 by Grype`,
			`vulnerability low CVE-2020-2 "CVE-2020-2 in apt" in apt 1 (Debian:12, pkg:deb/debian/apt@1?distro=debian-12) name low fix wont-fix  suppressed config by grype :0 (accepted) by Grype`,
		},
		"npm-audit":  {`vulnerability medium GHSA-gxpj-cx7g-858c "ReDoS" in debug  (npm, pkg:npm/debug) exact high CWE-400 by npm audit`},
		"rubocop":    {`code low Security/YAMLLoad "Security/YAMLLoad: Prefer using YAML.safe_load over YAML.load." at app.rb:3:6 by RuboCop`},
		"shellcheck": {`code medium SC2115 "Use" at x.sh:2:8 by ShellCheck`},
		"snyk": {
			`vulnerability high CVE-2021-1 "Pollution" aka SNYK-JS-1 in lodash 4.17.20 (npm, pkg:npm/lodash@4.17.20) exact high fix available 4.17.21 at package-lock.json:0:0 CWE-1321 by Snyk`,
			`vulnerability low SNYK-JS-2 "i" in y 1 (npm, pkg:npm/y@1) exact high at package-lock.json:0:0 suppressed config by .snyk :0 (no use) by Snyk`,
		},
		"sonarqube": {`code high G402 "bad TLS" at a.go:3:0 by gosec`, `code high R "m" at b.go:0:0 by old`},
		"trivy": {
			`misconfiguration high DS002 "say USER" aka AVD-DS-0002 at Dockerfile:2:0 by Trivy`,
			`secret critical aws-key "AWS key" at app/key:1:0 CWE-798 by Trivy`,
			`vulnerability high CVE-2021-1 "CVE-2021-1 in lodash" aka GHSA-1 in lodash 4.17.20 (npm, pkg:npm/lodash@4.17.20) exact high fix available 4.17.21 at app/node_modules/lodash/package.json:0:0 by Trivy`,
			`vulnerability low CVE-2011-3374 "CVE-2011-3374 in apt" in apt 2.6.1 (Debian:12, pkg:deb/debian/apt@2.6.1) exact high fix none  CWE-347 by Trivy`,
			`vulnerability low CVE-2021-9 "CVE-2021-9 in z" in z 1 (npm, pkg:npm/z@1) exact high suppressed config by .trivyignore :0 (no use) by Trivy`,
		},
	}
	if diff := cmp.Diff(len(hook.Formats()), len(want)); diff != "" {
		t.Errorf("formats without a sample: %s", diff)
	}
	for _, format := range hook.Formats() {
		t.Run(format, func(t *testing.T) {
			r := readSample(t, format, "/w")
			var got []string
			for _, f := range r.Findings {
				got = append(got, show(f))
			}
			slices.Sort(got)
			if diff := cmp.Diff(want[format], got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, f := range r.Findings {
				if strings.Contains(fmt.Sprintf("%+v %+v", f, f.Package), "HUNTER2") {
					t.Errorf("the secret is in %+v", f)
				}
			}
		})
	}
}

func TestWhatAToolCouldNotLookAtLeavesItsExaminationIncomplete(t *testing.T) {
	want := map[string][]core.Examination{
		"sarif": {{Name: "import:semgrep-oss", Tool: "Semgrep OSS", Version: "1", Status: core.Partial,
			Why: []string{"the tool says: could not parse x.py"}}},
		"bandit": {{Name: "import:bandit", Tool: "bandit", Status: core.Partial,
			Why: []string{"bandit could not read b.py: syntax error"}}},
		"bandit-xml": {{Name: "import:bandit", Tool: "bandit", Status: core.Complete}},
		"cppcheck": {{Name: "import:cppcheck", Tool: "Cppcheck", Version: "2.10", Status: core.Partial,
			Why: []string{"Cppcheck could not look into b.c: line 1: bad"}}},
		"eslint": {{Name: "import:eslint", Tool: "ESLint", Status: core.Partial,
			Why: []string{"ESLint could not read a.js: line 1: Parsing error"}}},
		"gosec": {{Name: "import:gosec", Tool: "gosec", Version: "2.1", Status: core.Partial,
			Why: []string{"gosec could not look into b.go: line 2: undeclared"}}},
		"gitlab": {{Name: "import:gitleaks", Tool: "Gitleaks", Version: "8", Status: core.Partial,
			Why: []string{`the scan ended with the status "failure"`,
				"the scanner says: no git"}}},
		"checkstyle": {{Name: "import:checkstyle", Tool: "checkstyle", Status: core.Partial,
			Why: []string{"Checkstyle could not read b.java: lost"}},
			{Name: "import:shellcheck", Tool: "ShellCheck", Status: core.Complete}},
		"trivy": {{Name: "import:trivy", Tool: "Trivy", Status: core.Complete}},
	}
	for format, want := range want {
		if diff := cmp.Diff(want, readSample(t, format, "/w").Examinations); diff != "" {
			t.Errorf("%s: -want +got\n%s", format, diff)
		}
	}
}

func TestScannersOfImagesSayWhichOne(t *testing.T) {
	const manifest, other, layer = "sha256:45bc57e4e876533bc61ba7bf229f0f9f96d137b787614c3d0d5c70c3578fe867",
		"sha256:97a847b2a0230e01116e00d8b988a4d150b49ee2662032456ab5c46e39ccba1d", "sha256:0ace851f52a9579f5087cf39fc15c3b2c4b433bf6be28e6b1def05287ae15c5c"
	linux := &core.Platform{OS: "linux", Architecture: "amd64"}
	for format, want := range map[string]hook.About{
		"aqua":  {Image: true, Name: "app:1", Digests: []core.Digest{layer}, IDs: []core.Digest{manifest}},
		"grype": {Image: true, Name: "app:1", Digests: []core.Digest{manifest}, Platform: linux},
		"trivy": {Image: true, Name: "app:1", Digests: []core.Digest{other}, IDs: []core.Digest{manifest},
			Layers: []core.Digest{layer}, Platform: linux},
		"gosec": {},
	} {
		if diff := cmp.Diff(want, readSample(t, format).About); diff != "" {
			t.Errorf("%s\n%s", format, diff)
		}
	}
}

func TestALaterFlawThatRepeatsAnEarlierOneIsNew(t *testing.T) {
	report := func(lines ...int) []core.Finding {
		var list []string
		for _, l := range lines {
			list = append(list,
				fmt.Sprintf(`{"file":"x.sh","line":%d,"endLine":2,"column":8,"level":"warning","code":2115,"message":"Use"}`, l))
		}
		r, err := hook.ReadAs("shellcheck", strings.NewReader(`{"comments":[`+strings.Join(list, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		return r.Findings
	}
	prints := func(f []core.Finding) map[string]bool {
		out := map[string]bool{}
		for _, x := range f {
			out[x.Fingerprint] = true
		}
		return out
	}
	one, moved, two, twice := prints(report(3)), prints(report(30)), prints(report(3, 30)), prints(report(3, 3))
	if cmp.Diff(one, moved) != "" || len(two) != 2 || cmp.Diff(one, twice) != "" {
		t.Errorf("%v, moved %v, two %v, the same twice %v", one, moved, two, twice)
	}
	for p := range one {
		if !two[p] {
			t.Error("the first is not the same any more")
		}
	}
}

func TestAReportThatRefusesWithoutSayingWhyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"disallowed":true}`: hook.RefusedBy + "aqua/assurance",
		`{"disallowed":true,"policy_failures":[{"policy_name":"A","blocking":false,"controls":["x"]}]}`:    hook.RefusedBy + "aqua/assurance",
		`{"disallowed":true,"checks_performed":[{"failed":true,"policy_name":"A","control":"root_user"}]}`: hook.RefusedBy + "aqua/root_user",
		`{"checks_performed":[{"failed":true,"policy_name":"A","control":"root_user"}]}`:                   "",
		`{"checks_performed":[{"policy_name":"A","control":"root_user"}]}`:                                 "",
	} {
		r, err := hook.Read(strings.NewReader(`{"image":"x","resources":[],"image_assurance_results":` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		refused := ""
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Rule, hook.RefusedBy) {
				refused = f.Rule
			}
		}
		if refused != want {
			t.Errorf("%s: %q, want %q", text, refused, want)
		}
	}
}

func TestMalformedReportsGiveOneErrorThatSaysWhere(t *testing.T) {
	for name, tc := range map[string]struct{ format, text, want string }{
		"nothing":       {"", "", "it is empty: the tool wrote nothing"},
		"an empty list": {"", "[]", "name its format, as in eslint=FILE"},
		"null":          {"", "null", "of no format that is read"},
		"text":          {"", "hello", "of no format that is read"},
		"another tool": {"", `{"errors":[],"paths":{},"results":[]}`,
			"of no format that is read; read are SARIF 2.1.0"},
		"another tool, cut":   {"", `{"errors":[],"paths":`, "of no format that is read, and broken: byte 21"},
		"XML of another tool": {"", "<BugCollection/>", "XML of no format that is read"},
		"an entity": {"", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><checkstyle/>`,
			"document type, which is not read"},
		"an entity that is named": {"checkstyle", `<checkstyle><file name="&a;"/></checkstyle>`,
			"invalid character entity"},
		"XML that is cut":    {"", `<checkstyle><file name="x">`, "line 1"},
		"XML that is nested": {"checkstyle", strings.Repeat("<a>", 100), "nested deeper than 64 levels"},
		"a line in words": {"checkstyle",
			`<checkstyle><file name="x"><error line="three"/></file></checkstyle>`, `want a whole number, found "three"`},
		"an encoding": {"checkstyle", `<?xml version="1.0" encoding="EBCDIC"?><checkstyle/>`,
			"write UTF-8"},
		"old cppcheck": {"", `<results><error file="a"/></results>`, "--xml-version=2"},
		"JSON as XML":  {"cppcheck", `{}`, "no XML: EOF"},
		"cut":          {"", samples["trivy"][:len(samples["trivy"])-40], "cut off here"},
		"a wrong type": {"", strings.Replace(samples["trivy"], `"SchemaVersion":2`,
			`"SchemaVersion":"2"`, 1), "at SchemaVersion: want a number, found a string"},
		"a wrong type within": {"", strings.Replace(samples["gosec"], `"rule_id":"G402"`, `"rule_id":7`, 1),
			"want a string, found a number"},
		"an older schema": {"", strings.Replace(samples["trivy"], `"SchemaVersion":2`, `"SchemaVersion":1`,
			1), "want a report of schema version 2"},
		"a later schema": {"", strings.Replace(samples["gitlab"], `15.0.4`, `99.0`, 1), `version "99.0"`},
		"a report of another kind": {"", strings.Replace(samples["gitlab"], `secret_detection`, `dast`, 1),
			"a report of dast, which is not read"},
		"no results":         {"bandit", `{"generated_at":"x"}`, `it has no "results"`},
		"no vulnerabilities": {"gitlab", `{"version":"15.0.0","scan":{}}`, `it has no "vulnerabilities"`},
		"npm that failed": {"npm-audit", `{"error":{"code":"ENOLOCK","summary":"needs a lockfile"}}`,
			"npm could not audit: ENOLOCK needs a lockfile"},
		"two images": {"",
			`[{"image_name":"a","results":{"resources":[]}},{"image_name":"b","results":{}}]`, "several images"},
		"results twice": {"bandit", `{"results":[],"results":[{}]}`,
			"at results: this member occurs twice"},
		"a member twice": {"shellcheck", `{"comments":[{"level":"error","level":"info"}]}`,
			"comments[0].level: this member occurs twice"},
		"UTF-32":                    {"", "{\x00\x00\x00", "UTF-32"},
		"an unknown format":         {"nessus", "x", `"nessus" is no format that is read: want one of sarif, aqua`},
		"another form of a version": {"shellcheck", `{"comments":{}}`, "at comments: want an array, found an object"},
	} {
		var err error
		if tc.format == "" {
			_, err = hook.Read(strings.NewReader(tc.text))
		} else {
			_, err = hook.ReadAs(tc.format, strings.NewReader(tc.text))
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// endless writes a list that never ends, as far as anybody reads.
type endless struct {
	head, element string
	at            int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.head[min(e.at, int64(len(e.head))):])
	for n < len(p) {
		skip := (e.at + int64(n) - int64(len(e.head))) % int64(len(e.element))
		n += copy(p[n:], e.element[skip:])
	}
	e.at += int64(n)
	return n, nil
}

func (e *endless) Seek(int64, int) (int64, error) { e.at = 0; return 0, nil }

func TestTenMillionResultsAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million results take a while under the race detector")
	}
	one := strings.Repeat(`{"file":"x.sh","line":2,"endLine":2,"column":8,"level":"warning","code":2115,"message":"Use"},`, 1000)
	_, err := hook.ReadAs("shellcheck", &endless{head: `[`, element: one})
	if err == nil || !strings.Contains(err.Error(), "more than 500000 findings") {
		t.Error(err)
	}
}

func TestAnElementThatNeverEndsIsRefused(t *testing.T) {
	_, err := hook.ReadAs("trivy", &endless{head: `[{"Target":"x","Packages":[`,
		element: strings.Repeat(`{"Name":"x","Version":"1","Description":"some more text to fill it"},`, 1000)})
	if err == nil || !strings.Contains(err.Error(), "longer than 67108864 bytes") {
		t.Error(err)
	}
}

func TestWhatWouldCostMuchMoreMemoryThanItHasBytesIsRefused(t *testing.T) {
	many := strings.Repeat("{},", 600_000) + "{}"
	for name, tc := range map[string]struct{ format, text, want string }{
		"objects of nothing": {"trivy", `[{"Vulnerabilities":[` + many + `]}]`, "more than 500000 objects"},
		"attributes": {"checkstyle", `<checkstyle><file ` + strings.Repeat(`a="" `, 2<<20) + `/></checkstyle>`,
			"in checkstyle: a tag or text of more than 8388608 bytes"},
		"a text": {"bandit-xml", `<testsuite name="bandit"><testcase><error>` + strings.Repeat("x", 9<<20) +
			`</error></testcase></testsuite>`, "a tag or text of more than 8388608 bytes"},
	} {
		_, err := hook.ReadAs(tc.format, strings.NewReader(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %.300v, want %s", name, err, tc.want)
		}
	}
	message := &endless{head: `{"config":{"scanner_name":"`, element: strings.Repeat("x", 1<<16)}
	_, err := hook.ReadAs("govulncheck", message)
	if err == nil || !strings.Contains(err.Error(), "longer than 67108864 bytes") {
		t.Errorf("a message that never ends: %v", err)
	}
}
