package gate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// Put together, so that this file holds none.
var token = "ghp_" + "x7Kq2mVn9RtLw4Zs8Yb3Gc6Hd1Jf5Pa0UeQo"

func secretsIn(r *gate.Result) map[string]core.Finding {
	found := map[string]core.Finding{}
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindSecret {
			found[f.Locations[0].Path] = f
		}
	}
	return found
}

// Whoever may pull an image may read its lower layers and its history.
func TestSecretsAreFoundInEveryLayerAndInTheConfiguration(t *testing.T) {
	spec := images.Clean("amd64")
	spec.Config = v1.Config{Env: []string{"PATH=/bin", "GH=" + token}}
	spec.Layers = append(spec.Layers,
		images.Layer{CreatedBy: "COPY . /srv", Entries: []images.Entry{images.File("srv/deploy.sh", "export GH="+token+"\n")}},
		images.Layer{CreatedBy: "RUN rm /srv/deploy.sh", Entries: []images.Entry{images.Whiteout("srv/deploy.sh")}},
		images.Layer{CreatedBy: "RUN |1 GH=" + token + " make", Empty: true})
	r := run(t, gate.Plan{Targets: []string{layout(t, spec)}})
	if r.Verdict.Decision != core.Refused {
		t.Fatalf("%v", r.Verdict.Decision)
	}
	found := secretsIn(r)
	deleted := found["srv/deploy.sh"]
	if deleted.Origin == nil || deleted.Origin.RemovedIn == nil || deleted.Origin.CreatedBy != "COPY . /srv" {
		t.Errorf("the deleted file: %+v", deleted)
	}
	for _, where := range []string{"image configuration: ENV GH", "image configuration: history"} {
		if !strings.Contains(strings.Join(keys(found), "\n"), where) {
			t.Errorf("nothing was found in the %s: %q", where, keys(found))
		}
	}
	// Of what was found nothing is told, also where the evidence repeats the history.
	if told, err := json.Marshal(r.Evidence); err != nil || strings.Contains(string(told), token[4:]) {
		t.Errorf("the secret is in the evidence (%v)", err)
	}
}

func keys(found map[string]core.Finding) []string {
	var all []string
	for k := range found {
		all = append(all, k)
	}
	return all
}

func TestAChangeCannotSilenceTheSearchForSecrets(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"nothing":          {},
		"an ignore file":   {".gitleaksignore": "run.sh:github-pat:1\n"},
		"a configuration":  {".gitleaks.toml": "[[rules]]\nid = \"none\"\nregex = '''nothing at all'''\n"},
		"an inline ignore": {"run.sh": "T=" + token + " # gitleaks:allow\n"},
	} {
		repository := gittest.New(t)
		base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
		repository.Write(t, map[string]string{"run.sh": "T=" + token + "\n"})
		repository.Write(t, change)
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}})
		if exit != 1 || len(secretsIn(r)) != 1 || r.Verdict.Refusals[0].Rule != "secret" {
			t.Errorf("%s: exit code %d (%v)", name, exit, err)
		}
	}
	// What was merged counts.
	for name, merged := range map[string]map[string]string{
		"an ignore file":   {".gitleaksignore": "run.sh:github-pat:1\n", "run.sh": "T=" + token + "\n"},
		"an inline ignore": {"run.sh": "T=" + token + " # gitleaks:allow\n"},
	} {
		repository := gittest.New(t)
		repository.Commit(t, merged)
		repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": ours, "vex/app.json": vexOf("CVE-2020-1")})
		r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}})
		if exit != 0 || len(secretsIn(r)) != 1 || len(r.Verdict.Ignored) != 1 {
			t.Errorf("%s, merged: exit code %d (%v)", name, exit, err)
		}
	}
}

func TestABrokenConfigurationOfTheSearchForSecretsIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": flawless, ".gitleaks.toml": "[[rules]]\nid = \"a\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{dir}, Advisories: "starter"})
	if err == nil || !core.Usage(err) || !strings.Contains(err.Error(), "neither a regex nor a path") {
		t.Errorf("%v", err)
	}
}

