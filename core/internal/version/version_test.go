package version

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// ordered are rows of versions that may be installed, in ascending order, by ecosystem.
func ordered() map[string][]string {
	return map[string][]string{
		"AlmaLinux:9": {"1.2~rc1-1.el9", "1.2-3.el9", "1.2-3.el9_1", "1.2-10.el9", "1.2^git1-1.el9", "1.2a-1.el9",
			"1.10-1.el9",
			"1:0.1-1.el9", "2:4.9.4-0.1.el9"},
		"Alpine:v3.20": {"1.2_alpha1", "1.2_beta1-r0", "1.2_pre2-r0", "1.2_rc2-r0", "1.2", "1.2-r1", "1.2-r10", "1.2~ab12-r0",
			"1.2_git20200101-r0", "1.2_p1-r0", "1.2a-r0", "1.2b-r0", "1.2p1-r0", "1.2p10-r0", "1.2.0-r0", "1.2.05-r0",
			"1.2.1-r0", "1.2.10-r0", "1.10-r0"},
		"Azure Linux:3": {"1.2-1.azl3", "1.2-2.azl3", "1.10-1.azl3"},
		"Bitnami":       {"1.2.3-rc1", "1.2.3", "1.2.3-1", "1.2.3-2", "1.2.3-10", "1.2.4-rc.1", "1.2.4-0"},
		"ConanCenter": {"1.0-rc.1", "1.0", "1.0+b1", "1.1.1", "1.1.1a", "1.1.1k", "1.1.1w", "1.1.2", "1.10",
			"cci.20200101", "cci.20210118"},
		"CRAN":      {"0.2", "0.10", "1.0", "1.0-1", "1.0-2", "1.0.3", "1.1"},
		"crates.io": {"0.1.0-alpha.1", "0.1.0-alpha.2", "0.1.0-beta", "0.1.0", "0.2.0", "0.10.0"},
		"Debian:12": {"0", "1.0~~", "1.0~~a", "1.0~", "1.0~rc1-1", "1.0-1~bpo12+1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1",
			"1.0-1+deb12u2", "1.0-1.1", "1.0a-1", "1.0+dfsg-1", "1.0-1-1", "1.10-1", "1:0.1-1", "2:0"},
		"Docker Hardened Images:Alpine:3.23":   {"8.4.0_rc1-r0", "8.4.0-r0", "8.4.0-r10", "8.4.0_p1-r0"},
		"Docker Hardened Images:Debian:trixie": {"7.88.1-10~x", "7.88.1-10+deb13u2", "7.88.1-10+deb13u10"},
		"Echo":                                 {"1.0~rc1-1", "1.0-1", "1:0.1-1"},
		"Echo:Maven":                           {"1.2.3-rc1", "1.2.3", "1.2.3+echo.1", "1.2.3+echo.2", "1.2.4"},
		"Echo:npm": {"1.2.3-rc.1", "1.2.3", "1.2.3+echo.1", "1.2.3+echo.2", "1.2.3+echo.10",
			"1.2.4"},
		"Echo:PyPI": {"1.2.3rc1", "1.2.3", "1.2.3+echo.1", "1.2.3+echo.10", "1.2.4"},
		"GHC": {"4.04", "4.08", "4.08.1", "7.0.1-rc1", "7.0.1", "9.2.1-alpha1",
			"9.2.1", "9.2.1.20220101", "9.10.1"},
		"GitHub Actions": {"v1.2.3-beta", "v1.2.3", "v1.10.0"},
		"Go": {"v0.0.0-20190101000000-aaaaaaaaaaaa", "v0.0.0-20200101000000-000000000000", "0.3.7",
			"v0.3.8-0.20200101000000-000000000000", "0.3.8-rc.1", "0.3.8-rc.1.0.20200101000000-000000000000", "0.3.8", "v0.17.0",
			"1.21beta1", "1.21rc2", "go1.21rc10", "go1.21.0", "go1.21.10", "go1.22.1 X:boringcrypto", "go1.22.2-fips",
			"go1.22.3 (Red Hat 1.22.3-1.el9)", "v2.0.0+incompatible", "v2.0.1-rc1+incompatible"},
		"Hackage": {"0.4", "0.4.0", "0.5.2.0", "1"},
		"Hex":     {"1.0.0-dev", "1.0.0-rc.1", "1.0.0", "1.0.1"},
		"Julia":   {"1.0.0-rc1", "1.0.0", "1.0.1"},
		"Maven": {"Hoxton.SR2", "Hoxton.SR12", "r08", "r09", "1.0-alpha-1", "1.0-a2", "1.0-beta1", "1.0-M1",
			"1.0-milestone-2", "1.0-CR1", "1.0.RC2", "1.0-rc3", "1.0-SNAPSHOT", "1.0", "1.0-sp1", "1.0-foo", "1.0-jre", "1.0-redhat-1",
			"1.0-redhat-2", "1.0-1", "1.0.1.Final", "1.0.1.Final-redhat-1", "1.10", "2.0.0.RELEASE", "2.0.1-jre",
			"9.2.10.v20150310", "12.0.0.alpha1", "12.0.0-M8", "12.0.0.RC1", "12.0.0", "12.0.0-20200101.123456-1"},
		"npm": {"0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
			"=1.0.0", "v1.0.1", "1.0.2beta", "1.0.2", "1.10.0", "4.17.21"},
		"NuGet": {"1.0.0-alpha", "1.0.0-ALPHA.1", "1.0.0-alpha.2", "1.0.0-beta", "1.0.0", "1.0.0.1-rc", "1.0.0.1", "1.0.1",
			"1.0.10", "2.0"},
		"opam": {"1.0~beta", "1.0", "113.00.00", "113.33.03", "v0.9.0", "v0.16.0"},
		"Packagist": {"1.0-dev", "1.0.0-alpha-dev", "1.0.0-alpha", "1.0.0-alpha1-dev", "1.0.0-alpha1", "1.0.0a2",
			"1.0.0-beta2",
			"1.0.0-RC1", "1.0.0-rc.2", "1.0.0", "1.0.0-p1", "v1.0.0-patch2", "1.0.0.1", "v1.0.1", "1.10.0", "2010.01.02",
			"20100102",
			"20100102.1"},
		"Photon OS:5": {"1.2-1.ph5", "1.2-2.ph5"},
		"Pub":         {"1.0.0-dev.1", "1.0.0-dev.1+2", "1.0.0", "1.0.0+1", "1.0.0+2", "1.0.0+10", "1.0.0+hotfix", "1.0.1"},
		"PyPI": {"0.9", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0a1.post1", "1.0b1", "1.0rc1", "1.0", "1.0+abc", "1.0+1",
			"1.0+1.a",
			"1.0-1.dev1", "1.0-1", "1.0.post2", "1.0.1", "1.10", "2004", "1!0.1"},
		"Root:Alpine:3.18": {"1.0.0-r3", "1.0.0-r10071", "1.0.0-r10072", "1.0.1-r0"},
		"Root:Debian:12":   {"1.0-3", "1.0-3.root.io.1", "1.0-3.root.io.10", "1.0-3.1"},
		"Root:npm":         {"1.0.0-rc.1", "1.0.0", "1.0.0.root.io.1", "1.0.0.root.io.2", "1.0.1"},
		"Root:PyPI":        {"1.0rc1", "1.0", "1.0+root.io.1", "1.0+root.io.2", "1.0.1"},
		"RubyGems": {"0.9", "1.0.0.alpha", "1.0.0.beta.2", "1.0.0-beta.2", "1.0.0.rc1", "1.0.0.rc1.1", "1.0.0",
			"1.0.1", "1.10", "4.25.14p12", "4.25.14"},
		"SwiftURL":             {"1.0.0-beta.1", "1.0.0", "1.1.0"},
		"TuxCare:Red Hat:7":    {"1.2-3.el7", "1.2-3.el7.tuxcare.els1", "1.2-3.el7.tuxcare.els10"},
		"TuxCare:Alpine:v3.16": {"1.2_rc1-r0", "1.2-r1"},
		"Ubuntu:22.04":         {"1.0-1ubuntu0.1", "1.0-1ubuntu0.2", "1.0-1ubuntu0.10", "1.0-1ubuntu1"},
		"VSCode":               {"1.0.0-pre", "1.0.0", "1.0.1", "2023.1.1"},
		"Wolfi":                {"1.2_rc1-r0", "1.2-r1"},
	}
}

