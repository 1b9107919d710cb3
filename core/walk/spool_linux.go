package walk

import (
	"os"

	"golang.org/x/sys/unix"
)

// newSpool opens a temporary file that never has a name, so that nothing is left however the process ends. File systems
// without O_TMPFILE (overlayfs before 6.x, NFS) get a named one that is removed at once.
func newSpool(dir string) (*spoolFile, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return newNamedSpool(dir)
	}
	return &spoolFile{File: os.NewFile(uintptr(fd), dir+"/(spool)")}, nil
}
