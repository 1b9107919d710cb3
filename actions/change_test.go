package actions_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/testdata/gittest"
)

var (
	baseSHA, headSHA = strings.Repeat("a", 40), strings.Repeat("b", 40)
	request          = `{"number":12,"base":{"sha":"` + baseSHA + `","ref":"main","repo":{"full_name":"acme/app"}},"head":{"sha":"` + headSHA +
		`","ref":"x","repo":{"full_name":"acme/app"}}}`
)

func (r *runner) event(t *testing.T, name, payload string) {
	t.Helper()
	r.env["GITHUB_EVENT_NAME"], r.env["GITHUB_EVENT_PATH"] = name, filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(r.env["GITHUB_EVENT_PATH"], []byte(payload), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheEventNamesTheChange(t *testing.T) {
	ofRequest := core.Change{Repository: "acme/app", Branch: "main", Head: headSHA, Base: baseSHA, Request: "#12"}
	fork := strings.Replace(request, `"ref":"x","repo":{"full_name":"acme/app"}`, `"ref":"x","repo":{"full_name":"evil/app"}`, 1)
	ofFork := ofRequest
	ofFork.Request = "#12 from the fork evil/app"
	pushed := core.Change{Repository: "acme/app", Branch: "topic", Head: "sha"}
	asked := pushed
	asked.Base = "origin/main"
	for name, tc := range map[string]struct {
		event, payload, base string
		want                 core.Change
	}{
		"pull request":                     {"pull_request", `{"action":"opened","number":12,"pull_request":` + request + `}`, "", ofRequest},
		"pull request, base named as well": {"pull_request", `{"pull_request":` + request + `}`, baseSHA, ofRequest},
		"pull request of a fork":           {"pull_request_target", `{"pull_request":` + fork + `}`, "", ofFork},
		"review":                           {"pull_request_review", `{"pull_request":` + request + `}`, "", ofRequest},
		"merge group": {"merge_group", `{"merge_group":{"base_sha":"` + baseSHA + `","base_ref":"refs/heads/main","head_sha":"` + headSHA + `"}}`, "",
			core.Change{Repository: "acme/app", Branch: "main", Head: headSHA, Base: baseSHA}},
		"run of a request's workflow": {"workflow_run", `{"workflow_run":{"event":"pull_request","pull_requests":[` +
			strings.ReplaceAll(request, `"full_name":"acme/app"`, `"name":"app"`) + `]}}`, "", ofRequest},
		"run of a push's workflow":       {"workflow_run", `{"workflow_run":{"event":"push","pull_requests":[]}}`, "", pushed},
		"run of a fork's workflow":       {"workflow_run", `{"workflow_run":{"event":"pull_request","pull_requests":[]}}`, "origin/main", asked},
		"comment on an issue":            {"issue_comment", `{"issue":{"number":3}}`, "", pushed},
		"comment on a request":           {"issue_comment", `{"issue":{"pull_request":{"url":"u"}}}`, "origin/main", asked},
		"push":                           {"push", `{"before":"` + baseSHA + `"}`, "", pushed},
		"push, with a base":              {"push", `{}`, "origin/main", asked},
		"by hand, payload not looked at": {"workflow_dispatch", `nonsense`, "", pushed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.env["GITHUB_REPOSITORY"], r.env["GITHUB_SHA"], r.env["GITHUB_REF_NAME"], r.env["INPUT_BASE"] = "acme/app", "sha", "topic", tc.base
			r.event(t, tc.event, tc.payload)
			plan, err := r.adapter().Plan(context.Background())
			if err != nil || plan.Change != tc.want {
				t.Errorf("got %+v, %v; want %+v", plan.Change, err, tc.want)
			}
		})
	}
}

func TestARequestWithoutAReadableBaseIsNotJudged(t *testing.T) {
	for name, tc := range map[string]struct{ event, payload string }{
		"empty":                    {"pull_request", ""},
		"no event":                 {"pull_request", "[]"},
		"no request":               {"pull_request", "{}"},
		"no base":                  {"pull_request", `{"pull_request":{}}`},
		"null":                     {"pull_request", `{"pull_request":null}`},
		"a branch as base":         {"pull_request", strings.ReplaceAll(`{"pull_request":`+request+`}`, baseSHA, "main")},
		"an option as base":        {"pull_request", strings.ReplaceAll(`{"pull_request":`+request+`}`, baseSHA, "--upload-pack=x")},
		"two documents":            {"pull_request", `{"pull_request":` + request + `}{}`},
		"a number as base":         {"pull_request", `{"pull_request":{"base":{"sha":1}}}`},
		"too large":                {"pull_request", `{"pull_request":` + request + `}` + strings.Repeat(" ", 26<<20)},
		"no group":                 {"merge_group", "{}"},
		"run of a fork's workflow": {"workflow_run", `{"workflow_run":{"event":"pull_request","pull_requests":[]}}`},
		"comment on a request":     {"issue_comment", `{"issue":{"pull_request":{"url":"u"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.event(t, tc.event, tc.payload)
			exit, err := newGate(r).Serve(t.Context(), r.adapter())
			if exit != 3 || !errors.Is(err, gate.ErrNoBase) || core.HintOf(err) == "" {
				t.Errorf("exit code %d, %v", exit, err)
			}
		})
	}
	r := newRunner(t)
	r.env["GITHUB_EVENT_NAME"] = "pull_request"
	if exit, err := newGate(r).Serve(t.Context(), r.adapter()); exit != 3 {
		t.Errorf("no payload at all: exit code %d, %v", exit, err)
	}
}

func TestTheInputBaseDoesNotContradictTheEvent(t *testing.T) {
	r := newRunner(t)
	r.event(t, "pull_request", `{"pull_request":`+request+`}`)
	r.env["INPUT_BASE"] = headSHA
	if _, err := r.adapter().Plan(context.Background()); !core.Usage(err) || !strings.Contains(err.Error(), baseSHA) {
		t.Errorf("got %v", err)
	}
	r.env["INPUT_BASE"], r.env["CLEANBILL_BASE"] = "", headSHA
	if _, err := r.adapter().Plan(context.Background()); !core.Usage(err) {
		t.Errorf("by variable: %v", err)
	}
}

func newGate(r *runner) *gate.Gate {
	return &gate.Gate{Version: "test", Commit: "none", Now: func() time.Time { return time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC) }, Getenv: r.getenv}
}

// The whole way: a pull request that edits the policy, in the checkout that the runner has made.
func TestAPullRequestIsJudgedByTheBaseOfItsEvent(t *testing.T) {
	repository := gittest.New(t)
	base := repository.Commit(t, map[string]string{"go.mod": "module m\n\ngo 1.99.0\n",
		".cleanbill.yaml": "version: 1\nname: ours\nstarter-ok: true\nadvisories: {source: starter}\n"})
	head := repository.Commit(t, map[string]string{"go.mod": "module m\n\ngo 1.99.0\n\nrequire golang.org/x/net v0.16.0\n",
		".cleanbill.yaml": "version: 1\nname: lax\nextends: none\nstarter-ok: true\nrules: [{name: all, when: \"true\", action: ignore}]\n"})
	payload := strings.NewReplacer(baseSHA, base, headSHA, head).Replace(`{"pull_request":` + request + `}`)
	for name, tc := range map[string]struct {
		workspace string
		env       map[string]string
		exit      int
		says      string
	}{
		"whole history":  {repository.Dir, nil, 1, "suppression-added"},
		"shallow":        {repository.Clone(t, "--depth=1").Dir, nil, 3, "fetch-depth: 0"},
		"laxer input":    {repository.Dir, map[string]string{"INPUT_POLICY": "relaxed"}, 2, "allow: [policy]"},
		"laxer variable": {repository.Dir, map[string]string{"CLEANBILL_LIMITS": "entries=9"}, 2, "allow: [limits]"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.event(t, "pull_request", payload)
			r.env["GITHUB_WORKSPACE"], r.env["INPUT_TARGET"] = tc.workspace, tc.workspace
			for k, v := range tc.env {
				r.env[k] = v
			}
			exit, err := newGate(r).Serve(t.Context(), r.adapter())
			if exit != tc.exit {
				t.Errorf("exit code %d, %v; want %d", exit, err, tc.exit)
			}
			summary, _ := os.ReadFile(r.env["GITHUB_STEP_SUMMARY"])
			if text := core.HintOf(err) + string(summary) + r.stdout.String(); !strings.Contains(text, tc.says) {
				t.Errorf("nothing says %q:\n%s", tc.says, text)
			}
		})
	}
}