func TestVersionsAreInTheOrderOfTheirEcosystem(t *testing.T) {
	for ecosystem, row := range ordered() {
		order, ok := For(ecosystem)
		if !ok {
			t.Errorf("%s has no order", ecosystem)
			continue
		}
		for i, a := range row {
			for j, b := range row {
				got, err := compareInstalled(order, a, b)
				if err != nil {
					t.Errorf("%s: %v", ecosystem, err)
				}
				if want := max(-1, min(1, i-j)); got != want {
					t.Errorf("%s: compare %s with %s: got %d, want %d", ecosystem, a, b, got, want)
				}
			}
		}
	}
}

func TestOneVersionWrittenInTwoWaysIsOneVersion(t *testing.T) {
	for ecosystem, rows := range map[string][][]string{
		"AlmaLinux:9":  {{"1.2-3.el9", "0:1.2-3.el9", "1.02-3.el9", "1_2-3.el9"}},
		"Alpine:v3.20": {{"1.2_rc-r1", "1.2_rc-r01"}, {"01.2", "1.2"}},
		"Bitnami":      {{"1.2.3", "1.2.3-0"}, {"1.2.3-1", "1.2.3-1+x"}},
		"ConanCenter":  {{"1.0", "1", "1.0.0"}},
		"CRAN":         {{"1.0-1", "1.0.1", "1.00-01"}},
		"crates.io":    {{"1.0.0", "1.0.0+build.5"}},
		"Debian:12":    {{"1.0", "0:1.0", "1.0-0", "1.00", "1."}, {"1.0-1", "1.0-01"}, {"1.0a", "1.0a0"}},
		"Go": {{"1.22.0-rc.1", "go1.22rc1", "1.22rc1", "v1.22.0-rc.1"}, {"1.22.1", "go1.22.1", "go1.22.1 X:boringcrypto",
			"go1.22.1-fips"}, {"v2.0.0+incompatible", "2.0.0"}, {"go1.21", "1.21.0"}},
		"Maven": {{"1", "1.0", "1.0.0", "1.ga", "1-final", "1.0.0.RELEASE", "1.0.Final", "1-", "1."}, {"1-rc1",
			"1.0-CR1", "1.RC-1"},
			{"1-a1", "1.0.alpha-1", "1-alpha1"}, {"1.0-x", "1-x", "1.x"}, {"1.0-redhat-1", "1.0.Final-redhat-1"}},
		"npm": {{"1.2.3", "v1.2.3", "=1.2.3", " 1.2.3 ", "1.2.3+build", "01.02.03"}, {"1.2.3-beta", "1.2.3beta"},
			{"1.2", "1.2.0"}},
		"NuGet": {{"1", "1.0", "1.0.0", "1.0.0.0", "1.00", "01.0", "1.0.0+sha"}, {"1.0.0-RC.1", "1.0-rc.1",
			"1.0.0.0-Rc.01+x"},
			{"1.2.3", "1.2.3.0"}},
		"Packagist": {{"1", "1.0", "v1.0.0", "1.0.0.0", "1.0.0-stable", "1.0+x", "1.0@beta", "1.00"}, {"1.0-RC1", "1.0rc1",
			"1.0.0-rc.1", "1.0_RC1"}, {"1.0-b2", "1.0-beta2"}, {"1.0-p1", "1.0-pl1", "1.0-patch1"}},
		"PyPI": {{"1.0", "v1.0", "1", "1.0.0", "0!1.0", "01.00"}, {"1.0-1", "1.0.post1", "1.0-r1", "1.0_rev_1", "1.0POST1"},
			{"1.0a0", "1.0.alpha", "1.0-a"}, {"1.0rc1", "1.0c1", "1.0-preview_1", "1.0.PRE.1"}, {"1.0+a.1", "1.0+A-1",
				"1.0+a_1"}},
		"RubyGems": {{"1", "1.0", "1.0.0"}, {"1.0.pre.1", "1-1"}, {"1.a", "1.0.a", "1.a.0"}, {"1.0.a1", "1.0.a.1"},
			{"1.13.10", "1.13.10-x86_64-linux", "1.13.10-java"}},
	} {
		order, _ := For(ecosystem)
		for _, row := range rows {
			for _, v := range row {
				if got, err := compareInstalled(order, row[0], v); got != 0 || err != nil {
					t.Errorf("%s: compare %s with %s: got %d (%v), want 0", ecosystem, row[0], v, got, err)
				}
			}
		}
	}
}

