package advisory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// events writes events as "introduced=0".
func rangeOf(semver bool, pairs ...string) Range {
	kinds := map[string]EventKind{"introduced": Introduced, "fixed": Fixed, "last_affected": LastAffected, "limit": Limit}
	r := Range{Semver: semver}
	for i := 0; i < len(pairs); i += 2 {
		r.Events = append(r.Events, Event{kinds[pairs[i]], pairs[i+1]})
	}
	return r
}

// TestRangesAreEvaluatedAsOSVSays follows https://ossf.github.io/osv-schema/#evaluation.
func TestRangesAreEvaluatedAsOSVSays(t *testing.T) {
	for _, test := range []struct {
		name      string
		ecosystem string
		ranges    []Range
		versions  []string
		affected  []string
		safe      []string
	}{
		{"from the beginning", "Go", []Range{rangeOf(true, "introduced", "0", "fixed", "1.2.0")}, nil,
			[]string{"0.0.1", "1.1.9", "v1.1.9", "1.2.0-rc.1", "0.0.0-20200101000000-000000000000"}, []string{"1.2.0", "1.2.1",
				"v2.0.0+incompatible"}},
		{"several branches in one range, unsorted", "npm",
			[]Range{rangeOf(true, "introduced", "2.0.0", "fixed", "2.3.0", "introduced", "0", "fixed", "1.5.0")}, nil,
			[]string{"1.4.9", "2.0.0", "2.2.9"}, []string{"1.5.0", "1.9.0", "2.3.0"}},
		{"several ranges", "Maven",
			[]Range{rangeOf(false, "introduced", "0", "fixed", "2.3.1"),
				rangeOf(false, "introduced", "2.4", "fixed", "2.12.2")}, nil,
			[]string{"2.0-beta9", "2.3", "2.4", "2.12.1"}, []string{"2.3.1", "2.12.2", "2.15.0"}},
		{"last affected", "PyPI", []Range{rangeOf(false, "introduced", "1.0", "last_affected", "1.4")}, nil,
			[]string{"1.0", "1.4", "1.4.0"}, []string{"0.9", "1.4.post1", "1.5"}},
		{"never fixed", "crates.io", []Range{rangeOf(true, "introduced", "0.3.0")}, nil, []string{"0.3.0", "99.0.0"},
			[]string{"0.2.9"}},
		{"fixed and introduced again in one version", "npm",
			[]Range{rangeOf(true, "introduced", "1.0.0", "fixed", "1.1.0", "introduced", "1.1.0", "fixed", "1.2.0")}, nil,
			[]string{"1.0.0", "1.1.0", "1.1.5"}, []string{"1.2.0"}},
		{"fixed in the version that introduced it", "crates.io",
			[]Range{rangeOf(true, "introduced", "1.1.0", "fixed", "1.1.5", "introduced", "1.2.0", "fixed", "1.2.0")}, nil,
			[]string{"1.1.0", "1.1.4"}, []string{"1.1.5", "1.2.0", "1.2.1", "2.0.0"}},
		{"one version, as first and last", "npm",
			[]Range{rangeOf(true, "introduced", "3.7.2", "last_affected", "3.7.2")}, nil,
			[]string{"3.7.2"}, []string{"3.7.1", "3.7.3-beta", "3.7.3", "7.2.2"}},
		{"one version, as last and first", "RubyGems",
			[]Range{rangeOf(false, "last_affected", "4.2.3", "introduced", "4.2.3")}, nil,
			[]string{"4.2.3"}, []string{"4.2.2", "4.2.4"}},
		{"single versions of one range", "Packagist",
			[]Range{rangeOf(false, "introduced", "1.0.0", "last_affected", "1.0.0", "introduced", "1.2.0", "last_affected", "1.2.0")}, nil,
			[]string{"1.0.0", "1.2.0"}, []string{"1.0.1", "1.1.9", "1.2.1", "2.0.0"}},
		{"fixed before it was introduced", "Alpine:v3.20", []Range{rangeOf(false, "introduced", "0", "fixed", "0")}, nil,
			nil, []string{"0.1-r0", "1.2-r0"}},
		{"limit", "Go", []Range{rangeOf(true, "introduced", "1.0.0", "limit", "2.0.0")}, nil, []string{"1.5.0"},
			[]string{"2.0.0", "3.0.0"}},
		{"any of two limits", "Go", []Range{rangeOf(true, "introduced", "1.0.0", "limit", "2.0.0", "limit", "4.0.0")}, nil,
			[]string{"1.5.0", "3.0.0"}, []string{"4.0.0"}},
		{"no limit", "Go", []Range{rangeOf(true, "introduced", "1.0.0", "limit", "*")}, nil, []string{"9.0.0"},
			[]string{"0.9.0"}},
		{"enumerated", "PyPI", []Range{rangeOf(false, "introduced", "2.0", "fixed", "2.1")}, []string{"1.0", "1.0-odd one"},
			[]string{"1.0", "1.0.0", "v1.0", "1.0-odd one", "2.0.5"}, []string{"1.0.1", "2.1"}},
		{"enumerated, in another spelling", "npm", nil, []string{"1.0.0"}, []string{"v1.0.0", "=1.0.0", "1.0.0+build.7"},
			[]string{"1.0.1", "1.0.0-rc.1"}},
		{"enumerated builds of a distribution", "Debian:12", nil, []string{"1.0-1"}, []string{"0:1.0-1"}, []string{"1.0-1+b1", "1.0"}},
		{"only enumerated", "Packagist", nil, []string{"dev-main"}, []string{"dev-main"}, []string{"1.0.0", "dev-other"}},
		{"Debian", "Debian:12", []Range{rangeOf(false, "introduced", "0", "fixed", "1:1.2-3+deb12u1")}, nil,
			[]string{"9.9", "1:1.2-3", "1:1.2-3+b1"}, []string{"1:1.2-3+deb12u1", "2:0.1"}},
		{"rpm", "AlmaLinux:9", []Range{rangeOf(false, "introduced", "0", "fixed", "2:4.9.4-0.1.el9")}, nil,
			[]string{"4.9.9-1.el9", "2:4.9.4-0.el9"}, []string{"2:4.9.4-0.1.el9", "3:1"}},
		{"NuGet", "NuGet", []Range{rangeOf(false, "introduced", "0", "fixed", "5.2.0.1")}, nil, []string{"5.2.0"},
			[]string{"5.2.0.1"}},
		{"an ecosystem without an order, in semantic versions", "OSS-Fuzz",
			[]Range{rangeOf(true, "introduced", "1.0.0", "fixed", "1.1.0")}, nil,
			[]string{"1.0.5"}, []string{"1.1.0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := Affected{Ecosystem: test.ecosystem, Name: "x", Ranges: test.ranges, Versions: test.versions}
			for _, v := range slices.Concat(test.affected, test.safe) {
				got, err := a.Affects(v)
				if want := slices.Contains(test.affected, v); got != want || err != nil && len(test.ranges) > 0 {
					t.Errorf("%s: affected is %v (%v), want %v", v, got, err, want)
				}
			}
		})
	}
}

