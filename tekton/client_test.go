//go:build clients

package tekton_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientTektonValidation asks Tekton's own types whether they accept what this repository publishes.
func TestClientTektonValidation(t *testing.T) {
	root := clients.Root(t)
	var files []string
	for _, pattern := range []string{"tekton/task/*/*/*.yaml", "tekton/task/*/*/samples/*.yaml", "examples/tekton/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 3 {
		t.Fatalf("found only %v", files)
	}
	if out, code := clients.Run(t, root, nil, clients.Tool(t, "tekton-validate"), files...); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	task, err := os.ReadFile(filepath.Join(root, "tekton", taskFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte(strings.ReplaceAll(string(task), "$(params.target)", "$(params.absent)")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := clients.Run(t, root, nil, clients.Tool(t, "tekton-validate"), broken); code == 0 {
		t.Errorf("an undefined parameter is accepted: %s", out)
	}
}

// TestClientTektonEntrypoint plays the scenarios through the step of the Task, run by Tekton's own entrypoint as a pod
// runs it.
func TestClientTektonEntrypoint(t *testing.T) {
	project := clients.Prepare(t)
	for _, s := range project.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			run := runStep(t, project, map[string]string{"target": s.Target, "policy": s.Policy, "cleanbill-image": "unused"})
			if run.exit != s.Exit || run.results["VERDICT"] != s.Result {
				t.Errorf("exit code %s and VERDICT %s, want %s and %s\n%s", run.exit, run.results["VERDICT"], s.Exit, s.Result, run.log)
			}
			if s.Result == "passed" && run.results["JUDGED_DIGEST"] != project.Clean {
				t.Errorf("judged %s, want %s", run.results["JUDGED_DIGEST"], project.Clean)
			}
			if s.Result == "refused" && !strings.Contains(run.results["TEST_OUTPUT"], `"result":"FAILURE"`) {
				t.Errorf("TEST_OUTPUT is %s", run.results["TEST_OUTPUT"])
			}
			if len(run.termination) > 2560 {
				t.Errorf("the termination message has %d bytes", len(run.termination))
			}
			_, err := os.Stat(filepath.Join(run.reports, "cleanbill.json"))
			if wrote := err == nil; wrote != (run.results["JUDGED_DIGEST"] != "") {
				t.Errorf("the report: %v\n%s", err, run.log)
			}
		})
	}
}

type stepRun struct {
	exit        string
	log         string
	results     map[string]string
	termination string
	reports     string
}

// task is the part of the Task that a pod is made of.
type task struct {
	Spec struct {
		Params []struct {
			Name    string
			Default string
		}
		Steps []struct {
			Command, Args []string
			Env           []struct{ Name, Value string }
		}
	}
}

// runStep does what Tekton's controller does to make a pod of the Task: it replaces the variables, and starts the step
// through the entrypoint, with a /tekton of its own. The project is the workspace source.
func runStep(t *testing.T, project *clients.Project, params map[string]string) stepRun {
	t.Helper()
	var of task
	data, err := os.ReadFile(taskFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &of); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := stepRun{results: map[string]string{}, reports: filepath.Join(dir, "reports")}
	for _, d := range []string{"reports", "scratch", "upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	variables := map[string]string{
		"workspaces.source.path": project.Dir, "workspaces.reports.path": run.reports, "workspaces.docker-config.path": "",
	}
	for _, name := range resultNames {
		variables["results."+name+".path"] = "/tekton/results/" + name
	}
	for _, p := range of.Spec.Params {
		variables["params."+p.Name] = p.Default
	}
	for name, value := range params {
		variables["params."+name] = value
	}
	replace := func(s string) string {
		return regexp.MustCompile(`\$\(([a-zA-Z_.-]+)\)`).ReplaceAllStringFunc(s, func(ref string) string {
			value, ok := variables[ref[2:len(ref)-1]]
			if !ok {
				t.Fatalf("%s is not defined", ref)
			}
			return value
		})
	}
	step := of.Spec.Steps[0]
	env := []string{"CI_ROOT=" + dir, "CI_SOURCE=" + project.Dir}
	for _, e := range step.Env {
		value := replace(e.Value)
		if e.Name == "HOME" || e.Name == "TMPDIR" {
			value = filepath.Join(dir, "scratch")
		}
		env = append(env, e.Name+"="+value)
	}
	args := []string{"--mount", "--pid", "--fork", "--kill-child", "bash", "testdata/pod.sh",
		clients.Tool(t, "tekton-entrypoint"), "-post_file", "/tekton/run/0/out", "-termination_path", filepath.Join(dir, "termination"),
		"-step_metadata_dir", "/tekton/run/0/status", "-results", strings.Join(resultNames, ","), "-entrypoint", clients.Tool(t, step.Command[0]), "--"}
	for _, a := range step.Args {
		args = append(args, replace(a))
	}
	log, code := clients.Run(t, ".", env, "unshare", args...)
	run.log, run.exit = log, string(rune('0'+code))
	termination, err := os.ReadFile(filepath.Join(dir, "termination"))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	run.termination = string(termination)
	var entries []struct {
		Key, Value string
		Type       json.RawMessage
	}
	if err := json.Unmarshal(termination, &entries); err != nil {
		t.Fatalf("%v\n%s", err, termination)
	}
	for _, e := range entries {
		run.results[e.Key] = e.Value
	}
	return run
}
