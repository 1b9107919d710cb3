package inventory

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Parsers make of two bytes a node of two hundred, or a package of a thousand. What a file may cost them is counted
// before they see it.

const (
	// cheapFile is the largest file that is not counted, in bytes.
	cheapFile = 256 << 10
	// What parsers keep in memory, at most, for a node of YAML, a tag of XML and a token of JSON, in bytes.
	yamlNodeCost, xmlTagCost, jsonTokenCost = 200, 256, 64
)

// counter tells what a line makes its parser keep, in bytes. Of a line that is long it sees the parts; continued is true
// for all but the first.
type counter func(line []byte, continued bool) int64

// checkCost bounds what a file costs its parser.
func checkCost(of counter) examination {
	return func(ctx context.Context, s *analysis) error {
		if s.file.Content.Size() <= cheapFile {
			return nil
		}
		lines := bufio.NewReaderSize(s.content(), longestLine)
		cost := int64(0)
		for continued := false; ; {
			line, err := lines.ReadSlice('\n')
			if cost += of(line, continued); cost > s.limits.KeptSize {
				return s.tooCostly()
			}
			continued = err == bufio.ErrBufferFull
			switch {
			case err == io.EOF:
				return nil
			case err != nil && !continued:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			}
		}
	}
}

// tooCostly is the error for a file whose content takes more memory than it may.
func (s *analysis) tooCostly() error {
	return &limit.Exceeded{
		Limit: "kept-size", Max: s.limits.KeptSize, Unit: "bytes", What: "what the entries of " + s.file.Path + " take",
	}
}

// ofPackages counts the lines that hold a package each.
func ofPackages(isEntry func(line []byte) bool) counter {
	return func(line []byte, continued bool) int64 {
		if continued || !isEntry(bytes.TrimRight(line, "\r\n")) {
			return 0
		}
		return packageCost
	}
}

// ofYAML counts a node for each thing that can begin one: a line, a key, a list and its elements.
//
// https://yaml.org/spec/1.2.2/
func ofYAML(line []byte, _ bool) int64 {
	nodes := 1
	for _, mark := range []string{": ", "- ", ",", "[", "{"} {
		nodes += bytes.Count(line, []byte(mark))
	}
	return int64(nodes) * yamlNodeCost
}

func ofXML(line []byte, _ bool) int64 { return int64(bytes.Count(line, []byte{'<'})) * xmlTagCost }

// isFirstLine is true for lines that begin something, by the common habit of indenting what belongs to it.
func isFirstLine(line []byte) bool {
	return len(line) > 0 && bytes.IndexByte([]byte(" \t#-"), line[0]) < 0
}

func isFullLine(line []byte) bool { return len(bytes.TrimSpace(line)) > 0 }

func isDpkgName(line []byte) bool {
	const name = "package"
	return len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name))
}

func isApkName(line []byte) bool { return bytes.HasPrefix(line, []byte("P:")) }

func isVendorLine(line []byte) bool { return bytes.HasPrefix(line, []byte("# ")) }
