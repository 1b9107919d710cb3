package network

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// MaxStatusBody is how much of an error's body is read, in bytes.
const MaxStatusBody = 64 << 10

// StatusError is the answer of a server that did not give what was asked for.
type StatusError struct {
	Status int
	Host   string
	// Codes are a registry's own error codes.
	// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
	Codes []string
	// Message is the first of a registry's messages, as it was sent but without the secrets that were sent to it.
	Message    string
	RetryAfter time.Duration
}

// Error implements error.
func (e *StatusError) Error() string {
	s := strings.TrimSpace(fmt.Sprintf("%s answered %d %s", redact.Limited(e.Host, 120), e.Status, http.StatusText(e.Status)))
	if e.Message != "" {
		s += " (" + redact.Limited(e.Message, 160) + ")"
	}
	return s
}

// Has reports whether the server gave this error code.
func (e *StatusError) Has(code string) bool { return slices.Contains(e.Codes, code) }

// ReadStatus reads and closes a response that is an error.
func ReadStatus(resp *http.Response) *StatusError {
	defer resp.Body.Close()
	e := &StatusError{Status: resp.StatusCode, RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if resp.Request != nil {
		e.Host = resp.Request.URL.Host
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, MaxStatusBody)) // what the server says is only a help
	var said struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &said) == nil {
		for _, d := range said.Errors {
			e.Codes = append(e.Codes, redact.Limited(d.Code, 40))
			if e.Message == "" {
				e.Message = Without(SecretsOf(resp.Request), d.Message)
			}
		}
	}
	return e
}

// SecretsOf are the secrets in a request. Servers may repeat them in what they answer, and logs of builds are public.
func SecretsOf(req *http.Request) []string {
	if req == nil {
		return nil
	}
	_, sent, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	_, password, _ := req.BasicAuth()
	return []string{sent, password}
}

// Without is text without the secrets, as they are and as addresses write them.
func Without(secrets []string, text string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.NewReplacer(secret, "…", url.QueryEscape(secret), "…").Replace(text)
		}
	}
	return text
}

// parseRetryAfter reads a Retry-After header: seconds or a date. Zero means that it says nothing.
//
// https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
func parseRetryAfter(value string, now time.Time) time.Duration {
	const longest = 365 * 24 * time.Hour
	if seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
		return min(max(time.Duration(min(seconds, int64(longest/time.Second)))*time.Second, 0), longest)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	return 0
}
