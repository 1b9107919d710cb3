package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func TestWhatIsWrongWithAPolicyHasItsPlaceAndTheNearestName(t *testing.T) {
	rule := func(when string) string {
		return "version: 1\nrules:\n- {name: r, action: fail, when: '" + when + "'}\n"
	}
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":                {"", []string{`1:1: the policy is empty; the smallest one is "version: 1"`}},
		"only a comment":       {"# hello\n", []string{`1:1: the policy is empty; the smallest one is "version: 1"`}},
		"not YAML":             {"version: 1\nrules: [\n", []string{`1: this is not YAML: `}},
		"a list":               {"- version: 1\n", []string{`1:1: a policy is a mapping of keys to values, not a list`}},
		"two documents":        {"version: 1\n---\nversion: 1\n", []string{`there is a second YAML document; one is read`}},
		"no version":           {"starter-ok: true\n", []string{`1:1: the key "version" is missing; write "version: 1"`}},
		"another version":      {"version: 2\n", []string{`1:10: this version of Cleanbill reads policies of version 1`}},
		"a version as text":    {"version: '2'\n", []string{`1:10: this version of Cleanbill reads policies of version 1`}},
		"an unknown key":       {"version: 1\nextend: strict\n", []string{`2:1: unknown key "extend"; did you mean "extends"?`}},
		"a key of nothing":     {"version: 1\nzzzzzz: 1\n", []string{`2:1: unknown key "zzzzzz"; there are: accept, advisories, allow, baseline, bases, excluded-platforms-ok, extends, extends-signed-by, hooks, inline-ignores, locked, name, rego, require, rules, starter-ok, trusted-root, version, vex, waiver-files, waivers`}},
		"a key twice":          {"version: 1\nstarter-ok: true\nstarter-ok: false\n", []string{`3:1: "starter-ok" is here a second time`}},
		"text for a boolean":   {"version: 1\nstarter-ok: 'yes'\n", []string{`2:13: this must be true or false, not text`}},
		"YAML 1.1's boolean":   {"version: 1\nstarter-ok: yes\n", []string{`2:13: this must be true or false, not text`}},
		"a number for text":    {"version: 1\nextends: 1\n", []string{`2:10: this must be text, not a number`}},
		"nothing for text":     {"version: 1\nextends:\n", []string{`2:9: this must be text, not nothing`}},
		"text for a list":      {"version: 1\nrequire: layers\n", []string{`2:10: this must be a list, not text`}},
		"an empty requirement": {"version: 1\nrequire: []\n", []string{`2:10: this list must not be empty: evidence of nothing would pass`}},
		"a path without its place": {"version: 1\nextends: ./org.yaml\n",
			[]string{`2:10: "./org.yaml" cannot be read from here: only built-in policies can be extended`}},
		"a path of another kind": {"version: 1\nextends: ./org.json\n",
			[]string{`2:10: "./org.json" is not a policy that can be extended: accepted are the built-in relaxed, standard, strict, a path that ends in .yaml, oci://REGISTRY/REPOSITORY@sha256:…, or "none"`}},
		"an address to extend": {"version: 1\nextends: https://policies.example/org.yaml\n",
			[]string{`2:10: "https://policies.example/org.yaml" is not a policy that can be extended`}},
		"a bundle by its tag": {"version: 1\nextends: oci://registry.example/policy:1\n",
			[]string{`2:10: "oci://registry.example/policy:1" has no digest, and a tag may lead to another policy tomorrow; write oci://registry.example/policy@sha256:…, as "cleanbill policy push" prints it`}},
		"a bundle without its name": {"version: 1\nextends: oci://x@sha256:y\n",
			[]string{`2:10: "sha256:y" is not a digest: want sha256: and 64 lower-case hex digits`}},
		"a signer of a file": {"version: 1\nextends: strict\nextends-signed-by: [{key: k}]\n",
			[]string{`3:1: signatures are of bundles: this needs extends: oci://REGISTRY/REPOSITORY@sha256:…`}},
		"a lock of nothing":      {"version: 1\nlocked: [vexx]\n", []string{`2:10: "vexx" is no key that can be locked; did you mean "vex"?`}},
		"a lock of what all say": {"version: 1\nlocked: [extends]\n", []string{`2:10: "extends" is no key that can be locked`}},
		"a locked rule after others": {"version: 1\nrules: [{name: a, when: 'true', action: warn}, {name: b, when: 'true', action: fail, locked: true}]\n",
			[]string{`2:48: a locked rule comes before those that are not: move "b" before "a"`}},
		"a scope of nothing": {"version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {}}]\n",
			[]string{`2:59: say which branches, images or paths this rule is for, or leave the key out`}},
		"a scope that is misspelt": {"version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {branch: [main]}}]\n",
			[]string{`2:60: unknown key "branch"; did you mean "branches"?`, `2:59: say which branches`}},
		"an empty list of branches": {"version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {branches: []}}]\n",
			[]string{`2:70: a list of patterns has at least one, and at most 100`}},
		"a pattern of three stars": {"version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {paths: [a, 'b/***']}}]\n",
			[]string{`2:71: three stars mean nothing; write * for a part of a segment, or ** for any number of segments`}},
		"paths of an image": {"version: 1\nrules: [{name: r, for: images, when: 'image.user == \"\"', action: fail, applies-to: {paths: [a]}}]\n",
			[]string{`only findings and packages have paths, and this rule is for images`}},
		"a misspelt profile":    {"version: 1\nextends: strickt\n", []string{`or "none"; did you mean "strict"?`}},
		"an acceptance without": {"version: 1\naccept: [{examination: distro}]\n", []string{`2:10: the key "reason" is missing: what is accepted needs a name and a reason`}},
		"an anchor":             {"version: 1\nrules: &r []\n", []string{`2:8: anchors and aliases are not accepted here; write the value where it is used`}},
		"a tag":                 {"version: 1\nname: !!binary aGk=\n", []string{`2:7: tags (!!binary) are not accepted here`}},
		"rules as a mapping":    {"version: 1\nrules: {a: b}\n", []string{`2:8: this must be a list of rules, not a mapping`}},
		"a rule as text":        {"version: 1\nrules: [a]\n", []string{`2:9: this must be a mapping of keys to values, not text`}},
		"a rule without": {"version: 1\nrules: [{name: r}]\n",
			[]string{`2:9: the key "when" of this rule is missing`, `2:9: the key "action" of this rule is missing`}},
		"a bad action": {"version: 1\nrules: [{name: r, when: 'true', action: fial}]\n", []string{`2:41: "fial" is none of fail, warn, ignore; did you mean "fail"?`}},
		"a bad name":   {"version: 1\nrules: [{name: 'a b', when: 'true', action: fail}]\n", []string{`2:16: "a b" is not a name: use up to 64 letters`}},
		"a name twice": {"version: 1\nrules: [{name: r, when: 'true', action: fail}, {name: r, when: 'true', action: warn}]\n", []string{`2:48: the rule name "r" is already used above`}},
		"a name of the base": {"version: 1\nrules: [{name: secret, when: 'true', action: warn}]\n",
			[]string{`2:9: the rule name "secret" is already used by the policy that this one extends`}},
		"a reserved name": {"version: 1\nrules: [{name: unmatched, when: 'true', action: warn}]\n", []string{`2:9: the rule name "unmatched" is already used for findings that no rule matches`}},

		"an unknown variable":  {rule("findings.kind == \"x\""), []string{`3:34: there is no "findings" here; did you mean "finding"?`}},
		"an unknown field":     {rule("finding.severty >= HIGH"), []string{`3:41: a finding has no field "severty"; did you mean "severity"?`}},
		"a nested field":       {rule("finding.fix.avail"), []string{`3:45: a fix has no field "avail"; did you mean "available"?`}},
		"a field of a package": {rule("finding.package.lisence == \"MIT\""), []string{`3:49: a package has no field "lisence"; did you mean "licenses"?`}},
		"the variable package": {rule("package.nam == \"package\""), []string{`3:41: a package has no field "nam"; did you mean "name"?`}},
		"a quoted severity": {rule("finding.severity >= \"high\""),
			[]string{`3:51: ">=" cannot be used between (int, string); severities are written without quotes: CRITICAL, HIGH, MEDIUM, LOW, NONE, UNKNOWN`}},
		"a misspelt severity":       {rule("finding.severity >= HIHG"), []string{`3:54: there is no "HIHG" here; did you mean "HIGH"?`}},
		"a misspelt kind":           {rule("finding.kind == \"vulnerabilty\""), []string{`3:50: kind is never "vulnerabilty"; did you mean "vulnerability"?`}},
		"a misspelt kind, reversed": {rule("\"secrets\" == finding.kind"), []string{`kind is never "secrets"; did you mean "secret"?`}},
		"a misspelt match":          {rule("finding.match in [\"exact\", \"sources\"]"), []string{`3:61: match is never "sources"; did you mean "source"?`}},
		"a misspelt state":          {rule("finding.fix.state != \"wontfix\""), []string{`state is never "wontfix"; did you mean "wont-fix"?`}},
		"syntax":                    {rule("finding.exploited &&"), []string{`3:54: Syntax error`}},
		"no boolean":                {rule("finding.rule"), []string{`3:34: a condition is true or false, but this is a value of type string`}},
		"only an image": {rule("image.user == \"\""),
			[]string{`3:34: this rule is evaluated for findings but asks nothing of "finding"; to judge images add "for: images"`}},
		"only the evidence": {rule("evidence.high > 3"),
			[]string{`3:34: this rule is evaluated for findings but asks nothing of "finding"; to judge evidence add "for: evidence"`}},
		"an examination in a rule for findings": {rule("finding.exploited && examination.name == \"x\""),
			[]string{`3:34: there is no "examination" in a rule for findings`}},
		"a misspelt function":       {rule("blob(finding.path, \"x\")"), []string{`there is no "blob" here; did you mean "glob"?`}},
		"a function of an image":    {rule("daysince(finding.published) > 3"), []string{`there is no "daysince" here; did you mean "daysSince"?`}},
		"a function called wrongly": {rule("glob(finding.paths, \"x\")"), []string{`3:38: glob is called otherwise: glob(string, string)`}},
		"days of a text":            {rule("daysSince(finding.rule) > 3"), []string{`daysSince is called otherwise: daysSince(google.protobuf.Timestamp)`}},
		"a pattern that is none":    {rule("finding.exploited && glob(finding.path, \"\")"), []string{`3:55: glob: a pattern must not be empty`}},
		"a purl that is none":       {rule("purlMatches(package.purl, \"npm/x\")"), []string{`3:34: purlMatches: "npm/x" is not a package URL: it begins with pkg:TYPE/`}},
		"an unknown ecosystem":      {rule("olderThan(package.version, \"1\", \"npn\")"), []string{`3:34: olderThan: "npn" is no ecosystem whose versions have an order`}},
		"an expression in a list":   {rule("licensesAllowed(package.licenses, [\"MIT OR ISC\"])"), []string{`3:34: licensesAllowed: "MIT OR ISC" is an expression; list each license on its own`}},
		"an empty list of licenses": {rule("licensesDenied(package.licenses, [])"), []string{`3:34: licensesDenied: the list is empty`}},
		"a field of an image":       {rule("image.bse.name == finding.rule"), []string{`3:39: an image has no field "bse"; did you mean "base"?`}},
		"a field of the evidence":   {rule("finding.exploited && evidence.advisories.asof == now"), []string{`advisories has no field "asof"; did you mean "asOf"?`}},
		"a misspelt status": {"version: 1\nrules: [{name: r, for: examinations, when: 'examination.status == \"parttial\"', action: fail}]\n",
			[]string{`status is never "parttial"; did you mean "partial"?`}},
		"a bad regular expression": {rule("finding.rule.matches(\"(\")"), []string{`error parsing regexp`}},
		"a place in a folded block": {"version: 1\nrules:\n- name: r\n  action: fail\n  when: >-\n    finding.exploited &&\n    finding.fix.avail\n",
			[]string{`7:16: a fix has no field "avail"`}},
		"a place in a literal block": {"version: 1\nrules:\n- name: r\n  action: fail\n  when: |\n    finding.exploited &&\n    finding.fix.avail\n",
			[]string{`7:16: a fix has no field "avail"`}},
		"a place in plain text": {"version: 1\nrules:\n- name: r\n  action: fail\n  when: finding.expl\n",
			[]string{`5:16: a finding has no field "expl"; did you mean "exploited"?`}},
		"a finding in a rule for images": {"version: 1\nrules: [{name: r, for: images, when: 'finding.exploited', action: fail}]\n",
			[]string{`2:39: there is no "finding" in a rule for images`}},
		"a message": {"version: 1\nrules: [{name: r, when: 'true', action: fail, message: 'x {finding.rul}'}]\n",
			[]string{`2:67: a finding has no field "rul"; did you mean "rule"?`}},
		"a message of a list": {"version: 1\nrules: [{name: r, when: 'true', action: fail, message: '{finding.ids}'}]\n",
			[]string{`2:58: a message can show text and numbers, not a list(string)`}},
		"a message with a brace": {"version: 1\nrules: [{name: r, when: 'true', action: fail, message: 'a } b'}]\n",
			[]string{`2:59: "}" has no counterpart; write "}}" for a brace`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Parse("dir/policy.yaml", []byte(tt.text))
			if err == nil {
				t.Fatalf("it is accepted: %+v", p.Ref())
			}
			if !core.Usage(err) {
				t.Errorf("%v is not the user's mistake", err)
			}
			var problems diagnostic.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("%T %v is no list of problems", err, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is\n%s\nand does not say\n%s", strings.ReplaceAll(err.Error(), "; dir", "\ndir"), want)
				}
			}
			if len(problems) != len(tt.want) {
				t.Errorf("%d problems, want %d: %v", len(problems), len(tt.want), err)
			}
			for _, problem := range problems {
				if problem.File != "dir/policy.yaml" || problem.Line < 1 || problem.Column < 1 {
					t.Errorf("the place of %+v is wrong", problem)
				}
			}
		})
	}
}

