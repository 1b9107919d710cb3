//go:build clients

package tekton_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientTektonValidation asks Tekton's own types whether they accept what this repository publishes.
func TestClientTektonValidation(t *testing.T) {
	root := clients.Root(t)
	var files []string
	for _, pattern := range []string{"tekton/*/*/*/*.yaml", "tekton/*/*/*/samples/*.yaml", "examples/tekton/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 7 {
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

// TestClientTektonEntrypoint plays the scenarios through the Task's step and the StepAction, run by Tekton's own entrypoint
// as a pod runs it, with a step behind it that is not to see an image that did not pass.
func TestClientTektonEntrypoint(t *testing.T) {
	project := clients.Prepare(t)
	for _, manifest := range []string{taskFile, "stepaction/cleanbill/0.1/cleanbill.yaml"} {
		for _, s := range project.Scenarios() {
			t.Run(strings.SplitN(manifest, "/", 2)[0]+" "+s.Name, func(t *testing.T) {
				run := runStep(t, project, manifest, map[string]string{"target": s.Target, "policy": s.Policy, "advisories": "starter"})
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
				wrote := err == nil
				if wrote != (run.results["JUDGED_DIGEST"] != "") || wrote != strings.Contains(run.results["REPORTS"], "sha256:") {
					t.Errorf("the report: %v, REPORTS %s\n%s", err, run.results["REPORTS"], run.log)
				}
				if passed := s.Result == "passed"; passed != (run.deployed == "passed") || passed != (run.next == "0") {
					t.Errorf("the next step ended with %s and deployed %q", run.next, run.deployed)
				}
			})
		}
	}
}

// TestClientTektonScan makes the gate a scan by on-error: the pod goes on, and the results say what was found.
func TestClientTektonScan(t *testing.T) {
	project := clients.Prepare(t)
	run := runStep(t, project, taskFile, map[string]string{"target": "oci:vulnerable", "on-error": "continue", "advisories": "starter"})
	if run.exit != "0" || run.next != "0" || run.deployed != "refused" || run.results["VERDICT"] != "refused" {
		t.Errorf("exit codes %s and %s, VERDICT %s\n%s", run.exit, run.next, run.results["VERDICT"], run.log)
	}
}
