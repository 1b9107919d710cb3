package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// fakeDaemon speaks as much of Docker's API as is asked of a daemon, on a socket of its own.
func fakeDaemon(t *testing.T, handler http.Handler) (socket string) {
	t.Helper()
	dir := must[string](t)(os.MkdirTemp("", "cb")) // the path of a socket has about 100 bytes at most
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "d.sock")
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = must[net.Listener](t)(net.Listen("unix", socket))
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return socket
}

const fakeID = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// imageAPI has one image, by name and by ID, whose export is the archive.
func imageAPI(archive []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") })
	mux.HandleFunc("/images/", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/images/registry.example/team/app:1/json":
			fmt.Fprintf(w, `{"Id":%q,"RepoTags":["app:1"]}`, fakeID)
		case "/images/" + fakeID + "/get":
			_, _ = w.Write(archive)
		default:
			http.Error(w, `{"message":"No such image: x"}`, http.StatusNotFound)
		}
	})
	return mux
}

func TestDaemonImagesAreExportedOnceByID(t *testing.T) {
	_, _, items := saved(t)
	archive := tarOf(t, items...)
	socket := fakeDaemon(t, imageAPI(archive))
	want := mustOpen(t, fileOf(t, "x.tar", archive), Options{}).Subject.Digest
	tcp := httptest.NewServer(imageAPI(archive))
	defer tcp.Close()
	for _, tc := range []struct{ ref, variable, value string }{
		{"docker:registry.example/team/app:1", "DOCKER_HOST", "unix://" + socket},
		{"docker:registry.example/team/app:1", "DOCKER_HOST", strings.Replace(tcp.URL, "http", "tcp", 1)},
		{"podman:registry.example/team/app:1", "CONTAINER_HOST", "unix://" + socket},
	} {
		o := impatient()
		o.TempDir = emptyDir(t)
		o.Getenv = func(key string) string { return map[string]string{tc.variable: tc.value}[key] }
		target := mustOpen(t, tc.ref, o)
		if target.Subject.Digest != want || target.Subject.Name != tc.ref {
			t.Errorf("%s: %+v, want the digest that the same archive has", tc.ref, target.Subject)
		}
		readLayers(t, target.Images[0])
	}
}

func TestTheUsualSocketsAreTried(t *testing.T) {
	env := map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/a"}
	got, _ := sockets(schemeDocker, func(key string) string { return env[key] })
	if want := "unix:///var/run/docker.sock unix:///run/user/7/docker.sock unix:///home/a/.docker/run/docker.sock"; strings.Join(got, " ") != want {
		t.Errorf("docker: %q", got)
	}
	got, _ = sockets(schemePodman, func(key string) string { return env[key] })
	if want := "unix:///run/user/7/podman/podman.sock unix:///run/podman/podman.sock"; strings.Join(got, " ") != want {
		t.Errorf("podman: %q", got)
	}
}

func TestDaemonFailuresAreExplained(t *testing.T) {
	_, _, items := saved(t)
	archive := tarOf(t, items...)
	cut := imageAPI(archive[:len(archive)/3])
	broken := http.NewServeMux()
	broken.Handle("/", imageAPI(archive))
	broken.HandleFunc("/images/"+fakeID+"/get", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"message":"layer is\u001b[31m gone"}`, http.StatusInternalServerError)
	})
	hanging := http.NewServeMux()
	hanging.Handle("/", imageAPI(archive))
	hanging.HandleFunc("/images/"+fakeID+"/get", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	stranger := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello</html>") })
	socket := func(h http.Handler) string { return "unix://" + fakeDaemon(t, h) }
	dead := filepath.Join(t.TempDir(), "dead.sock")
	for _, tc := range []struct {
		name, ref, host string
		want            []string
		usage           bool
	}{
		{"no such image", "docker:gone:1", socket(imageAPI(archive)), []string{"no such image", "registry:gone:1", "build or pull"}, false},
		{"not running", "docker:app:1", "unix://" + dead, []string{"docker daemon does not answer", dead + ": there is no such socket", "start it"}, false},
		{"podman not running", "podman:app:1", "unix://" + dead, []string{"podman daemon does not answer", "CONTAINER_HOST"}, false},
		{"export fails", "docker:registry.example/team/app:1", socket(broken), []string{"export from unix://", "layer is\\x1b[31m gone"}, false},
		{"export is cut", "docker:registry.example/team/app:1", socket(cut), []string{"export from unix://", "unexpected EOF"}, false},
		{"export hangs", "docker:registry.example/team/app:1", socket(hanging), []string{"export from unix://", "did not answer within 2s"}, false},
		{"no daemon at all", "docker:registry.example/team/app:1", socket(stranger), []string{"does not speak Docker's API"}, false},
		{"another machine", "docker:app", "tcp://192.0.2.1:2375", []string{"DOCKER_HOST", "another machine"}, true},
		{"ssh", "docker:app", "ssh://host", []string{"DOCKER_HOST", `not reached by "ssh"`}, true},
		{"with password", "docker:app", "tcp://a:hunter2@127.0.0.1:1", []string{"not an address"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := impatient()
			o.TempDir = emptyDir(t)
			o.Getenv = func(key string) string {
				return map[string]string{"DOCKER_HOST": tc.host, "CONTAINER_HOST": tc.host}[key]
			}
			_, err := Open(testContext(t), tc.ref, o)
			checkFailure(t, err, failure{tc.want, tc.usage})
			if strings.Contains(err.Error()+core.HintOf(err), "hunter2") {
				t.Errorf("%v leaks", err)
			}
		})
	}
}

func TestAnInterruptedExportLeavesNothing(t *testing.T) {
	started := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", imageAPI(nil))
	mux.HandleFunc("/images/"+fakeID+"/get", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(tarOf(t, item{name: "layer.tar", body: strings.Repeat("x", 5000)})[:3000])
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
	})
	o := Options{TempDir: emptyDir(t), Getenv: func(key string) string { return "" }}
	host := "unix://" + fakeDaemon(t, mux)
	o.Getenv = func(key string) string { return map[string]string{"DOCKER_HOST": host}[key] }
	ctx, cancel := context.WithCancel(testContext(t))
	var at time.Time
	go func() { <-started; at = time.Now(); cancel() }()
	_, err := Open(ctx, "docker:registry.example/team/app:1", o)
	if !errors.Is(err, context.Canceled) || time.Since(at) > 5*time.Second {
		t.Errorf("%v, %s after the interruption", err, time.Since(at))
	}
}
