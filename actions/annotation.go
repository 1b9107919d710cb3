package actions

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// maxAnnotations is how many annotations of one level GitHub shows for a step.
const maxAnnotations = 10

// maxAnnotationText is the longest message that we send, in bytes; GitHub cuts at 64 KB, people give up before.
const maxAnnotationText = 2000

// level is how an annotation is shown.
type level string

const (
	levelError   level = "error"
	levelWarning level = "warning"
	levelNotice  level = "notice"
)

// annotation is one message that GitHub shows on the run, and at a line if it names one.
type annotation struct {
	level   level
	title   string
	message string
	file    string // relative to the workspace; empty for none
	line    int
	endLine int
	column  int
}

// annotationsOf returns what the verdict says, the most urgent first, within GitHub's limits: errors for what keeps it
// from passing, warnings for what does not.
func annotationsOf(r *gate.Result, workspace string) []annotation {
	show := newShow(r, workspace)
	var failures, warnings []annotation
	failures = append(failures, show.upgrades(r.Verdict.Upgrades)...)
	failures = append(failures, show.outcomes(levelError, remaining(r.Verdict.Refusals, r.Verdict.Upgrades))...)
	failures = append(failures, show.gaps(levelError, r.Verdict.Gaps)...)
	warnings = append(warnings, show.outcomes(levelWarning, r.Verdict.Warnings)...)
	warnings = append(warnings, show.gaps(levelWarning, r.Verdict.Accepted)...)
	return append(withinLimit(failures), withinLimit(warnings)...)
}

// withinLimit keeps the first, and says how many it left out.
func withinLimit(all []annotation) []annotation {
	if len(all) <= maxAnnotations {
		return all
	}
	kept := slices.Clone(all[:maxAnnotations-1])
	return append(kept, annotation{
		level:   all[0].level,
		title:   fmt.Sprintf("%d more", len(all)-len(kept)),
		message: "GitHub shows no more annotations of one step: see the job summary and the report.",
	})
}

// remaining are the refusals that no upgrade removes.
func remaining(refusals []core.Outcome, upgrades []core.Upgrade) []core.Outcome {
	type key struct {
		subject     core.Digest
		fingerprint string
	}
	removed := map[key]bool{}
	for _, u := range upgrades {
		for _, f := range u.Fixes {
			removed[key{u.Subject, f}] = true
		}
	}
	var out []core.Outcome
	for _, o := range refusals {
		if o.Fingerprint == "" || !removed[key{o.Subject, o.Fingerprint}] {
			out = append(out, o)
		}
	}
	return out
}

// show turns parts of a verdict into annotations.
type show struct {
	subjects  map[core.Digest]core.Subject
	findings  map[string]core.Finding
	workspace string
}

func newShow(r *gate.Result, workspace string) *show {
	s := &show{subjects: map[core.Digest]core.Subject{}, findings: map[string]core.Finding{}, workspace: workspace}
	for _, subject := range r.Evidence.Subjects {
		s.subjects[subject.Digest] = subject
	}
	for _, f := range r.Evidence.Findings {
		s.findings[string(f.Subject)+f.Fingerprint] = f
	}
	return s
}

func (s *show) finding(subject core.Digest, fingerprint string) (core.Finding, bool) {
	f, ok := s.findings[string(subject)+fingerprint]
	return f, ok && fingerprint != ""
}

func (s *show) upgrades(upgrades []core.Upgrade) []annotation {
	ranked := slices.Clone(upgrades)
	slices.SortStableFunc(ranked, func(a, b core.Upgrade) int { return cmp.Compare(b.Severity, a.Severity) })
	var out []annotation
	for _, u := range ranked {
		message := fmt.Sprintf("%s: removes %s, the worst %s", s.name(u.Subject), counted(len(u.Fixes), "finding"), u.Severity)
		if ids := s.rules(u); ids != "" {
			message += " (" + ids + ")"
		}
		if u.Where != "" {
			message += "\nin " + u.Where
		}
		if u.Command != "" {
			message += "\n" + u.Command
		}
		a := annotation{
			level:   levelError,
			title:   fmt.Sprintf("Upgrade %s %s to %s", u.Package, u.From, u.To),
			message: message,
		}
		for _, fingerprint := range u.Fixes {
			if f, ok := s.finding(u.Subject, fingerprint); ok && a.file == "" {
				s.place(&a, f) // the line that declares the package
			}
		}
		out = append(out, a)
	}
	return out
}

