package hook

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
	"github.com/cleanbill-ci/cleanbill/core/internal/purl"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/treepath"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// Report is what a tool found.
type Report struct {
	// Format is the name of the format that it was read from.
	Format string
	// Tool and Version are of the tool, of the first if there are several.
	Tool    string
	Version string
	// Findings have no subject: what they are about is known to the caller.
	Findings []core.Finding
	Reach    []core.Reach
	// Examinations are one for each tool: complete, or partial with what the tool says that it could not look at. They
	// have no subject and no input either, and are named "import:" and the tool.
	Examinations []core.Examination
	// About is what the report says that it is about.
	About About
}

// About says what a report is about, as far as it says so.
type About struct {
	// Image is true if an image was scanned, and not sources.
	Image bool
	Name  string
	// Digests are of manifests or indexes. IDs are digests of which the report does not say what they are of. Layers
	// are the diff-ids of an image's layers, from the base up.
	Digests []core.Digest
	IDs     []core.Digest
	Layers  []core.Digest
	// Platform is that of the image.
	Platform *core.Platform
}

// RefusedBy begins the rule of a finding that stands for the refusal of another gate: "refused-by/aqua/max_severity".
const RefusedBy = "refused-by/"

// ExaminationPrefix begins the names of the examinations that reports are evidence of. What another job says that it
// examined never has the name of what this program examines itself.
const ExaminationPrefix = "import:"

const (
	// maxFindings is how many findings one report may have.
	maxFindings = 500_000
	// maxElement is the largest single result, or group of results, that is decoded at once, in bytes.
	maxElement = 64 << 20
	// maxGaps is how many gaps of one tool are kept.
	maxGaps  = 20
	maxTitle = 400
	maxWord  = 4096
)

// input is a report's file.
type input struct{ src io.ReadSeeker }

// text returns the file from its beginning, in UTF-8.
func (in input) text() (io.Reader, error) {
	if _, err := in.src.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return jsonstream.UTF8(in.src)
}

func (in input) json() (*jsonstream.Reader, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	return jsonstream.New(text), nil
}

// members reads the outermost object, from the beginning.
func (in input) members(member func(r *jsonstream.Reader, name string) error) error {
	r, err := in.json()
	if err != nil {
		return err
	}
	if err := r.Object(func(name string) error { return member(r, name) }); err != nil {
		return err
	}
	return r.End()
}

// each decodes the elements of an array, one at a time. Null is an empty one.
func each[T any](r *jsonstream.Reader, element func(*T) error) error {
	if r.Null() {
		return nil
	}
	return r.Array(func(int) error {
		var v T
		if err := r.Decode(&v, maxElement); err != nil {
			return err
		}
		return located(r, element(&v))
	})
}

// located says where in a report an error is, unless it says so itself.
func located(r *jsonstream.Reader, err error) error {
	if at := (*jsonstream.Error)(nil); err == nil || errors.As(err, &at) {
		return err
	}
	return r.Fail(err.Error())
}

// builder gathers what a report says.
type builder struct {
	roots    treepath.Roots
	about    About
	tools    []*toolRun
	current  *toolRun
	findings []core.Finding
	reach    []core.Reach
}

type toolRun struct {
	name, version string
	gaps          []string
}

// tool says who found what comes next.
func (b *builder) tool(name, version string) {
	name, version = line(name), line(version)
	for _, t := range b.tools {
		if t.name == name {
			t.version = cmp.Or(t.version, version)
			b.current = t
			return
		}
	}
	b.current = &toolRun{name: name, version: version}
	b.tools = append(b.tools, b.current)
}

// gap says what the tool could not look at.
func (b *builder) gap(format string, arguments ...any) {
	why, t := line(fmt.Sprintf(format, arguments...)), b.current
	switch {
	case slices.Contains(t.gaps, why):
	case len(t.gaps) < maxGaps:
		t.gaps = append(t.gaps, why)
	case len(t.gaps) == maxGaps:
		t.gaps = append(t.gaps, "and more that is not kept here")
	}
}

// add takes a finding.
func (b *builder) add(f core.Finding) error {
	if len(b.findings) == maxFindings {
		return fmt.Errorf("it has more than %d findings", maxFindings)
	}
	b.findings = append(b.findings, f)
	return nil
}