// TestEvaluationEqualsOSVsAlgorithm walks through sorted events as the pseudo-code does. It is silent of what is
// introduced and fixed in one version, which random ranges therefore do not hold.
func TestEvaluationEqualsOSVsAlgorithm(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		type happening struct {
			at   int
			kind string
		}
		var list []happening
		for at, used := 0, 0; at < 8 && used < 5; at++ {
			switch random.IntN(5) {
			case 0:
				list = append(list, happening{at, "introduced"})
			case 1:
				list = append(list, happening{at, "fixed"})
			case 2:
				list = append(list, happening{at, "last_affected"})
			case 3:
				list = append(list, happening{at, "introduced"}, happening{at, "last_affected"})
			}
			used = len(list)
		}
		var shuffled []string
		for _, i := range random.Perm(len(list)) {
			shuffled = append(shuffled, list[i].kind, fmt.Sprintf("1.%d.0", list[i].at))
		}
		v := random.IntN(9)
		want := false
		for _, h := range list { // sorted
			switch {
			case h.kind == "introduced" && v >= h.at:
				want = true
			case h.kind == "fixed" && v >= h.at, h.kind == "last_affected" && v > h.at:
				want = false
			}
		}
		a := Affected{Ecosystem: "npm", Ranges: []Range{rangeOf(true, shuffled...)}}
		if got, err := a.Affects(fmt.Sprintf("1.%d.0", v)); got != want || err != nil {
			t.Fatalf("1.%d.0 in %q: %v (%v), want %v", v, shuffled, got, err, want)
		}
	}
}

