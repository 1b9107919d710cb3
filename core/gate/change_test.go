package gate_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

const (
	flawed   = "module example.invalid/app\n\ngo 1.99.0\n\nrequire golang.org/x/net v0.16.0\n"
	flawless = "module example.invalid/app\n\ngo 1.99.0\n\nrequire golang.org/x/net v0.60.0\n"
	// ours lets the starter set pass something, and trusts one document and one set.
	ours = "version: 1\nname: ours\nstarter-ok: true\nadvisories: {source: starter}\nvex: {files: [vex/app.json]}\n"
	lax  = "version: 1\nname: lax\nextends: none\nstarter-ok: true\nrules: [{name: all, when: \"true\", action: ignore}]\n"
	says = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.invalid/vex","author":"us","timestamp":"2025-01-01T00:00:00Z","version":1,"statements":[%]}`
)

// regoPolicy lets everything pass but what its Rego rules refuse.
const (
	regoPolicy  = lax + "advisories: {source: starter}\nrego:\n  - rules\n"
	denyAll     = "package main\n\ndeny contains \"no\" if count(input.subjects) > 0\n"
	denyNothing = "package main\n\ndeny contains \"no\" if count(input.subjects) < 0\n"
)

// waiver excuses what the starter set refuses in flawed.
const waiver = "{id: w, reason: r, owner: o, expires: 2099-01-01, match: {ids: [CVE-2023-44487, CVE-2023-45288]}}"

func vexOf(flaws ...string) string {
	var all []string
	for _, id := range flaws {
		all = append(all, `{"vulnerability":{"name":"`+id+`"},"products":[{"@id":"pkg:golang/golang.org/x/net"}],"status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}`)
	}
	return strings.Replace(says, "%", strings.Join(all, ","), 1)
}

// excusing are the ids that the starter set refuses in flawed.
func excusing() string { return vexOf("CVE-2023-44487", "CVE-2023-45288") }

func judgeChange(t *testing.T, p gate.Plan) (*gate.Result, int, error) {
	t.Helper()
	r, err := newGate().Run(t.Context(), p)
	return r, gate.ExitCode(r, err), err
}

func additions(r *gate.Result) []string {
	var out []string
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindSuppression {
			out = append(out, f.Title)
		}
	}
	return out
}

