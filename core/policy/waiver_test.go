package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

const someFingerprint = "0123456789abcdef0123456789abcdef"

// waiving is the standard policy with one waiver of this match.
func waiving(t testing.TB, match string, more ...string) *policy.Policy {
	t.Helper()
	return parsed(t, fmt.Sprintf("version: 1\nwaivers:\n  - {id: W-1, reason: r, owner: team-a, expires: 2026-11-24, match: {%s}%s}\n",
		match, strings.Join(append([]string{""}, more...), ", ")))
}

// located gives a finding its places.
func located(paths ...string) func(*core.Finding) {
	return func(f *core.Finding) {
		for _, p := range paths {
			f.Locations = append(f.Locations, core.Location{Path: p})
		}
	}
}

func TestAWaiverExcusesWhatItMatches(t *testing.T) {
	for _, tc := range []struct {
		name, match string
		change      func(*core.Finding)
		excused     bool
	}{
		{"the id", "ids: [CVE-2026-1]", high, true},
		{"the id in other letters", "ids: [cve-2026-1]", high, true},
		{"an alias", "ids: [GHSA-x]", all(high, func(f *core.Finding) { f.Aliases = []string{"GHSA-x"} }), true},
		{"another id", "ids: [CVE-2026-10]", high, false},
		{"the name of the policy's rule", "ids: [severe-with-fix]", high, false},
		{"the fingerprint", "fingerprints: [" + someFingerprint + "]", all(high, func(f *core.Finding) { f.Fingerprint = someFingerprint }), true},
		{"another fingerprint", "fingerprints: [" + someFingerprint + "]", high, false},
		{"the fingerprint and another id", "ids: [x], fingerprints: [" + someFingerprint + "]",
			all(high, func(f *core.Finding) { f.Fingerprint = someFingerprint }), false},

		{"the package", "packages: [p]", high, true},
		{"another package", "packages: [pp]", high, false},
		{"a pattern of the package", "packages: ['p*']", high, true},
		{"the package's URL", "packages: ['pkg:npm/p']", high, true},
		{"the package's URL with its version", "packages: ['pkg:npm/p@1.0']", high, true},
		{"the package's URL with another version", "packages: ['pkg:npm/p@1.1']", high, false},
		{"the package's URL in another ecosystem", "packages: ['pkg:pypi/p']", high, false},
		{"a pattern of the package's URL", "packages: ['pkg:npm/**']", high, true},
		{"a URL with qualifiers", "packages: ['pkg:deb/debian/p']",
			all(high, func(f *core.Finding) { f.Package.Purl = "pkg:deb/debian/p@1.0?arch=amd64" }), true},
		{"the package of a finding without one", "packages: [p]", all(kind(core.KindSecret), func(f *core.Finding) { f.Package = nil }), false},

		{"the path", "paths: [test/key.pem]", all(kind(core.KindSecret), located("test/key.pem")), true},
		{"a pattern of the path", "paths: ['test/**']", all(kind(core.KindSecret), located("test/a/key.pem")), true},
		{"another path", "paths: ['test/*']", all(kind(core.KindSecret), located("test/a/key.pem")), false},
		{"one of two places", "paths: ['test/**']", all(kind(core.KindSecret), located("test/key.pem", "app/key.pem")), false},
		{"both of two places", "paths: ['test/**', app/key.pem]", all(kind(core.KindSecret), located("test/key.pem", "app/key.pem")), true},
		{"the path of a finding without one", "paths: ['**']", kind(core.KindSecret), false},

		{"this image", "ids: [CVE-2026-1], images: ['registry.example/app:*']", high, true},
		{"this image by digest", "ids: [CVE-2026-1], images: ['" + string(image) + "']", high, true},
		{"another image", "ids: [CVE-2026-1], images: ['registry.example/other:*']", high, false},
		{"an image of that name elsewhere", "ids: [CVE-2026-1], images: ['registry.example/app:*']",
			all(high, func(f *core.Finding) { f.Subject = "sha256:nowhere" }), false},

		{"the kind", "ids: [CVE-2026-1], kinds: [vulnerability]", high, true},
		{"another kind", "ids: [CVE-2026-1], kinds: [secret]", high, false},

		{"malware by name", "ids: [CVE-2026-1]", kind(core.KindMalware), true},
		{"malware by package", "packages: [p]", kind(core.KindMalware), false},
		{"malware by kind and package", "packages: [p], kinds: [malware]", kind(core.KindMalware), false},
		{"malware by path", "paths: ['**']", all(kind(core.KindMalware), located("a")), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := evidence()
			e.Findings = []core.Finding{flaw(tc.change)}
			v := waiving(t, tc.match).Judge(&e, nil, now)
			want := core.WaiverUnused
			if tc.excused {
				want = core.WaiverUsed
			}
			if (v.Decision == core.Passed) != tc.excused || len(v.Waivers) != 1 || v.Waivers[0].State != want {
				t.Errorf("%v, refused %+v, waivers %+v; want it excused: %v", v.Decision, v.Refusals, v.Waivers, tc.excused)
			}
			if tc.excused && (len(v.Ignored) != 1 || v.Ignored[0].Waiver != "W-1" || v.Ignored[0].Rule == "" || v.Waivers[0].Excused != 1 ||
				!strings.Contains(v.Ignored[0].Message, "waived until 2026-11-24 by team-a: r")) {
				t.Errorf("ignored %+v", v.Ignored)
			}
		})
	}
}

