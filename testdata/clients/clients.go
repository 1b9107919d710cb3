// Package clients is what the tests with real CI clients share: the scenarios that each of them plays, and the clients'
// binaries. These tests have the build tag "clients"; .ci/run builds the clients and puts them on the PATH.
package clients

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// Project is a directory with targets and a policy, as a pipeline's checkout has them, and a registry with the same
// images on the loopback interface.
type Project struct {
	Dir      string
	Registry string
	// Clean is the digest of the clean image.
	Clean string
	// Digests are those of all images, by name.
	Digests map[string]string
}

// Prepare makes a project in a new directory. The registry ends with the test.
func Prepare(t *testing.T) *Project {
	t.Helper()
	p := &Project{Dir: t.TempDir(), Digests: map[string]string{}}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	p.Registry = strings.TrimPrefix(server.URL, "http://")
	for name, spec := range specs() {
		image, err := images.Build(spec)
		check(t, err)
		check(t, images.WriteLayout(filepath.Join(p.Dir, name), image))
		p.push(t, name, image)
	}
	// The advisories in the program are too few to pass anything unless policy says so.
	p.Write(t, "policy.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
	p.Write(t, "tight.yaml", "version: 1\nname: tight\nextends: standard\nstarter-ok: true\n"+
		"rules: [{name: careless, when: 'finding.kind == \"misconfiguration\" && finding.severity >= MEDIUM', action: fail}]\n")
	return p
}

func (p *Project) push(t *testing.T, repository string, image v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(p.Registry + "/" + repository + ":1")
	check(t, err)
	check(t, remote.Write(ref, image))
	digest, err := image.Digest()
	check(t, err)
	p.Digests[repository] = digest.String()
	p.Clean = p.Digests["clean"]
}

// Write writes a file of the project.
func (p *Project) Write(t *testing.T, path, content string) {
	t.Helper()
	path = filepath.Join(p.Dir, filepath.FromSlash(path))
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(content), 0o644))
}

// Copy copies a file of the repository into the project.
func (p *Project) Copy(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(t), filepath.FromSlash(from)))
	check(t, err)
	p.Write(t, to, string(data))
}

// Commit makes the project a repository with everything committed, as clients expect a checkout to be.
func (p *Project) Commit(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "--quiet", "--message=test"},
		{"remote", "add", "origin", "https://gitlab.example/acme/app.git"},
		{"update-ref", "refs/remotes/origin/main", "HEAD"},
		{"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"},
	} {
		if out, code := Run(t, p.Dir, nil, "git", args...); code != 0 {
			t.Fatalf("git %s: exit code %d\n%s", args[0], code, out)
		}
	}
}

// Tool returns the path of a client, which has to be on the PATH: see .ci/run.
func Tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: .ci/run builds the clients and puts them on the PATH", err)
	}
	path, err = filepath.Abs(path)
	check(t, err)
	return path
}

// Analyser is Tool for a program that runs as a hook. One that takes minutes to build is there only if that was asked for.
func Analyser(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil && name == "gosec" && os.Getenv("CLEANBILL_CI_GOSEC") == "" {
		t.Skip("it is not here: CLEANBILL_CI_GOSEC=1 .ci/run builds it, which takes minutes")
	}
	return Tool(t, name)
}

// Run runs a program to its end and returns what it printed and its exit code.
func Run(t *testing.T, dir string, env []string, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	// Clients need no network for advisories, and print what the starter set knows.
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "CLEANBILL_ADVISORIES=starter"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", program, err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// Root returns the root of the repository.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	check(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