// flaw is a finding in a file, as most tools write it.
type flaw struct {
	kind                  core.FindingKind // code if empty
	rule, title           string
	aliases               []string
	severity              core.Severity
	path                  string
	line, endLine, column int
	layer                 string
	snippet               string // for the fingerprint; never kept
	weaknesses            []string
	references            []string
	fix                   string
	suppressed            *core.Suppression
}

// flaw takes a flaw in a file.
func (b *builder) flaw(x flaw) error {
	x.kind = cmp.Or(x.kind, sarif.KindOf(b.current.name, x.rule, nil))
	out := core.Finding{
		Kind:           x.kind,
		Rule:           cmp.Or(word(x.rule), "unnamed"),
		Aliases:        ids(x.aliases...),
		Title:          line(x.title),
		Severity:       x.severity,
		SeveritySource: b.current.name,
		SeenBy:         []string{b.current.name},
		Weaknesses:     sarif.Weaknesses(x.weaknesses...),
		References:     links(x.references...),
		Fix:            core.Fix{Text: line(x.fix)},
	}
	out.Title = cmp.Or(out.Title, out.Rule)
	if x.kind == core.KindSecret && len(out.Weaknesses) == 0 {
		out.Weaknesses = []string{sarif.HardCoded}
	}
	place := core.Location{Path: b.roots.Path(x.path), Line: max(x.line, 0), Column: max(x.column, 0),
		Layer: digest(x.layer)}
	if x.endLine > x.line {
		place.EndLine = x.endLine
	}
	if place.Path != "" {
		out.Locations = []core.Location{place}
	}
	if x.suppressed != nil {
		s := *x.suppressed
		s.Reason = line(s.Reason)
		if s.Kind == core.SuppressedInline {
			s.Path, s.Line = place.Path, place.Line
		}
		out.Suppressions = []core.Suppression{s}
	}
	parts := []string{strings.ToLower(b.current.name), out.Rule, place.Path}
	if snippet := strings.Join(strings.Fields(x.snippet), " "); snippet != "" && x.kind != core.KindSecret {
		parts = append(parts, "text", snippet)
	} else {
		parts = append(parts, "message", sarif.WithoutNumbers(out.Title))
	}
	out.Fingerprint = core.FingerprintOf(x.kind, parts...)
	return b.add(out)
}

// weak is a vulnerability of a package, as scanners write it.
type weak struct {
	ids                            []string // the first is the tool's own
	title                          string
	severity                       core.Severity
	score                          float64
	vector                         string
	name, version, purl, ecosystem string
	system                         *core.Distro // the distribution of the image, if the package may be one of it
	match                          core.Match   // how the tool says that it matched, if not exactly
	fixed                          []string
	fix                            core.FixState
	path, layer                    string
	line                           int
	weaknesses, references         []string
	suppressed                     *core.Suppression
}

// weak takes a vulnerability of a package.
func (b *builder) weak(x weak) error {
	rule, aliases := best(x.ids)
	if rule == "" || x.name == "" {
		b.gap("a vulnerability of %q without an id or a package cannot be judged", x.name)
		return nil
	}
	ref := x.pkg()
	out := core.Finding{
		Kind:           core.KindVulnerability,
		Rule:           rule,
		Aliases:        aliases,
		Title:          cmp.Or(line(x.title), rule+" in "+ref.Name),
		Severity:       x.severity,
		SeveritySource: b.current.name,
		Package:        ref,
		Match:          cmp.Or(x.match, core.MatchExact),
		Confidence:     core.ConfidenceHigh,
		SeenBy:         []string{b.current.name},
		Weaknesses:     sarif.Weaknesses(x.weaknesses...),
		References:     links(x.references...),
		Fix:            fixOf(x.fix, x.fixed),
	}
	if ref.Ecosystem == "" || out.Match == core.MatchName {
		out.Match, out.Confidence = core.MatchName, core.ConfidenceLow
	}
	if x.score > 0 && x.score <= 10 {
		out.Score, out.Vector = &x.score, word(x.vector)
	}
	if strings.HasPrefix(rule, "MAL-") {
		out.Kind = core.KindMalware
	}
	if p := b.roots.Path(x.path); p != "" {
		out.Locations = []core.Location{{Path: p, Line: max(x.line, 0), Layer: digest(x.layer)}}
	}
	if x.suppressed != nil {
		s := *x.suppressed
		s.Reason = line(s.Reason)
		out.Suppressions = []core.Suppression{s}
	}
	family, _, _ := strings.Cut(ref.Ecosystem, ":")
	out.Fingerprint = core.FingerprintOf(out.Kind, family, ref.Name, rule)
	return b.add(out)
}

