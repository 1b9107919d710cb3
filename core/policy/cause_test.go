package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

var older = core.Digest("sha256:" + strings.Repeat("9", 64))

// before is a baseline of the same image as evidence, which an earlier build gave another digest and name.
func before(changes ...func(*core.Baseline)) *core.Baseline {
	e := evidence()
	e.Subjects[0].Digest, e.Subjects[0].Name = older, "registry.example/app:main"
	e.Images[0].Subject = older
	e.Examinations = complete(older)
	b := &core.Baseline{Ref: core.BaselineRef{Source: "baseline.json", Digest: older}, Evidence: e}
	for _, change := range changes {
		change(b)
	}
	return b
}

// had gives the baseline a finding.
func had(change func(*core.Finding)) func(*core.Baseline) {
	return func(b *core.Baseline) {
		f := flaw(change)
		f.Subject = older
		b.Evidence.Findings = append(b.Evidence.Findings, f)
	}
}

// judgedBy lets another policy have judged the baseline, with this action.
func judgedBy(digest core.Digest, action core.Action) func(*core.Baseline) {
	return func(b *core.Baseline) {
		v := &core.Verdict{Policy: core.PolicyRef{Digest: digest}}
		for _, f := range b.Evidence.Findings {
			o := core.Outcome{Rule: "r", Action: action, Subject: f.Subject, Fingerprint: f.Fingerprint}
			switch action {
			case core.ActionFail:
				v.Refusals = append(v.Refusals, o)
			case core.ActionWarn:
				v.Warnings = append(v.Warnings, o)
			default:
				v.Ignored = append(v.Ignored, o)
			}
		}
		b.Verdict = v
	}
}

func rematched(change func(*core.Finding)) func(*core.Baseline) {
	return func(b *core.Baseline) {
		f := flaw(change)
		f.Subject = older
		b.Rematched = append(b.Rematched, f)
	}
}

func examined(name, tool, version string) core.Examination {
	return core.Examination{Name: name, Tool: tool, Version: version, Status: core.Complete}
}

func ran(x core.Examination) func(*core.Baseline) {
	return func(b *core.Baseline) {
		x.Subject = older
		b.Evidence.Examinations = append(b.Evidence.Examinations, x)
	}
}

func seenBy(tool string) func(*core.Finding) {
	return func(f *core.Finding) { f.SeenBy, f.Package = []string{tool}, nil }
}

