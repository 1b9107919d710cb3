package advisory

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
)

// Bucket is the public place of OSV's exports.
//
// https://google.github.io/osv.dev/data/#data-dumps
const Bucket = "https://osv-vulnerabilities.storage.googleapis.com"

// Where the public lists are that a set needs besides OSV's exports.
//
//   - https://www.cisa.gov/known-exploited-vulnerabilities-catalog
//   - https://www.first.org/epss/data_stats
//   - https://endoflife.date/docs/api/v1/
const (
	publicKEV       = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
	publicEPSS      = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
	publicEndOfLife = "https://endoflife.date/api/v1/products/full"
)

// exports is a place in the layout of OSV's bucket: a directory or an address.
type exports struct {
	from string
	get  *downloader
}

// place names a file of the exports.
func (x exports) place(parts ...string) string {
	if !isURL(x.from) {
		return filepath.Join(append([]string{x.from}, parts...)...)
	}
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.TrimSuffix(x.from, "/") + "/" + strings.Join(parts, "/")
}

// absent reports whether an error says that there is no such file.
func absent(err error) bool {
	var status *network.StatusError
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &status) && status.Status == http.StatusNotFound
}

// ecosystems returns the names of the exports, sorted; with chosen, only those.
func (x exports) ecosystems(ctx context.Context, chosen []string) ([]string, error) {
	listed, err := x.listed(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range listed {
		if strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("ecosystems.txt: %.60q is not the name of an ecosystem", name)
		}
		// The bucket also lists what holds no packages, and releases whose records their ecosystem's export holds too.
		if name == "GIT" || name == "[EMPTY]" || Family(name) != name && slices.Contains(listed, Family(name)) {
			continue
		}
		if chosen == nil || slices.Contains(chosen, Family(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 && chosen == nil {
		return nil, &core.Failure{Doing: "build advisories from " + x.from, Usage: true,
			Err:  errors.New("it has no ecosystems.txt and no <Ecosystem>/all.zip"),
			Hint: "name a directory that holds OSV exports, or " + Bucket}
	}
	return names, nil
}

func (x exports) listed(ctx context.Context) ([]string, error) {
	f, err := x.get.open(ctx, x.place("ecosystems.txt"))
	if absent(err) && !isURL(x.from) {
		found, err := filepath.Glob(filepath.Join(x.from, "*", "all.zip"))
		var names []string
		for _, f := range found {
			names = append(names, filepath.Base(filepath.Dir(f)))
		}
		return names, err
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read ecosystems.txt: %w", err)
	}
	return lines, nil
}

// archive is one all.zip.
type archive struct {
	*zip.Reader
	name string
	file *copied
}

func (a *archive) Close() error { return a.file.Close() }

// archive opens the export of an ecosystem.
func (x exports) archive(ctx context.Context, ecosystem string) (*archive, error) {
	name := x.place(ecosystem, "all.zip")
	f, err := x.get.open(ctx, name)
	if absent(err) {
		return nil, &core.Failure{Doing: "build advisories from " + x.from, Usage: true,
			Err:  fmt.Errorf("ecosystems.txt lists %s, but %s does not exist", ecosystem, name),
			Hint: "download it, or take the ecosystem out of ecosystems.txt"}
	}
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, f.size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return &archive{z, name, f}, nil
}

// exported says when the archive was made: by its server, or by the newest of its entries. It is zero if neither says.
func (a *archive) exported(now time.Time) time.Time {
	if !a.file.modified.IsZero() {
		return a.file.modified
	}
	var newest time.Time
	for _, f := range a.File {
		// Archives without dates say 1979 or 1980.
		if at := f.Modified.UTC(); at.Year() > 1990 && at.After(newest) && (now.IsZero() || !at.After(now)) {
			newest = at
		}
	}
	return newest
}

// table returns where one of the lists beside the exports is: as given, at its public address if the exports are the
// public ones, or in or beside the exports. It is empty if there is none.
func (x exports) table(given, public string, names ...string) string {
	switch {
	case given != "":
		return given
	case strings.TrimSuffix(x.from, "/") == Bucket:
		return public
	case isURL(x.from):
		return x.place(names[0])
	}
	for _, dir := range []string{x.from, filepath.Dir(filepath.Clean(x.from))} {
		for _, name := range names {
			if p := filepath.Join(dir, name); isFile(p) {
				return p
			}
		}
	}
	return ""
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