// pkg names the package by its package URL, or by the ecosystem that the tool says or the image has.
func (x *weak) pkg() *core.PackageRef {
	ref := &core.PackageRef{Name: word(x.name), Version: word(x.version), Ecosystem: x.ecosystem}
	u, err := packageurl.FromString(x.purl)
	switch {
	case err == nil && x.purl != "":
		ref.Purl, ref.Name = word(x.purl), word(purl.Name(u))
		if e := purlEcosystem(u, x.system); e != "" {
			ref.Ecosystem = e
		}
	case ref.Ecosystem == "" && x.system != nil:
		ref.Ecosystem = distro.Ecosystem(*x.system)
		if kind := distro.PackageType(*x.system); kind != "" {
			ref.Purl = packageurl.NewPackageURL(kind, distro.Namespace(x.system.ID), ref.Name, ref.Version, nil,
				"").ToString()
		}
	default:
		ref.Purl = purl.Of(ref.Ecosystem, ref.Name, ref.Version)
	}
	if ref.Ecosystem == "Go" {
		ref.Version = purl.GoVersion(ref.Version)
	}
	return ref
}

// purlEcosystem is the OSV ecosystem of a package URL. The release of a distribution is in a qualifier, or is that of
// the image.
func purlEcosystem(u packageurl.PackageURL, system *core.Distro) string {
	switch u.Type {
	case packageurl.TypeDebian, packageurl.TypeApk, packageurl.TypeRPM:
		if id, release, ok := strings.Cut(u.Qualifiers.Map()["distro"], "-"); ok && system == nil {
			system = &core.Distro{ID: id, VersionID: release}
		}
		if system == nil {
			return ""
		}
		return distro.Ecosystem(*system)
	case packageurl.TypeGolang:
		return "Go"
	}
	return purl.Ecosystem(u.Type)
}

func fixOf(state core.FixState, versions []string) core.Fix {
	var list []string
	for _, v := range versions {
		if v = word(strings.TrimSpace(v)); v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	if len(list) > 0 {
		state = core.FixAvailable
	}
	out := core.Fix{State: state, Versions: list}
	if len(list) == 1 {
		out.Version = list[0]
	}
	return out
}

// best returns the id that people know a vulnerability by, the oldest CVE or else a GHSA id or else the tool's own, and
// all others.
func best(names []string) (string, []string) {
	all := ids(names...)
	if len(all) == 0 {
		return "", nil
	}
	rank := func(id string) int {
		switch {
		case strings.HasPrefix(id, "CVE-"):
			return 0
		case strings.HasPrefix(id, "GHSA-"):
			return 1
		case id == word(names[0]):
			return 2
		}
		return 3
	}
	chosen := slices.MinFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), compareCVEs(a,
			b))
	})
	return chosen, slices.DeleteFunc(all, func(id string) bool { return id == chosen })
}

// compareCVEs orders by year and number, and anything else as text.
func compareCVEs(a, b string) int {
	year := func(id string) (int, int) {
		parts := strings.Split(id, "-")
		if len(parts) != 3 {
			return 0, 0
		}
		y, _ := strconv.Atoi(parts[1])
		n, _ := strconv.Atoi(parts[2])
		return y, n
	}
	ya, na := year(a)
	yb, nb := year(b)
	return cmp.Or(cmp.Compare(ya, yb), cmp.Compare(na, nb), strings.Compare(a, b))
}

