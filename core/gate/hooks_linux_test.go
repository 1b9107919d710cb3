package gate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

// TestMain lets the test binary be the shim of the hooks that the tests run.
func TestMain(m *testing.M) {
	if code, asked := gate.Shim(os.Args[1:]); asked {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// analyser makes a program that reports one flaw of app.py, and returns its definition.
func analyser(t *testing.T, bin, name, result string) string {
	t.Helper()
	program := `#!/bin/sh
cat <<'END'
{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"` + name + `","version":"1"}},"results":[` + result + `]}]}
END
`
	if err := os.WriteFile(filepath.Join(bin, name), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	return "{name: " + name + ", argv: [" + name + "], languages: [python], format: sarif, class: static, install: see the handbook}"
}

// evals is a result of an analyser, with more of it.
func evals(rule, more string) string {
	return `{"ruleId":"` + rule + `","level":"error","message":{"text":"eval of what users type"},"taxa":[{"id":"CWE-95","toolComponent":{"name":"CWE"}}],
"locations":[{"physicalLocation":{"artifactLocation":{"uri":"app.py"},"region":{"startLine":2}}}]` + more + `}`
}

// hooked is a gate that finds programs in a directory.
func hooked(bin string) *gate.Gate {
	g := newGate()
	before := g.Getenv
	g.Getenv = func(name string) string {
		if name == "PATH" {
			return bin + ":/usr/bin:/bin"
		}
		return before(name)
	}
	return g
}

// refusesCode is a policy that refuses flaws of code, and runs hooks.
func refusesCode(hooks string) string {
	return ours + "rules: [{name: code, when: 'finding.kind == \"code\"', action: fail}]\nhooks: " + hooks + "\n"
}

func TestTwoHooksThatFindOneFlawAreHeard(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	first, second := analyser(t, bin, "first", evals("a1", "")), analyser(t, bin, "second", evals("b2", ""))
	write(t, filepath.Join(dir, "app.py"), "import sys\neval(sys.argv[1])\n")
	write(t, filepath.Join(dir, ".cleanbill.yaml"), strings.Replace(refusesCode("["+first+", "+second+"]"), "vex: {files: [vex/app.json]}\n", "", 1))
	r, err := hooked(bin).Run(t.Context(), gate.Plan{Targets: []string{dir}})
	if gate.ExitCode(r, err) != 1 {
		t.Fatalf("exit code %d, %v", gate.ExitCode(r, err), err)
	}
	var code []core.Finding
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindCode {
			code = append(code, f)
		}
	}
	if len(code) != 1 || !slices.Equal(code[0].SeenBy, []string{"first", "second"}) || code[0].Locations[0].Path != "app.py" {
		t.Errorf("%+v", code)
	}
	if len(r.Verdict.Refusals) != 1 || r.Verdict.Refusals[0].Rule != "code" {
		t.Errorf("%+v", r.Verdict.Refusals)
	}
	for _, name := range []string{"first", "second"} {
		i := slices.IndexFunc(r.Evidence.Examinations, func(x core.Examination) bool { return x.Name == name })
		if i < 0 || r.Evidence.Examinations[i].Status != core.Complete || len(r.Evidence.Examinations[i].Enforced) == 0 {
			t.Errorf("%s: %+v", name, r.Evidence.Examinations)
		}
	}
}

// Which hooks look at a change, and how, is the base's to say.
func TestAChangeDoesNotChooseItsHooks(t *testing.T) {
	bin := t.TempDir()
	house := analyser(t, bin, "house", evals("x1", ""))
	excused := analyser(t, bin, "excused", evals("x1", `,"suppressions":[{"kind":"inSource"}]`))
	analyser(t, bin, "blind", "")
	blind := strings.Replace(house, "argv: [house]", "argv: [blind]", 1)
	for name, tc := range map[string]struct {
		base, change map[string]string
		hooks        string
		exit         int
		added        string
	}{
		"nothing":                    {exit: 1},
		"none by a flag":             {hooks: "none", exit: 2},
		"no hooks in its own policy": {change: map[string]string{".cleanbill.yaml": refusesCode("none")}, exit: 1, added: ".cleanbill.yaml is different"},
		"another definition in its own policy": {change: map[string]string{".cleanbill.yaml": refusesCode("[" + blind + "]")}, exit: 1,
			added: ".cleanbill.yaml is different"},
		"a definition by a flag":         {base: map[string]string{"blind.yaml": "[" + blind + "]"}, hooks: "blind.yaml", exit: 2},
		"a preset besides":               {hooks: "brakeman", exit: 1}, // for which there is nothing here
		"none by a flag, which may be":   {base: map[string]string{".cleanbill.yaml": refusesCode("["+house+"]") + "allow: [hooks]\n"}, hooks: "none", exit: 0},
		"what the base requires besides": {base: map[string]string{".cleanbill.yaml": refusesCode("none") + "require: [opengrep]\n"}, exit: 3},
		"a file of the base that may be named": {base: map[string]string{".cleanbill.yaml": refusesCode("none") + "allow: [hooks]\n", "house.yaml": "[" + house + "]"},
			change: map[string]string{"house.yaml": "[" + blind + "]"}, hooks: "house.yaml", exit: 1, added: "house.yaml is different"},
		"a suppression beside the code": {base: map[string]string{".cleanbill.yaml": refusesCode("[" + excused + "]")}, exit: 1, added: "suppresses x1"},
		"a setting of a tool":           {change: map[string]string{".semgrepignore": "app.py\n"}, exit: 1, added: ".semgrepignore is new"},
	} {
		t.Run(name, func(t *testing.T) {
			repository := gittest.New(t)
			t.Chdir(repository.Dir)
			files := map[string]string{"vex/app.json": vexOf("CVE-2020-1"), ".cleanbill.yaml": refusesCode("[" + house + "]")}
			for k, v := range tc.base {
				files[k] = v
			}
			plan := gate.Plan{Targets: []string{"."}, Hooks: tc.hooks, Change: core.Change{Base: repository.Commit(t, files)}}
			repository.Write(t, map[string]string{"app.py": "import sys\neval(sys.argv[1])\n"})
			repository.Write(t, tc.change)
			r, err := hooked(bin).Run(t.Context(), plan)
			if exit := gate.ExitCode(r, err); exit != tc.exit {
				t.Fatalf("exit code %d (%v), want %d", exit, err, tc.exit)
			}
			if tc.exit == 2 {
				if !strings.Contains(core.HintOf(err), "allow: [hooks]") {
					t.Errorf("the error does not say what the base would have to list: %v, %s", err, core.HintOf(err))
				}
				return
			}
			if found := strings.Join(additions(r), "\n"); tc.added == "" && found != "" || !strings.Contains(found, tc.added) {
				t.Errorf("added: %q, want %q", found, tc.added)
			}
		})
	}
}

// A hook that runs by itself, in its tool's image, is as bound to the base as the gate is.
func TestAHookByItselfIsDefinedByTheBase(t *testing.T) {
	bin := t.TempDir()
	house := analyser(t, bin, "house", evals("x1", `,"suppressions":[{"kind":"inSource"}]`))
	analyser(t, bin, "blind", "")
	repository := gittest.New(t)
	t.Chdir(repository.Dir)
	base := repository.Commit(t, map[string]string{".cleanbill.yaml": refusesCode("[" + house + "]"), "vex/app.json": vexOf("CVE-2020-1")})
	repository.Write(t, map[string]string{"app.py": "import sys\neval(sys.argv[1])\n", "own.yaml": "[" + house + "]",
		".cleanbill.yaml": refusesCode("[" + strings.Replace(house, "argv: [house]", "argv: [blind]", 1) + "]")})
	plan := gate.HookPlan{Hook: "house", Source: ".", Change: core.Change{Base: base}}
	r, err := hooked(bin).RunHook(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	flaws := 0
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindCode {
			flaws++
			if len(f.Suppressions) != 1 || f.Suppressions[0].Base {
				t.Errorf("%+v", f.Suppressions)
			}
		}
	}
	if found := strings.Join(additions(r), "\n"); flaws != 1 || !strings.Contains(found, "suppresses x1") || !strings.Contains(found, ".cleanbill.yaml is different") {
		t.Errorf("%d flaws, added: %q", flaws, found)
	}
	plan.Hook = "own.yaml"
	if _, err := hooked(bin).RunHook(t.Context(), plan); !core.Usage(err) {
		t.Errorf("a definition of the change was taken: %v", err)
	}
}