func TestEachFindingHasItsCause(t *testing.T) {
	leak := all(kind(core.KindCode), critical, seenBy("gosec"))
	secret := all(kind(core.KindSecret), seenBy("gosec"))
	now1, now2 := examined("hook/gosec", "gosec", "1"), examined("hook/gosec", "gosec", "2")
	otherPolicy := core.Digest("sha256:" + strings.Repeat("e", 64))
	sameSubject := func(b *core.Baseline) { b.Evidence.Findings[0].Subject = "sha256:nowhere" }
	place := func(change func(*core.Subject)) func(*core.Baseline) {
		return func(b *core.Baseline) { change(&b.Evidence.Subjects[0]) }
	}
	for _, tc := range []struct {
		name     string
		finding  func(*core.Finding)
		run      core.Examination // the tool's, now
		baseline *core.Baseline
		cause    core.Cause
		refused  bool
	}{
		{"a new flaw", critical, core.Examination{}, before(), core.CauseCode, true},
		{"a flaw that was there", critical, core.Examination{}, before(had(critical)), core.CauseKnown, false},
		{"a flaw that was there in another version and severity", critical, core.Examination{},
			before(had(all(medium, func(f *core.Finding) { f.Package.Version = "0.9" }))), core.CauseKnown, false},
		{"a flaw that newer advisories know", critical, core.Examination{}, before(rematched(critical)), core.CauseAdvisory, false},
		{"a flaw that newer advisories know of another package", critical, core.Examination{},
			before(rematched(all(critical, func(f *core.Finding) { f.Fingerprint = "g" }))), core.CauseCode, true},

		{"a flaw that a deleted file had", critical, core.Examination{}, before(had(all(critical, removed))), core.CauseCode, true},
		{"a fingerprint of another kind", critical, core.Examination{}, before(had(all(critical, kind(core.KindCode)))), core.CauseCode, true},
		{"a fingerprint of another platform", critical, core.Examination{},
			before(had(critical), place(func(s *core.Subject) { s.Platform = &core.Platform{OS: "linux", Architecture: "arm64"} })), core.CauseCode, true},
		{"a fingerprint of another kind of subject", critical, core.Examination{},
			before(had(critical), place(func(s *core.Subject) { s.Kind, s.Platform = core.KindSource, nil })), core.CauseCode, true},
		{"a fingerprint of no subject of the baseline", critical, core.Examination{}, before(had(critical), sameSubject), core.CauseCode, true},
		{"no fingerprint at all", all(critical, func(f *core.Finding) { f.Fingerprint = "" }), core.Examination{},
			before(had(all(critical, func(f *core.Finding) { f.Fingerprint = "" }))), core.CauseCode, true},
		{"a baseline of nothing", critical, core.Examination{}, &core.Baseline{}, core.CauseCode, true},

		{"what a tool sees that ran before", leak, now1, before(ran(now1)), core.CauseCode, true},
		{"what a tool sees that did not run before", leak, now1, before(), core.CauseTool, false},
		{"what a tool sees that failed before", leak, now1,
			before(ran(core.Examination{Name: "hook/gosec", Tool: "gosec", Version: "1", Status: core.Failed})), core.CauseTool, false},
		{"what another version of a tool sees", leak, now2, before(ran(now1)), core.CauseTool, false},
		{"what a tool sees of which nothing is recorded", leak, core.Examination{}, before(), core.CauseCode, true},
		{"a secret that another version of a tool sees", secret, now2, before(ran(now1)), core.CauseTool, true},
		{"a secret that was there", secret, now2, before(ran(now1), had(secret)), core.CauseKnown, false},
		{"a flaw of a package that another inventory sees", critical, examined(core.ExaminePackages, "other", "2"), before(), core.CauseCode, true},

		{"what the same policy let pass", critical, core.Examination{},
			before(had(medium), judgedBy(benchPolicy(t), core.ActionWarn)), core.CauseKnown, false},
		{"what another policy let pass", critical, core.Examination{}, before(had(critical), judgedBy(otherPolicy, core.ActionWarn)), core.CausePolicy, false},
		{"what another policy ignored", critical, core.Examination{}, before(had(critical), judgedBy(otherPolicy, core.ActionIgnore)), core.CausePolicy, false},
		{"what another policy refused as well", critical, core.Examination{},
			before(had(critical), judgedBy(otherPolicy, core.ActionFail)), core.CauseKnown, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := evidence()
			e.Findings = []core.Finding{flaw(tc.finding)}
			if tc.run.Name != "" {
				tc.run.Subject = image
				e.Examinations = append(e.Examinations, tc.run)
			}
			p := standard(t)
			if tc.finding != nil && e.Findings[0].Kind == core.KindCode {
				p = profile(t, "strict")
			}
			v := p.Judge(&e, tc.baseline, now)
			outcomes := slices.Concat(v.Refusals, v.Warnings)
			if len(outcomes) != 1 || outcomes[0].Cause != tc.cause || (v.Decision == core.Refused) != tc.refused {
				t.Fatalf("%v, %+v; want cause %s, refused %v", v.Decision, outcomes, tc.cause, tc.refused)
			}
			if held := outcomes[0].Held; held == tc.refused || held && !strings.Contains(outcomes[0].Message, "(does not block: ") {
				t.Errorf("%+v; want it held back and say why: %v", outcomes[0], !tc.refused)
			}
			if b := v.Baseline; b == nil || b.Known+b.New != 1 || b.Source != tc.baseline.Ref.Source {
				t.Errorf("the baseline is %+v", v.Baseline)
			}
		})
	}
}

func benchPolicy(t *testing.T) core.Digest { return standard(t).Ref().Digest }

func TestThePolicySaysWhichCausesBlock(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(critical)}
	for block, want := range map[string]core.Decision{"[code]": core.Passed, "[code, advisory]": core.Refused, "[code, tool]": core.Passed} {
		p := parsed(t, "version: 1\nbaseline: {block: "+block+"}\n")
		if v := p.Judge(&e, before(rematched(critical)), now); v.Decision != want {
			t.Errorf("%s: %v, want %v", block, v.Decision, want)
		}
	}
}

