package vuln

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// setOf builds a set from OSV records, as one export for each ecosystem named.
func setOf(t testing.TB, by map[string][]string) *advisory.Set {
	t.Helper()
	dir := t.TempDir()
	for ecosystem, records := range by {
		if err := os.MkdirAll(filepath.Join(dir, ecosystem), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, ecosystem, "all.zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		for i, r := range records {
			w, err := z.Create(fmt.Sprintf("%d.json", i))
			if err == nil {
				_, err = w.Write([]byte(r))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"kev.json": `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2024-1","dateAdded":"2024-03-04",
			"knownRansomwareCampaignUse":"Known"}]}`,
		"epss.csv": "cve,epss,percentile\nCVE-2024-1,0.5,0.99\nCVE-2024-2,0.1,0.4\n",
		"eol-distros.csv": "distro,release,eol,extended_eol\ndebian,10,2022-09-10,2024-06-30\n" +
			"debian,12,2026-07-11,2028-06-30\n" +
			"alpine-linux,3.9,2020-11-01,\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "set")
	report, err := advisory.Build(t.Context(), advisory.BuildOptions{From: dir}, out)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Unreadable) > 0 {
		t.Fatalf("unreadable: %q", report.Unreadable)
	}
	set, err := advisory.Open(t.Context(), out, advisory.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// osv writes a record: extra members, then affected packages written by affectedBy.
func osv(id, extra string, affected ...string) string {
	if extra != "" {
		extra = "," + extra
	}
	return fmt.Sprintf(`{"id":%q,"modified":"2024-05-06T00:00:00Z","published":"2024-01-02T00:00:00Z"%s,"affected":[%s]}`,
		id, extra, strings.Join(affected, ","))
}

// affectedBy writes one affected package, with events as "introduced=0 fixed=1.2".
func affectedBy(ecosystem, name, events string) string {
	var list []string
	for e := range strings.FieldsSeq(events) {
		kind, v, _ := strings.Cut(e, "=")
		list = append(list, fmt.Sprintf(`{%q:%q}`, kind, v))
	}
	return fmt.Sprintf(`{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[%s]}]}`, ecosystem,
		name, strings.Join(list, ","))
}

// pkg is a package of the subject; the source is "name" or "name version".
func pkg(ecosystem, name, version, source string) core.Package {
	kinds := map[string]string{"Debian": "deb/debian", "Ubuntu": "deb/ubuntu", "Alpine": "apk/alpine",
		"AlmaLinux": "rpm/almalinux", "Go": "golang", "PyPI": "pypi"}
	kind := kinds[advisory.Family(ecosystem)]
	if kind == "" {
		kind = strings.ToLower(advisory.Family(ecosystem))
	}
	p := core.Package{Subject: subject, Name: name, Version: version, Ecosystem: ecosystem,
		Purl:      "pkg:" + kind + "/" + name + "@" + version,
		Locations: []core.Location{{Path: "where/it/is"}}}
	if source != "" {
		n, v, _ := strings.Cut(source, " ")
		p.Source = &core.SourcePackage{Name: n, Version: v}
	}
	return p
}

func match(t testing.TB, set Advisories, packages ...core.Package) *core.Evidence {
	t.Helper()
	e := evidenceOf(packages...)
	if err := Match(t.Context(), set, e, now); err != nil {
		t.Fatal(err)
	}
	return e
}

// lines writes findings in short: package, rule, aliases, fix, kind of match.
func lines(findings []core.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s@%s %s [%s] %s%s %s", f.Package.Name, f.Package.Version, f.Rule,
			strings.Join(f.Aliases, " "), f.Fix.State, strings.TrimSuffix("="+f.Fix.Version, "="), f.Match)))
	}
	slices.Sort(out)
	return out
}

