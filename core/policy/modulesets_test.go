package policy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// Modules gives what is on the shelf below a directory.
func (s shelf) Modules(_ context.Context, f policy.File) (policy.Modules, error) {
	found := policy.Modules{Texts: map[string][]byte{}}
	for name, text := range s {
		if rest, ok := strings.CutPrefix(name, path.Join(f.From, f.Name)+"/"); ok {
			member := path.Join(f.Name, rest)
			found.Texts[member] = []byte(text)
			found.Files = append(found.Files, policy.File{Name: member, From: f.From})
		}
	}
	if len(found.Texts) == 0 {
		return found, fmt.Errorf("there is no directory %s", f.Name)
	}
	return found, nil
}

const denySecrets = `package main

trusted(f) if f.kind == "code"

deny_secret contains f.rule if {
	some f in input.findings
	not trusted(f)
}
`

// What an organisation's rules mean does not depend on what a policy that extends them adds to the same packages, and
// nothing that it says takes them away.
func TestAPolicyThatExtendsAnotherCannotChangeItsRegoRules(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(kind(core.KindSecret))}
	const org = "version: 1\nname: org\nextends: none\nrego: rules\n"
	for name, module := range map[string]string{
		"an exception for its rule":       "exception contains [\"secret\"] if true\n\nwarn contains \"x\" if true\n",
		"another rule for its condition":  "trusted(f) if f.kind == \"secret\"\n\nwarn contains \"x\" if true\n",
		"a rule of the same name":         "deny_secret contains \"x\" if input.findings[0].rule == \"nothing\"\n",
		"a rule that wants all the steps": "deny contains \"x\" if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta + b < 0\n}\n",
	} {
		s := shelf{"org/p.yaml": org, "org/rules/a.rego": denySecrets, "team/p.yaml": "version: 1\nextends: ../org/p.yaml\nrego: [rules]\n",
			"team/rules/a.rego": "package main\n\n" + module}
		v := s.mustLoad(t, "team/p.yaml").Judge(&e, nil, now)
		if len(v.Refusals) != 1 || v.Refusals[0].Rule != "rego:main.deny_secret" {
			t.Errorf("%s: refusals %+v, warnings %+v", name, v.Refusals, v.Warnings)
		}
	}
	s := shelf{"org/p.yaml": org + "locked: [rego]\n", "org/rules/a.rego": denySecrets, "team/rules/a.rego": denySecrets,
		"team/p.yaml": "version: 1\nextends: ../org/p.yaml\nrego: [rules]\n", "team/empty.yaml": "version: 1\nextends: ../org/p.yaml\n"}
	if _, err := s.load("team/p.yaml"); !core.Usage(err) || !strings.Contains(err.Error(), `team/p.yaml:3:1: "rego" is locked by the policy org`) {
		t.Errorf("a locked key: %v", err)
	}
	if v := s.mustLoad(t, "team/empty.yaml").Judge(&e, nil, now); v.Decision != core.Refused {
		t.Errorf("the rules are lost: %+v", v)
	}
}

// Whatever a module says of a finding, the outcome that the rules of the policy gave it stays.
func TestRegoExcusesNothing(t *testing.T) {
	e := evidence()
	e.Findings = []core.Finding{flaw(all(critical, func(f *core.Finding) { f.Fingerprint = someFingerprint }))}
	alone := standard(t).Judge(&e, nil, now)
	said := withModules(t, "version: 1\nrego: r\n", map[string][]byte{"a.rego": []byte(`package main

warn_fine contains {"msg": "fine", "fingerprint": f.fingerprint, "subject": f.subject} if some f in input.findings

deny contains {"msg": "excused", "fingerprint": f.fingerprint, "action": "ignore"} if some f in input.findings

exception contains ["fine", "", "severe-with-fix", "unmatched"] if true
`)}).Judge(&e, nil, now)
	if diff := cmp.Diff(alone.Refusals, said.Refusals); diff != "" || said.Decision != core.Refused || len(said.Ignored) > 0 {
		t.Errorf("-without +with Rego:\n%s\nignored %+v", diff, said.Ignored)
	}
	if len(said.Warnings) != 2 || !strings.HasPrefix(said.Warnings[0].Message, "excepted by its package: ") {
		t.Errorf("warnings %+v", said.Warnings)
	}
}

