//go:build clients

package gitlab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientGitLabInclude plays the scenarios through the example pipeline, which includes the template.
func TestClientGitLabInclude(t *testing.T) {
	project := clients.Prepare(t)
	project.Copy(t, "examples/gitlab/.gitlab-ci.yml", ".gitlab-ci.yml")
	project.Copy(t, "gitlab/templates/cleanbill.yml", "gitlab/templates/cleanbill.yml")
	project.Commit(t)
	for _, s := range project.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			variables := readVariables(t, project, s, "APP_IMAGE="+s.Target, "APP_POLICY="+s.Policy)
			if s.Result != "passed" {
				return
			}
			if variables["CLEANBILL_DIGEST"] != project.Clean {
				t.Errorf("judged %s, want %s", variables["CLEANBILL_DIGEST"], project.Clean)
			}
		})
	}
}

// TestClientGitLabComponent runs the component's own pipeline, with this directory as the root of its project.
func TestClientGitLabComponent(t *testing.T) {
	project := clients.Prepare(t)
	for _, file := range []string{".gitlab-ci.yml", "README.md", "LICENSE.md", "templates/cleanbill.yml"} {
		project.Copy(t, "gitlab/"+file, file)
	}
	project.Commit(t)
	for _, s := range project.Scenarios()[:2] {
		t.Run(s.Name, func(t *testing.T) {
			readVariables(t, project, s, "CLEANBILL_TEST_TARGET="+s.Target, "CLEANBILL_TEST_POLICY="+s.Policy)
		})
	}
}

// readVariables runs a pipeline, compares what came of it, and returns its dotenv report.
func readVariables(t *testing.T, project *clients.Project, s clients.Scenario, variables ...string) map[string]string {
	t.Helper()
	clients.Tool(t, "cleanbill") // the job finds it on the PATH, as in its image
	args := []string{"--force-shell-executor", "--shell-isolation", "--variable", "CLEANBILL_IMAGE=registry.example/cleanbill@sha256:0"}
	for _, v := range variables {
		args = append(args, "--variable", v)
	}
	log, code := clients.Run(t, project.Dir, nil, clients.Tool(t, "gitlab-ci-local"), args...)
	if (code == 0) != (s.Exit == "0") {
		t.Errorf("the pipeline ended with %d, want the job to end with %s\n%s", code, s.Exit, log)
	}
	deployed := strings.Contains(log, "deploy sha256:")
	if deployed && s.Exit != "0" {
		t.Errorf("a later job ran, although the verdict is %s:\n%s", s.Result, log)
	}
	artifacts := filepath.Join(project.Dir, ".gitlab-ci-local", "artifacts", "cleanbill")
	report, err := os.ReadFile(filepath.Join(artifacts, ".gitlab-ci-reports", "dotenv", "cleanbill.env"))
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(report)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[name] = value
	}
	if got["CLEANBILL_RESULT"] != s.Result || got["CLEANBILL_EXIT_CODE"] != s.Exit {
		t.Errorf("got result %s and exit code %s, want %s and %s\n%s", got["CLEANBILL_RESULT"], got["CLEANBILL_EXIT_CODE"], s.Result, s.Exit, log)
	}
	if s.Result == "passed" || s.Result == "refused" {
		for _, file := range []string{"cleanbill.json", "cleanbill.cdx.json"} {
			if info, err := os.Stat(filepath.Join(artifacts, file)); err != nil || info.Size() == 0 {
				t.Errorf("the artifact %s: %v\n%s", file, err, log)
			}
		}
	}
	return got
}
