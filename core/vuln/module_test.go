package vuln

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestAPackageIsOfTheModuleThatAnAdvisoryIsAbout(t *testing.T) {
	const plain, modular = "12.22.5-1.el8", "1:12.22.5-1.module+el8.4.0+12246+817a9b2b"
	fixed := []string{"1:12.22.5-1.module_el8.4.0+2521+c668cc9f"}
	for _, c := range []struct {
		name                               string
		installed, about, installedVersion string
		fixed                              []string
		match, sure                        bool
	}{
		{"neither is modular", "", "", plain, []string{"12.22.6-1.el8"}, true, true},
		{"neither is modular, and nothing fixes it", "", "", plain, nil, true, true},
		{"the same stream", "nodejs:12", "nodejs:12", modular, fixed, true, true},
		{"another stream", "nodejs:10", "nodejs:12", modular, fixed, false, true},
		{"another module", "mariadb:12", "nodejs:12", modular, fixed, false, true},
		{"a stream that begins like it", "nodejs:1", "nodejs:12", modular, fixed, false, true},
		{"a fix of a module for what is of none", "", "nodejs:12", plain, fixed, false, true},
		{"the same, of an unknown stream", "", "", plain, fixed, false, true},
		{"a fix of none for what is of a module", "nodejs:12", "", modular, []string{"12.22.6-1.el8"}, false, true},
		{"the same, of an unknown stream", "", "", modular, []string{"12.22.6-1.el8"}, false, true},
		{"the advisory does not tell its stream", "nodejs:12", "", modular, fixed, true, false},
		{"the package does not tell its stream", "", "nodejs:12", modular, fixed, true, false},
		{"neither tells its stream", "", "", modular, fixed, true, false},
		{"a label without a build", "nodejs:12", "nodejs:12", plain, fixed, true, true},
		{"the same, of another stream", "nodejs:10", "nodejs:12", plain, fixed, false, true},
		{"the same, for a fix of none", "nodejs:12", "", plain, []string{"12.22.6-1.el8"}, true, true},
		{"a stream in the summary of a fix of none", "", "kernel:4.18.0", plain, []string{"4.18.0-5.el8"}, true, true},
		{"one of two modules", "virt:rhel", "virt-devel:rhel,virt:rhel", modular, fixed, true, true},
		{"one of two streams of a module", "idm:DL1", "idm:DL1,idm:client", modular, fixed, true, false},
		{"none of two", "idm:DL2", "idm:DL1,idm:client", modular, fixed, false, true},
		{"an advisory that names no build", "nodejs:12", "", modular, nil, true, false},
		{"an advisory that names no build but its stream", "nodejs:10", "nodejs:12", modular, nil, false, true},
		{"fixes of both kinds", "nodejs:12", "nodejs:12", modular, append([]string{"1-1.el8"}, fixed...), true, true},
	} {
		match, sure := sameModule(c.installed, c.about, c.installedVersion, c.fixed)
		if match != c.match || sure != c.sure {
			t.Errorf("%s: match %v, sure %v; want %v, %v", c.name, match, sure, c.match, c.sure)
		}
	}
}

