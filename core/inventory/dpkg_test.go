package inventory

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

const dpkgStates = `Package: whole
Status: install ok installed
Version: 1.0
Architecture: amd64
Source: the-source (2:1.0-3)
Description: a package
 with: something like a field
 .
 Package: nothing

Package: held
Status: hold ok installed
Architecture: all
Version: 1:2.0-1

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 3.0

Package: half
Status: install reinstreq half-installed
Architecture: amd64
Version: 4.0

Package: pending
Status: install ok triggers-pending
Architecture: amd64
Version: 5.0

Package: never
Status: unknown ok not-installed
Architecture: amd64
`

func TestDpkgCountsWhatIsOnDisk(t *testing.T) {
	got := drive(t, tree{"var/lib/dpkg/status": []byte(dpkgStates)}).clean(t)
	want := []string{"half 4.0 amd64", "held 1:2.0-1 all", "pending 5.0 amd64", "whole 1.0 amd64"}
	if diff := cmp.Diff(want, ofDistribution(got.packages, "os/dpkg")); diff != "" {
		t.Error(diff)
	}
	if s := got.packages[0].Source; s == nil || *s != (core.SourcePackage{Name: "the-source", Version: "2:1.0-3"}) {
		t.Errorf("source %+v", s)
	}
}

func TestDistrolessEntriesNeedNoStatus(t *testing.T) {
	e := drive(t, tree{
		"var/lib/dpkg/status.d/base":         []byte("Package: base-files\nVersion: 12.4+deb12u5\nArchitecture: amd64\n"),
		"var/lib/dpkg/status.d/base.md5sums": []byte("d41d8cd98f00b204e9800998ecf8427e  etc/host.conf\n"),
		"usr/lib/os-release":                 []byte("ID=debian\nVERSION_ID=12\n"),
	}).clean(t).evidence(3)
	if diff := cmp.Diff([]string{"pkg:deb/debian/base-files@12.4%2Bdeb12u5?arch=amd64&distro=debian-12"}, purls(e.Packages)); diff != "" {
		t.Error(diff)
	}
}

func TestEntryThatIsCalledAsAListOfChecksumsIsAnEntry(t *testing.T) {
	const sums = "d41d8cd98f00b204e9800998ecf8427e  etc/host.conf\n\\d41d8cd98f00b204e9800998ecf8427e  usr/a\\nb\n" +
		"0a540d50c157ed0070459b82c358a05a  usr/share/perl5/A::B.pm\n"
	got := drive(t, tree{
		"var/lib/dpkg/status.d/libssl3.md5sums": []byte("Package: libssl3\nVersion: 3.0.9-1\nSource: openssl\nArchitecture: amd64\n"),
		"var/lib/dpkg/status.d/base.md5sums":    []byte(sums),
		"var/lib/dpkg/status.d/empty.md5sums":   nil,
	}).clean(t)
	if diff := cmp.Diff([]string{"libssl3 3.0.9-1 amd64"}, ofDistribution(got.packages, "os/dpkg")); diff != "" {
		t.Error(diff)
	}
	mixed := drive(t, tree{"var/lib/dpkg/status.d/base.md5sums": []byte(sums + "Package: libssl3\nVersion: 3.0.9-1\n")})
	if len(mixed.problems)+len(mixed.failed) == 0 {
		t.Error("nothing is said of an entry among checksums")
	}
}

func TestDpkgCountsWhatAnInterruptionLeft(t *testing.T) {
	const entry = "Package: whole\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
	got := drive(t, tree{
		"var/lib/dpkg/status":        []byte(entry),
		"var/lib/dpkg/updates/0000":  []byte(strings.ReplaceAll(entry, "whole", "late")),
		"var/lib/dpkg/updates/tmp.i": []byte("#padding\n"),
	}).clean(t)
	if diff := cmp.Diff([]string{"late 1 all", "whole 1 all"}, ofDistribution(got.packages, "os/dpkg")); diff != "" {
		t.Error(diff)
	}
}

