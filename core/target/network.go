package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/http/httpproxy"
)

// defaultTransport reaches servers through the proxies that the environment names.
func defaultTransport(getenv func(string) string) http.RoundTripper {
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

// timeoutError is the error for a server that hangs.
type timeoutError struct {
	what  string
	after time.Duration
}

func (e *timeoutError) Error() string { return fmt.Sprintf("%s within %s", e.what, e.after) }
func (e *timeoutError) Timeout() bool { return true }

// watched ends requests that hang: before the response begins, or between two reads of it.
type watched struct {
	inner        http.RoundTripper
	header, idle time.Duration
}

func (w watched) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(w.header, func() { cancel(&timeoutError{"the server did not answer", w.header}) })
	resp, err := w.inner.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		err = hung(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Request = req // not the one whose context ends with the body
	resp.Body = &watchedBody{body: resp.Body, ctx: ctx, cancel: cancel, idle: w.idle}
	return resp, nil
}

// hung returns the timeout that ended ctx, or else err.
func hung(ctx context.Context, err error) error {
	var t *timeoutError
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
		b.timer = time.AfterFunc(b.idle, func() { b.cancel(&timeoutError{"the server sent nothing more", b.idle}) })
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

// shortGreeting ends the answer to GET /v2/ early, because go-containerregistry reads it to its end, wherever that is.
type shortGreeting struct{ inner http.RoundTripper }

func (s shortGreeting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.inner.RoundTrip(req)
	if err == nil && req.URL.Path == "/v2/" {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxStatusBody), resp.Body}
	}
	return resp, err
}

// errPlainHTTP is the error for a request that would go unencrypted over a network.
var errPlainHTTP = errors.New("plain HTTP is only spoken with registries on this machine")

// encrypted refuses plain HTTP, also where a redirect leads to it, except between a registry on this machine and itself.
type encrypted struct {
	inner http.RoundTripper
	plain bool // the registry is on this machine
}

func (e encrypted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !(e.plain && isLoopback(req.URL.Host)) {
		return nil, errPlainHTTP
	}
	return e.inner.RoundTrip(req)
}

// isLoopback reports whether a host, with or without port, is this machine.
func isLoopback(host string) bool {
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
	inner   http.RoundTripper
	network network
	log     hclog.Logger
}

// RoundTrip returns a status that is worth a retry as a *statusError when the patience is used up, so that callers which
// know only net/http keep what the server said.
func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	started := time.Now()
	for attempt := 1; ; attempt++ {
		resp, err := r.inner.RoundTrip(req.Clone(req.Context()))
		if err == nil && !retryableStatus(resp.StatusCode) {
			return resp, nil
		}
		delay := r.network.backoff(attempt)
		if err == nil {
			failed := readStatus(resp)
			if failed.retryAfter > 0 {
				delay = failed.retryAfter
			}
			err = failed
		}
		if !r.again(req, err, attempt, started, delay) {
			return nil, err
		}
		r.log.Debug("trying again", "host", req.URL.Host, "attempt", attempt+1, "in", delay, "because", printable(leaf(err).Error(), 200))
		if err := sleep(req.Context(), delay); err != nil {
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
	case req.Context().Err() != nil, attempt >= r.network.attempts, req.Body != nil && req.GetBody == nil:
		return false
	case time.Since(started)+delay > r.network.budget:
		return false
	case patience(err) < attempt:
		return false
	}
	return true
}

// patience is how many times a failure is worth another attempt.
func patience(err error) int {
	var status *statusError
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
	case errors.Is(err, syscall.ECONNREFUSED): // nobody listens: a registry that restarts is back within seconds
		return 2
	case errors.As(err, &timeout) && timeout.Timeout(): // each costs the whole timeout
		return 1
	case isInterruption(err):
		return 100
	}
	return 0
}

// isInterruption reports whether a connection broke.
func isInterruption(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}

func retryableStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// backoff is the delay after an attempt: doubled each time, and spread so that a fleet does not return in step.
func (n network) backoff(attempt int) time.Duration {
	d := min(n.delay<<min(attempt-1, 20), n.maxDelay)
	return d/2 + rand.N(d/2+1)
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
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

// leaf returns the innermost reason of a network error: those around it repeat addresses, which may hold tokens.
func leaf(err error) error {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			return err
		}
		err = u.Err
	}
}
