package inventory

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/osv-scalibr/extractor"
	archivemeta "github.com/google/osv-scalibr/extractor/filesystem/language/java/archive/metadata"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gem"
	apkmeta "github.com/google/osv-scalibr/extractor/filesystem/os/apk/metadata"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
	spackmeta "github.com/google/osv-scalibr/extractor/filesystem/os/spack/metadata"
	"github.com/google/osv-scalibr/extractor/filesystem/osv"
	"github.com/google/osv-scalibr/purl"
	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The longest name and version that are believed, in bytes. The longest real ones are Go module paths and Maven
// coordinates of under 300.
const (
	maxName    = 1024
	maxVersion = 512
)

// convert turns a package of osv-scalibr, found by the named extractor in the file at location, into ours. Packages of
// distributions get their namespace, ecosystem and distro qualifier from Finish.
func convert(extractorName, location string, p *extractor.Package) (core.Package, error) {
	if err := believable("name", p.Name, maxName); err != nil {
		return core.Package{}, err
	}
	if err := believable("version", p.Version, maxVersion); err != nil {
		return core.Package{}, fmt.Errorf("package %s: %w", printable(p.Name), err)
	}
	if p.Name == "" {
		return core.Package{}, fmt.Errorf("a package of version %q has no name", printable(p.Version))
	}
	c := core.Package{
		Name:      p.Name,
		Version:   p.Version,
		Licenses:  licences(p.Licenses),
		Locations: []core.Location{locate(location, p)},
		Analyzer:  extractorName,
		Scope:     scopeOf(p.Metadata),
	}
	u := identify(extractorName, p)
	if isDistribution(u.Type) {
		fromDistribution(&c, &u, p.Metadata)
	} else {
		c.Ecosystem = ecosystemOf(u.Type)
		fromLanguage(&c, &u, p)
	}
	var err error
	if c.Purl, err = render(u); err != nil {
		return core.Package{}, fmt.Errorf("package %s: %w", printable(p.Name), err)
	}
	return c, nil
}

// identify makes the package URL as far as name and type go.
func identify(extractorName string, p *extractor.Package) packageurl.PackageURL {
	u := packageurl.PackageURL{Type: p.PURLType, Name: p.Name, Version: p.Version}
	switch p.PURLType {
	case purl.TypeGit: // a dependency from a repository: it is still a package of its language
		u.Type = languageType(extractorName)
		u.Qualifiers = fromRepository(p)
	case purl.TypePacman:
		u.Type = packageurl.TypeAlpm
	case purl.TypePortage:
		u.Type = "ebuild"
	}
	switch u.Type {
	case purl.TypeMaven:
		u.Namespace, u.Name = cutLast(p.Name, ":", false)
	case purl.TypeNPM, purl.TypeGolang, purl.TypeComposer, purl.TypeSwift, purl.TypeGithub:
		u.Namespace, u.Name = cutLast(p.Name, "/", true)
	}
	return u
}

// languageType is the package URL type of the language that an extractor reads.
func languageType(extractorName string) string {
	language, _, _ := strings.Cut(extractorName, "/")
	switch language {
	case "javascript":
		return purl.TypeNPM
	case "rust":
		return purl.TypeCargo
	}
	return purl.TypeGeneric
}

func fromRepository(p *extractor.Package) packageurl.Qualifiers {
	if p.SourceCode == nil || p.SourceCode.Repo == "" {
		return nil
	}
	url := "git+" + strings.TrimPrefix(p.SourceCode.Repo, "git+")
	if p.SourceCode.Commit != "" {
		url += "@" + p.SourceCode.Commit
	}
	if believable("repository", url, maxName) != nil {
		return nil
	}
	return packageurl.Qualifiers{{Key: "vcs_url", Value: url}}
}

// cutLast splits off the part after the last separator, or after the first one.
func cutLast(s, separator string, last bool) (before, after string) {
	i := strings.Index(s, separator)
	if last {
		i = strings.LastIndex(s, separator)
	}
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+len(separator):]
}

// isDistribution reports whether packages of a type belong to the distribution that os-release names.
func isDistribution(purlType string) bool {
	switch purlType {
	case purl.TypeDebian, purl.TypeApk, purl.TypeRPM, purl.TypeOpkg, packageurl.TypeAlpm, "ebuild", purl.TypeCOS:
		return true
	}
	return false
}

