package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// GitHub's limits of a SARIF file. It takes 25,000 results of a run and shows the 5,000 of the highest severity, whatever
// the verdict is, so we choose those ourselves; likewise for locations (1,000 and 100) and tags (20 and 10). A result
// brings one rule at most, which keeps rules within their 25,000.
//
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning
const (
	sarifResults   = 5000
	sarifLocations = 100
	sarifTags      = 10
	sarifNotices   = 100
	sarifText      = 1000
	sarifID        = 255
	sarifLinks     = 3
	sarifPath      = 4096 // the longest that systems take, in bytes
)

// sarifHome is where it is said what this program is.
const sarifHome = "https://github.com/cleanbill-ci/cleanbill"

// Shown says how much of a report's subject matter is in it.
type Shown struct{ Shown, Of int }

// Cut reports whether something was left out.
func (s Shown) Cut() bool { return s.Shown < s.Of }

// String says it for people.
func (s Shown) String() string { return fmt.Sprintf("shown %d of %d findings", s.Shown, s.Of) }

// SARIF writes SARIF 2.1.0 for code scanning: one run, whatever tools the findings come from, because GitHub refuses
// several runs of one category. A finding that several platforms have is one result. What had to be left out is the
// least urgent by the verdict, then by severity; the report and what is returned say how much.
func SARIF(w io.Writer, d Document) (Shown, error) {
	e := ordered(d.Evidence)
	entries := sarifEntries(&e, d.Verdict)
	o := newOutline(d)
	for shown := min(len(entries), sarifResults); ; shown /= 2 {
		s := Shown{shown, len(entries)}
		var b bytes.Buffer
		if err := sarif.Write(&b, sarifLog(d.Tool, sarifCategory(d.Category, e.Subjects), entries, s, o)); err != nil {
			return Shown{}, err
		}
		size, err := sarif.Compressed(bytes.NewReader(b.Bytes()))
		if err != nil {
			return Shown{}, err
		}
		if size > sarif.MaxCompressed && shown > 0 {
			continue
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return Shown{}, fmt.Errorf("write the SARIF report: %w", err)
		}
		return s, nil
	}
}

// sarifLog is the report of the first entries.
func sarifLog(tool Tool, category string, entries []*sarifEntry, shown Shown, o outline) sarif.Log {
	l := sarif.Log{Category: category, Tool: sarif.WrittenTool{
		Name:    cmp.Or(redact.Limited(tool.Name, sarifID), "cleanbill"),
		Version: redact.Limited(tool.Version, sarifID), InformationURI: sarifHome,
	}}
	if shown.Cut() {
		l.Notices = append(l.Notices, sarif.Notice{Level: "warning", Message: sarif.Text{
			Text: shown.String() + ", what is refused first, then by severity; the JSON report has all of them"}})
	}
	sarifGaps(&l, o)
	rules, worst := map[string]int{}, map[string]float64{}
	for _, x := range entries[:shown.Shown] {
		id := cmp.Or(redact.Limited(x.rule, sarifID), "unnamed")
		i, ok := rules[id]
		if !ok {
			i = len(l.Tool.Rules)
			rules[id] = i
			l.Tool.Rules = append(l.Tool.Rules, sarifRule(id, x))
		}
		worst[id] = max(worst[id], severityScore(x.severity, x.score))
		l.Tool.Rules[i].Properties.SecuritySeverity = fmt.Sprintf("%.1f", worst[id])
		l.Results = append(l.Results, x.result(id, i))
	}
	return l
}

func writeSARIF(w io.Writer, d Document) error {
	_, err := SARIF(w, d)
	return err
}

// sarifEntry is a finding, or a refusal of something else, once for all subjects that have it.
type sarifEntry struct {
	fingerprint, rule, message string
	title                      string // what rule is about, whatever has it
	kind                       core.FindingKind
	action                     core.Action // empty: nothing decided over it
	why                        string      // why it is ignored
	severity                   core.Severity
	score                      *float64
	exploited                  bool
	weaknesses, references     []string
	places                     []sarif.WrittenPlace
}

// strictness orders what rules do; nothing is between a warning and an ignored finding.
func strictness(a core.Action) int {
	return slices.Index([]core.Action{core.ActionIgnore, "", core.ActionWarn, core.ActionFail}, a)
}