// TestWhatDpkgCannotReadIsNamed has what osv-scalibr's extractor passes over, with a log line or without.
func TestWhatDpkgCannotReadIsNamed(t *testing.T) {
	const good = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
	for name, c := range map[string]struct {
		path, content string
		packages      int
	}{
		"malformed entry of its own":  {"var/lib/dpkg/status.d/x", "Package: x\nVersion: 1\nthis is no field\n", 0},
		"malformed line in the midst": {"var/lib/dpkg/status", good + "\nPackage: b\nno field\nVersion: 1\n\n" + strings.Replace(good, "a\n", "c\n", 1), 1},
		"no status":                   {"var/lib/dpkg/status", "Package: b\nVersion: 1\nArchitecture: all\n", 1},
		"unknown status":              {"var/lib/dpkg/status", "Package: b\nStatus: install ok frobnicated\nVersion: 1\nArchitecture: all\n", 1},
		"two entries run together":    {"var/lib/dpkg/status", good + strings.Replace(good, "a\n", "b\n", 1), 1},
		"cut off within a line":       {"var/lib/dpkg/status", good + "\nPackage: b\nStatus: install ok installed\nVersion: 1\nArchi", 1},
		"name that is no text":        {"var/lib/dpkg/status.d/x", "Package: x\x01y\nVersion: 1\n", 0},
		"no version":                  {"var/lib/dpkg/status", good + "\nPackage: b\nStatus: install ok installed\nArchitecture: all\n", 1},
		"no version of its own":       {"var/lib/dpkg/status.d/x", "Package: b\nArchitecture: all\n", 0},
		"no name":                     {"var/lib/dpkg/status", good + "\n" + strings.Replace(good, "Package: a\n", "", 1), 1},
		"empty name":                  {"var/lib/dpkg/status", good + "\n" + strings.Replace(good, "a\n", "\n", 1), 1},
		"two versions":                {"var/lib/dpkg/status", good + "Version: 2\n", 1},
		"two statuses":                {"var/lib/dpkg/status", "Status: deinstall ok config-files\n" + good, 0},
		"two sources":                 {"var/lib/dpkg/status", good + "Source: x\nSource: y\n", 1},
		"status of four words":        {"var/lib/dpkg/status", strings.Replace(good, "installed", "installed not-installed", 1), 1},
		"name of a megabyte":          {"var/lib/dpkg/status.d/x", "Package: " + strings.Repeat("x", 1<<20) + "\nVersion: 1\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := drive(t, tree{c.path: []byte(c.content)})
			if len(got.problems) == 0 && len(got.failed) == 0 {
				t.Error("nothing is said of it")
			}
			if len(got.packages) != c.packages {
				t.Errorf("%d packages, want %d: %v %v", len(got.packages), c.packages, got.problems, got.failed)
			}
			for _, p := range got.problems {
				if len(p.Why) > 2000 || strings.ContainsAny(p.Why, "\x01\n") {
					t.Errorf("the reason is unfit for a report: %.100q", p.Why)
				}
			}
		})
	}
}

func TestDpkgSkipsSpaceBeforeTheColon(t *testing.T) {
	const entry = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\n" +
		"Description: x\n with : a colon\n"
	for _, field := range []string{"Package", "Status", "Architecture", "Source", "Version"} {
		for _, space := range []string{" ", "\t", "  \t "} {
			content := strings.Replace(entry, field+":", field+space+":", 1) + "\n" + strings.Replace(entry, "libc6", "libc-bin", 1)
			got := drive(t, tree{"var/lib/dpkg/status": []byte(content)}).clean(t)
			if diff := cmp.Diff([]string{"libc-bin 2.36-9 amd64", "libc6 2.36-9 amd64"}, ofDistribution(got.packages, "os/dpkg")); diff != "" {
				t.Errorf("%s%q:\n%s", field, space, diff)
			}
			for _, p := range got.packages {
				if p.Source == nil || p.Source.Name != "glibc" {
					t.Errorf("%s%q: source %+v", field, space, p.Source)
				}
			}
		}
	}
}

func TestDpkgKnowsNoCaseInNames(t *testing.T) {
	const entry = "Package: LibSSL3\nStatus: install ok installed\nArchitecture: amd64\nSource: OPENSSL\nVersion: 3.0.9-1\n"
	e := drive(t, tree{"var/lib/dpkg/status": []byte(entry), "etc/os-release": []byte("ID=debian\nVERSION_ID=12\n")}).clean(t).evidence(2)
	if p := e.Packages[0]; p.Name != "libssl3" || p.Source == nil || p.Source.Name != "openssl" || p.Purl != "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12" {
		t.Errorf("%+v from %+v", p, p.Source)
	}
}

