package target

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/registry"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

// onGet intercepts reads of paths with that part in them, from the moment it is armed.
func onGet(armed *atomic.Bool, part string, do func(http.ResponseWriter, *http.Request, http.Handler)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if armed.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, part) {
				do(w, r, h)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

func answer(code int, header http.Header, body string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func hang(w http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// record runs a handler and returns what it wrote.
func record(h http.Handler, r *http.Request) (http.Header, []byte) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Header(), rec.Body.Bytes()
}

// resetAfter sends the beginning of the true body and then breaks the connection.
func resetAfter(w http.ResponseWriter, r *http.Request, h http.Handler, n int) {
	whole := r.Clone(r.Context())
	whole.Header.Del("Range") // as a server that knows no ranges
	header, body := record(h, whole)
	for k, v := range header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:min(n, len(body))])
	w.(http.Flusher).Flush()
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not an orderly end
	}
	conn.Close()
}

func TestRegistryFailuresAreExplained(t *testing.T) {
	for _, tc := range []struct {
		name string
		at   string
		do   func(http.ResponseWriter, *http.Request, http.Handler)
		want []string
	}{
		{"401 at the greeting and manifest", "/v2/", answer(401, http.Header{"Www-Authenticate": {`Basic realm="x"`}}, ""),
			[]string{"open image-under-test", "asks for credentials", "docker login HOST"}},
		{"401 of the manifest", "/manifests/", answer(401, nil, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`),
			[]string{"asks for credentials", "authentication required", "docker login HOST"}},
		{"403", "/manifests/", answer(403, nil, `{"errors":[{"code":"DENIED","message":"not yours"}]}`),
			[]string{"denied", "not yours", "403"}},
		{"404 of the tag", "/manifests/", answer(404, nil, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}`),
			[]string{"no such image", "404", "check the tag"}},
		{"404 of the repository", "/manifests/", answer(404, nil, `{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}`),
			[]string{"no repository team/app", "check the spelling"}},
		{"404 of everything", "/", answer(404, nil, "<html>not here</html>"), []string{"HOST is not a registry"}},
		{"429 with a wait beyond patience", "/manifests/", answer(429, http.Header{"Retry-After": {"3600"}}, ""),
			[]string{"limits how often", "1h0m0s", "429"}},
		{"429 for ever", "/manifests/", answer(429, nil, `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`),
			[]string{"limits how often", "slow down"}},
		{"429 at the greeting", "/v2/", answer(429, http.Header{"Retry-After": {"3600"}}, ""), []string{"limits how often", "1h0m0s"}},
		{"503 for ever", "/manifests/", answer(503, nil, ""), []string{"HOST fails", "503", "try again later"}},
		{"hangs at the greeting", "/v2/", hang, []string{"HOST hangs", "did not answer within"}},
		{"hangs at the manifest", "/manifests/", hang, []string{"HOST hangs", "did not answer within"}},
		{"garbage instead of a manifest", "/manifests/", answer(200, nil, "<html>log in to the network</html>"), []string{"not a manifest"}},
		{"empty manifest", "/manifests/", answer(200, nil, ""), []string{"not a manifest", "empty"}},
		{"two documents", "/manifests/", answer(200, nil, "{}{}"), []string{"something follows"}},
		{"wrong digest header", "/manifests/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			_, _ = w.Write(body)
		}, []string{"another manifest", "sha256:" + strings.Repeat("0", 64)}},
		{"malformed digest header", "/manifests/", answer(200, http.Header{"Docker-Content-Digest": {"md5:0"}}, "{}"), []string{"malformed digest"}},
		{"redirects in a circle", "/manifests/", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, []string{"stopped after 5 redirects"}},
		{"redirects to another machine in plain text", "/manifests/", func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, "http://192.0.2.1/secret?token=x", http.StatusTemporaryRedirect)
		}, []string{"plain HTTP is only spoken"}},
		{"redirects to an address that is none", "/manifests/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Location", "https://alice:secret?@[x/y?token=x")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, []string{"Location"}},
		{"endless greeting", "/v2/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			if r.URL.Path != "/v2/" {
				answer(404, nil, "")(w, r, h)
				return
			}
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, []string{"no such image"}},
		{"manifest too large", "/manifests/", answer(200, nil, strings.Repeat(" ", 9<<20)), []string{"exceeds the limit", "--limit metadata-size"}},
		{"configuration is lost", "/blobs/", answer(404, nil, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}`),
			[]string{"configuration sha256:", "lacks a part of the image"}},
		{"configuration is another", "/blobs/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			_, _ = w.Write(bytes.ToUpper(body))
		}, []string{"configuration sha256:", "expected sha256:"}},
		{"configuration is longer", "/blobs/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			_, _ = w.Write(append(body, ' '))
		}, []string{"configuration sha256:", "more than the"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			host := newRegistry(t, onGet(&armed, tc.at, tc.do))
			push(t, host+"/team/app:1", imageFor(t, amd64))
			armed.Store(true)
			_, err := Open(testContext(t), host+"/team/app:1", impatient())
			want := failure{}
			for _, w := range tc.want {
				w = strings.ReplaceAll(w, "image-under-test", host+"/team/app:1")
				want.says = append(want.says, strings.ReplaceAll(w, "HOST", host))
			}
			checkFailure(t, err, want)
			for _, secret := range []string{"token=x", "secret?", "alice"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v leaks %q", err, secret)
				}
			}
		})
	}
}

func TestAnotherManifestThanTheDigestNamesIsRefused(t *testing.T) {
	var armed atomic.Bool
	host := newRegistry(t, onGet(&armed, "/manifests/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		header, body := record(h, r)
		w.Header().Set("Content-Type", header.Get("Content-Type"))
		_, _ = w.Write(append(body, '\n'))
	}))
	img := imageFor(t, amd64)
	push(t, host+"/app", img)
	armed.Store(true)
	_, err := Open(testContext(t), host+"/app@"+digestString(t, img), impatient())
	checkFailure(t, err, failure{says: []string{"another manifest", digestString(t, img)}})
}

func TestWhatIsWorthARetryIsRetried(t *testing.T) {
	for _, tc := range []struct {
		name string
		fail func(http.ResponseWriter, *http.Request, http.Handler)
	}{
		{"429 with Retry-After in seconds", answer(429, http.Header{"Retry-After": {"1"}}, "")},
		{"500", answer(500, nil, "")},
		{"502", answer(502, nil, "")},
		{"503", answer(503, nil, "")},
		{"504", answer(504, nil, "")},
		{"408", answer(408, nil, "")},
		{"reset before the answer", func(w http.ResponseWriter, r *http.Request, h http.Handler) { resetAfter(w, r, h, 0) }},
		{"reset in the body", func(w http.ResponseWriter, r *http.Request, h http.Handler) { resetAfter(w, r, h, 20) }},
		{"hangs once", hang},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			var failed atomic.Int32
			once := func(w http.ResponseWriter, r *http.Request, h http.Handler) {
				if failed.Add(1) == 1 {
					tc.fail(w, r, h)
					return
				}
				h.ServeHTTP(w, r)
			}
			host := newRegistry(t, onGet(&armed, "/manifests/", once))
			push(t, host+"/app", imageFor(t, amd64))
			armed.Store(true)
			mustOpen(t, host+"/app", impatient())
			if failed.Load() != 2 {
				t.Errorf("asked %d times, want twice", failed.Load())
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var armed atomic.Bool
	var first, second time.Time
	host := newRegistry(t, onGet(&armed, "/manifests/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		if first.IsZero() {
			first = time.Now()
			answer(429, http.Header{"Retry-After": {"1"}}, "")(w, r, h)
			return
		}
		second = time.Now()
		h.ServeHTTP(w, r)
	}))
	push(t, host+"/app", imageFor(t, amd64))
	armed.Store(true)
	mustOpen(t, host+"/app", impatient())
	if waited := second.Sub(first); waited < 900*time.Millisecond {
		t.Errorf("came back after %s, the registry asked for 1s", waited)
	}
}

func TestWhatIsNotWorthARetryIsAskedOnce(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 410} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			var armed atomic.Bool
			var asked atomic.Int32
			host := newRegistry(t, onGet(&armed, "/manifests/", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
				asked.Add(1)
				answer(code, nil, "")(w, r, h)
			}))
			armed.Store(true)
			if _, err := Open(testContext(t), host+"/app", impatient()); err == nil || asked.Load() != 1 {
				t.Errorf("error %v after %d requests, want one after 1", err, asked.Load())
			}
		})
	}
}

// bigImage has one layer that does not fit into socket buffers.
func bigImage(t *testing.T) v1.Image {
	t.Helper()
	return must[v1.Image](t)(random.Image(3<<20, 1))
}

func TestABrokenBlobIsResumed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ranges bool
	}{{"with ranges", true}, {"by a server that knows no ranges", false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			img := bigImage(t)
			digest := digestString(t, must[[]v1.Layer](t)(img.Layers())[0])
			var armed atomic.Bool
			var asked, fromStart atomic.Int32
			host := newRegistry(t, onGet(&armed, digest, func(w http.ResponseWriter, r *http.Request, h http.Handler) {
				n := asked.Add(1)
				whole := r.Clone(r.Context())
				whole.Header.Del("Range")
				_, body := record(h, whole)
				from := 0
				if rng := r.Header.Get("Range"); rng != "" {
					_, _ = fmt.Sscanf(rng, "bytes=%d-", &from)
				} else {
					fromStart.Add(1)
				}
				if !tc.ranges {
					from = 0
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
				if from > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
					w.WriteHeader(http.StatusPartialContent)
				}
				if n <= 3 {
					_, _ = w.Write(body[from : from+(len(body)-from)/2])
					w.(http.Flusher).Flush()
					conn, _, err := w.(http.Hijacker).Hijack()
					if err == nil {
						conn.Close()
					}
					return
				}
				_, _ = w.Write(body[from:])
			}))
			push(t, host+"/app", img)
			armed.Store(true)
			target := mustOpen(t, host+"/app", impatient())
			readLayers(t, target.Images[0])
			// A broken connection may lose even what was sent before, so not each of the three brings the blob forward.
			if asked.Load() != 4 || fromStart.Load() == 4 {
				t.Errorf("asked %d times, %d times from the start; want 4 and fewer", asked.Load(), fromStart.Load())
			}
		})
	}
}

func TestBrokenBlobsAreExplained(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(http.ResponseWriter, *http.Request, http.Handler)
		want []string
	}{
		{"breaks again and again", func(w http.ResponseWriter, r *http.Request, h http.Handler) { resetAfter(w, r, h, 1000) }, []string{"broke"}},
		{"hangs within", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			if rng := r.Header.Get("Range"); rng != "" {
				w.Header().Set("Content-Range", strings.Replace(rng, "=", " ", 1)+"/*")
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = w.Write(body[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, []string{"hangs", "sent nothing more within"}},
		{"hangs before", hang, []string{"hangs", "did not answer within"}},
		{"lost", answer(404, nil, ""), []string{"lacks a part of the image", "push the image again"}},
		{"shorter than promised", answer(200, nil, "short"), []string{"5 of the"}},
		{"longer than promised", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			w.(http.Flusher).Flush() // no length
			_, _ = w.Write(append(body, "more"...))
		}, []string{"more than the"}},
		{"another of the same length", func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			_, body := record(h, r)
			body[len(body)/2] ^= 1
			_, _ = w.Write(body)
		}, []string{"expected sha256:", "bytes received have sha256:"}},
		{"forbidden meanwhile", answer(403, nil, ""), []string{"denied"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			img := must[v1.Image](t)(random.Image(5000, 1))
			var armed atomic.Bool
			host := newRegistry(t, onGet(&armed, digestString(t, must[[]v1.Layer](t)(img.Layers())[0]), tc.do))
			push(t, host+"/app:2", img)
			armed.Store(true)
			target := mustOpen(t, host+"/app:2", impatient())
			_, err := readLayer(testContext(t), target.Images[0].Layers[0])
			if err == nil {
				t.Fatal("no error")
			}
			all := err.Error() + core.HintOf(err)
			for _, w := range tc.want {
				if !strings.Contains(all, w) {
					t.Errorf("%q does not say %q", all, w)
				}
			}
			var f *core.Failure
			if errors.As(err, &f) && !strings.Contains(f.Doing, "layer 1 of 1 (sha256:") && !strings.Contains(f.Doing, host+"/app:2") {
				t.Errorf("%v does not name the layer and the image", err)
			}
		})
	}
}

func TestAnInterruptionEndsEverythingAtOnce(t *testing.T) {
	wait := Options{Patience: network.Patience{Delay: time.Hour, MaxDelay: time.Hour, Budget: 10 * time.Hour, Header: time.Hour, Idle: time.Hour}}
	for _, tc := range []struct {
		name string
		at   string
		do   func(http.ResponseWriter, *http.Request, http.Handler)
	}{
		{"while a server hangs", "/manifests/", hang},
		{"while waiting to try again", "/manifests/", answer(503, nil, "")},
		{"while waiting as asked", "/manifests/", answer(429, http.Header{"Retry-After": {"600"}}, "")},
		{"while a blob hangs", "/blobs/", hang},
		{"while the greeting hangs", "/v2/", hang},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			arrived := make(chan struct{}, 100)
			host := newRegistry(t, onGet(&armed, tc.at, func(w http.ResponseWriter, r *http.Request, h http.Handler) {
				arrived <- struct{}{}
				tc.do(w, r, h)
			}))
			push(t, host+"/app", imageFor(t, amd64))
			armed.Store(true)
			ctx, cancel := context.WithCancel(testContext(t))
			var cancelled time.Time
			go func() {
				<-arrived
				time.Sleep(20 * time.Millisecond)
				cancelled = time.Now()
				cancel()
			}()
			_, err := Open(ctx, host+"/app", wait)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want context.Canceled", err)
			}
			if took := time.Since(cancelled); took > 5*time.Second {
				t.Errorf("ended %s after the interruption", took)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := l.Addr().String()
	l.Close()
	_, err := Open(testContext(t), address+"/app", impatient())
	checkFailure(t, err, failure{says: []string{"open " + address + "/app", "nothing listens at " + address, "check that the server runs"}})
}

func TestAnUntrustedCertificateIsExplained(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	o := impatient()
	// Another name than loopback's, so that plain HTTP is no way out.
	o.Transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}}
	_, err := Open(testContext(t), "registry.example.com/app", o)
	checkFailure(t, err, failure{says: []string{"no trusted encrypted connection to registry.example.com", "SSL_CERT_FILE"}})
}

func TestPlainHTTPIsNotSpokenOverANetwork(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("plain request for %s", r.URL)
	}))
	defer s.Close()
	for _, host := range []string{"registry.example.com", "10.0.0.1:5000", "192.168.1.1"} {
		o := impatient()
		o.Transport = &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
			},
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, tls.RecordHeaderError{Msg: "not TLS"}
			},
		}
		_, err := Open(testContext(t), host+"/app", o)
		checkFailure(t, err, failure{says: []string{"no trusted encrypted connection to " + host}})
	}
}

func TestAnUnknownHostIsExplained(t *testing.T) {
	o := impatient()
	o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "registry.invalid", IsNotFound: true}
	}}
	_, err := Open(testContext(t), "registry.invalid/app", o)
	checkFailure(t, err, failure{says: []string{"no address for registry.invalid", "check the spelling", "tried as a file or directory"}})
}

// withLogin asks for a name and password, or for a token that it gives for them.
func withLogin(bearer bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			good := user == "alice" && password == "s3cret-password"
			switch {
			case r.URL.Path == "/token":
				if !good || r.URL.Query().Get("scope") != "repository:team/app:pull" {
					http.Error(w, "no", http.StatusUnauthorized)
					return
				}
				fmt.Fprint(w, `{"token":"t0ken"}`)
			case bearer && r.Header.Get("Authorization") == "Bearer t0ken", !bearer && good:
				h.ServeHTTP(w, r)
			case bearer:
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, r.Host))
				w.WriteHeader(http.StatusUnauthorized)
			default:
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	}
}

func TestCredentialsOfDockerAndPodmanAreUsed(t *testing.T) {
	for _, bearer := range []bool{false, true} {
		var login atomic.Bool
		open := http.Handler(nil)
		host := newRegistry(t, func(h http.Handler) http.Handler {
			open = withLogin(bearer)(h)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if login.Load() {
					open.ServeHTTP(w, r)
					return
				}
				h.ServeHTTP(w, r)
			})
		})
		push(t, host+"/team/app", imageFor(t, amd64))
		login.Store(true)
		auth := func(key, password string) string {
			return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, key, base64.StdEncoding.EncodeToString([]byte("alice:"+password)))
		}
		home := t.TempDir()
		file := func(content string, path ...string) string {
			p := filepath.Join(append([]string{home}, path...)...)
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return p
		}
		helper := file("#!/bin/sh\nread host\necho '{\"Username\":\"alice\",\"Secret\":\"s3cret-password\"}'\n", "bin", "docker-credential-cleanbilltest")
		if err := os.Chmod(helper, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", filepath.Dir(helper)+":"+os.Getenv("PATH"))
		good, bad := auth(host, "s3cret-password"), auth(host, "wrong")
		for _, tc := range []struct {
			name string
			env  map[string]string
			want []string // none: it works
		}{
			{"DOCKER_CONFIG", map[string]string{"DOCKER_CONFIG": filepath.Dir(file(good, "a", "config.json"))}, nil},
			{"home", map[string]string{"HOME": filepath.Dir(filepath.Dir(file(good, "h", ".docker", "config.json")))}, nil},
			{"DOCKER_AUTH_CONFIG", map[string]string{"DOCKER_AUTH_CONFIG": good}, nil},
			{"REGISTRY_AUTH_FILE", map[string]string{"REGISTRY_AUTH_FILE": file(good, "r.json")}, nil},
			{"XDG_RUNTIME_DIR", map[string]string{"XDG_RUNTIME_DIR": filepath.Dir(filepath.Dir(file(good, "x", "containers", "auth.json")))}, nil},
			{"by repository", map[string]string{"REGISTRY_AUTH_FILE": file(auth(host+"/team", "s3cret-password"), "n.json")}, nil},
			{"by credential helper", map[string]string{"REGISTRY_AUTH_FILE": file(fmt.Sprintf(`{"credHelpers":{%q:"cleanbilltest"}}`, host), "c.json")}, nil},
			{"a later file", map[string]string{"DOCKER_CONFIG": filepath.Dir(file(`{}`, "e", "config.json")), "REGISTRY_AUTH_FILE": file(good, "l.json")}, nil},
			{"none", nil, []string{"asks for credentials and none were found", "docker login " + host}},
			{"wrong", map[string]string{"REGISTRY_AUTH_FILE": file(bad, "bad.json")}, []string{"does not accept the credentials in " + filepath.Join(home, "bad.json")}},
			{"missing helper", map[string]string{"REGISTRY_AUTH_FILE": file(`{"credsStore":"cleanbillmissing"}`, "m.json")}, []string{"credential helper", "failed"}},
			{"broken file", map[string]string{"REGISTRY_AUTH_FILE": file(`{"auths":"s3cret-password"`, "broken.json")}, []string{"broken.json", "not valid JSON"}},
		} {
			t.Run(fmt.Sprintf("bearer=%t/%s", bearer, tc.name), func(t *testing.T) {
				o := impatient()
				o.Getenv = func(key string) string { return tc.env[key] }
				if tc.want == nil {
					target := mustOpen(t, host+"/team/app", o)
					readLayers(t, target.Images[0])
					return
				}
				_, err := Open(testContext(t), host+"/team/app", o)
				checkFailure(t, err, failure{says: tc.want})
				if strings.Contains(err.Error()+core.HintOf(err), "s3cret") {
					t.Errorf("%v leaks the password", err)
				}
			})
		}
	}
}

func TestARegistryThatRepeatsSecretsIsNotQuoted(t *testing.T) {
	refuse := func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"code": "DENIED",
			"message": "not yours: " + r.Header.Get("Authorization") + " " + password + " " + strings.Repeat("s3cret-password ", 20)}}})
	}
	for _, at := range []string{"/token", "/manifests/", "basic"} {
		t.Run(at, func(t *testing.T) {
			host := newRegistry(t, func(h http.Handler) http.Handler {
				login := withLogin(at != "basic")(http.HandlerFunc(refuse))
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" && at == "/token" {
						refuse(w, r)
						return
					}
					login.ServeHTTP(w, r)
				})
			})
			o := impatient()
			encoded := base64.StdEncoding.EncodeToString([]byte("alice:s3cret-password"))
			o.Getenv = func(key string) string {
				if key == "DOCKER_AUTH_CONFIG" {
					return fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, encoded)
				}
				return ""
			}
			_, err := Open(testContext(t), host+"/team/app", o)
			checkFailure(t, err, failure{says: []string{"403", "not yours"}})
			for _, secret := range []string{"s3cret", "t0ken", encoded[:8]} {
				if strings.Contains(err.Error()+core.HintOf(err), secret) {
					t.Errorf("%v shows %q", err, secret)
				}
			}
		})
	}
}

func TestCredentialsInAReferenceAreRefusedAndNotShown(t *testing.T) {
	for _, ref := range []string{
		"alice:hunter2@registry.example/app:1", "registry:alice:hunter2@registry.example/app", "https://alice:hunter2@registry.example/app",
		"docker://hunter2@registry.example/app", "hunter2@registry.example",
	} {
		_, err := Open(testContext(t), ref, Options{})
		checkFailure(t, err, failure{[]string{"credentials"}, true})
		if strings.Contains(err.Error()+core.HintOf(err), "hunter2") {
			t.Errorf("%s: %v shows the password", ref, err)
		}
	}
}

func TestArtifactsThatAreNoImagesAreNamed(t *testing.T) {
	host := newRegistry(t, nil)
	blob := func(mediaType string) map[string]any {
		return map[string]any{"mediaType": mediaType, "size": 2, "digest": verify.DigestOf([]byte("{}"))}
	}
	const image = "application/vnd.oci.image.config.v1+json"
	manifest := func(config any, more map[string]any) []byte {
		m := map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "config": config, "layers": []any{}}
		for k, v := range more {
			m[k] = v
		}
		return marshal(t, m)
	}
	for _, tc := range []struct {
		name      string
		raw       []byte
		mediaType types.MediaType
		want      string
	}{
		{"helm chart", manifest(blob("application/vnd.cncf.helm.config.v1+json"), nil), types.OCIManifestSchema1, "application/vnd.cncf.helm.config.v1+json"},
		{"empty configuration", manifest(blob(emptyConfig), nil), types.OCIManifestSchema1, emptyConfig},
		{"bundle", manifest(blob(emptyConfig), map[string]any{"artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"}), types.OCIManifestSchema1, "sigstore.bundle"},
		{"artifact type", manifest(blob(image), map[string]any{"artifactType": "application/x-thing"}), types.OCIManifestSchema1, "application/x-thing"},
		{"signature", manifest(blob(image), map[string]any{"layers": []any{blob("application/vnd.dev.cosign.simplesigning.v1+json")}}), types.OCIManifestSchema1, "layer 1's media type"},
		{"encrypted", manifest(blob(image), map[string]any{"layers": []any{blob("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")}}), types.OCIManifestSchema1, "+encrypted"},
		{"schema 1", []byte(`{"schemaVersion":1,"fsLayers":[]}`), types.DockerManifestSchema1, "schema 1"},
		{"both kinds", manifest(blob(image), map[string]any{"manifests": []any{}}), types.OCIManifestSchema1, "ambiguous"},
		{"announced as another", manifest(blob(image), nil), types.DockerManifestSchema2, "ambiguous"},
		{"empty index", marshal(t, map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex, "manifests": []any{}}), types.OCIImageIndex, "index is empty"},
		{"no configuration", marshal(t, map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1}), types.OCIManifestSchema1, "no configuration"},
		{"nothing", []byte(`{}`), "application/json", "neither a configuration nor manifests"},
		{"negative size", manifest(map[string]any{"mediaType": image, "size": -1, "digest": verify.DigestOf(nil)}, nil), types.OCIManifestSchema1, "negative size"},
		{"huge configuration", manifest(map[string]any{"mediaType": image, "size": 1 << 40, "digest": verify.DigestOf(nil)}, nil), types.OCIManifestSchema1, "--limit metadata-size"},
		{"malformed digest", manifest(map[string]any{"mediaType": image, "size": 1, "digest": "sha256:../../etc"}, nil), types.OCIManifestSchema1, "not a digest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			push(t, host+"/thing", rawManifest{tc.raw, tc.mediaType})
			_, err := Open(testContext(t), host+"/thing", impatient())
			checkFailure(t, err, failure{says: []string{tc.want}})
		})
	}
}

func TestForeignLayersAreNotFetchedFromElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	defer elsewhere.Close()
	host := newRegistry(t, nil)
	img := imageFor(t, amd64)
	push(t, host+"/app", img)
	m := must[*v1.Manifest](t)(img.Manifest()).DeepCopy()
	m.Layers[1] = v1.Descriptor{
		MediaType: types.DockerForeignLayer, Size: 9, Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)},
		URLs: []string{elsewhere.URL + "/layer"},
	}
	push(t, host+"/app:foreign", rawManifest{marshal(t, m), must[types.MediaType](t)(img.MediaType())})
	target := mustOpen(t, host+"/app:foreign", impatient())
	_, err := target.Images[0].Layers[1].Open(testContext(t))
	checkFailure(t, err, failure{says: []string{"layer 2 of 2 (sha256:aaaaaaaaaaaa)", "foreign layer", "not followed", "404"}})
}

func TestAnImageWithoutLayersOpens(t *testing.T) {
	host := newRegistry(t, nil)
	img := must[v1.Image](t)(random.Image(0, 0))
	push(t, host+"/empty", img)
	if target := mustOpen(t, host+"/empty", impatient()); len(target.Images) != 1 || len(target.Images[0].Layers) != 0 {
		t.Errorf("images: %+v", target.Images)
	}
}

func TestRegistryOnIPv6Loopback(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	l.Close()
	if _, err := registry.ParseReference(l.Addr().String() + "/app:1"); err != nil {
		t.Fatal(err)
	}
	_, err = Open(testContext(t), l.Addr().String()+"/app:1", impatient())
	checkFailure(t, err, failure{says: []string{"nothing listens at [::1]:"}})
}

func TestWhatNoImageIsCalledIsExplained(t *testing.T) {
	for ref, says := range map[string]string{
		"":                             "it is empty",
		"https://127.0.0.1:1/app:1":    "the name of an image has no scheme",
		"127.0.0.1:1/Team/app:1":       "repository can only contain",
		"127.0.0.1:1/app@sha256:73ff":  "invalid checksum digest length",
		"127.0.0.1:1/app@sha1:73ff":    "unsupported digest algorithm",
		"127.0.0.1:1/app:one and more": "tag can only contain",
		"127.0.0.1:1/app:":             "must specify a tag name",
	} {
		if _, err := registry.ParseReference(ref); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", ref, err, says)
		}
	}
}

// A registry on this machine is spoken to in plain HTTP if its certificate is not trusted, and then says that it does not
// speak that.
func TestARegistryOnThisMachineWhoseCertificateIsNotTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := Open(testContext(t), strings.TrimPrefix(server.URL, "https://")+"/app:1", impatient())
	checkFailure(t, err, failure{says: []string{"accepts neither trusted HTTPS nor plain HTTP", "SSL_CERT_FILE"}})
}

func TestOnlyImagesInRegistriesAreNamedSo(t *testing.T) {
	for ref, want := range map[string]string{
		"registry.example/app:1":          "registry.example/app:1",
		"registry:registry.example/app:1": "registry.example/app:1",
		"debian:12":                       "debian:12",
		"localhost:5000/app":              "localhost:5000/app",
		"oci:app":                         "", "docker:app": "", "dir:app": "", "app.tar": "", "./app": "",
		"registry.example": "", "127.0.0.1:5000": "", "localhost:5000": "",
	} {
		if got, err := InRegistry(ref); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
}
