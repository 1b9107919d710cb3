package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// evidenceItself is the format that machines read back, which has texts as they are and as long as they are.
const evidenceItself = "json"

// maker makes evidence and verdicts that nothing holds together but the digests of subjects and the fingerprints of findings.
type maker struct {
	*rand.Rand
	texts []string
	many  int // elements of a list, at most
}

func (m maker) document() Document {
	var e core.Evidence
	var v core.Verdict
	m.fill(reflect.ValueOf(&e).Elem(), "")
	m.fill(reflect.ValueOf(&v).Elem(), "")
	e.Subjects = append(e.Subjects, core.Subject{Name: m.text(), Kind: core.KindImage}) // there is always one, and none is there twice
	for i := range e.Subjects {
		e.Subjects[i].Digest = digestOf(fmt.Sprint(i % 10))
	}
	d := NewDocument(Tool{Name: m.text(), Version: m.text(), Commit: m.text()}, e, &v)
	if m.IntN(5) == 0 {
		d.Verdict = nil
	}
	if m.IntN(2) == 0 {
		d.Created = judgedAt
	}
	return d
}

func (m maker) text() string { return m.texts[m.IntN(len(m.texts))] }

// fill sets every member of every type below v, whatever members there are or will be.
func (m maker) fill(v reflect.Value, name string) {
	switch v.Interface().(type) {
	case core.Digest:
		v.SetString(string(digestOf(fmt.Sprint(m.IntN(4)))))
		return
	case time.Time:
		v.Set(reflect.ValueOf([]time.Time{{}, judgedAt, time.Date(9999, 12, 31, 23, 59, 59, 999, time.UTC)}[m.IntN(3)]))
		return
	}
	if words := enumOf(v.Type()); words != nil && v.Kind() == reflect.String {
		v.SetString(words[m.IntN(len(words))])
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(m.text())
		if name == "Fingerprint" {
			v.SetString(core.FingerprintOf(core.KindCode, fmt.Sprint(m.IntN(6))))
		}
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, 2, 3, 4, 5, -7, 99, 1 << 40}[m.IntN(9)])
	case reflect.Float64:
		v.SetFloat([]float64{0, 0.5, 7.25, 10, -1, 99}[m.IntN(6)])
	case reflect.Bool:
		v.SetBool(m.IntN(2) == 0)
	case reflect.Pointer:
		if m.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			m.fill(v.Elem(), name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), m.IntN(m.many+1), m.many))
		for i := range v.Len() {
			m.fill(v.Index(i), name)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{m.text(): m.text(), "sha256": m.text()}))
	case reflect.Struct:
		for i := range v.NumField() {
			m.fill(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		if v.CanInt() || v.CanUint() {
			v.Set(reflect.ValueOf(m.IntN(9)).Convert(v.Type()))
			return
		}
		panic("evidence has a " + v.Type().String() + ", which this test does not know")
	}
}

// reportChecks are what each format has to hold for whatever evidence; official schemas are among them where they are at hand.
func reportChecks(t testing.TB) map[string]func([]byte) error {
	t.Helper()
	checks := map[string]func([]byte) error{
		"json": wellFormedJSON, "codequality": wellFormedJSON, "junit": wellFormedXML,
		"cyclonedx": schemaCheck(t, "cyclonedx", "bom-1.6.SNAPSHOT.schema.json"), "spdx": schemaCheck(t, "spdx-2.3.schema.json"),
	}
	checks["bills"] = checks["cyclonedx"]
	checks["comment"] = func(data []byte) error {
		if len(data) > CommentLimit {
			return fmt.Errorf("it has %d bytes", len(data))
		}
		return nil
	}
	valid := schemaCheck(t, "sarif-2.1.0.json")
	checks["sarif"] = func(data []byte) error {
		return errors.Join(valid(data), sarif.Check(data), tellsWhatGitHubShows(data))
	}
	for _, kind := range gitlabScans() {
		name := strings.ReplaceAll(string(kind), "_", "-")
		valid := schemaCheck(t, "gitlab-15.0.0", name+"-report-format.json")
		checks["gitlab-"+name] = func(data []byte) error { return errors.Join(valid(data), ingestedByGitLab(data)) }
	}
	return checks
}