func TestAWaiverExcusesWhatRegoSaysOfAFindingOrByItsRule(t *testing.T) {
	const modules = `package main

deny_finding contains {"msg": f.rule, "fingerprint": f.fingerprint, "subject": f.subject} if some f in input.findings

deny_image contains "no owner" if not input.images[0].labels.owner
`
	e := evidence()
	e.Findings = []core.Finding{flaw(all(kind(core.KindCode), func(f *core.Finding) { f.Fingerprint, f.Rule = someFingerprint, "G101" }))}
	for match, want := range map[string][]string{
		"ids: [G101]": {"rego:main.deny_image"},
		"fingerprints: [" + someFingerprint + "]":                                {"rego:main.deny_image"},
		"ids: ['rego:main.deny_finding']":                                        {"rego:main.deny_image"},
		"ids: ['rego:main.deny_image']":                                          {"rego:main.deny_finding"},
		"ids: ['rego:main.deny_image', G101]":                                    nil,
		"ids: ['rego:main.deny_image'], images: [registry.example/other]":        {"rego:main.deny_finding", "rego:main.deny_image"},
		"packages: ['*']":                                                        {"rego:main.deny_image"},
		"ids: ['rego:main.deny']":                                                {"rego:main.deny_finding", "rego:main.deny_image"},
		"fingerprints: [" + someFingerprint + "], ids: ['rego:main.deny_image']": {"rego:main.deny_finding", "rego:main.deny_image"},
	} {
		p := withModules(t, "version: 1\nextends: none\nrego: r\nwaivers:\n  - {id: W-1, reason: r, owner: team-a, expires: 2026-11-24, match: {"+match+"}}\n",
			map[string][]byte{"a.rego": []byte(modules)})
		var got []string
		v := p.Judge(&e, nil, now)
		for _, o := range v.Refusals {
			got = append(got, o.Rule)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: refused by %v, want %v", match, got, want)
		}
		if used := v.Waivers[0]; (used.Excused > 0) != (len(want) < 2) {
			t.Errorf("%s: %+v", match, used)
		}
	}
}

// Two versions of a package have one fingerprint. What excuses one of them does not excuse what is said of both.
func TestWhatRegoSaysOfSeveralFindingsIsExcusedOnlyForAll(t *testing.T) {
	e := evidence()
	for _, version := range []string{"1.0", "2.0"} {
		f := flaw(all(func(f *core.Finding) { f.Fingerprint = someFingerprint }))
		f.Package = &core.PackageRef{Name: "p", Version: version, Purl: "pkg:npm/p@" + version, Ecosystem: "npm"}
		e.Findings = append(e.Findings, f)
	}
	for packages, want := range map[string]core.Decision{"pkg:npm/p@1.0": core.Refused, "pkg:npm/p@2.0": core.Refused, "pkg:npm/p": core.Passed} {
		p := withModules(t, "version: 1\nextends: none\nrego: r\nwaivers:\n  - {id: W-1, reason: r, owner: o, expires: 2026-11-24, match: {packages: ['"+packages+"']}}\n",
			map[string][]byte{"a.rego": []byte("package main\n\ndeny contains {\"msg\": f.rule, \"fingerprint\": f.fingerprint} if some f in input.findings\n")})
		for range 2 {
			slices.Reverse(e.Findings)
			if v := p.Judge(&e, nil, now); v.Decision != want {
				t.Errorf("%s: %v, want %v: %+v", packages, v.Decision, want, v.Refusals)
			}
		}
	}
}

// A baseline holds back what Rego says of a finding that it has, and nothing that Rego says of a whole subject.
func TestABaselineHoldsBackWhatRegoSaysOfItsFindings(t *testing.T) {
	p := withModules(t, "version: 1\nextends: none\nrego: r\n", map[string][]byte{"a.rego": []byte(`package main

deny_finding contains {"msg": f.rule, "fingerprint": f.fingerprint, "subject": f.subject} if some f in input.findings

deny_image contains "no owner" if not input.images[0].labels.owner
`)})
	e := evidence()
	e.Findings = []core.Finding{flaw(high)}
	known := p.Judge(&e, before(had(high)), now)
	if len(known.Refusals) != 1 || known.Refusals[0].Rule != "rego:main.deny_image" || known.Refusals[0].Cause != core.CauseCode {
		t.Errorf("refusals %+v", known.Refusals)
	}
	if held := known.Warnings; len(held) != 2 || !held[1].Held || held[1].Rule != "rego:main.deny_finding" || held[1].Cause != core.CauseKnown {
		t.Errorf("warnings %+v", held)
	}
	if v := p.Judge(&e, before(), now); len(v.Refusals) != 2 {
		t.Errorf("of a finding that is new: %+v", v.Refusals)
	}
}

