package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func ruled(condition string) string {
	return "version: 1\nrules:\n- name: mine\n  action: ignore\n  when: |\n    " + condition + "\n"
}

func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	bomb := "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	rules := strings.Repeat("- {name: r, when: 'true', action: fail}\n", 501)
	for name, text := range map[string]string{
		"an alias bomb":             bomb,
		"deep flow":                 "version: 1\nname: " + strings.Repeat("[", 50_000),
		"deep flow, closed":         "version: 1\nname: " + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000),
		"deep mappings":             "version: 1\nname: " + strings.Repeat("{a: ", 3_000) + strings.Repeat("}", 3_000),
		"a huge file":               "version: 1\n#" + strings.Repeat("x", 300<<10),
		"many rules":                "version: 1\nrules:\n" + rules,
		"a long expression":         ruled(strings.Repeat("finding.exploited || ", 300) + "true"),
		"a long package":            ruled("package.name == \"" + strings.Repeat("package", 3_000) + "\""),
		"nested parentheses":        ruled(strings.Repeat("(", 1_500) + "true" + strings.Repeat(")", 1_500)),
		"nested lists":              ruled(strings.Repeat("[", 1_500) + strings.Repeat("]", 1_500) + " == []"),
		"nested macros":             ruled("finding.ids" + strings.Repeat(".map(x, finding.ids", 60) + strings.Repeat(")", 60) + " == []"),
		"a huge expression":         ruled("finding.rule.matches(\"(a{1000}){1000}\")"),
		"many patterns":             "version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {paths: [" + strings.Repeat("a,", 200) + "b]}}]\n",
		"a long pattern":            "version: 1\nrules: [{name: r, when: 'true', action: fail, applies-to: {paths: ['" + strings.Repeat("*a", 200) + "']}}]\n",
		"a long pattern, called":    ruled("glob(finding.path, \"" + strings.Repeat("*a", 200) + "\")"),
		"a huge regexp in a signer": "version: 1\nvex: {signed-by: [{identity-pattern: '(a{1000}){1000}', issuer: x}]}\n",
		"nested functions":          ruled(strings.Repeat("registryOf(", 60) + "finding.path" + strings.Repeat(")", 60) + " == \"\""),
		"an alias bomb of rules":    "version: 1\nrules: &r [{name: a, when: 'true', action: fail}]\nlocked: *r\n",
		"bytes that are no text":    "version: 1\nname: \xff\xfe\n",
		"control characters":        "version: 1\nname: \"\x01\"\n",
		"a NUL":                     "version: 1\x00\n",
	} {
		start := time.Now()
		if _, err := policy.Parse("p.yaml", []byte(text)); !core.Usage(err) {
			t.Errorf("%s: %v", name, err)
		} else if len(err.Error()) > 64<<10 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
		t.Logf("%s: %v", name, time.Since(start).Round(time.Millisecond))
	}
}

// A condition that loops over loops stops, and leaves the verdict Undecided.
func TestHostileConditionsStop(t *testing.T) {
	e := evidence()
	f := flaw(critical)
	for i := range 300 {
		f.Aliases = append(f.Aliases, fmt.Sprintf("A-%03d", i))
	}
	for range 100 {
		e.Findings = append(e.Findings, f)
	}
	for name, condition := range map[string]string{
		"loops in loops": "finding.aliases.all(a, finding.aliases.all(b, finding.aliases.all(c, a + b + c != \"x\")))",
		"growing lists":  "finding.aliases.map(a, finding.aliases.map(b, finding.aliases.map(c, a + b + c))).size() == 0",
	} {
		v := parsed(t, ruled(condition)).Judge(&e, nil, now)
		if len(v.Gaps) != 1 || v.Gaps[0].Rule != "mine" || len(v.Refusals) != len(e.Findings) {
			t.Errorf("%s: gaps %+v, %d refusals", name, v.Gaps, len(v.Refusals))
		}
	}
	v := parsed(t, ruled("finding.aliases.exists(a, a == \"A-299\") && finding.aliases.all(a, a + a != \"x\")")).Judge(&e, nil, now)
	if len(v.Gaps) > 0 || len(v.Ignored) != len(e.Findings) {
		t.Errorf("a condition that asks little: %d of %d decided, gaps %v", len(v.Ignored), len(e.Findings), v.Gaps)
	}
}