func TestAChangeDoesNotPassByWhatItBrings(t *testing.T) {
	for name, tc := range map[string]struct {
		base, change map[string]string
		link         [2]string // what it leads to, and its name
		plan         gate.Plan
		exit         int
		// added is part of the finding about it.
		added string
	}{
		"nothing but the flaw": {exit: 1},
		"a laxer policy":       {change: map[string]string{".cleanbill.yaml": lax}, exit: 1, added: ".cleanbill.yaml is different"},
		"no policy":            {change: map[string]string{".cleanbill.yaml": ""}, exit: 1, added: ".cleanbill.yaml is removed"},
		"a policy where none was": {base: map[string]string{".cleanbill.yaml": ""}, change: map[string]string{".cleanbill.yaml": lax}, exit: 1,
			added: ".cleanbill.yaml is new"},
		"a policy by its other name": {change: map[string]string{".cleanbill.yml": lax}, exit: 1, added: ".cleanbill.yml is new"},
		"a statement in a document that counts": {change: map[string]string{"vex/app.json": excusing()}, exit: 1,
			added: "vex/app.json is different"},
		"a document beside the policy": {change: map[string]string{"more.openvex.json": excusing()}, exit: 1, plan: gate.Plan{VEX: []string{"more.openvex.json"}},
			base: map[string]string{".cleanbill.yaml": ours[:len(ours)-2] + ", accept-unsigned: true}\n"}, added: "more.openvex.json is new"},
		"an edited document of a flag": {base: map[string]string{"more.openvex.json": vexOf("CVE-2020-1"),
			".cleanbill.yaml": ours[:len(ours)-2] + ", accept-unsigned: true}\n"}, plan: gate.Plan{VEX: []string{"more.openvex.json"}},
			change: map[string]string{"more.openvex.json": excusing()}, exit: 1, added: "more.openvex.json is different"},
		"a waiver file": {change: map[string]string{".cleanbill-waivers.yaml": "x"}, exit: 1, added: ".cleanbill-waivers.yaml is new"},
		"a baseline":    {change: map[string]string{"gitleaks-baseline.json": "[]"}, exit: 1, added: "gitleaks-baseline.json is new"},
		"a baseline for a later push": {change: map[string]string{".cleanbill/baseline.json": "{}"}, exit: 1,
			added: ".cleanbill/baseline.json is new"},
		"a waiver": {change: map[string]string{".cleanbill.yaml": ours + "waivers: [" + waiver + "]\n"}, exit: 1, added: ".cleanbill.yaml is different"},
		"a waiver in a file that the policy names": {base: map[string]string{".cleanbill.yaml": ours + "waiver-files: [waived.yaml]\n", "waived.yaml": "version: 1\nwaivers: []\n"},
			change: map[string]string{"waived.yaml": "version: 1\nwaivers: [" + waiver + "]\n"}, exit: 1, added: "waived.yaml is different"},
		"a baseline that a flag names":         {base: map[string]string{"b.json": "{}"}, plan: gate.Plan{Baseline: "b.json"}, exit: 2},
		"a tool's ignore file":                 {change: map[string]string{".gitleaksignore": "x\n"}, exit: 1, added: ".gitleaksignore is new"},
		"a tool's configuration, further down": {change: map[string]string{"a/b/.bandit": "[bandit]\n"}, exit: 1, added: "a/b/.bandit is new"},
		"a platform's name for the policy":     {plan: gate.Plan{Policy: "relaxed"}, exit: 2},
		"another policy of the base":           {base: map[string]string{"tests/lax.yaml": lax}, plan: gate.Plan{Policy: "tests/lax.yaml"}, exit: 2},
		"a policy of the change's own":         {change: map[string]string{"lax.yaml": lax}, plan: gate.Plan{Policy: "lax.yaml"}, exit: 1, added: "lax.yaml is new"},
		"fewer platforms":                      {plan: gate.Plan{Platforms: []core.Platform{{OS: "linux", Architecture: "amd64"}}}, exit: 2},
		"other advisories":                     {base: map[string]string{".cleanbill.yaml": "version: 1\nstarter-ok: true\n"}, plan: gate.Plan{Advisories: "oci:empty"}, exit: 2},
		"the few advisories that policy accepts": {base: map[string]string{".cleanbill.yaml": "version: 1\nstarter-ok: true\n"},
			plan: gate.Plan{Advisories: "starter"}, exit: 2},
		"no network":                           {plan: gate.Plan{Offline: true}, exit: 2},
		"other limits":                         {plan: gate.Plan{Limits: gate.Limits{Entries: 7}}, exit: 2},
		"results of its own":                   {plan: gate.Plan{Imports: []string{"govulncheck.json"}}, exit: 2},
		"strict, where the base has no policy": {base: map[string]string{".cleanbill.yaml": ""}, plan: gate.Plan{Policy: "strict"}, exit: 1},
		"what the base's policy leaves to flags": {base: map[string]string{".cleanbill.yaml": ours + "allow: [policy, limits]\n", "lax.yaml": lax + "advisories: {source: starter}\nallow: [limits]\n"},
			plan: gate.Plan{Policy: "lax.yaml", Limits: gate.Limits{Entries: 7000}}, exit: 0},
		"a policy of the base that may be named": {base: map[string]string{"team.yaml": lax + "advisories: {source: starter}\nallow: [policy]\n"},
			plan: gate.Plan{Policy: "team.yaml"}, exit: 0},
		"a milder Rego rule": {base: map[string]string{".cleanbill.yaml": regoPolicy, "rules/a.rego": denyAll},
			change: map[string]string{"rules/a.rego": denyNothing}, exit: 1, added: "rules/a.rego is different"},
		"no Rego rule": {base: map[string]string{".cleanbill.yaml": regoPolicy, "rules/a.rego": denyAll, "rules/b.rego": denyNothing},
			change: map[string]string{"rules/a.rego": ""}, exit: 1, added: "rules/a.rego is removed"},
		"a Rego rule that excepts another": {base: map[string]string{".cleanbill.yaml": regoPolicy, "rules/a.rego": denyAll},
			change: map[string]string{"rules/b.rego": "package main\n\nexception contains [\"\"] if true\n"}, exit: 1, added: "rules/b.rego is new"},
		"a Rego module instead of another": {base: map[string]string{".cleanbill.yaml": regoPolicy + "  - one.rego\n", "rules/a.rego": denyNothing, "one.rego": denyAll},
			change: map[string]string{"one.rego": denyNothing}, exit: 1, added: "one.rego is different"},
		"a key of those who sign base images": {base: map[string]string{"k.pub": string(signaturetest.NewKey(t).PEM(t)),
			".cleanbill.yaml": lax + "advisories: {source: starter}\nbases: [{match: 'r.example/**', signed-by: [{key: k.pub}]}]\n"},
			change: map[string]string{"k.pub": "no key"}, exit: 0, added: "k.pub is different"},
		"a link in the place of Rego rules": {base: map[string]string{".cleanbill.yaml": regoPolicy, "rules/a.rego": denyAll, "mild/a.rego": denyNothing},
			link: [2]string{"mild", "rules"}, exit: 1, added: "rules/a.rego is different"},
		"a policy that says so only in the change": {base: map[string]string{"team.yaml": lax}, change: map[string]string{"team.yaml": lax + "allow: [policy]\n"},
			plan: gate.Plan{Policy: "team.yaml"}, exit: 2},
	} {
		t.Run(name, func(t *testing.T) {
			repository := gittest.New(t)
			files := map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")}
			for k, v := range tc.base {
				files[k] = v
				if v == "" {
					delete(files, k)
				}
			}
			tc.plan.Change.Base = repository.Commit(t, files)
			repository.Write(t, map[string]string{"go.mod": flawed})
			repository.Write(t, tc.change)
			if tc.link[1] != "" {
				at := filepath.Join(repository.Dir, tc.link[1])
				if err := errors.Join(os.RemoveAll(at), os.Symlink(tc.link[0], at)); err != nil {
					t.Fatal(err)
				}
			}
			tc.plan.Targets = []string{repository.Dir}
			if tc.plan.Policy != "" && strings.HasSuffix(tc.plan.Policy, ".yaml") {
				tc.plan.Policy = filepath.Join(repository.Dir, tc.plan.Policy)
			}
			for i := range tc.plan.VEX {
				tc.plan.VEX[i] = filepath.Join(repository.Dir, tc.plan.VEX[i])
			}
			r, exit, err := judgeChange(t, tc.plan)
			if exit != tc.exit {
				t.Fatalf("exit code %d (%v), want %d", exit, err, tc.exit)
			}
			if exit == 2 {
				if !strings.Contains(core.HintOf(err), "allow: [") {
					t.Errorf("the error does not say what the base would have to list: %v, %s", err, core.HintOf(err))
				}
				return
			}
			found := strings.Join(additions(r), "\n")
			if tc.added == "" && found != "" || !strings.Contains(found, tc.added) {
				t.Errorf("added: %q, want %q", found, tc.added)
			}
			if r.Evidence.Change == nil || r.Evidence.Change.Base != tc.plan.Change.Base {
				t.Errorf("the evidence is about %+v", r.Evidence.Change)
			}
		})
	}
}

