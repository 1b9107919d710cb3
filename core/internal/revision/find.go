package revision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

// ErrNoRepository is why nothing can be read of a directory that no git repository holds.
var ErrNoRepository = errors.New("it is in no git repository")

// maxPointer bounds the small files that say where the rest of a repository is, in bytes.
const maxPointer = 64 << 10

// Place is where a repository is. The zero value is none.
type Place struct {
	// Root is the top of the checked-out files, absolute and without symbolic links.
	Root string
	// gitDir is of this checkout, commonDir what all checkouts of the repository share.
	gitDir, commonDir string
}

// Find returns the repository that holds a directory: its own, or that of the nearest directory above. One above that
// belongs to somebody else is not taken, because whoever may write there could say what holds here.
//
// https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
func Find(dir string) (Place, error) {
	start, err := filepath.Abs(dir)
	if err == nil {
		start, err = filepath.EvalSymlinks(start)
	}
	if err != nil {
		return Place{}, localfile.Pathless(err)
	}
	for at := start; ; at = filepath.Dir(at) {
		switch info, err := os.Lstat(filepath.Join(at, ".git")); {
		case err == nil && (at == start || sameOwner(info, start)):
			return open(at, info)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return Place{}, err
		}
		if at == filepath.Dir(at) {
			return Place{}, ErrNoRepository
		}
	}
}

// sameOwner reports whether a repository belongs to this process's user, or to whom the directory belongs to.
func sameOwner(repository fs.FileInfo, dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	theirs, ok := repository.Sys().(*syscall.Stat_t)
	ours, also := info.Sys().(*syscall.Stat_t)
	return ok && also && (theirs.Uid == ours.Uid || int64(theirs.Uid) == int64(os.Geteuid()))
}

// open follows .git to the repository's folder. In a worktree or a submodule it is a file that names it.
func open(root string, info fs.FileInfo) (Place, error) {
	p := Place{Root: root, gitDir: filepath.Join(root, ".git")}
	if info.Mode().IsRegular() {
		line, err := pointer(p.gitDir)
		name, ok := strings.CutPrefix(line, "gitdir: ")
		if err != nil || !ok {
			return Place{}, fmt.Errorf("%s does not say where the repository is", p.gitDir)
		}
		p.gitDir = beside(root, name)
	}
	p.commonDir = p.gitDir
	switch line, err := pointer(filepath.Join(p.gitDir, "commondir")); {
	case err == nil:
		p.commonDir = beside(p.gitDir, line)
	case !errors.Is(err, fs.ErrNotExist):
		return Place{}, err
	}
	if info, err := os.Stat(filepath.Join(p.commonDir, "objects")); err != nil || !info.IsDir() {
		return Place{}, fmt.Errorf("%s is no git repository: it has no objects", p.commonDir)
	}
	return p, nil
}

func pointer(name string) (string, error) {
	raw, err := localfile.Read(name, maxPointer)
	return strings.TrimSpace(string(raw)), err
}

func beside(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(dir, name)
}
