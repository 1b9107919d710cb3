package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer bounds one answer of the API, in bytes. A page of a hundred comments of the longest kind is smaller.
	maxAnswer = 16 << 20
	// pageSize is the largest that the API has, and maxPages how many are read: more than a request has comments in practice.
	pageSize, maxPages = 100, 30
	// patience is how long one request may take.
	patience = 30 * time.Second
)

// api speaks with GitHub's REST API about one pull request.
//
// https://docs.github.com/en/rest/issues/comments
type api struct {
	base       *url.URL
	repository string // OWNER/NAME
	token      string
	client     *http.Client
}

// newAPI makes it for the address that the runner gives. The token goes there and nowhere else: no redirect is followed.
func newAPI(address, repository, token string) (*api, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "":
		return nil, errors.New("GITHUB_API_URL is not an address")
	case base.Scheme != "https" && !(base.Scheme == "http" && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, base.Hostname())):
		return nil, errors.New("GITHUB_API_URL is not encrypted, and the token is not sent without")
	}
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || owner == "" || name == "" || strings.ContainsAny(name, "/") || url.PathEscape(owner+name) != owner+name {
		return nil, errors.New("GITHUB_REPOSITORY is not OWNER/NAME")
	}
	return &api{base, repository, token, &http.Client{Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// statusError is an answer that is none.
type statusError struct {
	code    int
	message string
}

// Error implements error.
func (e *statusError) Error() string {
	if e.message == "" {
		return "GitHub answers " + strconv.Itoa(e.code)
	}
	return fmt.Sprintf("GitHub answers %d: %s", e.code, e.message)
}

// mayNot reports whether an error says that the token has not the right to do something.
func mayNot(err error) bool {
	var status *statusError
	return errors.As(err, &status) &&
		(status.code == http.StatusUnauthorized || status.code == http.StatusForbidden || status.code == http.StatusNotFound)
}

// call sends one request and reads its answer into something, if there is one to read.
func (a *api) call(ctx context.Context, method, path string, send, into any) error {
	var body io.Reader
	if send != nil {
		raw, err := json.Marshal(send)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base.String()+path, body)
	if err != nil {
		return errors.New("the request cannot be made") // its text would have the address only
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "cleanbill")
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		var said struct{ Message string }
		_ = json.Unmarshal(raw, &said) // without one the number has to do
		return &statusError{resp.StatusCode, oneLine(said.Message)}
	case len(raw) > maxAnswer:
		return fmt.Errorf("GitHub's answer has more than %d bytes", maxAnswer)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errors.New("GitHub's answer is not JSON of the form that was expected")
	}
	return nil
}

type user struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

type comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User user   `json:"user"`
}

// self is the login under which the token comments. The tokens of workflows may not ask for it.
func (a *api) self(ctx context.Context) (string, error) {
	var u user
	err := a.call(ctx, http.MethodGet, "/user", nil, &u)
	if mayNot(err) {
		return "github-actions[bot]", nil
	}
	return u.Login, err
}

// own finds the comment of ours that begins with the mark; nil if there is none. Anybody can write the mark into a comment
// of theirs, so whose it is counts as well.
func (a *api) own(ctx context.Context, request int, mark string) (*comment, error) {
	login, err := a.self(ctx)
	if err != nil {
		return nil, err
	}
	for page := 1; page <= maxPages; page++ {
		var comments []comment
		path := fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=%d&page=%d", a.repository, request, pageSize, page)
		if err := a.call(ctx, http.MethodGet, path, nil, &comments); err != nil {
			return nil, err
		}
		for i := range comments {
			if strings.HasPrefix(comments[i].Body, mark) && comments[i].User.Login == login {
				return &comments[i], nil
			}
		}
		if len(comments) < pageSize {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("the request has more than %d comments", pageSize*maxPages)
}

// stick makes the one comment with the mark say the text: it is written, changed, or left as it is. Without a text, one
// that is there says afterwards, and none is written.
func (a *api) stick(ctx context.Context, request int, mark, text, afterwards string) error {
	there, err := a.own(ctx, request, mark)
	if err != nil {
		return err
	}
	if text == "" {
		if there == nil {
			return nil
		}
		text = afterwards
	}
	body := mark + "\n" + text
	send := map[string]string{"body": body}
	switch {
	case there == nil:
		return a.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", a.repository, request), send, nil)
	case there.Body == body:
		return nil
	default:
		return a.call(ctx, http.MethodPatch, fmt.Sprintf("/repos/%s/issues/comments/%d", a.repository, there.ID), send, nil)
	}
}
