package target

import (
	"os"
	"path/filepath"
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
