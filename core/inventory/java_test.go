package inventory

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// jar makes an archive of the entries.
func jar(t testing.TB, entries map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sortedKeys(entries) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, entries[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pomProperties(group, artifact, version string) map[string]string {
	return map[string]string{
		"META-INF/maven/" + group + "/" + artifact + "/pom.properties": fmt.Sprintf("groupId=%s\nartifactId=%s\nversion=%s\n", group, artifact, version),
	}
}

// place is a package and where it is.
type place struct {
	Name, Version, Purl string
	Paths               []string
	Vendored            bool
}

func places(packages []core.Package) []place {
	var all []place
	for _, p := range packages {
		at := place{Name: p.Name, Version: p.Version, Purl: p.Purl, Vendored: p.Vendored}
		for _, l := range p.Locations {
			at.Paths = append(at.Paths, l.Path)
		}
		all = append(all, at)
	}
	return all
}

func TestJarsWithinJarsAreVendored(t *testing.T) {
	log4j := jar(t, pomProperties("org.apache.logging.log4j", "log4j-core", "2.14.1"))
	shaded := pomProperties("com.example", "app", "1.0")
	shaded["META-INF/maven/com.google.guava/guava/pom.properties"] = "groupId=com.google.guava\nartifactId=guava\nversion=31.0-jre\n"
	shaded["BOOT-INF/lib/log4j-core-2.14.1.jar"] = string(log4j)
	e := drive(t, tree{
		"srv/app-1.0.jar":       jar(t, shaded),
		"lib/log4j-core.jar":    log4j,
		"lib/unknown-thing.jar": jar(t, map[string]string{"A.class": "x"}),
	}).clean(t).evidence(3)
	want := []place{
		{Name: "unknown-thing.jar", Purl: "", Paths: []string{"lib/unknown-thing.jar"}},
		{"com.example:app", "1.0", "pkg:maven/com.example/app@1.0", []string{"srv/app-1.0.jar"}, false},
		{"com.google.guava:guava", "31.0-jre", "pkg:maven/com.google.guava/guava@31.0-jre", []string{"srv/app-1.0.jar"}, true},
		{"org.apache.logging.log4j:log4j-core", "2.14.1", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
			[]string{"lib/log4j-core.jar", "srv/app-1.0.jar!/BOOT-INF/lib/log4j-core-2.14.1.jar"}, false},
	}
	got := places(e.Packages)
	if !strings.HasPrefix(got[0].Purl, "pkg:generic/unknown-thing.jar?checksum=sha1:") || e.Packages[0].Ecosystem != "" {
		t.Errorf("%+v", e.Packages[0])
	}
	got[0].Purl = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if h := e.Packages[3].Hashes["sha1"]; len(h) != 40 {
		t.Errorf("log4j-core has the hash %q", h)
	}
}

func TestHostileArchivesAreBounded(t *testing.T) {
	deep := jar(t, map[string]string{"x.jar": "PK"})
	for range 20 {
		deep = jar(t, map[string]string{"x.jar": string(deep)})
	}
	bomb := jar(t, map[string]string{"lib/bomb.jar": strings.Repeat("\x00", 40<<20)})
	manifestBomb := jar(t, map[string]string{"META-INF/MANIFEST.MF": strings.Repeat("\x00", 40<<20)})
	big := jar(t, map[string]string{"a.jar": strings.Repeat("a", 3<<20), "b.jar": strings.Repeat("b", 3<<20)})
	liar := jar(t, map[string]string{"pom.properties": "groupId=a\nartifactId=b\nversion=1\n"})
	for i := range len(liar) - 4 {
		if string(liar[i:i+4]) == "PK\x01\x02" { // the central directory promises four GiB
			copy(liar[i+24:], "\xff\xff\xff\xff")
		}
	}
	for name, archive := range map[string][]byte{
		"nested too deep": deep, "inner zeros": bomb, "manifest of zeros": manifestBomb, "inner sum": big, "size that lies": liar,
		"no archive": []byte(strings.Repeat("this is no archive", 10)), "cut off": bomb[:len(bomb)-30],
	} {
		t.Run(name, func(t *testing.T) {
			got := driveWith(t, Options{Limits: limit.Limits{KeptSize: 1 << 20, Nesting: 4}}, tree{"a.jar": archive})
			if len(got.failed) == 0 && len(got.problems) == 0 {
				t.Errorf("nothing is said of it: %v", purls(got.packages))
			}
			var exceeded *limit.Exceeded
			if strings.Contains(name, "zeros") && !errors.As(got.failed["a.jar"], &exceeded) {
				t.Errorf("the limit is not named: %v", got.failed)
			}
		})
	}
}

func TestNamesThatOtherProgramsUseAreNoArchives(t *testing.T) {
	drive(t, tree{"var/log/sa.sar": []byte("sysstat data, no archive at all"), "empty.jar": nil, "a.nar": []byte("nix-archive-1")}).clean(t)
}
