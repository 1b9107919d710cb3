package sbom

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestLicenseExpressions(t *testing.T) {
	l := newLicenseList()
	for in, want := range map[string]string{
		"MIT":                "MIT",
		"mit":                "MIT",
		"GPL-2.0+":           "GPL-2.0+",
		"Apache-2.0+":        "Apache-2.0+",
		"MIT OR Apache-2.0":  "MIT OR Apache-2.0",
		"MIT or apache-2.0":  "MIT OR Apache-2.0",
		"(MIT  AND ( ISC ))": "(MIT AND (ISC))",
		"GPL-2.0-only WITH Classpath-exception-2.0 OR MIT AND 0BSD": "GPL-2.0-only WITH Classpath-exception-2.0 OR MIT AND 0BSD",
		"LicenseRef-a.b-1 OR MIT":                                   "LicenseRef-a.b-1 OR MIT",
		"":                                                          "",
		"MIT License":                                               "",
		"MIT OR":                                                    "",
		"OR MIT":                                                    "",
		"MIT MIT":                                                   "",
		"(MIT":                                                      "",
		"MIT)":                                                      "",
		"MIT WITH":                                                  "",
		"MIT WITH MIT":                                              "",
		"Classpath-exception-2.0":                                   "",
		"MIT Or ISC":                                                "",
		"LicenseRef-":                                               "",
		"LicenseRef-a/b":                                            "",
		"DocumentRef-x:LicenseRef-y":                                "",
		"GPL":                                                       "",
		"Apache 2.0":                                                "",
		strings.Repeat("(", 33) + "MIT" + strings.Repeat(")", 33): "",
		strings.Repeat("MIT AND ", 400) + "MIT":                   "",
	} {
		got, _, ok := l.expression(in)
		if !ok {
			got = ""
		}
		if got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestLicenseListIsWhole(t *testing.T) {
	l := newLicenseList()
	if len(l.licenses) != 740 || len(l.exceptions) != 86 {
		t.Errorf("there are %d licences and %d exceptions, want 740 and 86", len(l.licenses), len(l.exceptions))
	}
}

func TestLocationsAreUnambiguous(t *testing.T) {
	layer := digestOf("a")
	for _, l := range []core.Location{
		{Path: "a"}, {Path: "a", Line: 7}, {Path: "a", Layer: layer}, {Path: "a", Line: 7, Layer: layer},
		{Path: "a#L5"}, {Path: "a#L5", Line: 6},
		{Path: "a@" + string(layer)}, {Path: "a#L5@" + string(layer)}, {Path: "a@"}, {Path: "a#L5", Layer: layer},
		{Path: "a@" + string(layer), Layer: layer}, {Path: "x.jar!/y@2"},
	} {
		if got := parseLocation(locationValue(l)); got != l {
			t.Errorf("%+v became %q and then %+v", l, locationValue(l), got)
		}
	}
}

func TestHashes(t *testing.T) {
	sha1, sha256 := strings.Repeat("a", 40), strings.Repeat("B", 64)
	known, others := hashesOf(map[string]string{"SHA-256": sha256, "sha1": sha1, "md5": "short", "h1": "base64=",
		"sha256": strings.Repeat("c", 64)})
	var got []string
	for _, h := range known {
		got = append(got, h.algorithm.cycloneDX+" "+h.value)
	}
	if diff := cmp.Diff([]string{"SHA-1 " + sha1, "SHA-256 " + strings.ToLower(sha256)}, got); diff != "" {
		t.Error(diff)
	}
	if len(others) != 3 || others["h1"] != "base64=" || others["md5"] != "short" {
		t.Errorf("the rest is %v", others)
	}
}

func TestDistroEcosystems(t *testing.T) {
	for _, c := range []struct {
		d    core.Distro
		want string
	}{
		{core.Distro{ID: "debian", VersionID: "12"}, "Debian:12"},
		{core.Distro{ID: "debian", VersionID: "11.6"}, "Debian:11"},
		{core.Distro{ID: "debian"}, ""},
		{core.Distro{ID: "ubuntu", VersionID: "22.04"}, "Ubuntu:22.04:LTS"},
		{core.Distro{ID: "ubuntu", VersionID: "21.04"}, "Ubuntu:21.04"},
		{core.Distro{ID: "ubuntu", VersionID: "22.10"}, "Ubuntu:22.10"},
		{core.Distro{ID: "alpine", VersionID: "3.20.3"}, "Alpine:v3.20"},
		{core.Distro{ID: "alpine", VersionID: "3.21.0_alpha20240923"}, "Alpine:edge"},
		{core.Distro{ID: "alpine", VersionID: "odd"}, ""},
		{core.Distro{ID: "rhel", VersionID: "9.4"}, "Red Hat:enterprise_linux:9.4"},
		{core.Distro{ID: "sles", VersionID: "15.5"}, "SUSE:Linux Enterprise Server 15 SP5"},
		{core.Distro{ID: "sles", VersionID: "15"}, "SUSE:Linux Enterprise Server 15"},
		{core.Distro{ID: "sles", VersionID: "16.0"}, "SUSE:Linux Enterprise Server 16.0"},
		{core.Distro{ID: "opensuse-tumbleweed", VersionID: "20240101"}, "openSUSE:Tumbleweed"},
		{core.Distro{ID: "wolfi", VersionID: "20230201"}, "Wolfi"},
		{core.Distro{ID: "openEuler", VersionID: "24.03"}, "openEuler:24.03"},
		{core.Distro{ID: "mageia", VersionID: "9"}, "Mageia:9"},
		{core.Distro{ID: "centos", VersionID: "7"}, ""},
		{core.Distro{ID: "x", Ecosystem: "Given:1"}, "Given:1"},
	} {
		if got := distroEcosystem(c.d); got != c.want {
			t.Errorf("%+v is of %q, want %q", c.d, got, c.want)
		}
	}
}
