package sonar

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// maxAnswer is the largest answer that is read, in bytes: 500 issues take a tenth of it.
const maxAnswer = 32 << 20

// maxRedirects is how many redirects on the server itself are followed.
const maxRedirects = 5

// client speaks with one server.
type client struct {
	base  *url.URL
	token string
	// basic is true once the server did not take the token as a bearer's: those before version 10 do not.
	basic bool
	agent string
	http  *http.Client
}

func newClient(base *url.URL, token, agent string, rt http.RoundTripper, p network.Patience, log hclog.Logger) *client {
	c := &client{base: base, token: token, agent: agent}
	c.http = &http.Client{
		Transport: network.Patient(rt, p, true, log),
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return advice.Unavailable("check the address of the server", "the server redirects without end")
			case to.URL.Scheme != base.Scheme || to.URL.Hostname() != base.Hostname() || port(to.URL) != port(base):
				return advice.Unavailable("name the address that the server is reached at with --sonar-url",
					"the server redirects to %s, to which the token is not sent", redact.Limited(to.URL.Scheme+"://"+to.URL.Host, 120))
			}
			return nil
		},
	}
	return c
}

// get asks the server, and decodes its answer into v.
func (c *client) get(ctx context.Context, endpoint string, query url.Values, v any) error {
	resp, err := c.do(ctx, endpoint, query)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && c.token != "" && !c.basic {
		resp.Body.Close()
		c.basic = true
		resp, err = c.do(ctx, endpoint, query)
	}
	if err != nil {
		return c.explain(ctx, endpoint, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.explain(ctx, endpoint, err)
	case resp.StatusCode != http.StatusOK:
		return c.refused(endpoint, resp.StatusCode, body)
	case len(body) > maxAnswer:
		return advice.Unavailable("", "%s of %s answered more than %d bytes", endpoint, c.base.Host, maxAnswer)
	}
	if err := decode(body, v); err != nil {
		return advice.Unavailable("check that --sonar-url is the address of a SonarQube server, with its path",
			"%s of %s did not answer in JSON of the form that is documented: %w", endpoint, c.base.Host, err)
	}
	return nil
}

func (c *client) do(ctx context.Context, endpoint string, query url.Values) (*http.Response, error) {
	u := c.base.JoinPath(endpoint)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	switch {
	case c.token == "":
	case c.basic:
		req.SetBasicAuth(c.token, "")
	default:
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.http.Do(req)
}

// decode reads one JSON value and nothing after it. The error has no text of the answer.
func decode(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: it is not JSON, or cut off", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("byte %d: %s is %s", kind.Offset, kind.Field, kind.Value)
	}
	return errors.New("it is not JSON")
}

// refused explains an answer that is an error.
func (c *client) refused(endpoint string, status int, body []byte) error {
	var answer struct {
		Errors []struct {
			Message string `json:"msg"`
		} `json:"errors"`
	}
	text := ""
	if json.Unmarshal(body, &answer) == nil && len(answer.Errors) > 0 {
		text = ": " + redact.Limited(c.without(answer.Errors[0].Message), 200)
	}
	hint := "check that --sonar-url is the address of a SonarQube server, with its path"
	switch status {
	case http.StatusUnauthorized:
		hint = "set SONAR_TOKEN to a token that has not expired"
		if c.token == "" {
			hint = "set SONAR_TOKEN: the server does not answer without one"
		}
	case http.StatusForbidden:
		hint = "give the owner of the token the permission to browse the project"
	case http.StatusNotFound:
		hint = "check the key of the project, its branch or pull request, and that the token may browse it"
	}
	return advice.Unavailable(hint, "%s of %s answered %s%s", endpoint, c.base.Host,
		strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status))), text)
}

// explain says what was wrong on the way to the server.
func (c *client) explain(ctx context.Context, endpoint string, err error) error {
	var said *advice.Error
	var status *network.StatusError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &said):
		return said
	case errors.As(err, &status):
		return advice.Unavailable("try again later; if it stays so, see the logs of the server", "%s of %s: %w", endpoint, c.base.Host, status)
	}
	explained := network.Explain(c.base.Host, err)
	return advice.Unavailable(advice.HintOf(explained), "%s: %s", endpoint, c.without(explained.Error()))
}

// without is a text without the token, which a server may repeat.
func (c *client) without(text string) string {
	if c.token == "" {
		return text
	}
	return network.Without([]string{c.token, base64.StdEncoding.EncodeToString([]byte(c.token + ":"))}, text)
}