func TestAWaiverNeverHidesAFinding(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(critical)}
	v := waiving(t, "packages: [p]").Judge(&e, nil, now)
	if v.Counts.Findings != 1 || v.Counts.Critical != 1 || len(v.Ignored) != 1 || v.Ignored[0].Rule != "severe-with-fix" || len(v.Upgrades) != 0 {
		t.Errorf("counts %+v, ignored %+v, upgrades %+v", v.Counts, v.Ignored, v.Upgrades)
	}
}

func TestAWaiverEndsAfterItsLastDay(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(high)}
	p := waiving(t, "ids: [CVE-2026-1]") // until 2026-11-24
	tokyo := time.FixedZone("", 9*60*60)
	for _, tc := range []struct {
		at   time.Time
		want core.WaiverState
	}{
		{time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), core.WaiverUsed},
		{time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC), core.WaiverUsed},
		{time.Date(2026, 11, 25, 8, 59, 59, 0, tokyo), core.WaiverUsed},
		{time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), core.WaiverExpired},
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), core.WaiverExpired},
	} {
		v := p.Judge(&e, nil, tc.at)
		if got := v.Waivers[0]; got.State != tc.want || got.Owner != "team-a" || (v.Decision == core.Refused) != (tc.want == core.WaiverExpired) {
			t.Errorf("at %v: %v, %+v, want %s", tc.at, v.Decision, got, tc.want)
		}
	}
}

func TestAWaiverUntilFixedEndsWithTheFix(t *testing.T) {
	strict := parsed(t, `version: 1
extends: strict
waivers:
  - {id: W-1, reason: r, owner: o, expires: 2027-01-01, match: {packages: [p]}, until: fixed}
`)
	e := evidence()
	e.Findings = []core.Finding{flaw(all(critical, noFix))}
	if v := strict.Judge(&e, nil, now); v.Decision != core.Passed || v.Waivers[0].State != core.WaiverUsed {
		t.Errorf("without a fix: %v, %+v", v.Decision, v.Waivers)
	}
	e.Findings[0].Fix = core.Fix{State: core.FixAvailable, Version: "2"}
	if v := strict.Judge(&e, nil, now); v.Decision != core.Refused || v.Waivers[0].State != core.WaiverFixed {
		t.Errorf("with a fix: %v, %+v", v.Decision, v.Waivers)
	}
	another := flaw(all(critical, noFix))
	another.Rule, another.Fingerprint = "CVE-2026-2", "g"
	e.Findings = append(e.Findings, another)
	if v := strict.Judge(&e, nil, now); v.Decision != core.Refused || v.Waivers[0].State != core.WaiverUsed || v.Waivers[0].Excused != 1 {
		t.Errorf("with a fix for one: %v, %+v", v.Decision, v.Waivers)
	}
}

