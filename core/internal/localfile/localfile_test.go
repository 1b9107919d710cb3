package localfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/localfile"
)

func TestOnlyRegularFilesWithinTheBoundAreRead(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("12345"), 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := localfile.Read(file, 5); err != nil || string(got) != "12345" {
		t.Errorf("got %q, %v", got, err)
	}
	var exceeded *limit.Exceeded
	if _, err := localfile.Read(file, 4); !errors.As(err, &exceeded) || exceeded.Max != 4 {
		t.Errorf("5 bytes of at most 4: %v", err)
	}
	for path, says := range map[string]string{pipe: "named pipe", dir: "directory"} {
		if _, err := localfile.Read(path, 5); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", path, err, says)
		}
	}
	if _, err := localfile.Read(filepath.Join(dir, "absent"), 5); !errors.Is(err, fs.ErrNotExist) ||
		strings.Contains(err.Error(), dir) {
		t.Errorf("absent: %v, want one without the path", err)
	}
}