func sarifEntries(e *core.Evidence, v *core.Verdict) []*sarifEntry {
	n := newNames(e.Subjects)
	outcomes := map[[2]string]*core.Outcome{}
	var all []*core.Outcome
	if v != nil {
		for _, list := range [][]core.Outcome{v.Refusals, v.Warnings, v.Ignored} { // the strictest stays
			for i := range list {
				o := &list[i]
				all = append(all, o)
				if key := [2]string{string(o.Subject), o.Fingerprint}; outcomes[key] == nil {
					outcomes[key] = o
				}
			}
		}
	}
	entries := map[string]*sarifEntry{}
	add := func(x sarifEntry) {
		held := entries[x.fingerprint]
		if held == nil {
			entries[x.fingerprint] = &x
			return
		}
		if strictness(x.action) > strictness(held.action) {
			held.action, held.why = x.action, x.why
		}
		held.severity, held.exploited = max(held.severity, x.severity), held.exploited || x.exploited
		for _, place := range x.places {
			if !slices.Contains(held.places, place) && len(held.places) < sarifLocations {
				held.places = append(held.places, place)
			}
		}
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		x := sarifEntry{fingerprint: f.Fingerprint, rule: f.Rule, kind: f.Kind, severity: bounded(f.Severity), score: f.Score,
			exploited: f.Exploited != nil, message: findingMessage(f), title: f.Title, weaknesses: f.Weaknesses, references: f.References,
			places: sarifPlaces(f.Locations, n, f.Subject)}
		if o := outcomes[[2]string{string(f.Subject), f.Fingerprint}]; o != nil {
			x.action, x.why = o.Action, ignoredBy(o)
		}
		add(x)
	}
	for _, o := range all {
		if o.Fingerprint == "" { // of the subject itself
			add(sarifEntry{fingerprint: core.FingerprintOf("outcome", o.Rule, o.Message), rule: o.Rule, message: o.Message,
				action: o.Action, why: ignoredBy(o), places: sarifPlaces(nil, n, o.Subject)})
		}
	}
	return slices.SortedFunc(maps.Values(entries), func(a, b *sarifEntry) int {
		return cmp.Or(cmp.Compare(strictness(b.action), strictness(a.action)), compareBools(b.exploited, a.exploited),
			cmp.Compare(b.severity, a.severity), cmp.Compare(a.fingerprint, b.fingerprint))
	})
}

// ignoredBy says what excuses a finding.
func ignoredBy(o *core.Outcome) string {
	switch {
	case o.Action != core.ActionIgnore:
		return ""
	case o.Waiver != "":
		return "waiver " + o.Waiver
	}
	return "rule " + o.Rule
}

// findingMessage says what was found in what, and what to do.
func findingMessage(f *core.Finding) string {
	s := f.Title
	if f.Package != nil {
		s = strings.TrimSpace(f.Package.Name+" "+f.Package.Version) + ": " + s
	}
	if remedy := remedyOf(f); remedy != "" {
		s += " (" + remedy + ")"
	}
	return s
}

// escapeLinks keeps foreign text from being a link, which messages may embed.
func escapeLinks(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(s)
}

func (x *sarifEntry) result(id string, rule int) sarif.WrittenResult {
	text := escapeLinks(redact.Limited(x.message, sarifText))
	if text == "" {
		text = escapeLinks(id)
	}
	r := sarif.WrittenResult{
		RuleID: id, RuleIndex: rule, Level: x.level(), Message: sarif.Text{Text: text}, Locations: x.places,
		Fingerprints: map[string]string{sarif.FingerprintName: x.fingerprint, sarif.GitHubFingerprint: x.fingerprint},
		Suppressions: []sarif.WrittenSuppression{},
	}
	if x.action == core.ActionIgnore {
		r.Suppressions = append(r.Suppressions, sarif.WrittenSuppression{Kind: "external", Status: "accepted",
			Justification: redact.Limited(x.why, sarifText)})
	}
	return r
}

// level follows the verdict, and the severity where there is none.
func (x *sarifEntry) level() string {
	switch {
	case x.action == core.ActionFail, x.action == "" && x.severity >= core.SeverityHigh:
		return "error"
	case x.action == core.ActionWarn, x.action == "" && (x.severity == core.SeverityMedium || x.severity == core.SeverityUnknown):
		return "warning"
	}
	return "note"
}

func sarifRule(id string, x *sarifEntry) sarif.WrittenRule {
	tags := []string{"security"}
	if x.kind != "" {
		tags = append(tags, redact.Limited(string(x.kind), sarifID))
	}
	for _, w := range x.weaknesses {
		if len(tags) < sarifTags {
			tags = append(tags, "external/cwe/"+strings.ToLower(redact.Limited(w, sarifID)))
		}
	}
	slices.Sort(tags)
	links := sarifReferences(x.references)
	r := sarif.WrittenRule{ID: id, ShortDescription: sarif.Text{Text: id}, Help: sarif.Text{Text: sarifHelp(links)},
		FullDescription: sarif.Text{Text: cmp.Or(redact.Limited(cmp.Or(x.title, x.message), sarifText), id)}}
	r.Properties.Tags = slices.Compact(tags)
	if len(links) > 0 {
		r.HelpURI = links[0]
	}
	return r
}

// sarifHelp is of a rule, and what to do depends on the place: each result says it.
func sarifHelp(links []string) string {
	text := "Each alert says what was found where, and what to do about it."
	if len(links) > 0 {
		text += " More about it is at " + strings.Join(links, " and ")
	}
	return text
}

