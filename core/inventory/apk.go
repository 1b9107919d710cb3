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
// version, and of two entries that a missing blank line runs together it keeps one.
//
// https://wiki.alpinelinux.org/wiki/Apk_spec
func examineApk(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		s.keep(p)
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	names, err := apkNames(s.content())
	if err != nil {
		return err
	}
	if names != len(packages) {
		s.problem("it names %d packages, of which %d could be read", names, len(packages))
	}
	return nil
}

// apkNames counts the P: lines.
func apkNames(r io.Reader) (int, error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	names := 0
	for start := true; ; {
		line, err := lines.ReadSlice('\n')
		if start && bytes.HasPrefix(line, []byte("P:")) {
			names++
		}
		switch err {
		case nil, bufio.ErrBufferFull:
			start = err == nil
		case io.EOF:
			return names, nil
		default:
			return names, err
		}
	}
}
