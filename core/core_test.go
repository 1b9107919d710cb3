package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func digest(n int) core.Digest { return core.Digest(fmt.Sprintf("sha256:%064x", n)) }

func TestTheZeroDecisionIsUndecidedAndNeverPasses(t *testing.T) {
	var d core.Decision
	if d != core.Undecided || d.ExitCode() != core.ExitUndecided {
		t.Errorf("the zero decision is %v with exit code %d", d, d.ExitCode())
	}
	for d, code := range map[core.Decision]int{core.Passed: 0, core.Refused: 1, core.Undecided: 3, core.Decision(17): 3, core.Decision(-1): 3} {
		if d.ExitCode() != code {
			t.Errorf("%v has exit code %d, want %d", d, d.ExitCode(), code)
		}
	}
}

func TestADecisionThatCannotBeReadIsUndecided(t *testing.T) {
	for _, text := range []string{`"Passed"`, `"ok"`, `""`, `1`, `"decision(1)"`} {
		d := core.Passed
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s was read as %v", text, d)
		}
	}
	d := core.Passed
	if err := d.UnmarshalText([]byte("nonsense")); err == nil || d != core.Undecided {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestNamesSurviveJSON(t *testing.T) {
	for _, s := range core.Severities() {
		var back core.Severity
		if err := json.Unmarshal(must(json.Marshal(s)), &back); err != nil || back != s {
			t.Errorf("severity %v came back as %v, %v", s, back, err)
		}
	}
	for _, d := range []core.Decision{core.Undecided, core.Passed, core.Refused} {
		var back core.Decision
		if err := json.Unmarshal(must(json.Marshal(d)), &back); err != nil || back != d {
			t.Errorf("decision %v came back as %v, %v", d, back, err)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestSeverityOfScoreFollowsTheRatingScale(t *testing.T) {
	for score, want := range map[float64]core.Severity{
		0: core.SeverityNone, 0.1: core.SeverityLow, 3.9: core.SeverityLow, 4.0: core.SeverityMedium, 6.9: core.SeverityMedium,
		7.0: core.SeverityHigh, 8.9: core.SeverityHigh, 9.0: core.SeverityCritical, 10: core.SeverityCritical,
	} {
		if got := core.SeverityOfScore(score); got != want {
			t.Errorf("%.1f is %v, want %v", score, got, want)
		}
	}
}

func TestParseDigestAcceptsOnlyWhatCanBeVerified(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for s, ok := range map[string]bool{
		"sha256:" + hex:                  true,
		"sha512:" + hex + hex:            true,
		"sha256:" + strings.ToUpper(hex): false,
		"sha256:" + hex[1:]:              false,
		"sha256:" + hex + "\n":           false,
		"sha512:" + hex:                  false,
		"md5:" + hex[:32]:                false,
		hex:                              false,
		"":                               false,
	} {
		if _, err := core.ParseDigest(s); (err == nil) != ok {
			t.Errorf("ParseDigest(%q) = %v, want success: %t", s, err, ok)
		}
	}
	if short := core.Digest("sha256:" + hex).Short(); short != "sha256:0123456789ab" {
		t.Errorf("Short = %s", short)
	}
}

func TestParsePlatform(t *testing.T) {
	for s, want := range map[string]core.Platform{
		"linux/amd64":  {OS: "linux", Architecture: "amd64"},
		"linux/arm/v7": {OS: "linux", Architecture: "arm", Variant: "v7"},
	} {
		got, err := core.ParsePlatform(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParsePlatform(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x", "//"} {
		if p, err := core.ParsePlatform(s); err == nil {
			t.Errorf("ParsePlatform(%q) = %v", s, p)
		}
	}
}

func TestFingerprintsTellPartsApart(t *testing.T) {
	seen := map[string]string{}
	for _, parts := range [][]string{{"a", "b"}, {"ab"}, {"a", "b", ""}, {"", "a", "b"}, {"a", "", "b"}, {"1:a"}, {"a1:b"}, {}} {
		for _, kind := range []core.FindingKind{core.KindVulnerability, core.KindSecret} {
			f := core.FingerprintOf(kind, parts...)
			if len(f) != 32 {
				t.Errorf("fingerprint %q has %d digits", f, len(f))
			}
			description := fmt.Sprintf("%s %q", kind, parts)
			if earlier, twice := seen[f]; twice {
				t.Errorf("%s and %s have one fingerprint", earlier, description)
			}
			seen[f] = description
		}
	}
	// Baselines and waivers of all users hold fingerprints: a change of the algorithm breaks every one of them.
	if got, want := core.FingerprintOf(core.KindVulnerability, "Debian", "openssl", "CVE-2022-0778"), "264cf721b21dbd63d2bb2225ecb1dccc"; got != want {
		t.Errorf("the algorithm changed: %s, want %s", got, want)
	}
}

func TestSortGivesOneOrderWhateverTheOrderOfGathering(t *testing.T) {
	want := evidence()
	want.Sort()
	for seed := range uint64(20) {
		got := evidence()
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(got.Packages), func(i, j int) { got.Packages[i], got.Packages[j] = got.Packages[j], got.Packages[i] })
		r.Shuffle(len(got.Findings), func(i, j int) { got.Findings[i], got.Findings[j] = got.Findings[j], got.Findings[i] })
		r.Shuffle(len(got.Images), func(i, j int) { got.Images[i], got.Images[j] = got.Images[j], got.Images[i] })
		r.Shuffle(len(got.Examinations), func(i, j int) {
			got.Examinations[i], got.Examinations[j] = got.Examinations[j], got.Examinations[i]
		})
		for i := range got.Packages {
			l := got.Packages[i].Locations
			r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
		}
		got.Sort()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: -want +got\n%s", seed, diff)
		}
	}
}

func evidence() core.Evidence {
	e := core.Evidence{Subjects: []core.Subject{{Digest: digest(9)}, {Digest: digest(1)}}}
	for i, subject := range []core.Digest{digest(9), digest(1)} {
		e.Images = append(e.Images, core.ImageFacts{Subject: subject})
		for _, name := range []string{"b", "a", "c"} {
			purl := "pkg:generic/" + name
			e.Packages = append(e.Packages,
				core.Package{Subject: subject, Name: name, Purl: purl, Locations: []core.Location{{Path: "y"}, {Path: "x", Line: 2}, {Path: "x", Line: 1}}},
				core.Package{Subject: subject, Name: name, Purl: purl, Origin: &core.Origin{Layer: i}, Locations: []core.Location{{Path: "z"}}})
			for _, severity := range core.Severities() {
				e.Findings = append(e.Findings, core.Finding{Subject: subject, Severity: severity, Rule: "R-" + name, Package: &core.PackageRef{Purl: purl}})
			}
			e.Examinations = append(e.Examinations, core.Examination{Name: name, Subject: subject, Status: core.Partial, Why: []string{"b", "a"}})
		}
	}
	return e
}

func TestSortPutsTheWorstFindingFirstAndKeepsTheUsersOrderOfSubjects(t *testing.T) {
	e := evidence()
	e.Sort()
	if e.Findings[0].Severity != core.SeverityCritical || e.Findings[0].Subject != digest(9) {
		t.Errorf("first is %v of %s", e.Findings[0].Severity, e.Findings[0].Subject)
	}
	if e.Subjects[0].Digest != digest(9) {
		t.Error("subjects were reordered")
	}
	if last := e.Findings[len(e.Findings)-1]; last.Subject != digest(1) || last.Severity != core.SeverityUnknown {
		t.Errorf("last is %v of %s", last.Severity, last.Subject)
	}
}

func TestAFailureSaysWhatWhyAndWhatToDo(t *testing.T) {
	cause := errors.New("no such host")
	inner := &core.Failure{Doing: "reach registry.example", Err: cause, Hint: "check the name"}
	outer := fmt.Errorf("target 1: %w", &core.Failure{Doing: "open registry.example/app", Err: inner})
	if got, want := outer.Error(), "target 1: could not open registry.example/app: could not reach registry.example: no such host"; got != want {
		t.Errorf("Error() = %q", got)
	}
	if got := core.HintOf(outer); got != "check the name" {
		t.Errorf("HintOf = %q", got)
	}
	if core.HintOf(cause) != "" || core.HintOf(nil) != "" {
		t.Error("a plain error has a hint")
	}
	if !errors.Is(outer, cause) || core.Usage(outer) {
		t.Error("the chain is broken, or it became the user's mistake")
	}
}

func TestTheUsersMistakeIsFoundAnywhereInTheChain(t *testing.T) {
	mistake := &core.Failure{Doing: "read a flag", Err: errors.New("no"), Usage: true}
	for name, err := range map[string]error{
		"itself":  mistake,
		"wrapped": fmt.Errorf("x: %w", mistake),
		"joined":  errors.Join(errors.New("other"), mistake),
		"inside":  &core.Failure{Doing: "start", Err: mistake},
	} {
		if !core.Usage(err) {
			t.Errorf("%s: not recognised", name)
		}
	}
}

func TestAddTakesAdvisoriesOnce(t *testing.T) {
	var e core.Evidence
	e.Add(core.Evidence{Subjects: []core.Subject{{Digest: digest(1)}}, Advisories: core.AdvisorySource{Name: "first"}})
	e.Add(core.Evidence{Subjects: []core.Subject{{Digest: digest(2)}}, Advisories: core.AdvisorySource{Name: "second"}})
	if len(e.Subjects) != 2 || e.Advisories.Name != "first" {
		t.Errorf("got %+v", e)
	}
}
