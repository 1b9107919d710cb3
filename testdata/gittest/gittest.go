// Package gittest makes git repositories for tests, with the git program, as developers and pipelines make them.
package gittest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repository is a checkout in a directory of the test.
type Repository struct{ Dir string }

// New makes an empty repository whose branch is main.
func New(t testing.TB) *Repository {
	t.Helper()
	r := &Repository{Dir: filepath.Join(t.TempDir(), "repository")}
	if err := os.Mkdir(r.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Git(t, "init", "--quiet", "--initial-branch=main")
	return r
}

// Git runs git and returns what it printed, without white space around it.
func (r *Repository) Git(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.invalid",
		"-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Write writes files, by path. An empty content removes the file.
func (r *Repository) Write(t testing.TB, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(r.Dir, filepath.FromSlash(name))
		if content == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Commit writes files and commits everything, and returns the commit's name.
func (r *Repository) Commit(t testing.TB, files map[string]string) string {
	t.Helper()
	r.Write(t, files)
	r.Git(t, "add", "--all", "--force")
	r.Git(t, "commit", "--quiet", "--allow-empty", "--message=x")
	return r.Git(t, "rev-parse", "HEAD")
}

// Clone clones the repository with more arguments, over the protocol that a server would speak.
func (r *Repository) Clone(t testing.TB, args ...string) *Repository {
	t.Helper()
	c := &Repository{Dir: filepath.Join(t.TempDir(), "clone")}
	r.Git(t, append(append([]string{"clone", "--quiet"}, args...), "file://"+r.Dir, c.Dir)...)
	return c
}
