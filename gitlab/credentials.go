package gitlab

import (
	"cmp"
	"encoding/json"

	"github.com/google/go-containerregistry/pkg/name"
)

// authVariable holds a docker configuration, and is looked into first.
//
// https://docs.gitlab.com/ci/docker/using_docker_images/#determine-your-docker_auth_config-data
const authVariable = "DOCKER_AUTH_CONFIG"

// Environment returns the variables of a job as the gate is to see them: what GitLab sets to log in to a registry is in
// DOCKER_AUTH_CONFIG, in which the gate looks anyway. What the user wrote there of a registry wins.
//
// CS_REGISTRY_USER and CS_REGISTRY_PASSWORD are for the registry of the image that container scanning would scan, and
// CI_REGISTRY_USER and CI_REGISTRY_PASSWORD for the instance's own.
//
// https://docs.gitlab.com/user/application_security/container_scanning/#available-cicd-variables
// https://docs.gitlab.com/ci/variables/predefined_variables/
func Environment(getenv func(string) string) func(string) string {
	return func(variable string) string {
		if variable != authVariable {
			return getenv(variable)
		}
		return withLogins(getenv(authVariable), logins(getenv))
	}
}

// login is what one registry wants to know.
type login struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// logins are those that the job's variables hold, by registry.
func logins(getenv func(string) string) map[string]login {
	found := map[string]login{}
	add := func(registry, user, password string) {
		if registry != "" && user != "" && password != "" {
			found[registry] = login{user, password}
		}
	}
	add(getenv("CI_REGISTRY"), getenv("CI_REGISTRY_USER"), getenv("CI_REGISTRY_PASSWORD"))
	image := cmp.Or(getenv("CS_IMAGE"), getenv("CI_APPLICATION_REPOSITORY"), getenv("CLEANBILL_TARGET"))
	if ref, err := name.ParseReference(image); err == nil {
		registry := ref.Context().RegistryStr()
		if registry == name.DefaultRegistry {
			registry = "https://index.docker.io/v1/" // as docker's configuration calls it
		}
		add(registry, getenv("CS_REGISTRY_USER"), getenv("CS_REGISTRY_PASSWORD"))
	}
	return found
}

// withLogins adds logins to a docker configuration. One that is not understood stays as it is, to be complained of where
// it is used.
func withLogins(text string, found map[string]login) string {
	if len(found) == 0 {
		return text
	}
	configuration := map[string]json.RawMessage{}
	auths := map[string]json.RawMessage{}
	if text != "" && json.Unmarshal([]byte(text), &configuration) != nil {
		return text
	}
	if said, ok := configuration["auths"]; ok && json.Unmarshal(said, &auths) != nil {
		return text
	}
	if configuration == nil || auths == nil { // "null"
		return text
	}
	for registry, l := range found {
		if _, ok := auths[registry]; ok {
			continue
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return text
		}
		auths[registry] = raw
	}
	merged, err := json.Marshal(auths)
	if err != nil {
		return text
	}
	configuration["auths"] = merged
	whole, err := json.Marshal(configuration)
	if err != nil {
		return text
	}
	return string(whole)
}
