package hook

import (
	"path/filepath"
)

// credentials returns what signs or pushes in this environment, by name: variables that are set, and files of registry
// credentials. Code of the project that reads one of them can publish as the pipeline.
func credentials(getenv func(string) string) []string {
	var found []string
	for _, name := range []string{
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN", "GITHUB_TOKEN", "GH_TOKEN",
		"SIGSTORE_ID_TOKEN", "COSIGN_PASSWORD", "COSIGN_PRIVATE_KEY", "COSIGN_KEY", "COSIGN_PKCS11_PIN", "COSIGN_CERTIFICATE",
		"DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "CI_REGISTRY_PASSWORD", "CI_JOB_TOKEN", "CI_DEPLOY_PASSWORD", "REGISTRY_PASSWORD",
		"CS_REGISTRY_PASSWORD", "CLEANBILL_GITLAB_TOKEN",
		"DOCKER_PASSWORD", "DOCKERHUB_TOKEN", "CR_PAT", "QUAY_TOKEN", "VAULT_TOKEN", "VAULT_ID_TOKEN", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE",
		"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "NPM_TOKEN", "NODE_AUTH_TOKEN", "TWINE_PASSWORD",
	} {
		if getenv(name) != "" {
			found = append(found, "$"+name)
		}
	}
	var dirs []string
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		dirs = append(dirs, dir)
	}
	if home := getenv("HOME"); home != "" {
		dirs = append(dirs, filepath.Join(home, ".docker"))
	}
	for _, dir := range dirs {
		if f := filepath.Join(dir, "config.json"); fileExists(f) {
			found = append(found, f)
		}
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" && fileExists(filepath.Join(dir, "containers", "auth.json")) {
		found = append(found, filepath.Join(dir, "containers", "auth.json"))
	}
	for _, f := range []string{"/var/run/secrets/kubernetes.io/serviceaccount/token", "/run/containers/0/auth.json"} {
		if fileExists(f) {
			found = append(found, f)
		}
	}
	return found
}
