package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
)

func digestNumber(n int) core.Digest { return core.Digest(fmt.Sprintf("sha256:%064x", n)) }

// Subjects of the tests below: 1 and 2 are sources, 10 is an index with the platforms 11 and 12, 20 an image, 30 an
// SBOM.
func numbered(n int) core.Subject {
	s := core.Subject{Name: fmt.Sprint(n), Digest: digestNumber(n)}
	switch {
	case n < 10:
		s.Kind = core.KindSource
	case n == 10:
		s.Kind = core.KindIndex
	case n < 20:
		s.Kind, s.Parent = core.KindImage, digestNumber(10)
		s.Platform = &core.Platform{OS: "linux", Architecture: map[int]string{11: "amd64", 12: "arm64"}[n]}
	case n < 30:
		s.Kind = core.KindImage
	default:
		s.Kind = core.KindSBOM
	}
	return s
}

func TestAReportIsAboutWhatItNamesOrTheOnlyThingThatItCanBeAbout(t *testing.T) {
	image := func(change func(*hook.About)) hook.Report {
		a := hook.About{Image: true, Name: "app"}
		change(&a)
		return hook.Report{About: a, Findings: []core.Finding{{}}}
	}
	code := hook.Report{Findings: []core.Finding{{}}}
	named := func(n int) hook.Report {
		return image(func(a *hook.About) { a.Digests = []core.Digest{digestNumber(n)} })
	}
	arm := image(func(a *hook.About) {
		a.Digests, a.Platform = []core.Digest{digestNumber(10)}, &core.Platform{OS: "linux", Architecture: "arm64"}
	})
	layers := func(n ...int) hook.Report {
		return image(func(a *hook.About) {
			for _, i := range n {
				a.Layers = append(a.Layers, digestNumber(i))
			}
		})
	}
	unnamed := image(func(*hook.About) {})
	for _, tc := range []struct {
		name     string
		subjects []int
		report   hook.Report
		want     int // 0 is an error, -1 nothing
		err      string
	}{
		{"code, of sources", []int{1}, code, 1, ""},
		{"code, of sources and an image", []int{1, 20}, code, 1, ""},
		{"code, of an image alone", []int{20}, code, 20, ""},
		{"code, of the platforms of an index", []int{10, 11, 12}, code, 10, ""},
		{"code, of an SBOM", []int{30}, code, 30, ""},
		{"code, of two sources", []int{1, 2}, code, 0, "it does not say which of 2 subjects"},
		{"code, of an image and an SBOM", []int{20, 30}, code, 0, "which of 2 subjects"},
		{"whether code is reached, of two sources", []int{1, 2}, hook.Report{Reach: []core.Reach{{}}}, -1, ""},
		{"an image, by its digest", []int{1, 10, 11, 12, 20}, named(12), 12, ""},
		{"an image, by a digest of any sort", []int{11, 20},
			image(func(a *hook.About) { a.IDs = []core.Digest{digestNumber(20)} }), 20, ""},
		{"an image, by its index and platform", []int{10, 11, 12}, arm, 12, ""},
		{"an image, by its index with one platform", []int{10, 11}, named(10), 11, ""},
		{"an image, by its index alone", []int{10, 11, 12}, named(10), 0, "not which of its 2 platforms"},
		{"an image, by its layers", []int{11, 12}, layers(112), 12, ""},
		{"an image, by other layers", []int{11, 12}, layers(111, 112), 0,
			"whose layers are not those of an image here"},
		{"another image", []int{20}, named(99), 0, "it is about app (" + string(digestNumber(99)) +
			"), not about what is judged here"},
		{"an image that is not named", []int{1, 20}, unnamed, 20, ""},
		{"an image that is not named, of two", []int{20, 11}, unnamed, 0, "it does not say which of 2 images"},
		{"an image that is not named, of sources", []int{1}, unnamed, 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var e core.Evidence
			for _, n := range tc.subjects {
				e.Subjects = append(e.Subjects, numbered(n))
				if n == 11 || n == 12 {
					e.Images = append(e.Images, core.ImageFacts{Subject: digestNumber(n),
						Layers: []core.LayerFacts{{DiffID: digestNumber(100 + n)}}})
				}
			}
			got, err := subjectOf(&e, &tc.report)
			switch {
			case tc.want == 0:
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%v, want %s", err, tc.err)
				}
			case tc.want < 0:
				if err != nil || got != "" {
					t.Errorf("%s, %v", got, err)
				}
			case err != nil || got != digestNumber(tc.want):
				t.Errorf("%s, %v, want %d", got, err, tc.want)
			}
		})
	}
}

