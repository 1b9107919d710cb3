package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/purl"
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
	content, err := s.readAll()
	if err != nil {
		return err
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var file struct {
		RuntimeTarget json.RawMessage `json:"runtimeTarget"`
		Libraries     map[string]struct {
			Type string `json:"type"`
		} `json:"libraries"`
	}
	err = json.Unmarshal(content, &file)
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return nil
	case err != nil && (file.RuntimeTarget != nil || !json.Valid(content)):
		return fmt.Errorf("it is no list of what a program needs: %w", err)
	case len(file.Libraries) == 0: // of another program that uses the name, or of one that needs nothing
		return nil
	}
	packages, err := s.extract(ctx, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
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

// examineResolved leaves out what has no version because it is a directory of the project.
func examineResolved(ctx context.Context, s *analysis) error {
	packages, err := s.extract(ctx, s.content())
	for _, p := range packages {
		if p.Version != "" || p.SourceCode != nil && p.SourceCode.Commit != "" {
			s.keep(p)
		}
	}
	return s.partly(len(packages), err)
}

// examineRenv adds what the extractor leaves out, which is everything that was not downloaded from a mirror that calls
// itself CRAN. Posit's package manager, the usual one, does not.
//
// https://rstudio.github.io/renv/reference/lockfiles.html
func examineRenv(ctx context.Context, s *analysis) error {
	var file struct {
		Packages map[string]struct{ Package, Version, Source, Repository string }
	}
	if err := json.NewDecoder(s.content()).Decode(&file); err != nil {
		return err
	}
	if err := s.extractAll(ctx); err != nil {
		return err
	}
	for _, p := range file.Packages {
		if p.Repository == "CRAN" {
			continue
		}
		found := &extractor.Package{Name: p.Package, Version: p.Version, PURLType: purl.TypeCran}
		if p.Source != "Repository" {
			found.PURLType = purl.TypeGeneric // from Bioconductor, GitHub or a directory
		}
		s.keep(found)
	}
	return nil
}

// examineSwift gives the extractor, which reads versions 2 and 3 of the file, version 1 in that form.
//
// https://github.com/swiftlang/swift-package-manager/blob/main/Sources/PackageGraph/ResolvedPackagesStore.swift
func examineSwift(ctx context.Context, s *analysis) error {
	var first struct {
		Object struct {
			Pins []struct {
				Package       string          `json:"package"`
				RepositoryURL string          `json:"repositoryURL"`
				State         json.RawMessage `json:"state"`
			} `json:"pins"`
		} `json:"object"`
	}
	if err := json.NewDecoder(s.content()).Decode(&first); err != nil {
		return err
	}
	if len(first.Object.Pins) == 0 {
		return s.extractAll(ctx)
	}
	type pin struct {
		Identity string          `json:"identity"`
		Location string          `json:"location"`
		State    json.RawMessage `json:"state"`
	}
	var second struct {
		Pins []pin `json:"pins"`
	}
	for _, p := range first.Object.Pins {
		second.Pins = append(second.Pins, pin{p.Package, p.RepositoryURL, p.State})
	}
	content, err := json.Marshal(second)
	if err != nil {
		return err
	}
	packages, err := s.extract(ctx, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))))
	for _, p := range packages {
		s.keep(p)
	}
	return s.partly(len(packages), err)
}

// examineJulia names the files of the first format, which the extractor takes for empty.
//
// https://pkgdocs.julialang.org/v1/toml-files/#Manifest.toml
func examineJulia(ctx context.Context, s *analysis) error {
	if err := s.extractAll(ctx); err != nil || len(s.found.Packages) > 0 {
		return err
	}
	entries, err := s.countLines(func(line []byte) bool { return bytes.HasPrefix(line, []byte("[[")) })
	if entries > 0 {
		s.problem("it has %d entries in the format of Julia before 1.6, which is not read", entries)
	}
	return err
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
