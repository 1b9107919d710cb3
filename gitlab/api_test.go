package gitlab

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// instance is as much of GitLab as has the notes of one merge request, number 7 of project 42.
type instance struct {
	mutex    sync.Mutex
	notes    []note
	readOnly bool
	writes   int
}

const (
	mark = "<!-- cleanbill:test -->"
	us   = 11 // the user whose the token is
	path = "/api/v4/projects/42/merge_requests/7/notes"
)

func (g *instance) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	job := req.Header.Get("JOB-TOKEN") == "job-secret"
	if req.Header.Get("PRIVATE-TOKEN") != "secret" && !job {
		http.Error(w, `{"message":"401 Unauthorized"}`, http.StatusUnauthorized)
		return
	}
	var sent struct{ Body string }
	if req.Method != http.MethodGet {
		if g.readOnly {
			http.Error(w, `{"error":"insufficient_scope"}`, http.StatusForbidden)
			return
		}
		g.writes++
		if err := json.NewDecoder(req.Body).Decode(&sent); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
	}
	me := author{us}
	switch {
	case req.URL.Path == "/api/v4/user" && !job:
		json.NewEncoder(w).Encode(me)
	case req.URL.Path == "/api/v4/job" && job:
		json.NewEncoder(w).Encode(map[string]any{"id": 99, "user": me})
	case req.Method == http.MethodPut:
		for i := range g.notes {
			if req.URL.Path == fmt.Sprintf("%s/%d", path, g.notes[i].ID) {
				g.notes[i].Body = sent.Body
				return
			}
		}
		http.NotFound(w, req)
	case req.URL.Path != path:
		http.NotFound(w, req)
	case req.Method == http.MethodPost:
		g.notes = append(g.notes, note{ID: int64(len(g.notes) + 1), Body: sent.Body, Author: me})
		w.WriteHeader(http.StatusCreated)
	default:
		var page int
		fmt.Sscan(req.URL.Query().Get("page"), &page)
		from := min((page-1)*pageSize, len(g.notes))
		json.NewEncoder(w).Encode(g.notes[from:min(from+pageSize, len(g.notes))])
	}
}

// variables are those of a job in the merge request, at an instance of that address.
func variables(address string) map[string]string {
	return map[string]string{"CI_API_V4_URL": address, "CI_MERGE_REQUEST_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7",
		"CLEANBILL_GITLAB_TOKEN": "secret", "CI_JOB_TOKEN": "job-secret"}
}

func from(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func (g *instance) serve(t *testing.T, more map[string]string) *api {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	env := variables(server.URL + "/api/v4")
	maps.Copy(env, more)
	a, err := newAPI(from(env))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOneNoteIsKeptUpToDate(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"a project's token": {}, "the job's own token": {"CLEANBILL_GITLAB_TOKEN": "job-secret"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &instance{}
			a := g.serve(t, more)
			for _, step := range []struct {
				text, body string
				writes     int
			}{
				{"", "", 0}, // nothing is new, and nothing was
				{"two are new\n", mark + "\n\ntwo are new", 1},
				{"two are new\n", mark + "\n\ntwo are new", 1},
				{"one is new", mark + "\n\none is new", 2},
				{"", mark + "\n\nnothing is new any more", 3},
				{"", mark + "\n\nnothing is new any more", 3},
				{"three are new", mark + "\n\nthree are new", 4},
			} {
				if err := a.stick(t.Context(), mark, step.text, "nothing is new any more"); err != nil {
					t.Fatal(err)
				}
				var body string
				if len(g.notes) > 0 {
					body = g.notes[0].Body
				}
				if body != step.body || g.writes != step.writes || len(g.notes) > 1 {
					t.Errorf("%q: %d writes, notes %+v; want %d and %q", step.text, g.writes, g.notes, step.writes, step.body)
				}
			}
		})
	}
}

func TestTheNoteIsFoundAmongMany(t *testing.T) {
	g := &instance{}
	for i := range 250 {
		g.notes = append(g.notes, note{ID: int64(i + 1), Body: "words", Author: author{3}})
	}
	g.notes[230] = note{ID: 231, Body: mark + "\n\nold", Author: author{us}}
	if err := g.serve(t, nil).stick(t.Context(), mark, "new", ""); err != nil {
		t.Fatal(err)
	}
	if g.notes[230].Body != mark+"\n\nnew" || len(g.notes) != 250 {
		t.Errorf("it is %q, of %d", g.notes[230].Body, len(g.notes))
	}
}

