package gitlab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/report"
)

const (
	// maxAnswer bounds one answer of the API, in bytes.
	maxAnswer = 16 << 20
	// pageSize is the largest that the API has, and maxPages how many are read: more than a request has notes in practice.
	pageSize, maxPages = 100, 30
	// patience is how long one request may take.
	patience = 30 * time.Second
	// maxReason bounds what is shown of an answer that is none, in bytes, and maxCertificates a file of certificates.
	maxReason, maxCertificates = 200, 1 << 20
)

// api speaks with GitLab's REST API about one merge request.
//
// https://docs.gitlab.com/api/notes/#merge-requests
type api struct {
	base    *url.URL
	project string // the number of the project that the request is for
	request string // the number of the request in it
	// header carries the token, and self is the address that tells whose it is.
	header, self string
	token        string
	client       *http.Client
}

// newAPI makes it of what the job's variables say; nil without a token or outside of a merge request. The token goes to
// CI_API_V4_URL and nowhere else: no redirect is followed.
//
// A job token is recognised by being the job's: GitLab wants it in another header, and few instances let it write notes.
//
// https://docs.gitlab.com/ci/jobs/ci_job_token/
func newAPI(getenv func(string) string) (*api, error) {
	a := &api{project: getenv("CI_MERGE_REQUEST_PROJECT_ID"), request: getenv("CI_MERGE_REQUEST_IID"),
		token: getenv("CLEANBILL_GITLAB_TOKEN"), header: "PRIVATE-TOKEN", self: "/user"}
	if a.token == "" || a.request == "" {
		return nil, nil
	}
	if a.token == getenv("CI_JOB_TOKEN") {
		a.header, a.self = "JOB-TOKEN", "/job"
	}
	loopback := []string{"127.0.0.1", "::1", "localhost"}
	var err error
	a.base, err = url.Parse(strings.TrimRight(getenv("CI_API_V4_URL"), "/"))
	switch {
	case err != nil || a.base.Host == "" || a.base.User != nil || a.base.RawQuery != "" || a.base.Fragment != "":
		return nil, errors.New("CI_API_V4_URL is not an address")
	case a.base.Scheme != "https" && (a.base.Scheme != "http" || !slices.Contains(loopback, a.base.Hostname())):
		return nil, errors.New("CI_API_V4_URL is not encrypted, and the token is not sent without")
	case !isNumber(a.project) || !isNumber(a.request):
		return nil, errors.New("CI_MERGE_REQUEST_PROJECT_ID and CI_MERGE_REQUEST_IID are not both numbers")
	case strings.ContainsFunc(a.token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("CLEANBILL_GITLAB_TOKEN is not a token: it has characters that no token has")
	}
	transport, err := transportWith(getenv("CI_SERVER_TLS_CA_FILE"))
	if err != nil {
		return nil, err
	}
	a.client = &http.Client{Timeout: patience, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return a, nil
}

func isNumber(s string) bool { return s != "" && len(s) < 20 && strings.Trim(s, "0123456789") == "" }

// transportWith trusts the certificates that the runner knows its instance by, besides those of the system.
//
// https://docs.gitlab.com/runner/configuration/tls-self-signed/
func transportWith(file string) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if file == "" {
		return t, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of CI_SERVER_TLS_CA_FILE: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxCertificates))
	if err != nil {
		return nil, fmt.Errorf("read the certificates of CI_SERVER_TLS_CA_FILE: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New("CI_SERVER_TLS_CA_FILE holds no certificate")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return t, nil
}

// statusError is an answer that is none.
type statusError struct {
	code    int
	message string
}

// Error implements error.
func (e *statusError) Error() string {
	if e.message == "" {
		return "GitLab answers " + strconv.Itoa(e.code)
	}
	return fmt.Sprintf("GitLab answers %d: %s", e.code, e.message)
}

// mayNot reports whether an error says that the token has not the right to do something. What one may not see is said not
// to be there.
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
	req.Header.Set(a.header, a.token)
	req.Header.Set("Content-Type", "application/json")
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
		var said struct{ Message, Error string }
		_ = json.Unmarshal(raw, &said) // without one the number has to do
		return &statusError{resp.StatusCode, report.SafeTextLimited(said.Message+said.Error, maxReason)}
	case len(raw) > maxAnswer:
		return fmt.Errorf("GitLab's answer has more than %d bytes", maxAnswer)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errors.New("GitLab's answer is not JSON of the form that was expected")
	}
	return nil
}

type author struct {
	ID int64 `json:"id"`
}

type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author author `json:"author"`
}

// me is the number of the user whose token it is.
func (a *api) me(ctx context.Context) (int64, error) {
	var said struct {
		ID   int64  `json:"id"`
		User author `json:"user"`
	}
	if err := a.call(ctx, http.MethodGet, a.self, nil, &said); err != nil {
		return 0, err
	}
	id := said.ID
	if a.self == "/job" {
		id = said.User.ID
	}
	if id <= 0 {
		return 0, errors.New("GitLab does not say whose token it is")
	}
	return id, nil
}

func (a *api) notes() string {
	return "/projects/" + a.project + "/merge_requests/" + a.request + "/notes"
}

// own finds the note of ours that begins with the mark; nil if there is none. Anybody can write the mark into a note of
// theirs, so whose it is counts as well.
func (a *api) own(ctx context.Context, mark string) (*note, error) {
	id, err := a.me(ctx)
	if err != nil {
		return nil, err
	}
	for page := 1; page <= maxPages; page++ {
		var notes []note
		path := fmt.Sprintf("%s?sort=asc&order_by=created_at&per_page=%d&page=%d", a.notes(), pageSize, page)
		if err := a.call(ctx, http.MethodGet, path, nil, &notes); err != nil {
			return nil, err
		}
		for i := range notes {
			if strings.HasPrefix(notes[i].Body, mark) && notes[i].Author.ID == id {
				return &notes[i], nil
			}
		}
		if len(notes) < pageSize {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("the merge request has more than %d notes", pageSize*maxPages)
}

// stick makes the one note with the mark say the text: it is written, changed, or left as it is. Without a text, one that
// is there says afterwards, and none is written.
func (a *api) stick(ctx context.Context, mark, text, afterwards string) error {
	there, err := a.own(ctx, mark)
	if err != nil {
		return err
	}
	if text == "" {
		if there == nil {
			return nil
		}
		text = afterwards
	}
	body := mark + "\n\n" + strings.TrimSpace(text) // as GitLab keeps it
	send := map[string]string{"body": body}
	switch {
	case there == nil:
		return a.call(ctx, http.MethodPost, a.notes(), send, nil)
	case strings.TrimSpace(there.Body) == body:
		return nil
	default:
		return a.call(ctx, http.MethodPut, fmt.Sprintf("%s/%d", a.notes(), there.ID), send, nil)
	}
}