// ecosystemOf is the OSV ecosystem of a language's packages; empty if OSV has none.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func ecosystemOf(purlType string) string {
	switch purlType {
	case purl.TypePyPi:
		return "PyPI"
	case purl.TypeMaven:
		return "Maven"
	case purl.TypeNPM:
		return "npm"
	case purl.TypeGolang:
		return "Go"
	case purl.TypeCargo:
		return "crates.io"
	case purl.TypeGem:
		return "RubyGems"
	case purl.TypeNuget:
		return "NuGet"
	case purl.TypeComposer:
		return "Packagist"
	case purl.TypePub:
		return "Pub"
	case purl.TypeHex:
		return "Hex"
	case purl.TypeHackage:
		return "Hackage"
	case purl.TypeCran:
		return "CRAN"
	case purl.TypeConan:
		return "ConanCenter"
	case purl.TypeSwift:
		return "SwiftURL"
	case purl.TypeJulia:
		return "Julia"
	case purl.TypeOpam:
		return "opam"
	}
	return ""
}

// fromDistribution takes over what package databases of distributions say.
func fromDistribution(c *core.Package, u *packageurl.PackageURL, metadata any) {
	c.Source, _ = sourceOf(metadata) // checkSource names the error
	switch m := metadata.(type) {
	case *dpkgmeta.Metadata:
		c.Architecture = m.Architecture
	case *apkmeta.Metadata:
		c.Architecture = m.Architecture
	case *rpmHeader:
		c.Architecture = m.architecture
		if m.epoch > 0 {
			epoch := strconv.Itoa(m.epoch)
			c.Version = epoch + ":" + c.Version
			u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "epoch", Value: epoch})
		}
		if m.sourceRPM != "" && believable("source", m.sourceRPM, maxName) == nil {
			u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "sourcerpm", Value: m.sourceRPM})
		}
		if module, err := moduleOf(m.label); module != "" && err == nil { // checkModule names the error
			c.Module = module
			u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "rpmmod", Value: module})
		}
	}
	if believable("architecture", c.Architecture, maxVersion) != nil {
		c.Architecture = ""
	}
	if c.Architecture != "" {
		u.Qualifiers = append(u.Qualifiers, packageurl.Qualifier{Key: "arch", Value: c.Architecture})
	}
}

// checkSource names the problem of a source package that convert cannot take over. Distributions' advisories are for
// source packages, so it must not go without a word.
func (s *analysis) checkSource(p *extractor.Package) {
	if _, err := sourceOf(p.Metadata); err != nil {
		s.sourceProblem(p.Name, err)
	}
}

func (s *analysis) sourceProblem(name string, err error) {
	s.problem("package %s: it is not known what it was built from: %v", printable(name), err)
}

// sourceOf is the source package that a distribution's package was built from. What can be told of it is returned with
// an error too.
func sourceOf(metadata any) (*core.SourcePackage, error) {
	switch m := metadata.(type) {
	case *dpkgmeta.Metadata:
		name, version := m.SourceName, m.SourceVersion
		if open := strings.IndexByte(name, '('); open > 0 && version == "" && strings.HasSuffix(name, ")") {
			name, version = name[:open], name[open+1:len(name)-1] // without the usual space between
		}
		return sourcePackage(strings.TrimSpace(name), strings.TrimSpace(version))
	case *apkmeta.Metadata:
		return sourcePackage(m.OriginName, "")
	case *rpmHeader:
		return sourceOfRPM(m.sourceRPM)
	}
	return nil, nil
}

// sourcePackage is nil where the source package is the binary's namesake of the same version, which databases leave
// out. If only the version is in error, it is taken for the binary's.
func sourcePackage(name, version string) (*core.SourcePackage, error) {
	if name == "" {
		return nil, nil
	}
	if err := oneWord("source", name, maxName); err != nil {
		return nil, err
	}
	if err := oneWord("source version", version, maxVersion); err != nil {
		return &core.SourcePackage{Name: name}, err
	}
	return &core.SourcePackage{Name: name, Version: version}, nil
}

// oneWord refuses also what no distribution has in names and versions.
func oneWord(what, s string, limit int) error {
	if err := believable(what, s, limit); err != nil {
		return err
	}
	if strings.IndexFunc(s, unusual) >= 0 {
		return fmt.Errorf("a package has a %s that is not one word, as all are: %s", what, printable(s))
	}
	return nil
}

func unusual(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("+-._~^:@", r)
}