func wellFormedJSON(data []byte) error {
	if !json.Valid(data) {
		return errors.New("it is no JSON")
	}
	return nil
}

func wellFormedXML(data []byte) error {
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("it is no XML: %w", err)
		}
	}
}

// schemaCheck holds a report to an official schema, or to being JSON where the shared data is not beside the repository.
func schemaCheck(t testing.TB, parts ...string) func([]byte) error {
	t.Helper()
	const root = "../../../shared/schemas/"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	add := func(url, file string) bool {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Logf("the shared data is not beside the repository: %v", err)
			return false
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = c.AddResource(url, value)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	const cyclonedx = "http://cyclonedx.org/schema/" // those that the bill's own refers to
	if !add(cyclonedx+"official.json", root+filepath.Join(parts...)) ||
		!add(cyclonedx+"spdx.SNAPSHOT.schema.json", root+"cyclonedx/spdx.SNAPSHOT.schema.json") ||
		!add(cyclonedx+"jsf-0.82.SNAPSHOT.schema.json", root+"cyclonedx/jsf-0.82.SNAPSHOT.schema.json") {
		return wellFormedJSON
	}
	s, err := c.Compile(cyclonedx + "official.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(data []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return s.Validate(value)
	}
}

// tellsWhatGitHubShows holds that nothing is left to GitHub to cut: within what it shows, and saying what was left out.
func tellsWhatGitHubShows(data []byte) error {
	var l struct {
		Runs []struct {
			Tool    struct{ Driver sarif.WrittenTool }
			Results []sarif.WrittenResult
		}
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	run := l.Runs[0]
	if len(run.Results) > 5000 {
		return fmt.Errorf("of %d results GitHub shows 5,000", len(run.Results))
	}
	seen := map[string]bool{}
	for _, r := range run.Results {
		if len(r.Locations) > 100 {
			return fmt.Errorf("of %d places of a result GitHub shows 100", len(r.Locations))
		}
		print := r.Fingerprints[sarif.GitHubFingerprint]
		if seen[print] {
			return fmt.Errorf("%s is there twice", print)
		}
		seen[print] = true
	}
	for _, r := range run.Tool.Driver.Rules {
		if len(r.Properties.Tags) > 10 {
			return fmt.Errorf("of %d tags of a rule GitHub shows 10", len(r.Properties.Tags))
		}
	}
	return nil
}

// ingestedByGitLab holds what GitLab's database wants beyond the schema: it drops a finding whose description has more than
// 15,000 characters.
//
// https://gitlab.com/gitlab-org/gitlab/-/issues/440853
func ingestedByGitLab(data []byte) error {
	var r struct{ Vulnerabilities []gitlabFlaw }
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	for _, f := range r.Vulnerabilities {
		if n := utf8.RuneCountInString(f.Description); n > 15_000 {
			return fmt.Errorf("a description has %d characters", n)
		}
	}
	return nil
}

// actsOn says what in a report could act on what reads it: a terminal, a runner's log, or who shows what its JSON decodes to.
func actsOn(data []byte) error {
	bad := func(s string) error {
		if i := strings.IndexFunc(s, acting); i >= 0 {
			return fmt.Errorf("it has %+q", s[max(i-20, 0):min(i+20, len(s))])
		}
		return nil
	}
	if err := bad(string(data)); err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "::") || strings.Contains(line, "##[") {
			return fmt.Errorf("a runner takes this for a command: %.60q", line)
		}
	}
	var value any
	if json.Unmarshal(data, &value) != nil {
		return nil
	}
	var walk func(any) error
	walk = func(value any) error {
		switch value := value.(type) {
		case string:
			return bad(value)
		case []any:
			for _, element := range value {
				if err := walk(element); err != nil {
					return err
				}
			}
		case map[string]any:
			for name, member := range value {
				if err := errors.Join(bad(name), walk(member)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(value)
}

// acting reports whether a terminal or a reader of text may act on a character: controls but line ends and tabs, and what turns
// the direction of a text.
func acting(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// hostileTexts are what would act on a reader of each format.
var hostileTexts = []string{"", "::error title=x::y", "\n::set-output name=result::passed", "a\x1b[2J\x00\x7f\xff\u0085", "\u202egpj.\u2066x",
	"<img src=x onerror=alert(1)>", "]]></system-out><testcase/>&lt;&#0;", "[click](https://evil.example) @all #1 `x` |", "</script><script>1",
	"##[error]x", "../../etc/passwd", "debian:12/x", "https://user:secret@evil.example/x", "pkg:npm/x@1?a=b#../..", "{{ .X }} ${x} $(x)", "\ufffe\uffff\U0001f600",
	"plain", "CVE-2026-0001", "a/b.c"}

// everyFormat is what can be asked for by name, and what adapters write besides: a comment, and a bill of materials in parts.
func everyFormat() []Format {
	return append(Formats(),
		Format{Name: "comment", Write: func(w io.Writer, d Document) error {
			_, err := Comment(w, d, CommentLimit)
			return err
		}},
		Format{Name: "bills", Write: func(w io.Writer, d Document) error {
			bills, err := Bills(d, 1<<20)
			if err != nil {
				return err
			}
			for _, bill := range bills {
				if len(bill) > 1<<20 {
					return fmt.Errorf("a bill has %d bytes", len(bill))
				}
			}
			_, err = w.Write(bills[len(bills)-1])
			return err
		}})
}

func checkFormats(t *testing.T, formats []Format, d Document, checks map[string]func([]byte) error) map[string]int {
	t.Helper()
	sizes := map[string]int{}
	for _, f := range formats {
		var b bytes.Buffer
		if err := f.Write(&b, d); err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		sizes[f.Name] = b.Len()
		if check := checks[f.Name]; check != nil {
			if err := check(b.Bytes()); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
		if f.Name != evidenceItself {
			if err := actsOn(b.Bytes()); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
	return sizes
}

// FuzzEveryFormat holds that whatever the evidence is, each report of it is valid, within the limits of who reads it, and acts on
// nothing.
func FuzzEveryFormat(f *testing.F) {
	for i, text := range hostileTexts {
		f.Add(text, uint64(i))
	}
	checks := reportChecks(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		m := maker{rand.New(rand.NewPCG(seed, 1)), append(slices.Clone(hostileTexts), text), 3}
		checkFormats(t, everyFormat(), m.document(), checks)
	})
}

// However long what others wrote is, what people and platforms read of it is not.
func TestEveryFormatBoundsTextOfAMegabyte(t *testing.T) {
	checks := reportChecks(t)
	for _, part := range []string{"a/", "&a", "$\"", "\u202e", "[](", "\xff"} {
		t.Run(fmt.Sprintf("%+q", part), func(t *testing.T) {
			m := maker{rand.New(rand.NewPCG(3, 1)), []string{strings.Repeat(part, 1<<20/len(part))}, 2}
			d := judged()
			m.longer(reflect.ValueOf(&d).Elem(), "")
			formats := slices.DeleteFunc(everyFormat(), func(f Format) bool { return f.Name == evidenceItself })
			for name, size := range checkFormats(t, formats, d, checks) {
				if size > 256<<10 {
					t.Errorf("%s has %d bytes", name, size)
				}
			}
		})
	}
}

// longer sets every text below v that is there, but for those that say what others are.
func (m maker) longer(v reflect.Value, name string) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]() || name == "Fingerprint" || name == "Fixes" || name == "Schema":
	case v.Kind() == reflect.String && v.Type() == reflect.TypeFor[string]() && v.CanSet():
		v.SetString(m.text())
	case v.Kind() == reflect.Pointer && !v.IsNil():
		m.longer(v.Elem(), name)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			m.longer(v.Index(i), name)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			m.longer(v.Field(i), v.Type().Field(i).Name)
		}
	}
}

// A number that JSON cannot have is nowhere else either.
func TestReportsLeaveOutWhatIsNoNumber(t *testing.T) {
	checks := reportChecks(t)
	for _, n := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		d := refusedDocument()
		for i := range d.Evidence.Findings {
			d.Evidence.Findings[i].Score = &n
		}
		for _, f := range Formats() {
			var b bytes.Buffer
			if f.Name == "json" {
				continue // evidence has no such number: who reads and makes it sees to that
			}
			if err := f.Write(&b, d); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			} else if check := checks[f.Name]; check != nil && check(b.Bytes()) != nil {
				t.Errorf("%s: %v", f.Name, check(b.Bytes()))
			}
		}
	}
}
