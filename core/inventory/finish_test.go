package inventory

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

const subject = core.Digest("sha256:one")

func at1(layer int, removed ...int) *core.Origin {
	o := &core.Origin{Layer: layer, DiffID: core.Digest(strings.Repeat("x", layer+1)), CreatedBy: "layer"}
	if len(removed) > 0 {
		o.RemovedIn = &removed[0]
	}
	return o
}

func npm(path string, origin *core.Origin) core.Package {
	p := core.Package{Subject: subject, Name: "a", Version: "1", Purl: "pkg:npm/a@1", Ecosystem: "npm",
		Locations: []core.Location{{Path: path}}, Origin: origin, Analyzer: "javascript/packagejson"}
	if origin != nil {
		p.Locations[0].Layer = origin.DiffID
	}
	return p
}

func finished(packages ...core.Package) []core.Package {
	e := core.Evidence{Packages: packages}
	Finish(&e)
	e.Sort()
	return e.Packages
}

func TestCopiesOfAPackageBecomeOneWithAllLocations(t *testing.T) {
	five := []core.Package{npm("e", at1(0)), npm("d", at1(1)), npm("c", at1(0)), npm("b", at1(2)), npm("a", at1(0))}
	other := npm("x", at1(0))
	other.Subject = "sha256:two"
	got := finished(append(five, other)...)
	if len(got) != 2 {
		t.Fatalf("%d packages", len(got))
	}
	var paths []string
	for _, p := range got {
		if p.Subject == subject {
			for _, l := range p.Locations {
				paths = append(paths, l.Path)
			}
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, paths); diff != "" {
		t.Error(diff)
	}
}

func TestVisibleCopyWinsOverRemovedOnes(t *testing.T) {
	got := finished(npm("old", at1(0, 1)), npm("new", at1(2)))
	if len(got) != 1 || !got[0].Visible() || got[0].Origin.Layer != 2 || len(got[0].Locations) != 1 || got[0].Locations[0].Path != "new" {
		t.Errorf("%+v", got)
	}
}

func TestOriginIsWhereThePackageFirstCame(t *testing.T) {
	for name, c := range map[string]struct {
		copies  []core.Package
		layer   int
		removed int // -1: visible
	}{
		"database replaced by one that still lists it": {[]core.Package{npm("db", at1(0, 2)), npm("db", at1(2, 5)), npm("db", at1(5))}, 0, -1},
		"gone for a while": {[]core.Package{npm("db", at1(0, 2)), npm("db", at1(3))}, 3, -1},
		"removed for good": {[]core.Package{npm("db", at1(0, 2)), npm("other", at1(1, 4))}, 0, 4},
		"two places":       {[]core.Package{npm("b", at1(3)), npm("a", at1(1))}, 1, -1},
	} {
		got := finished(c.copies...)
		removed := -1
		if r := got[0].Origin.RemovedIn; r != nil {
			removed = *r
		}
		if len(got) != 1 || got[0].Origin.Layer != c.layer || removed != c.removed {
			t.Errorf("%s: layer %d, removed in %d", name, got[0].Origin.Layer, removed)
		}
	}
}

func TestMergedPackageIsWhatItsWorstCopyIs(t *testing.T) {
	development, vendored := npm("a", nil), npm("b", nil)
	development.Scope, development.Vendored = core.ScopeDevelopment, true
	vendored.Vendored = true
	vendored.Licenses = []string{"MIT"}
	vendored.Hashes = map[string]string{"sha1": "x"}
	got := finished(development, vendored)[0]
	if got.Scope != "" || !got.Vendored || !slices.Equal(got.Licenses, []string{"MIT"}) || got.Hashes["sha1"] != "x" {
		t.Errorf("%+v", got)
	}
	if got := finished(development, npm("c", nil))[0]; got.Vendored {
		t.Error("a copy that is installed was overlooked")
	}
	contradicting := npm("c", nil)
	contradicting.Hashes = map[string]string{"sha1": "y"}
	if got := finished(vendored, contradicting)[0]; got.Hashes != nil {
		t.Errorf("hashes %v", got.Hashes)
	}
}

func TestFinishDoesNotDependOnTheOrder(t *testing.T) {
	packages := []core.Package{npm("b", at1(3)), npm("a", at1(1)), npm("c", at1(0, 1)), npm("d", at1(2, 3))}
	want := finished(slices.Clone(packages)...)
	for range 10 {
		packages = append(packages[1:], packages[0])
		if diff := cmp.Diff(want, finished(slices.Clone(packages)...)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestDeclaredPackageYieldsToTheOneThatIsThere(t *testing.T) {
	declared := core.Package{Subject: subject, Name: "@x/a", Purl: "pkg:npm/%40x/a", Ecosystem: "npm", Locations: []core.Location{{Path: "m"}}}
	there := core.Package{Subject: subject, Name: "@x/a", Version: "1.0+b", Purl: "pkg:npm/%40x/a@1.0%2Bb", Ecosystem: "npm", Locations: []core.Location{{Path: "n"}}}
	if got := finished(declared, there); len(got) != 1 || got[0].Version == "" {
		t.Errorf("%v", purls(got))
	}
	elsewhere := there
	elsewhere.Subject = "sha256:two"
	if got := finished(declared, elsewhere); len(got) != 2 {
		t.Errorf("%v", purls(got))
	}
}

func TestRemovingThePackageDatabaseIsNoWayToBeClean(t *testing.T) {
	const status, entries = "var/lib/dpkg/status", "var/lib/dpkg/status.d/"
	deb := func(name, version, path string, origin *core.Origin) core.Package {
		return core.Package{Subject: subject, Name: name, Version: version, Purl: "pkg:deb/" + name + "@" + version,
			Locations: []core.Location{{Path: path}}, Origin: origin}
	}
	arch := func(name, version string, origin *core.Origin) core.Package {
		return core.Package{Subject: subject, Name: name, Version: version, Purl: "pkg:alpm/" + name + "@" + version,
			Locations: []core.Location{{Path: "var/lib/pacman/local/" + name + "-" + version + "/desc"}}, Origin: origin}
	}
	removed := deb("bash", "5", status, at1(0, 2))
	for name, c := range map[string]struct {
		packages []core.Package
		gap      bool
	}{
		"removed":                               {[]core.Package{removed, npm("a", nil)}, true},
		"upgraded":                              {[]core.Package{removed, deb("bash", "6", status, at1(2))}, false},
		"uninstalled":                           {[]core.Package{removed, deb("dash", "1", status, at1(0))}, false},
		"never there":                           {[]core.Package{npm("a", nil)}, false},
		"another package elsewhere":             {[]core.Package{removed, deb("hello", "1", entries+"hello", at1(2))}, true},
		"moved":                                 {[]core.Package{removed, deb("bash", "5", entries+"bash", at1(2))}, false},
		"moved and upgraded":                    {[]core.Package{removed, deb("bash", "6", entries+"bash", at1(2))}, false},
		"moved in part":                         {[]core.Package{removed, deb("dash", "1", status, at1(0, 2)), deb("bash", "5", entries+"bash", at1(2))}, true},
		"an entry without an installer":         {[]core.Package{deb("bash", "5", entries+"bash", at1(0, 2)), deb("dash", "1", entries+"dash", at1(0))}, true},
		"an entry of an installer":              {[]core.Package{arch("bash", "5", at1(0, 2)), arch("dash", "1", at1(0))}, false},
		"all entries of an installer":           {[]core.Package{arch("bash", "5", at1(0, 2)), arch("dash", "1", at1(0, 2))}, true},
		"namesake that is no system package":    {[]core.Package{deb("a", "5", status, at1(0, 2)), npm("a", nil)}, true},
		"removed, with a package of a language": {[]core.Package{removed, npm(status, nil)}, true},
		"another subjects":                      {[]core.Package{{Subject: "sha256:other", Purl: "pkg:deb/x@1", Locations: removed.Locations, Origin: removed.Origin}, npm("a", nil)}, false},
	} {
		e := core.Evidence{
			Subjects: []core.Subject{{Kind: core.KindImage, Digest: subject}}, Packages: c.packages,
			Images: []core.ImageFacts{{Subject: subject, Files: 9, Distro: &core.Distro{ID: "debian", Ecosystem: "Debian:12"}}},
		}
		Finish(&e)
		gap := slices.ContainsFunc(e.Examinations, func(x core.Examination) bool {
			return x.Name == core.ExaminePackages && x.Status == core.Partial && x.Code == CodeRemovedDatabase
		})
		if gap != c.gap {
			t.Errorf("%s: %+v", name, e.Examinations)
		}
	}
}

func TestPackagesOfAnotherDistributionGetNoEcosystem(t *testing.T) {
	for _, c := range []struct{ id, ecosystem, purl, want string }{
		{"debian", "Debian:12", "pkg:deb/bash@5", "Debian:12"},
		{"ubuntu", "Ubuntu:22.04:LTS", "pkg:deb/bash@5", "Ubuntu:22.04:LTS"},
		{"wolfi", "Wolfi", "pkg:deb/bash@5", ""},
		{"photon", "Photon OS:4", "pkg:deb/bash@5", ""},
		{"debian", "Debian:12", "pkg:apk/bash@5", ""},
		{"debian", "Debian:12", "pkg:opkg/bash@5", ""},
		{"rocky", "Rocky Linux:9", "pkg:rpm/bash@5", "Rocky Linux:9"},
		{"debian", "Debian:12", "pkg:npm/bash@5", "npm"},
	} {
		p := core.Package{Subject: subject, Name: "bash", Version: "5", Purl: c.purl, Locations: []core.Location{{Path: "db"}}}
		if purlType(c.purl) == "npm" {
			p.Ecosystem = "npm"
		}
		e := core.Evidence{
			Subjects: []core.Subject{{Kind: core.KindImage, Digest: subject}}, Packages: []core.Package{p},
			Images: []core.ImageFacts{{Subject: subject, Files: 9, Distro: &core.Distro{ID: c.id, Ecosystem: c.ecosystem}}},
		}
		Finish(&e)
		got := e.Packages[0]
		if got.Ecosystem != c.want || c.want == "" && got.Purl != c.purl {
			t.Errorf("%s on %s: %s of %q", c.purl, c.id, got.Purl, got.Ecosystem)
		}
	}
}

func TestExaminationsSayWhatIsMissing(t *testing.T) {
	deb := core.Package{Subject: subject, Name: "bash", Version: "5", Purl: "pkg:deb/bash@5", Locations: []core.Location{{Path: "var/lib/dpkg/status"}}}
	rpm := core.Package{Subject: subject, Name: "bash", Version: "5", Purl: "pkg:rpm/bash@5", Locations: []core.Location{{Path: "var/lib/rpm/rpmdb.sqlite"}}}
	amazon := &core.Distro{ID: "amzn", VersionID: "2023", PrettyName: "Amazon Linux 2023", IDLike: []string{"fedora"}}
	debian := &core.Distro{ID: "debian", VersionID: "12", Ecosystem: "Debian:12"}
	for name, c := range map[string]struct {
		kind             core.SubjectKind
		distro           *core.Distro
		files            int
		packages         []core.Package
		before           []core.Examination
		distroIs, pkgsIs core.Completeness
		why              string
	}{
		"known":         {core.KindImage, debian, 5, []core.Package{deb}, nil, core.Complete, core.Complete, ""},
		"no advisories": {core.KindImage, amazon, 5, []core.Package{rpm}, nil, core.Partial, core.Complete, "Amazon Linux 2023"},
		"no os-release": {core.KindImage, nil, 5, []core.Package{deb}, nil, core.Partial, core.Complete, "etc/os-release"},
		"nothing of the distribution": {core.KindImage, debian, 5, []core.Package{npm("a", nil)}, nil, core.Complete, core.Partial,
			"no package of the distribution"},
		"nothing of a distribution like it": {core.KindImage, amazon, 5, []core.Package{npm("a", nil)}, nil, core.Partial, core.Partial,
			"no package of the distribution Amazon Linux"},
		"nothing of an unknown distribution": {core.KindImage, &core.Distro{ID: "poky"}, 5, []core.Package{npm("a", nil)}, nil,
			core.Partial, core.Complete, "poky"},
		"packages of another distribution": {core.KindImage, &core.Distro{ID: "wolfi", Ecosystem: "Wolfi"}, 5, []core.Package{deb}, nil,
			core.Partial, core.Complete, "1 packages cannot be of the distribution with the ID wolfi"},
		"scratch with packages": {core.KindImage, nil, 5, []core.Package{npm("a", nil)}, nil, core.Complete, core.Complete, ""},
		"nothing in files":      {core.KindImage, nil, 5, nil, nil, core.Complete, core.Partial, "no package was found in 5 files"},
		"empty image":           {core.KindImage, nil, 0, nil, nil, core.Complete, core.Partial, "no file"},
		"source without any":    {core.KindSource, nil, 0, nil, nil, core.Complete, core.Complete, ""},
		"a gap that is known": {core.KindImage, debian, 5, []core.Package{deb},
			[]core.Examination{{Name: core.ExaminePackages, Subject: subject, Status: core.Partial, Why: []string{"x"}}}, core.Complete, core.Partial, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			e := core.Evidence{
				Subjects: []core.Subject{{Kind: c.kind, Digest: subject}, {Kind: core.KindIndex, Digest: "sha256:index"}},
				Packages: c.packages, Examinations: c.before,
			}
			if c.kind == core.KindImage {
				e.Images = []core.ImageFacts{{Subject: subject, Distro: c.distro, Files: c.files}}
			}
			Finish(&e)
			said := ""
			got := make(map[string]core.Completeness)
			for _, x := range e.Examinations {
				if got[x.Name] != "" {
					t.Errorf("%s is there twice", x.Name)
				}
				got[x.Name] = x.Status
				said += strings.Join(x.Why, " ")
				if (x.Status == core.Complete) != (len(x.Why) == 0) {
					t.Errorf("%+v", x)
				}
			}
			if got[core.ExamineDistro] != c.distroIs || got[core.ExaminePackages] != c.pkgsIs || !strings.Contains(said, c.why) {
				t.Errorf("%v: %s", got, said)
			}
		})
	}
}
