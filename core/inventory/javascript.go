package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/purl"
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
	content, err := io.ReadAll(s.content())
	if err != nil {
		return err
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // npm accepts a byte order mark
	if json.Valid(content) {
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

func (m manifest) asPackage(path string) []*extractor.Package {
	name, version := texts(m.Name), texts(m.Version)
	if len(name) != 1 || len(version) != 1 || name[0] == "" || version[0] == "" {
		return nil
	}
	return []*extractor.Package{{
		Name: name[0], Version: version[0], PURLType: purl.TypeNPM, Location: extractor.LocationFromPath(path),
	}}
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
