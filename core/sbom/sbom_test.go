package sbom

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

var update = flag.Bool("update", false, "write the golden files")

func digestOf(c string) core.Digest { return core.Digest("sha256:" + strings.Repeat(c, 64)) }

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testOptions() Options { return Options{Timestamp: testTime, Tool: "cleanbill", Version: "1.2.3"} }

// debian is the evidence of one image with packages of several ecosystems.
func debian(name string, digest core.Digest, architecture string) core.Evidence {
	base, top, gone := digestOf("a"), digestOf("b"), 1
	origin := func(layer int) *core.Origin {
		return &core.Origin{Layer: layer, DiffID: []core.Digest{base, top}[layer],
			CreatedBy: []string{"ADD rootfs.tar /", "RUN npm ci\n# two lines"}[layer]}
	}
	at := func(path string, layer core.Digest) []core.Location {
		return []core.Location{{Path: path, Layer: layer}}
	}
	return core.Evidence{
		Subjects: []core.Subject{{Name: name, Kind: core.KindImage, Digest: digest,
			MediaType: "application/vnd.oci.image.manifest.v1+json",
			Platform:  &core.Platform{OS: "linux", Architecture: architecture}}},
		Images: []core.ImageFacts{{Subject: digest, Platform: core.Platform{OS: "linux", Architecture: architecture},
			Layers: []core.LayerFacts{
				{Digest: digestOf("c"), DiffID: base, CreatedBy: "ADD rootfs.tar /"},
				{Digest: digestOf("d"), DiffID: top, CreatedBy: "RUN npm ci\n# two lines"},
			},
			Base: &core.BaseImage{Name: "debian:12", Digest: digestOf("e")},
			Distro: &core.Distro{ID: "debian", VersionID: "12", Codename: "bookworm",
				PrettyName: "Debian GNU/Linux 12 (bookworm)", Ecosystem: "Debian:12", EndOfLife: "2028-06-30"},
		}},
		Packages: []core.Package{
			{Subject: digest, Name: "libssl3", Version: "1:3.0.11-1~deb12u2",
				Purl:      "pkg:deb/debian/libssl3@1%3A3.0.11-1~deb12u2?arch=" + architecture + "&distro=debian-12",
				Ecosystem: "Debian:12", Architecture: architecture, Source: &core.SourcePackage{Name: "openssl",
					Version: "3.0.11-1"},
				Licenses: []string{"Apache-2.0"}, Locations: []core.Location{{Path: "var/lib/dpkg/status", Line: 812,
					Layer: base}}, Origin: origin(0), Analyzer: "os/dpkg"},
			{Subject: digest, Name: "tzdata", Version: "2024a",
				Purl: "pkg:deb/debian/tzdata@2024a?arch=all&distro=debian-12", Ecosystem: "Debian:12",
				Architecture: "all",
				Locations:    at("var/lib/dpkg/status", base), Origin: origin(0), Analyzer: "os/dpkg"},
			{Subject: digest, Name: "@babel/core", Version: "7.0.0", Purl: "pkg:npm/%40babel/core@7.0.0",
				Ecosystem: "npm", Licenses: []string{"MIT"}, Scope: core.ScopeDevelopment,
				Hashes: map[string]string{"sha512": strings.Repeat("0f", 64), "tlsh": "T1ABC"},
				Locations: []core.Location{{Path: "app/package-lock.json", Line: 7},
					{Path: "app/b/package-lock.json"}}, Origin: origin(1), Analyzer: "javascript/packagelock"},
			{Subject: digest, Name: "org.apache.logging.log4j:log4j-core", Version: "2.14.1",
				Purl: "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", Ecosystem: "Maven",
				Licenses: []string{"Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0 OR MIT",
					"The Acme License <v1>"}, Hashes: map[string]string{"sha1": strings.Repeat("9", 40)},
				Locations: at("app/x.jar!/log4j-core.jar", top), Origin: origin(1), Analyzer: "java/archive",
				Vendored: true},
			{Subject: digest, Name: "github.com/Azure/go-autorest", Version: "v14.2.0+incompatible",
				Purl: "pkg:golang/github.com/Azure/go-autorest@v14.2.0%2Bincompatible", Ecosystem: "Go",
				Licenses: []string{"LicenseRef-Acme OR MIT"}, Locations: at("usr/bin/tool", top), Origin: origin(1),
				Analyzer: "go/binary"},
			{Subject: digest, Name: "Django_App", Version: "4.2", Purl: "pkg:pypi/django-app@4.2", Ecosystem: "PyPI",
				Licenses: []string{"BSD License"}, Locations: at("a#L3", ""), Analyzer: "python/wheel",
				Scope: core.ScopeRuntime},
			{Subject: digest, Name: "unversioned", Purl: "pkg:npm/unversioned", Ecosystem: "npm", Locations: at("x",
				""), Analyzer: "javascript/packagejson"},
			{Subject: digest, Name: "removed", Version: "1", Purl: "pkg:npm/removed@1", Ecosystem: "npm",
				Locations: at("gone", base),
				Origin:    &core.Origin{Layer: 0, DiffID: base, RemovedIn: &gone}, Analyzer: "javascript/packagejson"},
		},
		Examinations: []core.Examination{{Name: core.ExaminePackages, Subject: digest, Tool: "cleanbill",
			Status: core.Complete}},
	}
}

