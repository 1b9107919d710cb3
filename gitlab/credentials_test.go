package gitlab_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/gitlab"
)

func TestTheJobsOwnLoginsAreUsed(t *testing.T) {
	type logins map[string]map[string]string
	ci := map[string]string{"CI_REGISTRY": "registry.example:5050", "CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": "job"}
	own := logins{"registry.example:5050": {"username": "gitlab-ci-token", "password": "job"}}
	for name, tc := range map[string]struct {
		env  map[string]string
		want logins
	}{
		"the instance's registry": {want: own},
		"what the user says wins": {env: map[string]string{"DOCKER_AUTH_CONFIG": `{"auths": {"registry.example:5050": {"auth": "eDp5"}}}`},
			want: logins{"registry.example:5050": {"auth": "eDp5"}}},
		"what the user says of others stays": {env: map[string]string{"DOCKER_AUTH_CONFIG": `{"auths": {"other.example": {"auth": "eDp5"}}}`},
			want: logins{"other.example": {"auth": "eDp5"}, "registry.example:5050": own["registry.example:5050"]}},
		"container scanning's": {env: map[string]string{"CS_IMAGE": "other.example/app:1", "CS_REGISTRY_USER": "u", "CS_REGISTRY_PASSWORD": "p"},
			want: logins{"other.example": {"username": "u", "password": "p"}, "registry.example:5050": own["registry.example:5050"]}},
		"container scanning's for the same": {env: map[string]string{"CS_IMAGE": "registry.example:5050/app:1", "CS_REGISTRY_USER": "u",
			"CS_REGISTRY_PASSWORD": "p"}, want: logins{"registry.example:5050": {"username": "u", "password": "p"}}},
		"Docker Hub": {env: map[string]string{"CS_IMAGE": "app:1", "CS_REGISTRY_USER": "u", "CS_REGISTRY_PASSWORD": "p", "CI_REGISTRY": ""},
			want: logins{"https://index.docker.io/v1/": {"username": "u", "password": "p"}}},
		"nothing":    {env: map[string]string{"CI_REGISTRY": ""}},
		"half of it": {env: map[string]string{"CI_REGISTRY_PASSWORD": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			for _, from := range []map[string]string{ci, tc.env} {
				for k, v := range from {
					env[k] = v
				}
			}
			seen := gitlab.Environment(func(name string) string { return env[name] })
			var got struct{ Auths logins }
			if text := seen("DOCKER_AUTH_CONFIG"); text != "" {
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.want, got.Auths); diff != "" {
				t.Errorf("logins (-want +got):\n%s", diff)
			}
			if seen("CI_REGISTRY_USER") != "gitlab-ci-token" {
				t.Error("other variables are not as they were")
			}
		})
	}
}

func TestAConfigurationThatIsNoneIsLeftAsItIs(t *testing.T) {
	for _, text := range []string{"{", "null", "[]", `{"auths": []}`, `{"auths": null}`} {
		env := map[string]string{"CI_REGISTRY": "registry.example", "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": "p", "DOCKER_AUTH_CONFIG": text}
		if got := gitlab.Environment(func(name string) string { return env[name] })("DOCKER_AUTH_CONFIG"); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestTheLogIsAsLoudAsGitLabsScanners(t *testing.T) {
	for _, tc := range []struct{ ours, theirs, want string }{
		{"", "", ""}, {"", "debug", "debug"}, {"", "fatal", "error"}, {"info", "debug", "info"},
	} {
		env := map[string]string{"CLEANBILL_LOG_LEVEL": tc.ours, "SECURE_LOG_LEVEL": tc.theirs}
		if got := gitlab.LogLevel(func(name string) string { return env[name] }); got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}
