package inventory

import (
	"strings"
	"unicode/utf8"
)

// maxQuoted is the longest line that is quoted, in bytes, and maxElement how many lines an element may have in which the
// version is looked for.
const (
	maxQuoted  = 300
	maxElement = 20
)

// quote notes the lines that declare the versions of packages, for those that change them. Extractors give the line of
// the declaration; in an XML file that is where its element begins.
func (s *analysis) quote(content []byte) {
	var lines []string
	for i := range s.found.Packages {
		p := &s.found.Packages[i]
		if len(p.Locations) != 1 || p.Locations[0].Line == 0 || p.Version == "" || p.Locations[0].Path != s.file.Path {
			continue
		}
		if lines == nil {
			lines = strings.Split(string(content), "\n")
		}
		l := &p.Locations[0]
		if line, ok := declaring(lines, l.Line, p.Version); ok {
			l.Line, l.Text = line, lines[line-1]
		}
	}
}

// declaring returns the line that has the version, from where the declaration begins to where it ends.
func declaring(lines []string, from int, version string) (int, bool) {
	for line := from; line < from+maxElement && line <= len(lines); line++ {
		text := lines[line-1]
		if strings.Contains(text, version) {
			return line, len(text) <= maxQuoted && utf8.ValidString(text) && strings.IndexFunc(strings.ReplaceAll(text, "\t", ""), unprintable) < 0
		}
		if !strings.Contains(lines[from-1], "<dependency>") || strings.Contains(text, "</dependency>") {
			return 0, false
		}
	}
	return 0, false
}
