package target

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// maxStatusBody is how much of an error's body is read, in bytes.
const maxStatusBody = 64 << 10

// statusError is the answer of a server that did not give what was asked for.
type statusError struct {
	status     int
	host       string
	codes      []string // the registry's own error codes
	message    string   // the first of its messages, as it was sent but without the secrets that were sent to it
	retryAfter time.Duration
}

func (e *statusError) Error() string {
	s := strings.TrimSpace(fmt.Sprintf("%s answered %d %s", printable(e.host, 120), e.status, http.StatusText(e.status)))
	if e.message != "" {
		s += " (" + printable(e.message, 160) + ")"
	}
	return s
}

func (e *statusError) has(code transport.ErrorCode) bool {
	for _, c := range e.codes {
		if c == string(code) {
			return true
		}
	}
	return false
}

// readStatus reads and closes a response that is an error.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
func readStatus(resp *http.Response) *statusError {
	defer resp.Body.Close()
	e := &statusError{status: resp.StatusCode, retryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if resp.Request != nil {
		e.host = resp.Request.URL.Host
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatusBody)) // what the server says is only a help
	var said struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &said) == nil {
		for _, d := range said.Errors {
			e.codes = append(e.codes, printable(d.Code, 40))
			if e.message == "" {
				e.message = without(secretsOf(resp.Request), d.Message)
			}
		}
	}
	return e
}

// secretsOf are the secrets in a request. Servers may repeat them in what they answer, and logs of builds are public.
func secretsOf(req *http.Request) []string {
	if req == nil {
		return nil
	}
	_, sent, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	_, password, _ := req.BasicAuth()
	return []string{sent, password}
}

// without is text without the secrets, as they are and as addresses write them.
func without(secrets []string, text string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.NewReplacer(secret, "…", url.QueryEscape(secret), "…").Replace(text)
		}
	}
	return text
}

