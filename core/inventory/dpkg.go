package inventory

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
)

const dpkgStatus = "var/lib/dpkg/status"

func dpkgAnchors() []string {
	return []string{dpkgStatus, "var/lib/dpkg/status.d", "var/lib/dpkg/updates", opkgStatus}
}

const opkgStatus = "usr/lib/opkg/status"

// isDpkgStatus wants dpkg's database and its journal, opkg's, and the single entries of images without dpkg
// ("distroless").
func isDpkgStatus(p string, _ fs.FileInfo) bool {
	return p == dpkgStatus || p == opkgStatus || isDpkgEntry(p) || isDpkgUpdate(p)
}

// isDpkgUpdate is true for the entries that dpkg, when it was interrupted, has yet to put into its database, and counts
// before it does: files whose names are digits.
func isDpkgUpdate(p string) bool {
	number, ok := strings.CutPrefix(p, "var/lib/dpkg/updates/")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func isDpkgEntry(p string) bool { return strings.HasPrefix(p, dpkgStatus+".d/") }

// examineDpkg reports what is on disk: every entry but those that were removed or never unpacked. A package whose
// installation stopped halfway counts, because its files are there. The extractor stops or skips without an error where
// it meets what it does not know, so its result is held against a count of our own.
//
// https://man7.org/linux/man-pages/man1/dpkg.1.html (INFORMATION ABOUT PACKAGES, package states)
func examineDpkg(ctx context.Context, s *analysis) error {
	if strings.HasSuffix(s.file.Path, ".md5sums") && s.listsSums() {
		return nil
	}
	entries, spaced, err := s.dpkgEntries()
	if err != nil {
		s.problem("its entries could not be counted: %v", err)
	}
	content := s.content()
	if spaced {
		if content, err = withoutFieldSpace(content); err != nil {
			return err
		}
	}
	packages, err := s.extract(ctx, content)
	for _, p := range packages {
		m, ok := p.Metadata.(*dpkgmeta.Metadata)
		if !ok {
			return fmt.Errorf("unexpected metadata %T", p.Metadata)
		}
		if s.file.Path != opkgStatus { // dpkg knows no case in names, and Debian's are all in lower
			p.Name, m.SourceName = strings.ToLower(p.Name), strings.ToLower(m.SourceName)
		}
		if s.dpkgOnDisk(m) {
			s.checkSource(p)
			s.keep(p)
		}
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	if len(packages) != entries {
		s.problem("it has %d entries with a version, of which %d could be read", entries, len(packages))
	}
	return nil
}

var md5sum = regexp.MustCompile(`^(?:\\?[0-9a-f]{32} [ *].*)?$`)

// listsSums is true for the checksums of a package's files, which images without dpkg keep beside its entry. The name
// alone does not make an entry into such a list.
func (s *analysis) listsSums() bool {
	lines := bufio.NewScanner(s.content())
	for lines.Scan() {
		if !md5sum.Match(lines.Bytes()) {
			return false
		}
	}
	return lines.Err() == nil
}

// dpkgOnDisk decides by the third word of the Status field ("install ok installed").
func (s *analysis) dpkgOnDisk(m *dpkgmeta.Metadata) bool {
	if strings.TrimSpace(m.Status) == "" {
		if !isDpkgEntry(s.file.Path) { // entries of their own have none
			s.problem("package %s has no status and is taken for installed", printable(m.PackageName))
		}
		return true
	}
	switch state := dpkgState(m.Status); state {
	case "installed", "triggers-pending", "triggers-awaited", "half-configured", "unpacked", "half-installed":
	default:
		if dpkgGone(state) {
			return false
		}
		s.problem("package %s has the unknown status %s and is taken for installed",
			printable(m.PackageName), printable(m.Status))
	}
	return true
}

// dpkgState is the last of a status's three words; empty if there are not three.
func dpkgState(status string) string {
	if words := strings.Fields(status); len(words) == 3 {
		return words[2]
	}
	return ""
}

// dpkgGone is true for the states in which nothing of a package but its configuration is there.
func dpkgGone(state string) bool { return state == "not-installed" || state == "config-files" }

// dpkgEntry is what the check of an entry needs of it.
type dpkgEntry struct {
	line                          int // that it starts on, from 1; 0: no line yet
	name, version, status, source string
}

// field returns where to put the value of a field, whose name knows no case; nil if it does not matter here.
func (e *dpkgEntry) field(name []byte) *string {
	switch {
	case bytes.EqualFold(name, []byte("Package")):
		return &e.name
	case bytes.EqualFold(name, []byte("Version")):
		return &e.version
	case bytes.EqualFold(name, []byte("Status")):
		return &e.status
	case bytes.EqualFold(name, []byte("Source")):
		return &e.source
	}
	return nil
}

// dpkgEntries counts the entries that have a name and a version, which is what every entry has that is or was unpacked,
// and names the problems of others. It reports whether there is white space before a field's colon.
func (s *analysis) dpkgEntries() (entries int, spaced bool, err error) {
	lines := bufio.NewReaderSize(s.content(), 64<<10)
	var e dpkgEntry
	for number := 1; ; number++ {
		line, long, err := lines.ReadLine()
		if err == nil && len(line) > 0 {
			spaced = s.readField(&e, line, number) || spaced
		} else if s.isWhole(e) {
			entries++
		}
		if err == io.EOF {
			return entries, spaced, nil
		}
		if err != nil {
			return entries, spaced, err
		}
		if len(line) == 0 {
			e = dpkgEntry{}
		}
		for long && err == nil {
			_, long, err = lines.ReadLine()
		}
	}
}

// readField takes over what a line says. It reports whether white space is before the colon.
func (s *analysis) readField(e *dpkgEntry, line []byte, number int) (spaced bool) {
	if e.line == 0 {
		e.line = number
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || isDpkgSpace(name[:min(len(name), 1)]) { // of a value of several lines
		return false
	}
	bare := bytes.TrimRight(name, dpkgSpace)
	if field := e.field(bare); field != nil {
		if *field != "" {
			s.problem("the entry of line %d has two fields %s", e.line, bare)
		}
		*field = string(bytes.TrimSpace(value))
	}
	return len(bare) < len(name)
}

// isWhole is true for an entry with a name and a version. Only what is not there may lack the version.
func (s *analysis) isWhole(e dpkgEntry) bool {
	switch {
	case e.line == 0: // one blank line after another
		return false
	case e.name == "":
		s.problem("the entry of line %d has no package name", e.line)
		return false
	case e.version == "" && !dpkgGone(dpkgState(e.status)):
		s.problem("package %s has no version", printable(e.name))
	}
	return e.version != ""
}

const dpkgSpace = " \t\v\f\r"

func isDpkgSpace(b []byte) bool { return len(b) > 0 && strings.IndexByte(dpkgSpace, b[0]) >= 0 }

// withoutFieldSpace removes the white space between a field's name and its colon, which dpkg skips and the extractor
// takes for a part of the name.
func withoutFieldSpace(r *io.SectionReader) (*io.SectionReader, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	closed := content[:0]
	for line := range bytes.SplitAfterSeq(content, []byte("\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && !isDpkgSpace(line) {
			closed = append(closed, bytes.TrimRight(name, dpkgSpace)...)
			closed = append(closed, ':')
			line = value
		}
		closed = append(closed, line...)
	}
	return io.NewSectionReader(bytes.NewReader(closed), 0, int64(len(closed))), nil
}
