package policy_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// shelf is a resolver over files by path, and over bundles by reference.
type shelf map[string]string

func (s shelf) Extended(_ context.Context, e policy.Extension) (policy.Source, error) {
	name := e.Reference
	if !strings.HasPrefix(name, policy.BundlePrefix) {
		name = path.Join(e.From, e.Reference)
	}
	text, ok := s[name]
	if !ok {
		return policy.Source{}, fmt.Errorf("there is no file %s", name)
	}
	if text == "down" {
		return policy.Source{}, &core.Failure{Doing: "fetch " + name, Err: errors.New("the registry is down")}
	}
	return policy.Source{Name: name, From: policy.PlaceOf(name), Data: []byte(text)}, nil
}

// File gives a file on the shelf, and of any other its path.
func (s shelf) File(f policy.File, _ int64) ([]byte, error) {
	name := path.Join(f.From, f.Name)
	if text, ok := s[name]; ok {
		return []byte(text), nil
	}
	return []byte(name), nil
}

// papers is a resolver over the files that a policy names, by path.
type papers func(name string, max int64) ([]byte, error)

func (papers) Extended(_ context.Context, e policy.Extension) (policy.Source, error) {
	return policy.Source{}, fmt.Errorf("there is no file %s", e.Reference)
}

func (p papers) File(f policy.File, max int64) ([]byte, error) {
	return p(path.Join(f.From, f.Name), max)
}

func (p papers) load(name string, data []byte) (*policy.Policy, error) {
	return policy.Load(context.Background(), policy.Source{Name: name, From: policy.PlaceOf(name), Data: data}, p)
}

func (s shelf) load(name string) (*policy.Policy, error) {
	return policy.Load(context.Background(), policy.Source{Name: name, From: policy.PlaceOf(name), Data: []byte(s[name])}, s)
}

func (s shelf) mustLoad(t testing.TB, name string) *policy.Policy {
	t.Helper()
	p, err := s.load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	guard  = "  - {name: guard, locked: true, when: finding.kind == \"secret\", action: fail}\n"
	guard2 = "  - {name: guard-2, locked: true, when: finding.rule == \"x\", action: fail}\n"
	excuse = "  - {name: excuse, when: 'true', action: ignore}\n"
)

func TestALockedRuleStaysBeforeEverythingThatExtendsIt(t *testing.T) {
	s := shelf{
		"org.yaml":     "version: 1\nname: org\nextends: none\nrules:\n" + guard + "  - {name: org-rest, when: 'true', action: warn}\n",
		"unit.yaml":    "version: 1\nname: unit\nextends: org.yaml\nrules:\n" + guard2 + "  - {name: unit-rest, when: finding.kind == \"code\", action: warn}\n",
		"project.yaml": "version: 1\nextends: unit.yaml\nrules:\n" + excuse,
		"empty.yaml":   "version: 1\nextends: unit.yaml\n",
	}
	e := evidence()
	e.Findings = []core.Finding{flaw(kind(core.KindSecret))}
	if got := decidedBy(t, s.mustLoad(t, "project.yaml"), e); !strings.HasPrefix(got, "guard fail") {
		t.Errorf("the project excuses it: %s", got)
	}
	e.Findings = []core.Finding{flaw(kind(core.KindCode))}
	if got := decidedBy(t, s.mustLoad(t, "project.yaml"), e); !strings.HasPrefix(got, "excuse ignore") {
		t.Errorf("what is not locked cannot be excused: %s", got)
	}
	if got, want := rulesOf(t, s.mustLoad(t, "project.yaml")), []string{"guard", "guard-2", "excuse", "unit-rest", "org-rest"}; !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
	// A policy means the same alone as under one that says nothing.
	if a, b := rulesOf(t, s.mustLoad(t, "unit.yaml")), rulesOf(t, s.mustLoad(t, "empty.yaml")); !slices.Equal(a, b) {
		t.Errorf("alone the order is %v, under an empty policy %v", a, b)
	}
	s["project.yaml"] = "version: 1\nextends: unit.yaml\nrules:\n  - {name: guard, when: 'true', action: ignore}\n"
	if _, err := s.load("project.yaml"); !core.Usage(err) || !strings.Contains(err.Error(), `project.yaml:4:5: the rule name "guard" is already used by the policy that this one extends`) {
		t.Errorf("its name can be used again: %v", err)
	}
}

