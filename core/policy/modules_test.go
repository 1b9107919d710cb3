package policy_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

var update = flag.Bool("update", false, "write golden files and generated documents")

// conftest are rules in both dialects.
func conftest() map[string][]byte {
	return map[string][]byte{
		"rules/main.rego": []byte(`package main

deny_licence[result] {
	p := input.packages[_]
	startswith(p.licenses[_], "GPL")
	result := {"msg": sprintf("%s is under the GPL", [p.name]), "details": {"package": p.purl}}
}

warn_label[msg] {
	image := input.images[_]
	not image.labels.owner
	msg := "the image has no owner"
}

exception[rules] {
	input.images[_].labels.team == "web"
	rules := ["label"]
}
`),
		"rules/findings.rego": []byte(`package team.findings

violation contains {"msg": msg, "fingerprint": f.fingerprint, "subject": f.subject} if {
	some f in input.findings
	f.severity == "low"
	msg := sprintf("we fix even %s, seen on %d", [f.rule, time.date(time.now_ns())[0]])
}
`),
	}
}

// cabinet is a resolver of Rego modules, by the entry of the policy and then by name; "*" is for any entry.
type cabinet map[string]map[string][]byte

func (cabinet) Extended(_ context.Context, e policy.Extension) (policy.Source, error) {
	return policy.Source{}, fmt.Errorf("there is no file %s", e.Reference)
}

func (cabinet) File(f policy.File, _ int64) ([]byte, error) {
	return nil, fmt.Errorf("there is no file %s", f.Name)
}

func (c cabinet) Modules(_ context.Context, f policy.File) (policy.Modules, error) {
	texts := c[f.Name]
	if texts == nil {
		texts = c["*"]
	}
	if texts == nil {
		return policy.Modules{}, fmt.Errorf("there is no directory %s", f.Name)
	}
	return policy.Modules{Texts: texts}, nil
}

func (c cabinet) load(text string) (*policy.Policy, error) {
	return policy.Load(context.Background(), policy.Source{Name: "team/policy.yaml", From: "team", Data: []byte(text)}, c)
}

