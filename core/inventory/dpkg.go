package inventory

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
)

const dpkgStatus = "var/lib/dpkg/status"

func dpkgAnchors() []string {
	return []string{dpkgStatus, "var/lib/dpkg/status.d", "usr/lib/opkg/status"}
}

// isDpkgStatus wants dpkg's database, opkg's, and the single entries of images without dpkg ("distroless").
func isDpkgStatus(p string, _ fs.FileInfo) bool {
	return p == dpkgStatus || p == "usr/lib/opkg/status" || isDpkgEntry(p) && !strings.HasSuffix(p, ".md5sums")
}

func isDpkgEntry(p string) bool { return strings.HasPrefix(p, dpkgStatus+".d/") }

// examineDpkg reports what is on disk: every entry but those that were removed or never unpacked. A package whose
// installation stopped halfway counts, because its files are there. The extractor stops or skips without an error where
// it meets what it does not know, so its result is held against a count of our own.
//
// https://man7.org/linux/man-pages/man1/dpkg.1.html (INFORMATION ABOUT PACKAGES, package states)
func examineDpkg(ctx context.Context, s *analysis) error {
	entries, err := dpkgEntries(s.content())
	if err != nil {
		s.problem("its entries could not be counted: %v", err)
	}
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		m, ok := p.Metadata.(*dpkgmeta.Metadata)
		if !ok {
			return fmt.Errorf("unexpected metadata %T", p.Metadata)
		}
		if s.dpkgOnDisk(m) {
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

// dpkgOnDisk decides by the third word of the Status field ("install ok installed").
func (s *analysis) dpkgOnDisk(m *dpkgmeta.Metadata) bool {
	words := strings.Fields(m.Status)
	if len(words) == 0 {
		if !isDpkgEntry(s.file.Path) { // entries of their own have none
			s.problem("package %s has no status and is taken for installed", printable(m.PackageName))
		}
		return true
	}
	switch words[len(words)-1] {
	case "not-installed", "config-files":
		return false
	case "installed", "triggers-pending", "triggers-awaited", "half-configured", "unpacked", "half-installed":
	default:
		s.problem("package %s has the unknown status %s and is taken for installed",
			printable(m.PackageName), printable(m.Status))
	}
	return true
}

// dpkgEntries counts the entries that have a version, which is what every entry has that is or was unpacked.
func dpkgEntries(r io.Reader) (int, error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	entries, named, versioned := 0, false, false
	finish := func() {
		if named && versioned {
			entries++
		}
		named, versioned = false, false
	}
	for {
		line, long, err := lines.ReadLine()
		if err == io.EOF {
			finish()
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		switch {
		case len(line) == 0:
			finish()
		case hasField(line, "package"):
			if named { // a blank line is missing, or the name is there twice
				finish()
			}
			named = true
		case hasField(line, "version"):
			versioned = true
		}
		for long && err == nil {
			_, long, err = lines.ReadLine()
		}
	}
}

// hasField reports whether line is the named field with a value. Field names know no case.
func hasField(line []byte, name string) bool {
	if len(line) <= len(name) || line[len(name)] != ':' || !strings.EqualFold(string(line[:len(name)]), name) {
		return false
	}
	return strings.TrimSpace(string(line[len(name)+1:])) != ""
}
