package inventory

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
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
// removed again. The drivers take the end of what they can read for the end of the database, so that is checked.
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
	if err := s.checkRPM(database); err != nil {
		return err
	}
	packages, err := s.extractRPM(ctx, dir)
	for _, p := range packages {
		if p.Name == "gpg-pubkey" {
			continue // a key that rpm keeps among the packages
		}
		s.keep(p)
	}
	if err := s.partly(len(packages), err); err != nil {
		return err
	}
	return s.countRPM(ctx, database, len(packages))
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

// extractRPM runs the extractor over the copy. Root and Path name it, so that the extractor makes none of its own; the
// location is ours.
func (s *analysis) extractRPM(ctx context.Context, dir string) ([]*extractor.Package, error) {
	found, err := s.inner.Extract(ctx, &filesystem.ScanInput{
		FS: surroundings{}, Root: dir, Path: rpmFile,
		Info: memoryInfo{name: rpmFile, size: s.file.Content.Size(), mode: 0o600}, Reader: s.content(),
	})
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), filepath.Join(dir, rpmFile), "the database"))
	}
	return found.Packages, err
}

// Berkeley DB's metadata page, as far as it matters here.
const (
	bdbMagicAt    = 12
	bdbPageSizeAt = 20
	bdbLastPageAt = 32
	bdbHashMagic  = 0x061561
)

// checkRPM refuses a Berkeley DB that is shorter than its first page says.
func (s *analysis) checkRPM(database string) error {
	head := make([]byte, 72)
	if _, err := s.file.Content.ReadAt(head, 0); err != nil {
		return fmt.Errorf("the database is too short: %w", err)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if order.Uint32(head[bdbMagicAt:]) != bdbHashMagic {
			continue
		}
		want := (int64(order.Uint32(head[bdbLastPageAt:])) + 1) * int64(order.Uint32(head[bdbPageSizeAt:]))
		if have := s.file.Content.Size(); have < want {
			return fmt.Errorf("the database is cut off: it has %d of %d bytes", have, want)
		}
	}
	return nil
}

// countRPM holds the number of packages against SQLite's own count, because the driver that reads them does not ask
// whether it stopped at an error.
func (s *analysis) countRPM(ctx context.Context, database string, found int) error {
	head := make([]byte, 16)
	if _, err := s.file.Content.ReadAt(head, 0); err != nil || string(head) != "SQLite format 3\x00" {
		return nil
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		return fmt.Errorf("count the packages: %w", err)
	}
	defer db.Close()
	var rows int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM Packages").Scan(&rows); err != nil {
		return fmt.Errorf("count the packages: %w", err)
	}
	if rows != found {
		s.problem("the database has %d packages, of which %d could be read", rows, found)
	}
	return nil
}
