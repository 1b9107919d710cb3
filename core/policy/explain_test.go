package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

const explained = `version: 1
starter-ok: true
rules:
  - {name: on-release, when: "true", action: ignore, applies-to: {branches: [release/*]}}
  - {name: elsewhere, when: "true", action: ignore, applies-to: {paths: [usr/**]}}
  - {name: broken, when: "finding.aliases[5] == 'x'", action: fail}
  - {name: old, when: "has(finding.epss) && finding.epss > 0.5 && now - finding.published > duration('1h')", action: fail}
  - {name: named, when: "package.name == 'openssl' && 'CVE-1' in finding.aliases && finding.severity >= HIGH", action: fail}
  - {name: rest, when: "finding.kind != 'secret'", action: warn}
waivers:
  - {id: known, reason: r, owner: o, expires: 2027-01-31, match: {ids: [CVE-WAIVED]}}
`

// A golden file holds what is said of a finding that a rule refuses, one that is waived, one that VEX excuses and one
// that the baseline has too.
func TestExplainSaysWhichRulesWereTriedAndWhatTheyRead(t *testing.T) {
	p := parsed(t, explained)
	e := evidence()
	e.Change = &core.Change{Branch: "main"}
	e.Findings = []core.Finding{
		flaw(func(f *core.Finding) {
			f.Fingerprint, f.Aliases, f.Severity = "refused", []string{"CVE-1"}, core.SeverityHigh
			f.Package = &core.PackageRef{Name: "openssl", Version: "1", Purl: "pkg:deb/debian/openssl@1"}
			f.EPSS, f.Locations = &core.EPSS{Score: 0.4}, []core.Location{{Path: "opt/x"}}
		}),
		flaw(func(f *core.Finding) { f.Fingerprint = "waived"; f.Rule = "CVE-WAIVED" }),
		flaw(func(f *core.Finding) {
			f.Fingerprint = "excused"
			f.VEX = []core.VEXStatement{{Status: core.VEXNotAffected, TrustedBy: "policy p", Document: "vex.json"}}
		}),
		flaw(func(f *core.Finding) {
			f.Fingerprint, f.Kind, f.Package = "suppressed", core.KindSecret, nil
			f.Suppressions = []core.Suppression{{Kind: core.SuppressedInline, By: "gitleaks:allow", Path: "a", Base: true}}
		}),
	}
	var b strings.Builder
	for _, fingerprint := range []string{"refused", "waived", "excused", "suppressed"} {
		for _, x := range p.Explain(&e, nil, now, fingerprint) {
			fmt.Fprintf(&b, "%s: %s by %s, waiver %q: %s\n", fingerprint, x.Outcome.Action, x.Outcome.Rule, x.Outcome.Waiver, x.Outcome.Message)
			for _, trial := range x.Tried {
				fmt.Fprintf(&b, "  %s (%s): applies %t, holds %t, error %v\n", trial.Rule.Name, trial.Rule.Origin, trial.Applies, trial.Holds, trial.Err)
				for _, v := range trial.Values {
					fmt.Fprintf(&b, "    %s = %s\n", v.Name, v.Value)
				}
			}
			if x.VEX != nil {
				fmt.Fprintf(&b, "  VEX %s\n", x.VEX.Document)
			}
			if x.Suppression != nil {
				fmt.Fprintf(&b, "  suppressed by %s\n", x.Suppression.By)
			}
		}
	}
	golden := filepath.Join("testdata", "explain.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// What is explained is what was judged, by every profile, with a baseline and without.
func TestWhatIsExplainedIsWhatWasJudged(t *testing.T) {
	e := evidence()
	for i, severity := range core.Severities() {
		e.Findings = append(e.Findings, flaw(func(f *core.Finding) { f.Severity, f.Fingerprint = severity, fmt.Sprint(i) }))
	}
	policies := []*policy.Policy{parsed(t, explained)}
	for _, name := range policy.Profiles() {
		policies = append(policies, profile(t, name))
	}
	for _, p := range policies {
		for _, b := range []*core.Baseline{nil, before(had(func(f *core.Finding) { f.Fingerprint = "0" }))} {
			v := p.Judge(&e, b, now)
			all := append(append(append([]core.Outcome{}, v.Refusals...), v.Warnings...), v.Ignored...)
			for _, o := range all {
				if o.Fingerprint == "" {
					continue
				}
				xs := p.Explain(&e, b, now, o.Fingerprint)
				if len(xs) != 1 || xs[0].Outcome != o {
					t.Fatalf("%s: judged %+v, explained %+v", p.Ref().Name, o, xs)
				}
				if last := xs[0].Tried[len(xs[0].Tried)-1]; last.Rule.Name != o.Rule && o.Rule != "unmatched" {
					t.Errorf("the last rule tried is %s, not %s", last.Rule.Name, o.Rule)
				}
			}
		}
	}
}
