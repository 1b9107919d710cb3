package inventory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/purl"

	"github.com/cleanbill-ci/cleanbill/core"
)

// isAsar wants the archive of an Electron program.
func isAsar(p string, _ fs.FileInfo) bool {
	return hasName(p, "app.asar") && strings.Contains(strings.ToLower(p), "resources/")
}

// manifest is what matters of a package.json. Fields are raw, because old packages put any type anywhere.
type manifest struct {
	Name     json.RawMessage `json:"name"`
	Version  json.RawMessage `json:"version"`
	License  json.RawMessage `json:"license"`
	Licenses json.RawMessage `json:"licenses"`
}

// examinePackageJSON reads the manifest of an installed package. The extractor fails on a field of an unexpected type
// that it does not even report, and leaves out what could be an extension of Visual Studio Code or Unity, which npm
// installs like any other package; so then we read name and version ourselves.
//
// https://docs.npmjs.com/cli/v11/configuring-npm/package-json
func examinePackageJSON(ctx context.Context, s *analysis) error {
	content, err := s.readAll()
	if err != nil {
		return err
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // npm accepts a byte order mark
	if json.Valid(content) {
		s.checkTwice(content, "name", "version")
		content = withoutDisguises(content, "name", "version", "license", "licenses", "engines", "contributes", "unity")
	}
	packages, err := s.extract(ctx, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
	var m manifest
	if jsonErr := json.Unmarshal(content, &m); jsonErr != nil {
		if !s.isInstalledNode() {
			return nil // a fixture or template; npm would not install from it
		}
		return fmt.Errorf("it is no JSON object: %w", jsonErr)
	}
	if err != nil || len(packages) == 0 && below(s.file.Path, "node_modules") {
		packages = m.asPackage(s.file.Path)
	}
	for _, p := range packages {
		p.Licenses = append(texts(m.License), texts(m.Licenses)...)
		s.keep(p)
	}
	return nil
}

var nodePackage = regexp.MustCompile(`(?:^|/)node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json$`)

// isInstalledNode is true where npm puts manifests, and everywhere outside of what npm installed.
func (s *analysis) isInstalledNode() bool {
	return nodePackage.MatchString(s.file.Path) || !below(s.file.Path, "node_modules")
}

// asPackage makes a package of a manifest with a name and a version. Where packages are installed Node needs neither: a
// package without a name is called as its directory, and one without a version is there in no version that is known.
func (m manifest) asPackage(path string) []*extractor.Package {
	name, version := one(texts(m.Name)), one(texts(m.Version))
	if name == "" || version == "" {
		directory := installedAs(path)
		if directory == "" {
			return nil
		}
		name = cmp.Or(name, directory)
	}
	return []*extractor.Package{{
		Name: name, Version: version, PURLType: purl.TypeNPM, Location: extractor.LocationFromPath(path),
	}}
}

func one(list []string) string {
	if len(list) != 1 {
		return ""
	}
	return list[0]
}

// installedAs is the name under which Node finds the package of the manifest at p; empty where it looks for none, as in
// the fixtures that packages bring along. Stores, whose names begin with a dot, hold further node_modules.
func installedAs(p string) string {
	const modules = "node_modules"
	parts := strings.Split(path.Dir(p), "/")
	at := slices.Index(parts, modules)
	for at >= 0 {
		parts = parts[at+1:]
		if len(parts) > 0 && strings.HasPrefix(parts[0], ".") {
			at = slices.Index(parts, modules)
			continue
		}
		words := 1
		if len(parts) > 0 && strings.HasPrefix(parts[0], "@") {
			words = 2
		}
		if len(parts) == words {
			return strings.Join(parts, "/")
		}
		if at = words; len(parts) < words || parts[at] != modules {
			return ""
		}
	}
	return ""
}

// checkTwice names members that the object at the top has twice, with different values: of those Node takes the last,
// but not everybody does.
func (s *analysis) checkTwice(content []byte, known ...string) {
	if trimmed := bytes.TrimSpace(content); len(trimmed) == 0 || trimmed[0] != '{' || !s.isInstalledNode() {
		return
	}
	members, _ := readMembers(content) // it is valid
	values := make(map[string][]byte)
	for _, m := range members {
		value, again := values[m.key]
		if slices.Contains(known, m.key) && again && !bytes.Equal(value, m.value) {
			s.problem("it has the member %q twice, and not all programs take the same", m.key)
		}
		values[m.key] = m.value
	}
}

// texts reads a string, an object with a type (the old form of a licence), or a list of those.
func texts(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var object struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(raw, &object) == nil && object.Type != "" {
		return []string{object.Type}
	}
	var list []json.RawMessage
	var all []string
	if json.Unmarshal(raw, &list) == nil && len(list) <= 20 {
		for _, element := range list {
			if len(element) > 0 && element[0] != '[' {
				all = append(all, texts(element)...)
			}
		}
	}
	return all
}

// examineNpmLock passes over a package-lock.json where npm reads the npm-shrinkwrap.json beside it, as far as that one
// locks anything: npm takes an empty one for none, and one without packages for a reason to ask the registry.
func examineNpmLock(ctx context.Context, s *analysis) error {
	if hasName(s.file.Path, "package-lock.json") {
		overruled, err := s.overruled(ctx)
		if err != nil || overruled {
			return err
		}
		s.file.Related = nil // beside any file of that name the extractor finds nothing
	}
	return examineSplit(npmLock())(ctx, s)
}

// overruled reports whether packages are locked by an npm-shrinkwrap.json beside the file. What is wrong with that one is
// told where it is examined itself.
func (s *analysis) overruled(ctx context.Context) (bool, error) {
	name := path.Join(path.Dir(s.file.Path), "npm-shrinkwrap.json")
	if s.file.Related == nil {
		return false, nil
	}
	info, err := fs.Stat(s.file.Related, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > s.limits.KeptSize {
		return false, nil
	}
	content, err := fs.ReadFile(s.file.Related, name)
	if err != nil {
		return false, err
	}
	beside := &analysis{analyzer: s.analyzer, file: core.File{
		Path: name, Info: info, Content: io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))),
	}}
	if err := examineSplit(npmLock())(ctx, beside); err != nil && ctx.Err() != nil {
		return false, ctx.Err()
	}
	return len(beside.found.Packages) > 0, nil
}

// examineYarnLock names the entries whose version the extractor could not find: it returns them without.
func examineYarnLock(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		switch {
		case strings.HasSuffix(p.Version, "-use.local"): // a workspace of the project itself
		case p.Version == "" && (p.SourceCode == nil || p.SourceCode.Commit == ""):
			s.problem("package %s has no version", printable(p.Name))
		default:
			s.keep(p)
		}
	}
	return s.partly(len(packages), err)
}
