package actions

import (
	"maps"
	"strings"
	"testing"
)

func TestHowTheRunBuildsIsSaidAsGitHubSaysIt(t *testing.T) {
	env := map[string]string{
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/app", "GITHUB_SHA": strings.Repeat("a", 40),
		"GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/release.yml@refs/tags/v1", "GITHUB_REF": "refs/tags/v1",
		"RUNNER_ENVIRONMENT": "github-hosted", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2",
	}
	of := func(env map[string]string) *Adapter {
		return &Adapter{getenv: func(name string) string { return env[name] }}
	}
	b := of(env).build()
	if b == nil {
		t.Fatal("nothing is said")
	}
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1","externalParameters":` +
		`{"workflow":{"ref":"refs/tags/v1","repository":"https://github.com/acme/app","path":".github/workflows/release.yml"}},` +
		`"resolvedDependencies":[{"uri":"git+https://github.com/acme/app@refs/tags/v1","digest":{"gitCommit":"` + strings.Repeat("a", 40) + `"}}]},` +
		`"runDetails":{"builder":{"id":"https://github.com/actions/runner/github-hosted"},` +
		`"metadata":{"invocationId":"https://github.com/acme/app/actions/runs/7/attempts/2"}}}`
	if string(raw) != want {
		t.Errorf("it says\n%s\nwant\n%s", raw, want)
	}
	for _, name := range []string{"GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_WORKFLOW_REF", "RUNNER_ENVIRONMENT"} {
		less := maps.Clone(env)
		delete(less, name)
		if b := of(less).build(); b != nil {
			t.Errorf("without %s it says %+v", name, b)
		}
	}
}
