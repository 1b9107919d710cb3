package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// How much the page holds. A browser reads a page of these sizes within seconds; whoever wants everything has the JSON
// report.
const (
	htmlFindingBytes = 16 << 20
	htmlPackageBytes = 6 << 20
	htmlText         = 400 // bytes of one text
	htmlList         = 12  // entries of a list within a finding or package
	htmlOnBytes      = 4   // of one subject of a row, about
)

// What became of a finding, in the order in which people care.
const (
	htmlRefused = iota
	htmlWarned
	htmlIgnored
	htmlUnjudged
)

// htmlData is what the script of the page reads. What is the same on several subjects is one row.
type htmlData struct {
	several  bool
	subjects []htmlSubject
	layers   []htmlLayer
	texts    []string
	findings htmlTable
	packages htmlTable
	listed   int // how many packages of the evidence the rows stand for

	names     names
	rank      map[core.Digest]int
	textIndex map[string]int
	shared    int // bytes of texts, layers and subjects
	layerID   map[htmlLayer]int
	located   map[htmlPackageKey]*core.Package
}

type htmlSubject struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Judged bool   `json:"judged"` // an index is judged by its images
}

// htmlLayer is a place in a stack of layers, and what made it.
type htmlLayer struct {
	Number    int    `json:"number"`
	CreatedBy string `json:"by"`
}

type htmlPackageKey struct {
	subject             core.Digest
	purl, name, version string
}

// htmlFinding is one row. Its names are short because there may be tens of thousands; "text" means a number of a text,
// which many rows share.
type htmlFinding struct {
	Rule        string     `json:"r"`
	Aliases     []string   `json:"a,omitempty"`
	Title       int        `json:"t"` // text
	Severity    int        `json:"v"`
	Kind        int        `json:"k"` // text
	Decision    int        `json:"d"`
	Package     *int       `json:"p,omitempty"`
	Layer       *int       `json:"l,omitempty"`
	RemovedIn   *int       `json:"lr,omitempty"`
	Fingerprint string     `json:"id,omitempty"`
	Whys        []htmlWhy  `json:"w,omitempty"`
	Fix         htmlRemedy `json:"f,omitzero"`
	Score       *float64   `json:"sc,omitempty"`
	Vector      int        `json:"ve,omitempty"` // text
	Source      int        `json:"so,omitempty"` // text
	Match       int        `json:"m,omitempty"`  // text
	Confidence  string     `json:"cf,omitempty"`
	Exploited   string     `json:"x,omitempty"`
	Ransomware  bool       `json:"xr,omitempty"`
	Reachable   string     `json:"re,omitempty"`
	EPSS        *float64   `json:"ep,omitempty"`
	Percentile  *float64   `json:"pc,omitempty"`
	Published   string     `json:"pu,omitempty"`
	Modified    string     `json:"mo,omitempty"`
	Links       []string   `json:"li,omitempty"`
	Notes       []string   `json:"no,omitempty"`
	SeenBy      []int      `json:"by,omitempty"` // texts
	Weaknesses  []string   `json:"cw,omitempty"`
	Verified    string     `json:"se,omitempty"`
	Places      []string   `json:"at,omitempty"`
	Says        []int      `json:"sa,omitempty"` // texts: VEX statements and suppressions
}

// htmlWhy is what one rule said of a finding; all are texts.
type htmlWhy struct {
	Rule    int  `json:"r"`
	Message int  `json:"m,omitempty"`
	Waiver  int  `json:"w,omitempty"`
	Cause   int  `json:"c,omitempty"`
	Held    bool `json:"h,omitempty"`
}

type htmlRemedy struct {
	State    string   `json:"s,omitempty"`
	Version  string   `json:"v,omitempty"`
	Versions []string `json:"all,omitempty"`
	Text     int      `json:"t,omitempty"` // text
}

type htmlPackage struct {
	Name      string   `json:"n"`
	Version   string   `json:"v"`
	Ecosystem int      `json:"e"` // text
	Purl      string   `json:"u,omitempty"`
	Source    string   `json:"s,omitempty"`
	Layer     *int     `json:"l,omitempty"`
	RemovedIn *int     `json:"lr,omitempty"`
	Via       []string `json:"via,omitempty"`
	Relation  string   `json:"re,omitempty"`
	Scope     string   `json:"sc,omitempty"`
	Licenses  []int    `json:"li,omitempty"` // texts
	Places    []string `json:"at,omitempty"`
	// Unlisted is true for what findings name and no inventory lists.
	Unlisted bool `json:"un,omitempty"`
}

