package actions

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// maxEvent bounds the payload of an event, in bytes: GitHub's own bound on a webhook.
//
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
const maxEvent = 25 << 20

// fetchHint says how a workflow gets the base of a pull request.
const fetchHint = "check out with actions/checkout and fetch-depth: 0"

// event is what is needed of an event's payload.
//
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
type event struct {
	Number      int          `json:"number"`
	PullRequest *pullRequest `json:"pull_request"`
	MergeGroup  *struct {
		BaseSHA string `json:"base_sha"`
		BaseRef string `json:"base_ref"`
		HeadSHA string `json:"head_sha"`
	} `json:"merge_group"`
	Issue struct {
		PullRequest json.RawMessage `json:"pull_request"`
	} `json:"issue"`
	WorkflowRun struct {
		Event        string        `json:"event"`
		HeadSHA      string        `json:"head_sha"`
		PullRequests []pullRequest `json:"pull_requests"`
	} `json:"workflow_run"`
}

type pullRequest struct {
	Number int    `json:"number"`
	Base   commit `json:"base"`
	Head   commit `json:"head"`
}

type commit struct {
	SHA  string `json:"sha"`
	Ref  string `json:"ref"`
	Repo struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

// change returns the change that the event is about. What the input or the variable base names must not contradict the
// event: whoever writes a pull request can write both.
func (a *Adapter) change(asked core.Change) (core.Change, error) {
	c := core.Change{Repository: a.getenv("GITHUB_REPOSITORY"), Head: a.getenv("GITHUB_SHA"), Base: asked.Base, Branch: asked.Branch}
	if a.getenv("GITHUB_REF_TYPE") != "tag" {
		c.Branch = cmp.Or(c.Branch, a.getenv("GITHUB_REF_NAME"))
	}
	name := a.getenv("GITHUB_EVENT_NAME")
	if !mayBeAChange(name) {
		return c, nil
	}
	e, err := readEvent(a.getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return c, noBase(name, err)
	}
	if e.PullRequest != nil && strings.HasPrefix(name, "pull_request") {
		a.request = e.PullRequest.Number
	}
	return e.change(c, name, asked)
}

// change completes what is known of the change of an event that may be about one.
func (e event) change(c core.Change, name string, asked core.Change) (core.Change, error) {
	switch {
	case e.PullRequest != nil:
		return ofRequest(c, name, *e.PullRequest, asked.Base)
	case e.MergeGroup != nil:
		g := e.MergeGroup
		return ofRequest(c, name, pullRequest{Base: commit{SHA: g.BaseSHA, Ref: strings.TrimPrefix(g.BaseRef, "refs/heads/")},
			Head: commit{SHA: g.HeadSHA}}, asked.Base)
	case name == "workflow_run" && !strings.HasPrefix(e.WorkflowRun.Event, "pull_request"), name == "issue_comment" && e.Issue.PullRequest == nil:
		return c, nil
	case name == "workflow_run" && len(e.WorkflowRun.PullRequests) == 1:
		return ofRequest(c, name, e.WorkflowRun.PullRequests[0], asked.Base)
	case asked.Base != "" && (name == "workflow_run" || name == "issue_comment"):
		return c, nil // these run the default branch's workflow, which the author of the request did not write
	}
	return c, noBase(name, errors.New("its payload does not say what the request would be merged into"))
}

// mayBeAChange reports whether the code that is checked out for an event may be a request's.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
func mayBeAChange(event string) bool {
	return strings.HasPrefix(event, "pull_request") || event == "merge_group" || event == "workflow_run" || event == "issue_comment"
}

func readEvent(file string) (event, error) {
	var e event
	if file == "" {
		return e, errors.New("GITHUB_EVENT_PATH is not set")
	}
	f, err := os.Open(file)
	if err != nil {
		return e, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	switch {
	case err != nil:
		return e, err
	case len(raw) > maxEvent:
		return e, fmt.Errorf("it is larger than %d bytes", maxEvent)
	}
	return parseEvent(raw)
}

func parseEvent(raw []byte) (event, error) {
	var e event
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&e); err != nil {
		return e, fmt.Errorf("it is no event: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("there is something behind the event")
	}
	return e, nil
}

// ofRequest returns the change of a pull request or a group of them.
func ofRequest(c core.Change, event string, r pullRequest, asked string) (core.Change, error) {
	if !isCommit(r.Base.SHA) || r.Head.SHA != "" && !isCommit(r.Head.SHA) {
		return c, noBase(event, fmt.Errorf("its payload names the base %q and the head %q, which are no commits", r.Base.SHA, r.Head.SHA))
	}
	if asked != "" && asked != r.Base.SHA {
		return c, &core.Failure{Doing: "judge the change from " + asked, Usage: true,
			Err:  fmt.Errorf("the event %s says that the base is %s", event, r.Base.SHA),
			Hint: "leave the input base out: it is for events that do not say"}
	}
	c.Base, c.Branch, c.Head = r.Base.SHA, cmp.Or(r.Base.Ref, c.Branch), cmp.Or(r.Head.SHA, c.Head)
	if r.Number > 0 {
		c.Request = fmt.Sprintf("#%d", r.Number)
	}
	if from := r.Head.Repo.FullName; from != "" && from != r.Base.Repo.FullName {
		c.Request = strings.TrimSpace(c.Request + " from the fork " + from)
	}
	return c, nil
}

// isCommit reports whether s is the full name of a commit.
func isCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

func noBase(event string, err error) error {
	return &core.Failure{Doing: "read the event " + event, Err: fmt.Errorf("%w: %w", gate.ErrNoBase, err),
		Hint: "name the commit that the change would be merged into with the input base, such as ${{ github.sha }} of a workflow of the default branch"}
}
