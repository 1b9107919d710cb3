package rego_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

func doubling(step string, times int) string {
	var b strings.Builder
	for i := range times {
		fmt.Fprintf(&b, "\tx%d := %s\n", i+1, strings.ReplaceAll(step, "X", fmt.Sprintf("x%d", i)))
	}
	return b.String()
}

// hostile are rules that want all of the processor or the memory.
func hostile() map[string]string {
	loops := "numbers.range(1, 100000)"
	rule := func(body string) string { return "package main\n\ndeny_a contains \"x\" if {\n" + body + "}\n" }
	return map[string]string{
		"loops in loops":        rule("\tsome a in " + loops + "\n\tsome b in " + loops + "\n\tsome c in " + loops + "\n\ta + b + c < 0\n"),
		"a huge list":           rule("\tx := [[a, b] | some a in " + loops + "; some b in " + loops + "]\n\tcount(x) < 0\n"),
		"a huge set":            rule("\tx := {y | some a in " + loops + "; some b in " + loops + "; y := a * b}\n\tcount(x) < 0\n"),
		"a huge object":         rule("\tx := {sprintf(\"%d-%d\", [a, b]): a | some a in " + loops + "; some b in " + loops + "}\n\tcount(x) < 0\n"),
		"a long range":          rule("\tsome a in numbers.range(1, 100000000000)\n\ta < 0\n"),
		"ten million messages":  "package main\n\ndeny_a contains sprintf(\"%d %d\", [a, b]) if {\n\tsome a in numbers.range(1, 1000)\n\tsome b in numbers.range(1, 10000)\n}\n",
		"a growing text":        rule("\tx0 := \"aaaaaaaaaaaaaaaa\"\n" + doubling(`concat("", [X, X])`, 60) + "\tcount(x60) < 0\n"),
		"a replaced text":       rule("\tx0 := \"aaaaaaaaaaaaaaaa\"\n" + doubling(`replace(X, "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`, 20) + "\tcount(x20) < 0\n"),
		"a text in a text":      rule("\tx0 := \"aaaaaaaaaaaaaaaa\"\n" + doubling(`$"{X}{X}{X}{X}"`, 40) + "\tcount(x40) < 0\n"),
		"a wide text":           rule("\tx := sprintf(\"" + strings.Repeat("%999999s", 2000) + "\", [" + strings.Repeat(`"x",`, 2000) + "])\n\tcount(x) < 0\n"),
		"a growing list":        rule("\tx0 := [1, 2, 3, 4]\n" + doubling(`array.concat(X, X)`, 40) + "\tcount(x40) < 0\n"),
		"a list of itself":      rule("\tx0 := [1, 2, 3, 4]\n" + doubling(`json.unmarshal(json.marshal([X, X]))`, 30) + "\tcount(x30) < 0\n"),
		"a growing number":      rule("\tx0 := 1000000007\n" + doubling(`X * X`, 40) + "\tx40 < 0\n"),
		"a huge power":          rule("\tx := to_number(\"1e999999999\")\n\tfloor(x) < 0\n"),
		"a shift":               rule("\tbits.lsh(1, 100000000000) < 0\n"),
		"a product":             rule("\tproduct([999999999999 | some a in " + loops + "]) < 0\n"),
		"a deep document":       rule("\tx := json.unmarshal(concat(\"\", [\"[\" | some a in " + loops + "]))\n\tcount(x) < 0\n"),
		"an alias bomb":         rule("\tx := yaml.unmarshal(\"a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f]\")\n\tcount(x) < 0\n"),
		"a huge expression":     rule("\tregex.match(\"(a{1000}){1000}\", \"aaaa\")\n"),
		"all pairs of networks": rule("\tx := [sprintf(\"10.%d.%d.0/24\", [a, b]) | some a in numbers.range(0, 50); some b in numbers.range(0, 50)]\n\tcount(net.cidr_contains_matches(x, x)) < 0\n"),
	}
}

