package target

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Local returns the absolute path of the file or directory that a reference names, for those who read it themselves. It
// reports false for what is in a registry or a daemon.
func Local(ref string) (string, bool) {
	s, rest := splitScheme(ref)
	switch s {
	case schemeNone, schemeLayout, schemeLayoutArchive, schemeDockerArchive, schemeDir, schemeSBOM:
	default:
		return "", false
	}
	if _, err := os.Stat(rest); err != nil {
		return "", false
	}
	absolute, err := filepath.Abs(rest)
	return absolute, err == nil
}

// InRegistry returns the name of an image in a registry, without the prefix that may say that it is one. It refuses what
// names anything else, because commands that ask about images in registries would look for something of that name there.
func InRegistry(ref string) (string, error) {
	s, rest := splitScheme(ref)
	if s != schemeNone && s != schemeRegistry {
		return "", advice.Misuse("push it, and name it as REGISTRY/REPOSITORY:TAG", "%s: names no image in a registry", s)
	}
	if looksLikePath(rest) {
		return "", advice.Misuse("push it, and name it as REGISTRY/REPOSITORY:TAG", "it looks like a path, and names no image in a registry")
	}
	if !strings.Contains(rest, "/") && isHost(rest) {
		return "", advice.Misuse("name a repository of it, as "+redact.Limited(rest, 200)+"/team/app", "it names a registry, and none of its repositories")
	}
	return rest, nil
}

// isHost reports whether a name without a slash is that of a server: images of Docker Hub have no dots in their names.
func isHost(s string) bool {
	host, _, _ := strings.Cut(s, ":")
	return host == "localhost" || strings.Contains(host, ".")
}