// monotone are rules that more evidence cannot silence, as those of the built-in profiles are.
const monotone = `package main

deny contains {"msg": f.rule, "fingerprint": f.fingerprint, "subject": f.subject} if {
	some f in input.findings
	f.severity == "medium"
}

warn_many contains sprintf("%s %d", [s.name, i]) if some i, s in input.subjects

violation_age contains f.rule if {
	some f in input.findings
	time.now_ns() - time.parse_rfc3339_ns(f.published) > 0
}
`

// The laws of the built-in profiles hold with Rego rules that keep to them, and with waivers and a baseline.
func TestWithRegoTheLawsHold(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		e := randomEvidence(r)
		text := "version: 1\nextends: " + policy.Profiles()[r.IntN(3)] + "\nrego: r\n"
		modules := map[string][]byte{"a.rego": []byte(monotone)}
		p := withModules(t, text, modules)
		b := randomBaseline(r, e)
		if r.IntN(3) == 0 {
			b = nil
		}
		v := p.Judge(&e, b, now)
		more := e
		more.Findings = append(slices.Clone(e.Findings), randomFinding(r))
		if w := p.Judge(&more, b, now); v.Decision != core.Passed && w.Decision == core.Passed {
			t.Fatalf("seed %d: a finding more makes it pass", seed)
		}
		waived := withModules(t, text+"waivers:\n  - {id: W-1, reason: r, owner: o, expires: 2026-11-24, match: {ids: ['rego:main.deny'], packages: ['*']}}\n", modules)
		if w := waived.Judge(&e, b, now); v.Decision == core.Passed && w.Decision != core.Passed || len(w.Refusals) > len(v.Refusals) {
			t.Fatalf("seed %d: a waiver makes it stricter", seed)
		}
		if len(e.Examinations) > 0 {
			less := e
			less.Examinations = slices.Delete(slices.Clone(e.Examinations), 0, 1)
			if w := p.Judge(&less, b, now); v.Decision != core.Passed && w.Decision == core.Passed {
				t.Fatalf("seed %d: an examination less makes it pass", seed)
			}
		}
		shuffled := e
		shuffled.Findings, shuffled.Packages, shuffled.Images = slices.Clone(e.Findings), slices.Clone(e.Packages), slices.Clone(e.Images)
		shuffled.Examinations = slices.Clone(e.Examinations)
		shuffle(r, shuffled.Findings)
		shuffle(r, shuffled.Packages)
		shuffle(r, shuffled.Images)
		shuffle(r, shuffled.Examinations)
		if got, want := encoded(t, p.Judge(&shuffled, b, now)), encoded(t, v); got != want {
			t.Fatalf("seed %d: another order gives another verdict:\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// A policy that is shown names the modules of all policies, and the bases with all that is asked of them.
func TestAShownPolicyHasItsBasesAndModules(t *testing.T) {
	s := shelf{
		"org.yaml": "version: 1\nname: org\nextends: none\nrego: a\nbases: [{match: 'docker.io/**', signed-by: [{key: k.pub}]}]\n",
		"p.yaml":   "version: 1\nextends: org.yaml\nrequire: [hook/x]\nrego: [b, a]\nbases: [{match: 'docker.io/**', digest-required: true}]\n",
		"a/a.rego": denySecrets, "b/b.rego": strings.ReplaceAll(denySecrets, "secret", "other"),
	}
	for _, name := range []string{"p.yaml", "org.yaml"} {
		p := s.mustLoad(t, name)
		text, err := p.Show()
		if err != nil {
			t.Fatal(err)
		}
		s["shown.yaml"] = string(text)
		again := s.mustLoad(t, "shown.yaml")
		if again.Ref().Digest != p.Ref().Digest || again.Rules() != p.Rules() || len(again.Bases()) != len(p.Bases()) {
			t.Errorf("%s is shown as\n%s", name, text)
		}
	}
	if p := s.mustLoad(t, "p.yaml"); len(p.Bases()) != 2 || len(p.Files()) != 5 || p.Rules() != 3 {
		t.Errorf("bases %+v, files %+v", p.Bases(), p.Files())
	}
}

func TestTheExamplesForRegoAndBasesParse(t *testing.T) {
	page, err := os.ReadFile("../../docs/rego.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(page), "```yaml\n")[1:]
	if len(examples) < 3 {
		t.Fatalf("the page has %d examples", len(examples))
	}
	for i, example := range examples {
		text, _, _ := strings.Cut(example, "```")
		s := shelf{"p.yaml": text, "rules/a.rego": denySecrets}
		if _, err := s.load("p.yaml"); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}