// A set of advisories in the repository says what it lacks by its index, and nobody vouches for that of a change.
func TestAChangeDoesNotEditTheAdvisories(t *testing.T) {
	const refused = "is different in this change, and the policy of the base names nobody who must have signed them"
	key := string(signaturetest.NewKey(t).PEM(t))
	for name, tc := range map[string]struct {
		policy, edit string
		refused      bool
	}{
		"edited":                      {edit: `{"manifests": []}`, refused: true},
		"not edited":                  {},
		"edited, but signed":          {policy: ", signed-by: [{key: a.pub}]}\n", edit: "x"},
		"edited, and left to whoever": {policy: "}\nallow: [advisories]\n", edit: "x"},
	} {
		repository := gittest.New(t)
		t.Chdir(repository.Dir)
		policy := "version: 1\nadvisories: {source: 'oci:set'" + tc.policy
		if tc.policy == "" {
			policy += "}\n"
		}
		base := repository.Commit(t, map[string]string{"go.mod": flawed, ".cleanbill.yaml": policy, "set/index.json": "{}", "set/oci-layout": "{}", "a.pub": key})
		repository.Write(t, map[string]string{"README.md": "x\n"})
		if tc.edit != "" {
			repository.Write(t, map[string]string{"set/index.json": tc.edit})
		}
		// None of these sets can be opened: what matters is why.
		_, exit, err := judgeChange(t, gate.Plan{Targets: []string{"."}, Change: core.Change{Base: base}})
		if exit == 0 || exit == 1 || strings.Contains(err.Error(), refused) != tc.refused {
			t.Errorf("%s: exit code %d, %v", name, exit, err)
		}
	}
}

