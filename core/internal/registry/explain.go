package registry

import (
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// explain turns whatever went wrong with the registry into one sentence and a hint. What is empty for the greeting,
// "manifest", "blob", "referrers" or "upload". The text of the original errors is not used where it may hold addresses with tokens in them.
func (r *Repository) explain(err error, what string) error {
	host := r.host()
	var a *advice.Error
	var status *network.StatusError
	var known *transport.Error
	var mismatch *verify.MismatchError
	switch {
	case errors.As(err, &a):
		return err
	case errors.As(err, &status):
		return r.explainStatus(status, what)
	case errors.As(err, &mismatch):
		return advice.Unavailable("push the "+r.options.Noun+" again: the registry has lost a part of it",
			"%s holds something else than the manifest promises: %w", host, mismatch)
	case errors.As(err, &known):
		status := &network.StatusError{Status: known.StatusCode, Host: host}
		if known.Request != nil {
			status.Host = known.Request.URL.Host
		}
		for _, d := range known.Errors {
			status.Codes = append(status.Codes, redact.Limited(string(d.Code), 40))
			status.Message = network.Without(network.SecretsOf(known.Request), d.Message)
		}
		return r.explainStatus(status, what)
	}
	return network.Explain(host, err)
}

func (r *Repository) host() string {
	if h := r.repo.RegistryStr(); h != name.DefaultRegistry {
		return h
	}
	return "docker.io"
}

func (r *Repository) explainStatus(e *network.StatusError, what string) error {
	e.Message = network.Without(r.credentials.secrets(), e.Message)
	host := r.host()
	login := "docker login"
	if host != "docker.io" {
		login += " " + host
	}
	switch {
	case e.Status == http.StatusUnauthorized && r.credentials.source == "":
		return advice.Unavailable(r.withNote(login+", or check the name: registries also answer so for what does not exist"),
			"%s asks for credentials and none were found: %w", host, e)
	case e.Status == http.StatusUnauthorized:
		return advice.Unavailable(r.withNote(login+" again, or check the name: registries also answer so for what does not exist"),
			"%s does not accept the credentials in %s: %w", host, r.credentials.source, e)
	case e.Status == http.StatusForbidden && r.credentials.source == "":
		return advice.Unavailable(r.withNote(login+" with an account that may "+r.verb(what)+" it"), "access is denied without credentials: %w", e)
	case e.Status == http.StatusForbidden:
		return advice.Unavailable("ask for the right to "+r.verb(what)+" it, or log in with another account: "+login,
			"access is denied to the account in %s: %w", r.credentials.source, e)
	case e.Status == http.StatusNotFound && what == "":
		return advice.Unavailable("check the registry's name and port", "%s is not a registry: %w", host, e)
	case e.Status == http.StatusNotFound && e.Has(string(transport.NameUnknownErrorCode)):
		return advice.Unavailable("check the spelling, and that it was pushed", "%s has no repository %s: %w", host, r.repo.RepositoryStr(), e)
	case e.Status == http.StatusNotFound && what == "manifest":
		return advice.Unavailable("check the tag or digest, and that it was pushed", "there is no such %s in %s: %w", r.options.Noun, host, e)
	case e.Status == http.StatusNotFound:
		return advice.Unavailable("push the "+r.options.Noun+" again: the registry has lost a part of it", "%s lacks a part of the %s: %w", host, r.options.Noun, e)
	case e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		return advice.Unavailable(login+" for a higher limit, or use a mirror",
			"%s limits how often it may be asked, and wants %s of patience, which is more than is left: %w", host, e.RetryAfter, e)
	case e.Status == http.StatusTooManyRequests:
		return advice.Unavailable("wait, "+login+" for a higher limit, or use a mirror", "%s limits how often it may be asked: %w", host, e)
	case e.Status == http.StatusBadRequest && what == "" && network.IsLoopback(r.repo.RegistryStr()):
		// Plain HTTP is tried where HTTPS failed, so that the answer hides why it failed.
		return advice.Unavailable("if it speaks HTTPS, let this machine trust its certificate authority (SSL_CERT_FILE)",
			"%s accepts neither trusted HTTPS nor plain HTTP: %w", host, e)
	case e.Status >= 500 || e.Status == http.StatusRequestTimeout:
		return advice.Unavailable("try again later: the registry has a problem of its own", "%s fails: %w", host, e)
	case e.Status >= 300 && e.Status < 400:
		return advice.Unavailable("", "%s redirects to nowhere: %w", host, e)
	}
	return e
}

func (r *Repository) verb(what string) string {
	if what == "upload" {
		return "push"
	}
	return "pull"
}

func (r *Repository) withNote(hint string) string {
	if r.credentials.note != "" {
		return hint + " (" + r.credentials.note + ")"
	}
	return hint
}