func TestNobodyElsesNoteIsTouched(t *testing.T) {
	theirs := note{ID: 1, Body: mark + "\n\nall is well", Author: author{3}}
	g := &instance{notes: []note{theirs}}
	if err := g.serve(t, nil).stick(t.Context(), mark, "one is new", ""); err != nil {
		t.Fatal(err)
	}
	if len(g.notes) != 2 || g.notes[0] != theirs || g.notes[1].Body != mark+"\n\none is new" {
		t.Errorf("notes are %+v", g.notes)
	}
}

func TestATokenWithoutTheRightIsRecognised(t *testing.T) {
	for name, a := range map[string]*api{
		"it may only read":    (&instance{readOnly: true}).serve(t, nil),
		"it is of nobody":     (&instance{}).serve(t, map[string]string{"CLEANBILL_GITLAB_TOKEN": "expired"}),
		"the request is gone": (&instance{}).serve(t, map[string]string{"CI_MERGE_REQUEST_IID": "8"}),
	} {
		if err := a.stick(t.Context(), mark, "one is new", ""); !mayNot(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheTokenGoesToTheAPIOnly(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		t.Errorf("asked for %s with %q", req.URL, req.Header)
	}))
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	a, err := newAPI(from(variables(redirecting.URL)))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.stick(t.Context(), mark, "one is new", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	for name, wrong := range map[string]map[string]string{
		"no address":        {"CI_API_V4_URL": ""},
		"no encryption":     {"CI_API_V4_URL": "http://gitlab.example/api/v4"},
		"another scheme":    {"CI_API_V4_URL": "file:///etc"},
		"credentials":       {"CI_API_V4_URL": "https://a:b@gitlab.example/api/v4"},
		"a query":           {"CI_API_V4_URL": "https://gitlab.example/?x="},
		"a path as project": {"CI_MERGE_REQUEST_PROJECT_ID": "../user"},
		"a path as request": {"CI_MERGE_REQUEST_IID": "7/../8"},
		"two lines":         {"CLEANBILL_GITLAB_TOKEN": "secret\nHost: x"},
		"no certificates":   {"CI_SERVER_TLS_CA_FILE": filepath.Join(t.TempDir(), "absent")},
	} {
		env := variables("https://gitlab.example/api/v4")
		maps.Copy(env, wrong)
		if _, err := newAPI(from(env)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWithoutATokenOrARequestNobodyIsAsked(t *testing.T) {
	for _, without := range []string{"CLEANBILL_GITLAB_TOKEN", "CI_MERGE_REQUEST_IID"} {
		env := variables("https://gitlab.example/api/v4")
		delete(env, without)
		if a, err := newAPI(from(env)); a != nil || err != nil {
			t.Errorf("without %s: %v, %v", without, a, err)
		}
	}
}

func TestAnswersThatAreNoneAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON": "<html>", "another form": `[1]`, "nobody": `{}`, "too much": "{" + strings.Repeat(" ", maxAnswer) + "}",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		a, err := newAPI(from(variables(server.URL)))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.stick(t.Context(), mark, "one is new", ""); err == nil || mayNot(err) {
			t.Errorf("%s: got %v", name, err)
		}
		server.Close()
	}
}

func TestAnInstanceThatDoesNotAnswerIsNotWaitedForForEver(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	defer server.Close()
	a, err := newAPI(from(variables(server.URL)))
	if err != nil {
		t.Fatal(err)
	}
	if a.client.Timeout != patience {
		t.Errorf("it is waited for %v", a.client.Timeout)
	}
	a.client.Timeout = 10 * time.Millisecond
	if err := a.stick(t.Context(), mark, "one is new", ""); err == nil || mayNot(err) {
		t.Errorf("got %v", err)
	}
}

func TestAnInstanceWithACertificateOfItsOwnIsKnown(t *testing.T) {
	g := &instance{}
	server := httptest.NewUnstartedServer(g)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail, as they should
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ca := range []string{"", file} {
		env := variables(server.URL + "/api/v4")
		env["CI_SERVER_TLS_CA_FILE"] = ca
		a, err := newAPI(from(env))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.stick(t.Context(), mark, "one is new", ""); (err == nil) != (ca != "") {
			t.Errorf("with the certificates %q: %v", ca, err)
		}
	}
}
