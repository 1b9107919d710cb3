package inventory

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	"github.com/google/osv-scalibr/purl"
)

func isRequirements(p string, _ fs.FileInfo) bool {
	return strings.HasSuffix(p, ".txt") && strings.Contains(path.Base(p), "requirements")
}

func isPylock(p string, _ fs.FileInfo) bool {
	base := path.Base(p)
	return base == "pylock.toml" || strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml")
}

// isCondaMeta wants the base environment too, which the extractor's own rule leaves out.
func isCondaMeta(p string, _ fs.FileInfo) bool {
	return strings.HasSuffix(p, ".json") && path.Base(path.Dir(p)) == "conda-meta"
}

// examineConda names conda's packages as what they are. The extractor says PyPI, which would match OpenSSL with
// whatever has that name there; the Python packages among them are found by their own metadata.
func examineConda(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		p.PURLType = purl.TypeConda
		s.keep(p)
	}
	return s.partly(len(packages), err)
}

// examineRequirements keeps what is pinned as it is, and the rest without a version: the extractor guesses the lowest
// that a range allows, which is not what gets installed. The file may be UTF-16, as PowerShell writes it.
//
// https://pip.pypa.io/en/stable/reference/requirements-file-format/
func examineRequirements(ctx context.Context, s *analysis) error {
	content, err := s.readAll()
	if err != nil {
		return err
	}
	content = fromUTF16(content)
	packages, err := s.extract(ctx, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
	for _, p := range packages {
		if m, ok := p.Metadata.(*requirements.Metadata); ok && m.VersionComparator != "==" && m.VersionComparator != "===" {
			p.Version = ""
		}
		s.keep(p)
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	s.quote(content)
	s.checkIncluded(content)
	if strings.HasPrefix(path.Base(s.file.Path), "requirements") { // others are texts about requirements, at times
		s.checkNothing(content, emptyRequirements())
	}
	return nil
}

// checkIncluded names the files that are included but not there: the extractor goes on without them.
func (s *analysis) checkIncluded(content []byte) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		name, ok := strings.CutPrefix(line, "-r")
		if !ok {
			if name, ok = strings.CutPrefix(line, "--requirement"); !ok {
				continue
			}
			s.problem("it includes %s by --requirement, which is not followed", printable(strings.Trim(name, " =")))
			continue
		}
		name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
		if !s.relatedExists(path.Join(path.Dir(s.file.Path), name)) {
			s.problem("it includes %s, which is not there", printable(name))
		}
	}
}

func fromUTF16(content []byte) []byte {
	if len(content) < 2 {
		return content
	}
	big := content[0] == 0xfe && content[1] == 0xff
	if !big && (content[0] != 0xff || content[1] != 0xfe) {
		return bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(content)/2)
	for i := 2; i+1 < len(content); i += 2 {
		unit := uint16(content[i]) | uint16(content[i+1])<<8
		if big {
			unit = unit>>8 | unit<<8
		}
		units = append(units, unit)
	}
	return []byte(string(utf16.Decode(units)))
}

// examineWheel reads the metadata of an installed distribution, or of a wheel or egg that is still packed.
//
// https://packaging.python.org/en/latest/specifications/core-metadata/
func examineWheel(ctx context.Context, s *analysis) error {
	if hasSuffix(s.file.Path, ".whl", ".egg") {
		return s.examinePackedWheel(ctx)
	}
	if size := s.file.Content.Size(); size > s.limits.MetadataSize {
		return fmt.Errorf("it has %d bytes: more than %d of metadata are not believable", size, s.limits.MetadataSize)
	}
	packages, err := s.extract(ctx, s.content())
	declared := s.declaredLicences()
	for _, p := range packages {
		p.Licenses = declared
		s.keep(p)
	}
	return s.partly(len(packages), err)
}

func (s *analysis) examinePackedWheel(ctx context.Context) error {
	directory, err := zip.NewReader(s.content(), s.file.Content.Size())
	if err != nil {
		return fmt.Errorf("open the archive: %w", err)
	}
	if err := s.checkWheel(directory); err != nil {
		return err
	}
	return s.extractAll(ctx)
}

func (s *analysis) checkWheel(directory *zip.Reader) error {
	if n := int64(len(directory.File)); n > s.limits.Entries {
		return fmt.Errorf("the archive has %d entries: more than %d are not read", n, s.limits.Entries)
	}
	for _, f := range directory.File {
		if hasSuffix(f.Name, "PKG-INFO", ".egg-info", "METADATA") && f.UncompressedSize64 > uint64(s.limits.MetadataSize) {
			return fmt.Errorf("%s in the archive has %d bytes: more than %d of metadata are not believable",
				printable(f.Name), f.UncompressedSize64, s.limits.MetadataSize)
		}
	}
	return nil
}

// declaredLicences prefers the expression of metadata 2.4 to the free text, and that to classifiers.
func (s *analysis) declaredLicences() []string {
	var expression, text, classified []string
	lines := bufio.NewScanner(s.content())
	for lines.Scan() && lines.Text() != "" {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "license-expression":
			expression = append(expression, value)
		case "license":
			text = append(text, value)
		case "classifier":
			if name, ok := strings.CutPrefix(value, "License :: "); ok {
				classified = append(classified, strings.TrimPrefix(name, "OSI Approved :: "))
			}
		}
	}
	for _, found := range [][]string{expression, text, classified} {
		if l := licences(found); len(l) > 0 {
			return l
		}
	}
	return nil
}

// examineDeclared is for manifests that declare what they need: a version counts if it is one, and is left out if it is
// a range or a variable.
func examineDeclared(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		if !isVersion(p.Version) {
			p.Version = ""
		}
		s.keep(p)
	}
	if content, err := s.readAll(); err == nil { // it was read before
		s.quote(content)
	}
	return s.partly(len(packages), err)
}

func isVersion(v string) bool {
	return v != "" && v[0] >= '0' && v[0] <= '9' && !strings.ContainsAny(v, "*,[]()<>|$^~ ") && !strings.Contains(v, "+.")
}
