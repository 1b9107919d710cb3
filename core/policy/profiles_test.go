package policy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// flaw returns a vulnerability that no rule of standard refuses only because it is low; cases change what they are
// about.
func flaw(change func(*core.Finding)) core.Finding {
	f := core.Finding{
		Fingerprint: "f", Subject: image, Kind: core.KindVulnerability, Rule: "CVE-2026-1", Severity: core.SeverityLow,
		Match: core.MatchExact, Fix: core.Fix{State: core.FixAvailable, Version: "2.0", Versions: []string{"2.0"}},
		Package: &core.PackageRef{Name: "p", Version: "1.0", Purl: "pkg:npm/p@1.0", Ecosystem: "npm"},
	}
	change(&f)
	return f
}

func exploited(f *core.Finding) { f.Exploited = &core.Exploited{Since: "2026-01-01"} }
func critical(f *core.Finding)  { f.Severity = core.SeverityCritical }
func high(f *core.Finding)      { f.Severity = core.SeverityHigh }
func medium(f *core.Finding)    { f.Severity = core.SeverityMedium }
func unknown(f *core.Finding)   { f.Severity = core.SeverityUnknown }
func none(f *core.Finding)      { f.Severity = core.SeverityNone }
func noFix(f *core.Finding)     { f.Fix = core.Fix{State: core.FixNone} }
func wontFix(f *core.Finding)   { f.Fix = core.Fix{State: core.FixWontFix} }
func fixUnknown(f *core.Finding) {
	f.Fix = core.Fix{}
}
func notAffected(f *core.Finding) { f.Fix = core.Fix{State: core.FixNotAffected} }
func bySource(f *core.Finding)    { f.Match = core.MatchSource }
func byName(f *core.Finding)      { f.Match = core.MatchName }
func vendored(f *core.Finding)    { f.Match = core.MatchVendored }
func removed(f *core.Finding)     { layer := 2; f.Origin = &core.Origin{Layer: 1, RemovedIn: &layer} }
func inLayer(f *core.Finding)     { f.Origin = &core.Origin{Layer: 1} }
func kind(k core.FindingKind) func(*core.Finding) {
	return func(f *core.Finding) { f.Kind = k }
}

func rule(id string) func(*core.Finding) {
	return func(f *core.Finding) { f.Rule = id }
}

func all(changes ...func(*core.Finding)) func(*core.Finding) {
	return func(f *core.Finding) {
		for _, change := range changes {
			change(f)
		}
	}
}

// expected is what one profile does with one finding: the rule, with "!" if it refuses.
type expected struct {
	finding  string
	change   func(*core.Finding)
	relaxed  string
	standard string
	strict   string
}

const rest = "everything-else"

