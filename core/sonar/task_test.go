package sonar

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const sample = "projectKey=acme:app\nserverUrl=https://sonar.example/x\nserverVersion=2025.1.0.102418\n" +
	"dashboardUrl=https://sonar.example/x/dashboard?id=acme%3Aapp\nceTaskId=AZ-b_1\nceTaskUrl=https://sonar.example/x/api/ce/task?id=AZ-b_1\n"

func TestReadTask(t *testing.T) {
	want := Task{Project: "acme:app", ID: "AZ-b_1", Server: "https://sonar.example/x"}
	for _, text := range []string{sample, strings.ReplaceAll(sample, "\n", "\r\n"), "#Thu Nov 26\n\n" + strings.ReplaceAll(sample, ":", `\:`)} {
		got, err := ReadTask([]byte(text))
		if err != nil || got != want {
			t.Errorf("%v, %+v", err, got)
		}
	}
	for text, why := range map[string]string{
		"":                                     "no ceTaskId",
		"<html>":                               "line 1 is not NAME=VALUE",
		sample + "projectKey=other\n":          "line 7 gives projectKey a second time",
		strings.Replace(sample, "AZ-", "&", 1): "not the id of a task",
		strings.Replace(sample, "acme:app", "", 1):                          "its projectKey is wrong: it is empty",
		strings.Replace(sample, "acme:app", "a,b", 1):                       "its projectKey is wrong",
		strings.Replace(sample, "https://sonar.example/x", "ftp://x", 1):    "its serverUrl is wrong",
		strings.Replace(sample, "serverUrl=https://sonar.example/x", "", 1): "its serverUrl is wrong",
	} {
		if _, err := ReadTask([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", text, err, why)
		}
	}
}

// FuzzReadTask holds that what is read of a file leads to one server, one project and one task, or is refused.
func FuzzReadTask(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("#c\nceTaskId=1\nprojectKey=a\nserverUrl=http\\://localhost\\:9000\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		task, err := ReadTask(text)
		if err != nil {
			return
		}
		server, err := parseServer(task.Server)
		if err != nil || !isID(task.ID) || checkProject(task.Project) != nil || server.User != nil || server.RawQuery != "" {
			t.Errorf("%+v", task)
		}
		if _, err := New(Options{Task: &task}); err == nil && server.Hostname() != "sonarcloud.io" {
			t.Errorf("the file leads to %s", server)
		}
	})
}

// FuzzAnswers holds that whatever a server says is an answer or one error, and that paths stay in the tree.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{vulnerability, impacting, leak, toReview, errorGate,
		`{"task":{"id":"T","componentKey":"app","status":"SUCCESS","analysisId":"A"}}`, `{"paging":{"total":1},"issues":[` + vulnerability + `]}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var x issue
		var h hotspot
		var gate struct {
			Conditions []condition `json:"conditions"`
		}
		r := reply{}
		base, err := parseServer(Cloud)
		if err != nil {
			t.Fatal(err)
		}
		r.base = base
		about := analysis{project: "app"}
		if decode(body, &x) == nil {
			severity, _ := x.security()
			r.issue(&about, &x, severity, map[string]string{})
		}
		if decode(body, &h) == nil {
			r.hotspot(&about, &h, map[string]string{h.Component: h.Message})
		}
		if decode(body, &gate) == nil {
			r.failed(&about, true, gate.Conditions)
		}
		for _, found := range r.findings {
			if found.Fingerprint == "" || found.Rule == "" || strings.ContainsAny(found.Title+found.Rule, "\n\r\x1b") {
				t.Errorf("%+v", found)
			}
			for _, l := range found.Locations {
				if l.Line < 0 || filepath.IsAbs(l.Path) || l.Path == ".." || strings.HasPrefix(l.Path, "../") {
					t.Errorf("%+v", l)
				}
			}
			if _, err := json.Marshal(found); err != nil {
				t.Error(err)
			}
		}
	})
}
