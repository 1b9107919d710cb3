package vuln

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestAPythonProjectOfADistributionIsTheDistributionsToJudge(t *testing.T) {
	const directory = "usr/lib/python3/dist-packages/urllib3-1.26.12.egg-info/PKG-INFO"
	python := []string{
		osv("PYSEC-2024-1", `"aliases":["CVE-2024-1"]`, affectedBy("PyPI", "urllib3", "introduced=0 fixed=1.26.17")),
		osv("PYSEC-2024-2", `"aliases":["CVE-2024-2"]`, affectedBy("PyPI", "urllib3", "introduced=0 fixed=2.0.0")),
	}
	set := setOf(t, map[string][]string{"PyPI": python, "Debian": {
		osv("DEBIAN-CVE-2024-1", `"upstream":["CVE-2024-1"]`,
			affectedBy("Debian:12", "python-urllib3", "introduced=0 fixed=1.26.12-1+deb12u1")),
		osv("DEBIAN-CVE-2024-3", `"upstream":["CVE-2024-3"]`, affectedBy("Debian:12", "git", "introduced=0")),
	}})
	project := func(name, version string, places ...string) core.Package {
		p := pkg("PyPI", name, version, "")
		p.Locations = nil
		for _, place := range places {
			p.Locations = append(p.Locations, core.Location{Path: place})
		}
		return p
	}
	const mended, unmended, other = "1.26.12-1+deb12u1", "1.26.12-1", "urllib3@1.26.12 CVE-2024-2 [PYSEC-2024-2] available=2.0.0 exact"
	const same = "urllib3@1.26.12 CVE-2024-1 [PYSEC-2024-1] available=1.26.17 exact"
	elsewhere := pkg("Debian:12", "python3-urllib3", mended, "python-urllib3")
	elsewhere.Subject = "sha256:another"
	removed := pkg("Debian:12", "python3-urllib3", mended, "python-urllib3")
	removed.Origin = &core.Origin{RemovedIn: new(int)}
	theirs := func(version string) core.Package {
		return pkg("Debian:12", "python3-urllib3", version, "python-urllib3")
	}
	const notAffected = "urllib3@1.26.12 CVE-2024-1 [PYSEC-2024-1] not-affected exact"
	for name, c := range map[string]struct {
		packages []core.Package
		want     []string
	}{
		"mended": {[]core.Package{theirs(mended), project("urllib3", "1.26.12", directory)}, []string{notAffected, other}},
		"not mended": {[]core.Package{theirs(unmended), project("urllib3", "1.26.12", directory)},
			[]string{"python3-urllib3@1.26.12-1 CVE-2024-1 [DEBIAN-CVE-2024-1] available=1.26.12-1+deb12u1 source", other}},
		"forged for an older one": {[]core.Package{theirs("1.20-1+deb12u9"), project("urllib3", "1.20", directory)},
			[]string{"python3-urllib3@1.20-1+deb12u9 CVE-2024-1 [DEBIAN-CVE-2024-1] available=1.26.12-1+deb12u1 source",
				strings.Replace(other, "1.26.12", "1.20", 1)}},
		"another version":  {[]core.Package{theirs("1.26.18-1"), project("urllib3", "1.26.12", directory)}, []string{same, other}},
		"another project":  {[]core.Package{pkg("Debian:12", "python3-requests", mended, "requests"), project("urllib3", "1.26.12", directory)}, []string{same, other}},
		"alone":            {[]core.Package{project("urllib3", "1.26.12", directory)}, []string{same, other}},
		"installed by pip": {[]core.Package{theirs(mended), project("urllib3", "1.26.12", "usr/local/lib/python3.11/dist-packages/urllib3-1.26.12.dist-info/METADATA")}, []string{same, other}},
		"and again by pip": {[]core.Package{theirs(mended), project("urllib3", "1.26.12", directory, "opt/venv/lib/python3/site-packages/urllib3-1.26.12.dist-info/METADATA")},
			[]string{same, other}},
		"in a lockfile":     {[]core.Package{theirs(mended), project("urllib3", "1.26.12", "requirements.txt")}, []string{same, other}},
		"of another image":  {[]core.Package{elsewhere, project("urllib3", "1.26.12", directory)}, []string{same, other}},
		"that was removed":  {[]core.Package{removed, project("urllib3", "1.26.12", directory)}, []string{same, other}},
		"of another source": {[]core.Package{pkg("Debian:12", "python3-urllib3", mended, "harmless"), project("urllib3", "1.26.12", directory)}, []string{same, other}},
	} {
		t.Run(name, func(t *testing.T) {
			e := match(t, set, c.packages...)
			want := slices.Sorted(slices.Values(c.want))
			if diff := cmp.Diff(want, lines(e.Findings)); diff != "" {
				t.Error(diff)
			}
			for _, f := range e.Findings {
				const text = "python3-urllib3 1.26.12-1+deb12u1 brought it, which the advisories of Debian:12 do not call affected"
				if f.Fix.State == core.FixNotAffected && f.Fix.Text != text {
					t.Errorf("%q", f.Fix.Text)
				}
			}
		})
	}
	without := setOf(t, map[string][]string{"PyPI": python})
	e := match(t, without, pkg("Debian:12", "python3-urllib3", mended, "python-urllib3"), project("urllib3", "1.26.12", directory))
	if diff := cmp.Diff([]string{same, other}, lines(e.Findings)); diff != "" {
		t.Errorf("a set without the distribution: %s", diff)
	}
}

func TestProjectsAreKnownByTheNamesOfDistributions(t *testing.T) {
	for _, c := range []struct {
		distributions, project string
		same                   bool
	}{
		{"python-urllib3", "urllib3", true}, {"pyyaml", "PyYAML", true}, {"py3-yaml", "PyYAML", true}, {"python-nacl", "PyNaCl", true},
		{"python-dateutil", "python-dateutil", true}, {"dbus-python", "dbus-python", true}, {"lazr.uri", "lazr-uri", true},
		{"python3.11-setuptools", "setuptools", true}, {"platform-python-pip", "pip", true}, {"jinja2", "Jinja2", true},
		{"python-urllib3", "requests", false}, {"python", "pip", false}, {"py3-", "py", false}, {"openssl", "pyOpenSSL", true},
		{"pyopenssl", "openssl", false},
	} {
		if got := sameProject(c.distributions, c.project); got != c.same {
			t.Errorf("%s and %s: %v", c.distributions, c.project, got)
		}
	}
	for version, want := range map[string]string{
		"1:2.28.1+dfsg-1": "2.28.1", "1.26.12-1+deb12u1": "1.26.12", "2.6.0": "2.6.0", "2.32.3-r0": "2.32.3", "1.26.5-5.el9": "1.26.5",
		"9.4.0~ds1-1": "9.4.0", "3.0-2-1": "3.0-2", "": "",
	} {
		if got := upstreamVersion(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}
