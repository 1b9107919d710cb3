package sarif_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

func read(t *testing.T, text string, roots ...string) ([]sarif.Run, []core.Finding) {
	t.Helper()
	runs, findings, err := tryRead(text, roots...)
	if err != nil {
		t.Fatal(err)
	}
	return runs, findings
}

func tryRead(text string, roots ...string) ([]sarif.Run, []core.Finding, error) {
	var findings []core.Finding
	runs, err := sarif.Read(strings.NewReader(text), sarif.Options{Roots: roots}, func(f core.Finding) error {
		findings = append(findings, f)
		return nil
	})
	return runs, findings, err
}

// file makes a file of one run with these members beside the tool.
func file(tool string, members ...string) string {
	return fmt.Sprintf(`{"version":"2.1.0","runs":[{%s"tool":{"driver":%s}}]}`, strings.Join(append(members, ""),
		","), tool)
}

const tool = `{"name":"T","version":"3","rules":[
 {"id":"R1","shortDescription":{"text":"Rule one"},"helpUri":"https://example.org/R1","defaultConfiguration":{"level":"error"},
  "properties":{"tags":["security","external/cwe/cwe-079"]}},
 {"id":"R2","properties":{"security-severity":"9.8","cwe":["CWE-89: Improper"]},"messageStrings":{"m":{"text":"{1} before {0} {{x}}"}}},
 {"id":"R3","relationships":[{"target":{"id":"22","toolComponent":{"name":"CWE"}}},{"target":{"index":1,"toolComponent":{"index":0}}}]}]}`

