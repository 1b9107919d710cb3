package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// gitlabVersion is the version of GitLab's security report schemas: the lowest line that every supported GitLab takes.
//
// https://gitlab.com/gitlab-org/security-products/security-report-schemas
const gitlabVersion = "15.0.7"

// GitLab's bounds of texts, in bytes where it counts characters, and of messages, which it does not bound. Of a description
// its schema takes a million and its database 15,000, which Markdown makes of no more than these: a byte becomes seven at most.
//
// https://gitlab.com/gitlab-org/gitlab/-/issues/440853
const (
	gitlabName        = 255
	gitlabText        = 7000
	gitlabDescription = 2000
	gitlabMessages    = 100
)

// listed is how many findings a report for a platform has at most: the most urgent. Nobody reads on, and platforms give up on
// what takes them longer to read.
const listed = 25_000

// gitlabTime has neither zone nor fraction: GitLab refuses both.
const gitlabTime = "2006-01-02T15:04:05"

// gitlabScan is what GitLab calls a kind of report.
type gitlabScan string

const (
	gitlabContainer  gitlabScan = "container_scanning"
	gitlabDependency gitlabScan = "dependency_scanning"
	gitlabSecret     gitlabScan = "secret_detection"
	gitlabSAST       gitlabScan = "sast"
)

// gitlabScanOf says which report a finding is in, so that each is in one: secrets by their kind, what packages have by
// what holds them, and everything else as flaws of files. What a change wishes not to count is no flaw and in none.
func gitlabScanOf(f *core.Finding, subject core.SubjectKind) gitlabScan {
	switch {
	case f.Kind == core.KindSuppression:
		return ""
	case f.Kind == core.KindSecret:
		return gitlabSecret
	case f.Package == nil:
		return gitlabSAST
	case subject == core.KindImage || subject == core.KindIndex:
		return gitlabContainer
	}
	return gitlabDependency
}

type gitlabMessage struct {
	Level string `json:"level"`
	Value string `json:"value"`
}

type gitlabIdentifier struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

type gitlabFlaw struct {
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Description string             `json:"description,omitempty"`
	Severity    string             `json:"severity"`
	Solution    string             `json:"solution,omitempty"`
	Identifiers []gitlabIdentifier `json:"identifiers"`
	Location    any                `json:"location"`
}

// gitlabReport writes one kind of GitLab's security reports. What a waiver or rule ignores is left out, because such a
// report cannot say that a finding does not count; a message says how many there are.
func gitlabReport(kind gitlabScan) func(io.Writer, Document) error {
	return func(w io.Writer, d Document) error {
		e := ordered(d.Evidence)
		subjects := map[core.Digest]core.Subject{}
		for _, s := range e.Subjects {
			subjects[s.Digest] = s
		}
		refused, ignored := map[[2]string]bool{}, map[[2]string]bool{}
		if d.Verdict != nil {
			for _, o := range d.Verdict.Refusals {
				refused[[2]string{string(o.Subject), o.Fingerprint}] = true
			}
			for _, o := range d.Verdict.Ignored {
				ignored[[2]string{string(o.Subject), o.Fingerprint}] = true
			}
		}
		found, left := []*core.Finding{}, 0
		for i := range e.Findings {
			f := &e.Findings[i]
			s := subjects[f.Subject]
			if gitlabScanOf(f, s.Kind) != kind {
				continue
			}
			if ignored[[2]string{string(f.Subject), f.Fingerprint}] {
				left++
				continue
			}
			found = append(found, f)
		}
		shown := Shown{min(len(found), listed), len(found)}
		if shown.Cut() {
			slices.SortStableFunc(found, func(a, b *core.Finding) int {
				switch first := refused[[2]string{string(a.Subject), a.Fingerprint}]; {
				case first == refused[[2]string{string(b.Subject), b.Fingerprint}]:
					return cmp.Compare(b.Severity, a.Severity)
				case first:
					return -1
				}
				return 1
			})
		}
		flaws := []gitlabFlaw{}
		for _, f := range found[:shown.Shown] {
			flaws = append(flaws, gitlabFlawOf(kind, f, subjects[f.Subject]))
		}
		out := map[string]any{"version": gitlabVersion, "scan": gitlabScanObject(kind, d, left, shown), "vulnerabilities": flaws}
		if kind == gitlabDependency {
			out["dependency_files"] = gitlabFiles(e.Packages, subjects)
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			return fmt.Errorf("write GitLab's %s report: %w", kind, err)
		}
		return nil
	}
}

func gitlabScanObject(kind gitlabScan, d Document, ignored int, shown Shown) map[string]any {
	o := newOutline(d)
	status, messages, more := "success", []gitlabMessage{}, 0
	if len(o.gaps) > 0 || shown.Cut() {
		status = "failure" // what a report with success does not have is resolved for GitLab
	}
	if shown.Cut() {
		messages = append(messages, gitlabMessage{"warn", shown.String() + ", what is refused first, then by severity; the JSON report has all of them"})
	}
	for i, g := range slices.Concat(o.gaps, o.accepted) {
		if i >= gitlabMessages {
			more++
			continue
		}
		text := g.examination + " is " + g.status + ": " + strings.Join(g.why, "; ")
		messages = append(messages, gitlabMessage{"warn", redact.Limited(text, gitlabText)})
	}
	if more > 0 {
		messages = append(messages, gitlabMessage{"warn", fmt.Sprintf("%d more gaps are in the JSON report", more)})
	}
	if ignored > 0 {
		messages = append(messages, gitlabMessage{"info", fmt.Sprintf("%d findings that the policy ignores are left out", ignored)})
	}
	at := d.Created
	if d.Verdict != nil && !d.Verdict.Time.IsZero() {
		at = d.Verdict.Time
	}
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	name := cmp.Or(redact.Limited(d.Tool.Name, gitlabName), "cleanbill")
	tool := map[string]any{"id": name, "name": name, "version": cmp.Or(redact.Limited(d.Tool.Version, gitlabName), "unknown"),
		"vendor": map[string]string{"name": "Cleanbill"}}
	return map[string]any{"analyzer": tool, "scanner": tool, "type": kind, "status": status, "messages": messages,
		"start_time": at.UTC().Format(gitlabTime), "end_time": at.UTC().Format(gitlabTime)}
}