func newHTMLData(d Document) *htmlData {
	e := ordered(d.Evidence)
	h := &htmlData{
		names: newNames(e.Subjects), rank: map[core.Digest]int{}, texts: []string{""}, textIndex: map[string]int{"": 0},
		layerID: map[htmlLayer]int{}, located: map[htmlPackageKey]*core.Package{},
		findings: htmlTable{index: map[string]int{}}, packages: htmlTable{index: map[string]int{}},
	}
	h.several = h.names.several
	for _, s := range e.Subjects {
		h.subjects[h.subject(s.Digest)].Judged = s.Kind != core.KindIndex
	}
	for i := range e.Packages {
		p := &e.Packages[i]
		key := htmlPackageKey{p.Subject, p.Purl, p.Name, p.Version}
		if h.located[key] == nil {
			h.located[key] = p
		}
	}
	h.addFindings(htmlDecided(e.Findings, d.Verdict))
	h.addPackages(e.Packages)
	return h
}

// decided is a finding and what was decided over it; the finding is nil where a rule spoke of none.
type decided struct {
	finding  *core.Finding
	subject  core.Digest
	decision int
	whys     []*core.Outcome
}

// htmlDecided brings findings and outcomes together, the most urgent first: should not all fit, it is the least urgent
// that is cut.
func htmlDecided(findings []core.Finding, v *core.Verdict) []decided {
	decisions := map[[2]string]*decided{}
	var alone []decided
	if v != nil {
		for decision, outcomes := range [][]core.Outcome{v.Refusals, v.Warnings, v.Ignored} {
			for i := range outcomes {
				o := &outcomes[i]
				if o.Fingerprint == "" {
					alone = append(alone, decided{subject: o.Subject, decision: decision, whys: []*core.Outcome{o}})
					continue
				}
				key := [2]string{string(o.Subject), o.Fingerprint}
				if decisions[key] == nil { // the strictest comes first
					decisions[key] = &decided{decision: decision}
				}
				decisions[key].whys = append(decisions[key].whys, o)
			}
		}
	}
	all := alone
	for i := range findings {
		f := &findings[i]
		j := decided{finding: f, subject: f.Subject, decision: htmlUnjudged}
		if said := decisions[[2]string{string(f.Subject), f.Fingerprint}]; said != nil {
			j.decision, j.whys = said.decision, said.whys
		}
		all = append(all, j)
	}
	slices.SortStableFunc(all, func(a, b decided) int {
		if c := cmp.Compare(a.decision, b.decision); c != 0 || a.finding == nil || b.finding == nil {
			return cmp.Or(c, compareBools(a.finding != nil, b.finding != nil))
		}
		return cmp.Or(compareBools(a.finding.Exploited == nil, b.finding.Exploited == nil),
			cmp.Compare(b.finding.Severity, a.finding.Severity), cmp.Compare(scoreOf(b.finding), scoreOf(a.finding)),
			cmp.Compare(nameOf(a.finding), nameOf(b.finding)), cmp.Compare(a.finding.Rule, b.finding.Rule))
	})
	return all
}

func scoreOf(f *core.Finding) float64 {
	if f.Score == nil {
		return -1
	}
	return *f.Score
}

// finite is a number that JSON can hold, or nil.
func finite(x *float64) *float64 {
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		return nil
	}
	return x
}

func nameOf(f *core.Finding) string {
	if f.Package == nil {
		return ""
	}
	return f.Package.Name
}

func (h *htmlData) addFindings(all []decided) {
	h.findings.total = len(all)
	for _, j := range all {
		if h.findings.size+h.packages.size+h.shared > htmlFindingBytes {
			return
		}
		h.findings.add(h.finding(j), h.subject(j.subject))
	}
}

func (h *htmlData) addPackages(packages []core.Package) {
	h.packages.total = len(packages)
	before := h.shared
	for i := range packages {
		if h.packages.size+h.shared-before > htmlPackageBytes {
			return
		}
		h.packages.add(h.packageRow(&packages[i]), h.subject(packages[i].Subject))
		h.listed++
	}
}

// subject is the number of a subject, which is added if the evidence does not list it.
func (h *htmlData) subject(d core.Digest) int {
	i, ok := h.rank[d]
	if !ok {
		i = len(h.subjects)
		h.rank[d] = i
		s := htmlSubject{Name: safeCut(h.names.label(d)), Digest: safeCut(d.Short())}
		h.subjects = append(h.subjects, s)
		h.shared += len(s.Name) + len(s.Digest)
	}
	return i
}

