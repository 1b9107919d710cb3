package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// credentials are what a configuration has for a registry.
type credentials struct {
	authn.Authenticator
	source string // the file or variable they are from; empty: anonymous
	note   string // what went wrong on the way, for the error of a refused login
}

// secrets are the parts of the credentials that must not be shown.
func (c credentials) secrets() []string {
	if c.Authenticator == nil {
		return nil
	}
	a, err := c.Authorization()
	if err != nil || a == nil {
		return nil
	}
	return []string{a.Password, a.Auth, a.IdentityToken, a.RegistryToken}
}

// findCredentials looks where docker and podman keep credentials, and asks the helpers that those files name. It is not
// authn.DefaultKeychain because that reads the process's environment, stops at the first file even if that has nothing
// for the registry, and cannot be interrupted while a helper hangs.
func findCredentials(ctx context.Context, repo name.Repository, o Options) (credentials, error) {
	type result struct {
		c   credentials
		err error
	}
	found := make(chan result, 1)
	go func() {
		c, err := lookUpCredentials(repo, o)
		found <- result{c, err}
	}()
	select {
	case <-ctx.Done():
		return credentials{}, ctx.Err()
	case r := <-found:
		return r.c, r.err
	}
}

func lookUpCredentials(repo name.Repository, o Options) (credentials, error) {
	var notes []string
	for _, source := range credentialSources(o.Getenv) {
		file, err := source.load(o.Limits)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return credentials{}, advice.Unavailable("repair or remove it, or point DOCKER_CONFIG elsewhere", "credentials in %s: %w", source.name, err)
		}
		auth, err := lookUp(file, repo)
		if err != nil { // a helper that is missing or fails must not stop anonymous pulls
			o.Log.Warn("credential helper failed, going on without it", "configuration", source.name, "error", redact.Limited(err.Error(), 200))
			notes = append(notes, fmt.Sprintf("a credential helper of %s failed", source.name))
			continue
		}
		if auth != (types.AuthConfig{}) {
			return credentials{Authenticator: authn.FromConfig(authn.AuthConfig{
				Username: auth.Username, Password: auth.Password, Auth: auth.Auth,
				IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken,
			}), source: source.name}, nil
		}
	}
	return credentials{Authenticator: authn.Anonymous, note: strings.Join(notes, "; ")}, nil
}

// credentialSource is a file, or a variable that holds the text of one.
type credentialSource struct{ name, path, text string }

// credentialSources lists the sources in the order of precedence.
//
// https://docs.docker.com/reference/cli/docker/#environment-variables
// https://github.com/containers/image/blob/v5.36.0/docs/containers-auth.json.5.md
func credentialSources(getenv func(string) string) []credentialSource {
	var sources []credentialSource
	add := func(dir string, parts ...string) {
		if dir != "" {
			path := filepath.Join(append([]string{dir}, parts...)...)
			sources = append(sources, credentialSource{name: path, path: path})
		}
	}
	if text := getenv("DOCKER_AUTH_CONFIG"); text != "" {
		sources = append(sources, credentialSource{name: "DOCKER_AUTH_CONFIG", text: text})
	}
	home := getenv("HOME")
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		add(dir, config.ConfigFileName)
	} else {
		add(home, ".docker", config.ConfigFileName)
	}
	add(getenv("REGISTRY_AUTH_FILE"))
	add(getenv("XDG_RUNTIME_DIR"), "containers", "auth.json")
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		add(dir, "containers", "auth.json")
	} else {
		add(home, ".config", "containers", "auth.json")
	}
	return sources
}

func (s credentialSource) load(limits limit.Limits) (*configfile.ConfigFile, error) {
	raw := []byte(s.text)
	if s.path != "" {
		var err error
		if raw, err = localfile.Read(s.path, limits.MetadataSize); err != nil {
			return nil, err
		}
	}
	file, err := config.LoadFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("it is not valid JSON of the right form") // the parser's own words may quote a secret
	}
	return file, nil
}

// lookUp asks for the repository, for the namespaces above it, and for the registry.
func lookUp(file *configfile.ConfigFile, repo name.Repository) (types.AuthConfig, error) {
	for key := repo.Name(); ; key = key[:strings.LastIndexByte(key, '/')] {
		asked := key
		if key == name.DefaultRegistry {
			asked = authn.DefaultAuthKey
		}
		auth, err := file.GetAuthConfig(asked)
		if err != nil {
			return types.AuthConfig{}, err
		}
		auth.ServerAddress = "" // always filled in
		if auth != (types.AuthConfig{}) {
			return auth, nil
		}
		if !strings.Contains(key, "/") {
			return types.AuthConfig{}, nil
		}
	}
}
