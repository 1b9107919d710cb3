package vuln

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// now is the time at which the tests match.
var now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// shared returns the path of real data that lies beside the repository, or skips the test.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real data is not beside the repository: %v", err)
	}
	return path
}

// realSet builds a set from real exports of the ecosystems.
func realSet(t testing.TB, ecosystems ...string) *advisory.Set {
	t.Helper()
	if testing.Short() {
		t.Skip("building real advisories takes seconds")
	}
	data, err := filepath.Abs(shared(t, "data"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, e := range ecosystems {
		if err := os.Symlink(filepath.Join(data, "osv", e), filepath.Join(dir, e)); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "set")
	options := advisory.BuildOptions{From: dir, KEV: filepath.Join(data, "kev.json"),
		EPSS: filepath.Join(data, "epss.csv.gz"), EndOfLife: filepath.Join(data, "eol-distros.csv")}
	if _, err := advisory.Build(t.Context(), options, out); err != nil {
		t.Fatal(err)
	}
	set, err := advisory.Open(t.Context(), "oci:"+out, advisory.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// fileOf returns one file of a root filesystem.
func fileOf(t *testing.T, archive, name string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s has no %s", archive, name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(h.Name, "./") == name {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
}

// stanzas splits a package database into fields by stanza.
func stanzas(database string) []map[string]string {
	var out []map[string]string
	for stanza := range strings.SplitSeq(strings.TrimSpace(database), "\n\n") {
		fields := map[string]string{}
		for line := range strings.SplitSeq(stanza, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
				fields[name] = strings.TrimSpace(value)
			}
		}
		out = append(out, fields)
	}
	return out
}

func apkPackages(database, ecosystem string) []core.Package {
	var out []core.Package
	for _, s := range stanzas(database) {
		out = append(out, core.Package{Subject: subject, Name: s["P"], Version: s["V"], Ecosystem: ecosystem,
			Purl: "pkg:apk/alpine/" + s["P"] + "@" + s["V"], Source: &core.SourcePackage{Name: s["o"]}})
	}
	return out
}

var debianSource = regexp.MustCompile(`^(\S+)(?: \((.*)\))?$`)

func dpkgPackages(database, ecosystem string) []core.Package {
	var out []core.Package
	for _, s := range stanzas(database) {
		p := core.Package{Subject: subject, Name: s["Package"], Version: s["Version"], Ecosystem: ecosystem,
			Purl: "pkg:deb/debian/" + s["Package"] + "@" + s["Version"]}
		if m := debianSource.FindStringSubmatch(s["Source"]); m != nil {
			p.Source = &core.SourcePackage{Name: m[1], Version: m[2]}
		}
		out = append(out, p)
	}
	return out
}

const subject = core.Digest("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

func evidenceOf(packages ...core.Package) *core.Evidence {
	return &core.Evidence{Subjects: []core.Subject{{Name: "test", Kind: core.KindImage, Digest: subject}},
		Packages: packages}
}

// TestRealImagesHaveTheFlawsThatAreKnownOfThem counts (source package, flaw) pairs that have a fix, which is what the
// distributions publish.
func TestRealImagesHaveTheFlawsThatAreKnownOfThem(t *testing.T) {
	set := realSet(t, "Alpine", "Debian")
	for _, test := range []struct {
		archive, database, ecosystem string
		packages, flaws              int
	}{
		{"alpine-minirootfs-3.9.6-x86_64.tar.gz", "lib/apk/db/installed", "Alpine:v3.9", 14, 7},
		{"alpine-minirootfs-3.10.3-x86_64.tar.gz", "lib/apk/db/installed", "Alpine:v3.10", 14, 11},
		{"alpine-minirootfs-20240923-x86_64.tar.gz", "lib/apk/db/installed", "Alpine:edge", 15, 48},
		{"debian-bookworm-minbase-amd64.tar.gz", "var/lib/dpkg/status", "Debian:12", 0, 15},
	} {
		t.Run(test.archive, func(t *testing.T) {
			database := fileOf(t, filepath.Join(shared(t, "rootfs"), test.archive), test.database)
			packages := apkPackages(database, test.ecosystem)
			if strings.HasPrefix(test.ecosystem, "Debian") {
				packages = dpkgPackages(database, test.ecosystem)
			}
			e := evidenceOf(packages...)
			if err := Match(t.Context(), set, e, now); err != nil {
				t.Fatal(err)
			}
			flaws := map[string]bool{}
			for _, f := range e.Findings {
				source := f.Package.Name
				for _, p := range packages {
					if p.Name == f.Package.Name && p.Source != nil {
						source = p.Source.Name
					}
				}
				if f.Fix.State == core.FixAvailable {
					flaws[source+" "+f.Rule] = true
				}
				t.Log(f.Package.Name, f.Package.Version, f.Rule, f.Aliases, f.Severity, f.SeveritySource, f.Fix.Version, f.Match)
			}
			if len(flaws) != test.flaws {
				t.Errorf("%d flaws with a fix in %d packages, want %d", len(flaws), len(packages), test.flaws)
			}
			for _, x := range e.Examinations {
				if x.Status != core.Complete {
					t.Errorf("examination is %+v, want complete", x)
				}
			}
		})
	}
}

// TestRealAdvisoriesOfEachLanguageAreMatched takes one well-known flaw of each.
func TestRealAdvisoriesOfEachLanguageAreMatched(t *testing.T) {
	set := realSet(t, "Go", "npm", "PyPI", "Maven", "RubyGems", "crates.io")
	for _, test := range []struct{ ecosystem, name, version, rule, alias, fix string }{
		{"Go", "golang.org/x/net", "v0.16.0", "CVE-2023-44487", "GHSA-qppj-fm5r-hxr3", "0.17.0"},
		{"Go", "google.golang.org/grpc", "v1.57.0", "CVE-2023-44487", "GHSA-qppj-fm5r-hxr3", "1.57.1"},
		{"Go", "stdlib", "1.21.7", "CVE-2023-45290", "GO-2024-2599", "1.21.8"},
		{"npm", "jquery", "3.4.1", "CVE-2020-11023", "GHSA-jpcq-cgw6-v4j6", "3.5.0"},
		{"npm", "lodash", "4.17.4", "CVE-2018-16487", "x_NSWG-ECO-493", "4.17.11"},
		{"PyPI", "Django", "2.2.0", "CVE-2019-14234", "PYSEC-2019-13", "2.2.4"},
		{"Maven", "org.apache.struts:struts2-core", "2.3.31", "CVE-2017-5638", "", "2.3.32"},
		{"Maven", "org.apache.tomcat.embed:tomcat-embed-core", "9.0.30", "CVE-2020-1938", "GHSA-c9hw-wf7x-jp9j", "9.0.31"},
		{"RubyGems", "actionpack", "6.0.3.6", "CVE-2021-22902", "GHSA-g8ww-46x2-2p65", "6.0.3.7"},
		{"crates.io", "nanorand", "0.5.2", "CVE-2021-45705", "RUSTSEC-2021-0114", "0.6.1"},
	} {
		t.Run(test.ecosystem+" "+test.name, func(t *testing.T) {
			found := match(t, set, pkg(test.ecosystem, test.name, test.version, "")).Findings
			i := slices.IndexFunc(found, func(f core.Finding) bool { return f.Rule == test.rule })
			if i < 0 {
				t.Fatalf("%s was not found: %q", test.rule, lines(found))
			}
			f := found[i]
			if test.alias != "" && !slices.Contains(f.Aliases, test.alias) || f.Fix.Version != test.fix {
				t.Errorf("aliases %q, fix %+v; want %s and %s", f.Aliases, f.Fix, test.alias, test.fix)
			}
			seen := map[string]bool{}
			for _, f := range found {
				if seen[f.Rule] {
					t.Errorf("%s is reported twice", f.Rule)
				}
				seen[f.Rule] = true
			}
		})
	}
}
