package inventory

import (
	"bytes"
	"io/fs"
	"path"
	"time"
)

// surroundings is the file system that extractors see beside their file: the related files that the walk kept, and an
// os-release without content. The extractors of distributions read one to name the distribution; Finish does that,
// after all layers were read, so that they need not wait for it.
type surroundings struct {
	related fs.FS // may be nil
}

const placeholder = "ID=linux\nVERSION_ID=0\n"

// Open implements fs.FS.
func (s surroundings) Open(name string) (fs.File, error) {
	name = path.Clean(name)
	switch {
	case name == "etc/os-release":
		return &memoryFile{Reader: bytes.NewReader([]byte(placeholder)), name: "os-release"}, nil
	case s.related == nil || !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return s.related.Open(name)
}

// Stat implements fs.StatFS.
func (s surroundings) Stat(name string) (fs.FileInfo, error) {
	name = path.Clean(name)
	if name == "etc" {
		return memoryInfo{name: "etc", mode: fs.ModeDir | 0o755}, nil
	}
	if s.related != nil && fs.ValidPath(name) && name != "etc/os-release" {
		return fs.Stat(s.related, name)
	}
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// ReadDir implements fs.ReadDirFS.
func (s surroundings) ReadDir(name string) ([]fs.DirEntry, error) {
	name = path.Clean(name)
	if s.related == nil || !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return fs.ReadDir(s.related, name)
}

type memoryFile struct {
	*bytes.Reader
	name string
}

func (f *memoryFile) Close() error { return nil }
func (f *memoryFile) Stat() (fs.FileInfo, error) {
	return memoryInfo{name: f.name, size: f.Size(), mode: 0o444}, nil
}

type memoryInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i memoryInfo) Name() string       { return i.name }
func (i memoryInfo) Size() int64        { return i.size }
func (i memoryInfo) Mode() fs.FileMode  { return i.mode }
func (i memoryInfo) ModTime() time.Time { return time.Time{} }
func (i memoryInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memoryInfo) Sys() any           { return nil }

// sized is a FileInfo whose size is that of the content in hand, whatever the archive's header said.
type sized struct {
	fs.FileInfo
	size int64
}

func (s sized) Size() int64 { return s.size }
