// Package localfile opens files that users name: regular ones only, and within a bound. It holds nothing about what is
// in them.
package localfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Open opens a regular file and returns its size in bytes. A pipe or device, whose opening or reading may never end, is
// refused. Errors do not name the path.
func Open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, Pathless(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is no regular file but a %s", Kind(info.Mode()))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Read reads a small regular file whole. More than largest bytes are a *limit.Exceeded of the limit metadata-size.
func Read(path string, largest int64) ([]byte, error) {
	f, size, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tooLarge := &limit.Exceeded{Limit: "metadata-size", Max: largest, Unit: "bytes", What: path}
	if size > largest {
		return nil, tooLarge
	}
	raw, err := io.ReadAll(io.LimitReader(f, largest+1))
	if err != nil {
		return nil, Pathless(err)
	}
	if int64(len(raw)) > largest {
		return nil, tooLarge
	}
	return raw, nil
}

// Pathless drops the operation and path of an error, where the sentence around it has them.
func Pathless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Kind says in a word what sort of file a mode is of.
func Kind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	default:
		return "special file"
	}
}
