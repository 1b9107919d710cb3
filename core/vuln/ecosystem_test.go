package vuln

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

func TestPackagesAreLookedUpUnderTheNamesThatRecordsHave(t *testing.T) {
	for _, c := range []struct {
		ecosystem, name, version, source string
		want                             []string
	}{
		{"Debian:12", "libc6", "2.36-9", "glibc", []string{"glibc 2.36-9 source"}},
		{"Debian:12", "libc6", "9:9", "glibc 2.36-9", []string{"glibc 2.36-9 source"}},
		{"Debian:12", "bash", "5.2", "", []string{"bash 5.2 exact"}},
		{"Debian:12", "bash", "5.2+b1", "bash 5.2", []string{"bash 5.2 exact"}},
		{"Ubuntu:22.04:LTS", "libssl3", "3.0.2-0ubuntu1", "openssl", []string{"openssl 3.0.2-0ubuntu1 source"}},
		{"Alpine:v3.20", "libssl3", "3.3.2-r0", "openssl", []string{"openssl 3.3.2-r0 source"}},
		{"Alpaquita:23", "libssl3", "3.3.2-r0", "openssl", []string{"openssl 3.3.2-r0 source"}},
		{"BellSoft Hardened Containers:25", "libssl3", "3.3.2-r0", "openssl", []string{"openssl 3.3.2-r0 source"}},
		{"Echo", "libssl3", "3.0-1", "openssl", []string{"openssl 3.0-1 source"}},
		{"Wolfi", "nri-memcached-compat", "2.5.6-r0", "nri-memcached",
			[]string{"nri-memcached-compat 2.5.6-r0 exact", "nri-memcached 2.5.6-r0 source"}},
		{"Chainguard", "nri-memcached", "2.5.6-r0", "nri-memcached", []string{"nri-memcached 2.5.6-r0 exact"}},
		{"MinimOS", "openjdk-19-jre", "19-r0", "openjdk-19", []string{"openjdk-19-jre 19-r0 exact",
			"openjdk-19 19-r0 source"}},
		{"CleanStart", "kafka", "4.1.0-r0", "", []string{"kafka 4.1.0-r0 exact"}},
		{"AlmaLinux:9", "openssl-libs", "1:3.0.7-27.el9", "openssl 3.0.7-27.el9",
			[]string{"openssl-libs 1:3.0.7-27.el9 exact"}},
		{"Red Hat:enterprise_linux:9.4", "openssl-libs", "1:3.0.7-27.el9", "openssl 3.0.7-27.el9",
			[]string{"openssl-libs 1:3.0.7-27.el9 exact"}},
		{"Rocky Linux:9", "openssl-libs", "1:3.0.7-27.el9", "openssl 3.0.7-27.el9",
			[]string{"openssl 1:3.0.7-27.el9 source"}},
		{"Rocky Linux:8", "perl-Errno", "1.28-420.el8", "perl 5.26.3-420.el8",
			[]string{"perl 5.26.3-420.el8 source, of an unknown epoch"}},
		{"Rocky Linux:9", "openssl-libs", "1:3.0.7-27.el9", "openssl 1:3.0.7-27.el9",
			[]string{"openssl 1:3.0.7-27.el9 source"}},
		{"SUSE:Linux Enterprise Server 15 SP5", "libopenssl1_1", "1.1.1l-150500.17.3.1", "openssl-1_1 1.1.1l-150500.17.3.1",
			[]string{"openssl-1_1 1.1.1l-150500.17.3.1 source"}},
		{"openSUSE:Tumbleweed", "libz1", "1.3-1", "zlib 1.3-1", []string{"zlib 1.3-1 source"}},
		{"openEuler:22.03-LTS", "bind-libs", "32:9.16.23-9.oe2203", "bind 9.16.23-9.oe2203",
			[]string{"bind 32:9.16.23-9.oe2203 source"}},
		{"Mageia:9", "lib64openssl3", "3.0.12-1.mga9", "openssl 3.0.12-1.mga9", []string{"openssl 3.0.12-1.mga9 source"}},
		{"Azure Linux:3", "zlib-devel", "1.3.1-1.azl3", "zlib 1.3.1-1.azl3", []string{"zlib 1.3.1-1.azl3 source"}},
		{"Photon OS:5.0", "linux-api-headers", "6.1-1.ph5", "linux 6.1-2.ph5",
			[]string{"linux-api-headers 6.1-1.ph5 exact", "linux 6.1-2.ph5 source, of an unknown epoch"}},
		{"Docker Hardened Images:Alpine:3.24", "libssl3", "3.5-r0", "openssl", []string{"libssl3 3.5-r0 exact",
			"openssl 3.5-r0 source"}},
		{"npm", "x", "1.0.0", "y", []string{"x 1.0.0 exact"}},

		// Kernels: what is signed is built again, under another name and sometimes with another version.
		{"Debian:12", "linux-image-6.1.0-18-amd64", "6.1.76-1", "linux-signed-amd64 6.1.76+1",
			[]string{"linux 6.1.76-1 source"}},
		{"Debian:10", "linux-image-5.10.0-0.deb10.1-arm64", "5.10.3-1", "linux-signed-5.10-arm64 5.10.3+1",
			[]string{"linux-5.10 5.10.3-1 source"}},
		{"Ubuntu:22.04:LTS", "linux-image-5.15.0-91-generic", "5.15.0-91.101", "linux-signed",
			[]string{"linux 5.15.0-91.101 source"}},
		{"Ubuntu:22.04:LTS", "linux-image-6.2.0-1018-aws", "6.2.0-1018.18~22.04.1", "linux-signed-aws-6.2",
			[]string{"linux-aws-6.2 6.2.0-1018.18~22.04.1 source"}},
		{"Debian:12", "linux-libc-dev", "6.1.76-1", "linux", []string{"linux 6.1.76-1 source"}},
		{"Alpine:v3.20", "x", "1-r0", "linux-signed-amd64", []string{"linux-signed-amd64 1-r0 source"}},
	} {
		p := pkg(c.ecosystem, c.name, c.version, c.source)
		var got []string
		for _, l := range names(&p, advisory.Family(c.ecosystem)) {
			s := fmt.Sprintf("%s %s %s", l.name, l.version, l.match)
			if l.epochless {
				s += ", of an unknown epoch"
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", c.name, c.ecosystem, diff)
		}
	}
}

// Epochs are compared as far as they are known: what is installed has one or none, and records have them or leave them
// out.
func TestVersionsAreComparedAsAdvisoriesWriteThem(t *testing.T) {
	for _, c := range []struct {
		name, ecosystem, installed, events string
		epochless, affected                bool
	}{
		{"both have it", "Red Hat:enterprise_linux:9::baseos", "1:3.0.7-24.el9", "introduced=0 fixed=1:3.0.7-25.el9",
			false, true},
		{"both have it, fixed", "Red Hat:enterprise_linux:9::baseos", "1:3.0.7-25.el9",
			"introduced=0 fixed=1:3.0.7-25.el9", false,
			false},
		{"a higher epoch is fixed", "AlmaLinux:9", "2:1.0-1.el9", "introduced=0 fixed=1:3.0.7-25.el9", false, false},
		{"a lower epoch is not", "AlmaLinux:9", "9.9-1.el9", "introduced=0 fixed=1:3.0.7-25.el9", false, true},
		{"zero is none", "Red Hat:enterprise_linux:9::baseos", "8.7p1-38.el9_4.1", "introduced=0 fixed=0:8.7p1-38.el9_4.1",
			false,
			false},
		{"none is zero where all state theirs", "AlmaLinux:9", "1:1.0-1.el9", "introduced=0 fixed=3.0-1.el9", false, false},
		{"none is not said elsewhere", "openEuler:22.03-LTS", "32:9.16.23-9.oe2203",
			"introduced=0 fixed=9.16.23-10.oe2203", false, true},
		{"none is not said elsewhere, fixed", "openEuler:22.03-LTS", "32:9.16.23-10.oe2203",
			"introduced=0 fixed=9.16.23-10.oe2203",
			false, false},
		{"said elsewhere", "Mageia:9", "1:1.0-1.mga9", "introduced=0 fixed=2:1.0-1.mga9", false, true},
		{"said elsewhere, fixed", "SUSE:Linux Enterprise Server 15", "1:1.0-1", "introduced=0 fixed=1:1.0-1", false, false},
		{"a source's is that of the advisory", "Rocky Linux:8", "5.26.3-420.el8", "introduced=0 fixed=4:5.26.3-421.el8",
			true, true},
		{"a source's is that of the advisory, fixed", "Rocky Linux:8", "5.26.3-421.el8",
			"introduced=0 fixed=4:5.26.3-421.el8",
			true, false},
		{"a source's that is not known", "Rocky Linux:8", "5.26.3-421.el8", "introduced=0", true, true},

		{"Azure's last version has no mark", "Azure Linux:3", "1.2.13-1.azl3", "introduced=0 last_affected=1.2.13-1",
			false, true},
		{"Azure's next version", "Azure Linux:3", "1.2.13-2.azl3", "introduced=0 last_affected=1.2.13-1", false, false},
		{"Azure's fix has no mark", "Azure Linux:3", "1.3.1-1.azl3", "introduced=0 fixed=1.3.1-1", false, false},
		{"Azure's fix with its mark", "Azure Linux:2", "1.3.1-1.cm2", "introduced=0 fixed=1.3.1-1.cm2", false, false},
		{"Azure's older version", "Azure Linux:2", "1.3.0-9.cm2", "introduced=0 fixed=1.3.1-1.cm2", false, true},

		{"another build of the module", "Red Hat:enterprise_linux:8::appstream", "1:10.24.0-1.module+el8.3.0+1+aaaa",
			"introduced=0 fixed=1:10.24.0-1.module+el8.3.0+10166+b07ac28e", false, false},
		{"an older version of the module", "AlmaLinux:8", "1.15.7-8.module_el8.9.0+3660+29d4f1c7.3",
			"introduced=0 fixed=1.15.7-8.module_el8.6.0+3609+48080a14.5.alma.1", false, true},
		{"a Debian version with an epoch", "Debian:12", "1:1.0-1", "introduced=0 fixed=1.1-1", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a advisory.Affected
			a.ID, a.Ecosystem, a.Name = "X-1", c.ecosystem, "x"
			var r advisory.Range
			for e := range strings.FieldsSeq(c.events) {
				kind, v, _ := strings.Cut(e, "=")
				kinds := map[string]advisory.EventKind{"introduced": advisory.Introduced, "fixed": advisory.Fixed,
					"last_affected": advisory.LastAffected}
				r.Events = append(r.Events, advisory.Event{Kind: kinds[kind], Version: v})
			}
			a.Ranges = []advisory.Range{r}
			module := ""
			if advisory.IsModular(c.installed) {
				module, a.Module = "x:1", "x:1"
			}
			l := lookup{version: c.installed, epochless: c.epochless}
			h, in, err := l.meets([]advisory.Affected{a}, module)
			if err != nil || in != c.affected || h.unsure == in {
				t.Errorf("%s is affected: %v, unsure: %v (%v), want %v", c.installed, in, h.unsure, err, c.affected)
			}
		})
	}
}

