package attest

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

	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// maxAnswer bounds what a service answers, in bytes.
const maxAnswer = 4 << 20

// bound reaches one service and nothing else: what is sent there is often a secret.
type bound struct {
	ctx   context.Context //nolint:containedctx // the libraries around it hand on none
	host  string
	inner http.RoundTripper
}

// errElsewhere is the error for a service that sends somewhere else.
var errElsewhere = errors.New("it sends to another server, where what it is told does not belong")

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != b.host {
		return nil, errElsewhere
	}
	resp, err := b.inner.RoundTrip(req.WithContext(b.ctx))
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer+1), resp.Body}
	}
	return resp, err
}

// reach is the way to a service.
func (o SignerOptions) reach(ctx context.Context, u *url.URL) http.RoundTripper {
	return bound{ctx, u.Host, network.Patient(o.Transport, o.Patience, network.IsLoopback(u.Host), o.Log)}
}

// ask sends a request and returns what a service answers with one of the statuses. secrets are what it is told, and may
// repeat; they are in no error.
func (o SignerOptions) ask(ctx context.Context, req *http.Request, secrets []string, statuses ...int) ([]byte, http.Header, int, error) {
	client := http.Client{Transport: o.reach(ctx, req.URL), CheckRedirect: func(*http.Request, []*http.Request) error {
		return errElsewhere
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, 0, without(secrets, network.Explain(req.URL.Host, err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, nil, 0, without(secrets, network.Explain(req.URL.Host, err))
	case len(body) > maxAnswer:
		return nil, nil, 0, fmt.Errorf("%s answers with more than %d bytes", req.URL.Host, maxAnswer)
	case !slices.Contains(statuses, resp.StatusCode):
		return nil, nil, 0, refused(req.URL.Host, resp.StatusCode, body, secrets)
	}
	return body, resp.Header, resp.StatusCode, nil
}

// refused tells what a service that speaks gRPC's JSON says of an error. Secrets are taken out before anything is cut off,
// because half of one would not be recognised.
//
// https://github.com/grpc-ecosystem/grpc-gateway
func refused(host string, status int, body []byte, secrets []string) error {
	e := &network.StatusError{Host: host, Status: status}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.Message = network.Without(secrets, said.Message)
	}
	return e
}

// post makes a request that sends JSON.
func post(ctx context.Context, u *url.URL, path string, body any) (*http.Request, error) {
	raw, isRaw := body.([]byte)
	if !isRaw {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, errors.New("write down a request")
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath(path).String(), bytes.NewReader(raw))
	if err != nil {
		return nil, network.Cleaned(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// withoutError is an error whose text has lost the secrets in it.
type withoutError struct {
	text string
	err  error
}

// Error implements error.
func (w *withoutError) Error() string { return w.text }

// Unwrap keeps advice and kinds.
func (w *withoutError) Unwrap() error { return w.err }

// without takes secrets out of an error's text.
func without(secrets []string, err error) error {
	if err == nil {
		return nil
	}
	return &withoutError{redact.Limited(network.Without(secrets, err.Error()), 600), err}
}