func TestAKnownWarningStaysOneAndAGapStaysAGap(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(medium)}
	v := standard(t).Judge(&e, before(had(medium)), now)
	if v.Decision != core.Passed || len(v.Warnings) != 1 || v.Warnings[0].Cause != core.CauseKnown || v.Warnings[0].Held {
		t.Errorf("%v, %+v", v.Decision, v.Warnings)
	}
	gap := func(e *core.Evidence) { e.Examinations[1].Status, e.Examinations[1].Why = core.Failed, []string{"x"} }
	b := before(had(medium))
	gap(&e)
	gap(&b.Evidence)
	if v := standard(t).Judge(&e, b, now); v.Decision != core.Undecided {
		t.Errorf("a gap that the baseline has too: %v", v.Decision)
	}
}

func TestWithoutABaselineACauseIsGivenOnlyToAChange(t *testing.T) {
	for name, tc := range map[string]struct {
		change *core.Change
		want   core.Cause
	}{
		"nothing is known of a change": {nil, ""},
		"what is judged is merged":     {&core.Change{Head: "a"}, ""},
		"a request":                    {&core.Change{Head: "a", Base: "b"}, core.CauseCode},
	} {
		e := evidence()
		e.Findings = []core.Finding{flaw(critical)}
		e.Change = tc.change
		v := standard(t).Judge(&e, nil, now)
		if v.Decision != core.Refused || v.Refusals[0].Cause != tc.want || v.Baseline != nil {
			t.Errorf("%s: %v, %+v, %+v", name, v.Decision, v.Refusals, v.Baseline)
		}
	}
}

func TestARuleOverPackagesRefusesWhatTheBaselineHasNot(t *testing.T) {
	p := parsed(t, `version: 1
rules:
  - {name: licence, for: packages, when: '"AGPL-3.0" in package.licenses', action: fail}
  - {name: root, for: images, when: 'image.user == ""', action: fail}
`)
	agpl := func(subject core.Digest, name, version, licence string) core.Package {
		return core.Package{Subject: subject, Name: name, Version: version, Purl: "pkg:npm/" + name + "@" + version, Ecosystem: "npm",
			Licenses: []string{licence}, Analyzer: "npm"}
	}
	with := func(list ...core.Package) func(*core.Baseline) {
		return func(b *core.Baseline) { b.Evidence.Packages = list }
	}
	asUser := func(b *core.Baseline) { b.Evidence.Images[0].User = "app" }
	for _, tc := range []struct {
		name     string
		baseline *core.Baseline
		want     string
	}{
		{"nothing new", before(with(agpl(older, "p", "1", "AGPL-3.0"))), ""},
		{"another version", before(with(agpl(older, "p", "0.1", "AGPL-3.0"))), ""},
		{"another licence", before(with(agpl(older, "p", "1", "MIT"))), "licence code"},
		{"another package", before(with(agpl(older, "q", "1", "AGPL-3.0"))), "licence code"},
		{"another user", before(with(agpl(older, "p", "1", "AGPL-3.0")), asUser), "root code"},
		{"no such subject", &core.Baseline{}, "licence code, root code"},
	} {
		e := evidence()
		e.Packages = []core.Package{agpl(image, "p", "1", "AGPL-3.0")}
		v := p.Judge(&e, tc.baseline, now)
		var got []string
		for _, o := range v.Refusals {
			got = append(got, fmt.Sprint(o.Rule, " ", o.Cause))
		}
		if strings.Join(got, ", ") != tc.want || len(v.Refusals)+len(v.Warnings) != 2 {
			t.Errorf("%s: refused %q, want %q; warnings %+v", tc.name, got, tc.want, v.Warnings)
		}
	}
}