// redHatSet has one flaw under several repositories, and streams of extended support.
func redHatSet(t *testing.T) *advisory.Set {
	const mainline, appstream = "Red Hat:enterprise_linux:9::baseos", "Red Hat:enterprise_linux:9::appstream"
	const eus, e4s = "Red Hat:rhel_eus:9.2::appstream", "Red Hat:rhel_e4s:9.2::appstream"
	return setOf(t, map[string][]string{"Red Hat": {
		osv("RHSA-2024:1", `"upstream":["CVE-2024-1"],"summary":"Red Hat Security Advisory: openssl security update"`,
			affectedBy(mainline, "openssl-libs", "introduced=0 fixed=1:3.0.7-27.el9"),
			affectedBy(appstream, "openssl-libs", "introduced=0 fixed=1:3.0.7-27.el9"),
			affectedBy(appstream, "openssl", "introduced=0 fixed=1:3.0.7-27.el9")),
		osv("RHSA-2024:2", `"upstream":["CVE-2024-1"]`, // a second part of the fix
			affectedBy(mainline, "openssl-libs", "introduced=0 fixed=1:3.0.7-28.el9_4")),
		osv("RHSA-2024:3", `"upstream":["CVE-2024-2"]`, affectedBy(appstream, "podman",
			"introduced=0 fixed=2:4.6.1-9.el9_3")),
		osv("RHSA-2024:4", `"upstream":["CVE-2024-2"]`, affectedBy(eus, "podman", "introduced=0 fixed=2:4.4.1-21.el9_2"),
			affectedBy(e4s, "podman", "introduced=0 fixed=2:4.4.1-21.el9_2")),
		osv("RHSA-2024:5", `"upstream":["CVE-2024-1"]`, affectedBy("Red Hat:openshift:4.15::el9", "openssl-libs",
			"introduced=0 fixed=9:9-9.el9")),
		osv("RHSA-2024:6", `"upstream":["CVE-2024-3"]`, affectedBy(eus, "podman", "introduced=0 fixed=2:4.4.1-22.el9_2")),
		osv("RHSA-2024:7", `"upstream":["CVE-2024-4"]`,
			affectedBy("Red Hat:enterprise_linux:8::baseos", "bash", "introduced=0 fixed=0:5-1.el8")),
		osv("RHSA-2024:8", `"upstream":["CVE-2024-5"]`,
			affectedBy("Red Hat:rhel_software_collections:3::el7", "rh-nodejs10-nodejs", "introduced=0 fixed=0:10.2-1.el7"),
			affectedBy("Red Hat:enterprise_linux:7::server", "bash", "introduced=0 fixed=0:5-1.el7")),
		osv("RHSA-2024:9", `"upstream":["CVE-2024-6"]`,
			affectedBy("Red Hat:enterprise_linux:10.1", "bash", "introduced=0 fixed=0:5.2-7.el10_1")),
	}})
}

