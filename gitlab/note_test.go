package gitlab

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

const judged = core.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")

// brought is a result with one finding of that name, refused for that cause.
func brought(name string, cause core.Cause) *gate.Result {
	return &gate.Result{
		Evidence: core.Evidence{
			Subjects: []core.Subject{{Name: name, Kind: core.KindImage, Digest: judged}},
			Findings: []core.Finding{{Fingerprint: "f1", Subject: judged, Kind: core.KindVulnerability, Rule: "CVE-2026-0001", Title: name,
				Severity: core.SeverityHigh, Package: &core.PackageRef{Name: name, Version: name, Purl: "pkg:generic/x"}, Fix: core.Fix{Version: name}}},
		},
		Verdict: core.Verdict{Decision: core.Refused, Counts: core.Counts{Findings: 1, High: 1},
			Refusals: []core.Outcome{{Rule: "high", Subject: judged, Fingerprint: "f1", Message: name, Cause: cause}}},
	}
}

// show publishes a result in a job with these variables, and returns the log.
func show(t *testing.T, job Job, env map[string]string, r *gate.Result) string {
	t.Helper()
	t.Chdir(t.TempDir())
	var log bytes.Buffer
	a := New(Options{Job: job, Getenv: from(env), Stdout: &log, Now: func() time.Time { return time.Unix(1700000000, 0) },
		Document: func(r *gate.Result) report.Document { return report.NewDocument(report.Tool{}, r.Evidence, &r.Verdict) }})
	if err := a.Publish(t.Context(), r); err != nil {
		t.Errorf("%v\n%s", err, &log)
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the token is in the log:\n%s", &log)
	}
	return log.String()
}

func TestAMergeRequestIsToldWhatIsNew(t *testing.T) {
	g := &instance{}
	server := httptest.NewServer(g)
	defer server.Close()
	env := variables(server.URL + "/api/v4")
	env["CI_JOB_NAME"] = "cleanbill --> x"
	for _, step := range []struct {
		job    Job
		cause  core.Cause
		says   string
		writes int
	}{
		{JobGate, core.CauseKnown, "", 0},
		{JobPush, core.CauseCode, "", 0},
		{JobVerdict, core.CauseCode, "", 0},
		{JobGate, core.CauseCode, "This change brings 1 finding", 1},
		{JobScan, core.CauseCode, "This change brings 1 finding", 1},
		{JobGate, core.CauseAdvisory, allGone, 2},
	} {
		show(t, step.job, env, brought("openssl", step.cause))
		var body string
		if len(g.notes) > 0 {
			body = g.notes[0].Body
		}
		if g.writes != step.writes || len(g.notes) > 1 || !strings.Contains(body, step.says) {
			t.Errorf("job %d, %s: %d writes, notes %+v", step.job, step.cause, g.writes, g.notes)
		}
	}
	if first, _, _ := strings.Cut(g.notes[0].Body, "\n"); first != "<!-- cleanbill:cleanbill%20--%3E%20x -->" {
		t.Errorf("the mark is %q", first)
	}
}

// A line that begins with a slash is a command to GitLab, which it obeys with the rights of the token.
func TestHostileNamesAreNoQuickActions(t *testing.T) {
	for _, evil := range []string{"/approve", "x\n/approve", "x\r\n/merge\r\n", "`\n/approve", "<br>\n/approve", "-->\n/approve", "\n\n/label ~x @all"} {
		g := &instance{}
		server := httptest.NewServer(g)
		show(t, JobGate, variables(server.URL+"/api/v4"), brought(evil, core.CauseCode))
		server.Close()
		if len(g.notes) != 1 {
			t.Fatalf("%q: notes %+v", evil, g.notes)
		}
		for line := range strings.Lines(regexp.MustCompile("`[^`\n]*`").ReplaceAllString(g.notes[0].Body, "CODE")) {
			if regexp.MustCompile(`^\s*(/|&#8203;/)`).MatchString(line) || strings.Contains(line, "@all") {
				t.Errorf("%q: the note says %q", evil, g.notes[0].Body)
			}
		}
	}
}

// Whatever the instance does, the verdict stands, and the log says why there is no note.
func TestANoteThatCannotBeWrittenIsToldInTheLog(t *testing.T) {
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		handler http.Handler
		more    map[string]string
		says    []string
	}{
		"forbidden":  {&instance{readOnly: true}, nil, []string{"GitLab answers 403: insufficient_scope", "needs the scope api"}},
		"redirected": {http.RedirectHandler("http://elsewhere.invalid/", http.StatusFound), nil, []string{"GitLab answers 302"}},
		"huge":       {answers(200, "["+strings.Repeat(" ", maxAnswer)), nil, []string{"has more than"}},
		"hostile": {answers(500, `{"message": "x\u001b[0Ksection_end:1:x\r\u001b[0K"}`), nil,
			[]string{"GitLab answers 500"}},
		"not encrypted": {&instance{}, map[string]string{"CI_API_V4_URL": "http://gitlab.invalid/api/v4"}, []string{"not encrypted"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			env := variables(server.URL + "/api/v4")
			maps.Copy(env, tc.more)
			log := show(t, JobGate, env, brought("openssl", core.CauseCode))
			for _, want := range append(tc.says, "The note on the merge request was not written") {
				if !strings.Contains(log, want) {
					t.Errorf("the log does not say %q:\n%q", want, log)
				}
			}
			if strings.Contains(log, "\x1b") || strings.Contains(log, "\r") {
				t.Errorf("control characters reach the log: %q", log)
			}
		})
	}
}
