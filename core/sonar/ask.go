package sonar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

const (
	// Cloud is the address of SonarQube Cloud, the only one that need not be named.
	Cloud = "https://sonarcloud.io"
	// Examination is the name of the examination that asking is evidence of. No report that is imported can have it.
	Examination = "sonarqube"
	// DefaultWait is how long an analysis is waited for.
	DefaultWait = 5 * time.Minute

	// maxResults is how many results of one search the server gives out.
	maxResults = 10_000
	pageSize   = 500
	tool       = "sonarqube"
)

// Options say what to ask, and whom.
type Options struct {
	// Task is what a scan in the workspace wrote. If it is nil, the latest analysis of Project is asked for, on Branch, for
	// PullRequest, or of the main branch. If it is not, those that are named have to be what the scan was of.
	Task                         *Task
	Project, Branch, PullRequest string
	// URL is the server's address, from somebody who may say where the token is sent: never from the workspace. Empty is
	// Cloud.
	URL string
	// Token may be empty for a server that answers everybody.
	Token string
	// Wait is how long the analysis is waited for; 0 is DefaultWait.
	Wait time.Duration

	UserAgent string
	// Transport reaches the server; Patience is for each request. Log is not nil.
	Transport http.RoundTripper
	Patience  network.Patience
	Log       hclog.Logger
	// Poll is the time before the analysis is asked for again, doubled each time up to ten of it; 0 is one second.
	Poll time.Duration
}

// Question is something to ask that makes sense.
type Question struct {
	o    Options
	base *url.URL
}

// New checks options. Its error is the user's mistake.
func New(o Options) (*Question, error) {
	wrong := func(hint, format string, arguments ...any) (*Question, error) {
		return nil, &core.Failure{Doing: "ask SonarQube", Err: fmt.Errorf(format, arguments...), Hint: hint, Usage: true}
	}
	switch {
	case o.Task != nil && o.Project != "" && o.Project != o.Task.Project:
		return wrong("name the file of another scan, or the other project", "the scan is of the project %s, not of %s", o.Task.Project, redact.Limited(o.Project, 80))
	case o.Branch != "" && o.PullRequest != "":
		return wrong("name one", "both a branch and a pull request are named")
	case o.Wait < 0:
		return wrong("", "it cannot be waited for %s", o.Wait)
	case strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		return wrong("copy the token again, without spaces and line ends", "SONAR_TOKEN is not a token") // it is not shown
	}
	if o.Task == nil {
		if err := checkProject(o.Project); err != nil {
			return wrong("", "the key of the project is wrong: %w", err)
		}
	}
	for _, name := range []string{o.Branch, o.PullRequest} {
		if len(name) > 400 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
			return wrong("", "%q is neither a branch nor a pull request", redact.Limited(name, 80))
		}
	}
	base, err := parseServer(cmp.Or(o.URL, Cloud))
	if err != nil {
		return wrong("name it as in --sonar-url https://sonar.example", "the address of the server is wrong: %w", err)
	}
	if base.Scheme != "https" && !network.IsLoopback(base.Host) {
		return wrong("give the server a certificate, and name it with https", "the token is not sent to %s without encryption", base.Host)
	}
	if o.Task != nil {
		server, err := parseServer(o.Task.Server)
		if err != nil {
			return wrong("", "the server in the file of the scan is wrong: %w", err)
		}
		if !sameServer(server, base) {
			at := redact.Limited(server.String(), 120)
			if o.URL == "" {
				return wrong("if that is your server, say so with --sonar-url or SONAR_HOST_URL",
					"the scan was sent to %s, and a file of the workspace does not decide where the token goes", at)
			}
			return wrong("", "the scan was sent to %s, and the server is said to be %s", at, redact.Limited(base.String(), 120))
		}
	}
	o.Wait, o.Poll = cmp.Or(o.Wait, DefaultWait), cmp.Or(o.Poll, time.Second)
	return &Question{o, base}, nil
}

// Name says for people what is asked.
func (q *Question) Name() string {
	project := q.o.Project
	if q.o.Task != nil {
		project = q.o.Task.Project
	}
	return q.base.Host + " about " + project
}

// analysis is what is asked about, once the server has said so.
type analysis struct {
	project, branch, pullRequest string
	// id is that of the analysis; empty for the latest.
	id string
}

