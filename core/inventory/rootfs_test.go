package inventory

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

// installed is a package as its own database writes it.
type installed struct{ Name, Version, Architecture string }

func (i installed) String() string { return fmt.Sprintf("%s %s %s", i.Name, i.Version, i.Architecture) }

// ofDistribution are the packages that one analyzer found, in the database's words.
func ofDistribution(packages []core.Package, analyzer string) []string {
	var list []string
	for _, p := range packages {
		if p.Analyzer == analyzer {
			list = append(list, installed{p.Name, p.Version, p.Architecture}.String())
		}
	}
	slices.Sort(list)
	return list
}

// stanzas splits a database of fields, without the code that is tested: blocks apart by blank lines, keys apart by
// colons.
func stanzas(database string) []map[string]string {
	var all []map[string]string
	for block := range strings.SplitSeq(database, "\n\n") {
		fields := make(map[string]string)
		for line := range strings.SplitSeq(block, "\n") {
			key, value, ok := strings.Cut(line, ":")
			if _, again := fields[key]; ok && key != "" && key[0] != ' ' && !again {
				fields[key] = strings.TrimSpace(value)
			}
		}
		if len(fields) > 0 {
			all = append(all, fields)
		}
	}
	return all
}

func dpkgInstalled(status string) []string {
	var list []string
	for _, f := range stanzas(status) {
		if strings.HasSuffix(f["Status"], " installed") {
			list = append(list, installed{f["Package"], f["Version"], f["Architecture"]}.String())
		}
	}
	slices.Sort(list)
	return list
}

func apkInstalled(database string) []string {
	var list []string
	for _, f := range stanzas(database) {
		if f["P"] != "" {
			list = append(list, installed{f["P"], f["V"], f["A"]}.String())
		}
	}
	slices.Sort(list)
	return list
}

func TestDebianPackagesEqualDpkgStatus(t *testing.T) {
	files := untar(t, shared(t, "rootfs", "debian-bookworm-minbase-amd64.tar.gz"))
	e := drive(t, files).clean(t).evidence(len(files))
	want := dpkgInstalled(string(files["var/lib/dpkg/status"]))
	if len(want) < 50 {
		t.Fatalf("the status file has only %d packages", len(want))
	}
	if diff := cmp.Diff(want, ofDistribution(e.Packages, "os/dpkg")); diff != "" {
		t.Errorf("installed (-dpkg +ours):\n%s", diff)
	}
	for _, p := range e.Packages {
		if p.Analyzer == "os/dpkg" && (p.Ecosystem != "Debian:12" || !strings.HasPrefix(p.Purl, "pkg:deb/debian/") || !strings.Contains(p.Purl, "distro=debian-12")) {
			t.Errorf("%s has the ecosystem %q and the package URL %s", p.Name, p.Ecosystem, p.Purl)
		}
	}
	if x := e.Examinations; len(x) != 2 || x[0].Status != core.Complete || x[1].Status != core.Complete {
		t.Errorf("examinations: %+v", x)
	}
}

func TestAlpinePackagesEqualApkDatabase(t *testing.T) {
	for archive, ecosystem := range map[string]string{
		"alpine-minirootfs-3.9.6-x86_64.tar.gz":    "Alpine:v3.9",
		"alpine-minirootfs-3.10.3-x86_64.tar.gz":   "Alpine:v3.10",
		"alpine-minirootfs-3.18.9-x86_64.tar.gz":   "Alpine:v3.18",
		"alpine-minirootfs-3.20.3-x86_64.tar.gz":   "Alpine:v3.20",
		"alpine-minirootfs-3.20.3-aarch64.tar.gz":  "Alpine:v3.20",
		"alpine-minirootfs-20240923-x86_64.tar.gz": "Alpine:edge",
	} {
		t.Run(archive, func(t *testing.T) {
			files := untar(t, shared(t, "rootfs", archive))
			e := drive(t, files).clean(t).evidence(len(files))
			want := apkInstalled(string(files["lib/apk/db/installed"]))
			if diff := cmp.Diff(want, ofDistribution(e.Packages, "os/apk")); diff != "" || len(want) < 10 {
				t.Errorf("installed (-apk +ours):\n%s", diff)
			}
			for _, p := range e.Packages {
				if p.Ecosystem != ecosystem || !strings.HasPrefix(p.Purl, "pkg:apk/alpine/") || p.Source == nil || len(p.Licenses) == 0 {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestBusyboxWithoutPackagesIsIncomplete(t *testing.T) {
	files := untar(t, shared(t, "rootfs", "busybox-glibc-amd64-rootfs.tar.gz"))
	e := drive(t, files).clean(t).evidence(len(files))
	if len(e.Packages) != 0 {
		t.Errorf("packages: %v", purls(e.Packages))
	}
	for _, x := range e.Examinations {
		if want := map[string]core.Completeness{core.ExamineDistro: core.Complete, core.ExaminePackages: core.Partial}[x.Name]; x.Status != want {
			t.Errorf("%s is %s: %v", x.Name, x.Status, x.Why)
		}
	}
}

func TestOfficialStatusSamples(t *testing.T) {
	for _, sample := range []string{
		"quay__claircore/dpkg/testdata/texlive.status",
		"google__osv-scanner/cmd/osv-scanner/testdata/locks-many/status",
		"google__osv-scalibr/extractor/filesystem/os/dpkg/testdata/dpkg/valid",
		"anchore__grype/test/integration/testdata/image-debian-match-coverage/var/lib/dpkg/status",
	} {
		t.Run(filepath.Base(filepath.Dir(sample)), func(t *testing.T) {
			status := sharedFile(t, "corpus", "os-db", filepath.FromSlash(sample))
			got := drive(t, tree{"var/lib/dpkg/status": status})
			if diff := cmp.Diff(dpkgInstalled(string(status)), ofDistribution(got.packages, "os/dpkg")); diff != "" {
				t.Errorf("installed (-dpkg +ours):\n%s", diff)
			}
			t.Log(len(got.packages), got.problems, got.failed)
		})
	}
}
