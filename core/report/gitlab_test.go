package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/core"
)

func gitlabScans() []gitlabScan {
	return []gitlabScan{gitlabContainer, gitlabDependency, gitlabSAST, gitlabSecret}
}

// gitlabDocuments are the documents, and the same as findings of sources.
func gitlabDocuments() map[string]Document {
	all := documents()
	for name, d := range documents() {
		d.Evidence = ordered(d.Evidence)
		d.Evidence.Subjects = append([]core.Subject{}, d.Evidence.Subjects...)
		for i := range d.Evidence.Subjects {
			d.Evidence.Subjects[i].Kind = core.KindSource
		}
		for i := range d.Evidence.Packages {
			d.Evidence.Packages[i].Locations = []core.Location{{Path: "go.mod"}}
		}
		all[name+" sources"] = d
	}
	return all
}

func TestGitLabReportsAreValidByTheOfficialSchemas(t *testing.T) {
	for _, kind := range gitlabScans() {
		schema := officialSchema(t, "gitlab-15.0.0", strings.ReplaceAll(string(kind), "_", "-")+"-report-format.json")
		for name, d := range gitlabDocuments() {
			var b bytes.Buffer
			if err := gitlabReport(kind)(&b, d); err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s of %s: %v", kind, name, err)
			}
		}
	}
}

// Together the reports have each finding once, but for what is ignored or is no flaw, under ids that differ.
func TestEachFindingIsInOneGitLabReport(t *testing.T) {
	for name, d := range gitlabDocuments() {
		want := 0
		for i := range d.Evidence.Findings {
			if d.Evidence.Findings[i].Kind != core.KindSuppression {
				want++
			}
		}
		if d.Verdict != nil {
			want -= len(d.Verdict.Ignored)
		}
		ids := map[string]bool{}
		for _, kind := range gitlabScans() {
			var b, again bytes.Buffer
			if err := gitlabReport(kind)(&b, d); err != nil {
				t.Fatal(err)
			}
			if err := gitlabReport(kind)(&again, d); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
				t.Errorf("%s: two reports of one document differ (%v)", name, err)
			}
			var r struct {
				Scan            struct{ Status, EndTime string }
				Vulnerabilities []gitlabFlaw
			}
			if err := json.Unmarshal(b.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Vulnerabilities {
				ids[f.ID] = true
			}
			if gaps := len(newOutline(d).gaps) > 0; gaps != (r.Scan.Status == "failure") {
				t.Errorf("%s of %s says %s", kind, name, r.Scan.Status)
			}
		}
		if len(ids) != want {
			t.Errorf("%s: the reports have %d findings of %d", name, len(ids), want)
		}
	}
}

func TestGitLabTakesTheNamesOfImages(t *testing.T) {
	form := regexp.MustCompile(`^[^:]+(:\d+[^:]*)?:[^:]+(:[^:]+)?$`)
	for _, name := range []string{"shop:1", "registry.example:5000/team/shop:1", "registry.example:5000/shop", "oci:examples/image",
		"shop@" + string(amd64Digest), "", ":::", "a\nb:c"} {
		if got := gitlabImage(core.Subject{Name: name, Digest: amd64Digest}); !form.MatchString(got) {
			t.Errorf("%q became %q", name, got)
		}
	}
}

// A report that platforms give up on shows nothing. What is left out is the least urgent, and each report says how much.
func TestReportsForPlatformsAreBounded(t *testing.T) {
	d := manyWarnings(listed + 6)
	n := len(d.Evidence.Findings)
	refused := d.Evidence.Findings[n-1].Rule // which is not severe
	said := fmt.Sprintf("shown %d of %d findings", listed, n)
	for name, write := range map[string]func(io.Writer, Document) error{
		"GitLab's": gitlabReport(gitlabScanOf(&d.Evidence.Findings[0], d.Evidence.Subjects[0].Kind)), "code quality": CodeQuality, "JUnit": JUnit,
	} {
		var b bytes.Buffer
		if err := write(&b, d); err != nil {
			t.Fatal(err)
		}
		entries := map[string]string{"GitLab's": `"identifiers":`, "code quality": `"check_name":`, "JUnit": "<testcase"}[name]
		if got := strings.Count(b.String(), entries); got < listed || got > listed+9 {
			t.Errorf("%s report has %d entries", name, got)
		}
		if !strings.Contains(b.String(), said) {
			t.Errorf("%s report does not say %q", name, said)
		}
		if !strings.Contains(b.String(), refused) {
			t.Errorf("%s report leaves out what is refused", name)
		}
		if name == "GitLab's" && !strings.Contains(b.String(), `"status":"failure"`) {
			t.Error("GitLab would resolve what is left out")
		}
	}
}
