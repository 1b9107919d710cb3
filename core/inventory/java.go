package inventory

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

func isJavaArchive(p string, _ fs.FileInfo) bool { return archive.IsArchive(p) }

func isVersionCatalog(p string, _ fs.FileInfo) bool {
	return hasName(p, "libs.versions.toml") || strings.HasSuffix(p, ".versions.toml") && path.Base(path.Dir(p)) == "gradle"
}

// nestedBytes is how much the archives within one archive may have together, uncompressed. They are read into memory
// one after the other.
func nestedBytes(limits limit.Limits) int64 {
	const factor = 4
	return min(limits.KeptSize, 1<<40) * factor
}

// examineJavaArchive reads an archive and those within it. Its directory is checked first, because the extractor
// believes it.
func examineJavaArchive(ctx context.Context, s *analysis) error {
	directory, err := zip.NewReader(s.content(), s.file.Content.Size())
	if err != nil {
		if s.file.Content.Size() == 0 || !s.looksLikeZip() {
			return nil // a name that other programs use as well
		}
		return fmt.Errorf("open the archive: %w", err)
	}
	if err := s.checkZip(directory); err != nil {
		return err
	}
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		s.keepJava(p)
	}
	s.markShaded()
	return s.partly(len(packages), err)
}

// looksLikeZip is true for what begins as a zip archive does, with or without a jmod header, and for all that only
// Java names so.
func (s *analysis) looksLikeZip() bool {
	head := make([]byte, 8)
	n, err := s.file.Content.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return true
	}
	head = head[:n]
	return strings.Contains(string(head), "PK") || hasSuffix(strings.ToLower(s.file.Path), ".jar", ".war", ".ear", ".jmod")
}

// checkZip bounds what the directory of an archive promises.
func (s *analysis) checkZip(directory *zip.Reader) error {
	if n := int64(len(directory.File)); n > s.limits.Entries {
		return &limit.Exceeded{Limit: "entries", Max: s.limits.Entries, Unit: "entries", What: s.file.Path}
	}
	const free = 16 << 20 // as in limit.Limits.Ratio
	for _, f := range directory.File {
		if !readsEntry(f.Name) {
			continue
		}
		what := s.file.Path + "!/" + printable(f.Name)
		switch size := f.UncompressedSize64; {
		case size > uint64(s.limits.KeptSize):
			return &limit.Exceeded{Limit: "kept-size", Max: s.limits.KeptSize, Unit: "bytes", What: what}
		case size > free && size/max(f.CompressedSize64, 1) > uint64(s.limits.Ratio):
			const unit = "bytes for one compressed byte"
			return &limit.Exceeded{Limit: "ratio", Max: s.limits.Ratio, Unit: unit, What: what}
		}
	}
	return nil
}

// readsEntry reports whether the extractor opens an entry of this name.
func readsEntry(name string) bool {
	base := path.Base(name)
	return archive.IsArchive(name) || base == "pom.properties" || strings.EqualFold(base, "manifest.mf")
}

// keepJava adds p with its place inside of the archive. An archive that says nothing of itself is kept by its hash, as
// a thing that nobody can look up.
func (s *analysis) keepJava(p *extractor.Package) {
	inner := innerArchive(s.file.Path, p)
	c, err := convert(s.name, s.file.Path, p)
	if err != nil {
		s.problem("%v", err)
		return
	}
	if p.Name == "unknown" && p.Version == "unknown" {
		c = s.unknownArchive(c, inner)
	}
	if inner != "" {
		c.Vendored = true
		c.Locations[0].Path += "!/" + inner
	}
	s.found.Packages = append(s.found.Packages, c)
}

func (s *analysis) unknownArchive(c core.Package, inner string) core.Package {
	c.Name, c.Version, c.Ecosystem = path.Base(s.file.Path), "", ""
	if inner != "" {
		c.Name = path.Base(inner)
	}
	u := packageurl.PackageURL{Type: packageurl.TypeGeneric, Name: c.Name}
	if sum := c.Hashes["sha1"]; sum != "" {
		u.Qualifiers = packageurl.Qualifiers{{Key: "checksum", Value: "sha1:" + sum}}
	}
	if purl, err := render(u); err == nil {
		c.Purl = purl
	}
	return c
}

// innerArchive is the path, inside of the archive, of the innermost archive that holds p; empty if that is the archive
// itself. The extractor joins paths with slashes and puts the file that it read last.
func innerArchive(outer string, p *extractor.Package) string {
	deepest := ""
	for _, l := range p.Location.Related {
		if l.File == nil {
			continue
		}
		rest, ok := strings.CutPrefix(path.Clean(l.File.Path), outer+"/")
		if !ok {
			continue
		}
		for end := rest; end != "." && end != ""; end = parent(end) {
			if archive.IsArchive(end) {
				if len(end) > len(deepest) {
					deepest = end
				}
				break
			}
		}
	}
	if believable("path", deepest, maxName) != nil {
		return printable(deepest)
	}
	return deepest
}

func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

// markShaded tells the package that an archive is from those that were copied into it, where several poms are in one:
// the archive's file name begins with its own artifact. The hash is then of neither.
func (s *analysis) markShaded() {
	byPlace := make(map[string][]int)
	for i, p := range s.found.Packages {
		byPlace[p.Locations[0].Path] = append(byPlace[p.Locations[0].Path], i)
	}
	for place, indexes := range byPlace {
		if len(indexes) < 2 {
			continue
		}
		base := path.Base(place)
		own := slices.IndexFunc(indexes, func(i int) bool {
			_, artifact, _ := strings.Cut(s.found.Packages[i].Name, ":")
			return artifact != "" && strings.HasPrefix(base, artifact)
		})
		for n, i := range indexes {
			s.found.Packages[i].Hashes = nil
			if own >= 0 && n != own {
				s.found.Packages[i].Vendored = true
			}
		}
	}
}