// Rules come after the results that refer to them, as the format allows.
func TestAResultIsReadWithWhatItsRuleSays(t *testing.T) {
	runs, got := read(t, file(tool, `"results":[
	 {"ruleId":"R1","message":{"text":"A flaw\nand more"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},
	  "region":{"startLine":3,"startColumn":4,"endLine":5,"snippet":{"text":"  gets( s )"}}}}]},
	 {"ruleIndex":1,"message":{"id":"m","arguments":["one","two"]},"taxa":[{"id":"77","toolComponent":{"name":"CWE"}}]},
	 {"rule":{"id":"R3/sub","index":2},"level":"note","message":{"text":"x"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]},
	 {"ruleId":"other","message":{"markdown":"**m**"}}]`,
		`"artifacts":[{"location":{"uri":"lib/b%20c.c","uriBaseId":"LIB"}}]`,
		`"originalUriBaseIds":{"LIB":{"uri":"third_party/","uriBaseId":"%SRCROOT%"},"%SRCROOT%":{"uri":"file:///work/"}}`,
		`"taxonomies":[{"name":"CWE","taxa":[{"id":"1"},{"id":"36"}]}]`))
	if diff := cmp.Diff([]sarif.Run{{Tool: "T", Version: "3", Results: 4}}, runs); diff != "" {
		t.Error(diff)
	}
	for i := range got {
		if got[i].Fingerprint == "" {
			t.Errorf("%d has no fingerprint", i)
		}
		got[i].Fingerprint = ""
	}
	want := []core.Finding{
		{Kind: "code", Rule: "R1", Title: "A flaw", Severity: core.SeverityHigh, SeveritySource: "T",
			SeenBy:     []string{"T"},
			Weaknesses: []string{"CWE-79"}, Locations: []core.Location{{Path: "a.c", Line: 3, Column: 4,
				EndLine: 5}}, References: []string{"https://example.org/R1"}},
		{Kind: "code", Rule: "R2", Title: "two before one {x}", Severity: core.SeverityCritical, SeveritySource: "T",
			SeenBy: []string{"T"}, Weaknesses: []string{"CWE-77", "CWE-89"}},
		{Kind: "code", Rule: "R3/sub", Title: "x", Severity: core.SeverityLow, SeveritySource: "T",
			SeenBy: []string{"T"}, Weaknesses: []string{"CWE-22", "CWE-36"},
			Locations: []core.Location{{Path: "third_party/lib/b c.c"}}},
		{Kind: "code", Rule: "other", Title: "**m**", Severity: core.SeverityMedium, SeveritySource: "T",
			SeenBy: []string{"T"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSeverityComesFromTheMostPreciseWord(t *testing.T) {
	for result, want := range map[string]core.Severity{
		`"ruleId":"R1"`:                                        core.SeverityHigh,
		`"ruleId":"R1","level":"none"`:                         core.SeverityNone,
		`"ruleId":"R1","level":"warning"`:                      core.SeverityMedium,
		`"ruleId":"R2","level":"note"`:                         core.SeverityCritical,
		`"ruleId":"R3"`:                                        core.SeverityLow, // by the override of the run
		`"ruleId":"R3","level":"error"`:                        core.SeverityHigh,
		`"ruleId":"R3","kind":"review"`:                        core.SeverityUnknown,
		`"ruleId":"R1","properties":{"security-severity":5}`:   core.SeverityMedium,
		`"ruleId":"R1","properties":{"security-severity":"x"}`: core.SeverityHigh,
		`"ruleId":"R1","level":"dreadful"`:                     core.SeverityUnknown,
	} {
		_, got := read(t, file(tool, `"results":[{`+result+`}]`,
			`"invocations":[{"executionSuccessful":true,"ruleConfigurationOverrides":[{"descriptor":{"index":2},"configuration":{"level":"note"}}]}]`))
		if got[0].Severity != want {
			t.Errorf("%s: %s, want %s", result, got[0].Severity, want)
		}
	}
}

func TestWhatIsNoFlawIsNoFinding(t *testing.T) {
	runs, got := read(t, file(tool, `"results":[{"kind":"pass"},{"kind":"notApplicable"},{"kind":"informational"},
		{"baselineState":"absent"},{"kind":"open"},{"kind":"fail"}]`))
	if runs[0].Results != 6 || len(got) != 2 {
		t.Errorf("%d results, %d findings", runs[0].Results, len(got))
	}
}

func TestAnInlineSuppressionIsKnownByTheWordsOfItsTool(t *testing.T) {
	for name, want := range map[string]string{"gosec": "#nosec", "Semgrep OSS": "nosem", "ESLint": "eslint-disable", "zizmor": "zizmor: ignore",
		"Something": "SARIF"} {
		_, got := read(t, file(`{"name":"`+name+`"}`, `"results":[{"ruleId":"R1","suppressions":[{"kind":"inSource"}]}]`))
		if len(got) != 1 || got[0].Suppressions[0].By != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSuppressionsAreKeptWhereTheFileSaysThatTheyCount(t *testing.T) {
	const at = `"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},"region":{"startLine":3}}}],`
	for text, want := range map[string][]core.Suppression{
		`[]`:                    nil,
		`[{"kind":"external"}]`: {{Kind: "report", By: "SARIF"}},
		`[{"kind":"inSource","justification":"it is a test"}]`: {{Kind: "inline",
			By: "SARIF", Path: "a.c", Line: 3, Reason: "it is a test"}},
		`[{"kind":"external","status":"accepted"},{"kind":"external"}]`: {{Kind: "report",
			By: "SARIF"}},
		`[{"kind":"external","status":"accepted"},{"kind":"inSource","status":"underReview"}]`: nil,
		`[{"kind":"external","status":"rejected"}]`:                                            nil,
	} {
		_, got := read(t, file(tool, `"results":[{`+at+`"ruleId":"R1","suppressions":`+text+`}]`))
		if diff := cmp.Diff(want, got[0].Suppressions); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestNoPathLeadsOutOfTheTree(t *testing.T) {
	const bases = `"originalUriBaseIds":{"SRCROOT":{"uri":"file:///work/app/"},"SYS":{"uri":"file:///usr/include/"},"A":{"uri":"a/","uriBaseId":"B"},
		"B":{"uri":"b/","uriBaseId":"A"},"TOP":{"uri":"file:///"},"NONE":{}}`
	for place, want := range map[string]string{
		`"uri":"../../etc/passwd"`:                         "outside:etc/passwd",
		`"uri":"src/%2e%2e/%2e%2e/x"`:                      "outside:x",
		`"uri":"file:///etc/passwd"`:                       "outside:etc/passwd",
		`"uri":"/etc/passwd"`:                              "outside:etc/passwd",
		`"uri":"file:///work/app/src/a.c"`:                 "src/a.c",
		`"uri":"file:///home/ci/src/a.c"`:                  "src/a.c", // where the caller says that the tree was
		`"uri":"file:///home/wd/a.c"`:                      "a.c",     // where the tool ran
		`"uri":"src/a.c","uriBaseId":"SRCROOT"`:            "src/a.c",
		`"uri":"stdio.h","uriBaseId":"SYS"`:                "outside:usr/include/stdio.h",
		`"uri":"x","uriBaseId":"NONE"`:                     "x",
		`"uri":"Dockerfile","uriBaseId":"TOP"`:             "Dockerfile",
		`"uri":"x","uriBaseId":"unknown"`:                  "x",
		`"uri":"https://example.org/x.js","uriBaseId":"A"`: "outside:https://example.org/x.js",
		`"index":7`:  "",
		`"index":-7`: "",
	} {
		_, got := read(t, file(tool, bases,
			`"invocations":[{"executionSuccessful":true,"workingDirectory":{"uri":"file:///home/wd"}}]`,
			`"results":[{"locations":[{"physicalLocation":{"artifactLocation":{`+place+`}}}]}]`), "/home/ci")
		path := ""
		if len(got[0].Locations) > 0 {
			path = got[0].Locations[0].Path
		}
		if path != want {
			t.Errorf("%s: %q, want %q", place, path, want)
		}
	}
	// Base URIs that lead to each other lead nowhere.
	_, got := read(t, file(tool, bases,
		`"results":[{"locations":[{"physicalLocation":{"artifactLocation":{"uri":"x","uriBaseId":"A"}}}]}]`))
	if p := got[0].Locations[0].Path; !strings.HasSuffix(p, "/x") || len(p) > 100 {
		t.Errorf("%q", p)
	}
}

func TestAToolThatCouldNotLookLeavesAGap(t *testing.T) {
	for members, want := range map[string][]string{
		`"invocations":[{"executionSuccessful":true}]`:  nil,
		`"invocations":[{"executionSuccessful":false}]`: {"the tool says that its run did not succeed"},
		`"invocations":[{"executionSuccessful":true,"toolExecutionNotifications":[{"level":"note","message":{"text":"fine"}},{"message":{"text":"hm"}},
			{"level":"error","message":{"text":"could not parse x.c"}}]}]`: {"the tool says: could not parse x.c"},
		`"invocations":[{"executionSuccessful":true,"toolConfigurationNotifications":[{"level":"error"}]}]`: {"the tool says: an error without words"},
		`"externalPropertyFileReferences":{"results":[{}]}`:                                                 {"parts of the report are in other files, which are not read"},
		`"externalPropertyFileReferences":{"taxonomies":[{"guid":"x"}],"translations":[]}`:                  nil,
	} {
		runs, _ := read(t, file(tool, members))
		if diff := cmp.Diff(want, runs[0].Gaps); diff != "" {
			t.Errorf("%s\n%s", members, diff)
		}
	}
	runs, _ := read(t, file(tool, `"invocations":[{"executionSuccessful":true,"toolExecutionNotifications":[`+
		strings.Repeat(`{"level":"error","message":{"text":"a"}},{"level":"error","message":{"text":"b"}},`,
			1000)+`{}]}]`))
	if len(runs[0].Gaps) != 2 {
		t.Errorf("%d gaps", len(runs[0].Gaps))
	}
}

func TestTheFingerprintStaysWhenLinesMove(t *testing.T) {
	one := func(result string) string {
		_, got := read(t, file(tool, `"results":[{`+result+`}]`))
		return got[0].Fingerprint
	}
	at := func(path string, line int, snippet string) string {
		return fmt.Sprintf(`"locations":[{"physicalLocation":{"artifactLocation":{"uri":%q},"region":{"startLine":%d%s}}}]`, path, line, snippet)
	}
	const text = `,"snippet":{"text":"\tgets(s)"}`
	const other = `,"snippet":{"text":"gets(s);"}`
	for _, tc := range []struct {
		name, a, b string
		same       bool
	}{
		{"by the text of the line", `"ruleId":"R1",` + at("a.c", 3, text), `"ruleId":"R1",` + at("a.c", 90,
			`,"snippet":{"text":"  gets(s) "}`), true},
		{"another text", `"ruleId":"R1",` + at("a.c", 3, text), `"ruleId":"R1",` + at("a.c", 3, other), false},
		{"another file", `"ruleId":"R1",` + at("a.c", 3, text), `"ruleId":"R1",` + at("b.c", 3, text), false},
		{"another rule", `"ruleId":"R1",` + at("a.c", 3, text), `"ruleId":"R2",` + at("a.c", 3, text), false},
		{"by the message", `"ruleId":"R1","message":{"text":"at line 3"},` + at("a.c", 3, ""),
			`"ruleId":"R1","message":{"text":"at line 17"},` + at("a.c", 17, ""), true},
		{"another message", `"ruleId":"R1","message":{"text":"x"},` + at("a.c", 3, ""),
			`"ruleId":"R1","message":{"text":"y"},` + at("a.c", 3, ""), false},
		{"by the tool's own", `"ruleId":"R1","partialFingerprints":{"primaryLocationLineHash":"1:1","x":"2"},` +
			at("a.c", 3, text),
			`"ruleId":"R1","partialFingerprints":{"primaryLocationLineHash":"1:1","x":"3"},` + at("a.c", 4,
				other), true},
		{"another one of the tool's own", `"ruleId":"R1","fingerprints":{"a/v1":"1"},` + at("a.c", 3, text),
			`"ruleId":"R1","fingerprints":{"a/v1":"2"},` + at("a.c", 3, text), false},
		{"one that says nothing", `"ruleId":"R1","fingerprints":{"matchBasedId/v1":"requires login"},` + at("a.c", 3,
			text), `"ruleId":"R1",` + at("a.c", 3, text), true},
	} {
		if same := one(tc.a) == one(tc.b); same != tc.same {
			t.Errorf("%s: %v", tc.name, same)
		}
	}
}

func TestASecretIsNotRepeated(t *testing.T) {
	_, got := read(t, file(`{"name":"gitleaks","rules":[{"id":"aws","shortDescription":{"text":"An AWS key"}}]}`,
		`"results":[{"ruleId":"aws","message":{"text":"found AKIAHUNTER2"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a"},
		"region":{"startLine":1,"snippet":{"text":"AKIAHUNTER2"}}}}]},{"ruleId":"new","message":{"text":"AKIAHUNTER2"}}]`))
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "HUNTER2") {
		t.Errorf("the secret is in %s", text)
	}
	if got[0].Kind != core.KindSecret || got[0].Title != "An AWS key" || got[0].Weaknesses[0] != sarif.HardCoded {
		t.Errorf("%+v", got[0])
	}
}

func TestTrivysResultsNameThePackage(t *testing.T) {
	runs, got := read(t, file(`{"name":"Trivy","rules":[{"id":"CVE-2020-1","properties":{"security-severity":"5.5"}}]}`,
		`"results":[{"ruleId":"CVE-2020-1","message":{"text":"Package: musl\nInstalled Version: 1.1.22-r3\nFixed Version: 1.1.22-r4\n"}}]`,
		`"properties":{"imageName":"alpine:3.10","repoDigests":["alpine@sha256:1"]}`))
	f := got[0]
	if f.Kind != core.KindVulnerability || f.Package == nil || f.Package.Name != "musl" ||
		f.Package.Version != "1.1.22-r3" || f.Fix.Version != "1.1.22-r4" {
		t.Errorf("%+v", f)
	}
	if diff := cmp.Diff(sarif.Image{Name: "alpine:3.10", Digests: []string{"alpine@sha256:1"}},
		runs[0].Image); diff != "" {
		t.Error(diff)
	}
}

func TestEveryEncodingIsRead(t *testing.T) {
	text := file(tool, `"results":[{"ruleId":"R1","message":{"text":"é"}}]`)
	for _, e := range []interface{ String(string) (string, error) }{
		unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(), unicode.UTF16(unicode.BigEndian,
			unicode.IgnoreBOM).NewEncoder(),
		unicode.UTF8BOM.NewEncoder(),
	} {
		encoded, err := e.String(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := read(t, encoded); got[0].Title != "é" {
			t.Errorf("%+v", got)
		}
	}
}

func TestMalformedFilesGiveOneErrorThatSaysWhere(t *testing.T) {
	whole := file(tool, `"results":[{"ruleId":"R1"},{"ruleId":"R2"}]`)
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                 {"", "it is cut off here"},
		"truncated":               {whole[:51], "byte 51, at runs[0].results: it is cut off here"},
		"no SARIF":                {`{"runs":[{"tool":{"driver":{"name":"x"}}}]}`, "it has no version"},
		"an older version":        {`{"version":"1.0.0","runs":[]}`, `byte 18, at version: it is SARIF "1.0.0"`},
		"no runs":                 {`{"version":"2.1.0","runs":[]}`, "no tool says that it looked"},
		"runs that are null":      {`{"version":"2.1.0","runs":null}`, "no tool says that it looked"},
		"no tool":                 {`{"version":"2.1.0","runs":[{}]}`, "at runs[0]: the run does not name its tool"},
		"a tool without a name":   {file(`{}`), "the tool of the run has no name"},
		"results of another type": {file(tool, `"results":{}`), "at runs[0].results: want an array, found an object"},
		"a result of another type": {file(tool, `"results":[{},7]`),
			"at runs[0].results[1]: want an object, found a number"},
		"a level of another type": {file(tool, `"results":[{"level":3}]`),
			"at runs[0].results[0].level: want a string, found a number"},
		"a line of another type": {file(tool,
			`"results":[{"locations":[{"physicalLocation":{"region":{"startLine":"3"}}}]}]`), "region.startLine: want a number, found a string"},
		"a broken line": {file(tool,
			`"results":[{"locations":[{"physicalLocation":{"region":{"startLine":1.5}}}]}]`), "want a whole number"},
		"results twice": {file(tool, `"results":[]`, `"results":[{}]`), "results: this member occurs twice"},
		"a level twice": {file(tool, `"results":[{"level":"error","level":"none"}]`),
			"level: this member occurs twice"},
		"nested too deeply": {file(tool, `"results":[{"properties":`+strings.Repeat(`{"a":`,
			300)+`1`+strings.Repeat(`}`, 300)+`}]`), "nested deeper"},
		"a text that is too long": {file(tool, `"results":[{"message":{"text":"`+strings.Repeat("x", 2<<20)+`"}}]`),
			"message.text: longer than 1048576 bytes"},
		"something behind it": {whole + "{}", "something follows the end"},
		"inline parts": {`{"version":"2.1.0","inlineExternalProperties":[{"results":[{}]}],"runs":[]}`,
			"write whole runs"},
	} {
		if _, _, err := tryRead(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	long := file(strings.Replace(tool, `"rules":[`, `"rules":[`+strings.Repeat(`{"id":"x"},`, 100_001), 1))
	if _, _, err := tryRead(long); err == nil || !strings.Contains(err.Error(), "more than 100000 rules") {
		t.Errorf("too many rules: %v", err)
	}
	long = file(tool, `"results":[{"suppressions":[`+strings.Repeat(`{},`, 100_000)+`{}]}]`)
	if _, _, err := tryRead(long); err == nil || !strings.Contains(err.Error(), "[100000]: more than 100000 elements") {
		t.Errorf("too many suppressions: %v", err)
	}
	long = file(tool, `"results":[{"message":{"arguments":[`+strings.Repeat(`"",`, 9<<20)+`""]}}]`)
	if _, _, err := tryRead(long); err == nil || !strings.Contains(err.Error(), "of more than 134217728 bytes") {
		t.Errorf("too many empty texts: %v", err)
	}
}

func TestTheCallerCanStop(t *testing.T) {
	_, err := sarif.Read(strings.NewReader(file(tool, `"results":[{},{}]`)), sarif.Options{},
		func(core.Finding) error { return io.ErrShortBuffer })
	if err == nil || !strings.Contains(err.Error(), "runs[0].results[0]: short buffer") {
		t.Error(err)
	}
}

func TestRealFilesAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "corpus")
	index, err := os.ReadFile(filepath.Join(root, "sarif", "INDEX.tsv"))
	if err != nil {
		t.Skipf("real data is not beside the repository: %v", err)
	}
	type row struct{ tools, results string }
	rows := map[string]row{}
	for line := range strings.Lines(string(index)) {
		if cells := strings.Split(line, "\t"); len(cells) > 2 {
			rows[cells[0]] = row{cells[1], cells[2]}
		}
	}
	seen := 0
	err = filepath.WalkDir(filepath.Join(root, "sarif"), func(path string, d os.DirEntry, err error) error {
		want, known := rows[filepath.Base(path)]
		if err != nil || d.IsDir() || !known {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		runs, findings, err := tryRead(string(raw))
		if want.tools == "" {
			if err == nil {
				t.Errorf("%s was read", path)
			}
			return nil
		}
		var tools []string
		results := 0
		for _, run := range runs {
			tools, results = append(tools, run.Tool), results+run.Results
		}
		if err != nil || strings.Join(tools, ",") != want.tools || fmt.Sprint(results) != want.results ||
			len(findings) > results {
			t.Errorf("%s: %v, %d results, %d findings, want %v; %v", path, tools, results, len(findings), want, err)
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d files, %v", seen, err)
	}
}

// FuzzRead checks that nothing makes the reader panic, and that what it gives is well-formed.
func FuzzRead(f *testing.F) {
	f.Add(file(tool,
		`"results":[{"ruleId":"R1","locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.c"},"region":{"startLine":3}}}]}]`))
	f.Add(file(tool,
		`"results":[{"ruleIndex":1,"message":{"id":"m","arguments":["{0}"]},"suppressions":[{"kind":"inSource"}]}]`,
		`"originalUriBaseIds":{"A":{"uri":"..","uriBaseId":"A"}}`, `"invocations":[{"executionSuccessful":false}]`))
	f.Add("\xff\xfe{\x00}\x00")
	f.Fuzz(func(t *testing.T, text string) {
		_, findings, err := tryRead(text)
		if err != nil {
			return
		}
		for _, x := range findings {
			if x.Rule == "" || x.Title == "" || len(x.Fingerprint) != 32 || len(x.SeenBy) != 1 {
				t.Errorf("%+v", x)
			}
			for _, l := range x.Locations {
				if l.Path == "" || strings.HasPrefix(l.Path, "/") || strings.HasPrefix(l.Path, "../") || l.Line < 0 ||
					l.Column < 0 || l.EndLine < 0 {
					t.Errorf("%+v", l)
				}
			}
		}
	})
}

// large is a file of n bytes or more with results of a usual size.
func large(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"version":"2.1.0","runs":[{"results":[`)
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ruleId":"R1","ruleIndex":0,"message":{"text":"Flow from here to there in line %d"},"locations":[{"physicalLocation":{
			"artifactLocation":{"uri":"src/pkg/file%d.c","uriBaseId":"%%SRCROOT%%"},"region":{"startLine":%d,"startColumn":7,"endColumn":20,
			"snippet":{"text":"call(%d)"}}}}],"partialFingerprints":{"primaryLocationLineHash":"%x:1"},"codeFlows":[{"threadFlows":[{"locations":[%s
			{"location":{"physicalLocation":{"artifactLocation":{"uri":"x.c"},"region":{"startLine":1}},"message":{"text":"end"}}}]}]}]}`,
			i, i%1000, i, i, i, strings.Repeat(`{"location":{"physicalLocation":{"artifactLocation":{"uri":"src/pkg/other.c"},"region":{"startLine":10}},"message":{"text":"step"}}},`, 8))
	}
	b.WriteString(`],"tool":{"driver":` + tool + `}}]}`)
	return b.Bytes()
}

// BenchmarkRead reads 100 MB and reports the greatest heap during it, above what the text itself takes.
func BenchmarkRead(b *testing.B) {
	text := large(100 << 20)
	b.SetBytes(int64(len(text)))
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before, peak runtime.MemStats
	runtime.ReadMemStats(&before)
	most, results := uint64(0), 0
	for b.Loop() {
		results = 0
		_, err := sarif.Read(bytes.NewReader(text), sarif.Options{}, func(core.Finding) error {
			if results++; results%5000 == 0 {
				runtime.ReadMemStats(&peak)
				most = max(most, peak.HeapAlloc)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(most-before.HeapAlloc)/(1<<20), "MiB-peak")
	b.ReportMetric(float64(results), "results")
}