// TestHostileRulesStop also shows that a rule that stops takes nothing with it that came before, and that the heap stays
// small.
func TestHostileRulesStop(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			s := compiled(t, text+"\ndeny contains \"first\" if true\n")
			runtime.GC()
			peak, stop := watch()
			results, broken := evaluated(t, s, evidence())
			stop()
			t.Logf("%d MiB at most: %v", *peak>>20, broken)
			if len(broken) != 1 || broken[0].Rule != "rego:main.deny_a" || len(results) != 1 || results[0].Message != "first" {
				t.Errorf("results %.200v, broken %.200v", results, broken)
			}
			if *peak > 1<<30 {
				t.Errorf("the heap grew to %d MiB", *peak>>20)
			}
		})
	}
}

func TestRulesThatStopDoSoAtTheSamePlace(t *testing.T) {
	s := compiled(t, hostile()["loops in loops"]+"\ndeny_b contains \"y\" if count(input.findings) > 0\n")
	_, once := evaluated(t, s, evidence())
	_, twice := evaluated(t, s, evidence())
	if diff := cmp.Diff(once, twice); diff != "" || len(once) != 2 || !strings.Contains(once[0].Why, "steps") {
		t.Errorf("%v\n%s", once, diff)
	}
}

func TestAnEndedContextBreaksTheRules(t *testing.T) {
	s := compiled(t, hostile()["loops in loops"])
	input, err := rego.Input(evidence())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if results, broken := s.Evaluate(ctx, input, now); len(results) > 0 || len(broken) == 0 {
		t.Errorf("results %v, broken %v", results, broken)
	}
}

// watch samples the heap.
func watch() (*uint64, func()) {
	peak, done, finished := new(uint64), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				*peak = max(*peak, m.HeapAlloc)
			}
		}
	}()
	return peak, func() { close(done); <-finished }
}

