//go:build clients

package gitlab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientGitLabReadme runs what people copy first from the two READMEs, with the component published to a project as a
// release does it, and with the names that are to be filled in filled in.
func TestClientGitLabReadme(t *testing.T) {
	groups := t.TempDir()
	component := filepath.Join(groups, "my-group", "cleanbill.git")
	git(t, groups, "init", "--quiet", "--bare", "--initial-branch=main", component)
	repository := t.TempDir()
	git(t, repository, "init", "--quiet", "--initial-branch=main")
	if err := os.CopyFS(filepath.Join(repository, "gitlab"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	git(t, repository, "add", "--all")
	git(t, repository, "commit", "--quiet", "--message=test")
	command(t, repository, "gitlab/publish.sh", component, "v1.0.0")
	settings := filepath.Join(groups, "gitconfig")
	// The instance is a directory.
	text := "[url \"file://" + groups + "/my-group/\"]\n\tinsteadOf = https://gitlab.example/my-group/\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", settings)

	for _, readme := range []string{"README.md", "gitlab/README.md"} {
		t.Run(readme, func(t *testing.T) {
			project := clients.Prepare(t)
			snippet := firstComponent(t, filepath.Join(clients.Root(t), readme))
			snippet = strings.ReplaceAll(snippet, "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA", "$APP_IMAGE")
			project.Write(t, ".gitlab-ci.yml", snippet)
			project.Write(t, ".cleanbill.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
			project.Write(t, "deploy", "#!/bin/sh\necho \"deploy $1\"\n")
			if err := os.Chmod(filepath.Join(project.Dir, "deploy"), 0o755); err != nil {
				t.Fatal(err)
			}
			project.Commit(t)
			for _, s := range project.Scenarios()[:2] {
				p := play(t, project, "APP_IMAGE="+s.Target)
				p.compare(t, s, false)
				if deployed := strings.Contains(p.log, "deploy "+project.Clean); readme == "gitlab/README.md" && deployed != (s.Exit == "0") {
					t.Errorf("the verdict is %s, and whether a later job ran does not follow from it:\n%s", s.Result, p.log)
				}
			}
		})
	}
}

// firstComponent is the first block of YAML in a page that includes the component.
func firstComponent(t *testing.T, file string) string {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(page), "```") {
		if yaml, ok := strings.CutPrefix(block, "yaml\n"); ok && i%2 == 1 && strings.Contains(yaml, "- component:") {
			return yaml
		}
	}
	t.Fatalf("%s includes no component", file)
	return ""
}