// How a run went is told of each run anew: that the baseline's was no better, or is old by now, excuses nothing.
func TestABaselineExcusesNoRuleOverExaminationsOrEvidence(t *testing.T) {
	p := parsed(t, `version: 1
rules:
  - {name: looked, for: examinations, when: 'examination.name.startsWith("hook/") && examination.status != "complete"', action: fail}
  - {name: fresh, for: evidence, when: 'evidence.advisories.asOf < now - duration("720h")', action: fail}
  - {name: named, for: subjects, when: 'subject.kind == "image" && evidence.advisories.signedBy == ""', action: fail}
`)
	e := evidence()
	e.Advisories.AsOf = now.AddDate(0, -3, 0)
	e.Examinations = append(e.Examinations, core.Examination{Name: "hook/gosec", Tool: "gosec", Subject: image, Status: core.Failed, Why: []string{"x"}})
	b := before(func(b *core.Baseline) {
		b.Evidence.Advisories.AsOf = now.AddDate(-1, 0, 0)
		b.Evidence.Examinations = append(b.Evidence.Examinations,
			core.Examination{Name: "hook/bandit", Tool: "bandit", Subject: older, Status: core.Failed, Why: []string{"x"}})
	})
	var refused []string
	for _, o := range p.Judge(&e, b, now).Refusals {
		refused = append(refused, fmt.Sprint(o.Rule, " ", o.Cause))
	}
	if got := strings.Join(refused, ", "); got != "fresh code, looked code, named code" {
		t.Errorf("refused: %s", got)
	}
}

// A suppression is told from the base of the change, so that no update of a tool is a reason for it.
func TestASuppressionIsNeverANewToolsDoing(t *testing.T) {
	p := parsed(t, "version: 1\nrules: [{name: added, when: finding.kind == \"suppression\", action: fail}]\n")
	e := evidence()
	e.Findings = []core.Finding{flaw(all(kind(core.KindSuppression), seenBy("cleanbill")))}
	e.Examinations = append(e.Examinations, core.Examination{Name: "suppressions", Subject: image, Tool: "cleanbill", Status: core.Complete})
	b := before(func(b *core.Baseline) {
		for i := range b.Evidence.Examinations {
			b.Evidence.Examinations[i].Version = "older"
		}
	})
	if v := p.Judge(&e, b, now); len(v.Refusals) != 1 || v.Refusals[0].Cause != core.CauseCode {
		t.Errorf("refused %+v, warned of %+v", v.Refusals, v.Warnings)
	}
}

// A package that only a newer inventory can see is no doing of the change, as long as what finds it had found nothing.
func TestAPackageThatOnlyANewerInventorySees(t *testing.T) {
	judge := func(seen string, version string) core.Cause {
		e := evidence()
		e.Findings = []core.Finding{flaw(critical)}
		e.Packages = []core.Package{{Subject: image, Name: "p", Version: "1.0", Purl: "pkg:npm/p@1.0", Analyzer: "npm"}}
		b := before(func(b *core.Baseline) {
			b.Evidence.Packages = []core.Package{{Subject: older, Name: "q", Analyzer: seen}}
			for i := range b.Evidence.Examinations {
				b.Evidence.Examinations[i].Version = version
			}
		})
		v := standard(t).Judge(&e, b, now)
		return slices.Concat(v.Refusals, v.Warnings)[0].Cause
	}
	for _, tc := range []struct {
		seen, version string
		want          core.Cause
	}{{"npm", "", core.CauseCode}, {"npm", "old", core.CauseCode}, {"gem", "", core.CauseCode}, {"gem", "old", core.CauseTool}} {
		if got := judge(tc.seen, tc.version); got != tc.want {
			t.Errorf("packages by %s of version %q before: %s, want %s", tc.seen, tc.version, got, tc.want)
		}
	}
}

func TestADuplicatedFingerprintCountsOnce(t *testing.T) {
	e := evidence()
	second := flaw(critical)
	second.Rule, second.Fingerprint = "CVE-2026-2", "g"
	e.Findings = []core.Finding{flaw(critical), second}
	v := standard(t).Judge(&e, before(had(critical), had(critical), had(critical)), now)
	if v.Decision != core.Refused || len(v.Refusals) != 1 || v.Refusals[0].Fingerprint != "g" || v.Baseline.Known != 1 || v.Baseline.New != 1 {
		t.Errorf("%v, %+v, %+v", v.Decision, v.Refusals, v.Baseline)
	}
}

// Upgrades are for what is refused: what a change did not bring is not its author's to fix now.
func TestUpgradesAreForWhatBlocks(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(critical)}
	if v := standard(t).Judge(&e, before(had(critical)), now); len(v.Upgrades) != 0 {
		t.Errorf("%+v", v.Upgrades)
	}
}