func TestBuildsOfModulesAreComparedWithoutTheirPlatform(t *testing.T) {
	for version, want := range map[string]string{
		"1:12.22.5-1.module_el8.4.0+2521+c668cc9f":        "1:12.22.5-1.module",
		"0:2.7.0-10.module+el8.4.0+570+c2eaf144":          "0:2.7.0-10.module",
		"1.15.7-8.module_el8.9.0+3809+48080a14.5.alma.1":  "1.15.7-8.module.5.alma.1",
		"1:0.1-2.git2d0b8a3.module_el8.3.0+2044+12421f43": "1:0.1-2.git2d0b8a3.module",
		"3.0.4-7.el8":       "3.0.4-7.el8",
		"1.0-1.modules.el8": "1.0-1.modules.el8",
		"":                  "",
	} {
		if got := withoutBuild(version); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}

func TestOnlyAdvisoriesOfThePackagesStreamAreMatched(t *testing.T) {
	const eight = "AlmaLinux:8"
	set := setOf(t, map[string][]string{"AlmaLinux": {
		osv("ALSA-2021:3623", `"related":["CVE-2024-1"],"summary":"Important: nodejs:12 security update"`,
			affectedBy(eight, "nodejs", "introduced=0 fixed=1:12.22.5-1.module_el8.4.0+2521+c668cc9f")),
		osv("ALSA-2021:0735", `"related":["CVE-2024-2"],"summary":"Important: nodejs:10 security update"`,
			affectedBy(eight, "nodejs", "introduced=0 fixed=1:10.24.0-1.module_el8.3.0+2023+d2377ea3")),
		osv("ALSA-2024:1690", `"related":["CVE-2024-3"],"summary":"Important: varnish security update"`,
			affectedBy(eight, "varnish", "introduced=0 fixed=6.0.13-1.module_el8.9.0+3800+aaaaaaaa")),
		osv("ALSA-2024:9999", `"related":["CVE-2024-4"],"summary":"Important: python3 security update"`,
			affectedBy(eight, "python3-chardet", "introduced=0 fixed=3.0.4-8.el8")),
		osv("ALSA-2024:8888", `"related":["CVE-2024-5"],"summary":"Moderate: python38:3.8 security update"`,
			affectedBy(eight, "python3-chardet", "introduced=0 fixed=3.0.4-19.module_el8.3.0+2044+12421f43")),
		// Parts that an update did not change are listed with older builds.
		osv("ALSA-2024:1786", `"related":["CVE-2024-6"],"summary":"Important: httpd:2.4/mod_http2 security update"`,
			affectedBy(eight, "mod_md", "introduced=0 fixed=1:2.0.8-8.module_el8.6.0+2872+fe0ff7aa"),
			affectedBy(eight, "mod_md", "introduced=0 fixed=1:2.0.8-8.module_el8.6.0+3031+fb177b09")),
	}})
	for _, c := range []struct {
		name, pkg, version, module string
		want                       []string
		confidence                 core.Confidence
	}{
		{"of 12", "nodejs", "1:12.21.0-1.module_el8.3.0+2020+aaaaaaaa", "nodejs:12", []string{
			"nodejs@1:12.21.0-1.module_el8.3.0+2020+aaaaaaaa CVE-2024-1 [ALSA-2021:3623] " +
				"available=1:12.22.5-1.module_el8.4.0+2521+c668cc9f exact"}, core.ConfidenceHigh},
		{"of 10, though older than the fix of 12", "nodejs", "1:10.24.0-1.module_el8.3.0+2023+d2377ea3", "nodejs:10", nil, 0},
		{"of 14", "nodejs", "1:14.0.0-1.module_el8.3.0+2020+aaaaaaaa", "nodejs:14", nil, 0},
		{"of a stream that is not known", "nodejs", "1:12.21.0-1.module_el8.3.0+2020+aaaaaaaa", "", []string{
			"nodejs@1:12.21.0-1.module_el8.3.0+2020+aaaaaaaa CVE-2024-1 [ALSA-2021:3623] " +
				"available=1:12.22.5-1.module_el8.4.0+2521+c668cc9f exact"}, core.ConfidenceLow},
		{"of none", "nodejs", "1:1.0-1.el8", "", nil, 0},
		{"an advisory of a stream that is not known", "varnish", "6.0.8-1.module_el8.5.0+1+aaaaaaaa", "varnish:6", []string{
			"varnish@6.0.8-1.module_el8.5.0+1+aaaaaaaa CVE-2024-3 [ALSA-2024:1690] " +
				"available=6.0.13-1.module_el8.9.0+3800+aaaaaaaa exact"}, core.ConfidenceLow},
		{"a package that is in no module and in one", "python3-chardet", "3.0.4-7.el8", "", []string{
			"python3-chardet@3.0.4-7.el8 CVE-2024-4 [ALSA-2024:9999] available=3.0.4-8.el8 exact"}, core.ConfidenceHigh},
		{"the older build of a part", "mod_md", "1:2.0.8-8.module_el8.6.0+2872+fe0ff7aa", "httpd:2.4", nil, 0},
		{"an older version of it", "mod_md", "1:2.0.8-7.module_el8.4.0+2872+fe0ff7aa", "httpd:2.4", []string{
			"mod_md@1:2.0.8-7.module_el8.4.0+2872+fe0ff7aa CVE-2024-6 [ALSA-2024:1786] " +
				"available=1:2.0.8-8.module_el8.6.0+2872+fe0ff7aa exact"}, core.ConfidenceHigh},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pkg(eight, c.pkg, c.version, "")
			p.Module = c.module
			f := match(t, set, p).Findings
			if diff := cmp.Diff(c.want, lines(f)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(f) == 1 && f[0].Confidence != c.confidence {
				t.Errorf("the confidence is %s, want %s", f[0].Confidence, c.confidence)
			}
		})
	}
}
