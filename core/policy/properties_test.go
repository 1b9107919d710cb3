package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// randomEvidence makes evidence of an index with two platforms: some findings, some gaps.
func randomEvidence(r *rand.Rand) core.Evidence {
	e := indexEvidence()
	for i := range e.Examinations {
		if r.IntN(12) == 0 {
			e.Examinations[i].Status = pick(r, core.Partial, core.Failed, core.Skipped)
			e.Examinations[i].Why = []string{"because", "of it"}[:1+r.IntN(2)]
			e.Examinations[i].Code = pick(r, "", core.CodeStarterAdvisories)
		}
	}
	for range r.IntN(20) {
		e.Findings = append(e.Findings, randomFinding(r))
	}
	for _, f := range e.Findings {
		if f.Package != nil && r.IntN(2) == 0 {
			e.Packages = append(e.Packages, core.Package{
				Subject: f.Subject, Name: f.Package.Name, Version: f.Package.Version, Purl: f.Package.Purl,
				Ecosystem: f.Package.Ecosystem, Source: pick(r, nil, &core.SourcePackage{Name: "src"}),
				Origin: f.Origin, Locations: []core.Location{{Path: fmt.Sprint("p", r.IntN(3))}, {Path: "a"}},
			})
		}
	}
	return e
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func randomFinding(r *rand.Rand) core.Finding {
	ecosystem := pick(r, "npm", "Debian:12", "Alpine:v3.20", "nowhere")
	name := pick(r, "a", "b", "c")
	f := core.Finding{
		Subject: pick(r, image, image, other, index, "sha256:nowhere"),
		Kind: pick(r, core.KindVulnerability, core.KindVulnerability, core.KindVulnerability, core.KindSecret,
			core.KindMalware, core.KindEndOfLife, core.KindMisconfiguration),
		Rule:     fmt.Sprintf("CVE-2026-%d", r.IntN(30)),
		Title:    pick(r, "", "one", "two"),
		Severity: core.Severity(r.IntN(6)),
		Match:    pick(r, core.MatchExact, core.MatchSource, core.MatchName, ""),
		Fix:      core.Fix{State: pick(r, core.FixAvailable, core.FixAvailable, core.FixNone, "")},
	}
	if f.Kind == core.KindVulnerability {
		f.Package = &core.PackageRef{Name: name, Version: "1.0", Purl: "pkg:x/" + name + "@1.0", Ecosystem: ecosystem}
	}
	if f.Fix.State == core.FixAvailable && r.IntN(5) > 0 {
		f.Fix.Versions = []string{fmt.Sprintf("1.%d", 1+r.IntN(5)), fmt.Sprintf("2.%d", r.IntN(5))}
		f.Fix.Version = f.Fix.Versions[0]
	}
	if r.IntN(4) == 0 {
		f.Exploited = &core.Exploited{Since: "2026-01-01"}
	}
	if r.IntN(4) == 0 {
		f.Origin = &core.Origin{Layer: 1, CreatedBy: "RUN x", RemovedIn: pick(r, nil, new(int))}
	}
	f.Fingerprint = core.FingerprintOf(f.Kind, f.Rule, name)
	return f
}

const rounds = 200

// eachProfile runs a property over random evidence and every profile, and over a policy of the user's.
func eachProfile(t *testing.T, property func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence)) {
	policies := map[string]*policy.Policy{"own": parsed(t, `version: 1
rules:
  - {name: r1, when: 'finding.aliases[0] == "x" && finding.rule.endsWith("1")', action: ignore}
  - {name: r2, when: 'finding.rule.endsWith("2")', action: ignore, message: "{package.name} {finding.severity}"}
  - {name: r3, for: packages, when: 'package.name == "a"', action: warn}
  - {name: r4, for: images, when: 'image.user == ""', action: warn}
  - {name: r5, for: subjects, when: 'subject.kind == "image"', action: warn}
`)}
	for _, name := range policy.Profiles() {
		policies[name] = profile(t, name)
	}
	for name, p := range policies {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 7))
				property(t, p, r, randomEvidence(r))
				if t.Failed() {
					t.Fatalf("with seed %d", seed)
				}
			}
		})
	}
}

func TestAddingAFindingNeverMakesItPass(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		before := p.Judge(&e, nil, now)
		e.Findings = append(slices.Clone(e.Findings), randomFinding(r))
		after := p.Judge(&e, nil, now)
		if before.Decision != core.Passed && after.Decision == core.Passed ||
			before.Decision == core.Refused && after.Decision != core.Refused {
			t.Errorf("%v became %v by one more finding", before.Decision, after.Decision)
		}
	})
}

