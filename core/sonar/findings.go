package sonar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/hook"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/treepath"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// condition is one of a quality gate.
type condition struct {
	Status     string `json:"status"`
	Metric     string `json:"metricKey"`
	Comparator string `json:"comparator"`
	Threshold  string `json:"errorThreshold"`
	Actual     string `json:"actualValue"`
}

// failed makes a finding of each condition of a gate that is not met, so that policy decides over them.
func (r *reply) failed(about *analysis, refused bool, conditions []condition) {
	add := func(name, title string) {
		f := core.Finding{Kind: core.KindCode, Rule: "reported-by/sonarqube/" + name, Title: title, Severity: core.SeverityMedium,
			SeveritySource: tool, SeenBy: []string{tool}, References: []string{r.link("dashboard", about, nil)},
			Fix: core.Fix{Text: "see what the quality gate asks for, and mend it"}}
		if refused {
			f.Rule, f.Severity = hook.RefusedBy+"sonarqube/"+name, core.SeverityHigh
		}
		f.Fingerprint = core.FingerprintOf(f.Kind, tool, "gate", f.Rule, about.project)
		r.findings = append(r.findings, f)
	}
	told := false
	for _, c := range conditions {
		if c.Status != "ERROR" && c.Status != "WARN" || !isID(c.Metric) {
			continue
		}
		told = true
		title := fmt.Sprintf("SonarQube's quality gate fails: %s is %s", c.Metric, word(c.Actual))
		if sign := map[string]string{"GT": "greater", "LT": "less"}[c.Comparator]; sign != "" && c.Threshold != "" {
			title += fmt.Sprintf(", which is %s than %s", sign, word(c.Threshold))
		}
		add(c.Metric, title)
	}
	if !told {
		add("quality-gate", "SonarQube's quality gate fails")
	}
}

// textRange is where in a file something is. Columns count from 0.
type textRange struct {
	Start  int `json:"startLine"`
	End    int `json:"endLine"`
	Column int `json:"startOffset"`
}

// component is a file, or a project.
type component struct {
	Key  string `json:"key"`
	Path string `json:"path"`
}

// issue is one of api/issues/search.
type issue struct {
	Key       string     `json:"key"`
	Rule      string     `json:"rule"`
	Component string     `json:"component"`
	Project   string     `json:"project"`
	Severity  string     `json:"severity"`
	Type      string     `json:"type"`
	Message   string     `json:"message"`
	Hash      string     `json:"hash"`
	Line      int        `json:"line"`
	Range     *textRange `json:"textRange"`
	Impacts   []struct {
		Quality  string `json:"softwareQuality"`
		Severity string `json:"severity"`
	} `json:"impacts"`
}

// security returns how the issue impacts security, and whether it does.
func (x *issue) security() (severity core.Severity, does bool) {
	for _, i := range x.Impacts {
		if i.Quality == "SECURITY" {
			severity, does = max(severity, severityOf(i.Severity)), true
		}
	}
	if !does && x.Type == "VULNERABILITY" {
		return severityOf(x.Severity), true
	}
	return severity, does
}

// severityOf reads the words for severities. The older ones call the second of them critical.
func severityOf(name string) core.Severity {
	switch name {
	case "BLOCKER":
		return core.SeverityCritical
	case "CRITICAL", "HIGH":
		return core.SeverityHigh
	case "MAJOR", "MEDIUM":
		return core.SeverityMedium
	case "MINOR", "LOW":
		return core.SeverityLow
	case "INFO":
		return core.SeverityNone
	}
	return core.SeverityUnknown
}