// scope restricts a search to the branch or pull request.
func (a *analysis) scope(query url.Values) url.Values {
	if a.branch != "" {
		query.Set("branch", a.branch)
	}
	if a.pullRequest != "" {
		query.Set("pullRequest", a.pullRequest)
	}
	return query
}

// Ask waits for the analysis and returns what the server says of it, with an examination that says how far that went.
// The error, which is in the examination too, is why it is not complete.
func (q *Question) Ask(ctx context.Context) (hook.Report, error) {
	c := newClient(q.base, q.o.Token, q.o.UserAgent, q.o.Transport, q.o.Patience, q.o.Log)
	r := reply{client: c, base: q.base}
	err := r.read(ctx, q)
	version := ""
	if err == nil {
		version = c.version(ctx)
	}
	x := core.Examination{Name: Examination, Tool: tool, Version: version, Status: core.Complete, Why: r.gaps,
		Granted: []string{"network: " + q.base.Host}}
	if q.o.Token != "" {
		x.Granted = append(x.Granted, "secret: SONAR_TOKEN")
	}
	if len(r.gaps) > 0 {
		x.Status = core.Partial
	}
	if err != nil {
		x.Status, x.Remedy = core.Failed, advice.HintOf(err)
		if r.gate {
			x.Status = core.Partial
		}
		x.Why = append(x.Why, err.Error())
	}
	return hook.Report{Format: "sonarqube", Tool: tool, Version: version, Findings: hook.Distinct(r.findings),
		Examinations: []core.Examination{x}}, err
}