// A change that makes a submodule of what is judged does not get the files around it read as it wrote them.
func TestASubmoduleIsNoWayAroundTheBase(t *testing.T) {
	outer := gittest.New(t)
	unsigned := ours[:len(ours)-2] + ", accept-unsigned: true}\n"
	base := outer.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": unsigned, "vex/app.json": vexOf("CVE-2020-1")})
	outer.Git(t, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", outer.Dir, "app")
	outer.Write(t, map[string]string{"app/go.mod": flawed, "statement.json": excusing()})
	app := filepath.Join(outer.Dir, "app")
	plan := gate.Plan{Targets: []string{app}, VEX: []string{filepath.Join(outer.Dir, "statement.json")}, Change: core.Change{Base: base}}
	if _, exit, err := judgeChange(t, plan); exit != 2 || !strings.Contains(err.Error(), "around the one that is judged") {
		t.Errorf("exit code %d, %v", exit, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "statement.json")
	write(t, elsewhere, excusing())
	plan.VEX = []string{elsewhere}
	if _, exit, err := judgeChange(t, plan); exit != 0 {
		t.Errorf("a file of no repository: exit code %d, %v", exit, err)
	}
}

// The baseline is the base's: what the change writes in its place is not read.
func TestTheBaselineOfAChangeIsTheBases(t *testing.T) {
	repository := gittest.New(t)
	named := map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours + "baseline: {source: b.json}\n", "vex/app.json": vexOf("CVE-2020-1")}
	repository.Write(t, named)
	before := filepath.Join(t.TempDir(), "b.json")
	if _, err := newGate().WriteBaseline(t.Context(), gate.Plan{Targets: []string{repository.Dir}}, before); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	named["b.json"] = string(document)
	base := repository.Commit(t, named)
	for content, want := range map[string]int{"not a document": 1, string(document): 1} {
		repository.Write(t, map[string]string{"go.mod": flawed, "b.json": content})
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}})
		if exit != want || r == nil {
			t.Fatalf("exit code %d (%v), want %d", exit, err, want)
		}
		if b := r.Verdict.Baseline; b == nil || b.New == 0 || r.Verdict.Refusals[0].Cause != core.CauseCode {
			t.Errorf("compared with %+v: %+v", b, r.Verdict.Refusals)
		}
	}
}

// What a change may not do by itself holds once it is merged.
func TestWhatWasMergedCounts(t *testing.T) {
	repository := gittest.New(t)
	repository.Commit(t, map[string]string{"go.mod": flawed, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
	merged := repository.Commit(t, map[string]string{"vex/app.json": excusing()})
	repository.Write(t, map[string]string{"README.md": "x\n"})
	for _, base := range []string{merged, ""} {
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}})
		if exit != 0 || len(additions(r)) > 0 {
			t.Errorf("base %q: exit code %d, %v", base, exit, err)
		}
	}
}

