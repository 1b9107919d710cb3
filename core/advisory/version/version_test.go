package version

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ordered are rows of versions in ascending order, by ecosystem.
func ordered() map[string][]string {
	return map[string][]string{
		"AlmaLinux:9": {"0", "1.2-3.el9", "1.2-3.el9_1", "1.2-10.el9", "1.10-1.el9", "1:0.1-1.el9", "2:4.9.4-0.1.el9"},
		"Alpine:v3.20": {"0", "1.2_alpha1", "1.2_rc2-r0", "1.2", "1.2-r1", "1.2-r10", "1.2_git20200101-r0", "1.2_p1-r0",
			"1.2a-r0",
			"1.2.1-r0", "1.10-r0"},
		"Azure Linux:3": {"1.2-1.azl3", "1.2-2.azl3", "1.10-1.azl3"},
		"CRAN":          {"0.2", "0.10", "1.0-1", "1.0-2", "1.1"},
		"crates.io":     {"0.1.0-alpha.1", "0.1.0-alpha.2", "0.1.0-beta", "0.1.0", "0.2.0", "0.10.0"},
		"Debian:12": {"0", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1.1", "1.0a-1",
			"1.0+dfsg-1",
			"1.10-1", "1:0.1-1", "2:0"},
		"Echo": {"1.0~rc1-1", "1.0-1", "1:0.1-1"},
		"Go": {"v0.0.0-20190101000000-aaaaaaaaaaaa", "v0.0.0-20200101000000-000000000000", "0.3.7", "0.3.8",
			"v0.17.0", "1.21rc2", "go1.21.0", "go1.21.10", "go1.22.1 X:boringcrypto", "v2.0.0+incompatible"},
		"Hackage": {"0.4", "0.4.0", "0.5.2.0", "1"},
		"Maven": {"1.0-alpha-1", "1.0-beta1", "1.0-M1", "1.0-rc1", "1.0-SNAPSHOT", "1.0", "1.0-sp1", "1.0.1", "1.10",
			"2.0.0.RELEASE", "2.0.1-jre"},
		"npm":         {"0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.1", "=1.0.0", "v1.0.1", "1.10.0", "4.17.21"},
		"NuGet":       {"1.0.0-alpha", "1.0.0", "1.0.0.1", "1.0.10", "2.0"},
		"Packagist":   {"1.0.0-dev", "1.0.0-alpha1", "1.0.0-beta2", "1.0.0-RC1", "1.0.0", "v1.0.1", "1.10.0"},
		"Photon OS:5": {"1.2-1.ph5", "1.2-2.ph5"},
		"PyPI":        {"0.9", "1.0.dev1", "1.0a1", "1.0b1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.10", "1!0.1"},
		"RubyGems":    {"1.0.0.alpha", "1.0.0.rc1", "1.0.0", "1.0.1", "1.10"},
		"Ubuntu:22.04": {"1.0-1ubuntu0.1", "1.0-1ubuntu0.2", "1.0-1ubuntu0.10",
			"1.0-1ubuntu1"},
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
				got, err := compare(order, a, b)
				if err != nil {
					t.Errorf("%s: %v", ecosystem, err)
				}
				if want := sign(i - j); got != want {
					t.Errorf("%s: compare %s with %s: got %d, want %d", ecosystem, a, b, got, want)
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

func TestRealVersionsAreInstalled(t *testing.T) {
	for ecosystem, row := range ordered() {
		order, _ := For(ecosystem)
		for _, v := range row {
			if _, err := order.ParseInstalled(v); err != nil {
				t.Errorf("%s: %v", ecosystem, err)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestWhatIsNoVersionIsRefusedRatherThanTakenForZero(t *testing.T) {
	for _, test := range []struct{ ecosystem, version string }{
		{"Go", "(devel)"}, {"Go", ""}, {"npm", "latest"}, {"npm", "git+ssh://example"}, {"PyPI", "UNKNOWN"},
		{"Packagist", "dev-main"}, {"Alpine:v3.20", "not a version"}, {"Debian:12", ""}, {"Maven", "-"},
		{"crates.io", strings.Repeat("1", 600)},
		{"Debian:12", "zzz garbage"}, {"Debian:12", "v2.36-9"}, {"Debian:12", "%2.36-9"}, {"Debian:12", "２.36-9"},
		{"Debian:12", "2.３6-9"}, {"Debian:12", "-1:2.36-9"}, {"Debian:12", "a:2.36-9"}, {"Debian:12", "2.36 9"},
		{"Debian:12", "99999999999999999999:2.36-9"}, {"Ubuntu:22.04", "1.0\x00-1"},
		{"AlmaLinux:9", "１.2-3.el9"}, {"AlmaLinux:9", "a:1.2-3.el9"}, {"AlmaLinux:9", "99999999999999999999:1-1"},
		{"Rocky Linux:9", "1.2 3"}, {"SUSE:15", "..."}, {"Alpine:v3.20", "1.２-r0"}, {"Wolfi", "１.2-r0"},
		{"npm", "1.２.3"}, {"npm", "3.4.1 latest"}, {"PyPI", "1.２"}, {"Go", "v１.2.3"}, {"Maven", "１.2"}, {"Maven", "1.２"},
	} {
		order, _ := For(test.ecosystem)
		if v, err := order.Parse(test.version); err == nil {
			t.Errorf("%s: %q was read as %v", test.ecosystem, test.version, v)
		}
	}
	for _, test := range []struct{ ecosystem, version string }{
		{"Debian:12", "2.36_9"}, {"Debian:12", "2.36-"}, {"Debian:12", "1:2:3"}, {"Ubuntu:22.04", "2.36-9;"},
		{"Alpine:v3.20", "99zzz"}, {"Alpine:v3.20", "1.2-rX"}, {"Wolfi", "1.2-"},
	} {
		order, _ := For(test.ecosystem)
		if v, err := order.ParseInstalled(test.version); err == nil {
			t.Errorf("%s: %q was read as %v, which is installed", test.ecosystem, test.version, v)
		}
	}
	if _, ok := For("Nonesuch"); ok {
		t.Error("an unknown ecosystem has an order")
	}
	if _, err := (Version{}).Compare(Version{}); err == nil {
		t.Error("versions that were not parsed were compared")
	}
}

func TestASlipInAnAlpineAdvisoryIsReadAsFarAsItGoes(t *testing.T) {
	order, _ := For("Alpine:v3.15")
	for _, test := range []struct {
		a, b string
		want int
	}{{"1.34.0_r0", "1.34.1-r3", -1}, {"1.33.9-r0", "1.34.0_r0", -1}, {"1.9.5p2-r0", "1.9.6-r0", -1}, {"1.34.0_r0",
		"1.34.0-r0", -1}} {
		if got, err := compare(order, test.a, test.b); got != test.want || err != nil {
			t.Errorf("compare %s with %s: %d (%v), want %d", test.a, test.b, got, err, test.want)
		}
	}
	if _, err := compare(order, "1.34.0_r0", "1.34.0_r1"); err == nil {
		t.Error("two slips were compared")
	}
}

func TestDebianOrderIsDpkgs(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("dpkg is not installed")
	}
	order, _ := For("Debian")
	versions := append(ordered()["Debian:12"], "1.0-1~bpo12+1", "1.0", "1.0.", "1.0-0", "1.00-1", "1.0~~", "1.0~~a",
		"1.0~", "1.0+", "1.0-1-1")
	for i, a := range versions {
		for _, b := range versions[i:min(i+5, len(versions))] {
			got, err := compare(order, a, b)
			if err != nil {
				t.Fatal(err)
			}
			op := map[int]string{-1: "lt", 0: "eq", 1: "gt"}[got]
			if err := exec.Command(dpkg, "--compare-versions", a, op, b).Run(); err != nil {
				t.Errorf("compare %s with %s: dpkg does not say %s", a, b, op)
			}
		}
	}
}

// FuzzOrder checks that an order is one: antisymmetric and transitive, and that no version makes it panic.
// usualMaven is how Maven's versions are written. Of qualifiers in other places ("1.rcrc1") its comparison, which the
// library follows, is no order: 1.rcrc1 <= 1.0-SNAPSHOT <= 1.0 < 1.rcrc1.
// https://maven.apache.org/pom.html#version-order-specification
var usualMaven = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*(-[A-Za-z]+)?$`)

func FuzzOrder(f *testing.F) {
	var ecosystems []string
	for ecosystem, row := range ordered() {
		ecosystems = append(ecosystems, ecosystem)
		for i := 2; i < len(row); i++ {
			f.Add(ecosystem, row[i-2], row[i-1], row[i])
		}
	}
	if len(ecosystems) == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, ecosystem, a, b, c string) {
		order, ok := For(ecosystem)
		if !ok {
			return
		}
		var v []Version
		for _, s := range []string{a, b, c} {
			p, err := order.Parse(s)
			if err != nil {
				return
			}
			if p.loose || order.name == "Maven" && !usualMaven.MatchString(s) {
				return
			}
			v = append(v, p)
		}
		for _, x := range v {
			for _, y := range v {
				xy, err1 := x.Compare(y)
				yx, err2 := y.Compare(x)
				if err1 != nil || err2 != nil {
					return
				}
				if xy != -yx {
					t.Fatalf("%s: %q and %q: %d one way, %d the other", ecosystem, x, y, xy, yx)
				}
			}
		}
		slices.SortFunc(v, func(x, y Version) int { n, _ := x.Compare(y); return n })
		ab, _ := v[0].Compare(v[1])
		bc, _ := v[1].Compare(v[2])
		if ac, _ := v[0].Compare(v[2]); ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%s: %q <= %q <= %q, but the first is greater than the last", ecosystem, v[0], v[1], v[2])
		}
	})
}