func compare(order Order, a, b string) (int, error) {
	v, err1 := order.Parse(a)
	w, err2 := order.Parse(b)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	return v.Compare(w)
}

func compareInstalled(order Order, a, b string) (int, error) {
	v, err1 := order.ParseInstalled(a)
	w, err2 := order.ParseInstalled(b)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	return v.Compare(w)
}

func TestWhatIsNoVersionIsRefusedRatherThanTakenForZero(t *testing.T) {
	for ecosystem, texts := range map[string][]string{
		"AlmaLinux:9":  {"１.2-3.el9", "a:1.2-3.el9", "99999999999999999999:1-1", "1:2:3-1", ":1-1"},
		"Alpine:v3.20": {"not a version", "1.２-r0", "a1.2-r0", ""},
		"Bitnami":      {"nightly.2026-03-10.0", "latest"},
		"ConanCenter":  {"[>=1.0]", "1.0@user/channel"},
		"CRAN":         {"1.0.0-rc1", "1..2", "1."},
		"crates.io":    {strings.Repeat("1", 600), "1.0.0-", "1.0.0-a..b", "1.0.0+", "^1.0", "1.x"},
		"Debian:12": {"", "zzz garbage", "v2.36-9", "%2.36-9", "２.36-9", "2.３6-9", "-1:2.36-9", "a:2.36-9", "2.36 9",
			"99999999999999999999:2.36-9", "1:2:3"},
		"GitHub Actions": {"8f4b7f84864484a7bf31766abe9204da3cbe65b3", "a81bbbf8298c0fa03ea29cdc473d45769f953675", "main"},
		"Go":             {"(devel)", "", "v１.2.3", "8f4b7f8"},
		"Hackage":        {"1.0-1", "1.0a"},
		"Maven": {"-", "１.2", "1.２", "${project.version}", "[1.0,2.0)", "LATEST", "RELEASE", "unspecified", "1.0/2",
			"1.0 2"},
		"npm": {"latest", "git+ssh://example", "1.２.3", "3.4.1 latest", "workspace:*", "file:../a", ">=1.0",
			"1.0.0 || 2.0.0"},
		"NuGet": {"1.*", "[1.0,2.0]", "$(Version)"},
		"Packagist": {"dev-main", "dev-master", "1.x-dev", "1.0.x-dev", "v2.x-dev", "9999999-dev#", "master",
			"1.0-foo", "self.version"},
		"PyPI":          {"UNKNOWN", "1.２", "trunk", "2004d", "1.0.*", ">=1.0", "1.0+", "1.0-final"},
		"Rocky Linux:9": {"1.2 3", "~", "1.2;3"},
		"RubyGems":      {"1.0_a", ">= 1.0", "1..2", ""},
		"SUSE:15":       {"..."},
		"Ubuntu:22.04":  {"1.0\x00-1"},
		"Wolfi":         {"１.2-r0"},
	} {
		order, ok := For(ecosystem)
		if !ok {
			t.Errorf("%s has no order", ecosystem)
		}
		for _, text := range texts {
			if v, err := order.Parse(text); err == nil {
				t.Errorf("%s: %q was read as %v", ecosystem, text, v)
			}
			if v, err := order.ParseInstalled(text); err == nil {
				t.Errorf("%s: %q was read as %v, which is installed", ecosystem, text, v)
			}
		}
	}
	if _, err := (Version{}).Compare(Version{}); err == nil {
		t.Error("versions that were not parsed were compared")
	}
	if _, err := (Order{}).Parse("1"); err == nil {
		t.Error("no order parsed a version")
	}
}