func TestTheFirstValidWaiverByIDExcuses(t *testing.T) {
	p := parsed(t, `version: 1
waivers:
  - {id: d, reason: r, owner: o, expires: 2027-01-01, match: {packages: [p]}}
  - {id: c, reason: r, owner: o, expires: 2027-01-01, match: {ids: [CVE-2026-1]}}
  - {id: b, reason: r, owner: o, expires: 2027-01-01, match: {ids: [CVE-2026-1]}, until: fixed}
  - {id: a, reason: r, owner: o, expires: 2026-01-01, match: {ids: [CVE-2026-1]}}
`)
	e := evidence()
	e.Findings = []core.Finding{flaw(high)}
	v := p.Judge(&e, nil, now)
	var got []string
	for _, w := range v.Waivers {
		got = append(got, fmt.Sprint(w.ID, " ", w.State, " ", w.Excused))
	}
	if diff := cmp.Diff([]string{"a expired 0", "b fixed 0", "c used 1", "d unused 0"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAWaiverOfARuleOverPackagesNamesTheRule(t *testing.T) {
	const rule = "version: 1\nrules:\n  - {name: licence, for: packages, when: '\"AGPL-3.0\" in package.licenses', action: fail}\n" +
		"waivers:\n  - {id: W, reason: r, owner: o, expires: 2027-01-01, match: {%s}}\n"
	e := evidence()
	e.Packages = []core.Package{{Subject: image, Name: "p", Purl: "pkg:npm/p@1", Licenses: []string{"AGPL-3.0"}, Locations: []core.Location{{Path: "a/b"}}}}
	for match, want := range map[string]core.Decision{
		"ids: [licence]": core.Passed, "ids: [licence], packages: [p]": core.Passed, "ids: [licence], packages: [q]": core.Refused,
		"packages: [p]": core.Refused, "ids: [licence], paths: [a/*]": core.Passed, "ids: [licence], kinds: [secret]": core.Refused,
	} {
		if v := parsed(t, fmt.Sprintf(rule, match)).Judge(&e, nil, now); v.Decision != want {
			t.Errorf("%s: %v, want %v", match, v.Decision, want)
		}
	}
}

func TestPatternsKeepToTheirSteps(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"a*", "a/b", false}, {"a**", "a/b", true},
		{"**/b", "b", true}, {"**/b", "a/b", true}, {"**/b", "a/c/b", true}, {"**/b", "ab", false}, {"**/b", "a/xb", false},
		{"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/xb", false}, {"a/**/b", "ab", false},
		{"a/**", "a/b/c", true}, {"a/**", "a", false}, {"*.go", "x.go", true}, {"*.go", "d/x.go", false}, {"*", "x", true},
		{"a*b*c", "a1b2c", true}, {"a*b*c", "a1b2", false}, {"a*a", "a", false}, {"app/[id].ts", "app/[id].ts", true},
		{"é*", "éa", true}, {"*é", "aé", true},
	} {
		e := evidence()
		e.Findings = []core.Finding{flaw(all(kind(core.KindSecret), located(tc.path)))}
		v := waiving(t, "paths: ['"+tc.pattern+"']").Judge(&e, nil, now)
		if (v.Decision == core.Passed) != tc.want {
			t.Errorf("%s on %s: %v, want %v", tc.pattern, tc.path, v.Decision == core.Passed, tc.want)
		}
	}
}

// A pattern of many wildcards on a long path must not take the time that backtracking would.
func TestAPatternCannotTakeLong(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(all(kind(core.KindSecret), located(strings.Repeat("a", 4000))))}
	p := waiving(t, "paths: ['"+strings.Repeat("a*", 127)+"b']")
	if v := p.Judge(&e, nil, now); v.Decision != core.Refused {
		t.Errorf("%v", v.Decision)
	}
}

