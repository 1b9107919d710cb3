package inventory

import (
	"bufio"
	"bytes"
	"context"
	"io"
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

// apkNames counts the P: lines. It names the problem of each entry without one, and of lines that are no field: what
// follows a space or a NUL is a field to nobody.
func (s *analysis) apkNames() (names int, err error) {
	lines := bufio.NewReaderSize(s.content(), 64<<10)
	start, before := 0, 0 // the line that the entry starts on, from 1, and the names before it
	for number := 1; ; number++ {
		line, long, err := lines.ReadLine()
		switch {
		case err == nil && len(line) > 0:
			if start == 0 {
				start, before = number, names
			}
			if !isApkField(line) {
				s.problem("its line %d is no field", number)
			}
			if bytes.HasPrefix(line, []byte("P:")) {
				names++
			}
		case start > 0:
			if names == before {
				s.problem("the entry of line %d has no package name", start)
			}
			start = 0
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

// isApkField is true for a letter and a colon.
func isApkField(line []byte) bool {
	return len(line) > 1 && line[1] == ':' && (line[0]|0x20 >= 'a' && line[0]|0x20 <= 'z')
}