func expectations() []expected {
	return []expected{
		{"a low flaw with a fix", all(), rest, rest, rest},
		{"a flaw of no severity", none, rest, rest, rest},
		{"a medium flaw with a fix", medium, rest, rest, "medium-or-worse!"},
		{"a high flaw with a fix", high, rest, "severe-with-fix!", "medium-or-worse!"},
		{"a critical flaw with a fix", critical, "critical-with-fix!", "severe-with-fix!", "medium-or-worse!"},
		{"an unrated flaw", unknown, rest, rest, "medium-or-worse!"},

		{"a high flaw, matched by source", all(high, bySource), rest, "severe-with-fix!", "medium-or-worse!"},
		{"a critical flaw, matched by source", all(critical, bySource), "critical-with-fix!", "severe-with-fix!", "medium-or-worse!"},
		{"a critical flaw, matched by name", all(critical, byName), rest, rest, "medium-or-worse!"},
		{"a critical flaw in a vendored copy", all(critical, vendored), rest, rest, "medium-or-worse!"},
		{"a critical flaw without a fix", all(critical, noFix), rest, rest, "medium-or-worse!"},
		{"a critical flaw that is not fixed", all(critical, wontFix), rest, rest, "medium-or-worse!"},
		{"a critical flaw of which no fix is known", all(critical, fixUnknown), rest, rest, "medium-or-worse!"},
		{"a critical flaw that does not affect the build", all(critical, notAffected), rest, rest, "not-affected"},
		{"a critical flaw that a later layer removed", all(critical, removed), rest, rest, rest},
		{"an unrated flaw that a later layer removed", all(unknown, removed), rest, rest, rest},
		{"a critical flaw in a layer", all(critical, inLayer), "critical-with-fix!", "severe-with-fix!", "medium-or-worse!"},

		{"an exploited low flaw", exploited, "exploited-with-fix!", "exploited-with-fix!", "exploited!"},
		{"an exploited low flaw, matched by source", all(exploited, bySource), "exploited-with-fix!", "exploited-with-fix!", "exploited!"},
		{"an exploited low flaw, matched by name", all(exploited, byName), rest, rest, "exploited!"},
		{"an exploited low flaw in a vendored copy", all(exploited, vendored), rest, rest, "exploited!"},
		{"an exploited low flaw without a fix", all(exploited, noFix), rest, rest, "exploited!"},
		{"an exploited low flaw that a later layer removed", all(exploited, removed), rest, rest, rest},
		{"an exploited critical flaw", all(exploited, critical), "exploited-with-fix!", "exploited-with-fix!", "exploited!"},

		{"a secret", kind(core.KindSecret), "secret!", "secret!", "secret!"},
		{"a secret that a later layer removed", all(kind(core.KindSecret), removed), "secret!", "secret!", "secret!"},
		{"the refusal of another gate", all(kind(core.KindMisconfiguration), rule("refused-by/aqua/max_severity")), "refused-elsewhere!", "refused-elsewhere!",
			"refused-elsewhere!"},
		{"what another gate only reports", all(kind(core.KindMisconfiguration), rule("reported-by/aqua/refused-by/")), rest, rest, rest},
		{"malware", kind(core.KindMalware), "malware!", "malware!", "malware!"},
		{"malware that a later layer removed", all(kind(core.KindMalware), removed), "malware!", "malware!", "malware!"},
		{"an end-of-life distribution", kind(core.KindEndOfLife), rest, "end-of-life!", "end-of-life!"},
		{"a suppression that a change brings along", kind(core.KindSuppression), rest, rest, "suppression!"},
		{"a suppression of something critical", all(kind(core.KindSuppression), critical), rest, rest, "suppression!"},
		{"an unsigned base", all(kind(core.KindMisconfiguration), rule(policy.RuleBaseUnsigned), high), rest, "unsigned-base!", "medium-or-worse!"},
		{"a base without a digest", all(kind(core.KindMisconfiguration), rule(policy.RuleBaseUnpinned), high), rest, "unsigned-base!", "medium-or-worse!"},
		{"a flaw of code of that name", all(kind(core.KindCode), rule(policy.RuleBaseUnsigned)), rest, rest, rest},
		{"a low misconfiguration", kind(core.KindMisconfiguration), rest, rest, rest},
		{"a critical misconfiguration", all(kind(core.KindMisconfiguration), critical), rest, rest, "medium-or-worse!"},
		{"a critical flaw of code", all(kind(core.KindCode), critical, exploited), rest, rest, "medium-or-worse!"},
		{"a low flaw of code, exploited", all(kind(core.KindCode), exploited), rest, rest, rest},
		{"a low suppression", kind(core.KindSuppression), rest, rest, "suppression!"},
		{"an unrated suppression", all(kind(core.KindSuppression), unknown), rest, rest, "suppression!"},
		{"a low misconfiguration that does not affect", all(kind(core.KindMisconfiguration), notAffected, medium), rest, rest, "medium-or-worse!"},
	}
}

func (e expected) of(profile string) string {
	return map[string]string{"relaxed": e.relaxed, "standard": e.standard, "strict": e.strict}[profile]
}

// got judges complete evidence with the one finding and says what decided.
func got(p *policy.Policy, change func(*core.Finding)) string {
	e := evidence()
	e.Findings = []core.Finding{flaw(change)}
	v := p.Judge(&e, nil, now)
	switch {
	case len(v.Refusals) == 1 && v.Decision == core.Refused:
		return v.Refusals[0].Rule + "!"
	case len(v.Warnings) == 1 && v.Decision == core.Passed:
		return v.Warnings[0].Rule
	}
	return fmt.Sprintf("%v with %d refusals, %d warnings, %d ignored, gaps %v", v.Decision, len(v.Refusals), len(v.Warnings), len(v.Ignored), v.Gaps)
}

func TestProfilesDecide(t *testing.T) {
	for _, profile := range policy.Profiles() {
		p, err := policy.Builtin(profile)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range expectations() {
			t.Run(profile+"/"+e.finding, func(t *testing.T) {
				if got := got(p, e.change); got != e.of(profile) {
					t.Errorf("got %q, want %q", got, e.of(profile))
				}
			})
		}
	}
}