// issues asks for what impacts security, by both of the ways in which servers classify issues.
func (r *reply) issues(ctx context.Context, about *analysis) error {
	known := map[string]bool{}
	for _, search := range []struct{ name, value, what string }{
		{"types", "VULNERABILITY", "issues of the type vulnerability"},
		{"impactSoftwareQualities", "SECURITY", "issues that impact security"},
	} {
		err := r.pages(search.what, func(query url.Values) (int, int, error) {
			// Older servers know componentKeys, newer ones components. Each passes over what it does not know.
			query.Set("componentKeys", about.project)
			query.Set("components", about.project)
			query.Set("resolved", "false")
			query.Set("s", "SEVERITY")
			query.Set("asc", "false")
			query.Set(search.name, search.value)
			var answer struct {
				Paging     *paging     `json:"paging"`
				Issues     []issue     `json:"issues"`
				Components []component `json:"components"`
			}
			if err := r.client.get(ctx, "api/issues/search", about.scope(query), &answer); err != nil {
				return 0, 0, err
			}
			if answer.Paging == nil {
				return 0, 0, errors.New("api/issues/search did not answer with issues")
			}
			paths := pathsOf(answer.Components)
			for i := range answer.Issues {
				x := &answer.Issues[i]
				severity, security := x.security()
				switch {
				case x.Project != about.project:
					return 0, 0, fmt.Errorf("api/issues/search gives issues of the project %q, not only of %s", word(x.Project), about.project)
				case !security && search.name == "impactSoftwareQualities":
					return 0, 0, nil // a server that does not know of impacts gives all issues; it was asked by type
				case !security || known[x.Key]:
				default:
					known[x.Key] = true
					r.issue(about, x, severity, paths)
				}
			}
			return len(answer.Issues), answer.Paging.Total, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reply) issue(about *analysis, x *issue, severity core.Severity, paths map[string]string) {
	f := core.Finding{Kind: kindOf(x.Rule), Rule: cmp.Or(word(x.Rule), "unnamed"), Title: cmp.Or(word(x.Message), word(x.Rule)), Severity: severity,
		SeveritySource: tool, SeenBy: []string{tool}, Confidence: core.ConfidenceHigh,
		References: []string{r.link("project/issues", about, url.Values{"open": {x.Key}, "issues": {x.Key}})}}
	if f.Kind == core.KindSecret {
		f.Weaknesses = []string{sarif.HardCoded}
	}
	path := r.place(&f, about, x.Component, paths, x.Line, x.Range)
	parts := []string{tool, f.Rule, path}
	if x.Hash != "" && f.Kind != core.KindSecret {
		parts = append(parts, "text", x.Hash) // of the line, without white space
	} else {
		parts = append(parts, "message", sarif.WithoutNumbers(f.Title))
	}
	f.Fingerprint = core.FingerprintOf(f.Kind, parts...)
	r.findings = append(r.findings, f)
}

// hotspot is one of api/hotspots/search.
type hotspot struct {
	Key         string     `json:"key"`
	Rule        string     `json:"ruleKey"`
	Component   string     `json:"component"`
	Project     string     `json:"project"`
	Category    string     `json:"securityCategory"`
	Probability string     `json:"vulnerabilityProbability"`
	Message     string     `json:"message"`
	Line        int        `json:"line"`
	Range       *textRange `json:"textRange"`
}

// hotspots asks for what somebody should look at and nobody has.
func (r *reply) hotspots(ctx context.Context, about *analysis) error {
	return r.pages("hotspots to review", func(query url.Values) (int, int, error) {
		query.Set("projectKey", about.project) // project is its newer name
		query.Set("project", about.project)
		query.Set("status", "TO_REVIEW")
		var answer struct {
			Paging     *paging     `json:"paging"`
			Hotspots   []hotspot   `json:"hotspots"`
			Components []component `json:"components"`
		}
		if err := r.client.get(ctx, "api/hotspots/search", about.scope(query), &answer); err != nil {
			return 0, 0, err
		}
		if answer.Paging == nil {
			return 0, 0, errors.New("api/hotspots/search did not answer with hotspots")
		}
		paths := pathsOf(answer.Components)
		for i := range answer.Hotspots {
			x := &answer.Hotspots[i]
			if x.Project != about.project {
				return 0, 0, fmt.Errorf("api/hotspots/search gives hotspots of the project %q, not only of %s", word(x.Project), about.project)
			}
			r.hotspot(about, x, paths)
		}
		return len(answer.Hotspots), answer.Paging.Total, nil
	})
}

func (r *reply) hotspot(about *analysis, x *hotspot, paths map[string]string) {
	f := core.Finding{Kind: core.KindCode, Rule: cmp.Or(word(x.Rule), "hotspot/"+word(x.Category)),
		Title: "to be reviewed: " + word(x.Message), Severity: severityOf(x.Probability), SeveritySource: tool, SeenBy: []string{tool},
		Confidence: core.ConfidenceLow, Fix: core.Fix{Text: "review it on the server"},
		References: []string{r.link("security_hotspots", about, url.Values{"hotspots": {x.Key}})}}
	path := r.place(&f, about, x.Component, paths, x.Line, x.Range)
	f.Fingerprint = core.FingerprintOf(f.Kind, tool, "hotspot", f.Rule, path, sarif.WithoutNumbers(f.Title))
	r.findings = append(r.findings, f)
}

// place says where a finding is, and returns the path.
func (r *reply) place(f *core.Finding, about *analysis, key string, paths map[string]string, line int, at *textRange) string {
	path, known := paths[key]
	if !known {
		path, known = strings.CutPrefix(key, about.project+":")
	}
	path = treepath.Roots{}.Path(path)
	if !known || path == "" {
		return "" // it is about the project
	}
	l := core.Location{Path: path, Line: max(line, 0)}
	if at != nil && at.Start > 0 {
		l.Line, l.Column = at.Start, max(at.Column, 0)+1
		if at.End > at.Start {
			l.EndLine = at.End
		}
	}
	f.Locations = []core.Location{l}
	return path
}

// pathsOf are the paths of files by their keys.
func pathsOf(components []component) map[string]string {
	paths := make(map[string]string, len(components))
	for _, c := range components {
		if c.Path != "" {
			paths[c.Key] = c.Path
		}
	}
	return paths
}

// kindOf says what a rule finds, by its repository.
func kindOf(rule string) core.FindingKind {
	switch repository, _, _ := strings.Cut(rule, ":"); {
	case repository == "secrets":
		return core.KindSecret
	case slices.Contains([]string{"docker", "kubernetes", "terraform", "cloudformation", "azureresourcemanager", "ansible", "githubactions"}, repository):
		return core.KindMisconfiguration
	}
	return core.KindCode
}

// link is the address of a page of the server.
func (r *reply) link(page string, about *analysis, query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("id", about.project)
	u := r.base.JoinPath(page)
	u.RawQuery = about.scope(query).Encode()
	return u.String()
}

// word is a text of the server in one line, within a bound.
func word(s string) string { return redact.Limited(strings.TrimSpace(s), 400) }
