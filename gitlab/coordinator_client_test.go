//go:build clients

package gitlab_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// pipelineJob is a job as gitlab-ci-local's preview writes it: with all includes and inputs put in, which is the server's work.
type pipelineJob struct {
	Stage     string
	Variables map[string]string
	Script    []string
	Needs     []struct{ Job string }
	Cache     []struct {
		Key    string
		Policy string
		Paths  []string
	}
	Artifacts struct {
		When    string
		Paths   []string
		Reports map[string]any // a path or several
	}
	AllowFailure bool `yaml:"allow_failure"`
}

// coordinator is as much of GitLab as a runner speaks with: it hands out the jobs of one pipeline in order, passes on
// what earlier ones left, and keeps what became of each.
//
// https://docs.gitlab.com/api/runners/ does not describe this part; the runner's package network does.
type coordinator struct {
	mu        sync.Mutex
	jobs      []*coordinatedJob
	variables []variable
	clone     string
	sha       string
	problems  []string
	notes     []string // on the merge request
}

type variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	Masked bool   `json:"masked"`
}

type coordinatedJob struct {
	id        int
	name      string
	job       pipelineJob
	state     string // empty until it ended
	trace     bytes.Buffer
	artifacts map[string][]byte // what was uploaded, by type
	dotenv    []variable
}

// pipeline expands a project's pipeline with gitlab-ci-local. The names are the order in which a server would start the jobs.
func pipeline(t *testing.T, project *clients.Project, names []string, variables ...string) *coordinator {
	t.Helper()
	args := []string{"--preview"}
	for _, v := range variables {
		args = append(args, "--variable", v)
	}
	cmd := exec.CommandContext(t.Context(), clients.Tool(t, "gitlab-ci-local"), args...)
	cmd.Dir = project.Dir
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var all map[string]yaml.Node
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	c := &coordinator{clone: project.Dir}
	global := map[string]string{}
	node := all["variables"]
	if err := node.Decode(&global); err != nil {
		t.Fatal(err)
	}
	for k, v := range global {
		c.variables = append(c.variables, variable{Key: k, Value: v, Public: true})
	}
	for i, name := range names {
		node, ok := all[name]
		j := &coordinatedJob{id: i + 1, name: name, artifacts: map[string][]byte{}}
		if err := node.Decode(&j.job); err != nil || !ok {
			t.Fatalf("the job %s: %v\n%s", name, err, text)
		}
		c.jobs = append(c.jobs, j)
	}
	head, code := clients.Run(t, project.Dir, nil, "git", "rev-parse", "HEAD")
	if code != 0 {
		t.Fatal(head)
	}
	c.sha = strings.TrimSpace(head)
	for k, v := range map[string]string{"CI": "true", "GITLAB_CI": "true", "CI_COMMIT_SHA": c.sha, "CI_COMMIT_BRANCH": "main", "CI_PROJECT_PATH": "acme/app",
		"CI_PIPELINE_SOURCE": "push"} {
		c.set(k, v)
	}
	for _, v := range variables { // those of a pipeline win over those of its file
		k, value, _ := strings.Cut(v, "=")
		c.set(k, value)
	}
	return c
}

func (c *coordinator) set(key, value string) {
	c.variables = slices.DeleteFunc(c.variables, func(v variable) bool { return v.Key == key })
	c.variables = append(c.variables, variable{Key: key, Value: value, Public: true})
}

func (c *coordinator) job(name string) *coordinatedJob {
	for _, j := range c.jobs {
		if j.name == name {
			return j
		}
	}
	return nil
}

// next is the job to run, if all that it needs succeeded; a job that needs one that failed is skipped.
func (c *coordinator) next() *coordinatedJob {
	for _, j := range c.jobs {
		if j.state != "" {
			continue
		}
		for _, need := range j.job.Needs {
			if of := c.job(need.Job); of == nil || of.state != "success" {
				j.state = "skipped"
			}
		}
		if j.state == "" {
			j.state = "running"
			return j
		}
	}
	return nil
}

