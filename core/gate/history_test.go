package gate_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

// historic returns the examination of the history; nil if there was none.
func historic(r *gate.Result) *core.Examination {
	for _, x := range r.Evidence.Examinations {
		if x.Tool == "secrets/history" {
			return &x
		}
	}
	return nil
}

func TestTheHistoryIsSearchedIfSomebodyAsksForIt(t *testing.T) {
	r := gittest.New(t)
	brought := r.Commit(t, map[string]string{"go.mod": flawless, "run.sh": "\nT=" + token + "\n", "kept.sh": "\nT=" + token + "\n"})
	after := r.Commit(t, map[string]string{"run.sh": "", "kept.sh": "T=" + token + "\n"})
	for word, want := range map[string]int{"": 1, gate.HistoryNone: 1, gate.HistoryAll: 2, after + "..": 1, "HEAD~1..": 1} {
		result := run(t, gate.Plan{Targets: []string{r.Dir}, History: word})
		found := secretsIn(result)
		if len(found) != want || result.Verdict.Decision != core.Refused {
			t.Errorf("%q: %q, %v", word, keys(found), result.Verdict.Decision)
		}
		if searched := word != "" && word != gate.HistoryNone; searched != (historic(result) != nil) {
			t.Errorf("%q: %+v", word, historic(result))
		}
		if word != gate.HistoryAll {
			continue
		}
		gone, kept := found["run.sh"], found["kept.sh"]
		if len(gone.Locations) != 1 || gone.Locations[0].Commit != brought || gone.Locations[0].Line != 2 || gone.Locations[0].Date.IsZero() {
			t.Errorf("%+v", gone.Locations)
		}
		if len(kept.Locations) != 2 || kept.Locations[0] != (core.Location{Path: "kept.sh", Line: 1, Column: 3}) || kept.Locations[1].Commit != brought {
			t.Errorf("what is in the tree and the history: %+v", kept.Locations)
		}
		for _, o := range result.Verdict.Refusals {
			if o.Fingerprint == gone.Fingerprint && !strings.Contains(o.Message, "of commit "+brought[:12]) {
				t.Errorf("the verdict says %q", o.Message)
			}
		}
	}
}

func TestWithoutARepositoryAHistoryIsAGap(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), flawless)
	r := run(t, gate.Plan{Targets: []string{dir}, History: gate.HistoryAll})
	if x := historic(r); x == nil || x.Status != core.Failed || !strings.Contains(x.Why[0], "no git repository") || r.Verdict.Decision != core.Undecided {
		t.Errorf("%+v, %v", x, r.Verdict.Decision)
	}
	if r := run(t, gate.Plan{Targets: []string{dir}}); historic(r) != nil {
		t.Errorf("nobody asked: %+v", historic(r))
	}
}

func TestOnAChangeItsOwnCommitsAreSearched(t *testing.T) {
	r := gittest.New(t)
	old := r.Commit(t, map[string]string{"old.sh": "T=" + token + "\n"})
	base := r.Commit(t, map[string]string{"old.sh": "", "go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1"),
		".gitleaksignore": old + ":old.sh:github-pat:1\n"})
	plan := gate.Plan{Targets: []string{r.Dir}, Change: core.Change{Base: base}}
	if result, exit, err := judgeChange(t, plan); exit != 0 || historic(result) == nil || historic(result).Status != core.Complete {
		t.Errorf("nothing changed: exit code %d (%v), %+v", exit, err, historic(result))
	}
	commit := r.Commit(t, map[string]string{"a.sh": "T=" + token + " # gitleaks:allow\n", "b.sh": "T=" + token + "\n"})
	r.Commit(t, map[string]string{"a.sh": "", "b.sh": "", ".gitleaksignore": commit + ":b.sh:github-pat:1\n" + commit + ":a.sh:github-pat:1\n"})
	for word, want := range map[string][]string{"": {"a.sh", "b.sh"}, gate.HistoryAll: {"a.sh", "b.sh", "old.sh"}} {
		plan.History = word
		result, exit, err := judgeChange(t, plan)
		found := secretsIn(result)
		if exit != 1 || len(found) != len(want) {
			t.Errorf("%q: exit code %d (%v), %q", word, exit, err, keys(found))
		}
		for _, name := range want {
			refused := false
			for _, o := range result.Verdict.Refusals {
				refused = refused || o.Fingerprint == found[name].Fingerprint
			}
			if refused != (name != "old.sh") {
				t.Errorf("%q: %s is refused: %t, %+v", word, name, refused, found[name].Suppressions)
			}
		}
		for _, f := range result.Evidence.Findings {
			if f.Kind == core.KindSuppression && f.Locations[0].Path != ".gitleaksignore" {
				t.Errorf("%q: %s", word, f.Title)
			}
		}
	}
	for _, word := range []string{gate.HistoryNone, "HEAD..", base + ".."} {
		plan.History = word
		if _, exit, err := judgeChange(t, plan); exit != 2 || err == nil || !strings.Contains(err.Error(), "--history") {
			t.Errorf("%q: exit code %d (%v)", word, exit, err)
		}
	}
	r.Git(t, "checkout", "--quiet", "-b", "lenient", base)
	plan.Change.Base = r.Commit(t, map[string]string{".cleanbill.yaml": ours + "allow: [history]\n"})
	r.Git(t, "merge", "--quiet", "--no-edit", "main")
	plan.History = gate.HistoryNone
	if result, exit, err := judgeChange(t, plan); exit != 0 || historic(result) != nil {
		t.Errorf("allowed: exit code %d (%v)", exit, err)
	}
}

// A change that is judged with too little of its history is not known.
func TestTheCommitsOfAChangeMustBeThere(t *testing.T) {
	r := gittest.New(t)
	base := r.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
	r.Commit(t, map[string]string{"a": "1\n"})
	r.Commit(t, map[string]string{"a": "2\n"})
	clone := r.Clone(t, "--depth=1")
	clone.Git(t, "fetch", "--quiet", "--depth=1", "origin", base)
	result, exit, err := judgeChange(t, gate.Plan{Targets: []string{clone.Dir}, Change: core.Change{Base: base}})
	x := historic(result)
	if exit != 3 || x == nil || x.Status != core.Failed || !strings.Contains(x.Why[0], "shallow") || !strings.Contains(x.Remedy, "fetch-depth: 0") {
		t.Errorf("exit code %d (%v), %+v", exit, err, x)
	}
}

func TestWrongWordsForAHistoryAreNamed(t *testing.T) {
	for _, word := range []string{"some", "..", "a..b", "v1", "a..b.."} {
		if err := gate.CheckHistory(word); err == nil || !core.Usage(err) {
			t.Errorf("%q: %v", word, err)
		}
		in := gate.Inputs{Targets: ".", History: word}
		if _, err := in.Plan(); err == nil {
			t.Errorf("%q was accepted", word)
		}
	}
}