// rules lists the first ids that an upgrade removes.
func (s *show) rules(u core.Upgrade) string {
	const most = 5
	var ids []string
	for _, fingerprint := range u.Fixes {
		if f, ok := s.finding(u.Subject, fingerprint); ok && !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
		}
	}
	if len(ids) > most {
		ids = append(ids[:most:most], fmt.Sprintf("%d more", len(ids)-most))
	}
	return strings.Join(ids, ", ")
}

func (s *show) outcomes(l level, outcomes []core.Outcome) []annotation {
	ranked := slices.Clone(outcomes)
	slices.SortStableFunc(ranked, func(a, b core.Outcome) int {
		fa, _ := s.finding(a.Subject, a.Fingerprint)
		fb, _ := s.finding(b.Subject, b.Fingerprint)
		return cmp.Or(cmp.Compare(brought(b), brought(a)), cmp.Compare(exploited(fb), exploited(fa)),
			cmp.Compare(fb.Severity, fa.Severity))
	})
	var out []annotation
	for _, o := range ranked {
		a := annotation{level: l, title: o.Rule, message: s.name(o.Subject) + ": " + o.Message}
		if f, ok := s.finding(o.Subject, o.Fingerprint); ok {
			a.title = titleOf(f)
			s.place(&a, f)
		}
		out = append(out, a)
	}
	return out
}

func (s *show) gaps(l level, gaps []core.Gap) []annotation {
	var out []annotation
	for _, g := range gaps {
		status := string(g.Status)
		if status == "" {
			status = "missing"
		}
		message := strings.Join(g.Why, "\n")
		if g.Subject != "" {
			message = s.name(g.Subject) + ": " + message
		}
		if g.Remedy != "" {
			message += "\n" + g.Remedy
		}
		out = append(out, annotation{level: l, title: "Not fully examined: " + g.Examination + " " + status, message: message})
	}
	return out
}

// place puts the annotation at the line of a finding in a source tree. Files in images are not files of the repository.
func (s *show) place(a *annotation, f core.Finding) {
	subject := s.subjects[f.Subject]
	if subject.Kind != core.KindSource || len(f.Locations) == 0 || f.Locations[0].Commit != "" {
		return // a commit has another version of the file
	}
	root := filepath.ToSlash(subject.Name)
	if filepath.IsAbs(subject.Name) {
		relative, err := filepath.Rel(s.workspace, subject.Name)
		if err != nil {
			return
		}
		root = filepath.ToSlash(relative)
	}
	at := f.Locations[0]
	file := path.Join(root, at.Path)
	if file == ".." || strings.HasPrefix(file, "../") || report.SafeText(file) != file {
		return // outside of the repository, or a name that GitHub could not show
	}
	a.file, a.line, a.endLine, a.column = file, at.Line, at.EndLine, at.Column
}

func (s *show) name(d core.Digest) string {
	subject, ok := s.subjects[d]
	switch {
	case !ok:
		return d.Short()
	case subject.Platform != nil:
		return subject.Name + " (" + subject.Platform.String() + ")"
	default:
		return subject.Name
	}
}

func titleOf(f core.Finding) string {
	title := f.Rule + " (" + f.Severity.String() + ")"
	if f.Package != nil {
		title += " in " + f.Package.Name + " " + f.Package.Version
	}
	return title
}

// brought ranks what the change brings before all else: it is on the lines that are read now.
func brought(o core.Outcome) int {
	if o.Cause == core.CauseCode {
		return 1
	}
	return 0
}

func exploited(f core.Finding) int {
	if f.Exploited != nil {
		return 1
	}
	return 0
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// annotate issues the annotations. The toolkit escapes what the runner would read as part of the command; characters
// that are for terminals only are made visible here.
func (a *Adapter) annotate(annotations []annotation) {
	for _, n := range annotations {
		properties := githubactions.CommandProperties{"title": oneLine(n.title)}
		if n.file != "" {
			properties["file"] = n.file
			for name, number := range map[string]int{"line": n.line, "endLine": n.endLine, "col": n.column} {
				if number > 0 {
					properties[name] = strconv.Itoa(number)
				}
			}
		}
		a.action.IssueCommand(&githubactions.Command{
			Name:       string(n.level),
			Message:    clipped(safeLines(n.message), maxAnnotationText),
			Properties: properties,
		})
	}
}

// safeLines keeps line ends, which the toolkit escapes, and nothing else that is not text.
func safeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = report.SafeText(lines[i])
	}
	return strings.Join(lines, "\n")
}

func oneLine(text string) string { return clipped(report.SafeText(text), 200) }

// clipped cuts text at a character's end, and shows that it did.
func clipped(text string, max int) string {
	if len(text) <= max {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:max-len(mark)], "") + mark
}
