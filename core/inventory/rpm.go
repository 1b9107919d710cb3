package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	rpmdb "github.com/erikvarga/go-rpmdb/pkg"
	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/purl"
)

// rpmDatabases are the places and formats: Berkeley DB to RHEL 8, NDB in SUSE, SQLite since Fedora 33 and RHEL 9.
//
// https://rpm-software-management.github.io/rpm/man/rpmdb.8
func rpmDatabases() []string {
	var paths []string
	for _, dir := range []string{"var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"} {
		for _, name := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
			paths = append(paths, dir+name)
		}
	}
	return paths
}

const sqliteLog = "-wal"

// isRPMLog wants SQLite's write-ahead log: packages may be there that are not yet in the database.
//
// https://www.sqlite.org/wal.html
func isRPMLog(p string) bool {
	base, ok := strings.CutSuffix(p, "rpmdb.sqlite"+sqliteLog)
	return ok && (base == "var/lib/rpm/" || base == "usr/lib/sysimage/rpm/" || base == "usr/share/rpm/")
}

// examineRPM gives the extractor a real file, which its database drivers need, in a directory of our own that is
// removed again. See rpmcheck.go for what must hold before.
func examineRPM(ctx context.Context, s *analysis) error {
	if s.file.Content.Size() == 0 {
		return nil // as an image has whose packages were installed from outside
	}
	dir, err := os.MkdirTemp("", "cleanbill-rpm-")
	if err != nil {
		return fmt.Errorf("make room for the database: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := s.spoolRPM(dir); err != nil {
		return err
	}
	database := filepath.Join(dir, rpmFile)
	count, err := checkRPM(ctx, s.file.Content, s.file.Content.Size(), database)
	if err != nil {
		return err
	}
	packages, err := s.extractRPM(ctx, dir)
	for _, p := range packages {
		if p.Name == "gpg-pubkey" {
			continue // a key that rpm keeps among the packages
		}
		s.checkSource(p)
		s.checkModule(p)
		s.keep(p)
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	if count != len(packages) {
		s.problem("the database has %d packages, of which %d could be read", count, len(packages))
	}
	return nil
}

const rpmFile = "packages.db"

// spoolRPM writes the database, and its log if it has one, to dir.
func (s *analysis) spoolRPM(dir string) error {
	if err := spool(filepath.Join(dir, rpmFile), s.content()); err != nil {
		return err
	}
	if s.file.Related == nil || path.Base(s.file.Path) != "rpmdb.sqlite" {
		return nil
	}
	log, err := s.file.Related.Open(s.file.Path + sqliteLog)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the database's log: %w", err)
	}
	defer log.Close()
	return spool(filepath.Join(dir, rpmFile+sqliteLog), log)
}

func spool(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return fmt.Errorf("copy the database: %w", err)
	}
	return f.Close()
}

// rpmHeader is what the header of an rpm package says beside name, version and license.
type rpmHeader struct {
	epoch        int
	architecture string
	sourceRPM    string
	// label is "nodejs:12:8030020201124152102:229f0a1c", the module with its stream, version and context.
	label string
}

// IsProtoable makes it metadata of an extractor.Package.
func (*rpmHeader) IsProtoable() {}

// extractRPM reads the copy with the extractor's own reader, as the extractor does, which drops the label of modules.
func (s *analysis) extractRPM(ctx context.Context, dir string) (packages []*extractor.Package, err error) {
	defer func() {
		if p := recover(); p != nil {
			packages, err = nil, fmt.Errorf("its reader cannot read it: %s", printable(fmt.Sprint(p)))
		}
		if err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), filepath.Join(dir, rpmFile), "the database"))
		}
	}()
	db, err := rpmdb.Open(filepath.Join(dir, rpmFile))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	list, err := db.ListPackagesWithContext(ctx)
	for _, p := range list {
		packages = append(packages, &extractor.Package{
			Name: p.Name, Version: p.Version + "-" + p.Release, PURLType: purl.TypeRPM,
			Location: extractor.LocationFromPath(rpmFile), Licenses: []string{p.License},
			Metadata: &rpmHeader{epoch: p.EpochNum(), architecture: p.Arch, sourceRPM: p.SourceRpm, label: p.Modularitylabel},
		})
	}
	return packages, err
}

// moduleOf reads the name and the stream in the label of a module, "nodejs:12".
func moduleOf(label string) (string, error) {
	if label == "" || label == "(none)" {
		return "", nil
	}
	parts := strings.Split(label, ":")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return "", fmt.Errorf("%s is no label of a module", printable(label))
	}
	module := parts[0] + ":" + parts[1]
	return module, oneWord("module", module, maxName)
}

// checkModule names a module that convert cannot take over: a stream's advisories are for its own packages only.
func (s *analysis) checkModule(p *extractor.Package) {
	if h, ok := p.Metadata.(*rpmHeader); ok {
		if _, err := moduleOf(h.label); err != nil {
			s.problem("package %s: it is not known what module it is of: %v", printable(p.Name), err)
		}
	}
}