func gitlabFlawOf(kind gitlabScan, f *core.Finding, s core.Subject) gitlabFlaw {
	rule := cmp.Or(redact.Limited(f.Rule, gitlabName), "unnamed")
	return gitlabFlaw{
		ID:          gitlabID(f, s),
		Name:        cmp.Or(redact.Limited(f.Title, gitlabName), rule),
		Description: redact.Markdown(redact.Limited(findingMessage(f), gitlabDescription)),
		Severity:    [...]string{"Unknown", "Info", "Low", "Medium", "High", "Critical"}[bounded(f.Severity)],
		Solution:    redact.Limited(remedyOf(f), gitlabText),
		Identifiers: gitlabIdentifiers(f, rule),
		Location:    gitlabLocation(kind, f, s),
	}
}

// gitlabID is the same for the same finding in each build of the image. Platforms share fingerprints, and ids must differ.
func gitlabID(f *core.Finding, s core.Subject) string {
	platform := ""
	if s.Platform != nil {
		platform = s.Platform.String()
	}
	return core.FingerprintOf(f.Kind, f.Fingerprint, repositoryOf(s.Name), platform)
}

// gitlabIdentifiers has the rule first: GitLab tells findings apart by the first.
func gitlabIdentifiers(f *core.Finding, rule string) []gitlabIdentifier {
	ids := []gitlabIdentifier{{gitlabIdentifierType(rule), rule, rule}}
	for _, alias := range slices.Concat(f.Aliases, f.Weaknesses) {
		if alias = redact.Limited(alias, gitlabName); alias != "" && alias != rule && len(ids) < 20 {
			ids = append(ids, gitlabIdentifier{gitlabIdentifierType(alias), alias, alias})
		}
	}
	return ids
}

func gitlabIdentifierType(id string) string {
	prefix, _, ok := strings.Cut(id, "-")
	if ok && slices.Contains([]string{"CVE", "CWE", "GHSA"}, prefix) {
		return strings.ToLower(prefix)
	}
	return "cleanbill"
}

func gitlabLocation(kind gitlabScan, f *core.Finding, s core.Subject) map[string]any {
	place := core.Location{}
	if len(f.Locations) > 0 {
		place = f.Locations[0]
	}
	file := cmp.Or(redact.Limited(place.Path, gitlabText), redact.Limited(repositoryOf(s.Name), gitlabText), "subject")
	switch kind {
	case gitlabContainer:
		return map[string]any{"dependency": gitlabDependencyOf(f.Package.Name, f.Package.Version),
			"operating_system": cmp.Or(redact.Limited(f.Package.Ecosystem, gitlabName), "unknown"), "image": gitlabImage(s)}
	case gitlabDependency:
		return map[string]any{"file": file, "dependency": gitlabDependencyOf(f.Package.Name, f.Package.Version)}
	}
	l := map[string]any{"file": file, "start_line": max(place.Line, 1)}
	if kind == gitlabSecret {
		l["commit"] = map[string]string{"sha": cmp.Or(redact.Limited(place.Commit, gitlabName), "0000000")}
	}
	return l
}

func gitlabDependencyOf(name, version string) map[string]any {
	return map[string]any{"package": map[string]string{"name": redact.Limited(name, gitlabName)},
		"version": redact.Limited(version, gitlabName)}
}

// gitlabImage is the image in the one form that GitLab takes, with the digest for what has no tag.
func gitlabImage(s core.Subject) string {
	name := redact.Limited(redact.Reference(s.Name), gitlabName)
	if ok, _ := regexp.MatchString(`^[a-zA-Z0-9/_.-]+(:\d+[a-zA-Z0-9/_.-]*)?:[a-zA-Z0-9_.-]+$`, name); ok {
		return name
	}
	repository := strings.ReplaceAll(redact.Limited(repositoryOf(s.Name), gitlabName), ":", "-")
	return cmp.Or(repository, "image") + "@" + cmp.Or(string(s.Digest), "sha256:unknown")
}

// gitlabFiles are the files that name packages, which the report must list even where nothing was found.
func gitlabFiles(packages []core.Package, subjects map[core.Digest]core.Subject) []map[string]any {
	type key struct{ path, manager string }
	files := map[key][]map[string]any{}
	for i := range packages {
		p := &packages[i]
		if k := subjects[p.Subject].Kind; k == core.KindImage || k == core.KindIndex || len(p.Locations) == 0 {
			continue
		}
		manager, _, _ := strings.Cut(strings.TrimPrefix(p.Purl, "pkg:"), "/")
		k := key{cmp.Or(redact.Limited(p.Locations[0].Path, gitlabText), "subject"), cmp.Or(redact.Limited(manager, gitlabName), "unknown")}
		files[k] = append(files[k], gitlabDependencyOf(p.Name, p.Version))
	}
	out := []map[string]any{}
	for _, k := range slices.SortedFunc(maps.Keys(files), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.manager, b.manager))
	}) {
		out = append(out, map[string]any{"path": k.path, "package_manager": k.manager, "dependencies": files[k]})
	}
	return out
}
