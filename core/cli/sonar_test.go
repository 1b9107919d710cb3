package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/cli"
)

const sonarToken = "squ_0123456789abcdef" // gitleaks:allow a token of the test server

// sonarQube is a server with one project, of which it says what it is told to.
func sonarQube(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, known := answers[r.URL.Path]
		switch {
		case r.Header.Get("Authorization") != "Bearer "+sonarToken:
			w.WriteHeader(http.StatusUnauthorized)
		case !known:
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, body)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestGateAndImportAskSonarQube(t *testing.T) {
	const (
		task     = `{"task":{"id":"T-1","componentKey":"app","status":"SUCCESS","analysisId":"A-1"}}`
		failed   = `{"task":{"id":"T-1","componentKey":"app","status":"FAILED","componentKey":"app"}}`
		green    = `{"projectStatus":{"status":"OK"}}`
		red      = `{"projectStatus":{"status":"ERROR","conditions":[{"status":"ERROR","metricKey":"new_security_rating","comparator":"GT","errorThreshold":"1","actualValue":"5"}]}}`
		issues   = `{"paging":{"total":1},"issues":[{"key":"I","rule":"go:S1","project":"app","component":"app:a.go","type":"VULNERABILITY","severity":"BLOCKER","line":1,"message":"Mend it."}]}`
		hotspots = `{"paging":{"total":0},"hotspots":[]}`
	)
	said := func(task, gate string) map[string]string {
		return map[string]string{"/api/ce/task": task, "/api/ce/component": `{"queue":[]}`, "/api/qualitygates/project_status": gate,
			"/api/issues/search": issues, "/api/hotspots/search": hotspots}
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("src/package-lock.json", `{"name":"y","version":"1.0.0","lockfileVersion":3,"packages":{"node_modules/z":{"version":"1.0.0"}}}`)
	put("policy.yaml", "version: 1\nextends: standard\nstarter-ok: true\nadvisories: {source: starter}\nrequire: [sonarqube]\n")
	scan := func(url string) string {
		put("report-task.txt", "projectKey=app\nserverUrl="+url+"\nceTaskId=T-1\n")
		return at("report-task.txt")
	}
	good, bad, broken := sonarQube(t, said(task, green)), sonarQube(t, said(task, red)), sonarQube(t, said(failed, green))
	gateOf := func(more ...string) []string {
		return append([]string{"gate", "dir:" + at("src"), "--policy", at("policy.yaml"), "--progress", "none", "--log-level", "trace", "--output", "json=" + at("v.json")}, more...)
	}
	for _, tc := range []struct {
		name string
		scan string // the server that the scan was sent to
		args []string
		env  map[string]string
		exit int
		want []string
	}{
		{name: "nobody is asked", args: gateOf(), exit: 3, want: []string{"sonarqube"}},
		{name: "a scan", scan: good, args: gateOf("--sonar", at("report-task.txt"), "--sonar-url", good), exit: 0,
			want: []string{`"name":"sonarqube"`, `"granted":["network: 127.0.0.1:`, `"rule":"go:S1"`}},
		{name: "a scan, by variables", scan: good, args: gateOf(), env: map[string]string{"CLEANBILL_SONAR": at("report-task.txt"), "SONAR_HOST_URL": good}, exit: 0,
			want: []string{`"rule":"go:S1"`}},
		{name: "a project", args: gateOf("--sonar-project", "app", "--sonar-branch", "main", "--sonar-url", good, "--sonar-wait", "5s"), exit: 0, want: []string{"branch=main"}},
		{name: "a gate that fails", scan: bad, args: gateOf("--sonar", at("report-task.txt"), "--sonar-url", bad), exit: 1,
			want: []string{"refused-by/sonarqube/new_security_rating", "refused-elsewhere"}},
		{name: "an analysis that failed", scan: broken, args: gateOf("--sonar", at("report-task.txt"), "--sonar-url", broken), exit: 3,
			want: []string{"the analysis on the server failed", "UNDECIDED"}},
		{name: "a server that only the workspace names", scan: good, args: gateOf("--sonar", at("report-task.txt")), exit: 2,
			want: []string{"does not decide where the token goes", "--sonar-url or SONAR_HOST_URL"}},
		{name: "no scan", args: gateOf("--sonar", at("nothing.txt")), exit: 2, want: []string{"no such file", ".scannerwork"}},
		{name: "no wait", args: gateOf("--sonar-project", "app", "--sonar-wait=-1s"), exit: 2, want: []string{"is negative"}},
		{name: "a branch of nothing", args: gateOf("--sonar-branch", "main"), exit: 2, want: []string{"the key of the project is wrong"}},
		{name: "an import", scan: good, args: []string{"import", "--sonar", at("report-task.txt"), "--sonar-url", good, "--digest", "sha256:" + strings.Repeat("0", 64),
			"--output", "json=" + at("v.json")}, exit: 0, want: []string{"about app: sonarqube found 1 flaw", `"rule":"go:S1"`}},
		{name: "an import that failed", scan: broken, args: []string{"import", "--sonar", at("report-task.txt"), "--sonar-url", broken, "--digest", "sha256:" + strings.Repeat("0", 64),
			"--output", "json=" + at("v.json")}, exit: 3, want: []string{"could not ask 127.0.0.1", `"status":"failed"`, "scan again"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.scan != "" {
				scan(tc.scan)
			}
			put("v.json", "")
			var out bytes.Buffer
			env := func(name string) string {
				if name == "SONAR_TOKEN" {
					return sonarToken
				}
				return tc.env[name]
			}
			p := cli.Program{Stdout: &out, Stderr: &out, Getenv: env, Now: time.Now}
			code := p.Main(context.Background(), tc.args)
			written, err := os.ReadFile(at("v.json"))
			if err != nil {
				t.Fatal(err)
			}
			all := out.String() + strings.ReplaceAll(string(written), `": `, `":`)
			if code != tc.exit {
				t.Errorf("exit code %d, want %d\n%s", code, tc.exit, all)
			}
			for _, want := range tc.want {
				if !strings.Contains(all, want) {
					t.Errorf("nothing says %q\n%s", want, all)
				}
			}
			if strings.Contains(all, sonarToken) {
				t.Error("the token is told")
			}
		})
	}
}