// rulesOf lists the names of the rules in their order.
func rulesOf(t testing.TB, p *policy.Policy) []string {
	t.Helper()
	text, err := p.Show()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "  - name: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func TestALockedKeyCannotBeSetAgain(t *testing.T) {
	for key, value := range map[string]string{
		"require": "[hook/gosec]", "accept": "[{examination: distro, reason: x}]", "starter-ok": "true", "excluded-platforms-ok": "true",
		"advisories": "{max-age: 900d}", "vex": "{files: [x]}", "trusted-root": "x", "rules": "[]",
		"inline-ignores": "head", "baseline": "{source: b.json}", "allow": "[policy]", "waivers": "[]",
		"rego": "rules", "bases": "[{match: 'docker.io/**', digest-required: true}]",
	} {
		s := shelf{
			"rules/a.rego": denySecrets,
			"org.yaml":     "version: 1\nname: acme\nlocked: [" + key + "]\n",
			"unit.yaml":    "version: 1\nname: unit\nextends: org.yaml\n",
			"p.yaml":       "version: 1\nextends: unit.yaml\n\n" + key + ": " + value + "\n",
			"other.yaml":   "version: 1\nextends: strict\n" + key + ": " + value + "\n",
		}
		_, err := s.load("p.yaml")
		if want := fmt.Sprintf("p.yaml:4:1: %q is locked by the policy acme, which this one extends", key); !core.Usage(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
		if _, err := s.load("other.yaml"); err != nil {
			t.Errorf("%s under a policy that locks nothing: %v", key, err)
		}
		if a, b := s.mustLoad(t, "org.yaml").Ref().Digest, standard(t).Ref().Digest; a == b {
			t.Errorf("%s: the digest does not see the lock", key)
		}
	}
}

// Whoever locks waivers means them wherever they are written.
func TestALockOfWaiversIsOneOfTheirFilesToo(t *testing.T) {
	for _, locked := range []string{"waivers", "waiver-files"} {
		for key, value := range map[string]string{"waivers": "[]", "waiver-files": "[w.yaml]"} {
			s := shelf{"org.yaml": "version: 1\nname: acme\nlocked: [" + locked + "]\n", "w.yaml": "version: 1\nwaivers: []\n",
				"p.yaml": "version: 1\nextends: org.yaml\n" + key + ": " + value + "\n"}
			if _, err := s.load("p.yaml"); !core.Usage(err) || !strings.Contains(err.Error(), key+`" is locked by the policy acme`) {
				t.Errorf("%s under a lock of %s: %v", key, locked, err)
			}
		}
	}
}

func TestAPolicyBuildsOnFilesAndBundles(t *testing.T) {
	bundle := policy.BundlePrefix + "registry.example/acme/policy@" + string(image)
	s := shelf{
		bundle:             "version: 1\nname: acme\nextends: none\nstarter-ok: true\nrules:\n" + guard,
		"org/base.yaml":    "version: 1\nextends: " + bundle + "\nvex: {files: [said.json], signed-by: [{key: keys/a.pub}]}\n",
		"team/p.yaml":      "version: 1\nextends: ../org/base.yaml\nadvisories: {signed-by: [{key: b.pub}]}\ntrusted-root: root.json\n",
		"team/direct.yaml": "version: 1\nextends: " + bundle + "\n",
	}
	p := s.mustLoad(t, "team/p.yaml")
	v := p.VEX()
	if diff := cmp.Diff([]policy.File{{Name: "said.json", From: "org"}}, v.Files); diff != "" {
		t.Errorf("files -want +got:\n%s", diff)
	}
	// Each file is beside the policy that names it.
	for _, tt := range []struct {
		file policy.File
		want string
	}{
		{v.Files[0], "org/said.json"}, {policy.File{Name: v.SignedBy[0].Key, From: v.SignedBy[0].From}, "org/keys/a.pub"},
		{policy.File{Name: p.Advisories().SignedBy[0].Key, From: p.Advisories().SignedBy[0].From}, "team/b.pub"}, {p.TrustedRoot(), "team/root.json"},
	} {
		if got, err := p.ReadFile(tt.file, 1); err != nil || string(got) != tt.want {
			t.Errorf("%+v is read from %q, %v; want %q", tt.file, got, err, tt.want)
		}
	}
	if len(p.Files()) != 5 {
		t.Errorf("it names %+v", p.Files())
	}
	// The digest is of everything that is extended, and not of where it lies.
	before := p.Ref().Digest
	moved := shelf{bundle: s[bundle], "x/org/base.yaml": s["org/base.yaml"], "x/team/p.yaml": s["team/p.yaml"]}
	if got := moved.mustLoad(t, "x/team/p.yaml").Ref().Digest; got != before {
		t.Errorf("in another folder the digest is another")
	}
	for name, text := range map[string]string{bundle: strings.Replace(s[bundle], "secret", "code", 1), "org/base.yaml": s["org/base.yaml"] + "starter-ok: false\n"} {
		changed := shelf{}
		for k, v := range s {
			changed[k] = v
		}
		changed[name] = text
		if changed.mustLoad(t, "team/p.yaml").Ref().Digest == before {
			t.Errorf("the digest does not see a change of %s", name)
		}
	}
	if _, err := standard(t).ReadFile(policy.File{Name: "x"}, 1); err == nil {
		t.Error("a built-in policy reads files")
	}
}

func TestWhatCannotBeExtendedIsNamed(t *testing.T) {
	deep := shelf{"p.yaml": "version: 1\nextends: p0.yaml\n"}
	for i := range 12 {
		deep[fmt.Sprintf("p%d.yaml", i)] = fmt.Sprintf("version: 1\nextends: p%d.yaml\n", i+1)
	}
	deep["p12.yaml"] = "version: 1\n"
	bundle := policy.BundlePrefix + "registry.example/acme/policy@" + string(image)
	for name, tt := range map[string]struct {
		shelf shelf
		want  []string
		usage bool
	}{
		"a file that is missing": {shelf{"p.yaml": "version: 1\nextends: dir/x.yml\n"}, []string{`p.yaml:2:10: "dir/x.yml" cannot be extended: there is no file dir/x.yml`}, true},
		"itself":                 {shelf{"p.yaml": "version: 1\nextends: ./p.yaml\n"}, []string{"p.yaml:2:10: this policy extends itself: p.yaml → p.yaml"}, true},
		"a circle": {shelf{"p.yaml": "version: 1\nextends: a/q.yaml\n", "a/q.yaml": "version: 1\nextends: ../p.yaml\n"},
			[]string{"a/q.yaml:2:10: this policy extends itself: p.yaml → a/q.yaml → p.yaml"}, true},
		"a long chain": {deep, []string{"p7.yaml:2:10: this is policy 9 of a chain; at most 8 can be extended one by the other"}, true},
		"what is wrong itself": {shelf{"p.yaml": "version: 1\nextends: q.yaml\nrulez: []\n", "q.yaml": "version: 1\nrules: [{name: r, when: x, action: fail}]\nname: a b\n"},
			[]string{`p.yaml:3:1: unknown key "rulez"`, `q.yaml:2:25: there is no "x" here`, `q.yaml:3:7: "a b" is not a name`}, true},
		"a huge file":             {shelf{"p.yaml": "version: 1\nextends: q.yaml\n", "q.yaml": "version: 1\n#" + strings.Repeat("x", 300<<10)}, []string{"policy-size"}, true},
		"a registry that is down": {shelf{"p.yaml": "version: 1\nextends: " + bundle + "\n", bundle: "down"}, []string{"the registry is down"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.shelf.load("p.yaml")
			if err == nil || core.Usage(err) != tt.usage {
				t.Fatalf("error %v, the user's mistake: %v", err, core.Usage(err))
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is\n%v\nand does not say\n%s", err, want)
				}
			}
		})
	}
}

