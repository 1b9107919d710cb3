package gitlab

import (
	"maps"
	"strings"
	"testing"
)

func TestHowTheJobBuildsIsSaidAsGitLabSaysIt(t *testing.T) {
	env := map[string]string{
		"CI_SERVER_URL": "https://gitlab.example", "CI_PROJECT_URL": "https://gitlab.example/acme/app", "CI_COMMIT_SHA": strings.Repeat("a", 40),
		"CI_COMMIT_REF_NAME": "main", "CI_RUNNER_ID": "12", "CI_RUNNER_VERSION": "18.2.1", "CI_JOB_NAME": "push",
		"CI_JOB_URL": "https://gitlab.example/acme/app/-/jobs/7", "CI_JOB_STARTED_AT": "2026-11-27T10:00:00Z",
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
	want := `{"buildDefinition":{"buildType":"https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v18.2.1/PROVENANCE.md",` +
		`"externalParameters":{"entryPoint":"push","source":"https://gitlab.example/acme/app"},` +
		`"resolvedDependencies":[{"uri":"git+https://gitlab.example/acme/app@main","digest":{"gitCommit":"` + strings.Repeat("a", 40) + `"}}]},` +
		`"runDetails":{"builder":{"id":"https://gitlab.example/acme/app/-/runners/12"},` +
		`"metadata":{"invocationId":"https://gitlab.example/acme/app/-/jobs/7","startedOn":"2026-11-27T10:00:00Z"}}}`
	if string(raw) != want {
		t.Errorf("it says\n%s\nwant\n%s", raw, want)
	}
	for _, name := range []string{"CI_SERVER_URL", "CI_PROJECT_URL", "CI_COMMIT_SHA", "CI_RUNNER_ID"} {
		less := maps.Clone(env)
		delete(less, name)
		if b := of(less).build(); b != nil {
			t.Errorf("without %s it says %+v", name, b)
		}
	}
}