// ids returns identifiers, each once and sorted.
func ids(names ...string) []string {
	var out []string
	for _, n := range names {
		if n = word(strings.TrimSpace(n)); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// links returns what can be followed, each once, in order.
func links(all ...string) []string {
	var out []string
	for _, l := range all {
		l = strings.TrimSpace(l)
		if (strings.HasPrefix(l, "https://") || strings.HasPrefix(l, "http://")) && len(l) < maxWord &&
			len(out) < 50 && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// line is the first line of a text, within a bound.
func line(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return redact.Limited(strings.TrimSpace(first), maxTitle)
}

// word is a name, within a bound.
func word(s string) string {
	if len(s) <= maxWord {
		return s
	}
	return strings.ToValidUTF8(s[:maxWord], "") + "…"
}

func digest(s string) core.Digest {
	d, err := core.ParseDigest(s)
	if err != nil {
		return ""
	}
	return d
}

// digestOf returns the digest of a reference "name@sha256:…".
func digestOf(reference string) core.Digest {
	_, d, _ := strings.Cut(reference, "@")
	return digest(d)
}

// severity reads the words that tools have for it.
func severity(name string) core.Severity {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "critical", "blocker":
		return core.SeverityCritical
	case "high", "error", "important", "severe":
		return core.SeverityHigh
	case "medium", "moderate", "warning", "major":
		return core.SeverityMedium
	case "low", "minor", "note", "negligible", "style":
		return core.SeverityLow
	case "info", "information", "none", "ignore":
		return core.SeverityNone
	}
	return core.SeverityUnknown
}

// report finishes what was read: it tells findings apart that are alike, and says who looked.
func (b *builder) report(format string) (Report, error) {
	if len(b.tools) == 0 {
		return Report{}, errors.New("it names no tool")
	}
	out := Report{Format: format, Tool: b.tools[0].name, Version: b.tools[0].version, Findings: Distinct(b.findings),
		Reach: b.reach, About: b.about}
	for _, t := range b.tools {
		x := core.Examination{Name: examinationName(t.name), Tool: t.name, Version: t.version, Status: core.Complete,
			Why: t.gaps}
		if len(t.gaps) > 0 {
			x.Status = core.Partial
		}
		out.Examinations = append(out.Examinations, x)
	}
	return out, nil
}

// examinationName is "import:" and the tool's name in lower case, with hyphens for what is neither letter nor digit.
func examinationName(tool string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(tool))
	return ExaminationPrefix + cmp.Or(strings.Trim(name, "-"), "unnamed")
}

// Distinct joins what was reported twice. Findings in files that are alike, such as the same line in two places, keep
// apart: the second and later ones, in order of their lines, have fingerprints of their own, so that a new one is new
// even if it repeats an old one.
func Distinct(findings []core.Finding) []core.Finding {
	if len(findings) == 0 {
		return nil
	}
	pointers := make([]*core.Finding, len(findings)) // findings are large, and there may be many
	for i := range findings {
		pointers[i] = &findings[i]
	}
	slices.SortStableFunc(pointers, func(a, b *core.Finding) int {
		return cmp.Or(strings.Compare(a.Fingerprint, b.Fingerprint), comparePackages(a.Package, b.Package),
			compareFirst(a.Locations, b.Locations), strings.Compare(a.Title, b.Title))
	})
	out := make([]core.Finding, 0, len(findings))
	base, nth := "", 0
	for _, f := range pointers {
		if nth == 0 || base != f.Fingerprint {
			base, nth = f.Fingerprint, 0
		}
		if nth > 0 && same(&out[len(out)-1], f) {
			join(&out[len(out)-1], f)
			continue
		}
		nth++
		out = append(out, *f)
		if nth > 1 && f.Package == nil {
			out[len(out)-1].Fingerprint = core.FingerprintOf(f.Kind, base, strconv.Itoa(nth))
		}
	}
	return out
}

// same reports whether two findings with one fingerprint are one: of the same package, or of the same place.
func same(a, b *core.Finding) bool {
	if a.Package != nil || b.Package != nil {
		return comparePackages(a.Package, b.Package) == 0
	}
	return compareFirst(a.Locations, b.Locations) == 0 && a.Title == b.Title
}

// join adds to a finding what another of the same tool says of the same flaw. It is suppressed if both are.
func join(into, f *core.Finding) {
	into.Aliases = ids(slices.Concat(into.Aliases, f.Aliases)...)
	into.References = links(slices.Concat(into.References, f.References)...)
	for _, l := range f.Locations {
		if !slices.Contains(into.Locations, l) && len(into.Locations) < 100 {
			into.Locations = append(into.Locations, l)
		}
	}
	into.Severity = max(into.Severity, f.Severity)
	into.Suppressions = slices.DeleteFunc(into.Suppressions,
		func(s core.Suppression) bool { return !slices.Contains(f.Suppressions, s) })
}

func comparePackages(a, b *core.PackageRef) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	return cmp.Or(strings.Compare(a.Purl, b.Purl), strings.Compare(a.Name, b.Name), strings.Compare(a.Version,
		b.Version))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareFirst(a, b []core.Location) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(a), len(b))
	}
	return cmp.Or(strings.Compare(a[0].Path, b[0].Path), cmp.Compare(a[0].Line, b[0].Line), cmp.Compare(a[0].Column,
		b[0].Column))
}