func TestPackagesAreMatchedAsTheirEcosystemPublishes(t *testing.T) {
	set := setOf(t, map[string][]string{
		"Debian": {osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
			affectedBy("Debian:12", "glibc", "introduced=0 fixed=2.36-9+deb12u3"), affectedBy("Debian:11", "glibc",
				"introduced=0")),
			osv("DEBIAN-CVE-2024-2", `"upstream":["CVE-2024-2"]`, affectedBy("Debian:12", "git", "introduced=0 fixed=9"))},
		"Alpine": {osv("ALPINE-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
			affectedBy("Alpine:v3.20", "openssl", "introduced=0 fixed=3.3.2-r1"))},
		"AlmaLinux": {osv("ALSA-2024:1", `"related":["CVE-2024-1"]`,
			affectedBy("AlmaLinux:9", "openssl-libs", "introduced=0 fixed=1:3.0.7-25.el9"))},
		"Ubuntu": {osv("UBUNTU-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
			affectedBy("Ubuntu:16.04:LTS", "curl", "introduced=0"),
			affectedBy("Ubuntu:Pro:16.04:LTS", "curl", "introduced=0 fixed=7.47.0-1ubuntu2.19+esm5"))},
		"Go": {osv("GO-2024-1", `"aliases":["CVE-2024-1"]`, affectedBy("Go", "stdlib",
			"introduced=0 fixed=1.21.8 introduced=1.22.0-0 fixed=1.22.1")),
			osv("GO-2024-2", "", affectedBy("Go", "golang.org/x/crypto",
				"introduced=0 fixed=0.0.0-20220314234659-1baeb1ce4c0b"))},
		"PyPI":  {osv("PYSEC-2024-1", "", affectedBy("PyPI", "Flask_Thing", "introduced=0 fixed=2.0"))},
		"Maven": {osv("GHSA-aaaa-bbbb-cccc", "", affectedBy("Maven", "org.example:thing", "introduced=0 fixed=2.0.1"))},
		"NuGet": {osv("GHSA-aaaa-bbbb-dddd", "", affectedBy("NuGet", "Newtonsoft.Json", "introduced=0 fixed=13.0.1"))},
		"Packagist": {osv("DRUPAL-1", "", affectedBy("Packagist:https://packages.drupal.org/8", "drupal/graphql",
			"introduced=0 fixed=3.4.0"))},
		"npm": {osv("MAL-2024-1", "", affectedBy("npm", "evil", "introduced=0"))},
	})
	for _, test := range []struct {
		name string
		pkg  core.Package
		want []string
	}{
		{"source package of Debian", pkg("Debian:12", "libc6", "2.36-9", "glibc"),
			[]string{"libc6@2.36-9 CVE-2024-1 [DEBIAN-CVE-2024-1] available=2.36-9+deb12u3 source"}},
		{"source version of Debian", pkg("Debian:12", "libc6", "9:9", "glibc 2.36-9"),
			[]string{"libc6@9:9 CVE-2024-1 [DEBIAN-CVE-2024-1] available=2.36-9+deb12u3 source"}},
		{"fixed in Debian", pkg("Debian:12", "libc6", "2.36-9+deb12u3", "glibc"), nil},
		{"another release of Debian", pkg("Debian:11", "glibc", "2.31-13", ""),
			[]string{"glibc@2.31-13 CVE-2024-1 [DEBIAN-CVE-2024-1] none exact"}},
		{"a binary package with the name of another source", pkg("Debian:12", "git", "1", "something-else"), nil},
		{"origin of Alpine", pkg("Alpine:v3.20", "libssl3", "3.3.2-r0", "openssl"),
			[]string{"libssl3@3.3.2-r0 CVE-2024-1 [ALPINE-CVE-2024-1] available=3.3.2-r1 source"}},
		{"binary package of AlmaLinux", pkg("AlmaLinux:9", "openssl-libs", "1:3.0.7-24.el9", "openssl 3.0.7-24.el9"),
			[]string{"openssl-libs@1:3.0.7-24.el9 CVE-2024-1 [ALSA-2024:1] available=1:3.0.7-25.el9 exact"}},
		{"epoch of AlmaLinux", pkg("AlmaLinux:9.4", "openssl-libs", "2:1.0-1.el9", ""), nil},
		{"Ubuntu without Pro", pkg("Ubuntu:16.04", "curl", "7.47.0-1ubuntu2.19", ""),
			[]string{"curl@7.47.0-1ubuntu2.19 CVE-2024-1 [UBUNTU-CVE-2024-1] none exact"}},
		{"Ubuntu with Pro, fixed", pkg("Ubuntu:16.04:LTS", "curl", "7.47.0-1ubuntu2.19+esm5", ""), nil},
		{"Ubuntu with Pro, older", pkg("Ubuntu:16.04:LTS", "curl", "7.47.0-1ubuntu2.19+esm4", ""),
			[]string{"curl@7.47.0-1ubuntu2.19+esm4 CVE-2024-1 [UBUNTU-CVE-2024-1] none exact"}},
		{"Go toolchain", pkg("Go", "stdlib", "go1.21.7", ""),
			[]string{"stdlib@go1.21.7 CVE-2024-1 [GO-2024-1] available=1.21.8 exact"}},
		{"Go toolchain, newer branch", pkg("Go", "stdlib", "1.22.0", ""),
			[]string{"stdlib@1.22.0 CVE-2024-1 [GO-2024-1] available=1.22.1 exact"}},
		{"Go toolchain, candidate", pkg("Go", "stdlib", "1.22rc1", ""),
			[]string{"stdlib@1.22rc1 CVE-2024-1 [GO-2024-1] available=1.22.1 exact"}},
		{"Go pseudo-version", pkg("Go", "golang.org/x/crypto", "v0.0.0-20220214200702-86341886e292", ""),
			[]string{"golang.org/x/crypto@v0.0.0-20220214200702-86341886e292 GO-2024-2 [] " +
				"available=0.0.0-20220314234659-1baeb1ce4c0b exact"}},
		{"PyPI name", pkg("PyPI", "flask.thing", "1.9", ""), []string{"flask.thing@1.9 PYSEC-2024-1 [] available=2.0 exact"}},
		{"Maven", pkg("Maven", "org.example:thing", "2.0-SNAPSHOT", ""),
			[]string{"org.example:thing@2.0-SNAPSHOT GHSA-aaaa-bbbb-cccc [] available=2.0.1 exact"}},
		{"NuGet", pkg("NuGet", "newtonsoft.json", "12.0.3", ""),
			[]string{"newtonsoft.json@12.0.3 GHSA-aaaa-bbbb-dddd [] available=13.0.1 exact"}},
		{"Drupal", pkg("Packagist", "drupal/graphql", "3.3.0", ""),
			[]string{"drupal/graphql@3.3.0 DRUPAL-1 [] available=3.4.0 exact"}},
		{"ecosystem from the purl", core.Package{Subject: subject, Name: "flask-thing", Version: "1",
			Purl: "pkg:pypi/flask-thing@1"},
			[]string{"flask-thing@1 PYSEC-2024-1 [] available=2.0 exact"}},
		{"malicious", pkg("npm", "evil", "1.0.0", ""), []string{"evil@1.0.0 MAL-2024-1 [] none exact"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := match(t, set, test.pkg)
			if diff := cmp.Diff(test.want, lines(e.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFindingSaysAllThatIsKnown(t *testing.T) {
	set := setOf(t, map[string][]string{"npm": {
		osv("GHSA-aaaa-bbbb-cccc", `"aliases":["CVE-2024-1"],"summary":"It breaks","references":[{"type":"WEB",
			"url":"https://example.org/1"}],
			"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`,
			affectedBy("npm", "thing", "introduced=1.0.0 fixed=1.2.0 introduced=2.0.0 fixed=2.3.0")),
	}})
	p := pkg("npm", "thing", "2.1.0", "")
	p.Origin = &core.Origin{Layer: 2}
	got := match(t, set, p).Findings
	score := 9.8
	want := []core.Finding{{
		Fingerprint: core.FingerprintOf(core.KindVulnerability, "npm", "thing", "CVE-2024-1"),
		Subject:     subject, Kind: core.KindVulnerability, Rule: "CVE-2024-1",
		Aliases: []string{"GHSA-aaaa-bbbb-cccc"}, Title: "It breaks",
		Severity: core.SeverityCritical, Score: &score,
		Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", SeveritySource: "CVSS 3.1",
		Package:   &core.PackageRef{Name: "thing", Version: "2.1.0", Purl: "pkg:npm/thing@2.1.0", Ecosystem: "npm"},
		Locations: []core.Location{{Path: "where/it/is"}}, Origin: &core.Origin{Layer: 2},
		Fix:   core.Fix{State: core.FixAvailable, Versions: []string{"1.2.0", "2.3.0"}, Version: "2.3.0"},
		Match: core.MatchExact, Confidence: core.ConfidenceHigh,
		Exploited: &core.Exploited{Since: "2024-03-04", Ransomware: true}, EPSS: &core.EPSS{Score: 0.5, Percentile: 0.99},
		Published: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC),
		Modified:  time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC),
		References: []string{"https://nvd.nist.gov/vuln/detail/CVE-2024-1",
			"https://github.com/advisories/GHSA-aaaa-bbbb-cccc", "https://example.org/1"},
		SeenBy: []string{"GitHub"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestOneFindingForEachFlawHoweverManyDatabasesNameIt(t *testing.T) {
	for _, test := range []struct {
		name      string
		ecosystem string
		records   []string
		want      []string
	}{
		{"aliases, transitively", "PyPI", []string{
			osv("PYSEC-2024-1", `"aliases":["CVE-2024-1"]`, affectedBy("PyPI", "x", "introduced=0 fixed=2.0")),
			osv("GHSA-aaaa-bbbb-cccc", `"aliases":["CVE-2024-1","X-1"]`, affectedBy("PyPI", "x", "introduced=0 fixed=2.1")),
			osv("Y-1", `"aliases":["X-1"]`, affectedBy("PyPI", "x", "introduced=0")),
			osv("PYSEC-2024-2", "", affectedBy("PyPI", "x", "introduced=0 fixed=3.0")),
		}, []string{"x@1.0 CVE-2024-1 [GHSA-aaaa-bbbb-cccc PYSEC-2024-1 X-1 Y-1] available=2.0 exact",
			"x@1.0 PYSEC-2024-2 [] available=3.0 exact"}},
		{"the fix is the one that all agree on", "PyPI", []string{
			osv("PYSEC-2024-1", `"aliases":["CVE-2024-1"]`, affectedBy("PyPI", "x", "introduced=0 fixed=2.0")),
			osv("GHSA-aaaa-bbbb-cccc", `"aliases":["CVE-2024-1"]`, affectedBy("PyPI", "x", "introduced=0 fixed=2.1")),
		}, []string{"x@1.0 CVE-2024-1 [GHSA-aaaa-bbbb-cccc PYSEC-2024-1] available=2.1 exact"}},
		{"an announcement of several does not glue them", "Debian:12", []string{
			osv("DSA-1-1", `"upstream":["CVE-2024-1","CVE-2024-2"]`, affectedBy("Debian:12", "x", "introduced=0 fixed=2.0")),
			osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`, affectedBy("Debian:12", "x", "introduced=0 fixed=2.0")),
		}, []string{"x@1.0 CVE-2024-1 [DEBIAN-CVE-2024-1 DSA-1-1] available=2.0 exact",
			"x@1.0 CVE-2024-2 [DSA-1-1] available=2.0 exact"}},
		{"related flaws of an rpm announcement", "AlmaLinux:9", []string{
			osv("ALSA-2024:1", `"related":["CVE-2024-2","CVE-2024-10"]`,
				affectedBy("AlmaLinux:9", "x", "introduced=0 fixed=2-1.el9")),
			osv("ALSA-2024:2", `"related":["CVE-2024-10"]`, affectedBy("AlmaLinux:9", "x", "introduced=0 fixed=3-1.el9")),
		}, []string{"x@1.0 CVE-2024-10 [ALSA-2024:1 ALSA-2024:2] available=3-1.el9 exact",
			"x@1.0 CVE-2024-2 [ALSA-2024:1] available=2-1.el9 exact"}},
		{"an announcement without a CVE", "Debian:12", []string{osv("DSA-2-1", "", affectedBy("Debian:12", "x",
			"introduced=0 fixed=2.0"))},
			[]string{"x@1.0 DSA-2-1 [] available=2.0 exact"}},
		{"the oldest CVE names it", "Go", []string{osv("GO-2024-1",
			`"aliases":["CVE-2024-999","CVE-2024-1000","CVE-2023-5000"]`, affectedBy("Go", "x", "introduced=0"))},
			[]string{"x@1.0 CVE-2023-5000 [CVE-2024-1000 CVE-2024-999 GO-2024-1] none exact"}},
		{"related ids are no aliases where there is a CVE", "Go", []string{
			osv("GO-2024-1", `"aliases":["CVE-2024-1"],"related":["CVE-2024-2"]`, affectedBy("Go", "x", "introduced=0")),
			osv("GO-2024-2", `"aliases":["CVE-2024-2"]`, affectedBy("Go", "x", "introduced=0"))},
			[]string{"x@1.0 CVE-2024-1 [GO-2024-1] none exact", "x@1.0 CVE-2024-2 [GO-2024-2] none exact"}},
		{"several parts of one record", "Go", []string{osv("GO-2024-1", "", affectedBy("Go", "x",
			"introduced=2.0.0 fixed=2.1.0"), affectedBy("Go", "x", "introduced=0 fixed=1.3.0"))},
			[]string{"x@1.0 GO-2024-1 [] available=1.3.0 exact"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := setOf(t, map[string][]string{advisory.Family(test.ecosystem): test.records})
			e := match(t, set, pkg(test.ecosystem, "x", "1.0", ""))
			if diff := cmp.Diff(test.want, lines(e.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSeverityIsComputedAndSaysWhereItIsFrom(t *testing.T) {
	vector := func(kind, score string) string {
		return fmt.Sprintf(`"severity":[{"type":%q,"score":%q}]`, kind, score)
	}
	debian := func(id, extra, urgency string) string {
		return strings.Replace(osv(id, extra, affectedBy("Debian:12", "x", "introduced=0")), `"package"`,
			fmt.Sprintf(`"ecosystem_specific":{"urgency":%q},"package"`, urgency), 1)
	}
	for _, test := range []struct {
		name, ecosystem, record, elsewhere string
		severity                           core.Severity
		score                              float64
		source                             string
	}{
		{"CVSS 4.0", "Go", osv("GO-1", vector("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
			affectedBy("Go", "x", "introduced=0")), "", core.SeverityCritical, 9.3, "CVSS 4.0"},
		{"CVSS 3.1", "Go", osv("GO-1", vector("CVSS_V3", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:H/A:N"),
			affectedBy("Go", "x", "introduced=0")), "", core.SeverityMedium, 5.9, "CVSS 3.1"},
		{"CVSS 3.0", "Go", osv("GO-1", vector("CVSS_V3", "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L"),
			affectedBy("Go", "x", "introduced=0")), "", core.SeverityLow, 1.8, "CVSS 3.0"},
		{"CVSS 2", "Go", osv("GO-1", vector("CVSS_V2", "(AV:N/AC:L/Au:N/C:C/I:C/A:C)"),
			affectedBy("Go", "x", "introduced=0")), "", core.SeverityCritical, 10, "CVSS 2.0"},
		{"not a vector", "Go", osv("GO-1", vector("CVSS_V3", "9.8"), affectedBy("Go", "x", "introduced=0")), "",
			core.SeverityUnknown, 0, ""},
		{"urgency of Debian", "Debian:12", debian("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`, "unimportant"), "",
			core.SeverityLow, 0, "Debian urgency"},
		{"not yet assigned", "Debian:12", debian("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`, "not yet assigned"), "",
			core.SeverityUnknown, 0, ""},
		{"priority of Ubuntu", "Ubuntu:22.04", osv("UBUNTU-CVE-2024-1", vector("Ubuntu", "medium"),
			affectedBy("Ubuntu:22.04:LTS", "x", "introduced=0")), "", core.SeverityMedium, 0, "Ubuntu priority"},
		{"word of GitHub", "npm", osv("GHSA-1", `"database_specific":{"severity":"MODERATE"}`,
			affectedBy("npm", "x", "introduced=0")), "", core.SeverityMedium, 0, "GitHub"},
		{"word in AlmaLinux's summary", "AlmaLinux:9", osv("ALSA-1", `"summary":"Important: x security update"`,
			affectedBy("AlmaLinux:9", "x", "introduced=0")), "", core.SeverityHigh, 0, "AlmaLinux"},
		{"another record's vector for the CVE", "Debian:12", osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
			affectedBy("Debian:12", "x", "introduced=0")),
			osv("BIT-x-2024-1", `"aliases":["CVE-2024-1"],`+vector("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
				affectedBy("Bitnami", "y", "introduced=0")), core.SeverityCritical, 9.8, "CVSS 3.1"},
		{"nobody says", "Go", osv("GO-1", "", affectedBy("Go", "x", "introduced=0")), "", core.SeverityUnknown, 0, ""},
		{"malicious", "npm", osv("MAL-2024-1", "", affectedBy("npm", "x", "introduced=0")), "", core.SeverityCritical, 0,
			"malicious package"},
	} {
		t.Run(test.name, func(t *testing.T) {
			by := map[string][]string{advisory.Family(test.ecosystem): {test.record}}
			if test.elsewhere != "" {
				by["Bitnami"] = []string{test.elsewhere}
			}
			got := match(t, setOf(t, by), pkg(test.ecosystem, "x", "1.0", "")).Findings
			if len(got) != 1 {
				t.Fatalf("%d findings", len(got))
			}
			score := 0.0
			if got[0].Score != nil {
				score = *got[0].Score
			}
			if got[0].Severity != test.severity || score != test.score || got[0].SeveritySource != test.source {
				t.Errorf("severity is %v, %v from %q; want %v, %v from %q", got[0].Severity, score, got[0].SeveritySource,
					test.severity, test.score, test.source)
			}
			if (got[0].Kind == core.KindMalware) != (test.name == "malicious") {
				t.Errorf("kind is %s", got[0].Kind)
			}
		})
	}
}

func TestRemovedPackagesAreNotMatched(t *testing.T) {
	set := setOf(t, map[string][]string{"Go": {osv("GO-1", "", affectedBy("Go", "x", "introduced=0"))}})
	layer := 3
	p := pkg("Go", "x", "1.0.0", "")
	p.Origin = &core.Origin{RemovedIn: &layer}
	if got := match(t, set, p).Findings; len(got) != 0 {
		t.Errorf("findings: %v", lines(got))
	}
}

func TestAVendoredCopySaysSo(t *testing.T) {
	set := setOf(t, map[string][]string{"Maven": {osv("GHSA-1", "", affectedBy("Maven", "a:x", "introduced=0"))}})
	plain, vendored := pkg("Maven", "a:x", "1.0.0", ""), pkg("Maven", "a:x", "1.0.0", "")
	vendored.Vendored = true
	want := []string{"a:x@1.0.0 GHSA-1 [] none exact", "a:x@1.0.0 GHSA-1 [] none vendored"}
	if diff := cmp.Diff(want, lines(match(t, set, plain, vendored).Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestTheFingerprintOutlivesUpgradesPlatformsAndReleases(t *testing.T) {
	set := setOf(t, map[string][]string{"Debian": {osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
		affectedBy("Debian:12", "x", "introduced=0"), affectedBy("Debian:13", "x", "introduced=0"))}})
	other := pkg("Debian:13", "x", "2.0", "")
	other.Subject = "sha256:bbbb"
	got := match(t, set, pkg("Debian:12", "x", "1.0", ""), other).Findings
	if len(got) != 2 || got[0].Fingerprint != got[1].Fingerprint || got[0].Subject == got[1].Subject {
		t.Errorf("findings: %+v", got)
	}
}

func TestWhatCouldNotBeLookedUpIsSaid(t *testing.T) {
	set := setOf(t, map[string][]string{
		"Debian": {osv("DEBIAN-CVE-2024-1", "", affectedBy("Debian:12", "x", "introduced=0 fixed=1.0"))},
		"Go":     {osv("GO-1", "", affectedBy("Go", "x", "introduced=0 fixed=1.0.0"))},
	})
	bare := func(purl string) core.Package {
		return core.Package{Subject: subject, Name: "x", Version: "1", Purl: purl}
	}
	for _, test := range []struct {
		name     string
		packages []core.Package
		status   core.Completeness
		why      []string
	}{
		{"all known", []core.Package{pkg("Debian:12", "y", "1", ""), pkg("Go", "y", "1.0.0", "")}, core.Complete, nil},
		{"no packages", nil, core.Complete, nil},
		{"a release that the set does not know", []core.Package{pkg("Debian:99", "x", "1", "")}, core.Partial,
			[]string{"Debian:99: the set has advisories for other releases only (1 package)"}},
		{"an ecosystem that the set does not hold", []core.Package{pkg("PyPI", "x", "1", ""), pkg("PyPI", "y", "1", "")},
			core.Partial, []string{"PyPI: the set has no advisories for it (2 packages)"}},
		{"the same, by purl only", []core.Package{bare("pkg:gem/x@1")}, core.Partial,
			[]string{"RubyGems: the set has no advisories for it (1 package)"}},
		{"a distribution without advisories", []core.Package{bare("pkg:rpm/amzn/x@1?arch=x86_64"), bare("pkg:rpm/amzn/y@1")},
			core.Partial, []string{"rpm packages of amzn: OSV has no advisories for them (2 packages)"}},
		{"an unknown distribution", []core.Package{bare("pkg:deb/x@1")}, core.Partial,
			[]string{"deb packages of an unknown distribution: OSV has no advisories for them (1 package)"}},
		{"a distribution of an unknown release", []core.Package{bare("pkg:deb/debian/x@1"), bare("pkg:apk/alpine/x@1")}, core.Partial,
			[]string{"apk packages of alpine: of which release they are is not known (1 package)",
				"deb packages of debian: of which release they are is not known (1 package)"}},
		{"binary packages only, where advisories name sources",
			[]core.Package{pkg("Debian:12", "libc6", "2.36-9", ""), pkg("Debian:12", "libssl3", "3.0.9-1", ""), pkg("Debian:12", "tzdata", "1", "")},
			core.Partial, []string{"Debian:12: its advisories name what packages are built from, which is not said even of the best known (2 packages)"}},
		{"binary packages with their sources", []core.Package{pkg("Debian:12", "libc6", "2.36-9", "glibc"), pkg("Debian:12", "tzdata", "1", "")},
			core.Complete, nil},
		{"harmless kinds", []core.Package{bare("pkg:generic/x@1"), bare("pkg:docker/library/x@1"), bare("")}, core.Complete,
			[]string{
				"docker: no advisories are published for such packages (1 package), and they were not looked up",
				"generic: no advisories are published for such packages (1 package), and they were not looked up",
				"unknown: no advisories are published for such packages (1 package), and they were not looked up"}},
		{"a version that is none", []core.Package{pkg("Go", "x", "(devel)", "")}, core.Partial,
			[]string{`cannot compare GO-1 and x "(devel)": "(devel)" is not a version of Go`}},
		{"a version that is none of a package without advisories", []core.Package{pkg("Go", "main", "(devel)", "")},
			core.Complete, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := match(t, set, test.packages...)
			if len(e.Examinations) != 1 {
				t.Fatalf("%d examinations", len(e.Examinations))
			}
			x := e.Examinations[0]
			if x.Name != core.ExamineAdvisories || x.Subject != subject || x.Input != set.Source().Digest {
				t.Errorf("examination: %+v", x)
			}
			if diff := cmp.Diff(test.why, x.Why); diff != "" || x.Status != test.status {
				t.Errorf("status is %s, want %s; why (-want +got):\n%s", x.Status, test.status, diff)
			}
		})
	}
}

func TestTheStarterSetCannotClear(t *testing.T) {
	set, err := advisory.Starter()
	if err != nil {
		t.Fatal(err)
	}
	e := match(t, set, pkg("Go", "golang.org/x/net", "v0.16.0", ""), pkg("Hex", "x", "1.0.0", ""))
	if len(e.Findings) == 0 || !e.Advisories.Starter || e.Advisories.Name != "embedded starter set" {
		t.Errorf("%d findings by %+v", len(e.Findings), e.Advisories)
	}
	if len(e.Examinations) != 1 {
		t.Fatalf("examinations: %+v", e.Examinations)
	}
	x := e.Examinations[0]
	if x.Status != core.Partial || x.Code != core.CodeStarterAdvisories || !strings.Contains(x.Remedy,
		"advisories build --from") ||
		!slices.ContainsFunc(x.Why, func(w string) bool { return strings.HasPrefix(w, "Hex:") }) {
		t.Errorf("examination: %+v", x)
	}
	if !slices.ContainsFunc(x.Why, func(w string) bool { return strings.Contains(w, "a small selection of") }) {
		t.Errorf("it does not say how little the set holds: %q", x.Why)
	}
	// Other gaps stand apart, so that accepting the starter set does not accept them.
	e = match(t, set, core.Package{Subject: subject, Name: "x", Version: "1", Purl: "pkg:rpm/amzn/x@1"})
	if len(e.Examinations) != 2 || e.Examinations[1].Code != "" || e.Examinations[1].Status != core.Partial {
		t.Errorf("examinations: %+v", e.Examinations)
	}
}

func TestAReleaseThatTheStarterSetDoesNotKnowStandsApart(t *testing.T) {
	set, err := advisory.Starter()
	if err != nil {
		t.Fatal(err)
	}
	for _, ecosystem := range []string{"Debian:99", "Debian:12x", "Debian:12 ", "Debian:12/sid", "Alpine:v9.9"} {
		x := match(t, set, pkg(ecosystem, "libc6", "2.36-9", "glibc")).Examinations
		if len(x) != 2 || x[0].Code != core.CodeStarterAdvisories || x[1].Code != "" || x[1].Status != core.Partial ||
			x[1].Remedy == "" || !strings.HasPrefix(x[1].Why[0], ecosystem+":") {
			t.Errorf("%s: %+v", ecosystem, x)
		}
	}
	if x := match(t, set, pkg("Wolfi", "glibc", "2.36-r0", "")).Examinations; len(x) != 1 {
		t.Errorf("a distribution that the starter set lacks altogether: %+v", x)
	}
}

func TestADistributionBeyondItsSupportIsAFinding(t *testing.T) {
	set := setOf(t, map[string][]string{"Go": nil})
	e := evidenceOf()
	for _, d := range []*core.Distro{
		{ID: "debian", VersionID: "10", PrettyName: "Debian GNU/Linux 10 (buster)", Ecosystem: "Debian:10"}, {ID: "debian",
			VersionID: "12"},
		{ID: "alpine", VersionID: "3.9.6", Ecosystem: "Alpine:v3.9"}, {ID: "alpine",
			VersionID: "3.21.0_alpha20240923"}, {ID: "odd"}, nil,
	} {
		e.Images = append(e.Images, core.ImageFacts{Subject: subject, Distro: d})
	}
	if err := Match(t.Context(), set, e, now); err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, f := range e.Findings {
		titles = append(titles, fmt.Sprint(f.Kind, " ", f.Severity, " ", f.Title))
	}
	want := []string{"end-of-life high Debian GNU/Linux 10 (buster) has had no security updates since 2024-06-30",
		"end-of-life high alpine 3.9.6 has had no security updates since 2020-11-01"}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := e.Images[1].Distro.EndOfLife; got != "2028-06-30" {
		t.Errorf("Debian 12 ends on %q", got)
	}
	lastDay := evidenceOf()
	lastDay.Images = []core.ImageFacts{{Subject: subject, Distro: &core.Distro{ID: "debian", VersionID: "10"}}}
	if err := Match(t.Context(), set, lastDay, time.Date(2024, 6, 30, 23, 0, 0, 0, time.UTC)); err != nil ||
		len(lastDay.Findings) != 0 {
		t.Errorf("on the last day of support: %v, %v", lastDay.Findings, err)
	}
}

func TestAnIndexHasNoExaminationAndEachPlatformItsOwn(t *testing.T) {
	set := setOf(t, map[string][]string{"Go": nil})
	e := &core.Evidence{Subjects: []core.Subject{{Kind: core.KindIndex, Digest: "sha256:1"},
		{Kind: core.KindImage, Digest: "sha256:3"}, {Kind: core.KindImage, Digest: "sha256:2"}}}
	if err := Match(t.Context(), set, e, now); err != nil {
		t.Fatal(err)
	}
	if len(e.Examinations) != 2 || e.Examinations[0].Subject != "sha256:3" || e.Examinations[1].Subject != "sha256:2" {
		t.Errorf("examinations: %+v", e.Examinations)
	}
}

func TestADamagedSetIsAnErrorAndLeavesTheEvidenceAlone(t *testing.T) {
	build := setOf(t, map[string][]string{"Go": {osv("GO-1", "", affectedBy("Go", "x", "introduced=0"))}})
	if err := os.RemoveAll(filepath.Join(strings.TrimPrefix(build.Source().Name, "oci:"), "blobs")); err != nil {
		t.Fatal(err)
	}
	e := evidenceOf(pkg("Go", "x", "1.0.0", ""))
	err := Match(t.Context(), build, e, now)
	var failure *core.Failure
	if !errors.As(err, &failure) || failure.Hint == "" || core.Usage(err) {
		t.Errorf("error is %v, want a failure with a hint", err)
	}
	if len(e.Findings)+len(e.Examinations) != 0 || e.Advisories.Name != "" {
		t.Errorf("evidence was changed: %+v", e)
	}
}

func TestAPackageThatTheDistributorNoLongerSupportsHasNoFix(t *testing.T) {
	entry := affectedBy("Debian:12", "chromium", "introduced=0")
	ended := strings.Replace(entry, `"ranges"`, `"ecosystem_specific":{"urgency":"end-of-life"},"ranges"`, 1)
	set := setOf(t, map[string][]string{"Debian": {osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`, ended),
		osv("DEBIAN-CVE-2024-2", `"upstream":["CVE-2024-2"]`, entry)}})
	e := match(t, set, pkg("Debian:12", "chromium", "1.0-1", ""))
	want := []string{"chromium@1.0-1 CVE-2024-1 [DEBIAN-CVE-2024-1] end-of-life exact",
		"chromium@1.0-1 CVE-2024-2 [DEBIAN-CVE-2024-2] none exact"}
	if diff := cmp.Diff(want, lines(e.Findings)); diff != "" {
		t.Error(diff)
	}
}