// Advisories have slips, which can be read. What is installed has none.
func TestWhatOnlyBeginsAsAVersionIsNotInstalled(t *testing.T) {
	for ecosystem, texts := range map[string][]string{
		"AlmaLinux:9":  {"1-2-3", "1.2-", "-3"},
		"Alpine:v3.20": {"99zzz", "1.2-rX", "1.34.0_r0", "1.2.31-0", "4.8.0.-r1", "2021-03-27-r5"},
		"Debian:12":    {"2.36_9", "2.36-", "1:1.12_1.12.6-1+deb9u1"},
		"Ubuntu:22.04": {"2.36-9;"},
		"Wolfi":        {"1.2-"},
	} {
		order, _ := For(ecosystem)
		for _, text := range texts {
			if _, err := order.Parse(text); err != nil {
				t.Errorf("%s: %v", ecosystem, err)
			}
			if v, err := order.ParseInstalled(text); err == nil {
				t.Errorf("%s: %q was read as %v, which is installed", ecosystem, text, v)
			}
		}
	}
}

func TestASlipInAnAlpineAdvisoryIsReadAsFarAsItGoes(t *testing.T) {
	order, _ := For("Alpine:v3.15")
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"1.34.0_r0", "1.34.1-r3", -1}, {"1.33.9-r0", "1.34.0_r0", -1},
		{"1.34.0_r2", "1.34.0-r1", 1}, {"1.34.0_r2", "1.34.0-r2", 0}, {"1.34.0_r2", "1.34.0-r3", -1},
		{"1.2.31-1", "1.2.31-r1", 0}, {"4.8.0.-r1", "4.8.0-r1", 0},
		{"2021-03-27-r5", "2021.4-r0", -1}, {"2021-03-27-r5", "2020-r5", 1},
	} {
		if got, err := compare(order, test.a, test.b); got != test.want || err != nil {
			t.Errorf("compare %s with %s: %d (%v), want %d", test.a, test.b, got, err, test.want)
		}
	}
	if _, err := compare(order, "1.34.0_r0", "1.34.0_r1"); err == nil {
		t.Error("two slips were compared")
	}
}