func TestHostileModulesAreRefused(t *testing.T) {
	chain := "p0 if true\n"
	for i := range 1900 {
		chain += fmt.Sprintf("p%d if p%d\n", i+1, i)
	}
	functions := "f40(x) := x\n"
	for i := range 40 {
		functions += fmt.Sprintf("f%d(x) := f%d([x, x])\n", i, i+1)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"types that double":          {"package main\n\ndeny contains \"x\" if {\n\tx0 := {\"a\": input.findings}\n" + doubling("[X, X]", 60) + "\tcount(x60) == 1\n}\n", "2000 leaves"},
		"objects that double":        {"package main\n\ndeny contains \"x\" if {\n\tx0 := {\"a\": input.findings}\n" + doubling("{\"a\": X, \"b\": X}", 60) + "\tcount(x60) == 1\n}\n", "2000 leaves"},
		"rules that double":          {"package main\n\nx0 := {\"a\": 1}\n" + strings.ReplaceAll(doubling("{\"a\": X, \"b\": X}", 60), "\t", "") + "deny contains \"x\" if count(x60) == 1\n", "2000 leaves"},
		"deep lists":                 {"package main\n\ndeny contains \"x\" if " + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + " == 1\n", "nested deeper"},
		"deep parentheses":           {"package main\n\ndeny contains \"x\" if " + strings.Repeat("(", 50_000) + "1" + strings.Repeat(")", 50_000) + " == 1\n", "nested deeper"},
		"deep comprehensions":        {"package main\n\ndeny contains \"x\" if " + strings.Repeat("[x | x := ", 2000) + "1" + strings.Repeat("]", 2000) + " == 1\n", "nested deeper"},
		"a long sum":                 {"package main\n\ndeny contains \"x\" if " + strings.Repeat("1 + ", 50_000) + "1 == 0\n", "nested deeper"},
		"a long chain":               {"package main\n\n" + chain + "deny contains \"x\" if p1900\n", ""},
		"every and every":            {"package main\n\ndeny contains \"x\" if {\n" + strings.Repeat("every x in [1] { ", 1000) + "x == 1" + strings.Repeat("}", 1000) + "\n}\n", "nested deeper"},
		"many comprehensions":        {"package main\n\ndeny contains \"x\" if " + strings.Repeat("[x | x := ", 6) + "1" + strings.Repeat("]", 6) + " == 1\n", "nested deeper than 5 levels"},
		"templates in templates":     {"package main\n\ndeny contains \"x\" if " + strings.Repeat("$\"{", 30) + "1" + strings.Repeat("}\"", 30) + " == \"1\"\n", "nested deeper"},
		"keys in keys":               {"package main\n\ndeny contains \"x\" if " + strings.Repeat("{", 40) + "1" + strings.Repeat(": 1}", 40) + " == 1\n", "the key of an object"},
		"older comprehensions":       {"package main\n\ndeny[msg] { msg := " + strings.Repeat("[x | x := ", 40) + "1" + strings.Repeat("]", 40) + " }\n", "nested deeper"},
		"functions that double":      {"package main\n\n" + functions + "deny contains \"x\" if count(f0(input.findings)) == 1\n", "2000 leaves"},
		"comprehensions that double": {"package main\n\ndeny contains \"x\" if {\n\tx0 := [now | now := time.now_ns()]\n" + doubling("[[X, X] | true]", 60) + "\tcount(x60) == 1\n}\n", "2000 leaves"},
		"one value many times":       {"package main\n\ndeny contains \"x\" if {\n\tx := time.now_ns()\n\ty := [" + strings.Repeat("x,", 2001) + "]\n\tcount(y) == 1\n}\n", "2000 leaves"},
		"constants":                  {"package main\n\nlist := [" + strings.Repeat("\"GPL\",", 5000) + "]\n\ndeny contains \"x\" if input.packages[0].licenses[0] in list\n", ""},
		"bytes":                      {"\xff\xfe\x00", "a.rego:1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := rego.Compile(named(tc.text))
			switch {
			case tc.want != "":
				if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > 16<<10 {
					t.Errorf("%.300v; want an error that says %q", err, tc.want)
				}
			case err != nil:
				t.Error(err)
			default:
				if _, broken := evaluated(t, s, evidence()); len(broken) > 0 {
					t.Error(broken)
				}
			}
		})
	}
}

// FuzzCompile checks that no text makes the compiler panic or hang, and that whatever compiles can be evaluated. Run
// it with -fuzzminimizetime 20x: coverage differs from run to run, and the engine would minimise forever.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"package main\n\ndeny[msg] {\n\tinput.images[i].exposedPorts[_] == \"22/tcp\"\n\tmsg = sprintf(\"image %d\", [i])\n}\n",
		"package main\n\nimport rego.v1\n\nwarn_x contains {\"msg\": f.rule, \"fingerprint\": f.fingerprint} if some f in input.findings\n",
		"package a.b\n\nexception contains [\"x\"] if true\n\ndeny_x := {m | m := input.subjects[_].name}\n\nf(x) := y if y := x\n",
		"package main\n\n# METADATA\n# title: x\ndeny contains $\"{x}\" if { every x in [1] { x > 0 }; x := 1 with input as {} }\n",
		"package main\ndefault deny = []\ndeny = [x] { x := `a` } else = [] { not true }\n", "", "package", "{", "[[[", "\"", "`", "#",
	} {
		f.Add([]byte(text))
	}
	input, err := rego.Input(evidence())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := rego.Compile(map[string][]byte{"f.rego": text})
		if err != nil {
			return
		}
		if len(s.Rules()) == 0 {
			t.Error("a set without rules")
		}
		results, broken := s.Evaluate(t.Context(), input, now)
		again, brokenAgain := s.Evaluate(t.Context(), input, now)
		if diff := cmp.Diff(results, again) + cmp.Diff(broken, brokenAgain); diff != "" {
			t.Errorf("twice the same gave\n%s", diff)
		}
	})
}
