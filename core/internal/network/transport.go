package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/http/httpproxy"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Transport reaches servers through the proxies that the environment names.
func Transport(getenv func(string) string) http.RoundTripper {
	either := func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return getenv(strings.ToLower(name))
	}
	proxies := (&httpproxy.Config{
		HTTPProxy: either("HTTP_PROXY"), HTTPSProxy: either("HTTPS_PROXY"), NoProxy: either("NO_PROXY"),
	}).ProxyFunc()
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               func(r *http.Request) (*url.URL, error) { return proxies(r.URL) },
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // digests are of the bytes as stored
	}
}

// Patient makes a transport notice servers that hang, repeat what is worth repeating, and refuse plain HTTP. With plain
// it may speak plain HTTP with this machine.
func Patient(rt http.RoundTripper, p Patience, plain bool, log hclog.Logger) http.RoundTripper {
	return retrying{encrypted{Watched{rt, p.Header, p.Idle}, plain}, p, log}
}

// TimeoutError is the error for a server that hangs.
type TimeoutError struct {
	What  string
	After time.Duration
}

// Error implements error.
func (e *TimeoutError) Error() string { return fmt.Sprintf("%s within %s", e.What, e.After) }

// Timeout implements net.Error's method of that name.
func (e *TimeoutError) Timeout() bool { return true }

// Watched ends requests that hang: before the response begins, or between two reads of it.
type Watched struct {
	Inner        http.RoundTripper
	Header, Idle time.Duration
}

// RoundTrip implements http.RoundTripper.
func (w Watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(w.Header, func() { cancel(&TimeoutError{"the server did not answer", w.Header}) })
	sent := req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		// Nobody answers before all is sent, and that may take its time as long as it goes on.
		sent.Body = sending{req.Body, func() { timer.Reset(w.Header) }}
	}
	resp, err := w.Inner.RoundTrip(sent)
	timer.Stop()
	if err != nil {
		err = hung(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Request = req // not the one whose context ends with the body
	resp.Body = &watchedBody{body: resp.Body, ctx: ctx, cancel: cancel, idle: w.Idle}
	return resp, nil
}

// sending tells of progress with a request's body.
type sending struct {
	io.ReadCloser
	progress func()
}

func (s sending) Read(p []byte) (int, error) {
	s.progress()
	return s.ReadCloser.Read(p)
}

// hung returns the timeout that ended ctx, or else err.
func hung(ctx context.Context, err error) error {
	var t *TimeoutError
	if errors.As(context.Cause(ctx), &t) {
		return t
	}
	return err
}

type watchedBody struct {
	body   io.ReadCloser
	ctx    context.Context //nolint:containedctx // that of the one request
	cancel context.CancelCauseFunc
	idle   time.Duration
	timer  *time.Timer
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.idle, func() { b.cancel(&TimeoutError{"the server sent nothing more", b.idle}) })
	} else {
		b.timer.Reset(b.idle)
	}
	n, err := b.body.Read(p)
	b.timer.Stop() // the reader may take its time
	if err != nil && err != io.EOF {
		err = hung(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// errPlainHTTP is the error for a request that would go unencrypted over a network.
var errPlainHTTP = errors.New("plain HTTP is only spoken with servers on this machine")

// encrypted refuses plain HTTP, also where a redirect leads to it, except between a server on this machine and itself.
type encrypted struct {
	inner http.RoundTripper
	plain bool // the server is on this machine
}

func (e encrypted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !(e.plain && IsLoopback(req.URL.Host)) {
		return nil, errPlainHTTP
	}
	return e.inner.RoundTrip(req)
}

// IsLoopback reports whether a host, with or without port, is this machine.
func IsLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// retrying repeats requests that may succeed the next time.
type retrying struct {
	inner    http.RoundTripper
	patience Patience
	log      hclog.Logger
}

// RoundTrip returns a status that is worth a retry as a *StatusError when the patience is used up, so that callers which
// know only net/http keep what the server said.
func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	started := time.Now()
	for attempt := 1; ; attempt++ {
		resp, err := r.inner.RoundTrip(req.Clone(req.Context()))
		if err == nil && !retryableStatus(resp.StatusCode) {
			return resp, nil
		}
		delay := r.patience.Backoff(attempt)
		if err == nil {
			failed := ReadStatus(resp)
			if failed.RetryAfter > 0 {
				delay = failed.RetryAfter
			}
			err = failed
		}
		if !r.again(req, err, attempt, started, delay) {
			return nil, err
		}
		r.log.Debug("trying again", "host", req.URL.Host, "attempt", attempt+1, "in", delay,
			"because", redact.Limited(Leaf(err).Error(), 200))
		if err := Sleep(req.Context(), delay); err != nil {
			return nil, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

func (r retrying) again(req *http.Request, err error, attempt int, started time.Time, delay time.Duration) bool {
	switch {
	case req.Context().Err() != nil, attempt >= r.patience.Attempts, req.Body != nil && req.GetBody == nil:
		return false
	case time.Since(started)+delay > r.patience.Budget:
		return false
	case worth(err) < attempt:
		return false
	}
	return true
}

// worth is how many times a failure is worth another attempt.
func worth(err error) int {
	var status *StatusError
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &status):
		return 100
	case errors.As(err, &dns):
		if dns.IsTemporary || dns.IsTimeout {
			return 100
		}
		return 0
	case errors.Is(err, syscall.ECONNREFUSED): // nobody listens: a server that restarts is back within seconds
		return 2
	case errors.As(err, &timeout) && timeout.Timeout(): // each costs the whole timeout
		return 1
	case IsInterruption(err):
		return 100
	}
	return 0
}

// IsInterruption reports whether a connection broke.
func IsInterruption(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}

// IsHang reports whether err is a server's silence.
func IsHang(err error) bool {
	var hung *TimeoutError
	return errors.As(err, &hung)
}

func retryableStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Leaf returns the innermost reason of a network error: those around it repeat addresses, which may hold tokens.
func Leaf(err error) error {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			return err
		}
		err = u.Err
	}
}