// To rpm a version without a release is any of its releases. An advisory means the first; what is installed may be any.
func TestAnInstalledRPMWithoutAReleaseIsNoReleaseInParticular(t *testing.T) {
	order, _ := For("Red Hat")
	for _, test := range []struct {
		installed, event string
		want             int
		unclear          bool
	}{
		{"1.2", "1.2-3", 0, true}, {"0:1.2", "1.2-3", 0, true}, {"1.2", "1.2", 0, false},
		{"1.2", "1.3-1", -1, false}, {"1.2", "1.1-1", 1, false}, {"1.2", "1.2.1-1", -1, false}, {"1.2",
			"1.2~rc1-1", 1, false},
		{"1.2", "1:1.2-3", -1, false}, {"1:1.2-3", "1.2-3", 1, false}, // no epoch is 0
		{"1.2-3", "1.2", 1, false}, {"1.2-3", "1.3", -1, false},
	} {
		v, err1 := order.ParseInstalled(test.installed)
		e, err2 := order.Parse(test.event)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		got, err := v.Compare(e)
		if got != test.want || (err != nil) != test.unclear {
			t.Errorf("compare %s with %s: got %d (%v), want %d", test.installed, test.event, got, err, test.want)
		}
		if _, err := e.Compare(v); (err != nil) != test.unclear {
			t.Errorf("compare %s with %s: %v", test.event, test.installed, err)
		}
	}
}

