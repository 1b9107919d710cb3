//go:build clients

package gitlab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientGitLabReadme runs what people copy first from the two READMEs, with the component published to a project as a
// release does it, and with the names that are to be filled in filled in.
func TestClientGitLabReadme(t *testing.T) {
	publishComponent(t)
	for _, readme := range []string{"README.md", "gitlab/README.md"} {
		t.Run(readme, func(t *testing.T) {
			project := clients.Prepare(t)
			snippet := snippetWith(t, readme, "- component:")
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

// TestClientGitLabReadmePush runs the page's snippet that pushes, signed with a key: the identity that it names is GitLab's.
func TestClientGitLabReadmePush(t *testing.T) {
	publishComponent(t)
	project := clients.Prepare(t)
	image, key := project.Registry+"/team/app:1", filepath.Join(t.TempDir(), "cosign.key")
	writeKey(t, key)
	snippet := snippetWith(t, "gitlab/README.md", "/cleanbill-push@")
	for from, to := range map[string]string{"oci:image ": "oci:clean ", "$CI_REGISTRY_IMAGE:$CI_COMMIT_SHORT_SHA": "$APP_IMAGE",
		"public-log: true": "key: $APP_KEY"} {
		if !strings.Contains(snippet, from) {
			t.Errorf("the snippet does not say %q:\n%s", from, snippet)
		}
		snippet = strings.ReplaceAll(snippet, from, to)
	}
	project.Write(t, ".gitlab-ci.yml", snippet)
	project.Write(t, ".cleanbill.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
	project.Commit(t)
	p := play(t, project, "APP_IMAGE="+image, "APP_KEY="+key, "CI_COMMIT_REF_PROTECTED=true")
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	head, err := remote.Head(ref)
	if err != nil || p.code != 0 || head.Digest.String() != project.Clean {
		t.Errorf("ended with %d, and in the registry: %v, %v\n%s", p.code, head, err, p.log)
	}
}

// publishComponent makes an instance, which is a directory, with the component published to a project as a release does it.
func publishComponent(t *testing.T) {
	t.Helper()
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
	text := "[url \"file://" + groups + "/my-group/\"]\n\tinsteadOf = https://gitlab.example/my-group/\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", settings)
}

// snippetWith is the first block of YAML in a page that has these words.
func snippetWith(t *testing.T, file, words string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(clients.Root(t), file))
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(page), "```") {
		if yaml, ok := strings.CutPrefix(block, "yaml\n"); ok && i%2 == 1 && strings.Contains(yaml, words) {
			return yaml
		}
	}
	t.Fatalf("%s has no block with %q", file, words)
	return ""
}