// gitleaksOf is what gitleaks writes, with or without a suppression; gitlabOf is the same by GitLab's analyser.
func gitleaksOf(path string, line int, suppressions string) string {
	return fmt.Sprintf(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"gitleaks","rules":[{"id":"github-pat"}]}},"results":[{
		"ruleId":"github-pat","message":{"text":"github-pat has detected secret for file %[1]s."},"suppressions":[%[3]s],
		"locations":[{"physicalLocation":{"artifactLocation":{"uri":"%[1]s"},"region":{"startLine":%[2]d}}}]}]}]}`, path, line, suppressions)
}

func gitlabOf(path string, line int) string {
	return fmt.Sprintf(`{"version":"15.0.7","scan":{"type":"secret_detection","status":"success","start_time":"2026-01-01T00:00:00",
		"end_time":"2026-01-01T00:00:00","scanner":{"id":"gitleaks","name":"Gitleaks","version":"8.29.0","vendor":{"name":"GitLab"}},
		"analyzer":{"id":"secrets","name":"secrets","version":"7.0.0","vendor":{"name":"GitLab"}}},"vulnerabilities":[{"id":"1",
		"category":"secret_detection","name":"GitHub personal access token","severity":"Critical",
		"location":{"file":"%s","start_line":%d,"commit":{"sha":"0000000"}},
		"identifiers":[{"type":"gitleaks_rule_id","name":"Gitleaks rule ID github-pat","value":"github-pat"}]}]}`, path, line)
}

func TestASecretThatOthersSawTooIsOneFinding(t *testing.T) {
	dir, reports := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), flawless)
	write(t, filepath.Join(dir, "run.sh"), "#!/bin/sh\nexport T="+token+"\n")
	leaks, lab := filepath.Join(reports, "g.sarif"), filepath.Join(reports, "gl.json")
	write(t, leaks, gitleaksOf("run.sh", 2, ""))
	write(t, lab, gitlabOf("run.sh", 2))
	r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{dir}, Advisories: "starter", Imports: []string{leaks, lab}})
	if err != nil {
		t.Fatal(err)
	}
	var found []core.Finding
	for _, f := range r.Evidence.Findings {
		if f.Kind == core.KindSecret {
			found = append(found, f)
		}
	}
	if len(found) != 1 || !slices.Equal(found[0].SeenBy, []string{"Gitleaks", "gitleaks", "gitleaks rules"}) || found[0].SeveritySource != "cleanbill" ||
		found[0].Secret == nil {
		t.Errorf("%+v", found)
	}
}

// Others name the files of an image from its root.
func TestASecretOfAnImageThatTrivySawTooIsOneFinding(t *testing.T) {
	spec := images.Clean("amd64")
	spec.Layers = append(spec.Layers, images.Layer{CreatedBy: "COPY . /srv", Entries: []images.Entry{images.File("srv/deploy.sh", "#!/bin/sh\nexport GH="+token+"\n")}})
	at := layout(t, spec)
	trivy := filepath.Join(t.TempDir(), "trivy.json")
	write(t, trivy, `{"SchemaVersion":2,"ArtifactName":"app:1","ArtifactType":"container_image","Metadata":{"OS":{"Family":"alpine","Name":"3.20"}},"Results":[
		{"Target":"/srv/deploy.sh","Class":"secret","Secrets":[{"RuleID":"github-pat","Category":"GitHub","Severity":"CRITICAL",
		"Title":"GitHub Personal Access Token","StartLine":2,"EndLine":2,"Match":"export GH=****"}]}]}`)
	r := run(t, gate.Plan{Targets: []string{at}, Imports: []string{trivy}})
	found := secretsIn(r)
	if f := found["srv/deploy.sh"]; len(found) != 1 || !slices.Contains(f.SeenBy, "Trivy") || !slices.Contains(f.SeenBy, "gitleaks rules") || f.Origin == nil {
		t.Errorf("%+v", found)
	}
}

// A report is made by the change's own job. What it says to be suppressed is what the change says.
func TestAReportOfAChangeSilencesNothingThatTheBaseDoesNot(t *testing.T) {
	policy := ours + "allow: [imports]\nrules: [{name: code, when: finding.kind == \"code\", action: fail}]\n"
	gosec := func(line int, suppression string) string {
		return fmt.Sprintf(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"gosec","rules":[{"id":"G101"}]}},"results":[{
			"ruleId":"G101","message":{"text":"m"},"suppressions":[%s],
			"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.go"},"region":{"startLine":%d}}}]}]}]}`, suppression, line)
	}
	const marked, bare = "package a\n\nvar x = f() // #nosec\n", "package a\n\nvar x = f()\n"
	for name, tc := range map[string]struct {
		base, head, report string
		exit, added        int
	}{
		"by a report":                  {bare, bare, gosec(3, `{"kind":"external"}`), 1, 1},
		"by a mark that is not there":  {bare, bare, gosec(3, `{"kind":"inSource"}`), 1, 1},
		"by a mark that is new":        {bare, marked, gosec(3, `{"kind":"inSource"}`), 1, 1},
		"by a mark that the base has":  {marked, marked, gosec(3, `{"kind":"inSource"}`), 0, 0},
		"by a mark of another line":    {marked, "package a\n\nvar x = f() // #nosec\nvar y = f() // #nosec\n", gosec(4, `{"kind":"inSource"}`), 1, 1},
		"not at all":                   {bare, bare, gosec(3, ""), 1, 0},
		"by a mark that moved with it": {marked, "package a\n\n\n\nvar x = f() // #nosec\n", gosec(5, `{"kind":"inSource"}`), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			repository := gittest.New(t)
			base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": policy, "vex/app.json": vexOf("CVE-2020-1"), "a.go": tc.base})
			repository.Write(t, map[string]string{"a.go": tc.head})
			report := filepath.Join(t.TempDir(), "gosec.sarif")
			write(t, report, tc.report)
			r, exit, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base}, Imports: []string{report}})
			if exit != tc.exit || len(additions(r)) != tc.added {
				t.Fatalf("exit code %d (%v), suppressions %q", exit, err, additions(r))
			}
			i := slices.IndexFunc(r.Evidence.Findings, func(f core.Finding) bool { return f.Rule == "G101" })
			if i < 0 || (len(r.Evidence.Findings[i].Suppressions) == 1) != strings.Contains(tc.report, "kind") {
				t.Errorf("the finding is not in the evidence with what was said of it: %+v", r.Evidence.Findings)
			}
			_, exit, err = judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Imports: []string{report}})
			if want := map[bool]int{true: 0, false: 1}[strings.Contains(tc.report, "kind")]; exit != want {
				t.Errorf("off a change: exit code %d (%v)", exit, err)
			}
		})
	}
}

