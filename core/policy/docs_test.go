package policy

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

const manual = "../../docs/policy.md"

func readManual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anyPlace finds an empty policy wherever it is asked for one.
type anyPlace struct{}

func (anyPlace) Extended(_ context.Context, e Extension) (Source, error) {
	return Source{Name: e.Reference, Data: []byte("version: 1\n")}, nil
}

func (anyPlace) File(File, int64) ([]byte, error) { return nil, nil }

// waiverPlace finds a file of waivers wherever it is asked for a file.
type waiverPlace struct{ anyPlace }

func (waiverPlace) File(File, int64) ([]byte, error) {
	return []byte(`{version: 1, waivers: [{id: w, reason: r, owner: o, expires: 2026-12-31, match: {ids: [X]}}]}`), nil
}

// The other pages show policies too. Those that name modules of Rego are left to the tests of these.
func TestThePoliciesOfTheOtherPagesAreRight(t *testing.T) {
	pages := map[string]int{
		"README.md": 2, "docs/rego.md": 2, "docs/waivers-and-baselines.md": 4, "docs/hooks.md": 2, "docs/import.md": 2,
		"docs/sonarqube.md": 1,
	}
	schema := compiledSchema(t)
	for page, least := range pages {
		text, err := os.ReadFile("../../" + page)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, block := range regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^version: 1$`).MatchString(block[1]) || regexp.MustCompile(`(?m)^rego:`).MatchString(block[1]) {
				continue
			}
			seen++
			if _, err := Load(context.Background(), Source{Name: page, Data: []byte(block[1])}, waiverPlace{}); err != nil {
				t.Errorf("%v\n%s", err, block[1])
			}
			text := regexp.MustCompile(`expires: (\S+)`).ReplaceAllString(block[1], `expires: "$1"`) // editors read no dates
			if err := schema.Validate(decoded(t, text)); err != nil {
				t.Errorf("the schema refuses an example of %s: %v\n%s", page, err, block[1])
			}
		}
		if seen < least {
			t.Errorf("%s shows %d policies, want %d or more", page, seen, least)
		}
	}
}

func TestTheExamplesOfTheManualAreRightAndCanBeJudged(t *testing.T) {
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllStringSubmatch(readManual(t), -1)
	if len(blocks) < 6 {
		t.Fatalf("only %d examples were found", len(blocks))
	}
	schema := compiledSchema(t)
	for i, block := range blocks {
		p, err := Load(context.Background(), Source{Name: fmt.Sprintf("example-%d.yaml", i+1), Data: []byte(block[1])}, anyPlace{})
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		if err := schema.Validate(decoded(t, block[1])); err != nil {
			t.Errorf("the schema refuses example %d: %v", i+1, err)
		}
		e := &core.Evidence{
			Subjects: []core.Subject{{Name: "r.example/a:1", Kind: core.KindImage, Digest: "sha256:1"}},
			Images:   []core.ImageFacts{{Subject: "sha256:1", Distro: &core.Distro{EndOfLife: "2030-01-01"}}},
			Packages: []core.Package{
				{Subject: "sha256:1", Name: "readline", Version: "8", Ecosystem: "Debian:12", Licenses: []string{"GPL-3.0-only"}},
				{Subject: "sha256:1", Name: "libssl3", Version: "3.0.14", Ecosystem: "Debian:12", Source: &core.SourcePackage{Name: "openssl"}},
			},
			Findings:     []core.Finding{{Subject: "sha256:1", Kind: core.KindVulnerability, Severity: core.SeverityHigh}},
			Examinations: []core.Examination{{Name: "gosec", Subject: "sha256:1", Tool: "gosec", Status: core.Complete, Unenforced: []string{"seccomp"}}},
		}
		v := p.Judge(e, nil, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, gap := range v.Gaps {
			if gap.Examination == "policy" {
				t.Errorf("example %d: %v", i+1, gap.Why)
			}
		}
		if strings.Contains(block[1], "copyleft") {
			refused := map[string]bool{}
			for _, o := range v.Refusals {
				refused[o.Rule] = true
			}
			for _, rule := range []string{"copyleft", "old-openssl", "registries", "hooks-behind-a-barrier"} {
				if !refused[rule] {
					t.Errorf("the rule %s refuses nothing: %+v", rule, v.Refusals)
				}
			}
		}
	}
}

// Whatever can be written in a policy is in the manual, at its place, and nothing else is.
func TestTheManualNamesEveryKeyFieldAndFunction(t *testing.T) {
	text := readManual(t)
	section := func(heading string) string {
		_, rest, found := strings.Cut(text, "\n"+heading+"\n")
		if !found {
			t.Fatalf("the manual has no section %q", heading)
		}
		level := strings.Repeat("#", strings.Count(strings.Fields(heading)[0], "#"))
		if end := regexp.MustCompile(`\n#{1,` + fmt.Sprint(len(level)) + `} `).FindStringIndex(rest); end != nil {
			rest = rest[:end[0]]
		}
		return rest
	}
	for _, key := range (&reader{}).topLevel() {
		if !strings.Contains(section("## Keys"), "\n| `"+key+"` |") {
			t.Errorf("the manual does not say what the key %q means", key)
		}
	}
	for _, f := range ownFunctions() {
		if !strings.Contains(section("## Functions"), "`"+f+"(") {
			t.Errorf("the manual does not say what %s does", f)
		}
	}
	language, err := newLanguage()
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{varFinding, varPackage, varImage, varSubject, varExamination, varEvidence} {
		table := section("### " + variable)
		known := language.fieldsOf(language.schema.objectOf(variable), "")
		for _, name := range known {
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("the manual does not name %s.%s", variable, name)
			}
		}
		if len(known) < 8 {
			t.Errorf("%s has only %d fields", variable, len(known))
		}
	}
}

// fieldsOf lists the fields of an object, those of objects in it with their path. A package within a finding is the
// variable of that name.
func (l *language) fieldsOf(o *object, prefix string) []string {
	var names []string
	for name, f := range o.fields {
		inner := l.schema.objects[f.celType.TypeName()]
		if inner == nil || inner.name == "Package" {
			names = append(names, prefix+name)
			continue
		}
		names = append(names, l.fieldsOf(inner, prefix+name+".")...)
	}
	return names
}

func TestTheExampleOfTestsIsOne(t *testing.T) {
	page, err := os.ReadFile("../../docs/explaining.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllSubmatch(page, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d examples were found, want 1", len(blocks))
	}
	tests, err := ParseTests(Source{Name: "policy_test.yaml", Data: blocks[0][1]})
	if err != nil {
		t.Fatal(err)
	}
	standard, err := Builtin(Default)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tests.Cases {
		if c.Document != "" {
			continue // of a file that only the reader has
		}
		v := standard.Judge(&c.Evidence, nil, c.Now)
		for _, difference := range c.Expect.Differences(&v, &c.Evidence) {
			t.Errorf("%s: %s", c.Name, difference)
		}
	}
}
