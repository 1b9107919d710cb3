package inventory

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Ruby, .NET, and languages whose extractors need little.

// examineGemspec reads the specification of an installed gem. Those beside a gem's sources are written by people and
// often compute their version; the installed ones, which rubygems writes, do not.
//
// https://guides.rubygems.org/specification-reference/
func examineGemspec(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		s.keep(p)
	}
	if len(packages) > 0 || !isInstalledGem(s.file.Path) || ctx.Err() != nil {
		return s.partly(len(packages), ctx.Err())
	}
	if err == nil {
		err = errNothing
	}
	return err
}

func isInstalledGem(p string) bool {
	dir := path.Dir(p)
	if path.Base(dir) == "default" {
		dir = path.Dir(dir)
	}
	return path.Base(dir) == "specifications"
}

// examineDepsJSON reads what a .NET program was built from. The runtime pack of a self-contained program is a package
// of the same name without the prefix; projects are the program itself.
//
// https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md
func examineDepsJSON(ctx context.Context, s *analysis) error {
	var file struct {
		RuntimeTarget json.RawMessage `json:"runtimeTarget"`
		Libraries     map[string]struct {
			Type string `json:"type"`
		} `json:"libraries"`
	}
	content, err := io.ReadAll(s.content())
	if err != nil {
		return err
	}
	if json.Unmarshal(content, &file) != nil || file.RuntimeTarget == nil && len(file.Libraries) == 0 {
		return nil // of another program that uses the name
	}
	if len(file.Libraries) == 0 {
		return nil
	}
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		switch kind := file.Libraries[p.Name+"/"+p.Version].Type; kind {
		case "project", "reference":
			continue
		case "runtimepack":
			p.Name = strings.TrimPrefix(p.Name, "runtimepack.")
		}
		s.keep(p)
	}
	return s.partly(len(packages), err)
}

// examineProjectAssets keeps the packages that were resolved. The extractor also returns what they asked for, in
// versions that nobody has.
func examineProjectAssets(ctx context.Context, s *analysis) error {
	var file struct {
		Libraries map[string]struct {
			Type string `json:"type"`
		} `json:"libraries"`
	}
	if err := json.NewDecoder(s.content()).Decode(&file); err != nil {
		return err
	}
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		if file.Libraries[p.Name+"/"+p.Version].Type == "package" {
			s.keep(p)
		}
	}
	return s.partly(len(packages), err)
}

func isRockspec(p string, _ fs.FileInfo) bool {
	if !strings.HasSuffix(p, ".rockspec") {
		return false
	}
	parts := strings.Split(p, "/")
	return len(parts) >= 4 && strings.HasPrefix(parts[len(parts)-4], "rocks-")
}

func isNimble(p string, _ fs.FileInfo) bool {
	return strings.HasSuffix(p, ".nimble") && (strings.Contains(p, "/pkgs/") || strings.Contains(p, "/pkgs2/"))
}

func isCPAN(p string, _ fs.FileInfo) bool {
	return hasName(p, "META.json", "META.yml") && strings.Contains(p, "/.cpan")
}

func isCPANJSON(p string) bool { return hasName(p, "META.json") && strings.Contains(p, "/.cpan") }