func TestAFileOfResultsIsRecordedByItsDigest(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x=y.json")
	if err := os.WriteFile(file,
		[]byte(`{"comments":[{"file":"`+filepath.ToSlash(dir)+`/a.sh","line":1,"endLine":1,"level":"error","code":1,"message":"m"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, "shellcheck=" + file} {
		reports, err := readImports([]string{name}, rootsOf([]string{"dir:" + dir}))
		if err != nil || reports[0].err != nil {
			t.Fatal(err, reports)
		}
		e := core.Evidence{Subjects: []core.Subject{numbered(1)}}
		if err := attach(&e, reports, ""); err != nil {
			t.Fatal(err)
		}
		x, f := e.Examinations[0], e.Findings[0]
		if x.Subject != digestNumber(1) || x.Input == "" || x.Name != "import:shellcheck" || f.Subject != x.Subject ||
			f.Locations[0].Path != "a.sh" {
			t.Errorf("%+v %+v", x, f)
		}
	}
	if _, err := readImports([]string{filepath.Join(dir, "missing")}, nil); !core.Usage(err) {
		t.Error(err)
	}
	if _, err := readImports([]string{dir}, nil); !core.Usage(err) {
		t.Error(err)
	}
}

// A change must not excuse itself by a report that its own pipeline wrote.
func TestASuppressionOfAReportCountsAsKnownOnlyIfNothingIsBeingChanged(t *testing.T) {
	for _, tc := range []struct {
		change *core.Change
		base   bool
	}{{nil, true}, {&core.Change{Head: "h"}, true}, {&core.Change{Head: "h", Base: "b"}, false}} {
		e := core.Evidence{Subjects: []core.Subject{numbered(1)}, Change: tc.change}
		r := imported{report: hook.Report{Findings: []core.Finding{{Kind: core.KindCode,
			Suppressions: []core.Suppression{{Kind: core.SuppressedReport, By: "SARIF"}}}}}}
		if err := attach(&e, []imported{r}, ""); err != nil {
			t.Fatal(err)
		}
		if got := e.Findings[0].Suppressions[0].Base; got != tc.base {
			t.Errorf("%+v: %v", tc.change, got)
		}
	}
}

// Trivy's three scans and Aqua's scanner beside each other: sources and image are judged together.
func TestEveryScanOfTrivyAndAquaIsAboutWhatItScanned(t *testing.T) {
	const trivy = `{"SchemaVersion":2,"ArtifactName":"%s","ArtifactType":"%s","Results":[%s]}`
	dir, sources, image := t.TempDir(), digestNumber(1), digestNumber(20)
	for name, tc := range map[string]struct {
		report  string
		subject core.Digest
		kind    core.FindingKind
		rule    string
	}{
		"image": {fmt.Sprintf(trivy, "app:1", "container_image", `{"Target":"app:1 (debian 12.5)","Class":"os-pkgs","Type":"debian","Vulnerabilities":[
			{"VulnerabilityID":"CVE-2024-1","PkgName":"zlib1g","InstalledVersion":"1","Severity":"HIGH"}]}`), image, core.KindVulnerability, "CVE-2024-1"},
		"fs": {fmt.Sprintf(trivy, ".", "filesystem", `{"Target":"package-lock.json","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[
			{"VulnerabilityID":"CVE-2024-2","PkgName":"z","InstalledVersion":"1.0.0","Severity":"HIGH"}]}`), sources, core.KindVulnerability, "CVE-2024-2"},
		"config": {fmt.Sprintf(trivy, ".", "filesystem", `{"Target":"Dockerfile","Class":"config","Type":"dockerfile","Misconfigurations":[
			{"ID":"DS001","AVDID":"AVD-DS-0001","Title":"t","Severity":"MEDIUM","Status":"PASS"},
			{"ID":"DS002","AVDID":"AVD-DS-0002","Title":"t","Severity":"HIGH","Status":"FAIL","CauseMetadata":{"StartLine":3}}]}`), sources, core.KindMisconfiguration, "DS002"},
		"aqua": {`{"image":"app:1","registry":"r","os":"debian","version":"12.5","resources":[],"image_assurance_results":{"disallowed":true,
			"policy_failures":[{"policy_name":"Default","blocking":true,"controls":["root_user"]}]}}`, image, core.KindMisconfiguration, "refused-by/aqua/root_user"},
	} {
		file := filepath.Join(dir, name+".json")
		if err := os.WriteFile(file, []byte(tc.report), 0o600); err != nil {
			t.Fatal(err)
		}
		reports, err := readImports([]string{file}, nil)
		if err != nil || reports[0].err != nil {
			t.Fatal(name, err, reports)
		}
		e := core.Evidence{Subjects: []core.Subject{numbered(1), numbered(20)}}
		if err := attach(&e, reports, ""); err != nil {
			t.Fatal(name, err)
		}
		if len(e.Findings) != 1 || len(e.Examinations) != 1 {
			t.Fatalf("%s: %+v", name, e)
		}
		f, x := e.Findings[0], e.Examinations[0]
		if f.Subject != tc.subject || x.Subject != tc.subject || x.Status != core.Complete || f.Kind != tc.kind || f.Rule != tc.rule {
			t.Errorf("%s: %+v %+v", name, f, x)
		}
	}
}
