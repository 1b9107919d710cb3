//go:build clients

package tekton_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// stepRun is what came of a step, and of the one behind it.
type stepRun struct {
	exit        string
	log         string
	results     map[string]string
	termination string
	reports     string
	// next is the exit code of the next step, which copies VERDICT to the file deployed.
	next     string
	deployed string
}

// runStep does what Tekton's controller does to make a pod: it replaces the variables, and starts the step through the
// entrypoint, and one that waits for it, with a /tekton of their own. The project is the workspace source.
func runStep(t *testing.T, project *clients.Project, path string, params map[string]string) stepRun {
	t.Helper()
	of := readManifest(t, path)
	dir := t.TempDir()
	run := stepRun{results: map[string]string{}, reports: filepath.Join(dir, "reports")}
	for _, d := range []string{"reports", "scratch", "upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	variables := map[string]string{
		"workspaces.source.path": project.Dir, "workspaces.reports.path": run.reports, "workspaces.docker-config.path": "",
		"workspaces.cache.path": "",
	}
	step, results, flag := of.Spec.stepSpec, "/tekton/steps/step-gate/results/", "-step_results"
	if of.Kind == "Task" {
		step, results, flag = of.Spec.Steps[0], "/tekton/results/", "-results"
	}
	var names []string
	for _, r := range of.Spec.Results {
		variables["results."+r.Name+".path"] = results + r.Name
		variables["step.results."+r.Name+".path"] = results + r.Name
		names = append(names, r.Name)
	}
	for _, p := range of.Spec.Params {
		variables["params."+p.Name], _ = p.Default.(string)
	}
	for name, value := range params {
		variables["params."+name] = value
	}
	if of.Kind == "StepAction" {
		variables["params.reports"] = run.reports
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
	env := []string{"CI_ROOT=" + dir, "CI_SOURCE=" + project.Dir}
	for _, e := range step.Env {
		value := replace(e.Value)
		if e.Name == "HOME" || e.Name == "TMPDIR" {
			value = filepath.Join(dir, "scratch")
		}
		env = append(env, e.Name+"="+value)
	}
	entrypoint := clients.Tool(t, "tekton-entrypoint")
	args := []string{"--mount", "--pid", "--fork", "--kill-child", "bash", "testdata/pod.sh",
		entrypoint, "-post_file", "/tekton/run/0/out", "-termination_path", filepath.Join(dir, "termination"),
		"-step_metadata_dir", "/tekton/run/0/status", flag, strings.Join(names, ",")}
	if step.OnError != "" {
		args = append(args, "-on_error", replace(step.OnError))
	}
	args = append(args, "-entrypoint", clients.Tool(t, step.Command[0]), "--")
	for _, a := range step.Args {
		args = append(args, replace(a))
	}
	args = append(args, "+++", entrypoint, "-wait_file", "/tekton/run/0/out", "-post_file", "/tekton/run/1/out",
		"-termination_path", filepath.Join(dir, "termination-1"), "-step_metadata_dir", "/tekton/run/1/status",
		"-entrypoint", clients.Tool(t, "cp"), "--", results+"VERDICT", filepath.Join(dir, "deployed"))
	log, _ := clients.Run(t, ".", env, "unshare", args...)
	run.log = log
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		return strings.TrimSpace(string(data))
	}
	run.exit, run.next, run.termination = read("exit-0"), read("exit-1"), read("termination")
	if data, err := os.ReadFile(filepath.Join(dir, "deployed")); err == nil {
		run.deployed = string(data)
	}
	var entries []struct {
		Key, Value string
		Type       json.RawMessage
	}
	if err := json.Unmarshal([]byte(run.termination), &entries); err != nil {
		t.Fatalf("%v\n%s", err, run.termination)
	}
	for _, e := range entries {
		run.results[e.Key] = e.Value
	}
	return run
}