// text is the number of a text.
func (h *htmlData) text(s string) int {
	s = safeCut(s)
	i, ok := h.textIndex[s]
	if !ok {
		i = len(h.texts)
		h.textIndex[s] = i
		h.texts = append(h.texts, s)
		h.shared += len(s)
	}
	return i
}

func (h *htmlData) textList(list []string) []int {
	var all []int
	for _, s := range safeList(list) {
		all = append(all, h.text(s))
	}
	return all
}

func (h *htmlData) layer(o *core.Origin) (layer, removed *int) {
	if o == nil {
		return nil, nil
	}
	key := htmlLayer{o.Layer, safeCut(o.CreatedBy)}
	i, ok := h.layerID[key]
	if !ok {
		i = len(h.layers)
		h.layerID[key] = i
		h.layers = append(h.layers, key)
		h.shared += len(key.CreatedBy)
	}
	return &i, o.RemovedIn
}

// whys are what rules said of a finding. A message that only repeats the finding's title is left out.
func (h *htmlData) whys(j decided) []htmlWhy {
	var whys []htmlWhy
	for _, o := range j.whys[:min(len(j.whys), htmlList)] {
		message := o.Message
		if f := j.finding; f == nil || message == f.Title || message == f.Rule+": "+f.Title {
			message = ""
		}
		whys = append(whys, htmlWhy{h.text(o.Rule), h.text(message), h.text(o.Waiver), h.text(causeWords(o.Cause)), o.Held})
	}
	return whys
}

func (h *htmlData) finding(j decided) htmlFinding {
	f := j.finding
	if f == nil {
		o := j.whys[0]
		return htmlFinding{Decision: j.decision, Kind: h.text("policy"), Rule: safeCut(o.Rule), Title: h.text(o.Message), Whys: h.whys(j)}
	}
	row := htmlFinding{Decision: j.decision, Whys: h.whys(j)}
	row.Rule, row.Aliases, row.Title = safeCut(f.Rule), safeList(f.Aliases), h.text(f.Title)
	row.Severity, row.Kind = int(bounded(f.Severity)), h.text(string(f.Kind))
	row.Layer, row.RemovedIn = h.layer(f.Origin)
	row.Fingerprint = safeCut(f.Fingerprint)
	row.Fix = htmlRemedy{safeCut(string(f.Fix.State)), safeCut(f.Fix.Version), safeList(f.Fix.Versions), h.text(f.Fix.Text)}
	if f.Fix.State != core.FixAvailable {
		row.Fix.Text = h.text(remedyOf(f))
	}
	row.Score, row.Vector, row.Source = finite(f.Score), h.text(f.Vector), h.text(f.SeveritySource)
	row.Match, row.Reachable = h.text(string(f.Match)), safeCut(string(f.Reachable))
	if f.Confidence != core.ConfidenceUnknown {
		row.Confidence = f.Confidence.String()
	}
	if f.Exploited != nil {
		row.Exploited, row.Ransomware = cmp.Or(safeCut(f.Exploited.Since), "unknown"), f.Exploited.Ransomware
	}
	if f.EPSS != nil {
		row.EPSS, row.Percentile = finite(&f.EPSS.Score), finite(&f.EPSS.Percentile)
	}
	row.Published, row.Modified = day(f.Published), day(f.Modified)
	row.Links, row.Notes = htmlReferences(f.References)
	row.SeenBy, row.Weaknesses = h.textList(f.SeenBy), safeList(f.Weaknesses)
	if f.Secret != nil {
		row.Verified = safeCut(f.Secret.Verified)
	}
	row.Places = htmlPlaces(f.Locations)
	row.Says = h.textList(saidOf(f))
	if f.Package != nil {
		i := h.packageOf(f)
		row.Package = &i
	}
	return row
}

// packageOf is the number of the package that a finding names.
func (h *htmlData) packageOf(f *core.Finding) int {
	ref := f.Package
	row := htmlPackage{Name: safeCut(ref.Name), Version: safeCut(ref.Version), Ecosystem: h.text(ref.Ecosystem),
		Purl: shortPurl(ref.Purl), Unlisted: true}
	if p := h.located[htmlPackageKey{f.Subject, ref.Purl, ref.Name, ref.Version}]; p != nil {
		row = h.packageRow(p)
	}
	return h.packages.add(row, h.subject(f.Subject))
}

