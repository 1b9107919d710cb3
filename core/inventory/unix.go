package inventory

import (
	"bufio"
	"context"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The installers of system packages besides dpkg, apk and rpm.

func isPacmanEntry(p string, _ fs.FileInfo) bool {
	return strings.HasPrefix(p, "var/lib/pacman/local/") && path.Base(p) == "desc"
}

// examinePacman adds what the extractor leaves out of the entry.
//
// https://man.archlinux.org/man/alpm-db-desc.5
func examinePacman(ctx context.Context, s *analysis) error {
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	if len(s.found.Packages) != 1 {
		return errNothing
	}
	sections, err := pacmanSections(s)
	if err != nil {
		return err
	}
	p := &s.found.Packages[0]
	p.Licenses = licences(sections["%LICENSE%"])
	if base := sections["%BASE%"]; len(base) > 0 {
		if p.Source, err = sourcePackage(base[0], ""); err != nil {
			s.sourceProblem(p.Name, err)
		}
	}
	if arch := sections["%ARCH%"]; len(arch) > 0 && believable("architecture", arch[0], maxVersion) == nil {
		p.Architecture = arch[0]
		return s.requalify(p, packageurl.Qualifier{Key: "arch", Value: arch[0]})
	}
	return nil
}

func pacmanSections(s *analysis) (map[string][]string, error) {
	sections := make(map[string][]string)
	name := ""
	lines := bufio.NewScanner(s.content())
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "":
			name = ""
		case name == "":
			name = line
		default:
			sections[name] = append(sections[name], line)
		}
	}
	return sections, lines.Err()
}

func isPortageEntry(p string, _ fs.FileInfo) bool {
	return strings.HasPrefix(p, "var/db/pkg/") && strings.HasSuffix(p, "/PF")
}

// examinePortage adds the category, which is the directory above the entry's.
func examinePortage(ctx context.Context, s *analysis) error {
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	category := path.Base(path.Dir(path.Dir(s.file.Path)))
	if believable("category", category, maxName) != nil {
		return nil
	}
	for i := range s.found.Packages {
		p := &s.found.Packages[i]
		p.Name = category + "/" + p.Name
		u, err := packageurl.FromString(p.Purl)
		if err != nil {
			return err
		}
		u.Namespace = category
		p.Purl = u.ToString()
	}
	return nil
}

func (s *analysis) requalify(p *core.Package, q packageurl.Qualifier) error {
	u, err := packageurl.FromString(p.Purl)
	if err != nil {
		return err
	}
	u.Qualifiers = append(u.Qualifiers, q)
	p.Purl, err = render(u)
	return err
}

func isFlatpak(p string, _ fs.FileInfo) bool {
	return strings.HasSuffix(p, "metainfo.xml") && strings.Contains(p, "flatpak/app/") &&
		strings.Contains(p, "/export/share/metainfo/")
}

func isSnap(p string, _ fs.FileInfo) bool {
	return strings.HasPrefix(p, "snap/") && strings.HasSuffix(p, "/meta/snap.yaml") && strings.Count(p, "/") == 4
}

func isHomebrew(p string, _ fs.FileInfo) bool {
	switch {
	case hasSuffix(p, "INSTALL_RECEIPT.json"):
		return strings.Contains(p, "Cellar/")
	case hasSuffix(p, ".wrapper.sh", "source.properties", ".app"):
		return strings.Contains(p, "Caskroom/")
	}
	return false
}

func isChocolatey(p string, _ fs.FileInfo) bool {
	return strings.HasSuffix(p, ".nuspec") && strings.Contains(p, "chocolatey/lib/")
}

func isNixStore(p string, _ fs.FileInfo) bool {
	return strings.HasPrefix(p, "nix/store/") && nixStorePath(p) != ""
}

var nixEntry = regexp.MustCompile(`^[a-z0-9]{32}-[a-zA-Z0-9.-]+-(?:[0-9.]+|unstable-)`)

// nixStorePath is the directory in the store that holds p; empty if it is no package with a version.
func nixStorePath(p string) string {
	rest, ok := strings.CutPrefix(p, "nix/store/")
	if !ok {
		return ""
	}
	entry, _, ok := strings.Cut(rest, "/")
	if !ok || !nixEntry.MatchString(entry) {
		return ""
	}
	return "nix/store/" + entry
}

// examineNix is called for every file of the store, because the extractor knows a package by the path of any of its
// files. They are one location: the directory.
func examineNix(ctx context.Context, s *analysis) error {
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	for i := range s.found.Packages {
		s.found.Packages[i].Locations = []core.Location{{Path: nixStorePath(s.file.Path)}}
	}
	return nil
}
