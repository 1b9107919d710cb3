package actions_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

const hostileName = "x](javascript:1) @everyone <img src=x> | \n::error::forged"

// commented publishes what brings a finding of a hostile name on pull request 7, with a server that answers a write so.
func commented(t *testing.T, status int, event string) (*runner, []string) {
	t.Helper()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			if req.URL.Path == "/user" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			io.WriteString(w, "[]")
			return
		}
		body, _ := io.ReadAll(req.Body)
		bodies = append(bodies, req.URL.Path+" "+string(body))
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	r := newRunner(t)
	base, head := strings.Repeat("a", 40), strings.Repeat("b", 40)
	file := filepath.Join(t.TempDir(), "event.json")
	payload := `{"number":7,"pull_request":{"number":7,"base":{"sha":"` + base + `","ref":"main"},"head":{"sha":"` + head + `","ref":"x"}}}`
	if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": file, "GITHUB_API_URL": server.URL,
		"GITHUB_REPOSITORY": "acme/app", "INPUT_COMMENT_TOKEN": "ghs_secret", "INPUT_CATEGORY": "app --> <b>"} {
		r.env[name] = value
	}
	a := r.adapter()
	if _, err := a.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	const subject = core.Digest("sha256:0000000000000000000000000000000000000000000000000000000000000001")
	result := &gate.Result{
		Evidence: core.Evidence{Subjects: []core.Subject{{Digest: subject, Name: "app"}},
			Findings: []core.Finding{{Kind: core.KindVulnerability, Rule: "CVE-1", Subject: subject, Fingerprint: "f", Title: hostileName}}},
		Verdict: core.Verdict{Decision: core.Refused,
			Refusals: []core.Outcome{{Subject: subject, Fingerprint: "f", Message: hostileName, Cause: core.CauseCode}}},
	}
	if err := a.Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	return r, bodies
}

func TestCommentSaysWhatIsNewAndForgesNothing(t *testing.T) {
	r, bodies := commented(t, http.StatusCreated, "pull_request")
	if len(bodies) != 1 || !strings.HasPrefix(bodies[0], "/repos/acme/app/issues/7/comments ") {
		t.Fatalf("written: %q", bodies)
	}
	for _, forged := range []string{"x](javascript", " @everyone", "<img", `\u003cimg`, `--\u003e \u003cb`} {
		if strings.Contains(bodies[0], forged) {
			t.Errorf("the comment holds %q: %s", forged, bodies[0])
		}
	}
	obeyed := commands(t, r.stdout.String())
	if obeyed[0].name != "add-mask" || obeyed[0].message != "ghs_secret" {
		t.Errorf("the token is not masked first: %+v", obeyed[0])
	}
}

func TestCommentIsACourtesy(t *testing.T) {
	for status, level := range map[int]string{http.StatusForbidden: "notice", http.StatusNotFound: "notice", http.StatusBadGateway: "warning"} {
		r, _ := commented(t, status, "pull_request")
		said := ""
		for _, c := range commands(t, r.stdout.String()) {
			if c.properties["title"] == "No comment on the pull request" {
				said = c.name
			}
		}
		if said != level {
			t.Errorf("%d is told as %q, want %q", status, said, level)
		}
		if got := r.outputs(t)["exit-code"]; got != "1" {
			t.Errorf("%d: exit-code is %q", status, got)
		}
	}
}

func TestCommentIsForPullRequestsOnly(t *testing.T) {
	if _, bodies := commented(t, http.StatusCreated, "push"); len(bodies) != 0 {
		t.Errorf("written: %q", bodies)
	}
}