func TestAnImageIsJudgedByTheBaseOfItsSources(t *testing.T) {
	repository := gittest.New(t)
	base := repository.Commit(t, map[string]string{".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
	repository.Write(t, map[string]string{".cleanbill.yaml": lax, ".trivyignore": "CVE-2023-44487\n"})
	plan := gate.Plan{Targets: []string{layout(t, images.Vulnerable("amd64"))}, Source: repository.Dir, Change: core.Change{Base: base}}
	r, exit, err := judgeChange(t, plan)
	if exit != 1 || len(additions(r)) != 2 {
		t.Errorf("exit code %d, %v, %q", exit, err, additions(r))
	}
	if r.Verdict.Policy.Name != "ours" || r.Verdict.Policy.Source != ".cleanbill.yaml of commit "+base {
		t.Errorf("judged by %+v", r.Verdict.Policy)
	}
	plan.Change.Base = ""
	if r, exit, err := judgeChange(t, plan); exit != 0 || r.Verdict.Policy.Name != "lax" {
		t.Errorf("off a change: exit code %d, %v", exit, err)
	}
}

func TestABaseThatCannotBeReadIsNeverReplacedByTheChange(t *testing.T) {
	origin := gittest.New(t)
	origin.Git(t, "config", "uploadpack.allowFilter", "true")
	base := origin.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": lax, "sub/x": "x\n"})
	origin.Commit(t, map[string]string{"go.mod": flawed, ".cleanbill.yaml": lax + "# later\n"})
	shallow, partial := origin.Clone(t, "--depth=1"), origin.Clone(t, "--filter=blob:none")
	plain := t.TempDir()
	write(t, filepath.Join(plain, "go.mod"), flawless)
	for name, plan := range map[string]gate.Plan{
		"shallow":         {Targets: []string{shallow.Dir}, Change: core.Change{Base: base}},
		"subdirectory":    {Targets: []string{filepath.Join(shallow.Dir, "sub")}, Change: core.Change{Base: base}},
		"partial":         {Targets: []string{partial.Dir}, Change: core.Change{Base: base}},
		"no repository":   {Targets: []string{plain}, Change: core.Change{Base: base}},
		"no such branch":  {Targets: []string{origin.Dir}, Change: core.Change{Base: "origin/absent"}},
		"no name":         {Targets: []string{origin.Dir}, Change: core.Change{Base: "../../x"}},
		"named policy":    {Targets: []string{partial.Dir}, Policy: filepath.Join(partial.Dir, ".cleanbill.yaml"), Change: core.Change{Base: base}},
		"a platform's":    {Targets: []string{shallow.Dir}, FetchHint: "fetch-depth: 0", Change: core.Change{Base: base}},
		"image elsewhere": {Targets: []string{layout(t, images.Clean("amd64"))}, Source: plain, Change: core.Change{Base: base}},
	} {
		t.Run(name, func(t *testing.T) {
			plan.Outputs = []gate.Output{{Format: "json", Path: filepath.Join(t.TempDir(), "verdict.json")}}
			r, exit, err := judgeChange(t, plan)
			if exit != 3 || r != nil || !errors.Is(err, gate.ErrNoBase) {
				t.Fatalf("exit code %d, result %v, %v", exit, r, err)
			}
			if hint := core.HintOf(err); !strings.Contains(hint, plan.FetchHint) || hint == "" {
				t.Errorf("the hint is %q", hint)
			}
			if _, err := os.Stat(plan.Outputs[0].Path); err == nil {
				t.Error("a report was written")
			}
		})
	}
}

func TestWithoutAPolicyFileTheDefaultJudges(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), flawless)
	r, exit, err := judgeChange(t, gate.Plan{Targets: []string{dir}})
	if exit != 3 || r.Verdict.Policy.Name != "standard" {
		t.Errorf("exit code %d, %v", exit, err)
	}
	write(t, filepath.Join(dir, ".cleanbill.yaml"), lax)
	if r, exit, err = judgeChange(t, gate.Plan{Targets: []string{dir}}); exit != 0 || r.Verdict.Policy.Name != "lax" {
		t.Errorf("exit code %d, %v", exit, err)
	}
	write(t, filepath.Join(dir, ".cleanbill.yml"), lax)
	if _, exit, err = judgeChange(t, gate.Plan{Targets: []string{dir}}); exit != 2 || !strings.Contains(err.Error(), ".cleanbill.yml") {
		t.Errorf("two names: exit code %d, %v", exit, err)
	}
}