// A policy that is shown with all that it extends is the same policy.
func TestAShownPolicyIsTheSamePolicy(t *testing.T) {
	s := shelf{
		"org.yaml": `version: 1
name: acme # with a comment
locked: [starter-ok]
require: [hook/gosec]
accept: [{examination: distro, code: x, reason: "true"}]
advisories: {max-age: 7d, signed-by: [{key: a.pub}]}
vex: {files: [a.json]}
waivers:
  - {id: w, reason: "yes", owner: "1", expires: 2027-01-01, until: fixed, match: {ids: [CVE-1], packages: ["a*"], paths: ["a/**"], images: [i], kinds: [secret]}}
inline-ignores: "off"
rules:
  - {name: "123", locked: true, for: packages, when: 'package.name == "yes"', action: fail, message: "{package.name}: {{no}}"}
  - {name: "true", when: "true", action: ignore, applies-to: {branches: ["*"], images: ["**"], paths: ["a: b", "- c"]}}
`,
		"p.yaml": `version: 1
extends: org.yaml
require: [hook/semgrep, hook/gosec]
accept: [{examination: layers, reason: y}]
advisories: {max-age: 2d, offline: true}
vex: {accept-unsigned: true}
trusted-root: root.json
excluded-platforms-ok: false
locked: [vex]
allow: [policy]
waivers: [{id: v, reason: r, owner: o, expires: "2027-01-01", match: {fingerprints: ["00000000000000000000000000000000"]}}]
baseline: {source: b.json, block: [tool, code]}
rules:
  - name: long
    when: |
      finding.severity >= HIGH &&
        finding.fix.available
    action: fail
`,
	}
	policies := []*policy.Policy{s.mustLoad(t, "p.yaml"), s.mustLoad(t, "org.yaml"), parsed(t, "version: 1\nextends: none\n"), parsed(t, "version: 1")}
	for _, name := range policy.Profiles() {
		policies = append(policies, profile(t, name))
	}
	for _, p := range policies {
		text, err := p.Show()
		if err != nil {
			t.Fatal(err)
		}
		again, err := policy.Parse("shown.yaml", text)
		if err != nil {
			t.Errorf("%s cannot be read again: %v\n%s", p.Ref().Name, err, text)
			continue
		}
		if again.Ref().Digest != p.Ref().Digest || again.Ref().Name != p.Ref().Name || again.Rules() != p.Rules() {
			t.Errorf("%+v is shown as %+v:\n%s", p.Ref(), again.Ref(), text)
		}
	}
}
