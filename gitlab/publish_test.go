package gitlab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// git runs git in a directory, without the settings of whoever runs the test.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return command(t, dir, "git", args...)
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.invalid",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.invalid")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// The component's project has this directory as its root, and moves forward from release to release.
func TestThisDirectoryIsPublishedAsARoot(t *testing.T) {
	if err := exec.Command("git", "subtree", "split", "-h").Run(); err != nil && !strings.Contains(err.Error(), "exit status 129") {
		t.Skipf("git has no subtree: %v", err)
	}
	repository, project := t.TempDir(), t.TempDir()
	git(t, project, "init", "--quiet", "--bare", "--initial-branch=main")
	git(t, repository, "init", "--quiet", "--initial-branch=main")
	if err := os.CopyFS(filepath.Join(repository, "gitlab"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"main.go": "package main\n", "gitlab/README.md": "first\n"}
	for _, version := range []string{"v1.0.0", "v1.0.1", "v1.1.0"} {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(repository, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git(t, repository, "add", "--all")
		git(t, repository, "commit", "--quiet", "--message", version)
		command(t, repository, "gitlab/publish.sh", project, version)
		listed := strings.Fields(git(t, project, "ls-tree", "-r", "--name-only", version[1:]))
		for _, file := range []string{".gitlab-ci.yml", "LICENSE.md", "README.md", "templates/cleanbill.yml", "templates/cleanbill-split.yml"} {
			if !slices.Contains(listed, file) {
				t.Errorf("%s lacks %s: %v", version, file, listed)
			}
		}
		if slices.Contains(listed, "main.go") {
			t.Errorf("%s has what is outside of this directory: %v", version, listed)
		}
		files = map[string]string{"main.go": "package main // " + version + "\n"}
		if version == "v1.0.1" {
			files["gitlab/README.md"] = "second\n"
		}
	}
	if same := git(t, project, "rev-parse", "1.0.0") == git(t, project, "rev-parse", "1.0.1"); !same {
		t.Error("a release that changed nothing here has a commit of its own")
	}
	if git(t, project, "rev-parse", "main") != git(t, project, "rev-parse", "1.1.0") {
		t.Error("the branch is not at the newest release")
	}
}