func TestWhatCannotBeComparedIsAnErrorAndNotSafe(t *testing.T) {
	for _, a := range []Affected{
		{Ecosystem: "Go", Ranges: []Range{rangeOf(true, "introduced", "0", "fixed", "not a version")}},
		{Ecosystem: "Nonesuch", Ranges: []Range{rangeOf(false, "introduced", "0")}},
	} {
		if in, err := a.Affects("1.0.0"); in || err == nil {
			t.Errorf("%+v: affected is %v, error is %v; want an error", a, in, err)
		}
	}
	for _, v := range []string{"", "latest"} {
		if in, err := (Affected{Ecosystem: "PyPI", Versions: []string{"0.5"}}).Affects(v); in || err == nil {
			t.Errorf("%q of a listed version: affected is %v, error is %v; want an error", v, in, err)
		}
	}
	a := Affected{Ecosystem: "Go", Ranges: []Range{rangeOf(true, "introduced", "0", "fixed", "not a version"),
		rangeOf(true, "introduced", "0")}}
	if in, err := a.Affects("1.0.0"); !in || err != nil {
		t.Errorf("a range that affects for sure lost to one that cannot be told: %v, %v", in, err)
	}
	if _, err := a.Affects("(devel)"); err == nil {
		t.Error("a version that is none was compared")
	}
}

func TestNamesAndEcosystemsAreWrittenInOneWay(t *testing.T) {
	for in, want := range map[string]string{
		"Debian:12":                             "Debian:12",
		"Debian:12.5":                           "Debian:12",
		"Debian:":                               "Debian",
		"Ubuntu:22.04:LTS":                      "Ubuntu:22.04",
		"Ubuntu:24.10":                          "Ubuntu:24.10",
		"Ubuntu:Pro:14.04:LTS":                  "Ubuntu:Pro:14.04",
		"Alpine:v3.20":                          "Alpine:v3.20",
		"Alpine:3.20":                           "Alpine:v3.20",
		"Alpine:edge":                           "Alpine:edge",
		"Rocky Linux:9.3":                       "Rocky Linux:9",
		"AlmaLinux:9":                           "AlmaLinux:9",
		"openSUSE:Leap 15.6":                    "openSUSE:Leap 15.6",
		"Red Hat:enterprise_linux:9::appstream": "Red Hat:enterprise_linux:9::appstream",
		"Wolfi":                                 "Wolfi",
		"Go":                                    "Go",
		"Packagist:https://packages.drupal.org/8": "Packagist",
		"Maven:https://maven.google.com":          "Maven",
	} {
		if got := Canonical(in); got != want {
			t.Errorf("Canonical(%q) is %q, want %q", in, got, want)
		}
	}
	for _, test := range [][3]string{
		{"PyPI", "Zope.Interface__X", "zope-interface-x"}, {"npm", "JSONStream", "JSONStream"}, {"NuGet", "Newtonsoft.Json",
			"newtonsoft.json"},
		{"Packagist", "Symfony/HTTP-kernel", "symfony/http-kernel"}, {"Maven", "org.Apache:X", "org.Apache:X"},
		{"crates.io", "Foo_bar", "foo-bar"}, {"Go", "github.com/BurntSushi/toml", "github.com/BurntSushi/toml"},
		{"SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"}, {"Debian:12", "libWebP",
			"libWebP"},
	} {
		if got := NormalName(test[0], test[1]); got != test[2] {
			t.Errorf("NormalName(%q, %q) is %q, want %q", test[0], test[1], got, test[2])
		}
	}
}