// version is what the server says of itself; empty if it does not.
func (c *client) version(ctx context.Context) string {
	resp, err := c.do(ctx, "api/server/version", nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text := make([]byte, 40)
	n, _ := resp.Body.Read(text)
	v := strings.TrimSpace(string(text[:n]))
	if resp.StatusCode != http.StatusOK || v == "" || strings.Trim(v, "0123456789.") != "" {
		return ""
	}
	return v
}

// reply gathers what a server says.
type reply struct {
	client   *client
	base     *url.URL
	findings []core.Finding
	gaps     []string
	// gate is true once the quality gate is known.
	gate bool
}

func (r *reply) read(ctx context.Context, q *Question) error {
	about := analysis{project: q.o.Project, branch: q.o.Branch, pullRequest: q.o.PullRequest}
	waiting, cancel := context.WithTimeoutCause(ctx, q.o.Wait, advice.Unavailable("see the background tasks of the project, or wait longer with --sonar-wait",
		"the analysis was not ready within %s", q.o.Wait))
	defer cancel()
	var err error
	if q.o.Task != nil {
		about, err = r.task(waiting, q)
	} else {
		err = r.queue(waiting, q, &about)
	}
	if err != nil {
		return err
	}
	if err := r.qualityGate(ctx, &about); err != nil {
		return err
	}
	r.gate = true
	if err := r.issues(ctx, &about); err != nil {
		return err
	}
	return r.hotspots(ctx, &about)
}

// await asks until an answer is there.
func (r *reply) await(ctx context.Context, q *Question, ask func() (ready bool, err error)) error {
	for wait := q.o.Poll; ; wait = min(wait*2, 10*q.o.Poll) {
		ready, err := ask()
		if ready || err != nil {
			return err
		}
		if err := network.Sleep(ctx, wait); err != nil {
			return context.Cause(ctx)
		}
	}
}

// task waits for the task of a scan.
func (r *reply) task(ctx context.Context, q *Question) (about analysis, err error) {
	id, project := q.o.Task.ID, q.o.Task.Project
	err = r.await(ctx, q, func() (bool, error) {
		var answer struct {
			Task *struct {
				ID          string `json:"id"`
				Status      string `json:"status"`
				Project     string `json:"componentKey"`
				Analysis    string `json:"analysisId"`
				Branch      string `json:"branch"`
				PullRequest string `json:"pullRequest"`
				Error       string `json:"errorMessage"`
			} `json:"task"`
		}
		if err := r.client.get(ctx, "api/ce/task", url.Values{"id": {id}}, &answer); err != nil {
			return false, err
		}
		t := answer.Task
		switch {
		case t == nil:
			return false, errors.New("api/ce/task did not answer with a task")
		case t.Status == "PENDING", t.Status == "IN_PROGRESS":
			return false, nil
		case t.Status == "FAILED", t.Status == "CANCELED":
			why := ""
			if t.Error != "" {
				why = ": " + redact.Limited(r.client.without(t.Error), 200)
			}
			return false, advice.Unavailable("see the background tasks of the project, and scan again",
				"the analysis on the server %s%s", map[string]string{"FAILED": "failed", "CANCELED": "was cancelled"}[t.Status], why)
		case t.Status != "SUCCESS":
			return false, fmt.Errorf("api/ce/task says that the analysis is %q, which is not known", redact.Limited(t.Status, 40))
		case t.Project != project:
			return false, fmt.Errorf("the analysis is of the project %q, not of %s", redact.Limited(t.Project, 80), project)
		case q.o.Branch != "" && t.Branch != q.o.Branch || q.o.PullRequest != "" && t.PullRequest != q.o.PullRequest:
			return false, advice.Unavailable("name the file of the scan of this build", "the scan is of %s, not of %s",
				scopeOf(t.Branch, t.PullRequest), scopeOf(q.o.Branch, q.o.PullRequest))
		case !isID(t.Analysis):
			return false, errors.New("api/ce/task says that the analysis is ready, but not which one it is")
		}
		about = analysis{project: project, id: t.Analysis, branch: t.Branch, pullRequest: t.PullRequest}
		return true, nil
	})
	return about, err
}

// queue waits until no analysis of what is asked about is on its way.
func (r *reply) queue(ctx context.Context, q *Question, about *analysis) error {
	return r.await(ctx, q, func() (bool, error) {
		var answer struct {
			Queue []struct {
				Branch      string `json:"branch"`
				PullRequest string `json:"pullRequest"`
			} `json:"queue"`
		}
		if err := r.client.get(ctx, "api/ce/component", url.Values{"component": {about.project}}, &answer); err != nil {
			return false, err
		}
		for _, t := range answer.Queue {
			if t.PullRequest == about.pullRequest && (t.Branch == about.branch || about.branch == "" || t.Branch == "") {
				return false, nil
			}
		}
		return true, nil
	})
}

// qualityGate makes findings of the conditions that are not met.
func (r *reply) qualityGate(ctx context.Context, about *analysis) error {
	query := url.Values{}
	if about.id != "" {
		query.Set("analysisId", about.id)
	} else {
		query.Set("projectKey", about.project)
		about.scope(query)
	}
	var answer struct {
		Status *struct {
			Status     string      `json:"status"`
			Conditions []condition `json:"conditions"`
		} `json:"projectStatus"`
	}
	if err := r.client.get(ctx, "api/qualitygates/project_status", query, &answer); err != nil {
		return err
	}
	if answer.Status == nil {
		return errors.New("api/qualitygates/project_status did not answer with the status of the project")
	}
	switch s := answer.Status; s.Status {
	case "OK":
		return nil
	case "NONE":
		r.gaps = append(r.gaps, "no quality gate judged the analysis")
		return nil
	case "ERROR", "WARN":
		r.failed(about, s.Status == "ERROR", s.Conditions)
		return nil
	default:
		return fmt.Errorf("the quality gate is %q, which is not known", redact.Limited(s.Status, 40))
	}
}

// paging is what a search says of its pages.
type paging struct {
	Total int `json:"total"`
}

// pages asks for every page that the server gives out. page returns how many results it had, and of how many in all.
func (r *reply) pages(what string, page func(query url.Values) (results int, total int, err error)) error {
	read := 0
	for n := 1; n <= maxResults/pageSize; n++ {
		results, total, err := page(url.Values{"p": {strconv.Itoa(n)}, "ps": {strconv.Itoa(pageSize)}})
		if err != nil {
			return err
		}
		read += results
		switch {
		case read >= total:
			return nil
		case results == 0:
			return fmt.Errorf("the server says that there are %d %s, and gives %d", total, what, read)
		case n == maxResults/pageSize:
			r.gaps = append(r.gaps, fmt.Sprintf("there are %d %s, of which the server gives out %d", total, what, read))
		}
	}
	return nil
}

// scopeOf names a branch or a pull request.
func scopeOf(branch, pullRequest string) string {
	switch {
	case pullRequest != "":
		return "the pull request " + redact.Limited(pullRequest, 80)
	case branch != "":
		return "the branch " + redact.Limited(branch, 80)
	}
	return "no branch"
}