func TestSourceOfADebianPackage(t *testing.T) {
	type source = core.SourcePackage
	for field, c := range map[string]struct {
		want  *source
		known bool
	}{
		"glibc":                             {&source{Name: "glibc"}, true},
		"glibc (2.36-9)":                    {&source{Name: "glibc", Version: "2.36-9"}, true},
		"  glibc   ( 2.36-9 )  ":            {&source{Name: "glibc", Version: "2.36-9"}, true},
		"glibc(2.36-9)":                     {&source{Name: "glibc", Version: "2.36-9"}, true},
		"":                                  {nil, true},
		"glibc (x y z)":                     {&source{Name: "glibc"}, false},
		"glibc 2.36-9":                      {nil, false},
		"glibc(2.36-9":                      {nil, false},
		"GLibC (2.36-9)":                    {&source{Name: "glibc", Version: "2.36-9"}, true},
		"../glibc":                          {nil, false},
		"\"glibc\"":                         {nil, false},
		"glibc,":                            {nil, false},
		"glibc (=2.36-9)":                   {&source{Name: "glibc"}, false},
		"gtk+3.0 (1:3.24~rc1+b1-2)":         {&source{Name: "gtk+3.0", Version: "1:3.24~rc1+b1-2"}, true},
		"glibc\u200b":                       {nil, false},
		"glibc" + strings.Repeat("x", 2000): {nil, false},
	} {
		got := drive(t, tree{"var/lib/dpkg/status.d/libc6": []byte("Package: libc6\nVersion: 2.36-9\nSource: " + field + "\n")})
		if len(got.packages) != 1 {
			t.Errorf("%.30q: %d packages", field, len(got.packages))
			continue
		}
		if diff := cmp.Diff(c.want, got.packages[0].Source); diff != "" || (len(got.problems) == 0) != c.known {
			t.Errorf("%.30q: %v\n%s", field, got.problems, diff)
		}
	}
}

func TestSourceOfAnRPM(t *testing.T) {
	type source = core.SourcePackage
	for file, c := range map[string]struct {
		want  *source
		known bool
	}{
		"bash-5.1.8-9.el9.src.rpm":           {&source{Name: "bash", Version: "5.1.8-9.el9"}, true},
		"java-1.8.0-openjdk-1.8-1.nosrc.rpm": {&source{Name: "java-1.8.0-openjdk", Version: "1.8-1"}, true},
		"":                                   {nil, true},
		"(none)":                             {nil, true},
		"bash":                               {nil, false},
		"bash-5.src.rpm":                     {nil, false},
		"-5-1.src.rpm":                       {nil, false},
		"ba sh-5-1.src.rpm":                  {nil, false},
	} {
		got, err := sourceOfRPM(file)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != c.known {
			t.Errorf("%q: %v\n%s", file, err, diff)
		}
	}
}

func TestWhatApkCannotReadIsNamed(t *testing.T) {
	const good = "P:a\nV:1-r0\nA:x86_64\nL:MIT\no:src\n"
	for name, content := range map[string]string{
		"no version":               good + "\nP:b\nA:x86_64\n",
		"two entries run together": good + "P:b\nV:2-r0\n",
		"no name":                  good + "\nC:Q1x\nV:2\nA:x86_64\n",
		"no name at the end":       good + "\nV:2",
		"name behind a space":      good + "\n P:b\nV:2-r0\n",
		"name behind a NUL":        good + "\n\x00P:b\nV:2-r0\n",
		"hidden in another":        good + "\x00P:b\n\x00V:2-r0\n",
		"two versions":             good + "V:9-r0\n",
		"two origins":              good + "o:other\n",
		"origin of many bytes":     strings.Replace(good, "o:src", "o:"+strings.Repeat("x", 2000), 1),
		"origin of two words":      strings.Replace(good, "o:src", "o:b c", 1),
		"origin that is a path":    strings.Replace(good, "o:src", "o:../src", 1),
		"no field":                 good + "\nP:b\nV:1\nnonsense\n",
		"line too long":            good + "\nP:b\nV:1\nD:" + strings.Repeat("x", 1<<17) + "\n",
	} {
		got := drive(t, tree{"lib/apk/db/installed": []byte(content)})
		if len(got.problems) == 0 && len(got.failed) == 0 {
			t.Errorf("%s: nothing is said of it; packages: %v", name, purls(got.packages))
		}
	}
	got := drive(t, tree{"lib/apk/db/installed": []byte(good + "\n\n" + strings.Replace(good, "P:a", "P:b", 1))}).clean(t)
	if len(got.packages) != 2 || got.packages[0].Source.Name != "src" || !slices.Equal(got.packages[0].Licenses, []string{"MIT"}) {
		t.Errorf("%+v", got.packages)
	}
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add([]byte(dpkgStates))
	f.Fuzz(func(t *testing.T, content []byte) {
		got := drive(t, tree{"var/lib/dpkg/status": content, "var/lib/dpkg/status.d/x": content})
		for _, p := range got.packages {
			if believable("name", p.Name, maxName) != nil || p.Name == "" || p.Purl == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzApkDatabase(f *testing.F) {
	f.Add([]byte("P:a\nV:1-r0\nA:x86_64\nL:MIT\n\nP:b\nV:2\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		got := drive(t, tree{"lib/apk/db/installed": content})
		names := 0
		for line := range strings.SplitSeq(string(content), "\n") {
			if strings.HasPrefix(line, "P:") {
				names++
			}
		}
		if len(got.packages) < names && len(got.problems) == 0 && len(got.failed) == 0 {
			t.Errorf("%d of %d packages, and nothing is said of it", len(got.packages), names)
		}
	})
}