func TestEvidenceOfAChangeIsJudgedByItsBase(t *testing.T) {
	repository := gittest.New(t)
	base := repository.Commit(t, map[string]string{"go.mod": flawed, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
	repository.Write(t, map[string]string{".cleanbill.yaml": lax})
	r, err := newGate().Scan(t.Context(), gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}})
	if err != nil {
		t.Fatal(err)
	}
	file := writeEvidence(t, r)
	digests := []core.Digest{r.Evidence.Subjects[0].Digest}
	for name, tc := range map[string]struct {
		plan gate.JudgePlan
		exit int
	}{
		"the evidence's base": {gate.JudgePlan{Source: repository.Dir}, 1},
		"a laxer profile":     {gate.JudgePlan{Source: repository.Dir, Policy: "relaxed"}, 2},
		"another base":        {gate.JudgePlan{Source: repository.Dir, Change: core.Change{Base: "main"}}, 1},
		"no repository":       {gate.JudgePlan{Source: t.TempDir()}, 3},
	} {
		tc.plan.Documents, tc.plan.Digests = []string{file}, digests
		r, err := newGate().Judge(t.Context(), tc.plan)
		if exit := gate.ExitCode(r, err); exit != tc.exit {
			t.Errorf("%s: exit code %d (%v), want %d", name, exit, err, tc.exit)
		}
	}
}

// What a scan did not compare with the base of the change does not count in a later job either, and what only the policy
// knows to excuse something is told there.
func TestALaterJobExcusesNoMoreThanTheGate(t *testing.T) {
	repository := gittest.New(t)
	policy := ours + "waiver-files: [waived.yaml]\nrules: [{name: code, when: finding.kind == \"code\", action: fail}]\n"
	base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": policy, "vex/app.json": vexOf("CVE-2020-1"),
		"waived.yaml": "version: 1\nwaivers: []\n"})
	repository.Write(t, map[string]string{"waived.yaml": "version: 1\nwaivers: [" + waiver + "]\n"})
	scanned := func(base string) string {
		r, err := newGate().Scan(t.Context(), gate.Plan{Targets: []string{repository.Dir}, Advisories: "starter", Change: core.Change{Base: base}})
		if err != nil {
			t.Fatal(err)
		}
		r.Evidence.Findings = append(r.Evidence.Findings, core.Finding{Subject: r.Evidence.Subjects[0].Digest, Kind: core.KindCode, Rule: "G101",
			Title: "x", Fingerprint: core.FingerprintOf(core.KindCode, "x"), SeenBy: []string{"gosec"}, Locations: []core.Location{{Path: "a.go", Line: 1}},
			Suppressions: []core.Suppression{{Kind: core.SuppressedInline, By: "#nosec", Path: "a.go", Line: 1, Base: true}}})
		return writeEvidence(t, r)
	}
	for name, tc := range map[string]struct {
		documents []string
		exit      int
	}{
		"compared with the base":     {[]string{scanned(base)}, 0},
		"compared with nothing":      {[]string{scanned("")}, 1},
		"one compared with nothing":  {[]string{scanned(base), scanned("")}, 1},
		"another compared with none": {[]string{scanned(""), scanned(base)}, 1},
	} {
		r, err := newGate().Judge(t.Context(), gate.JudgePlan{Documents: tc.documents, Source: repository.Dir, Change: core.Change{Base: base},
			Digests: []core.Digest{subjectOf(t, tc.documents[0])}})
		if got := gate.ExitCode(r, err); got != tc.exit {
			t.Fatalf("%s: exit code %d (%v), want %d", name, got, err, tc.exit)
		}
		if found := strings.Join(additions(r), "\n"); strings.Count(found, "waived.yaml is different") != 1 {
			t.Errorf("%s: added %q", name, found)
		}
		if gaps := len(r.Verdict.Gaps); (gaps > 0) != (tc.exit != 0) {
			t.Errorf("%s: %d gaps", name, gaps)
		}
	}
}

// subjectOf is the digest of what a document of evidence is about.
func subjectOf(t *testing.T, file string) core.Digest {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := report.ReadDocument(f, file, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	return d.Evidence.Subjects[0].Digest
}

func writeEvidence(t *testing.T, r *gate.Result) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evidence.json")
	if err := gate.WriteFile(file, func(w io.Writer) error { return report.WriteJSON(w, newGate().EvidenceDocument(r)) }); err != nil {
		t.Fatal(err)
	}
	return file
}