// order is what a runner is told to do.
func (c *coordinator) order(j *coordinatedJob) map[string]any {
	// The job's own variables come first: those of the pipeline and those that jobs before left win over them.
	var variables []variable
	for k, v := range j.job.Variables {
		if !slices.ContainsFunc(c.variables, func(of variable) bool { return of.Key == k }) {
			variables = append(variables, variable{Key: k, Value: v, Public: true})
		}
	}
	variables = append(variables, c.variables...)
	variables = append(variables, variable{Key: "CI_JOB_NAME", Value: j.name, Public: true}, variable{Key: "CI_JOB_TOKEN", Value: "job-secret", Masked: true})
	dependencies := []map[string]any{}
	for _, need := range j.job.Needs {
		of := c.job(need.Job)
		variables = append(variables, of.dotenv...)
		if archive := of.artifacts["archive"]; archive != nil {
			dependencies = append(dependencies, map[string]any{"id": of.id, "token": "t", "name": of.name,
				"artifacts_file": map[string]any{"filename": "artifacts.zip", "size": len(archive)}})
		}
	}
	when := j.job.Artifacts.When
	artifacts := []map[string]any{}
	if len(j.job.Artifacts.Paths) > 0 {
		artifacts = append(artifacts, map[string]any{"name": "artifacts", "paths": j.job.Artifacts.Paths, "when": when,
			"artifact_type": "archive", "artifact_format": "zip"})
	}
	for kind, paths := range j.job.Artifacts.Reports {
		if single, ok := paths.(string); ok {
			paths = []string{single}
		}
		artifacts = append(artifacts, map[string]any{"name": kind, "paths": paths, "when": when, "artifact_type": kind, "artifact_format": "gzip"})
	}
	caches := []map[string]any{}
	for _, cache := range j.job.Cache {
		caches = append(caches, map[string]any{"key": cache.Key, "paths": cache.Paths, "policy": cache.Policy})
	}
	return map[string]any{
		"id": j.id, "token": "job-secret", "allow_git_fetch": true,
		"job_info":     map[string]any{"id": j.id, "name": j.name, "stage": j.job.Stage, "project_id": 42, "project_name": "app"},
		"git_info":     map[string]any{"repo_url": c.clone, "ref": "main", "sha": c.sha, "ref_type": "branch"},
		"runner_info":  map[string]any{"timeout": 300},
		"variables":    variables,
		"steps":        []map[string]any{{"name": "script", "script": j.job.Script, "timeout": 300, "when": "on_success"}},
		"artifacts":    artifacts,
		"cache":        caches,
		"dependencies": dependencies,
		"features":     map[string]any{"trace_sections": true},
	}
}

func (c *coordinator) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	rest, ok := strings.CutPrefix(req.URL.Path, "/api/v4/jobs/")
	if ok && rest == "request" {
		j := c.next()
		if j == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(c.order(j))
		return
	}
	if strings.HasPrefix(req.URL.Path, "/api/v4/projects/42/") || req.URL.Path == "/api/v4/user" {
		c.discuss(w, req)
		return
	}
	number, what, _ := strings.Cut(rest, "/")
	id, err := strconv.Atoi(number)
	if !ok || err != nil || id < 1 || id > len(c.jobs) {
		http.NotFound(w, req)
		return
	}
	if err := c.serve(w, req, c.jobs[id-1], what); err != nil {
		c.problems = append(c.problems, fmt.Sprintf("%s %s: %v", req.Method, req.URL.Path, err))
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// discuss answers as much of the API as a note needs, with the user 1.
func (c *coordinator) discuss(w http.ResponseWriter, req *http.Request) {
	var sent struct{ Body string }
	switch what := strings.TrimPrefix(req.URL.Path, "/api/v4/projects/42/merge_requests/7/notes"); {
	case req.Header.Get("PRIVATE-TOKEN") != "note-secret":
		w.WriteHeader(http.StatusUnauthorized)
	case req.Method == http.MethodGet && req.URL.Path == "/api/v4/user":
		fmt.Fprint(w, `{"id": 1}`)
	case req.Method == http.MethodGet && what == "":
		notes := []map[string]any{}
		for i, body := range c.notes {
			notes = append(notes, map[string]any{"id": i, "body": body, "author": map[string]any{"id": 1}})
		}
		json.NewEncoder(w).Encode(notes)
	case json.NewDecoder(req.Body).Decode(&sent) != nil:
		w.WriteHeader(http.StatusBadRequest)
	case req.Method == http.MethodPost && what == "":
		c.notes = append(c.notes, sent.Body)
		w.WriteHeader(http.StatusCreated)
	case req.Method == http.MethodPut && what == "/0":
		c.notes[0] = sent.Body
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// serve answers a runner's request about one job.
func (c *coordinator) serve(w http.ResponseWriter, req *http.Request, j *coordinatedJob, what string) error {
	switch req.Method + " " + what {
	case "PATCH trace":
		if _, err := j.trace.ReadFrom(req.Body); err != nil {
			return err
		}
		w.Header().Set("Job-Status", "running")
		w.Header().Set("Range", fmt.Sprintf("0-%d", j.trace.Len()))
		w.WriteHeader(http.StatusAccepted)
	case "PUT ":
		var said struct{ State string }
		if err := json.NewDecoder(req.Body).Decode(&said); err != nil {
			return err
		}
		if said.State == "success" || said.State == "failed" {
			j.state = said.State
		}
	case "POST artifacts/authorize":
		fmt.Fprint(w, "{}")
	case "POST artifacts":
		if err := j.take(req); err != nil {
			return err
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "{}")
	case "GET artifacts":
		w.Write(j.artifacts["archive"])
	default:
		return errors.New("nobody expected that")
	}
	return nil
}

// take keeps an artifact. GitLab unpacks reports, and reads variables out of the one that holds some.
func (j *coordinatedJob) take(req *http.Request) error {
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	kind := req.URL.Query().Get("artifact_type")
	for parts := multipart.NewReader(req.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if part.FileName() == "" {
			continue
		}
		var content io.Reader = part
		if req.URL.Query().Get("artifact_format") == "gzip" {
			if content, err = gzip.NewReader(part); err != nil {
				return err
			}
		}
		if j.artifacts[kind], err = io.ReadAll(content); err != nil {
			return err
		}
		if kind != "dotenv" {
			continue
		}
		for line := range strings.Lines(string(j.artifacts[kind])) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			j.dotenv = append(j.dotenv, variable{Key: k, Value: v, Public: true})
		}
	}
}