// explain turns whatever went wrong with the registry into one sentence and a hint. What is empty for the greeting,
// "manifest" or "blob". The text of the original errors is not used where it may hold addresses with tokens in them.
func (r *registry) explain(err error, what string) error {
	host := r.host()
	var a *advice
	var status *statusError
	var known *transport.Error
	var dns *net.DNSError
	var hung *timeoutError
	var netErr net.Error
	var mismatch *verify.MismatchError
	switch {
	case errors.As(err, &a):
		return err
	case errors.As(err, &status):
		return r.explainStatus(status, what)
	case errors.As(err, &mismatch):
		return unavailable("push the image again: the registry has lost a part of it", "%s holds something else than the manifest promises: %w", host, mismatch)
	case errors.As(err, &known):
		status := &statusError{status: known.StatusCode, host: host}
		if known.Request != nil {
			status.host = known.Request.URL.Host
		}
		for _, d := range known.Errors {
			status.codes = append(status.codes, printable(string(d.Code), 40))
			status.message = without(secretsOf(known.Request), d.Message)
		}
		return r.explainStatus(status, what)
	case isTLS(err):
		return unavailable("check the registry's name and port, and that this machine trusts the registry's certificate authority (SSL_CERT_FILE)",
			"no trusted encrypted connection to %s: %w", host, cleaned(err))
	case errors.As(err, &hung):
		return unavailable("try again later; if it stays so, check the registry and any proxy between", "%s hangs: %w", host, hung)
	case errors.As(err, &dns):
		hint := "check the registry's name and this machine's DNS"
		if dns.IsNotFound && r.repo.RegistryStr() != name.DefaultRegistry {
			hint = "check the spelling of the registry, and this machine's DNS"
		}
		return unavailable(hint, "there is no address for %s: %w", host, cleaned(err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return unavailable("check that the registry runs and that its port is right", "nothing listens at %s: %w", host, syscall.ECONNREFUSED)
	case errors.As(err, &netErr) && netErr.Timeout():
		return unavailable("try again later; if it stays so, check the network and any proxy between", "%s cannot be reached in time: %w", host, cleaned(err))
	case isInterruption(err):
		return unavailable("try again; if it stays so, check the registry and any proxy between", "the connection to %s broke: %w", host, cleaned(err))
	case errors.Is(err, errPlainHTTP):
		return unavailable("give the registry a certificate", "%s: %w", host, errPlainHTTP)
	case strings.Contains(err.Error(), "malformed HTTP") || strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return unavailable("check the registry's name and port", "%s is not a registry that speaks HTTPS: %w", host, cleaned(err))
	}
	return cleaned(err)
}

func (r *registry) host() string {
	if h := r.repo.RegistryStr(); h != name.DefaultRegistry {
		return h
	}
	return "docker.io"
}

func (r *registry) explainStatus(e *statusError, what string) error {
	e.message = without(r.credentials.secrets(), e.message)
	host := r.host()
	login := "docker login"
	if host != "docker.io" {
		login += " " + host
	}
	switch {
	case e.status == http.StatusUnauthorized && r.credentials.source == "":
		return unavailable(r.withNote(login+", or check the name: registries also answer so for what does not exist"),
			"%s asks for credentials and none were found: %w", host, e)
	case e.status == http.StatusUnauthorized:
		return unavailable(r.withNote(login+" again, or check the name: registries also answer so for what does not exist"),
			"%s does not accept the credentials in %s: %w", host, r.credentials.source, e)
	case e.status == http.StatusForbidden && r.credentials.source == "":
		return unavailable(r.withNote(login+" with an account that may pull it"), "access is denied without credentials: %w", e)
	case e.status == http.StatusForbidden:
		return unavailable("ask for the right to pull it, or log in with another account: "+login,
			"access is denied to the account in %s: %w", r.credentials.source, e)
	case e.status == http.StatusNotFound && what == "":
		return unavailable("check the registry's name and port", "%s is not a registry: %w", host, e)
	case e.status == http.StatusNotFound && e.has(transport.NameUnknownErrorCode):
		return unavailable("check the spelling, and that it was pushed", "%s has no repository %s: %w", host, r.repo.RepositoryStr(), e)
	case e.status == http.StatusNotFound && what == "manifest":
		return unavailable("check the tag or digest, and that it was pushed", "there is no such image in %s: %w", host, e)
	case e.status == http.StatusNotFound:
		return unavailable("push the image again: the registry has lost a part of it", "%s lacks a part of the image: %w", host, e)
	case e.status == http.StatusTooManyRequests && e.retryAfter > 0:
		return unavailable(login+" for a higher limit, or use a mirror",
			"%s limits how often it may be asked, and wants %s of patience, which is more than is left: %w", host, e.retryAfter, e)
	case e.status == http.StatusTooManyRequests:
		return unavailable("wait, "+login+" for a higher limit, or use a mirror", "%s limits how often it may be asked: %w", host, e)
	case e.status >= 500 || e.status == http.StatusRequestTimeout:
		return unavailable("try again later: the registry has a problem of its own", "%s fails: %w", host, e)
	case e.status >= 300 && e.status < 400:
		return unavailable("", "%s redirects to nowhere: %w", host, e)
	}
	return e
}

func (r *registry) withNote(hint string) string {
	if r.credentials.note != "" {
		return hint + " (" + r.credentials.note + ")"
	}
	return hint
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// cleaned is err without the addresses around it, fit to be shown, and still recognisable by errors.Is.
func cleaned(err error) error {
	text := secretParts.ReplaceAllString(leaf(err).Error(), "$1…")
	return &cleanError{printable(text, 300), err}
}

// secretParts are the parts of addresses that may hold tokens and passwords: queries, and what stands before an @.
var secretParts = regexp.MustCompile(`(\?|://)(?:[^\s"'/@]+@|[^\s"'/]*=[^\s"']*)`)

type cleanError struct {
	text string
	err  error
}

func (c *cleanError) Error() string { return c.text }
func (c *cleanError) Unwrap() error { return c.err }