// sourceOfRPM reads name-version-release.src.rpm. Its version lacks the epoch, which only the binary states.
func sourceOfRPM(file string) (*core.SourcePackage, error) {
	if file == "" || file == "(none)" { // as of the keys that rpm keeps as packages
		return nil, nil
	}
	base, ok := strings.CutSuffix(file, ".rpm")
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".src"), ".nosrc")
	release := strings.LastIndexByte(base, '-')
	version := strings.LastIndexByte(base[:max(release, 0)], '-')
	if !ok || version <= 0 {
		return nil, fmt.Errorf("%s is no name of a source package", printable(file))
	}
	return sourcePackage(base[:version], base[version+1:])
}

// fromLanguage corrects what the ecosystems' extractors and our vocabulary see differently.
func fromLanguage(c *core.Package, u *packageurl.PackageURL, p *extractor.Package) {
	switch m := p.Metadata.(type) {
	case *archivemeta.Metadata:
		if sum, err := base64.StdEncoding.DecodeString(m.SHA1); err == nil && len(sum) == 20 {
			c.Hashes = map[string]string{"sha1": hex.EncodeToString(sum)}
		}
	case *gem.RubyGemMetadata:
		c.Licenses = licences(m.Licenses)
	case *spackmeta.Metadata:
		c.Architecture = m.Architecture
	}
	switch u.Type {
	case purl.TypeGolang:
		if c.Name == "go" || c.Name == "stdlib" { // the standard library, as OSV names it
			c.Name, u.Name, u.Namespace = "stdlib", "stdlib", ""
		} else if c.Version != "" && c.Version[0] >= '0' && c.Version[0] <= '9' {
			// OSV writes versions of modules without their v; package URLs, and with them VEX, have the module's own.
			u.Version = "v" + c.Version
		}
	case purl.TypePyPi:
		u.Name = strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(u.Name))
	}
	if c.Version == "" && p.SourceCode != nil && believable("commit", p.SourceCode.Commit, maxVersion) == nil {
		// Built from a commit. No advisory's range can be compared with that.
		c.Version, u.Version = p.SourceCode.Commit, p.SourceCode.Commit
		if c.Version != "" {
			c.Ecosystem = ""
		}
	}
}

// scopeOf is development if all groups that a lockfile lists a package in are for development or tests.
func scopeOf(metadata any) core.Scope {
	groups, ok := metadata.(osv.DepGroups)
	if !ok || len(groups.DepGroups()) == 0 {
		return ""
	}
	for _, g := range groups.DepGroups() {
		switch strings.ToLower(g) {
		case "dev", "development", "develop", "test", "tests", "testing", "lint":
		default:
			return ""
		}
	}
	return core.ScopeDevelopment
}

// licences drops what says nothing.
func licences(declared []string) []string {
	var kept []string
	for _, l := range declared {
		l = strings.TrimSpace(l)
		switch {
		case l == "", strings.EqualFold(l, "unknown"), strings.EqualFold(l, "none"), l == "(none)":
		case believable("licence", l, maxName) != nil:
		default:
			kept = append(kept, l)
		}
	}
	return kept
}

// locate says where p was found. The path is that of the file in hand, with what is inside of it after "!/"; some
// extractors give none, and names inside archives are the archive's author's.
func locate(file string, p *extractor.Package) core.Location {
	l := core.Location{Path: file}
	if d := p.Location.Descriptor; d != nil && d.File != nil && path.Clean(d.File.Path) == file {
		l.Line = max(d.File.LineNumber, 0)
	}
	return l
}

// render writes u in its canonical form.
func render(u packageurl.PackageURL) (string, error) {
	if err := u.Normalize(); err != nil {
		return "", fmt.Errorf("has no package URL: %s", printable(err.Error()))
	}
	return u.ToString(), nil
}

// believable refuses what cannot be a name or version: no terminal, report or SBOM should meet it.
func believable(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("a package has a %s of %d bytes (%s…): more than %d are not believable",
			what, len(s), printable(s[:40]), limit)
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, unprintable) >= 0 {
		return fmt.Errorf("a package has a %s that is not text: %s", what, printable(s))
	}
	return nil
}

// unprintable is true for control characters and for those that change the direction or look of what follows.
func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != '\u00a0' }

// printable quotes what is not text, and cuts what is long.
func printable(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if utf8.ValidString(s) && strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	return strconv.QuoteToGraphic(s)
}