// withModules is a policy whose every entry of "rego" leads to the same modules.
func withModules(t testing.TB, text string, modules map[string][]byte) *policy.Policy {
	t.Helper()
	p, err := cabinet{"*": modules}.load(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func regoEvidence() core.Evidence {
	e := evidence()
	e.Packages = []core.Package{{Subject: image, Name: "readline", Version: "8", Purl: "pkg:deb/debian/readline@8", Licenses: []string{"GPL-3.0"}}}
	for _, id := range []string{"CVE-2026-1", "CVE-2026-2"} {
		f := flaw(all())
		f.Fingerprint, f.Rule = strings.Repeat(id[len(id)-1:], 32), id
		e.Findings = append(e.Findings, f)
	}
	return e
}

func TestRegoRulesJoinTheVerdict(t *testing.T) {
	e := regoEvidence()
	e.Images[0].Labels = map[string]string{"team": "web"}
	v := withModules(t, "version: 1\nname: ours\nextends: none\nrego: rules\n", conftest()).Judge(&e, nil, now)
	v.Policy.Digest = "" // which changes with every setting that policies get
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	const golden = "testdata/rego-verdict.json"
	if *update {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(raw)); diff != "" {
		t.Errorf("-want +got; run with -update if that is meant:\n%s", diff)
	}
}

func TestRegoVerdictsDoNotDependOnTheOrderOfEvidence(t *testing.T) {
	p := withModules(t, "version: 1\nrego: [rules]\n", map[string][]byte{"a.rego": []byte(`package main

deny contains sprintf("%d %s %s", [i, f.rule, f.title]) if some i, f in input.findings

warn contains sprintf("%d %s %v", [i, p.name, p.licenses]) if some i, p in input.packages

warn_x contains sprintf("%d %s %v", [i, x.name, x.why]) if some i, x in input.examinations
`)})
	e := regoEvidence()
	twin := e.Findings[0]
	twin.Title = "the same by another name"
	e.Findings = append(e.Findings, twin)
	other := e.Packages[0]
	other.Licenses = []string{"MIT"}
	e.Packages = append(e.Packages, other)
	e.Examinations = append(e.Examinations, core.Examination{Name: "hook", Tool: "x", Status: core.Partial, Why: []string{"b", "a"}})
	first := p.Judge(&e, nil, now)
	before, _ := json.Marshal(e)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		shuffled := e
		shuffled.Findings, shuffled.Packages = slices.Clone(e.Findings), slices.Clone(e.Packages)
		shuffled.Examinations = slices.Clone(e.Examinations)
		shuffle(r, shuffled.Findings)
		shuffle(r, shuffled.Packages)
		shuffle(r, shuffled.Examinations)
		if diff := cmp.Diff(first, p.Judge(&shuffled, nil, now)); diff != "" {
			t.Fatalf("-first +shuffled:\n%s", diff)
		}
	}
	if after, _ := json.Marshal(e); string(before) != string(after) {
		t.Error("judging changed the evidence")
	}
}

func TestRegoRulesThatAreNotThereOrFailLeaveItUndecided(t *testing.T) {
	e := evidence()
	if _, err := policy.Parse("p.yaml", []byte("version: 1\nrego: rules\n")); !core.Usage(err) || !strings.Contains(err.Error(), "p.yaml:2:7: Rego rules cannot be read from here") {
		t.Errorf("rules that cannot be read: %v", err)
	}
	const p = "version: 1\nrego: rules\n"
	for text, want := range map[string]core.Decision{
		"deny contains \"x\" if to_number(input.subjects[0].name) == 1":                                  core.Undecided,
		"deny contains \"x\" if input.subjects[0].name == \"y\"":                                         core.Passed,
		"deny_a contains \"x\" if to_number(input.subjects[0].name) == 1\ndeny_b contains \"x\" if true": core.Refused,
		"warn contains \"x\" if true":                                                                    core.Passed,
	} {
		v := withModules(t, p, map[string][]byte{"a.rego": []byte("package main\n\n" + text + "\n")}).Judge(&e, nil, now)
		if v.Decision != want {
			t.Errorf("%s: %v, want %v (gaps %+v)", text, v.Decision, want, v.Gaps)
		}
	}
}

func TestAnOutcomeOfRegoIsOfWhatItNames(t *testing.T) {
	e := regoEvidence()
	second := core.Digest("sha256:" + strings.Repeat("b", 64))
	e.Subjects = append(e.Subjects, core.Subject{Name: "second", Kind: core.KindSource, Digest: second})
	one := strings.Repeat("1", 32)
	for result, want := range map[string]core.Outcome{
		`"m"`:          {Subject: image},
		`{"msg": "m"}`: {Subject: image},
		`{"msg": "m", "subject": "` + string(second) + `"}`:                               {Subject: second},
		`{"msg": "m", "subject": "nowhere"}`:                                              {Subject: image},
		`{"msg": "m", "fingerprint": "` + one + `"}`:                                      {Subject: image, Fingerprint: one},
		`{"msg": "m", "fingerprint": "` + one + `", "subject": "` + string(image) + `"}`:  {Subject: image, Fingerprint: one},
		`{"msg": "m", "fingerprint": "` + one + `", "subject": "` + string(second) + `"}`: {Subject: second},
		`{"msg": "m", "fingerprint": "unknown"}`:                                          {Subject: image},
	} {
		p := withModules(t, "version: 1\nrego: r\n", map[string][]byte{"a.rego": []byte("package main\n\ndeny contains " + result + " if true\n")})
		v := p.Judge(&e, nil, now)
		want.Rule, want.Action, want.Message = "rego:main.deny", core.ActionFail, "m"
		if diff := cmp.Diff([]core.Outcome{want}, v.Refusals); diff != "" {
			t.Errorf("%s: -want +got:\n%s", result, diff)
		}
	}
}

// A refusal of Rego that names a finding with a fix has its upgrade, like any other.
func TestRegoRefusalsHaveUpgrades(t *testing.T) {
	e := regoEvidence()
	v := withModules(t, "version: 1\nrego: rules\n", conftest()).Judge(&e, nil, now)
	if len(v.Upgrades) != 1 || len(v.Upgrades[0].Fixes) != 2 {
		t.Errorf("upgrades %+v", v.Upgrades)
	}
}

func TestTheDigestOfAPolicyIsOfItsModulesToo(t *testing.T) {
	const p = "version: 1\nrego: rules\n"
	digests := map[core.Digest]string{parsed(t, "version: 1\n").Ref().Digest: "without"}
	changed, renamed := conftest(), conftest()
	changed["rules/main.rego"] = append(changed["rules/main.rego"], "# more\n"...)
	renamed["rules/other.rego"] = renamed["rules/main.rego"]
	delete(renamed, "rules/main.rego")
	for name, modules := range map[string]map[string][]byte{"with": conftest(), "changed": changed, "renamed": renamed} {
		d := withModules(t, p, modules).Ref().Digest
		if other, twice := digests[d]; twice {
			t.Errorf("%s has the digest of %s", name, other)
		}
		digests[d] = name
	}
	if once, twice := withModules(t, p, conftest()).Ref(), withModules(t, p, conftest()).Ref(); once != twice {
		t.Error("the same modules have two digests")
	}
}

func TestWhatIsWrongWithModulesIsTheUsersMistake(t *testing.T) {
	_, err := cabinet{"rules": {"rules/a.rego": []byte("package main\n\ndeny contains \"x\" if input.findngs\n")}}.load("version: 1\nrego: rules\n")
	if !core.Usage(err) || !strings.Contains(err.Error(), "team/rules/a.rego:3:22: undefined ref: input.findngs") {
		t.Error(err)
	}
	for _, text := range []string{"rego: 1", "rego: []", "rego: {a: b}", "rego: ''", "rego: [a, 1]", "rego: [" + strings.Repeat("a, ", 21) + "]"} {
		if _, err := (cabinet{"*": conftest()}).load("version: 1\n" + text + "\n"); !core.Usage(err) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// BenchmarkJudgeRego100k is the default policy with ten Rego rules over a hundred thousand findings.
func BenchmarkJudgeRego100k(b *testing.B) {
	var text strings.Builder
	text.WriteString("package main\n")
	for _, name := range strings.Split("abcdefghij", "") {
		text.WriteString("\ndeny_" + name + " contains f.rule if {\n\tsome f in input.findings\n\tf.severity == \"critical\"\n\tf.package.name == \"" + name + "\"\n}\n")
	}
	p := withModules(b, "version: 1\nrego: rules\n", map[string][]byte{"a.rego": []byte(text.String())})
	e := manyFindings(100_000)
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Judge(&e, nil, at); len(v.Gaps) > 0 {
			b.Fatal(v.Gaps)
		}
	}
}