// withWaivers adds random waivers to a profile, of which some match, some are out of date, and some wait for a fix.
func withWaivers(t *testing.T, profile string, r *rand.Rand, n int) *policy.Policy {
	t.Helper()
	text := "version: 1\nextends: " + profile + "\nwaivers: []\n"
	if n > 0 {
		text = "version: 1\nextends: " + profile + "\nwaivers:\n"
	}
	for i := range n {
		text += fmt.Sprintf("  - {id: W-%d, reason: r, owner: o, expires: %s, match: {%s}%s}\n", i, pick(r, "2027-01-01", "2026-11-24", "2026-01-01"),
			pick(r, fmt.Sprintf("ids: [CVE-2026-%d, CVE-2026-%d]", r.IntN(30), r.IntN(30)), "packages: [a]", "packages: ['pkg:x/**'], images: [app:1]",
				"ids: [CVE-2026-1], kinds: [secret, malware]", "paths: ['p*']"), pick(r, "", ", until: fixed"))
	}
	return parsed(t, text)
}

// eachProfileWithWaivers runs a property over random evidence and every profile with random waivers.
func eachProfileWithWaivers(t *testing.T, property func(t *testing.T, profile string, p *policy.Policy, r *rand.Rand, e core.Evidence)) {
	for _, name := range policy.Profiles() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds / 4) {
				r := rand.New(rand.NewPCG(seed, 11))
				e := randomEvidence(r)
				property(t, name, withWaivers(t, name, r, 1+r.IntN(8)), r, e)
				if t.Failed() {
					t.Fatalf("with seed %d", seed)
				}
			}
		})
	}
}

// randomBaseline is a baseline of the same things, which has some of the findings and others.
func randomBaseline(r *rand.Rand, e core.Evidence) *core.Baseline {
	b := &core.Baseline{Ref: core.BaselineRef{Source: "b"}, Evidence: core.Evidence{
		Subjects: e.Subjects, Images: e.Images, Packages: e.Packages, Examinations: slices.Clone(e.Examinations)}}
	for i := range b.Evidence.Examinations {
		b.Evidence.Examinations[i].Version = pick(r, "", "", "older")
	}
	for _, f := range e.Findings {
		switch r.IntN(3) {
		case 0:
			b.Evidence.Findings = append(b.Evidence.Findings, f)
		case 1:
			b.Rematched = append(b.Rematched, f)
		}
	}
	if r.IntN(2) == 0 {
		b.Verdict = &core.Verdict{}
		for _, f := range b.Evidence.Findings {
			b.Verdict.Warnings = append(b.Verdict.Warnings, core.Outcome{Subject: f.Subject, Fingerprint: f.Fingerprint})
		}
	}
	return b
}

func TestWithWaiversAddingAFindingNeverMakesItPass(t *testing.T) {
	eachProfileWithWaivers(t, func(t *testing.T, _ string, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		for _, b := range []*core.Baseline{nil, randomBaseline(r, e)} {
			before := p.Judge(&e, b, now)
			more := e
			more.Findings = append(slices.Clone(e.Findings), randomFinding(r))
			if after := p.Judge(&more, b, now); before.Decision != core.Passed && after.Decision == core.Passed ||
				before.Decision == core.Refused && after.Decision != core.Refused {
				t.Errorf("%v became %v by one more finding", before.Decision, after.Decision)
			}
		}
	})
}

func TestAddingAWaiverNeverKeepsFromPassing(t *testing.T) {
	passed := 0
	eachProfileWithWaivers(t, func(t *testing.T, profile string, _ *policy.Policy, r *rand.Rand, e core.Evidence) {
		n := r.IntN(6)
		less, more := withWaivers(t, profile, rand.New(rand.NewPCG(uint64(n), 1)), n), withWaivers(t, profile, rand.New(rand.NewPCG(uint64(n), 1)), n+1)
		for _, b := range []*core.Baseline{nil, randomBaseline(r, e)} {
			before, after := less.Judge(&e, b, now), more.Judge(&e, b, now)
			if before.Decision == core.Passed {
				passed++
			}
			if before.Decision != core.Refused && after.Decision != before.Decision || len(after.Refusals) > len(before.Refusals) {
				t.Errorf("%v with %d waivers became %v with %d", before.Decision, n, after.Decision, n+1)
			}
		}
	})
	if passed == 0 {
		t.Error("nothing passed, so that this shows nothing")
	}
}

