//go:build clients

package gitlab_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientGitLabRunner plays scenarios through GitLab's own runner, which clones, runs, and uploads what jobs leave. The
// server's part is the coordinator's.
func TestClientGitLabRunner(t *testing.T) {
	project := clients.Prepare(t)
	project.Copy(t, "examples/gitlab/split.yml", ".gitlab-ci.yml")
	project.Copy(t, "gitlab/templates/cleanbill-split.yml", "gitlab/templates/cleanbill-split.yml")
	project.Commit(t)
	for _, s := range project.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			c := pipeline(t, project, []string{"cleanbill_scan", "cleanbill", "deploy"}, "CLEANBILL_IMAGE=unused", "CLEANBILL_ADVISORIES=starter",
				"APP_IMAGE="+s.Target, "APP_POLICY="+s.Policy)
			log := runJobs(t, c)
			scan, gate, deploy := c.job("cleanbill_scan"), c.job("cleanbill"), c.job("deploy")
			looked := scan.artifacts["archive"] != nil
			states := []string{scan.state, gate.state, deploy.state}
			want := []string{"failed", "skipped", "skipped"}
			switch {
			case s.Exit == "0":
				want = []string{"success", "success", "success"}
			case looked:
				want = []string{"success", "failed", "skipped"}
			}
			if strings.Join(states, " ") != strings.Join(want, " ") {
				t.Errorf("the jobs ended as %v, want %v\n%s\n%s\n%s", states, want, log, &scan.trace, &gate.trace)
			}
			said := string(scan.artifacts["dotenv"])
			if !strings.Contains(said, "CLEANBILL_RESULT="+s.Result+"\nCLEANBILL_EXIT_CODE="+s.Exit+"\n") {
				t.Errorf("the variables are %q, want %s and %s\n%s", said, s.Result, s.Exit, &scan.trace)
			}
			variables := map[string]string{}
			for line := range strings.Lines(said) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				variables[name] = value
			}
			project.Play(t, s).Compare(t, factsIn(variables), clients.Outputs())
			for kind := range scan.job.Artifacts.Reports {
				if content := scan.artifacts[kind]; content != nil {
					checkReport(t, kind, content)
				} else if looked {
					t.Errorf("the report %s was not handed over\n%s", kind, &scan.trace)
				}
			}
			if s.Result == "passed" && !strings.Contains(deploy.trace.String(), "deploy "+project.Clean) {
				t.Errorf("the digest does not reach the job that deploys:\n%s", &deploy.trace)
			}
		})
	}
}

// TestClientGitLabRunnerMergeRequest judges a change that brings a secret in a file with a hostile name, and a policy by which
// nothing counts: the policy of the target branch judges, and the merge request is told.
func TestClientGitLabRunnerMergeRequest(t *testing.T) {
	project := clients.Prepare(t)
	project.Write(t, ".gitlab-ci.yml", "include:\n  - local: gitlab/templates/cleanbill.yml\n    inputs: {image: unused, target: \"dir:.\"}\n")
	project.Copy(t, "gitlab/templates/cleanbill.yml", "gitlab/templates/cleanbill.yml")
	const policy = "version: 1\nname: ours\nextends: standard\nstarter-ok: true\nallow: [advisories]\n"
	project.Write(t, ".cleanbill.yaml", policy)
	project.Commit(t)
	base := strings.TrimSpace(git(t, project.Dir, "rev-parse", "HEAD"))
	const hostile = "src/a\n/approve\n\x1b[0Ksection_end:1:cleanbill_examination\r\x1b[0K\nCLEANBILL_RESULT=passed\n@all.sh"
	project.Write(t, hostile, "export GITHUB_TOKEN="+"ghp_"+"0123456789abcdefghijABCDEFGHIJ012345\n")
	project.Write(t, ".cleanbill.yaml", strings.ReplaceAll(policy, "standard", "relaxed")+"rules:\n  - {name: nothing-counts, when: 'true', action: ignore}\n")
	git(t, project.Dir, "add", "--all")
	git(t, project.Dir, "commit", "--quiet", "--message=change")

	c := pipeline(t, project, []string{"cleanbill"}, "CLEANBILL_ADVISORIES=starter")
	for k, v := range map[string]string{"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_PROJECT_ID": "42",
		"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CLEANBILL_GITLAB_TOKEN": "note-secret"} {
		c.set(k, v)
	}
	log := runJobs(t, c)
	job := c.job("cleanbill")
	said := string(job.artifacts["dotenv"])
	if job.state != "failed" || !strings.HasPrefix(said, "CLEANBILL_RESULT=refused\n") || strings.Count(said, "CLEANBILL_RESULT") != 1 {
		t.Errorf("the job %s and says %q\n%s\n%s", job.state, said, log, &job.trace)
	}
	borders := slices.DeleteFunc(section.FindAllString(job.trace.String(), -1), func(s string) bool { return !strings.Contains(s, "cleanbill_") })
	if len(borders) != 2 {
		t.Errorf("the log has %d borders of the section, want 2:\n%q", len(borders), job.trace.String())
	}
	if strings.Contains(job.trace.String(), "note-secret") {
		t.Errorf("the token is in the log:\n%s", &job.trace)
	}
	for kind := range job.job.Artifacts.Reports {
		if found := checkReport(t, kind, job.artifacts[kind]); kind == "secret_detection" && found != 1 {
			t.Errorf("GitLab is told of %d secrets, want 1", found)
		}
	}
	if len(c.notes) != 1 || !strings.Contains(c.notes[0], "This change brings") || strings.Contains(c.notes[0], "\n/") {
		t.Errorf("the notes are %q\n%s", c.notes, &job.trace)
	}
}

// runJobs lets a runner do all jobs of a pipeline.
func runJobs(t *testing.T, c *coordinator) string {
	t.Helper()
	server := httptest.NewServer(c)
	defer server.Close()
	c.set("CI_API_V4_URL", server.URL+"/api/v4")
	home := t.TempDir()
	// The runner's shell is a login shell, which sets a PATH of its own.
	profile := "export PATH=" + strconv.Quote(filepath.Dir(clients.Tool(t, "cleanbill"))+":"+os.Getenv("PATH")) + "\n"
	if err := os.WriteFile(filepath.Join(home, ".bash_profile"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	log, code := clients.Run(t, home, []string{"HOME=" + home}, clients.Tool(t, "gitlab-runner"), "run-single", "--url", server.URL, "--token", "t",
		"--executor", "shell", "--shell", "bash", "--builds-dir", filepath.Join(home, "builds"), "--cache-dir", filepath.Join(home, "cache"),
		"--max-builds", strconv.Itoa(len(c.jobs)), "--wait-timeout", "1")
	if code != 0 {
		t.Errorf("the runner ended with %d\n%s", code, log)
	}
	for _, problem := range c.problems {
		t.Errorf("the runner asked for something else: %s\n%s", problem, log)
	}
	return log
}
