package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"path"
	"strings"
	"testing"
)

func TestJUnitFailsExactlyWhatIsRefusedOrNotExamined(t *testing.T) {
	for name, d := range documents() {
		var b, again bytes.Buffer
		if err := JUnit(&b, d); err != nil {
			t.Fatal(err)
		}
		if err := JUnit(&again, d); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%s: two reports of one document differ (%v)", name, err)
		}
		var r junitSuites
		if err := xml.Unmarshal(b.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u202e") {
			t.Errorf("%s has text that acts on a terminal", name)
		}
		refused := map[string]bool{}
		if d.Verdict != nil {
			for _, o := range d.Verdict.Refusals {
				refused[o.Fingerprint] = true
			}
		}
		if r.Failures != len(refused) || r.Errors != len(newOutline(d).gaps) || r.Tests == 0 {
			t.Errorf("%s: %d tests, %d failures, %d errors; want %d failures", name, r.Tests, r.Failures, r.Errors, len(refused))
		}
	}
}

// GitLab drops an issue without one of these members, and one whose fingerprint is there already.
func TestCodeQualityHasWhatGitLabNeeds(t *testing.T) {
	severities := map[string]bool{"info": true, "minor": true, "major": true, "critical": true, "blocker": true}
	for name, d := range documents() {
		var b bytes.Buffer
		if err := CodeQuality(&b, d); err != nil {
			t.Fatal(err)
		}
		var issues []qualityIssue
		if err := json.Unmarshal(b.Bytes(), &issues); err != nil || issues == nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := map[string]bool{}
		for _, x := range issues {
			if x.Description == "" || x.CheckName == "" || x.Fingerprint == "" || !severities[x.Severity] ||
				x.Location.Lines.Begin < 1 || x.Location.Path == "" || path.IsAbs(x.Location.Path) || seen[x.Fingerprint] {
				t.Errorf("%s: %+v", name, x)
			}
			seen[x.Fingerprint] = true
		}
		if len(issues) == 0 && (name == "refused" || name == "undecided") {
			t.Errorf("%s: nothing is said", name)
		}
	}
}