func TestWithWaiversRemovingAnExaminationNeverMakesItPass(t *testing.T) {
	eachProfileWithWaivers(t, func(t *testing.T, _ string, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		for _, b := range []*core.Baseline{nil, randomBaseline(r, e)} {
			before := p.Judge(&e, b, now)
			less, i := e, r.IntN(len(e.Examinations))
			less.Examinations = slices.Delete(slices.Clone(e.Examinations), i, i+1)
			if after := p.Judge(&less, b, now); before.Decision != core.Passed && after.Decision == core.Passed {
				t.Errorf("%v became %v", before.Decision, after.Decision)
			}
		}
	})
}

func TestAddingAFindingToTheBaselineNeverMakesItStricter(t *testing.T) {
	laxer := 0
	eachProfileWithWaivers(t, func(t *testing.T, _ string, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		b := randomBaseline(r, e)
		before := p.Judge(&e, b, now)
		more := *b
		more.Evidence.Findings = append(slices.Clone(b.Evidence.Findings), randomFinding(r))
		if len(e.Findings) > 0 {
			more.Evidence.Findings = append(more.Evidence.Findings, e.Findings[r.IntN(len(e.Findings))])
		}
		after := p.Judge(&e, &more, now)
		if before.Decision != core.Refused && after.Decision != before.Decision || len(after.Refusals) > len(before.Refusals) {
			t.Errorf("%v with %d refusals became %v with %d", before.Decision, len(before.Refusals), after.Decision, len(after.Refusals))
		}
		if len(after.Refusals) < len(before.Refusals) {
			laxer++
		}
		if full := p.Judge(&e, nil, now); full.Decision == core.Passed && after.Decision != core.Passed {
			t.Errorf("it passes in full, and with a baseline it is %v", after.Decision)
		}
	})
	if laxer == 0 {
		t.Error("no baseline ever held anything back, so that this shows nothing")
	}
}

func TestWithWaiversAndABaselineTheOrderDoesNotMatter(t *testing.T) {
	eachProfileWithWaivers(t, func(t *testing.T, _ string, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		b := randomBaseline(r, e)
		want := encoded(t, p.Judge(&e, b, now))
		if again := encoded(t, p.Judge(&e, b, now)); again != want {
			t.Error("the same inputs give other bytes")
		}
		shuffled, other := e, *b
		shuffled.Findings, shuffled.Packages = slices.Clone(e.Findings), slices.Clone(e.Packages)
		shuffle(r, shuffled.Findings)
		shuffle(r, shuffled.Packages)
		other.Evidence.Findings, other.Rematched = slices.Clone(b.Evidence.Findings), slices.Clone(b.Rematched)
		shuffle(r, other.Evidence.Findings)
		shuffle(r, other.Rematched)
		if diff := cmp.Diff(want, encoded(t, p.Judge(&shuffled, &other, now))); diff != "" {
			t.Errorf("another order gives another verdict (-want +got):\n%s", diff)
		}
	})
}

func TestRemovingAnExaminationNeverMakesItPass(t *testing.T) {
	for _, name := range policy.Profiles() {
		p := profile(t, name)
		e := indexEvidence()
		for i := range e.Examinations {
			less := e
			less.Examinations = slices.Delete(slices.Clone(e.Examinations), i, i+1)
			if v := p.Judge(&less, nil, now); v.Decision == core.Passed {
				t.Errorf("%s passes without %s of %s", name, e.Examinations[i].Name, e.Examinations[i].Subject.Short())
			}
		}
	}
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		before := p.Judge(&e, nil, now)
		i := r.IntN(len(e.Examinations))
		if e.Examinations[i].Status != core.Complete {
			return // a gap that nobody reports any more is then a missing examination, unless another one was made
		}
		e.Examinations = slices.Delete(slices.Clone(e.Examinations), i, i+1)
		if after := p.Judge(&e, nil, now); before.Decision != core.Passed && after.Decision == core.Passed {
			t.Errorf("%v became %v", before.Decision, after.Decision)
		}
	})
}

// An examination that is not complete can only be hidden by leaving it out, and then it is missing.
func TestRemovingAnyExaminationOfASubjectNeverMakesItPass(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		before := p.Judge(&e, nil, now)
		i := r.IntN(len(e.Examinations))
		e.Examinations = slices.Delete(slices.Clone(e.Examinations), i, i+1)
		if after := p.Judge(&e, nil, now); before.Decision != core.Passed && after.Decision == core.Passed {
			t.Errorf("%v became %v", before.Decision, after.Decision)
		}
	})
}