// What all waivers together cost is bounded too. Over the bound none of them excuses, whichever came first, and the verdict
// says so.
func TestWaiversThatCostTooMuchExcuseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long under the race detector, and runs nothing side by side")
	}
	var text strings.Builder
	text.WriteString("version: 1\nextends: none\nrequire: [target]\nrules: [{name: all, when: 'true', action: warn}]\nwaivers:\n")
	for i := range 300 {
		fmt.Fprintf(&text, "- {id: w%d, reason: r, owner: o, expires: 2099-01-01, match: {paths: ['%sb%d', zzz]}}\n", i, strings.Repeat("a*", 120), i)
	}
	text.WriteString("- {id: x, reason: r, owner: o, expires: 2099-01-01, match: {paths: ['a*']}}\n")
	p := parsed(t, text.String())
	e := evidence()
	e.Findings = nil
	for range 40 {
		e.Findings = append(e.Findings, flaw(all(kind(core.KindSecret), located(strings.Repeat("a", 4000)))))
	}
	v := p.Judge(&e, nil, now)
	if v.Decision != core.Undecided || len(v.Ignored) > 0 || len(v.Gaps) == 0 || v.Gaps[0].Rule != "waivers" {
		t.Errorf("%v, %d ignored, %+v", v.Decision, len(v.Ignored), v.Gaps)
	}
}

