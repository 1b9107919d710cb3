package target

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/verify"
)

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
}

func TestUnclearTargetsAreUsageErrorsThatListWhatWasTried(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		write(t, dir, name, content)
		return filepath.Join(dir, name)
	}
	pipe := filepath.Join(dir, "pipe")
	mkfifo(t, pipe)
	emptyTree := filepath.Join(dir, "tree")
	if err := os.Mkdir(emptyTree, 0o700); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string][]string{
		"":                         {"the target is empty"},
		"  ":                       {"the target is empty"},
		"a\nb":                     {"control characters"},
		strings.Repeat("a", 10000): {"longer than"},
		"./gone":                   {"open ./gone", "no such file", "looks like a path"},
		"../gone":                  {"no such file"},
		"/nowhere/at/all":          {"no such file"},
		"gone.tar":                 {"no such file"},
		"gone.tar.gz":              {"no such file"},
		"bom.cdx.json":             {"no such file"},
		"dir:" + dir + "/gone":     {"no such file"},
		"sbom:" + dir + "/gone":    {"no such file"},
		"oci:" + dir + "/gone":     {"no such file"},
		"docker-archive:" + dir:    {"is a directory"},
		"oci:" + dir:               {"not an OCI image layout"},
		"oci:":                     {`nothing follows "oci:"`},
		"registry:":                {"nothing follows"},
		"registry:UPPER":           {"not a reference"},
		"Not A Reference":          {"tried as a file or directory: no such file", "tried as an image in a registry:"},
		"https://example.com/app":  {"address of the web", "example.com/app"},
		"docker:UPPER CASE":        {"not the name of an image"},
		file("empty", ""):          {"the file is empty"},
		file("text", "hello"):      {"neither an image archive", "nor an SBOM"},
		file("elf", "\x7fELF\x02"): {"an executable", "dir:"},
		file("bz", "BZh91AY&SY"):   {"bzip2", "decompress it first"},
		file("xml", "<?xml version='1.0'?><bom/>"):                                          {"an XML file", "convert"},
		file("tv", "SPDXVersion: SPDX-2.3\n"):                                               {"tag-value", "convert"},
		file("package.json", `{"name":"x"}`):                                                {"not an SBOM"},
		file("spdx3.json", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}`): {"a version that is not read"},
		file("dsse.json", `{"payloadType":"application/vnd.in-toto+json","payload":""}`):    {"signed envelope"},
		file("broken.json", `{"bomFormat":"CycloneDX"`):                                     {"not valid JSON"},
		file("two.json", `{"bomFormat":"CycloneDX"}{}`):                                     {"something follows"},
		file("both.json", `{"bomFormat":"CycloneDX","spdxVersion":"SPDX-2.3"}`):             {"ambiguous"},
		"dir:" + file("f", "x"):                                                             {"is a file, not a directory"},
		pipe:                                                                                {"named pipe"},
		"sbom:" + pipe:                                                                      {"named pipe"},
		emptyTree:                                                                           {"it is empty"},
		file("cut.tar", "short"):                                                            {"neither an image archive"},
	} {
		t.Run(redact.Limited(ref, 40), func(t *testing.T) {
			_, err := Open(testContext(t), ref, Options{})
			checkFailure(t, err, failure{want, true})
		})
	}
}

func TestADirectoryWithoutPermissionIsAUsageError(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every directory")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testContext(t), dir, Options{})
	checkFailure(t, err, failure{[]string{"permission denied"}, true})
}

func TestSourceDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module x")
	t.Chdir(filepath.Dir(dir))
	base := filepath.Base(dir)
	for _, ref := range []string{dir, "dir:" + dir, "./" + base, base, "dir:" + base} {
		target := mustOpen(t, ref, Options{})
		if target.Subject.Kind != core.KindSource || target.Subject.Name != ref || target.Dir != dir || target.Subject.Digest != "" {
			t.Errorf("%s: %+v in %q", ref, target.Subject, target.Dir)
		}
	}
}

func TestAnExistingPathWinsOverAnImageOfThatName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("alpine", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "alpine"), "Dockerfile", "FROM scratch")
	if target := mustOpen(t, "alpine", Options{}); target.Subject.Kind != core.KindSource {
		t.Errorf("alpine is %+v", target.Subject)
	}
}

func TestALayoutIsASourceTreeIfAskedFor(t *testing.T) {
	dir := writeLayout(t, map[string]mutate.Appendable{"": imageFor(t, amd64)})
	if target := mustOpen(t, "dir:"+dir, Options{}); target.Subject.Kind != core.KindSource {
		t.Errorf("%+v", target.Subject)
	}
}

func TestSBOMsAreRecognisedByContent(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"bom.json":   {`{"bomFormat":"CycloneDX","specVersion":"1.6"}`, MediaTypeCycloneDX},
		"no-suffix":  {"\xef\xbb\xbf \n{\"components\":[],\"bomFormat\":\"CycloneDX\"}", MediaTypeCycloneDX},
		"x.spdx":     {`{"spdxVersion":"SPDX-2.3"}`, MediaTypeSPDX},
		"old.json":   {`{"spdxVersion":"SPDX-2.2"}`, MediaTypeSPDX},
		"x.tar":      {`{"spdxVersion":"SPDX-2.3"}`, MediaTypeSPDX},
		"pretty.txt": {"{\n  \"spdxVersion\": \"SPDX-2.3\"\n}\n", MediaTypeSPDX},
	} {
		file := fileOf(t, name, []byte(tc.content))
		for _, ref := range []string{file, "sbom:" + file} {
			target := mustOpen(t, ref, Options{})
			if target.Subject.MediaType != tc.want || target.Subject.Kind != core.KindSBOM || string(target.SBOM) != tc.content ||
				target.Subject.Digest != verify.DigestOf([]byte(tc.content)) {
				t.Errorf("%s: %+v", ref, target.Subject)
			}
		}
	}
	o := Options{}
	o.Limits.MetadataSize = 10
	_, err := Open(testContext(t), fileOf(t, "big.json", []byte(`{"bomFormat":"CycloneDX"}`)), o)
	checkFailure(t, err, failure{says: []string{"--limit metadata-size"}})
}

func TestRealSBOMsAreRecognised(t *testing.T) {
	dir := shared(t, "corpus", "sbom")
	seen := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		raw := must[[]byte](t)(os.ReadFile(path))
		if mediaType, err := recogniseSBOM(raw); err == nil {
			seen[mediaType]++
		} else {
			t.Logf("%s: %v", strings.TrimPrefix(path, dir), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen[MediaTypeCycloneDX] == 0 || seen[MediaTypeSPDX] == 0 {
		t.Errorf("recognised %v", seen)
	}
}

func TestMatchesPlatform(t *testing.T) {
	parse := func(s string) core.Platform { return must[core.Platform](t)(core.ParsePlatform(s)) }
	for _, tc := range []struct {
		want, have string
		match      bool
	}{
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm", "linux/arm/v6", true},
		{"linux/arm/v7", "linux/arm", true},
		{"linux/arm/v6", "linux/arm/v7", false},
		{"linux/amd64", "linux/amd64/v3", true},
		{"linux/amd64/v1", "linux/amd64", true},
		{"linux/amd64", "linux/arm64", false},
		{"windows/amd64", "linux/amd64", false},
		{"Linux/AMD64", "linux/amd64", true},
	} {
		if got := matchesPlatform(parse(tc.want), parse(tc.have)); got != tc.match {
			t.Errorf("asked for %s, have %s: %t, want %t", tc.want, tc.have, got, tc.match)
		}
	}
}

func TestSplitScheme(t *testing.T) {
	for ref, want := range map[string][2]string{
		"alpine":                 {"", "alpine"},
		"alpine:3":               {"", "alpine:3"},
		"docker:alpine:3":        {"docker", "alpine:3"},
		"docker://alpine:3":      {"registry", "alpine:3"},
		"oci:dir:tag":            {"oci", "dir:tag"},
		"registry:localhost:5/x": {"registry", "localhost:5/x"},
		"localhost:5000/x":       {"", "localhost:5000/x"},
		"Docker:alpine":          {"", "Docker:alpine"},
	} {
		if s, rest := splitScheme(ref); string(s) != want[0] || rest != want[1] {
			t.Errorf("%s: %q %q, want %q", ref, s, rest, want)
		}
	}
}
