//go:build clients

package gitlab_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
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
			if looked && len(scan.artifacts["cyclonedx"]) == 0 {
				t.Errorf("there is no bill of materials among %d artifacts", len(scan.artifacts))
			}
			if s.Result == "passed" && !strings.Contains(deploy.trace.String(), "deploy "+project.Clean) {
				t.Errorf("the digest does not reach the job that deploys:\n%s", &deploy.trace)
			}
		})
	}
}

// runJobs lets a runner do all jobs of a pipeline.
func runJobs(t *testing.T, c *coordinator) string {
	t.Helper()
	server := httptest.NewServer(c)
	defer server.Close()
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