func TestTheVerdictDoesNotDependOnTheOrderOfTheEvidence(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		want := encoded(t, p.Judge(&e, nil, now))
		shuffled := core.Evidence{
			Subjects: e.Subjects, Images: slices.Clone(e.Images), Packages: slices.Clone(e.Packages),
			Findings: slices.Clone(e.Findings), Examinations: slices.Clone(e.Examinations), Advisories: e.Advisories,
		}
		shuffle(r, shuffled.Images)
		shuffle(r, shuffled.Packages)
		shuffle(r, shuffled.Findings)
		shuffle(r, shuffled.Examinations)
		if diff := cmp.Diff(want, encoded(t, p.Judge(&shuffled, nil, now))); diff != "" {
			t.Errorf("another order gives another verdict (-want +got):\n%s", diff)
		}
		shuffled.Sort()
		if diff := cmp.Diff(want, encoded(t, p.Judge(&shuffled, nil, now))); diff != "" {
			t.Errorf("sorted evidence gives another verdict (-want +got):\n%s", diff)
		}
	})
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, k int) { s[i], s[k] = s[k], s[i] })
}

func encoded(t *testing.T, v core.Verdict) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestJudgingDoesNotChangeTheEvidence(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		before, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		p.Judge(&e, nil, now)
		after, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before), string(after)); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
	})
}

// Every finding is decided exactly once, whatever the rules are.
func TestEveryFindingHasOneOutcome(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		v := p.Judge(&e, nil, now)
		n := 0
		for _, o := range slices.Concat(v.Refusals, v.Warnings, v.Ignored) {
			if o.Fingerprint != "" {
				n++
			}
			if o.Rule == "" || o.Message == "" {
				t.Errorf("the outcome %+v lacks its rule or message", o)
			}
		}
		if n != len(e.Findings) {
			t.Errorf("%d outcomes for %d findings", n, len(e.Findings))
		}
	})
}

// Making all upgrades that a verdict lists leaves no refusal that has a fix.
func TestUpgradesRemoveEveryRefusalThatHasAFix(t *testing.T) {
	eachProfile(t, func(t *testing.T, p *policy.Policy, r *rand.Rand, e core.Evidence) {
		v := p.Judge(&e, nil, now)
		fixed := map[string]bool{}
		for _, u := range v.Upgrades {
			for _, f := range u.Fixes {
				fixed[string(u.Subject)+f] = true
			}
		}
		byKey := map[string]core.Finding{}
		for _, f := range e.Findings {
			if f.Fix.State == core.FixAvailable && f.Fix.Version != "" && f.Package != nil {
				byKey[string(f.Subject)+f.Fingerprint] = f
			}
		}
		for _, o := range v.Refusals {
			if _, fixable := byKey[string(o.Subject)+o.Fingerprint]; fixable && !fixed[string(o.Subject)+o.Fingerprint] {
				t.Errorf("no upgrade removes %s", o.Message)
			}
		}
		if (v.AfterUpgrades == nil) != (len(v.Upgrades) == 0) {
			t.Errorf("%d upgrades, and after them %+v", len(v.Upgrades), v.AfterUpgrades)
		}
		if v.AfterUpgrades == nil {
			return
		}
		upgraded := e
		upgraded.Findings = slices.DeleteFunc(slices.Clone(e.Findings), func(f core.Finding) bool {
			return fixed[string(f.Subject)+f.Fingerprint] && f.Package != nil && f.Fix.State == core.FixAvailable && f.Fix.Version != ""
		})
		again := p.Judge(&upgraded, nil, now)
		// A rule that cannot be evaluated for a finding is a gap, which may go with the finding: that is not promised.
		if a := v.AfterUpgrades; a.Refusals != len(again.Refusals) || a.Gaps < len(again.Gaps) ||
			a.Gaps == len(again.Gaps) && a.Decision != again.Decision || a.Decision == core.Passed && again.Decision != core.Passed {
			t.Errorf("the verdict promises %+v, and it comes to %v with %d refusals and %d gaps", a, again.Decision, len(again.Refusals), len(again.Gaps))
		}
		if len(again.Upgrades) > 0 {
			t.Errorf("there is something left to upgrade: %+v", again.Upgrades)
		}
	})
}
