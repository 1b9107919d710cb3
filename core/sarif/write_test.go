package sarif

import (
	"bytes"
	"strings"
	"testing"
)

func writtenLog() Log {
	return Log{
		Category: "cleanbill/shop", Tool: WrittenTool{Name: "cleanbill", Rules: []WrittenRule{{
			ID: "CVE-1", ShortDescription: Text{"CVE-1"}, FullDescription: Text{"a flaw"}, Help: Text{"mend it"}, Properties: RuleProperties{"5.0", []string{"security"}}}}},
		Results: []WrittenResult{{RuleID: "CVE-1", Level: "error", Message: Text{"a flaw"},
			Locations:    []WrittenPlace{{Physical{Artifact{"shop"}, Region{StartLine: 1}}}},
			Fingerprints: map[string]string{GitHubFingerprint: "f"}, Suppressions: []WrittenSuppression{}}},
	}
}

// Each case is what GitHub is known to refuse, or to show wrong.
func TestCheckRefusesWhatGitHubRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Log)
		want  string
	}{
		"nothing":           {func(*Log) {}, ""},
		"no severity":       {func(l *Log) { l.Tool.Rules[0].Properties.SecuritySeverity = "" }, "security-severity"},
		"word for severity": {func(l *Log) { l.Tool.Rules[0].Properties.SecuritySeverity = "null" }, "security-severity"},
		"NaN":               {func(l *Log) { l.Tool.Rules[0].Properties.SecuritySeverity = "NaN" }, "security-severity"},
		"tags":              {func(l *Log) { l.Tool.Rules[0].Properties.Tags = make([]string, 21) }, "tags"},
		"no description":    {func(l *Log) { l.Tool.Rules[0].FullDescription.Text = "" }, "description"},
		"no help":           {func(l *Log) { l.Tool.Rules[0].Help.Text = "" }, "help"},
		"scheme":            {func(l *Log) { l.Results[0].Locations[0].Physical.Artifact.URI = "debian:12" }, "not relative"},
		"absolute":          {func(l *Log) { l.Results[0].Locations[0].Physical.Artifact.URI = "/etc/passwd" }, "not relative"},
		"nowhere":           {func(l *Log) { l.Results[0].Locations = nil }, "locations"},
		"too many places":   {func(l *Log) { l.Results[0].Locations = make([]WrittenPlace, 1001) }, "locations"},
		"line 0":            {func(l *Log) { l.Results[0].Locations[0].Physical.Region.StartLine = 0 }, "no line"},
		"no fingerprint":    {func(l *Log) { l.Results[0].Fingerprints = nil }, "fingerprint"},
		"unknown rule":      {func(l *Log) { l.Results[0].RuleIndex = 7 }, "rule"},
		"too many results":  {func(l *Log) { l.Results = make([]WrittenResult, 25001) }, "25001 results"},
		"no category":       {func(l *Log) { l.Category = "" }, "category"},
	} {
		t.Run(name, func(t *testing.T) {
			l := writtenLog()
			c.spoil(&l)
			var b bytes.Buffer
			if err := Write(&b, l); err != nil {
				t.Fatal(err)
			}
			err := Check(b.Bytes())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for data, want := range map[string]string{"": "not SARIF", `{"version":"2.1.0","runs":[{},{}]}`: "2 runs", `{"version":"2.0.0"}`: "version"} {
		if err := Check([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", data, err, want)
		}
	}
}