// twoPlatforms is the evidence of an index.
func twoPlatforms() core.Evidence {
	index := digestOf("1")
	e := core.Evidence{Subjects: []core.Subject{{Name: "registry.example:5000/team/app:1.0", Kind: core.KindIndex,
		Digest: index, MediaType: "application/vnd.oci.image.index.v1+json"}}}
	for _, p := range []struct{ digest, architecture string }{{"2", "amd64"}, {"3", "arm64"}} {
		platform := debian("registry.example:5000/team/app:1.0", digestOf(p.digest), p.architecture)
		platform.Subjects[0].Parent = index
		e.Add(platform)
	}
	e.Examinations[1].Status, e.Examinations[1].Why = core.Partial, []string{"one lockfile is malformed"}
	return e
}

func samples() map[string]core.Evidence {
	two := debian("registry.example/app:1", digestOf("2"), "amd64")
	two.Add(core.Evidence{
		Subjects: []core.Subject{{Name: "./src", Kind: core.KindSource, Digest: digestOf("4")}},
		Packages: []core.Package{{Subject: digestOf("4"), Name: "serde", Version: "1.0.0",
			Purl: "pkg:cargo/serde@1.0.0", Ecosystem: "crates.io", Analyzer: "rust/cargolock",
			Locations: []core.Location{{Path: "Cargo.lock"}}}},
	})
	return map[string]core.Evidence{
		"image":   debian("registry.example/team/app:1.0", digestOf("2"), "amd64"),
		"index":   twoPlatforms(),
		"targets": two,
		"scratch": {Subjects: []core.Subject{{Name: "scratch.tar", Kind: core.KindImage, Digest: digestOf("5"),
			Platform: &core.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}}}},
		"rpm": {
			Subjects: []core.Subject{{Name: "localhost:5000/ubi:9", Kind: core.KindImage, Digest: digestOf("6")}},
			Images: []core.ImageFacts{{Subject: digestOf("6"), Distro: &core.Distro{ID: "rocky", VersionID: "9.3",
				Ecosystem: "Rocky Linux:9"}}},
			Packages: []core.Package{{Subject: digestOf("6"), Name: "openssl-libs", Version: "1:3.0.7-24.el9",
				Purl:      "pkg:rpm/rocky/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=rocky-9.3&epoch=1&sourcerpm=openssl-3.0.7-24.el9.src.rpm",
				Ecosystem: "Rocky Linux:9", Architecture: "x86_64", Source: &core.SourcePackage{Name: "openssl",
					Version: "3.0.7-24.el9"},
				Licenses: []string{"ASL 2.0"}, Locations: []core.Location{{Path: "var/lib/rpm/rpmdb.sqlite"}},
				Analyzer: "os/rpm"}, {Subject: digestOf("6"), Name: "nodejs", Version: "1:18.20.8-1.module+el9.5.0+a+b",
				Purl: "pkg:rpm/rocky/nodejs@18.20.8-1.module%2Bel9.5.0%2Ba%2Bb?arch=x86_64&distro=rocky-9.3&epoch=1" +
					"&rpmmod=nodejs:18",
				Ecosystem: "Rocky Linux:9", Architecture: "x86_64", Module: "nodejs:18",
				Locations: []core.Location{{Path: "var/lib/rpm/rpmdb.sqlite"}}, Analyzer: "os/rpm"},
				{Subject: digestOf("6"), Name: "npm", Version: "10-1.module+el9.5.0+a+b",
					Purl:      "pkg:rpm/rocky/npm@10-1.module%2Bel9.5.0%2Ba%2Bb?arch=x86_64&distro=rocky-9.3",
					Ecosystem: "Rocky Linux:9", Architecture: "x86_64", Module: "nodejs:18", // of another generator's property
					Locations: []core.Location{{Path: "var/lib/rpm/rpmdb.sqlite"}}, Analyzer: "os/rpm"}},
		},
	}
}

func written(t testing.TB, format Format, e core.Evidence) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, e, testOptions()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shared returns a folder of the data beside the repository, or skips the test.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	found := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, path...)...)
	if _, err := os.Stat(found); err != nil {
		t.Skipf("the shared data is not beside the repository: %v", err)
	}
	return found
}

