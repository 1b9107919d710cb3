package inventory

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
)

func apkDatabases() []string {
	return []string{"lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/apk/db/installed"}
}

// examineApk holds the extractor's result against the number of names in the database: it skips entries without a
// name or version, and of two entries that a missing blank line runs together it keeps one.
//
// https://wiki.alpinelinux.org/wiki/Apk_spec
func examineApk(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		s.checkSource(p)
		s.keep(p)
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	names, err := s.apkNames()
	if err != nil {
		return err
	}
	if names != len(packages) {
		s.problem("it names %d packages, of which %d could be read", names, len(packages))
	}
	return nil
}

// apkNames counts the P: lines. It names the problem of each entry without one.
func (s *analysis) apkNames() (names int, err error) {
	lines := bufio.NewReaderSize(s.content(), 64<<10)
	var e apkEntry
	for number := 1; ; number++ {
		line, long, err := lines.ReadLine()
		if err == nil && len(line) > 0 {
			s.readApkField(&e, line, number)
		} else {
			if e.line > 0 && e.names == 0 {
				s.problem("the entry of line %d has no package name", e.line)
			}
			names += e.names
			e = apkEntry{}
		}
		if err == io.EOF {
			return names, nil
		}
		for long && err == nil {
			_, long, err = lines.ReadLine()
		}
		if err != nil && err != io.EOF {
			return names, err
		}
	}
}

// apkEntry is what the check of an entry needs of it.
type apkEntry struct {
	line  int // that it starts on, from 1; 0: no line yet
	names int
	// fields are those that it has had of version, architecture and origin.
	fields string
}

// readApkField takes over what a line says. It names lines that are no field, since what follows a space or a NUL is a
// field to nobody, and a version or origin that the entry has had before.
func (s *analysis) readApkField(e *apkEntry, line []byte, number int) {
	if e.line == 0 {
		e.line = number
	}
	field := line[:1]
	switch {
	case !isApkField(line):
		s.problem("its line %d is no field", number)
	case field[0] == 'P':
		e.names++
	case bytes.Contains([]byte("VAo"), field):
		if strings.Contains(e.fields, string(field)) {
			s.problem("the entry of line %d has two fields %s", e.line, field)
		}
		e.fields += string(field)
	}
}

// isApkField is true for a letter and a colon.
func isApkField(line []byte) bool {
	return len(line) > 1 && line[1] == ':' && (line[0]|0x20 >= 'a' && line[0]|0x20 <= 'z')
}