// The same holds for results that are brought into the evidence of a change by themselves.
func TestResultsThatAreBroughtIntoAChangeSilenceNothing(t *testing.T) {
	policy := ours + "rules: [{name: code, when: finding.kind == \"code\", action: fail}]\n"
	repository := gittest.New(t)
	base := repository.Commit(t, map[string]string{"go.mod": flawless, ".cleanbill.yaml": policy, "vex/app.json": vexOf("CVE-2020-1")})
	repository.Write(t, map[string]string{"a.go": "package a\n"})
	dir := t.TempDir()
	report, evidence := filepath.Join(dir, "g.sarif"), filepath.Join(dir, "e.json")
	write(t, report, strings.ReplaceAll(gitleaksOf("a.go", 1, `{"kind":"external"}`), "gitleaks", "tool"))
	_, _, err := judgeChange(t, gate.Plan{Targets: []string{repository.Dir}, Change: core.Change{Base: base},
		Outputs: []gate.Output{{Format: "json", Path: evidence}}})
	if err != nil {
		t.Fatal(err)
	}
	brought, _, err := newGate().Import(t.Context(), gate.ImportPlan{Files: []string{report}, Into: evidence,
		Outputs: []gate.Output{{Format: "json", Path: evidence}}})
	if err != nil || len(additions(brought)) != 1 {
		t.Fatalf("%v, suppressions %q", err, additions(brought))
	}
	r, err := newGate().Judge(t.Context(), gate.JudgePlan{Documents: []string{evidence}, Digests: []core.Digest{brought.Evidence.Subjects[0].Digest},
		Source: repository.Dir})
	if err != nil || r.Verdict.Decision != core.Refused || len(additions(r)) != 1 {
		t.Errorf("%v %v, suppressions %q", r, err, additions(r))
	}
}