// sarifReferences are the first pages of the web among references, without what is no such page or names credentials.
func sarifReferences(references []string) []string {
	var links []string
	for _, reference := range references {
		u, err := url.Parse(reference)
		if err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && len(u.String()) <= sarifText && len(links) < sarifLinks {
			links = append(links, u.String())
		}
	}
	return links
}

// severityScore is the number by which GitHub names a severity. The score of the advisory counts where it says the same
// as the severity, which a distribution may have set otherwise. What nobody rated is in the middle: it is not harmless.
func severityScore(s core.Severity, score *float64) float64 {
	if score != nil && !math.IsNaN(*score) && *score >= 0 && *score <= 10 && core.SeverityOfScore(*score) == s {
		return *score
	}
	return [...]float64{5.0, 0.0, 2.0, 5.5, 8.0, 9.5}[bounded(s)]
}

// sarifPlaces are where a finding is. GitHub refuses a result that is nowhere: what has no file is in one that is called
// like the repository of the image, which keeps its alerts together when the tag moves.
func sarifPlaces(locations []core.Location, n names, subject core.Digest) []sarif.WrittenPlace {
	var places []sarif.WrittenPlace
	for _, l := range locations {
		uri := relativeURI(l.Path[:min(len(l.Path), sarifPath)])
		if uri == "" {
			continue
		}
		region := sarif.Region{StartLine: max(l.Line, 1), StartColumn: max(l.Column, 0)}
		if l.EndLine > region.StartLine {
			region.EndLine = l.EndLine
		}
		p := sarif.WrittenPlace{Physical: sarif.Physical{Artifact: sarif.Artifact{URI: uri}, Region: region}}
		if !slices.Contains(places, p) && len(places) < sarifLocations {
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		uri := "subject"
		if i := slices.IndexFunc(n.subjects, func(s core.Subject) bool { return s.Digest == subject }); i >= 0 {
			uri = cmp.Or(relativeURI(repositoryOf(n.subjects[i].Name)), uri)
		}
		places = append(places, sarif.WrittenPlace{Physical: sarif.Physical{
			Artifact: sarif.Artifact{URI: uri}, Region: sarif.Region{StartLine: 1}}})
	}
	return places
}

// repositoryOf is a reference without the word before it that says what it is, and without tag and digest.
func repositoryOf(name string) string {
	name, _, _ = strings.Cut(redact.Reference(name), "@")
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "dir", "sbom":
		return rest
	case "registry", "oci", "docker-archive", "docker", "podman":
		name = rest
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') && i > 0 {
		name = name[:i]
	}
	return name
}

// relativeURI is a path as a URI reference below the root: without a scheme, and without a way out of the root.
func relativeURI(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/") // what is not text is escaped below
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(parts[i]), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

// sarifCategory is the tool and what tells its uses apart: a word of the user, or what was examined and, for one platform
// alone, which.
func sarifCategory(category string, subjects []core.Subject) string {
	const tool = "cleanbill"
	if category != "" {
		return tool + "/" + relativeURI(redact.Limited(category, sarifID))
	}
	if len(subjects) == 0 {
		return tool
	}
	var names []string
	for _, s := range subjects {
		name := cmp.Or(relativeURI(repositoryOf(s.Name)), "subject")
		if s.Parent == "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	parts := []string{tool, strings.Join(names, "+")}
	if len(parts[1]) > sarifID { // a digest of all names keeps it apart from others that begin like it
		sum := sha256.Sum256([]byte(parts[1]))
		parts[1] = fmt.Sprintf("%s+%x", redact.Limited(names[0], sarifID/2), sum[:8])
	}
	if len(subjects) == 1 && subjects[0].Platform != nil {
		parts = append(parts, relativeURI(strings.ReplaceAll(subjects[0].Platform.String(), "/", "-")))
	}
	return strings.Join(parts, "/")
}

// sarifGaps says what could not be examined.
func sarifGaps(l *sarif.Log, o outline) {
	l.Succeeded = len(o.gaps) == 0
	left := 0
	add := func(level string, gaps []gap) {
		for _, g := range gaps {
			if len(l.Notices) >= sarifNotices {
				left++
				continue
			}
			text := g.examination + " is " + g.status
			if len(g.why) > 0 {
				text += ": " + strings.Join(g.why, "; ")
			}
			if g.remedy != "" {
				text += " (" + g.remedy + ")"
			}
			l.Notices = append(l.Notices, sarif.Notice{Level: level,
				Message: sarif.Text{Text: escapeLinks(redact.Limited(text, sarifText))}})
		}
	}
	add("error", o.gaps)
	add("warning", o.accepted)
	if left > 0 {
		l.Notices = append(l.Notices, sarif.Notice{Level: "error", Message: sarif.Text{
			Text: fmt.Sprintf("%d more gaps are in the JSON report", left)}})
	}
}
