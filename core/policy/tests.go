package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// maxCases bounds the cases of one file of tests.
const maxCases = 1000

// Tests are table tests of a policy: evidence in, expected decisions out.
type Tests struct {
	// Policy is a profile, or a path relative to the file of the tests.
	Policy string
	Cases  []Case
}

// Case is one row.
type Case struct {
	Name string
	// Document is a file of evidence, relative to the file of the tests; empty if the evidence is written out.
	Document string
	Evidence core.Evidence
	// Now is the time of the verdict.
	Now time.Time
	// Baseline is a file too; empty for none.
	Baseline string
	Expect   Expectation
}

// Expectation is what a case expects. What is nil is not asked.
type Expectation struct {
	Decision *core.Decision
	// Refused, Warned and Ignored are ids of findings or, for what is no finding, names of rules.
	Refused, Warned, Ignored *[]string
	// Gaps are names of examinations.
	Gaps *[]string
}

// ParseTests reads a file of tests. What is wrong with it is one core.Failure of the user's input, with file, line and
// column of each problem.
func ParseTests(source Source) (*Tests, error) {
	r := newReader(source)
	if len(source.Data) > maxFile {
		r.Add(1, 1, fmt.Sprintf("the file is larger than %d bytes", maxFile))
		return nil, r.failure()
	}
	root, err := r.document(source.Data)
	if err != nil {
		return nil, err
	}
	t := &Tests{}
	seen := r.Keys(root, map[string]func(*yaml.Node){
		"policy": func(n *yaml.Node) { t.Policy = r.Text(n) },
		"cases":  func(n *yaml.Node) { t.Cases = r.cases(n) },
	})
	r.need(root, seen, "policy", "cases")
	return t, r.failure()
}

// need rejects a mapping that lacks a key.
func (r *reader) need(n *yaml.Node, seen map[string]bool, keys ...string) {
	for _, key := range keys {
		if n.Kind == yaml.MappingNode && !seen[key] {
			r.Reject(n, "the key %q is missing", key)
		}
	}
}

// each calls a function for the elements of a list.
func (r *reader) each(n *yaml.Node, most int, what string, read func(*yaml.Node)) {
	switch {
	case n.Kind != yaml.SequenceNode:
		r.Reject(n, "this must be a list of %s, not %s", what, strictyaml.Kind(n))
	case len(n.Content) > most:
		r.Reject(n, "there are %d %s; a list can have %d", len(n.Content), what, most)
	default:
		for _, item := range n.Content {
			read(item)
		}
	}
}

func (r *reader) cases(n *yaml.Node) []Case {
	var all []Case
	names := map[string]bool{}
	r.each(n, maxCases, "cases", func(item *yaml.Node) {
		c := r.testCase(item)
		if names[c.Name] {
			r.Reject(item, "the name %q is here a second time", c.Name)
		}
		names[c.Name] = true
		all = append(all, c)
	})
	if len(all) == 0 && n.Kind == yaml.SequenceNode {
		r.Reject(n, "there is no case, and nothing would be tested")
	}
	return all
}

func (r *reader) testCase(item *yaml.Node) Case {
	var c Case
	written := writtenEvidence{subject: core.Subject{Name: "registry.example/app:1", Kind: core.KindImage}}
	seen := r.Keys(item, map[string]func(*yaml.Node){
		"name":         func(n *yaml.Node) { c.Name = r.Text(n) },
		"evidence":     func(n *yaml.Node) { c.Document = r.Text(n) },
		"findings":     func(n *yaml.Node) { written.findings = r.testFindings(n) },
		"examinations": func(n *yaml.Node) { written.examinations = r.testExaminations(n) },
		"image":        func(n *yaml.Node) { written.subject.Name = r.Text(n) },
		"now":          func(n *yaml.Node) { c.Now = r.moment(n) },
		"baseline":     func(n *yaml.Node) { c.Baseline = r.Text(n) },
		"change":       func(n *yaml.Node) { written.change = r.testChange(n) },
		"expect":       func(n *yaml.Node) { c.Expect = r.expectation(n) },
	})
	r.need(item, seen, "name", "now", "expect")
	if seen["evidence"] == seen["findings"] && item.Kind == yaml.MappingNode {
		r.Reject(item, "a case has either evidence: FILE or findings: […]")
	}
	if seen["evidence"] && (seen["examinations"] || seen["image"]) {
		r.Reject(item, "examinations and image go with findings; a file of evidence has its own")
	}
	c.Evidence = written.evidence(c.Now)
	return c
}