// mutants are the ways in which a condition can be slightly wrong: every operator and constant, one at a time.
func mutants(source string) map[string]string {
	changes := []struct{ from, to string }{
		{`==`, `!=`}, {`&&`, `||`}, {`>=`, `>`}, {`>=`, `==`}, {`>=`, `<`}, {`\|\|`, `&&`},
		{`\bHIGH\b`, `CRITICAL`}, {`\bHIGH\b`, `MEDIUM`}, {`\bCRITICAL\b`, `HIGH`}, {`\bCRITICAL\b`, `UNKNOWN`},
		{`\bMEDIUM\b`, `HIGH`}, {`\bMEDIUM\b`, `LOW`}, {`\bUNKNOWN\b`, `NONE`},
		{`"vulnerability"`, `"code"`}, {`"secret"`, `"code"`}, {`"malware"`, `"code"`}, {`"end-of-life"`, `"code"`},
		{`"suppression"`, `"code"`},
		{`"not-affected"`, `"none"`}, {`"misconfiguration"`, `"code"`}, {`"base-image-unsigned"`, `"x"`}, {`"base-image-unpinned"`, `"x"`},
		{`\["exact", "source"\]`, `["exact"]`}, {`\["exact", "source"\]`, `["source"]`},
		{`\["exact", "source"\]`, `["exact", "source", "name"]`}, {`\["exact", "source"\]`, `["exact", "source", "vendored"]`},
		{`finding\.exploited`, `!finding.exploited`}, {`finding\.exploited`, `true`},
		{`finding\.fix\.available`, `!finding.fix.available`}, {`finding\.fix\.available`, `true`},
		{`finding\.visible`, `!finding.visible`}, {`finding\.visible`, `true`},
		{`"true"`, `"false"`},
		{`action: fail`, `action: warn`}, {`action: fail`, `action: ignore`}, {`action: warn`, `action: fail`},
	}
	found := map[string]string{}
	for _, c := range changes {
		for _, at := range regexp.MustCompile(c.from).FindAllStringIndex(source, -1) {
			if lineStart := strings.LastIndexByte(source[:at[0]], '\n') + 1; strings.Contains(source[lineStart:at[0]], "#") {
				continue
			}
			line := 1 + strings.Count(source[:at[0]], "\n")
			name := fmt.Sprintf("line %d, byte %d: %s to %s", line, at[0], source[at[0]:at[1]], c.to)
			found[name] = source[:at[0]] + c.to + source[at[1]:]
		}
	}
	return found
}

func TestEveryOperatorAndConstantOfTheProfilesMatters(t *testing.T) {
	for _, profile := range policy.Profiles() {
		source, err := policy.BuiltinSource(profile)
		if err != nil {
			t.Fatal(err)
		}
		all := mutants(string(source))
		if len(all) < 20 {
			t.Fatalf("only %d mutants of %s: the list of changes no longer fits its text", len(all), profile)
		}
		for name, mutant := range all {
			p, err := policy.Parse("mutant.yaml", []byte(mutant))
			if err != nil {
				t.Errorf("%s, %s: %v", profile, name, err)
				continue
			}
			if survives(p, profile) {
				t.Errorf("%s, %s: no test sees the difference", profile, name)
			}
		}
	}
}

func survives(p *policy.Policy, profile string) bool {
	for _, e := range expectations() {
		if got(p, e.change) != e.of(profile) {
			return false
		}
	}
	return true
}

func TestProfilesAreOrdinaryFiles(t *testing.T) {
	for _, profile := range policy.Profiles() {
		source, err := policy.BuiltinSource(profile)
		if err != nil {
			t.Fatal(err)
		}
		builtin, err := policy.Builtin(profile)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := policy.Parse("dir/"+profile+".yaml", source)
		if err != nil {
			t.Fatal(err)
		}
		a, b := builtin.Ref(), parsed.Ref()
		if a.Name != profile || a.Source != "built in" || b.Name != profile || b.Source != "dir/"+profile+".yaml" || a.Digest != b.Digest {
			t.Errorf("built in %+v, as a file %+v", a, b)
		}
	}
	if _, err := policy.Builtin("standart"); !core.Usage(err) || !strings.Contains(err.Error(), `did you mean "standard"?`) {
		t.Errorf("a misspelt profile gives %v", err)
	}
}

// A stricter profile never passes what a laxer one refuses.
func TestProfilesTighten(t *testing.T) {
	refuses := func(s string) bool { return strings.HasSuffix(s, "!") }
	for _, e := range expectations() {
		if refuses(e.relaxed) && !refuses(e.standard) || refuses(e.standard) && !refuses(e.strict) {
			t.Errorf("%s: relaxed %q, standard %q, strict %q", e.finding, e.relaxed, e.standard, e.strict)
		}
	}
}
