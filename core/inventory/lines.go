package inventory

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// longestLine is what the extractors that read line by line can take, in bytes; what comes after a longer one they
// leave out, and not all say so.
const longestLine = bufio.MaxScanTokenSize

// examineLines is for lockfiles that are read line by line, where the extractor passes over lines that it does not
// understand. The lines that hold an entry are counted and the result is held against that.
func examineLines(isEntry func(line []byte) bool) func(context.Context, *analysis) error {
	return func(ctx context.Context, s *analysis) error {
		if err := s.extractAll(ctx); err != nil {
			return err
		}
		entries, err := s.countLines(isEntry)
		if err != nil {
			return err
		}
		if entries > len(s.found.Packages) {
			s.problem("it has %d entries, of which %d could be read", entries, len(s.found.Packages))
		}
		return nil
	}
}

// countLines counts the lines that isEntry accepts, and names the problem of a line that is too long to be read.
func (s *analysis) countLines(isEntry func(line []byte) bool) (int, error) {
	lines := bufio.NewReaderSize(s.content(), longestLine)
	entries, tooLong := 0, false
	for continued := false; ; {
		line, err := lines.ReadSlice('\n')
		if !continued && len(line) > 0 && isEntry(bytes.TrimRight(line, "\r\n")) {
			entries++
		}
		continued = err == bufio.ErrBufferFull
		if continued && !tooLong {
			tooLong = true
			s.problem("it has a line of more than %d bytes", longestLine)
		}
		if err == io.EOF {
			return entries, nil
		}
		if err != nil && !continued {
			return entries, err
		}
	}
}

// isGemLine knows an entry by its indent.
func isGemLine(line []byte) bool {
	entry, ok := bytes.CutPrefix(line, []byte("    "))
	return ok && len(entry) > 0 && entry[0] != ' '
}

func isMixLine(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return bytes.HasPrefix(line, []byte(`"`)) && bytes.Contains(line, []byte(`": {:`))
}

func isGradleLine(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte("empty="))
}

func isCabalLine(line []byte) bool {
	return bytes.Contains(line, []byte("any.")) && !bytes.HasPrefix(line, []byte("--"))
}
