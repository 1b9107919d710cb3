package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// github is as much of GitHub as has comments of one pull request, number 7.
type github struct {
	mutex    sync.Mutex
	comments []comment
	login    string // of a personal token; empty for a workflow's
	readOnly bool
	writes   int
	asked    []string
}

const mark = "<!-- cleanbill:gate -->"

func (g *github) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.asked = append(g.asked, req.Method+" "+req.URL.Path)
	if req.Header.Get("Authorization") != "Bearer secret" {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	var sent struct{ Body string }
	if req.Method != http.MethodGet {
		if g.readOnly {
			http.Error(w, `{"message":"Resource not accessible by integration"}`, http.StatusForbidden)
			return
		}
		g.writes++
		if err := json.NewDecoder(req.Body).Decode(&sent); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
	}
	me := user{Login: "github-actions[bot]", Type: "Bot"}
	if g.login != "" {
		me = user{Login: g.login, Type: "User"}
	}
	switch {
	case req.URL.Path == "/user" && g.login == "":
		http.Error(w, `{"message":"Resource not accessible by integration"}`, http.StatusForbidden)
	case req.URL.Path == "/user":
		json.NewEncoder(w).Encode(me)
	case req.Method == http.MethodPatch:
		for i := range g.comments {
			if req.URL.Path == fmt.Sprintf("/repos/acme/app/issues/comments/%d", g.comments[i].ID) {
				g.comments[i].Body = sent.Body
				return
			}
		}
		http.NotFound(w, req)
	case req.URL.Path != "/repos/acme/app/issues/7/comments":
		http.NotFound(w, req)
	case req.Method == http.MethodPost:
		g.comments = append(g.comments, comment{ID: int64(len(g.comments) + 1), Body: sent.Body, User: me})
		w.WriteHeader(http.StatusCreated)
	default:
		var page int
		fmt.Sscan(req.URL.Query().Get("page"), &page)
		from := min((page-1)*pageSize, len(g.comments))
		json.NewEncoder(w).Encode(g.comments[from:min(from+pageSize, len(g.comments))])
	}
}

func (g *github) serve(t *testing.T) *api {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	a, err := newAPI(server.URL, "acme/app", "secret")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOneCommentIsKeptUpToDate(t *testing.T) {
	for _, login := range []string{"", "somebody"} {
		g := &github{login: login}
		a := g.serve(t)
		for _, step := range []struct {
			text, body string
			writes     int
		}{
			{"", "", 0}, // nothing is new, and nothing was
			{"two are new", mark + "\ntwo are new", 1},
			{"two are new", mark + "\ntwo are new", 1},
			{"one is new", mark + "\none is new", 2},
			{"", mark + "\nnothing is new any more", 3},
			{"", mark + "\nnothing is new any more", 3},
			{"three are new", mark + "\nthree are new", 4},
		} {
			if err := a.stick(context.Background(), 7, mark, step.text, "nothing is new any more"); err != nil {
				t.Fatal(err)
			}
			var body string
			if len(g.comments) > 0 {
				body = g.comments[0].Body
			}
			if body != step.body || g.writes != step.writes || len(g.comments) > 1 {
				t.Errorf("%q: %d writes, comments %+v; want %d and %q", step.text, g.writes, g.comments, step.writes, step.body)
			}
		}
	}
}

func TestTheCommentIsFoundAmongMany(t *testing.T) {
	g := &github{}
	for i := range 250 {
		g.comments = append(g.comments, comment{ID: int64(i + 1), Body: "words", User: user{Login: "somebody"}})
	}
	g.comments[230] = comment{ID: 231, Body: mark + "\nold", User: user{Login: "github-actions[bot]"}}
	if err := g.serve(t).stick(context.Background(), 7, mark, "new", ""); err != nil {
		t.Fatal(err)
	}
	if g.comments[230].Body != mark+"\nnew" || len(g.comments) != 250 {
		t.Errorf("it is %q, of %d", g.comments[230].Body, len(g.comments))
	}
}

func TestNobodyElsesCommentIsTouched(t *testing.T) {
	theirs := comment{ID: 1, Body: mark + "\nall is well", User: user{Login: "mallory"}}
	g := &github{comments: []comment{theirs}}
	if err := g.serve(t).stick(context.Background(), 7, mark, "one is new", ""); err != nil {
		t.Fatal(err)
	}
	if len(g.comments) != 2 || g.comments[0] != theirs || g.comments[1].Body != mark+"\none is new" {
		t.Errorf("comments are %+v", g.comments)
	}
}

func TestATokenThatMayOnlyReadIsRecognised(t *testing.T) {
	g := &github{readOnly: true}
	err := g.serve(t).stick(context.Background(), 7, mark, "one is new", "")
	if !mayNot(err) || !strings.Contains(err.Error(), "not accessible") {
		t.Errorf("got %v", err)
	}
}

func TestTheTokenGoesToTheAPIOnly(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		t.Errorf("asked for %s with %q", req.URL, req.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	a, err := newAPI(redirecting.URL, "acme/app", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.stick(context.Background(), 7, mark, "one is new", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	for name, tc := range map[string][2]string{
		"no address":      {"", "acme/app"},
		"no encryption":   {"http://api.example", "acme/app"},
		"another scheme":  {"file:///etc", "acme/app"},
		"credentials":     {"https://a:b@api.example", "acme/app"},
		"no repository":   {"https://api.example", "acme"},
		"a path as name":  {"https://api.example", "acme/../.."},
		"a query as name": {"https://api.example", "acme/app?x"},
	} {
		if _, err := newAPI(tc[0], tc[1], "secret"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnswersThatAreNoneAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON": "<html>", "another form": `{"id": 1}`, "too much": "[" + strings.Repeat(" ", maxAnswer) + "]",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/user" {
				http.Error(w, "", http.StatusForbidden)
				return
			}
			fmt.Fprint(w, answer)
		}))
		a, err := newAPI(server.URL, "acme/app", "secret")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.stick(context.Background(), 7, mark, "one is new", ""); err == nil || mayNot(err) {
			t.Errorf("%s: got %v", name, err)
		}
		server.Close()
	}
}