// writtenEvidence is what a case writes out.
type writtenEvidence struct {
	subject      core.Subject
	findings     []core.Finding
	examinations []core.Examination
	change       *core.Change
}

// evidence fills in what a case does not write: one image that was examined in every way, by advisories of that time.
func (w writtenEvidence) evidence(now time.Time) core.Evidence {
	digest := core.Digest("sha256:" + strings.Repeat("0", 64))
	w.subject.Digest = digest
	w.subject.Platform = &core.Platform{OS: "linux", Architecture: "amd64"}
	e := core.Evidence{Subjects: []core.Subject{w.subject}, Findings: w.findings, Change: w.change,
		Images:     []core.ImageFacts{{Subject: digest, Platform: *w.subject.Platform}},
		Advisories: core.AdvisorySource{Name: "of the test", Records: 1, AsOf: now, Built: now}}
	for _, name := range required() {
		if !slices.ContainsFunc(w.examinations, func(x core.Examination) bool { return x.Name == name }) {
			e.Examinations = append(e.Examinations, core.Examination{Name: name, Tool: "test", Status: core.Complete})
		}
	}
	e.Examinations = append(e.Examinations, w.examinations...)
	for i := range e.Examinations {
		e.Examinations[i].Subject = digest
	}
	for i := range e.Findings {
		f := &e.Findings[i]
		f.Subject = digest
		if f.Fingerprint == "" {
			f.Fingerprint = core.FingerprintOf(f.Kind, f.Rule, purlOf(f), firstPath(f.Locations))
		}
		if f.Package != nil {
			e.Packages = append(e.Packages, core.Package{Subject: digest, Name: f.Package.Name, Version: f.Package.Version,
				Purl: f.Package.Purl, Ecosystem: f.Package.Ecosystem, Locations: f.Locations, Analyzer: "test"})
		}
	}
	return e
}

func (r *reader) testFindings(n *yaml.Node) []core.Finding {
	all := []core.Finding{}
	r.each(n, maxCases, "findings", func(item *yaml.Node) { all = append(all, r.testFinding(item)) })
	return all
}

func (r *reader) testFinding(item *yaml.Node) core.Finding {
	f := core.Finding{Match: core.MatchExact}
	pkg := core.PackageRef{Version: "1.0.0"}
	var kinds []string
	for _, kind := range core.FindingKinds() {
		kinds = append(kinds, string(kind))
	}
	seen := r.Keys(item, map[string]func(*yaml.Node){
		"kind":        func(n *yaml.Node) { f.Kind = core.FindingKind(r.Choice(n, kinds...)) },
		"rule":        func(n *yaml.Node) { f.Rule = r.Text(n) },
		"aliases":     func(n *yaml.Node) { f.Aliases = r.texts(n) },
		"title":       func(n *yaml.Node) { f.Title = r.Text(n) },
		"fingerprint": func(n *yaml.Node) { f.Fingerprint = r.Text(n) },
		"severity":    func(n *yaml.Node) { f.Severity = r.severity(n) },
		"package":     func(n *yaml.Node) { pkg.Name = r.Text(n) },
		"version":     func(n *yaml.Node) { pkg.Version = r.Text(n) },
		"ecosystem":   func(n *yaml.Node) { pkg.Ecosystem = r.Text(n) },
		"purl":        func(n *yaml.Node) { pkg.Purl = r.Text(n) },
		"path":        func(n *yaml.Node) { f.Locations = []core.Location{{Path: r.Text(n)}} },
		"fix": func(n *yaml.Node) {
			version := r.Text(n)
			f.Fix = core.Fix{State: core.FixAvailable, Version: version, Versions: []string{version}}
		},
		"match": func(n *yaml.Node) {
			f.Match = core.Match(r.Choice(n, string(core.MatchExact), string(core.MatchSource), string(core.MatchVendored),
				string(core.MatchName)))
		},
		"exploited": func(n *yaml.Node) {
			if yes := r.boolean(n); yes != nil && *yes {
				f.Exploited = &core.Exploited{Since: "2024-01-01"}
			}
		},
	})
	r.need(item, seen, "kind", "rule")
	if pkg.Name != "" {
		if pkg.Purl == "" {
			pkg.Purl = "pkg:generic/" + pkg.Name + "@" + pkg.Version
		}
		f.Package = &pkg
	}
	return f
}

func (r *reader) severity(n *yaml.Node) core.Severity {
	severity, err := core.ParseSeverity(r.Text(n))
	if err != nil {
		r.Reject(n, "%v", err)
	}
	return severity
}

