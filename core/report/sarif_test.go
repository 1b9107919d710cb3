package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// officialSchema compiles a schema of the shared data, which is beside the repository.
func officialSchema(t testing.TB, parts ...string) *jsonschema.Schema {
	t.Helper()
	file := filepath.Join(append([]string{"..", "..", "..", "shared", "schemas"}, parts...)...)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("the shared data is not beside the repository: %v", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("official.json", value); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("official.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sarifOf(t testing.TB, d Document) ([]byte, Shown) {
	t.Helper()
	var b bytes.Buffer
	shown, err := SARIF(&b, d)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), shown
}

// sarifView is what the tests look at.
type sarifView struct {
	Runs []struct {
		Tool              struct{ Driver sarif.WrittenTool }
		AutomationDetails struct{ ID string }
		Invocations       []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []sarif.Notice
		}
		Results []sarif.WrittenResult
	}
}

func viewSARIF(t testing.TB, data []byte) sarifView {
	t.Helper()
	var v sarifView
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSARIFIsAsTheGoldenFilesAndPassesTheCheck(t *testing.T) {
	for name, d := range documents() {
		t.Run(name, func(t *testing.T) {
			data, shown := sarifOf(t, d)
			if err := sarif.Check(data); err != nil {
				t.Error(err)
			}
			if shown.Cut() {
				t.Errorf("%s of a small document", shown)
			}
			again, _ := sarifOf(t, d)
			if !bytes.Equal(data, again) {
				t.Error("two reports of one document differ")
			}
			if name == "refused" || name == "hostile" {
				return // a golden file of hundreds of results is not read by anybody
			}
			var b bytes.Buffer
			if err := json.Indent(&b, data, "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".sarif", b.Bytes())
		})
	}
}

func TestSARIFIsValidByTheOfficialSchema(t *testing.T) {
	schema := officialSchema(t, "sarif-2.1.0.json")
	for name, d := range documents() {
		data, _ := sarifOf(t, d)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSARIFFollowsTheVerdict(t *testing.T) {
	data, _ := sarifOf(t, refusedDocument())
	run := viewSARIF(t, data).Runs[0]
	if got, want := run.AutomationDetails.ID, "cleanbill/registry.example/team/shop/"; got != want {
		t.Errorf("the category is %q, not %q: a tag or digest in it would make new alerts of old ones", got, want)
	}
	levels, seen := map[string]int{}, map[string]bool{}
	for _, r := range run.Results {
		print := r.Fingerprints[sarif.FingerprintName]
		if seen[print] {
			t.Errorf("%s is there twice, once for each platform", print)
		}
		seen[print] = true
		if len(r.Suppressions) > 0 {
			levels["suppressed"]++
			continue
		}
		levels[r.Level]++
	}
	if got, want := fmt.Sprint(levels), "map[error:7 suppressed:3 warning:119]"; got != want {
		t.Errorf("levels are %s, not %s", got, want)
	}
	if run.Results[0].RuleID != "CVE-2026-0003" {
		t.Errorf("first is %s, not what attackers use", run.Results[0].RuleID)
	}
	if i := run.Invocations[0]; i.ExecutionSuccessful || !strings.Contains(fmt.Sprint(i.ToolExecutionNotifications), "archive is truncated") {
		t.Errorf("the gap is not said: %+v", i)
	}
	data, _ = sarifOf(t, passedDocument())
	if !viewSARIF(t, data).Runs[0].Invocations[0].ExecutionSuccessful {
		t.Error("what was examined as a whole is said not to be")
	}
}

// manyWarnings has n findings to warn of, and after them one that is refused although it is not severe.
func manyWarnings(n int) Document {
	d := passedDocument()
	d.Verdict.Decision = core.Refused
	for i := range n {
		f := vulnerability(amd64Digest, fmt.Sprintf("CVE-2026-%05d", i), "p", "1", "", core.SeverityCritical)
		d.Evidence.Findings = append(d.Evidence.Findings, f)
		d.Verdict.Warnings = append(d.Verdict.Warnings, outcome("w", core.ActionWarn, f))
	}
	f := vulnerability(amd64Digest, "CVE-2026-99999", "p", "1", "2", core.SeverityLow)
	d.Evidence.Findings = append(d.Evidence.Findings, f)
	d.Verdict.Refusals = append(d.Verdict.Refusals, outcome("r", core.ActionFail, f))
	return d
}

func TestSARIFIsCutByUrgencyAndSaysSo(t *testing.T) {
	data, shown := sarifOf(t, manyWarnings(30000))
	if err := sarif.Check(data); err != nil {
		t.Error(err)
	}
	if shown != (Shown{5000, 30001}) {
		t.Errorf("it has %s", shown)
	}
	run := viewSARIF(t, data).Runs[0]
	if len(run.Results) != shown.Shown || run.Results[0].RuleID != "CVE-2026-99999" {
		t.Errorf("%d results, the first of %s: want what is refused first", len(run.Results), run.Results[0].RuleID)
	}
	if notices := fmt.Sprint(run.Invocations[0].ToolExecutionNotifications); !strings.Contains(notices, "shown 5000 of 30001 findings") {
		t.Errorf("it does not say what is left out: %s", notices)
	}
}

func TestWhatCanBeFixedIsSaidToBe(t *testing.T) {
	v := core.KindVulnerability
	for want, f := range map[string]core.Finding{
		"upgrade to 1.1":                  {Kind: v, Fix: core.Fix{State: core.FixAvailable, Version: "1.1", Versions: []string{"1.1", "2.0"}}},
		"fixed in 1.1, 2.0":               {Kind: v, Fix: core.Fix{State: core.FixAvailable, Versions: []string{"1.1", "2.0"}}},
		"fixed in 1, 2, 3":                {Kind: v, Fix: core.Fix{State: core.FixAvailable, Versions: []string{"1", "2", "3", "4"}}},
		"revoke it":                       {Kind: core.KindSecret, Fix: core.Fix{Text: "revoke it"}},
		"the distributor does not fix it": {Kind: v, Fix: core.Fix{State: core.FixWontFix, Versions: []string{"1.1"}}},
		"no fixed version is known":       {Kind: v},
		"no fixed version was published":  {Kind: v, Fix: core.Fix{State: core.FixNone}},
		"":                                {Kind: core.KindCode},
	} {
		if got := remedyOf(&f); got != want {
			t.Errorf("%+v: %q, want %q", f.Fix, got, want)
		}
	}
}

func TestPlacesAreRelativeToTheRoot(t *testing.T) {
	for path, want := range map[string]string{
		"app/.env": "app/.env", "/etc/passwd": "etc/passwd", "../../etc": "etc", "debian:12/x": "debian%3A12/x",
		"https://evil/x": "https%3A/evil/x", "a b#c?d%41": "a%20b%23c%3Fd%2541", ".": "", "": "",
	} {
		if got := relativeURI(path); got != want {
			t.Errorf("%q became %q, not %q", path, got, want)
		}
	}
	for name, want := range map[string]string{
		"registry.example:5000/team/shop:1.4.2":                "registry.example:5000/team/shop",
		"registry.example/shop@" + string(amd64Digest):         "registry.example/shop",
		"registry.example/team/shop:v1@" + string(amd64Digest): "registry.example/team/shop",
		"oci:examples/image":                                   "examples/image",
		"oci:examples/image:1.4":                               "examples/image",
		"localhost:5000/shop":                                  "localhost:5000/shop",
		"docker:shop:1.4":                                      "shop",
		"dir:a:b":                                              "a:b",
	} {
		if got := repositoryOf(name); got != want {
			t.Errorf("%q became %q, not %q", name, got, want)
		}
	}
}

func TestSecuritySeverityIsAlwaysANumber(t *testing.T) {
	score := func(f float64) *float64 { return &f }
	for _, c := range []struct {
		severity core.Severity
		score    *float64
		want     float64
	}{
		{core.SeverityUnknown, nil, 5.0}, {core.SeverityNone, nil, 0.0}, {core.SeverityCritical, score(9.8), 9.8},
		{core.SeverityLow, score(9.8), 2.0}, // the distribution says that it is not severe here
		{core.SeverityHigh, score(-1), 8.0}, {core.Severity(99), score(11), 5.0},
	} {
		if got := severityScore(c.severity, c.score); got != c.want {
			t.Errorf("%s and %v became %v, not %v", c.severity, c.score, got, c.want)
		}
	}
}

func BenchmarkSARIF(b *testing.B) {
	d := manyWarnings(10000)
	for b.Loop() {
		sarifOf(b, d)
	}
}

// A category that changes from run to run closes alerts and opens them anew; one that two reports share lets the later replace
// the earlier.
func TestSARIFCategoriesAreStableAndApart(t *testing.T) {
	subject := func(name string) core.Subject {
		return core.Subject{Name: name, Digest: "sha256:" + core.Digest(strings.Repeat("a", 64))}
	}
	platform := subject("registry.example/team/shop:1")
	platform.Parent = platform.Digest
	long := func(last string) []core.Subject {
		var out []core.Subject
		for i := range 40 {
			out = append(out, subject(fmt.Sprintf("registry.example/team/image-%d:1", i)))
		}
		return append(out, subject("registry.example/team/"+last))
	}
	of := func(category string, subjects ...core.Subject) string {
		d := refusedDocument()
		d.Category, d.Evidence.Subjects = category, subjects
		data, _ := sarifOf(t, d)
		return viewSARIF(t, data).Runs[0].AutomationDetails.ID
	}
	for name, tc := range map[string]struct{ got, want string }{
		"an index":          {of("", subject("registry.example/team/shop:1"), platform), "cleanbill/registry.example/team/shop/"},
		"image and sources": {of("", subject("oci:image.tar"), subject("dir:.")), "cleanbill/image.tar+subject/"},
		"a category":        {of("nightly shop", subject("registry.example/team/shop:1")), "cleanbill/nightly%20shop/"},
		"nothing":           {of(""), "cleanbill/"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: the category is %q, want %q", name, tc.got, tc.want)
		}
	}
	a, b := of("", long("a")...), of("", long("b")...)
	if a == b || len(a) > 300 || a != of("", long("a")...) {
		t.Errorf("long categories are %q and %q", a, b)
	}
}

// noise is text that does not compress well, and the same in each run.
func noise(n int) func() string {
	from := rand.New(rand.NewPCG(1, 2))
	return func() string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[from.IntN(36)]
		}
		return string(b)
	}
}

func TestSARIFIsCutUntilItsSizeIsTaken(t *testing.T) {
	path := noise(200)
	d := manyWarnings(4000)
	for i := range d.Evidence.Findings {
		f := &d.Evidence.Findings[i]
		f.Title = path()
		for range 40 {
			f.Locations = append(f.Locations, core.Location{Path: path()})
		}
	}
	data, shown := sarifOf(t, d)
	if err := sarif.Check(data); err != nil { // of the size too
		t.Error(err)
	}
	run := viewSARIF(t, data).Runs[0]
	if !shown.Cut() || shown.Shown == 0 || shown.Of != 4001 || len(run.Results) != shown.Shown || run.Results[0].RuleID != "CVE-2026-99999" {
		t.Errorf("%s: %d results, the first of %s", shown, len(run.Results), run.Results[0].RuleID)
	}
	if notices := fmt.Sprint(run.Invocations[0].ToolExecutionNotifications); !strings.Contains(notices, shown.String()) {
		t.Errorf("it does not say what is left out: %s", notices)
	}
	twice, err := sarif.Compressed(bytes.NewReader(data))
	if err != nil || 2*twice < sarif.MaxCompressed*8/10 {
		t.Errorf("%d bytes after compression are less than would be taken (%v)", twice, err)
	}
}

func TestSARIFBoundsPlacesAndTagsOfAResult(t *testing.T) {
	d := manyWarnings(1)
	f := &d.Evidence.Findings[len(d.Evidence.Findings)-1]
	for i := range 1200 {
		f.Locations = append(f.Locations, core.Location{Path: fmt.Sprintf("srv/%d.js", i)})
		f.Weaknesses = append(f.Weaknesses, fmt.Sprintf("CWE-%d", i))
	}
	data, _ := sarifOf(t, d)
	if err := sarif.Check(data); err != nil {
		t.Error(err)
	}
	var log struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct {
						ID         string
						Properties struct{ Tags []string }
					}
				}
			}
			Results []struct {
				RuleID    string
				Locations []any
			}
		}
	}
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if run.Results[0].RuleID != f.Rule || len(run.Results[0].Locations) != sarifLocations {
		t.Errorf("%s has %d places", run.Results[0].RuleID, len(run.Results[0].Locations))
	}
	for _, r := range run.Tool.Driver.Rules {
		if r.ID == f.Rule && len(r.Properties.Tags) != sarifTags {
			t.Errorf("%s has the tags %q", r.ID, r.Properties.Tags)
		}
	}
}
