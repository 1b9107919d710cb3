package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

type qualityLines struct {
	Begin int `json:"begin"`
}

type qualityLocation struct {
	Path  string       `json:"path"`
	Lines qualityLines `json:"lines"`
}

type qualityIssue struct {
	Description string          `json:"description"`
	CheckName   string          `json:"check_name"`
	Fingerprint string          `json:"fingerprint"`
	Severity    string          `json:"severity"`
	Location    qualityLocation `json:"location"`
}

// CodeQuality writes GitLab's code quality report: what is refused or warned of, and all findings where nothing was
// judged. GitLab takes one issue of each fingerprint, so a finding of several platforms is there once. The format cannot
// say what was not examined: each gap is an issue of its own.
//
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
func CodeQuality(w io.Writer, d Document) error {
	e := ordered(d.Evidence)
	n := newNames(e.Subjects)
	places := map[string]qualityLocation{}
	for i := range e.Findings {
		f := &e.Findings[i]
		if _, seen := places[f.Fingerprint]; !seen {
			places[f.Fingerprint] = qualityPlace(f.Locations, n, f.Subject)
		}
	}
	issues := []qualityIssue{}
	entries := slices.DeleteFunc(sarifEntries(&e, d.Verdict), func(x *sarifEntry) bool { return x.action == core.ActionIgnore })
	shown := Shown{min(len(entries), listed), len(entries)}
	for _, x := range entries[:shown.Shown] {
		place, ok := places[x.fingerprint]
		if !ok {
			place = qualityPlace(nil, n, "")
		}
		rule := cmp.Or(redact.Limited(x.rule, sarifID), "unnamed")
		issues = append(issues, qualityIssue{
			Description: rule + ": " + redact.Limited(x.message, sarifText),
			CheckName:   rule,
			Fingerprint: x.fingerprint,
			Severity:    qualitySeverity(x),
			Location:    place,
		})
	}
	if shown.Cut() {
		issues = append(issues, qualityIssue{Description: shown.String() + "; the JSON report has all of them", CheckName: "not-shown",
			Fingerprint: core.FingerprintOf("not-shown"), Severity: "info", Location: qualityPlace(nil, n, "")})
	}
	for _, g := range newOutline(d).gaps {
		text := redact.Limited(g.examination+" is "+g.status+": "+fmt.Sprint(g.why), sarifText)
		issues = append(issues, qualityIssue{Description: "Not examined: " + text, CheckName: "not-examined",
			Fingerprint: core.FingerprintOf("gap", g.examination, fmt.Sprint(g.subjects), fmt.Sprint(g.why), g.rule),
			Severity:    "blocker", Location: qualityPlace(nil, n, "")})
	}
	if err := json.NewEncoder(w).Encode(issues); err != nil {
		return fmt.Errorf("write the code quality report: %w", err)
	}
	return nil
}

// qualityPlace is a path as it is, because GitLab takes no URI here, and without "./" before it.
func qualityPlace(locations []core.Location, n names, subject core.Digest) qualityLocation {
	if len(locations) > 0 && locations[0].Path != "" {
		return qualityLocation{redact.Limited(locations[0].Path, sarifText), qualityLines{max(locations[0].Line, 1)}}
	}
	for _, s := range n.subjects {
		if s.Digest == subject || subject == "" {
			if name := relativeURI(repositoryOf(s.Name)); name != "" {
				return qualityLocation{name, qualityLines{1}}
			}
		}
	}
	return qualityLocation{"subject", qualityLines{1}}
}

// qualitySeverity is that of the finding; what is refused is never below major.
func qualitySeverity(x *sarifEntry) string {
	words := [...]string{"minor", "info", "minor", "major", "critical", "blocker"}
	s := x.severity
	if x.action == core.ActionFail {
		s = max(s, core.SeverityMedium)
	}
	return words[bounded(s)]
}