func (r *reader) testExaminations(n *yaml.Node) []core.Examination {
	var all []core.Examination
	r.each(n, maxCases, "examinations", func(item *yaml.Node) {
		x := core.Examination{Tool: "test", Status: core.Complete}
		seen := r.Keys(item, map[string]func(*yaml.Node){
			"name": func(n *yaml.Node) { x.Name = r.word(n) },
			"tool": func(n *yaml.Node) { x.Tool = r.Text(n) },
			"code": func(n *yaml.Node) { x.Code = r.word(n) },
			"status": func(n *yaml.Node) {
				x.Status = core.Completeness(r.Choice(n, string(core.Complete), string(core.Partial), string(core.Failed),
					string(core.Skipped)))
			},
		})
		r.need(item, seen, "name")
		all = append(all, x)
	})
	return all
}

func (r *reader) testChange(n *yaml.Node) *core.Change {
	c := &core.Change{}
	r.Keys(n, map[string]func(*yaml.Node){
		"repository": func(n *yaml.Node) { c.Repository = r.Text(n) },
		"branch":     func(n *yaml.Node) { c.Branch = r.Text(n) },
		"head":       func(n *yaml.Node) { c.Head = r.Text(n) },
		"base":       func(n *yaml.Node) { c.Base = r.Text(n) },
		"request":    func(n *yaml.Node) { c.Request = r.Text(n) },
	})
	return c
}

// moment is a day or a time. YAML calls both a timestamp.
func (r *reader) moment(n *yaml.Node) time.Time {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			return at.UTC()
		}
	}
	r.Reject(n, "this must be a day or a time, such as 2026-11-24 or 2026-11-24T06:00:00Z")
	return time.Time{}
}

func (r *reader) expectation(n *yaml.Node) Expectation {
	var x Expectation
	list := func(into **[]string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			ids := []string{}
			r.each(n, maxCases, "ids", func(item *yaml.Node) { ids = append(ids, r.Text(item)) })
			*into = &ids
		}
	}
	seen := r.Keys(n, map[string]func(*yaml.Node){
		"decision": func(n *yaml.Node) {
			var d core.Decision
			if err := d.UnmarshalText([]byte(r.Text(n))); err != nil {
				r.Reject(n, "%v", err)
			}
			x.Decision = &d
		},
		"refused": list(&x.Refused),
		"warned":  list(&x.Warned),
		"ignored": list(&x.Ignored),
		"gaps":    list(&x.Gaps),
	})
	if n.Kind == yaml.MappingNode && len(seen) == 0 {
		r.Reject(n, "this expects nothing, and nothing would be tested")
	}
	return x
}

// Differences says how a verdict on some evidence differs from what a case expects; nothing if it does not.
func (x Expectation) Differences(v *core.Verdict, e *core.Evidence) []string {
	var out []string
	if x.Decision != nil && *x.Decision != v.Decision {
		out = append(out, fmt.Sprintf("decision: want %s, got %s", *x.Decision, v.Decision))
	}
	ids := make(map[string]string, len(e.Findings))
	for i := range e.Findings {
		ids[e.Findings[i].Fingerprint] = e.Findings[i].Rule
	}
	named := func(outcomes []core.Outcome) []string {
		var names []string
		for i := range outcomes {
			if id, ok := ids[outcomes[i].Fingerprint]; ok && outcomes[i].Fingerprint != "" {
				names = append(names, id)
				continue
			}
			names = append(names, outcomes[i].Rule)
		}
		return names
	}
	var gaps []string
	for i := range v.Gaps {
		gaps = append(gaps, v.Gaps[i].Examination)
	}
	for _, side := range []struct {
		name string
		want *[]string
		got  []string
	}{{"refused", x.Refused, named(v.Refusals)}, {"warned", x.Warned, named(v.Warnings)}, {"ignored", x.Ignored, named(v.Ignored)},
		{"gaps", x.Gaps, gaps}} {
		if side.want != nil {
			out = append(out, compareSets(side.name, *side.want, side.got)...)
		}
	}
	return out
}

// compareSets says what is missing of a list and what is too much in it. How often something is in it does not matter.
func compareSets(name string, want, got []string) []string {
	var out []string
	less := func(what string, all, without []string) {
		var left []string
		for _, id := range all {
			if !slices.Contains(without, id) && !slices.Contains(left, id) {
				left = append(left, id)
			}
		}
		if len(left) > 0 {
			slices.Sort(left)
			out = append(out, fmt.Sprintf("%s: %s %s", name, what, strings.Join(left, ", ")))
		}
	}
	less("missing", want, got)
	less("unexpected", got, want)
	return out
}