func TestAPackageOfRedHatIsLookedUpInAllItsRepositories(t *testing.T) {
	set := redHatSet(t)
	for _, c := range []struct {
		name string
		pkg  core.Package
		want []string
	}{
		{"one finding, whatever tables and advisories name the flaw",
			pkg("Red Hat:enterprise_linux:9.4", "openssl-libs", "1:3.0.7-24.el9", "openssl 3.0.7-24.el9"),
			[]string{"openssl-libs@1:3.0.7-24.el9 CVE-2024-1 [RHSA-2024:1 RHSA-2024:2] available=1:3.0.7-28.el9_4 exact"}},
		{"fixed", pkg("Red Hat:enterprise_linux:9.4", "openssl-libs", "1:3.0.7-28.el9_4", "openssl 3.0.7-28.el9_4"), nil},
		{"a stream that the image is not of",
			pkg("Red Hat:enterprise_linux:9.4", "podman", "2:4.6.1-9.el9_3", "podman 4.6.1-9.el9_3"), nil},
		{"mainline, older",
			pkg("Red Hat:enterprise_linux:9.4", "podman", "2:4.4.1-21.el9_2", ""),
			[]string{"podman@2:4.4.1-21.el9_2 CVE-2024-2 [RHSA-2024:3] available=2:4.6.1-9.el9_3 exact"}},
		{"extended support, not fixed",
			pkg("Red Hat:enterprise_linux:9.2", "podman", "2:4.4.1-20.el9_2", ""), []string{
				"podman@2:4.4.1-20.el9_2 CVE-2024-2 [RHSA-2024:3 RHSA-2024:4] available=2:4.6.1-9.el9_3 exact",
				"podman@2:4.4.1-20.el9_2 CVE-2024-3 [RHSA-2024:6] available=2:4.4.1-22.el9_2 exact"}},
		{"extended support, fixed there",
			pkg("Red Hat:enterprise_linux:9.2", "podman", "2:4.4.1-21.el9_2", ""), []string{
				"podman@2:4.4.1-21.el9_2 CVE-2024-3 [RHSA-2024:6] available=2:4.4.1-22.el9_2 exact"}},
		{"another major release", pkg("Red Hat:enterprise_linux:9.4", "bash", "4-1.el9", ""), nil},
		{"a later minor release of 10", pkg("Red Hat:enterprise_linux:10.0", "bash", "5.2-6.el10", ""),
			[]string{"bash@5.2-6.el10 CVE-2024-6 [RHSA-2024:9] available=0:5.2-7.el10_1 exact"}},
		{"a software collection", pkg("Red Hat:enterprise_linux:7.9", "rh-nodejs10-nodejs", "10.1-1.el7", ""),
			[]string{"rh-nodejs10-nodejs@10.1-1.el7 CVE-2024-5 [RHSA-2024:8] available=0:10.2-1.el7 exact"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := match(t, set, c.pkg)
			if diff := cmp.Diff(c.want, lines(e.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if x := e.Examinations[0]; x.Status != core.Complete {
				t.Errorf("examination: %+v", x)
			}
			for _, f := range e.Findings {
				if f.Confidence != core.ConfidenceHigh || f.Package.Ecosystem != c.pkg.Ecosystem {
					t.Errorf("finding: %+v", f)
				}
			}
		})
	}
}

func TestAPackageOfSUSEIsLookedUpInAllItsModules(t *testing.T) {
	set := setOf(t, map[string][]string{"SUSE": {
		osv("SUSE-SU-2024:1-1", `"related":["CVE-2024-1"]`,
			affectedBy("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "gzip", "introduced=0 fixed=1.10-150200.13.1"),
			affectedBy("SUSE:Linux Enterprise Server 16.0", "gzip", "introduced=0 fixed=1.13-160000.3.1"),
			affectedBy("openSUSE:Leap 15.5", "gzip", "introduced=0 fixed=1.10-150200.13.1")),
	}, "openSUSE": nil})
	const base = "SUSE:Linux Enterprise Server 15 SP5"
	want := []string{"gzip@1.10-150200.10.1 CVE-2024-1 [SUSE-SU-2024:1-1] available=1.10-150200.13.1 exact"}
	if diff := cmp.Diff(want, lines(match(t, set, pkg(base, "gzip", "1.10-150200.10.1",
		"gzip 1.10-150200.10.1")).Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := match(t, set, pkg(base, "gzip", "1.10-150200.13.1", "")).Findings; len(got) > 0 {
		t.Errorf("another release's fix: %v", lines(got))
	}
	if x := match(t, set, pkg("SUSE:Linux Enterprise Server 15 SP4", "gzip", "1",
		"")).Examinations[0]; x.Status != core.Partial {
		t.Errorf("a release without advisories: %+v", x)
	}
}

func TestAReleaseOfRedHatWithoutAdvisoriesIsNotExamined(t *testing.T) {
	set := redHatSet(t)
	for _, ecosystem := range []string{"Red Hat:enterprise_linux:6.10", "Red Hat:enterprise_linux:11.0",
		"Red Hat:hummingbird:1"} {
		e := match(t, set, pkg(ecosystem, "openssl-libs", "1:1-1", ""))
		want := ecosystem + ": the set has advisories for other releases only (1 package)"
		if x := e.Examinations[0]; x.Status != core.Partial || len(x.Why) != 1 || x.Why[0] != want || x.Remedy == "" {
			t.Errorf("%s: %+v", ecosystem, x)
		}
	}
	without := setOf(t, map[string][]string{"Go": nil})
	e := match(t, without, pkg("Red Hat:enterprise_linux:9.4", "openssl-libs", "1:1-1", ""))
	want := "Red Hat:enterprise_linux:9.4: the set has no advisories for it (1 package)"
	if x := e.Examinations[0]; x.Status != core.Partial || len(x.Why) != 1 || x.Why[0] != want {
		t.Errorf("%+v", x)
	}
}

func TestHardenedImagesAreLookedUpAsWhatTheyAreMadeOfToo(t *testing.T) {
	set := setOf(t, map[string][]string{
		"Debian": {osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`, affectedBy("Debian:13", "coreutils",
			"introduced=0"))},
		"Docker Hardened Images": {osv("DHI-1", `"upstream":["CVE-2024-2"]`,
			affectedBy("Docker Hardened Images:Debian:13", "coreutils", "introduced=0 fixed=9.8-1+dhi1"))},
	})
	const hardened = "Docker Hardened Images:Debian:13"
	f := match(t, set, pkg(hardened, "coreutils", "9.8-1~13u1+dhi3", "")).Findings // as Debian orders them
	if diff := cmp.Diff([]string{"coreutils@9.8-1~13u1+dhi3 CVE-2024-2 [DHI-1] available=9.8-1+dhi1 exact"},
		lines(f)); diff != "" {
		t.Errorf("Docker's own build (-want +got):\n%s", diff)
	}
	e := match(t, set, pkg(hardened, "coreutils", "9.7-3", ""))
	want := []string{"coreutils@9.7-3 CVE-2024-1 [DEBIAN-CVE-2024-1] none exact",
		"coreutils@9.7-3 CVE-2024-2 [DHI-1] available=9.8-1+dhi1 exact"}
	if diff := cmp.Diff(want, lines(e.Findings)); diff != "" {
		t.Errorf("what may be Debian's (-want +got):\n%s", diff)
	}
	for _, f := range e.Findings {
		if unsure := f.Rule == "CVE-2024-1"; (f.Confidence == core.ConfidenceLow) != unsure {
			t.Errorf("%s has the confidence %s", f.Rule, f.Confidence)
		}
	}
	other := setOf(t, map[string][]string{"Debian": {osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
		affectedBy("Debian:13", "coreutils", "introduced=0"))}})
	e = match(t, other, pkg(hardened, "coreutils", "9.7-3", ""))
	if len(e.Findings) != 1 || e.Examinations[0].Status != core.Partial {
		t.Errorf("without advisories for hardened images: %v, %+v", lines(e.Findings), e.Examinations)
	}
}

// Distributions without advisories are named, each with its packages, whatever else the set holds.
func TestDistributionsWithoutAdvisoriesAreIncompleteExaminations(t *testing.T) {
	set := setOf(t, map[string][]string{"Red Hat": {osv("RHSA-1", "", affectedBy("Red Hat:enterprise_linux:9::baseos",
		"bash",
		"introduced=0"))}, "AlmaLinux": {osv("ALSA-1", "", affectedBy("AlmaLinux:9", "bash", "introduced=0"))}})
	for purl, named := range map[string]string{
		"pkg:rpm/amzn/bash@5.2.15-1.amzn2023?distro=amzn-2023": "rpm packages of amzn",
		"pkg:rpm/ol/bash@5.1.8-9.el9?distro=ol-9.1":            "rpm packages of ol",
		"pkg:rpm/fedora/bash@5.2-1.fc43?distro=fedora-43":      "rpm packages of fedora",
		"pkg:rpm/centos/bash@4.2.46-35.el7_9?distro=centos-7":  "rpm packages of centos",
		"pkg:rpm/centos/bash@4.4.20-4.el8?distro=centos-8":     "rpm packages of centos",
		"pkg:rpm/centos/bash@5.1.8-9.el9?distro=centos-9":      "rpm packages of centos",
		"pkg:rpm/scientific/bash@4.2-1?distro=scientific-7.5":  "rpm packages of scientific",
		"pkg:alpm/arch/bash@5.2.037-1?arch=x86_64":             "alpm packages of arch",
		"pkg:ebuild/app-shells/bash@5.2?distro=gentoo-2.18":    "ebuild packages of gentoo",
		"pkg:ebuild/app-shells/bash@5.2":                       "ebuild packages of an unknown distribution",
		"pkg:deb/raspbian/bash@5.1?distro=raspbian-11":         "deb packages of raspbian",
		"pkg:deb/kali/bash@5.2?distro=kali-2025.4":             "deb packages of kali",
		"pkg:deb/linuxmint/bash@5.2?distro=linuxmint-22":       "deb packages of linuxmint",
		"pkg:apk/postmarketos/bash@5.2-r0?distro=edge":         "apk packages of postmarketos",
		"pkg:opkg/openwrt/bash@5.2":                            "opkg packages of openwrt",
		"pkg:nix/bash@5.2":                                     "nix packages of an unknown distribution",
	} {
		e := match(t, set, core.Package{Subject: subject, Name: "bash", Version: "1", Purl: purl})
		want := []string{named + ": OSV has no advisories for them (1 package)"}
		x := e.Examinations[0]
		if diff := cmp.Diff(want, x.Why); diff != "" || x.Status != core.Partial || len(e.Findings) > 0 {
			t.Errorf("%s: %s, findings %v (-want +got):\n%s", purl, x.Status, lines(e.Findings), diff)
		}
	}
}

func TestWhatToFetchIsWhatTheVisiblePackagesNeed(t *testing.T) {
	removed := pkg("Go", "stdlib", "1.22", "")
	removed.Origin = &core.Origin{RemovedIn: new(int)}
	e := core.Evidence{Packages: []core.Package{
		pkg("Debian:12", "libc6", "2.36-9", "glibc"), pkg("Debian:12", "bash", "5.2", ""), pkg("npm", "left-pad", "1.3.0", ""), removed,
		{Name: "curl", Version: "8.0-1", Ecosystem: "Docker Hardened Images:Debian:13", Purl: "pkg:deb/dhi/curl@8.0-1"},
		{Name: "redis", Version: "7.0", Purl: "pkg:generic/redis@7.0"},
		{Name: "thing", Version: "1", Ecosystem: "Nobody's", Purl: "pkg:nobody/thing@1"},
	}}
	want := []string{"Bitnami", "Debian:12", "Debian:13", "Docker Hardened Images:Debian:13", "npm"}
	if diff := cmp.Diff(want, Ecosystems(&e)); diff != "" {
		t.Error(diff)
	}
}