func TestOneRunReportsEverythingInTheOrderOfTheFile(t *testing.T) {
	_, err := policy.Parse("p.yaml", []byte("version: 1\nrules:\n- {name: a, when: 'finding.x == 1', action: fial}\n- {name: b, when: 'fnding.rule == \"\"', action: fail}\nstarter-okay: true\n"))
	want := `could not read policy p.yaml: p.yaml:3:27: a finding has no field "x"`
	var problems diagnostic.Problems
	if !errors.As(err, &problems) || len(problems) != 4 || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// decidedBy judges one finding by a policy and returns rule, action and message.
func decidedBy(t *testing.T, p *policy.Policy, e core.Evidence) string {
	t.Helper()
	v := p.Judge(&e, nil, now)
	var all []string
	for _, list := range [][]core.Outcome{v.Refusals, v.Warnings, v.Ignored} {
		for _, o := range list {
			all = append(all, o.Rule+" "+string(o.Action)+" "+o.Message)
		}
	}
	return strings.Join(all, "\n")
}

func TestTheFirstRuleThatMatchesDecidesAndOwnRulesComeFirst(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(critical)}
	for name, tt := range map[string]struct{ policy, want string }{
		"own before the base":     {"version: 1\nrules: [{name: mine, when: finding.rule == \"CVE-2026-1\", action: ignore}]", "mine ignore"},
		"own in order":            {"version: 1\nrules: [{name: a, when: finding.rule == \"CVE-2026-1\", action: warn}, {name: b, when: 'true', action: fail}]", "a warn"},
		"then the base":           {"version: 1\nrules: [{name: mine, when: finding.rule == \"CVE-2026-2\", action: ignore}]", "severe-with-fix fail"},
		"standard is the default": {"version: 1", "severe-with-fix fail"},
		"another base":            {"version: 1\nextends: strict", "medium-or-worse fail"},
		"no base":                 {"version: 1\nextends: none\nrules: [{name: mine, when: finding.exploited, action: fail}]", "unmatched warn"},
		"no rules at all":         {"version: 1\nextends: none", "unmatched warn"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decidedBy(t, parsed(t, tt.policy), e); !strings.HasPrefix(got, tt.want+" ") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(all(critical, exploited))}
	secret := evidence()
	secret.Findings = []core.Finding{{Fingerprint: "s", Subject: image, Kind: core.KindSecret, Rule: "aws-key", Title: "AWS key",
		Severity: core.SeverityHigh, Locations: []core.Location{{Path: "z", Line: 1}, {Path: "app/.env", Line: 3}}}}
	rule := func(message string) string {
		return "version: 1\nrules: [{name: r, when: 'true', action: fail, message: '" + message + "'}]"
	}
	for name, tt := range map[string]struct {
		policy   string
		evidence core.Evidence
		want     string
	}{
		"by default":    {"version: 1", e, "exploited-with-fix fail CVE-2026-1 in p 1.0 (critical, exploited since 2026-01-01), fixed in 2.0"},
		"of a secret":   {"version: 1", secret, "secret fail aws-key in app/.env:3: AWS key"},
		"a template":    {rule("{finding.rule} in {package.name}@{finding.package.version}: {finding.fix.version}"), e, "r fail CVE-2026-1 in p@1.0: 2.0"},
		"values":        {rule("{finding.severity == CRITICAL} {finding.score} {finding.severity}"), e, "r fail true 0 5"},
		"braces":        {rule("{{{finding.rule}}}"), e, "r fail {CVE-2026-1}"},
		"that fails":    {rule("{finding.aliases[3]}"), e, "r fail r (its message could not be made: index out of bounds: 3)"},
		"that is empty": {rule("{finding.title}"), e, "r fail CVE-2026-1 in p 1.0 (critical, exploited since 2026-01-01), fixed in 2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, decidedBy(t, parsed(t, tt.policy), tt.evidence)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Everything that a rule can ask is there, with the value of the evidence.
func TestExpressionsSeeTheEvidence(t *testing.T) {
	score, layer := 9.8, 3
	e := evidence()
	e.Subjects[0].Name = "registry.example/app:1"
	e.Images = []core.ImageFacts{{
		Subject: image, Platform: core.Platform{OS: "linux", Architecture: "arm64"}, User: "app", ExposedPorts: []string{"80/tcp"},
		EnvNames: []string{"PATH"}, Entrypoint: []string{"/app"}, Cmd: []string{"-v"}, WorkingDir: "/srv", Volumes: []string{"/data"},
		Healthcheck: true, Labels: map[string]string{"a": "b"}, Created: now, Layers: []core.LayerFacts{{Size: 3}, {Size: 4}},
		Files: 12, Base: &core.BaseImage{Name: "debian:12", Digest: "sha256:1"},
		Distro: &core.Distro{ID: "debian", IDLike: []string{"x"}, VersionID: "12", Codename: "bookworm", Ecosystem: "Debian:12", EndOfLife: "2028-06-30"},
	}}
	e.Packages = []core.Package{{
		Subject: image, Name: "libssl3", Version: "3.0.11", Purl: "pkg:deb/debian/libssl3@3.0.11", Ecosystem: "Debian:12",
		Architecture: "arm64", Source: &core.SourcePackage{Name: "openssl"}, Licenses: []string{"Apache-2.0"},
		Locations: []core.Location{{Path: "z"}, {Path: "var/lib/dpkg/status"}}, Analyzer: "os/dpkg", Scope: core.ScopeRuntime, Vendored: true,
		Origin: &core.Origin{Layer: 1, RemovedIn: &layer},
	}}
	e.Findings = []core.Finding{{
		Fingerprint: "f", Subject: image, Kind: core.KindVulnerability, Rule: "CVE-1", Aliases: []string{"GHSA-1"}, Title: "t",
		Severity: core.SeverityHigh, Score: &score, Vector: "CVSS", SeveritySource: "CVSS 3.1", Match: core.MatchSource,
		Package:   &core.PackageRef{Name: "libssl3", Version: "3.0.11", Purl: "pkg:deb/debian/libssl3@3.0.11"},
		Locations: []core.Location{{Path: "b"}, {Path: "a"}, {Path: "a"}}, Origin: &core.Origin{Layer: 1},
		Fix:       core.Fix{State: core.FixAvailable, Version: "3.0.14", Versions: []string{"3.0.14", "3.1.1"}, Text: "upgrade"},
		Exploited: &core.Exploited{Ransomware: true}, EPSS: &core.EPSS{Score: 0.5}, Published: now.AddDate(0, 0, -10), Modified: now,
		References: []string{"https://x"}, SeenBy: []string{"OSV"},
	}}
	for _, condition := range []string{
		`finding.fingerprint == "f" && finding.kind == "vulnerability" && finding.rule == "CVE-1" && finding.title == "t"`,
		`finding.aliases == ["GHSA-1"] && finding.ids == ["CVE-1", "GHSA-1"] && "GHSA-1" in finding.ids`,
		`finding.severity == HIGH && finding.severity < CRITICAL && finding.severity > MEDIUM && UNKNOWN < NONE && NONE < LOW && LOW < MEDIUM`,
		`finding.score > 9.7 && finding.score < 9.9 && has(finding.score) && finding.vector == "CVSS" && finding.severitySource == "CVSS 3.1"`,
		`finding.exploited && finding.ransomware && finding.epss >= 0.5 && has(finding.epss)`,
		`finding.fix.available && finding.fix.state == "available" && finding.fix.version == "3.0.14" && finding.fix.versions.size() == 2 && finding.fix.text == "upgrade" && has(finding.fix)`,
		`finding.match == "source" && finding.path == "a" && finding.paths == ["a", "b"] && finding.visible && finding.layer == 1`,
		`finding.seenBy == ["OSV"] && finding.references == ["https://x"] && now - finding.published == duration("240h") && finding.modified == now`,
		`has(finding.package) && finding.package.name == "libssl3" && package.name == finding.package.name`,
		`package.version == "3.0.11" && package.purl.startsWith("pkg:deb/") && package.ecosystem == "Debian:12" && package.architecture == "arm64"`,
		`package.source == "openssl" && package.sourceVersion == "3.0.11" && "Apache-2.0" in package.licenses && package.path == "var/lib/dpkg/status"`,
		`package.paths.exists(p, p == "z") && package.analyzer == "os/dpkg" && package.scope == "runtime" && package.vendored && !package.visible && package.layer == 1`,
		`finding.rule != "" && image.user == "app" && image.ports == ["80/tcp"] && image.env == ["PATH"] && image.entrypoint == ["/app"] && image.cmd == ["-v"]`,
		`finding.rule != "" && image.workingDir == "/srv" && image.volumes == ["/data"] && image.healthcheck && image.labels["a"] == "b" && image.created == now`,
		`finding.rule != "" && image.layers == 2 && image.size == 7 && image.files == 12 && image.base.name == "debian:12" && image.base.digest == "sha256:1" && image.os == "linux" && image.architecture == "arm64"`,
		`finding.rule != "" && has(image.distro) && image.distro.id == "debian" && image.distro.idLike == ["x"] && image.distro.version == "12" && image.distro.codename == "bookworm" && image.distro.ecosystem == "Debian:12" && image.distro.endOfLife > "2026"`,
		`finding.rule != "" && subject.name.startsWith("registry.example/") && subject.kind == "image" && subject.digest.startsWith("sha256:") && subject.platform == "linux/amd64"`,
	} {
		p := parsed(t, "version: 1\nrules:\n- name: r\n  action: ignore\n  when: |\n    "+condition+"\n")
		if got := decidedBy(t, p, e); !strings.HasPrefix(got, "r ignore") {
			t.Errorf("%s\ngives %s", condition, got)
		}
	}
	// The same questions about nothing are answered, and with no.
	empty := core.Evidence{Findings: []core.Finding{{Fingerprint: "e"}}}
	for _, condition := range []string{
		`finding.kind == "vulnerability" || finding.exploited || finding.fix.available || has(finding.score) || has(finding.package)`,
		`package.name != "" || package.layer != -1 || package.licenses.size() > 0`,
		`finding.rule != "" || image.user != "" || has(image.distro) || image.distro.id != "" || image.labels.size() > 0 || image.size > 0`,
		`finding.rule != "" || subject.name != "" || subject.platform != ""`,
	} {
		p := parsed(t, "version: 1\nrules:\n- name: r\n  action: ignore\n  when: |\n    "+condition+"\n")
		if got := decidedBy(t, p, empty); !strings.HasPrefix(got, "everything-else warn") {
			t.Errorf("%s\nof nothing gives %s", condition, got)
		}
	}
}

func TestRulesOverPackagesImagesAndSubjects(t *testing.T) {
	e := evidence()
	e.Packages = []core.Package{
		{Subject: image, Name: "readline", Version: "8", Purl: "pkg:deb/debian/readline@8", Licenses: []string{"GPL-3.0-only"}},
		{Subject: image, Name: "zlib", Version: "1", Purl: "pkg:deb/debian/zlib@1", Licenses: []string{"Zlib"}},
	}
	p := parsed(t, `version: 1
rules:
  - {name: license, for: packages, when: '"GPL-3.0-only" in package.licenses', action: fail, message: '{package.name} is GPL'}
  - {name: root, for: images, when: image.user == "", action: warn}
  - {name: registry, for: subjects, when: '!subject.name.startsWith("internal/")', action: ignore}
`)
	want := "license fail readline is GPL\nroot warn root: registry.example/app:1 (linux/amd64)\nregistry ignore registry: registry.example/app:1 (linux/amd64)"
	if diff := cmp.Diff(want, decidedBy(t, p, e)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if v := p.Judge(&e, nil, now); v.Decision != core.Refused || v.Refusals[0].Subject != image {
		t.Errorf("verdict %+v", v)
	}
}

// A rule that cannot be evaluated might have been the one that refuses.
func TestARuleThatFailsLeavesTheVerdictUndecided(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(all()), flaw(all())}
	v := parsed(t, "version: 1\nrules: [{name: mine, when: 'finding.aliases[0] == \"x\"', action: ignore}]").Judge(&e, nil, now)
	want := []core.Gap{{
		Examination: "policy", Status: core.Failed, Rule: "mine",
		Why:    []string{`rule "mine" could not be evaluated 2 times`, "index out of bounds: 0"},
		Remedy: `correct the condition of rule "mine" so that it holds for every finding`,
	}}
	if diff := cmp.Diff(want, v.Gaps); diff != "" || v.Decision != core.Undecided || len(v.Warnings) != 2 {
		t.Errorf("decision %v, %d warnings, gaps -want +got:\n%s", v.Decision, len(v.Warnings), diff)
	}
	e.Findings = append(e.Findings, flaw(critical))
	if v := parsed(t, "version: 1\nrules: [{name: mine, when: 'finding.aliases[0] == \"x\"', action: ignore}]").Judge(&e, nil, now); v.Decision != core.Refused {
		t.Errorf("decision %v although another rule refuses", v.Decision)
	}
	for _, condition := range []string{"finding == finding", `dyn(finding).kind == "x"`, "1 / (finding.layer + 1) == 1", `int(finding.rule) == 1`} {
		p := parsed(t, "version: 1\nrules:\n- name: mine\n  action: ignore\n  when: |\n    "+condition+" && finding.rule != \"\"\n")
		if v := p.Judge(&e, nil, now); len(v.Gaps) != 1 {
			t.Errorf("%s: gaps %+v", condition, v.Gaps)
		}
	}
}

func TestTheReferenceIsOfTheMeaning(t *testing.T) {
	a := parsed(t, "version: 1\nrules: [{name: r, when: 'true', action: fail}]").Ref()
	same := parsed(t, "# a comment\nrules:\n  - action: fail\n    when: 'true'\n    name: r\nextends: standard\nversion: 1\n").Ref()
	if a != same {
		t.Errorf("%+v and %+v mean the same", a, same)
	}
	if a.Name != "policy.yaml" || a.Source != "policy.yaml" || a.Digest == standard(t).Ref().Digest {
		t.Errorf("reference %+v", a)
	}
	for _, text := range []string{
		"version: 1\nrules: [{name: r, when: 'true', action: warn}]", "version: 1\nrules: [{name: r, when: 'false', action: fail}]",
		"version: 1\nextends: strict\nrules: [{name: r, when: 'true', action: fail}]",
		"version: 1\nstarter-ok: true\nrules: [{name: r, when: 'true', action: fail}]",
		"version: 1\nrules: [{name: r, for: packages, when: 'true', action: fail}]",
	} {
		if b := parsed(t, text).Ref(); a.Digest == b.Digest {
			t.Errorf("the digest does not see the difference of %s", text)
		}
	}
	if named := parsed(t, "version: 1\nname: acme").Ref(); named.Name != "acme" {
		t.Errorf("the name is %q", named.Name)
	}
	if v := standard(t).Judge(&core.Evidence{}, nil, now); v.Policy != standard(t).Ref() || !v.Time.Equal(now) {
		t.Errorf("the verdict says %+v at %v", v.Policy, v.Time)
	}
}
