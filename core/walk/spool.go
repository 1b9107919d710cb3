package walk

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/cleanbill-ci/cleanbill/core"
)

// spoolFile is a temporary file that disappears with Close at the latest.
type spoolFile struct {
	*os.File
	name string // empty if it has none any more
}

// newNamedSpool opens a temporary file and takes its name away, if the system can remove open files.
func newNamedSpool(dir string) (*spoolFile, error) {
	f, err := os.CreateTemp(dir, "cleanbill-*.spool")
	if err != nil {
		return nil, &core.Failure{Doing: "make a temporary file for large files", Err: err,
			Hint: "let TMPDIR name a folder that can be written and has room"}
	}
	s := &spoolFile{File: f, name: f.Name()}
	if os.Remove(s.name) == nil {
		s.name = ""
	}
	return s, nil
}

// Close gives the space back.
func (s *spoolFile) Close() error {
	err := s.File.Close()
	if s.name != "" {
		err = os.Remove(s.name)
	}
	return err
}

const (
	// keptInMemory is how much of the kept files stays in memory; the others go to one spool file.
	keptInMemory = 16 << 20
	// keptSmall is the largest kept file that may stay in memory.
	keptSmall = 1 << 20
)

// store holds the files that relating analyzers need after all layers were read.
type store struct {
	dir string

	mu   sync.Mutex
	room int64 // bytes that may still be kept in memory
	file *spoolFile
	end  int64
}

// kept is one file of the store.
type kept struct {
	io.ReaderAt
	info fs.FileInfo
	seq  uint32
}

// keep stores a file, of which head was read already. The account takes what stays in memory.
func (s *store) keep(ctx context.Context, info fs.FileInfo, head []byte, rest io.Reader,
	account func(int64) error) (*kept, error) {
	size := info.Size()
	if s.takeRoom(size) {
		if err := account(size); err != nil {
			return nil, err
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(rest, data[copy(data, head):]); err != nil {
			return nil, unexpected(err)
		}
		return &kept{ReaderAt: bytes.NewReader(data), info: info}, nil
	}
	f, offset, err := s.reserve(size)
	if err != nil {
		return nil, &fatalError{err}
	}
	if err := spoolAt(ctx, f, offset, size, head, rest); err != nil {
		return nil, err
	}
	return &kept{ReaderAt: io.NewSectionReader(f, offset, size), info: info}, nil
}

func (s *store) takeRoom(size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > keptSmall || size > s.room {
		return false
	}
	s.room -= size
	return true
}

func (s *store) reserve(size int64) (*spoolFile, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		f, err := newSpool(s.dir)
		if err != nil {
			return nil, 0, err
		}
		s.file = f
	}
	offset := s.end
	s.end += size
	return s.file, offset, nil
}

func (s *store) close() {
	if s.file != nil {
		s.file.Close()
	}
}