func (h *htmlData) packageRow(p *core.Package) htmlPackage {
	row := htmlPackage{
		Name: safeCut(p.Name), Version: safeCut(p.Version), Ecosystem: h.text(p.Ecosystem), Purl: shortPurl(p.Purl),
		Via: safeList(p.Via), Relation: safeCut(string(p.Relation)), Scope: safeCut(string(p.Scope)), Licenses: h.textList(p.Licenses),
	}
	if p.Source != nil && p.Source.Name != p.Name {
		row.Source = safeCut(strings.TrimSpace(p.Source.Name + " " + p.Source.Version))
	}
	row.Layer, row.RemovedIn = h.layer(p.Origin)
	row.Places = htmlPlaces(p.Locations)
	return row
}

// saidOf is what VEX documents and the sources say against a finding.
func saidOf(f *core.Finding) []string {
	var says []string
	for i := range f.VEX {
		s := &f.VEX[i]
		text := "VEX: " + strings.ReplaceAll(string(s.Status), "_", " ")
		if why := cmp.Or(s.Impact, strings.ReplaceAll(s.Justification, "_", " ")); why != "" {
			text += " (" + why + ")"
		}
		text += ", says " + s.Document
		if s.TrustedBy == "" {
			text += "; nobody vouches for it, so it does not count"
		} else {
			text += "; " + s.TrustedBy
		}
		says = append(says, text)
	}
	for _, s := range f.Suppressions {
		text := "Suppressed by " + s.By
		if s.Path != "" {
			text += " in " + s.Path
		}
		if s.Line > 0 {
			text += fmt.Sprintf(":%d", s.Line)
		}
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		if !s.Base {
			text += " (not in the base of the change)"
		}
		says = append(says, text)
	}
	return says
}

func htmlPlaces(locations []core.Location) []string {
	var places []string
	for _, at := range locations[:min(len(locations), htmlList)] {
		place := at.Path
		if at.Line > 0 {
			place += fmt.Sprintf(":%d", at.Line)
		}
		if at.Commit != "" {
			place += " in commit " + at.Commit[:min(len(at.Commit), 12)]
		}
		places = append(places, safeCut(place))
	}
	return append(places, more(len(locations))...)
}

// htmlReferences are the addresses that the page links, and other references, which it only shows. An address with
// anything that has to be made visible is none to follow.
func htmlReferences(references []string) (links, notes []string) {
	for _, r := range references[:min(len(references), htmlList)] {
		u, err := url.Parse(r)
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && safeCut(r) == r {
			links = append(links, r)
		} else {
			notes = append(notes, safeCut(redact.Reference(r)))
		}
	}
	return links, append(notes, more(len(references))...)
}

// shortPurl leaves out qualifiers, in which platforms differ.
func shortPurl(purl string) string {
	purl, _, _ = strings.Cut(purl, "?")
	return safeCut(purl)
}

// safeCut is foreign text as the page shows it.
func safeCut(s string) string { return redact.Limited(s, htmlText) }

// safeList is the beginning of a list of foreign texts, and how many more there are.
func safeList(list []string) []string {
	var safe []string
	for _, s := range list[:min(len(list), htmlList)] {
		safe = append(safe, safeCut(s))
	}
	return append(safe, more(len(list))...)
}

// more says how many of so many entries of a list are not shown.
func more(entries int) []string {
	if entries <= htmlList {
		return nil
	}
	return []string{fmt.Sprintf("and %d more", entries-htmlList)}
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// write writes the data as one JSON object. json.Marshal escapes <, > and & as well as U+2028 and U+2029, so nothing in
// it can end the element that holds it.
func (h *htmlData) write(w *bufio.Writer) error {
	header, err := json.Marshal(struct {
		Several  bool          `json:"several"`
		Subjects []htmlSubject `json:"subjects"`
		Layers   []htmlLayer   `json:"layers"`
		Texts    []string      `json:"texts"`
		Findings int           `json:"findingTotal"`
		Shown    int           `json:"findingShown"`
		Packages int           `json:"packageTotal"`
		Listed   int           `json:"packageShown"`
	}{h.several, present(h.subjects), present(h.layers), h.texts, h.findings.total, h.findings.added, h.packages.total, h.listed})
	if err != nil {
		return err
	}
	if _, err := w.Write(header[:len(header)-1]); err != nil {
		return err
	}
	if err := h.packages.write(w, "package", h.several); err != nil {
		return err
	}
	if err := h.findings.write(w, "finding", h.several); err != nil {
		return err
	}
	return writeAll(w, "}")
}