func TestWhatIsWrongWithAWaiverHasItsPlace(t *testing.T) {
	const good = "id: W, reason: r, owner: o, expires: 2027-01-01, match: {ids: [x]}"
	for name, tc := range map[string]struct{ text, want string }{
		"no list":               {"waivers: x", `2:10: this must be a list of waivers, not text`},
		"an unknown key":        {"waivers: [{" + good + ", untill: fixed}]", `unknown key "untill"; did you mean "until"?`},
		"no expiry":             {"waivers: [{id: W, reason: r, owner: o, match: {ids: [x]}}]", `2:11: the key "expires" of this waiver is missing`},
		"no owner":              {"waivers: [{id: W, reason: r, expires: 2027-01-01, match: {ids: [x]}}]", `the key "owner"`},
		"no day":                {"waivers: [{id: W, reason: r, owner: o, expires: 2026-02-30, match: {ids: [x]}}]", `2:49: this must be a day`},
		"a day with a time":     {"waivers: [{id: W, reason: r, owner: o, expires: 2026-02-03T00:00:00Z, match: {ids: [x]}}]", `this must be a day`},
		"an empty match":        {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {}}]", `this matches nothing`},
		"an empty list":         {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {ids: []}}]", `this list must not be empty`},
		"an image alone":        {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {images: [x]}}]", `images and kinds alone`},
		"an unknown match":      {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {id: [x]}}]", `unknown key "id"; did you mean "ids"?`},
		"an unknown kind":       {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {ids: [x], kinds: [secrets]}}]", `did you mean "secret"?`},
		"no fingerprint":        {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {fingerprints: [xyz]}}]", `is not a fingerprint`},
		"an absolute path":      {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {paths: [/etc/x]}}]", `matches no path`},
		"a purl without a name": {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {packages: ['pkg:deb']}}]", `it has no name`},
		"three stars":           {"waivers: [{id: W, reason: r, owner: o, expires: 2027-01-01, match: {paths: ['a/***']}}]", `three stars mean nothing`},
		"another until":         {"waivers: [{" + good + ", until: later}]", `"later" is none of fixed`},
		"the same id again":     {"waivers: [{" + good + "}, {" + good + "}]", `the waiver id "W" is already used`},
		"a file unread":         {"waiver-files: [w.yaml]", `2:16: files of waivers cannot be read here`},
		"ignores of something":  {"inline-ignores: bsae", `2:17: "bsae" is none of base, head, off; did you mean "base"?`},
		"a cause of nothing":    {"baseline: {block: [code, advisry]}", `did you mean "advisory"?`},
		"known is no cause":     {"baseline: {block: [code, known]}", `"known" is none of`},
		"no code":               {"baseline: {block: [advisory]}", `2:19: "code" is missing`},
		"a signer of nothing":   {"baseline: {signed-by: [{issuer: x}]}", `a signer is a "key"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse("policy.yaml", []byte("version: 1\n"+tc.text+"\n"))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !core.Usage(err) {
				t.Errorf("the error is\n%v\nwant one of the user's that says\n%s", err, tc.want)
			}
		})
	}
}

func TestWaiversJoinThoseOfFilesWithTheirPlaces(t *testing.T) {
	files := map[string]string{
		"dir/w.yaml":    "version: 1\nwaivers:\n  - {id: a, reason: r, owner: o, expires: 2027-01-01, match: {ids: [CVE-2026-1]}}\n",
		"dir/bad.yaml":  "version: 1\nwaivers:\n  - {id: a, reson: r}\n",
		"dir/list.yaml": "- {id: a}\n",
	}
	read := func(name string, max int64) ([]byte, error) {
		text, ok := files[name]
		if !ok || max <= 0 {
			return nil, errors.New("no such file")
		}
		return []byte(text), nil
	}
	parse := func(more string) (*policy.Policy, error) {
		return papers(read).load("dir/policy.yaml", []byte("version: 1\n"+more))
	}
	p, err := parse("waiver-files: [w.yaml]\nwaivers:\n  - {id: b, reason: r, owner: o, expires: 2027-01-01, match: {ids: [x]}}\n")
	if err != nil {
		t.Fatal(err)
	}
	e := evidence()
	e.Findings = []core.Finding{flaw(high)}
	if v := p.Judge(&e, nil, now); v.Decision != core.Passed || len(v.Waivers) != 2 || v.Waivers[0].Excused != 1 {
		t.Errorf("%v, %+v", v.Decision, v.Waivers)
	}
	for more, want := range map[string]string{
		"waiver-files: [bad.yaml]":       `dir/bad.yaml:3:13: unknown key "reson"; did you mean "reason"?`,
		"waiver-files: [list.yaml]":      `dir/list.yaml:1:1: a policy is a mapping`,
		"waiver-files: [none.yaml]":      `dir/policy.yaml:2:16: the waivers cannot be read: no such file`,
		"waiver-files: [w.yaml, w.yaml]": `dir/policy.yaml:2:24: the waiver id "a" is already used`,
	} {
		if _, err := parse(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", more, err, want)
		}
	}
}

// A waiver changes what a policy means, and with it the digest that a verdict names.
func TestWaiversAreInThePolicysDigest(t *testing.T) {
	if parsed(t, "version: 1").Ref().Digest == waiving(t, "ids: [x]").Ref().Digest {
		t.Error("a policy has the same digest with and without a waiver")
	}
}

func TestSuppressionsCountAsThePolicySays(t *testing.T) {
	inline := func(base bool) func(*core.Finding) {
		return func(f *core.Finding) {
			f.Package = nil
			f.Suppressions = append(f.Suppressions, core.Suppression{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "a.go", Line: 3,
				Reason: "a test key", Base: base})
		}
	}
	for _, tc := range []struct {
		name    string
		change  func(*core.Finding)
		ignores string // the values with which it is excused
	}{
		{"none", kind(core.KindSecret), ""},
		{"one that the base has", all(kind(core.KindSecret), inline(true)), "base head"},
		{"a new one", all(kind(core.KindSecret), inline(false)), "head"},
		{"a new one beside an old one", all(kind(core.KindSecret), inline(false), inline(true)), "base head"},
		{"one of code", all(kind(core.KindCode), inline(true)), "base head"},
		{"one of a misconfiguration", all(kind(core.KindMisconfiguration), inline(true)), "base head"},
		{"one of a vulnerability", all(high, inline(true)), ""},
		{"one of malware", all(kind(core.KindMalware), inline(true)), ""},
		{"one of an end of life", all(kind(core.KindEndOfLife), inline(true)), ""},
		{"one of a suppression", all(kind(core.KindSuppression), inline(true)), ""},
	} {
		for _, ignores := range []string{"", "base", "head", "off"} {
			text := "version: 1\nextends: strict\n"
			if ignores != "" {
				text += "inline-ignores: " + ignores + "\n"
			}
			e := evidence()
			e.Findings = []core.Finding{flaw(all(critical, tc.change))}
			v := parsed(t, text).Judge(&e, nil, now)
			want := strings.Contains(tc.ignores, "base") && ignores == "" || ignores != "" && strings.Contains(tc.ignores, ignores)
			if (v.Decision == core.Passed) != want {
				t.Errorf("%s with inline-ignores %q: %v, want it excused: %v", tc.name, ignores, v.Decision, want)
			}
			if want && (v.Ignored[0].Rule != core.RuleSuppressed || !strings.Contains(v.Ignored[0].Message, "suppressed by gitleaks:allow in a.go:3: a test key")) {
				t.Errorf("%s: %+v", tc.name, v.Ignored)
			}
		}
	}
}