func TestDocumentsAreAsTheGoldenFiles(t *testing.T) {
	for name, e := range samples() {
		for _, format := range []Format{CycloneDX, SPDX} {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				got := written(t, format, e)
				golden := filepath.Join("testdata", name+"."+map[Format]string{CycloneDX: "cdx",
					SPDX: "spdx"}[format]+".json")
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("it differs from %s (-want +got); run with -update if that is meant:\n%s", golden, diff)
				}
			})
		}
	}
}

func TestDocumentsAreValid(t *testing.T) {
	dir := shared(t, "schemas")
	validators := map[Format]*jsonschema.Schema{
		CycloneDX: compile(t, filepath.Join(dir, "cyclonedx", "bom-1.6.SNAPSHOT.schema.json"), map[string]string{
			"http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json": filepath.Join(dir, "cyclonedx",
				"spdx.SNAPSHOT.schema.json"),
			"http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json": filepath.Join(dir, "cyclonedx",
				"jsf-0.82.SNAPSHOT.schema.json"),
		}),
		SPDX: compile(t, filepath.Join(dir, "spdx-2.3.schema.json"), nil),
	}
	for name, e := range samples() {
		for format, schema := range validators {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				value, err := jsonschema.UnmarshalJSON(bytes.NewReader(written(t, format, e)))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(value); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func compile(t testing.TB, file string, others map[string]string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	add := func(url, file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, value); err != nil {
			t.Fatal(err)
		}
	}
	const root = "http://cyclonedx.org/schema/root.json"
	add(root, file)
	for url, file := range others {
		add(url, file)
	}
	schema, err := c.Compile(root)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// comparable is what a document must carry there and back. That a package is vendored is written but not believed.
type comparable struct {
	Name, Version, Purl, Ecosystem, Architecture, Analyzer string
	Source                                                 core.SourcePackage
	Licenses                                               []string
	Hashes                                                 map[string]string
	Scope                                                  core.Scope
	Locations                                              []core.Location
	Origin                                                 core.Origin
}

func comparables(packages []core.Package) []comparable {
	var out []comparable
	for _, p := range packages {
		if !p.Visible() {
			continue
		}
		c := comparable{Name: p.Name, Version: p.Version, Purl: p.Purl, Ecosystem: p.Ecosystem,
			Architecture: p.Architecture, Analyzer: p.Analyzer,
			Source: sourceOrNone(p.Source), Licenses: p.Licenses, Hashes: p.Hashes, Scope: p.Scope,
			Locations: slices.Clone(p.Locations)}
		if p.Origin != nil {
			c.Origin = *p.Origin
			c.Origin.CreatedBy = clean(c.Origin.CreatedBy)
		}
		slices.SortFunc(c.Locations, func(a, b core.Location) int { return strings.Compare(a.Path, b.Path) })
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b comparable) int { return strings.Compare(a.Purl, b.Purl) })
	return slices.CompactFunc(out, func(a, b comparable) bool { return a.Purl == b.Purl })
}

func TestWhatIsWrittenReadsBackTheSame(t *testing.T) {
	for name, e := range samples() {
		for _, format := range []Format{CycloneDX, SPDX} {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				got, err := Read(context.Background(), "x.json", written(t, format, e), limit.Defaults())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(comparables(e.Packages), comparables(got.Packages),
					cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("packages differ (-written +read):\n%s", diff)
				}
			})
		}
	}
}

func TestSameEvidenceGivesSameBytes(t *testing.T) {
	for _, format := range []Format{CycloneDX, SPDX} {
		e := twoPlatforms()
		want := written(t, format, e)
		slices.Reverse(e.Packages)
		slices.Reverse(e.Images)
		first := e.Packages[0].Purl
		if got := written(t, format, e); !bytes.Equal(got, want) {
			t.Errorf("%s depends on the order of the evidence:\n%s", format, cmp.Diff(string(want), string(got)))
		}
		if e.Packages[0].Purl != first {
			t.Errorf("%s changed the caller's evidence", format)
		}
	}
}

func TestOnlyTheTimestampDiffersBetweenRuns(t *testing.T) {
	for format, member := range map[Format]string{CycloneDX: `"timestamp"`, SPDX: `"created"`} {
		e := twoPlatforms()
		var later bytes.Buffer
		o := testOptions()
		o.Timestamp = o.Timestamp.Add(time.Hour)
		if err := Write(&later, format, e, o); err != nil {
			t.Fatal(err)
		}
		before, after := strings.Split(string(written(t, format, e)), "\n"), strings.Split(later.String(), "\n")
		var differ []string
		for i := range before {
			if before[i] != after[i] {
				differ = append(differ, before[i])
			}
		}
		if len(before) != len(after) || len(differ) != 1 || !strings.Contains(differ[0], member) {
			t.Errorf("%s differs in %q, want the %s alone", format, differ, member)
		}
	}
}

