package target

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// openSource opens a directory of sources. Its digest is known only after it was read; whoever reads it fills it in, here
// and in the examination.
func openSource(ref, path string) (*Target, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, advice.Misuse("", "directory %s: %w", path, localfile.Pathless(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, advice.Misuse("", "%s is a %s, not a directory", path, localfile.Kind(info.Mode()))
	}
	if _, err := f.ReadDir(1); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, advice.Misuse("", "directory %s: %w", path, localfile.Pathless(err))
	}
	return &Target{
		Subject:      core.Subject{Name: ref, Kind: core.KindSource},
		Dir:          dir,
		Examinations: []core.Examination{opened("")},
	}, nil
}

// SourceDir returns the directory that Open would read as sources for a reference, and whether it would.
func SourceDir(ref string) (string, bool) {
	s, rest := splitScheme(ref)
	switch s {
	case schemeDir:
		return rest, rest != ""
	case schemeNone:
		info, err := os.Stat(ref)
		return ref, err == nil && info.IsDir() && !isLayout(ref)
	}
	return "", false
}
