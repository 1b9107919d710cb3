package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// killer is a registry that kills who writes to it: with the write of that number, before it is stored or after.
type killer struct {
	held http.Handler

	mu     sync.Mutex
	writes int
	at     int
	after  bool
	victim *os.Process
	killed bool
}

// newKiller returns a registry, the arguments that push an image to it, and the name that the image gets.
func newKiller(t *testing.T) (*killer, []string, name.Tag) {
	t.Helper()
	k := &killer{held: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	layout, key, policy := filepath.Join(dir, "image"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "policy.yaml")
	image, err := images.Build(images.Clean("amd64"))
	if err == nil {
		err = images.WriteLayout(layout, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{
		key:    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		policy: "version: 1\nextends: none\nstarter-ok: true\nrequire: [packages]\nrules: []\n",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://")+"/team/app:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return k, []string{"gate", "oci:" + layout, "--policy", policy, "--push", tag.Name(), "--key", key}, tag
}

// names returns the digest that a tag names; empty for none.
func (k *killer) names(tag name.Tag) string {
	d, err := remote.Head(tag)
	if err != nil {
		return ""
	}
	return d.Digest.String()
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		k.held.ServeHTTP(w, r)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed {
		return // nobody is there to hear it
	}
	k.writes++
	if k.writes != k.at {
		k.held.ServeHTTP(w, r)
		return
	}
	if k.after {
		k.held.ServeHTTP(httptest.NewRecorder(), r)
	}
	k.killed = true
	k.victim.Kill()
}

// run starts the program and returns its exit code; -1 if it was killed.
func (k *killer) run(t *testing.T, at int, after bool, args ...string) (exit int, said string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Args = append([]string{"cleanbill"}, args...) // testscript runs main for that name
	return k.start(t, at, after, cmd)
}

func (k *killer) start(t *testing.T, at int, after bool, cmd *exec.Cmd) (exit int, said string) {
	t.Helper()
	var out strings.Builder
	cmd.Env = append(os.Environ(), "CLEANBILL_ADVISORIES=starter", "CLEANBILL_CACHE_DIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &out
	k.mu.Lock() // until the process is known
	k.writes, k.at, k.after, k.killed = 0, at, after, false
	err := cmd.Start()
	k.victim = cmd.Process
	k.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the state says it
	return cmd.ProcessState.ExitCode(), out.String()
}

// A process that is killed has no chance to put anything right. Whenever it happens, the name is not there or names what is
// complete, and the next run completes it.
func TestAKilledPushLeavesNothingUnderTheName(t *testing.T) {
	k, push, tag := newKiller(t)
	named := func() string { return k.names(tag) }
	said := func() int { // how many attestations are found beside what is named
		d, err := remote.Head(tag)
		if err != nil {
			return 0
		}
		index, err := remote.Referrers(tag.Context().Digest(d.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		list, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Manifests)
	}
	k.held = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if exit, out := k.run(t, 0, false, push...); exit != 0 {
		t.Fatalf("exit code %d\n%s", exit, out)
	}
	all := said()
	if all == 0 {
		t.Fatal("nothing is said of what was pushed")
	}
	step := 1
	if testing.Short() {
		step = 9
	}
	for _, after := range []bool{false, true} {
		for at := 1; ; at += step {
			k.held = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
			exit, out := k.run(t, at, after, push...)
			if !k.killed {
				if exit != 0 || named() == "" {
					t.Fatalf("exit code %d, the tag names %q\n%s", exit, named(), out)
				}
				break // there are no more writes
			}
			if exit != -1 {
				t.Fatalf("write %d: it was not killed, but ended with %d\n%s", at, exit, out)
			}
			first := named() // only the very last write names it
			if first != "" && said() != all {
				t.Fatalf("write %d: the tag names %s, and %d things are said of it, not %d", at, first, said(), all)
			}
			exit, out = k.run(t, 0, false, push...)
			if exit != 0 || named() == "" || first != "" && first != named() {
				t.Fatalf("write %d: the tag named %q; then exit code %d, the tag names %q\n%s", at, first, exit, named(), out)
			}
			if first != "" && !after {
				t.Fatalf("write %d: the tag named %s although its write was not stored", at, first)
			}
		}
	}
}

// Reports are written before anything is pushed: without room for them nothing is, and no half of one stays.
func TestAFullDiskLeavesNothingUnderTheName(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	mounted := []string{"--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o size=8k none "$0" || exit 99
"$@"; code=$?
ls -A "$0" | sed 's/^/left: /'
exit $code`, full}
	if exec.CommandContext(t.Context(), "unshare", append(mounted, "true")...).Run() != nil {
		t.Skip("a small disk cannot be mounted here")
	}
	k, push, tag := newKiller(t)
	report := []string{"--output", "html=" + filepath.Join(full, "report.html")}
	// testscript runs main for the name of the program, which the shell hands on as the path.
	link := filepath.Join(t.TempDir(), "cleanbill")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	exit, out := k.start(t, 0, false, exec.CommandContext(t.Context(), "unshare", slices.Concat(mounted, []string{link}, push, report)...))
	if exit != 3 || !strings.Contains(out, "no space left on device") || strings.Contains(out, "left: ") {
		t.Errorf("exit code %d\n%s", exit, out)
	}
	if k.writes != 0 || k.names(tag) != "" {
		t.Errorf("%d writes; the tag names %q", k.writes, k.names(tag))
	}
	if exit, out := k.run(t, 0, false, push...); exit != 0 || k.names(tag) == "" {
		t.Errorf("then exit code %d, the tag names %q\n%s", exit, k.names(tag), out)
	}
}