// Patterns, licenses and versions are written by strangers as well as by the policy. Whatever they are, judging ends
// soon: what is too dear decides nothing, and leaves the verdict undecided.
func TestHostilePatternsMeetHostileTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long under the race detector, and runs nothing side by side")
	}
	long := strings.Repeat("a", 4000) // the longest that is matched
	e := evidence()
	for range 4_000 {
		f := flaw(all())
		f.Locations = []core.Location{{Path: long + "/x"}}
		f.Package.Version = long
		e.Findings = append(e.Findings, f)
	}
	e.Packages = []core.Package{{Subject: image, Name: "p", Version: "1.0", Purl: "pkg:npm/p@1.0", Licenses: []string{
		strings.Repeat("(MIT OR ", 200) + "MIT" + strings.Repeat(")", 200), strings.Repeat("MIT AND ", 250) + "ISC", long}}}
	dear := strings.Repeat("*a", 100) + "b"
	for name, text := range map[string]string{
		"globs":      ruled("glob(finding.path, \"" + dear + "\")"),
		"regexps":    ruled("finding.path.matches(\"(a*)*(a*)*(a*)*(a*)*(a*)*b\")"),
		"made ones":  ruled("finding.path.matches(finding.path)"),
		"licenses":   ruled("finding.rule != \"\" && licensesAllowed(package.licenses, [\"" + strings.Repeat("*A", 100) + "\", \"ISC\"])"),
		"registries": ruled("fromRegistry(\"r.example/\" + finding.path, [\"" + dear + "\"])"),
		"purls":      ruled("purlMatches(\"pkg:npm/\" + finding.path, \"pkg:npm/" + dear + "\")"),
		"paths":      "version: 1\nrules: [{name: mine, when: 'true', action: ignore, applies-to: {paths: ['" + dear + "', '*" + dear + "']}}]\n",
	} {
		start := time.Now()
		v := parsed(t, text).Judge(&e, nil, now)
		took := time.Since(start)
		t.Logf("%s: %v, %d decided by it, %d gaps", name, took.Round(time.Millisecond), len(v.Ignored), len(v.Gaps))
		if len(v.Ignored)+len(v.Refusals)+len(v.Warnings) != len(e.Findings) {
			t.Errorf("%s: %d outcomes", name, len(v.Ignored)+len(v.Refusals)+len(v.Warnings))
		}
		if len(v.Gaps) > 0 && (len(v.Ignored) > 0 || v.Decision == core.Passed) {
			t.Errorf("%s: a rule that is too dear decided %d findings", name, len(v.Ignored))
		}
	}
}

func TestConditionsReachNothingOutside(t *testing.T) {
	for _, call := range []string{"now()", "env(\"HOME\")", "file(\"/etc/passwd\")", "http(\"http://x\")", "random()", "os.Getenv(\"x\")"} {
		if _, err := policy.Parse("p.yaml", []byte(ruled(call+" == finding.rule"))); !core.Usage(err) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// Run it with -fuzzminimizetime 20x: coverage differs from run to run, and the engine would minimise forever.
func FuzzParse(f *testing.F) {
	for _, name := range policy.Profiles() {
		source, err := policy.BuiltinSource(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	for _, seed := range []string{
		"version: 1\nextends: strict\nrequire: [hook/gosec]\naccept: [{examination: distro, code: x, reason: y}]\n",
		ruled("finding.aliases[0] == 'x' && package.name.startsWith(\"package\") // package"),
		"version: 1\nrules:\n- name: m\n  for: packages\n  action: warn\n  when: >\n    'GPL' in package.licenses &&\n\n    true\n  message: '{package.name} {{}}'\n",
		"version: 1\nrules: [{name: r, when: \"finding.rule == '\\u00e9'\", action: fail}]",
		"version: 1\nextends: oci://r.example/p@sha256:" + strings.Repeat("0", 64) + "\nextends-signed-by: [{key: a}]\n",
		"version: 1\nlocked: [vex]\nrules: [{name: r, locked: true, for: examinations, when: examination.name == 'x', action: fail, applies-to: {branches: [main], images: ['**/a*']}}]",
		ruled("glob(finding.path, '**/*.go') || olderThan(package.version, '2', 'npm') || licensesDenied(package.licenses, ['GPL-*']) || daysSince(finding.published) > 3"),
		"version: 1\nwaivers:\n- {id: W, reason: r, owner: o, expires: 2027-01-01, match: {ids: [CVE-1], paths: ['a/**/*'], kinds: [secret]}, until: fixed}\n",
		"version: 1\ninline-ignores: head\nbaseline: {source: b.json, block: [code, tool], signed-by: [{key: k}]}\n",
		"version: 1\n---\n", "&a [*a]", "{", "version: !!int 1", "rules: |\n  x\n",
	} {
		f.Add([]byte(seed))
	}
	e := evidence()
	e.Findings = []core.Finding{flaw(all()), {}}
	e.Packages = []core.Package{{}}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := papers(func(string, int64) ([]byte, error) { return data, nil }).load("p.yaml", data)
		if err != nil {
			if !core.Usage(err) {
				t.Fatalf("not a mistake of the user: %v", err)
			}
			return
		}
		v := p.Judge(&e, nil, now)
		if n := len(v.Refusals) + len(v.Warnings) + len(v.Ignored); n < len(e.Findings) {
			t.Errorf("%d outcomes for %d findings", n, len(e.Findings))
		}
		if v.Decision == core.Passed && (len(v.Refusals) > 0 || len(v.Gaps) > 0) {
			t.Errorf("passed with %d refusals and gaps %v", len(v.Refusals), v.Gaps)
		}
		again, err := policy.Parse("p.yaml", data)
		if err != nil || again.Ref() != p.Ref() {
			t.Errorf("read twice, it is %+v and %+v (%v)", p.Ref(), again.Ref(), err)
		}
	})
}