func TestOtherEvidenceHasAnotherIdentity(t *testing.T) {
	for format, member := range map[Format]string{CycloneDX: `"serialNumber"`, SPDX: `"documentNamespace"`} {
		line := func(e core.Evidence) string {
			for l := range strings.Lines(string(written(t, format, e))) {
				if strings.Contains(l, member) {
					return l
				}
			}
			t.Fatalf("%s has no %s", format, member)
			return ""
		}
		e := twoPlatforms()
		first := line(e)
		e.Packages[0].Version += "1"
		if line(e) == first {
			t.Errorf("%s: two documents share the %s", format, member)
		}
	}
}

func TestWithoutTimestamp(t *testing.T) {
	var cyclone, spdx bytes.Buffer
	for format, b := range map[Format]*bytes.Buffer{CycloneDX: &cyclone, SPDX: &spdx} {
		if err := Write(b, format, samples()["scratch"], Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(cyclone.String(), "timestamp") {
		t.Error("CycloneDX has a timestamp that nobody gave")
	}
	if !strings.Contains(spdx.String(), `"created": "1970-01-01T00:00:00Z"`) {
		t.Error("SPDX lacks the date that it requires")
	}
}

func TestOneSubjectAlone(t *testing.T) {
	for _, format := range []Format{CycloneDX, SPDX} {
		var b bytes.Buffer
		if err := WriteSubject(&b, format, twoPlatforms(), digestOf("3"), testOptions()); err != nil {
			t.Fatal(err)
		}
		if s := b.String(); !strings.Contains(s, "arch=arm64") || strings.Contains(s,
			"arch=amd64") || strings.Contains(s, string(digestOf("1"))) {
			t.Errorf("%s is not about one platform alone", format)
		}
	}
}

func TestNothingToWriteAbout(t *testing.T) {
	for _, err := range []error{
		Write(new(bytes.Buffer), CycloneDX, core.Evidence{}, Options{}),
		Write(new(bytes.Buffer), Format("xml"), samples()["scratch"], Options{}),
		WriteSubject(new(bytes.Buffer), SPDX, samples()["scratch"], digestOf("9"), Options{}),
	} {
		if err == nil {
			t.Error("a document was written")
		}
	}
}

func TestSourceDigestIsHashedAndImagePurlNamesTheRepository(t *testing.T) {
	arm := &core.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	d := string(digestOf("2"))
	for _, c := range []struct {
		name     string
		platform *core.Platform
		want     string
	}{
		{"registry.example:5000/Team/app:1.0", arm,
			"pkg:oci/app@" + d + "?arch=arm&repository_url=registry.example:5000%2Fteam%2Fapp&tag=1.0"},
		{"ghcr.io/o/app@" + d, nil, "pkg:oci/app@" + d + "?repository_url=ghcr.io%2Fo%2Fapp"},
		{"debian:12", nil, "pkg:oci/debian@" + d + "?tag=12"},
		{"/srv/images/app.tar.gz", nil, "pkg:oci/app.tar.gz@" + d},
		{"oci:layouts/app", nil, "pkg:oci/app@" + d},
		{"", nil, "pkg:oci/image@" + d},
		{"debian:12", &core.Platform{Architecture: strings.Repeat("a", 1<<20)}, "pkg:oci/image@" + d}, // an image says what it is for
	} {
		if got := imagePurl(core.Subject{Name: c.name, Digest: digestOf("2"), Platform: c.platform}); got != c.want {
			t.Errorf("imagePurl(%q) =\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// CycloneDX takes versions of at most 1,024 characters, and who writes one chooses how long it is.
func TestVersionsAreAsLongAsCycloneDXTakesThem(t *testing.T) {
	long := strings.Repeat("1.", 1<<19)
	e := debian("app", digestOf("1"), "amd64")
	e.Packages[0].Version, e.Images[0].Distro.VersionID = long, long
	var b bytes.Buffer
	if err := Write(&b, CycloneDX, e, Options{Tool: "cleanbill", Version: long}); err != nil {
		t.Fatal(err)
	}
	versions := regexp.MustCompile(`"version": "([^"]*)"`).FindAllStringSubmatch(b.String(), -1)
	cut := 0
	for _, v := range versions {
		if n := utf8.RuneCountInString(v[1]); n > 1024 {
			t.Errorf("a version has %d characters", n)
		} else if n > 1000 {
			cut++
		}
	}
	if cut != 3 {
		t.Errorf("%d versions are cut", cut)
	}
}

func TestParseFormat(t *testing.T) {
	for in, want := range map[string]Format{"cyclonedx": CycloneDX, "SPDX": SPDX} {
		if got, err := ParseFormat(in); got != want || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := ParseFormat("syft"); err == nil || !strings.Contains(err.Error(), "want cyclonedx or spdx") {
		t.Errorf("ParseFormat(syft): %v", err)
	}
}
