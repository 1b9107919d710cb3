package images

import (
	"os"
	"path/filepath"
	"testing"
)

// SharedRootfs returns the path of a real root filesystem archive in the folder "shared" beside the repository, which
// holds data of others that is not copied into it. Where that folder is absent the test is skipped.
func SharedRootfs(t testing.TB, name string) string {
	t.Helper()
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(root), "shared", "rootfs", name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the real root filesystem %s is not beside the repository: %v", name, err)
	}
	return file
}

func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", os.ErrNotExist
		}
		dir = parent
	}
}
