package inventory

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// isGoMod leaves out the module cache, whose files say what others asked for.
func isGoMod(p string, _ fs.FileInfo) bool {
	return hasName(p, "go.mod") && !strings.Contains(p, "pkg/mod/")
}

// examineGoMod reads what a module requires. What a replace directive takes from a directory has no version and is no
// module of its own.
//
// https://go.dev/ref/mod#go-mod-file-replace
func examineGoMod(ctx context.Context, s *analysis) error {
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	s.found.Packages = slices.DeleteFunc(s.found.Packages, isLocalModule)
	if needsGoSum(s) && !s.relatedExists(strings.TrimSuffix(s.file.Path, "go.mod")+"go.sum") {
		s.problem("it is written for Go before 1.17, and the go.sum that names its indirect requirements is not there")
	}
	return nil
}

func isLocalModule(p core.Package) bool {
	return strings.HasPrefix(p.Name, "./") || strings.HasPrefix(p.Name, "../") || strings.HasPrefix(p.Name, "/")
}

// needsGoSum is true for modules of a version of Go that left indirect requirements to go.sum.
func needsGoSum(s *analysis) bool {
	for _, p := range s.found.Packages {
		if p.Name != "stdlib" {
			continue
		}
		minor, ok := strings.CutPrefix(p.Version, "1.")
		minor, _, _ = strings.Cut(minor, ".")
		return ok && (len(minor) == 1 || len(minor) == 2 && minor < "17") && len(s.found.Packages) > 1
	}
	return false
}

// relatedExists reports whether the walk kept a file of this path.
func (s *analysis) relatedExists(path string) bool {
	if s.file.Related == nil {
		return false
	}
	_, err := fs.Stat(s.file.Related, path)
	return err == nil
}