func TestTheLastAffectedVersionStandsForAllItsBuilds(t *testing.T) {
	for ecosystem, test := range map[string]struct {
		last           string
		within, beyond []string
	}{
		"Alpine:v3.20": {"1.2", []string{"1.1-r9", "1.2", "1.2-r0", "1.2-r65536"}, []string{"1.2_p1-r0", "1.2.0-r0", "1.3"}},
		"AlmaLinux:9":  {"1.2", []string{"1.2~rc1-1", "1.2-1", "1.2-99.el9"}, []string{"1.2^1-1", "1.2.1-1", "1:0-1"}},
		"Bitnami":      {"1.2.3", []string{"1.2.3-rc1", "1.2.3", "1.2.3-0", "1.2.3-40"}, []string{"1.2.4-rc1", "1.2.4"}},
		"Debian:12": {"1.2", []string{"1.2~rc1-1", "1.2", "1.2-0", "1.2-1", "1.2-1+deb12u9"}, []string{"1.2+dfsg-1",
			"1.2.1-1"}},
		"Pub":         {"1.2.3", []string{"1.2.3", "1.2.3+9"}, []string{"1.2.4-dev"}},
		"PyPI":        {"2.0.1", []string{"2.0.1rc1", "2.0.1", "2.0.1+cpu"}, []string{"2.0.1.post1", "2.0.2.dev1"}},
		"npm":         {"1.2.3", []string{"1.2.3-rc.1", "1.2.3", "1.2.3+x"}, []string{"1.2.4-rc.1", "1.2.4"}},
		"Ubuntu":      {"1.2-1", []string{"1.2", "1.2-1"}, []string{"1.2-1ubuntu1", "1.2-2"}},
		"Rocky Linux": {"1.2-1", []string{"1.2-1"}, []string{"1.2-1.el9", "1.2-2"}},
	} {
		order, _ := For(ecosystem)
		last, err := order.ParseLast(test.last)
		if err != nil {
			t.Errorf("%s: %v", ecosystem, err)
		}
		for want, versions := range map[bool][]string{true: test.within, false: test.beyond} {
			for _, text := range versions {
				v, err := order.ParseInstalled(text)
				if err != nil {
					t.Errorf("%s: %v", ecosystem, err)
				}
				if c, err := v.Compare(last); (c <= 0) != want || err != nil {
					t.Errorf("%s: compare %s with the last %s: got %d (%v)", ecosystem, text, test.last, c, err)
				}
			}
		}
	}
}

func TestTheLongestVersionIsComparedAtOnce(t *testing.T) {
	for ecosystem := range ordered() {
		order, _ := For(ecosystem)
		for _, part := range []string{"1", "1.", "0.", "0", "1a", "1-", "1.0.", "-a.0", "1~", "a0.", ".a", "1_p", ".1.dev"} {
			text := ("1" + strings.Repeat(part, maxLength))[:maxLength-1] + "1"
			start := time.Now()
			v, err := order.Parse(text)
			if err != nil {
				continue
			}
			if _, err := v.Compare(v); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s: %.20s… took %v", ecosystem, text, took)
			}
			if len(v.key) > 8*maxLength {
				t.Errorf("%s: %.20s… has a key of %d bytes", ecosystem, text, len(v.key))
			}
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, test := range []struct{ ecosystem, installed, event string }{
		{"Alpine:v3.20", "3.1.4-r1", "3.1.4-r5"},
		{"Debian:12", "1:2.36-9+deb12u4", "1:2.36-9+deb12u10"},
		{"Go", "v0.0.0-20220722155237-a158d28d115b", "0.0.0-20220906165146-f3363e06e74c"},
		{"Maven", "2.14.1", "2.17.0"},
		{"npm", "4.17.20", "4.17.21"},
		{"NuGet", "3.12.0-rc1", "3.12.0"},
		{"Packagist", "v5.4.1", "5.4.9"},
		{"PyPI", "2.31.0", "2.31.1"},
		{"Red Hat", "1:2.4.6-97.el7_9.1", "1:2.4.6-97.el7_9.5"},
		{"RubyGems", "6.0.3.1", "6.0.3.2"},
	} {
		b.Run(test.ecosystem, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				order, _ := For(test.ecosystem)
				if c, err := compareInstalled(order, test.installed, test.event); c >= 0 || err != nil {
					b.Fatal(c, err)
				}
			}
		})
	}
}
