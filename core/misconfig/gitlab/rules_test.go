package gitlab

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func TestPipelinesAreKnown(t *testing.T) {
	for name, want := range map[string]bool{
		".gitlab-ci.yml": true, "a/b.gitlab-ci.yml": true, ".gitlab/ci/build.yml": true, "templates/a.yml": false,
		"a.yml": false,
	} {
		docs, err := yamldoc.Parse([]byte("a: {script: [x]}\n"))
		if err != nil || Is(name, docs) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	docs, err := yamldoc.Parse([]byte("spec: {inputs: {x: {}}}\n---\na: {script: [x]}\n"))
	if err != nil || !Is("templates/a.yml", docs) {
		t.Error("a template of a component is not known")
	}
}

func TestScriptsThatExecuteWhatStrangersWriteAreFound(t *testing.T) {
	family.Flags(t, "gitlab-script-injection", "a: {script: ['eval \"$CI_COMMIT_TITLE\"']}\n",
		"a: {script: [echo $CI_MERGE_REQUEST_TITLE]}\n", "a: {before_script: ['sh -c \"echo $CI_COMMIT_MESSAGE\"']}\n",
		"a: {script: ['echo $[[ inputs.x ]]']}\n")
	family.Spares(t, "gitlab-script-injection", "a: {script: ['echo \"$CI_COMMIT_TITLE\"', echo $CI_COMMIT_SHA]}\n",
		"a: {script: ['T=$X make']}\n")
	family.Is(t, "gitlab-script-injection", "a:\n  script:\n    - |\n      true\n      eval \"$CI_COMMIT_TITLE\"\n",
		core.SeverityHigh, 5)
	family.Is(t, "gitlab-script-injection", "a:\n  script:\n    - echo $CI_COMMIT_TITLE\n", core.SeverityMedium, 3)
}

func TestRemoteIncludesAreFound(t *testing.T) {
	family.Flags(t, "gitlab-remote-include", "include: {remote: 'https://x.example/a.yml'}\n",
		"include: ['https://x.example/a.yml']\n", "include: 'http://x.example/a.yml'\n")
	family.Spares(t, "gitlab-remote-include", "include: [{local: a.yml}]\n", "include: [{remote: 'https://x.example/a.yml', "+
		"integrity: sha256-x}]\n")
	family.Is(t, "gitlab-remote-include", "include: 'http://x.example/a.yml'\n", core.SeverityHigh, 1)
}

func TestCredentialsInAnIncludeAreNotShown(t *testing.T) {
	got := family.Found(t, "gitlab-remote-include", "include: 'https://x.example/a.yml?private_token=hunter22'\n")
	if len(got) != 1 || strings.Contains(got[0].Title, "hunter22") {
		t.Errorf("%+v", got)
	}
}

func TestUnpinnedIncludesAreFound(t *testing.T) {
	family.Flags(t, "gitlab-unpinned-include", "include: [{component: x.example/a/b@~latest}]\n",
		"include: [{component: x.example/a/b@1}]\n", "include: [{project: a/b, file: c.yml}]\n",
		"include: [{project: a/b, ref: main, file: c.yml}]\n")
	family.Spares(t, "gitlab-unpinned-include", "include: [{component: x.example/a/b@1.2.3}, {component: "+
		"x.example/a/b@$CI_COMMIT_SHA}]\n", "include: [{project: a/b, ref: 0123456789012345678901234567890123456789, "+
		"file: c.yml}]\n", "include: [{template: Jobs/SAST.gitlab-ci.yml}]\n")
}

func TestUnpinnedImagesAreFound(t *testing.T) {
	family.Flags(t, "gitlab-unpinned-image", "image: a:1\n", "a: {image: {name: a}, script: [x]}\n",
		"a: {services: ['docker:27-dind'], script: [x]}\n", "default: {image: a:1}\n")
	family.Spares(t, "gitlab-unpinned-image", "image: $X\n", "a: {image: 'a@sha256:0', script: [x]}\n")
}

func TestSecretsInVariablesAreFound(t *testing.T) {
	family.Flags(t, "gitlab-secret-variable", "variables: {DB_PASSWORD: hunter22}\n",
		"a: {variables: {DB_PASSWORD: {value: hunter22}}, script: [x]}\n")
	family.Spares(t, "gitlab-secret-variable", "variables: {DB_PASSWORD: $OTHER, A: b}\n")
}

func TestDaemonsWithoutTLSAreFound(t *testing.T) {
	family.Flags(t, "gitlab-insecure-daemon", "variables: {DOCKER_TLS_CERTDIR: ''}\n",
		"a: {variables: {DOCKER_HOST: 'tcp://docker:2375'}, script: [x]}\n")
	family.Spares(t, "gitlab-insecure-daemon", "variables: {DOCKER_TLS_CERTDIR: /certs, DOCKER_HOST: 'tcp://docker:2376'}\n")
}

func TestCurlPipeShellIsFound(t *testing.T) {
	family.Flags(t, "gitlab-curl-pipe-shell", "a: {script: [curl x | sh]}\n", "a: {script: 'curl x | sh'}\n")
	family.Spares(t, "gitlab-curl-pipe-shell", "a: {script: [curl x -o y]}\n")
}
