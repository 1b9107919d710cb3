package gate

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// maxPolicy is the largest policy file, in bytes. The longest that people write is a few thousand lines.
const maxPolicy = 1 << 20

// maxDocument is the largest evidence document, in bytes: a hundred thousand findings take less than half of it.
const maxDocument = 512 << 20

// CheckOutputs finds the mistakes in outputs that can be found before the work begins: a report that cannot be written
// after half an hour of reading is a waste of everybody's time.
func CheckOutputs(outputs []Output) error {
	paths := map[string]bool{}
	for _, o := range outputs {
		if _, err := report.ParseFormat(o.Format); err != nil {
			return err
		}
		place, err := placeOf(o.Path)
		if err != nil {
			return &core.Failure{Doing: "plan the report " + o.Format + "=" + o.Path, Err: err, Usage: true,
				Hint: "create the directory first"}
		}
		if o.Path == "" || paths[place] {
			return &core.Failure{Doing: "plan the report " + o.Format + "=" + o.Path, Usage: true,
				Err: errors.New("every report needs a file of its own"), Hint: "write --output FORMAT=FILE once for each file"}
		}
		paths[place] = true
	}
	return nil
}

// placeOf is the one name of a file that is to be written: absolute, in its real directory, which must exist. The file
// itself is not followed, because writing replaces it.
func placeOf(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(absolute))
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", cmp.Or(err, fmt.Errorf("%s is not a directory", filepath.Dir(path)))
	}
	return filepath.Join(dir, filepath.Base(absolute)), nil
}

// write makes all reports of a verdict.
func (g *Gate) write(r *Result, outputs []Output) error {
	return g.writeDocument(r, g.Document(r), outputs)
}

// writeDocument makes all reports. One that fails does not keep the others from being written; each is whole or absent.
func (g *Gate) writeDocument(r *Result, document report.Document, outputs []Output) error {
	var failures []error
	for _, o := range outputs {
		format, err := report.ParseFormat(o.Format)
		if err == nil {
			err = WriteFile(o.Path, func(w io.Writer) error { return format.Write(w, document) })
		}
		if err != nil {
			failures = append(failures, &core.Failure{Doing: "write report " + o.Format + "=" + o.Path, Err: err})
			continue
		}
		r.Reports = append(r.Reports, o)
		g.tell(Event{Kind: EventWritten, Path: o.Path})
	}
	return errors.Join(failures...)
}

// WriteFile writes a file by way of a temporary one beside it, so that nobody ever sees half of it, and a symbolic link
// of that name is replaced, not followed. Devices and pipes are written to as they are.
func WriteFile(path string, write func(io.Writer) error) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe) != 0 {
		return writeTo(path, os.O_WRONLY, write)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".cleanbill-*")
	if err != nil {
		return err
	}
	name := temporary.Name()
	if err := temporary.Close(); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if err := writeTo(name, os.O_WRONLY|os.O_TRUNC, write); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if err := os.Chmod(name, 0o644); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if err := os.Rename(name, path); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func writeTo(path string, flags int, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<16)
	if err := write(buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

// readDocument reads a document of evidence.
func readDocument(name string) (report.Document, error) {
	f, err := os.Open(name)
	if err != nil {
		return report.Document{}, &core.Failure{Doing: "read evidence " + name, Err: err, Usage: true}
	}
	defer f.Close()
	return report.ReadDocument(f, name, maxDocument)
}
