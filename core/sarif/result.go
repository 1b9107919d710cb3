package sarif

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// result is one result as it is written.
type result struct {
	rule                  reference
	ruleID                string
	ruleIndex             int
	kind, level, baseline string
	message, messageID    string
	arguments             []string
	locations             []location
	target                place
	full, partial         map[string]string
	suppressions          []suppression
	properties            properties
	taxa                  []string
	viewer                string
}

type location struct {
	place                 place
	line, endLine, column int
	snippet               string
}

type suppression struct {
	kind, status, justification string
	location                    *location
}

// result reads a result. It reports false for one that says that there is no flaw.
func (c *context) result() (core.Finding, bool, error) {
	c.kept = 0 // what a result holds is forgotten with it
	x, err := c.readResult()
	if err != nil {
		return core.Finding{}, false, err
	}
	switch x.kind {
	case "pass", "notApplicable", "informational":
		return core.Finding{}, false, nil
	}
	if x.baseline == "absent" {
		return core.Finding{}, false, nil
	}
	return c.finding(&x), true, nil
}

func (c *context) readResult() (result, error) {
	none := reference{index: -1, component: componentReference{index: -1}}
	x := result{kind: "fail", rule: none, ruleIndex: -1, target: place{index: -1}}
	err := c.reader.Object(func(name string) (err error) {
		switch name {
		case "ruleId":
			return c.text(&x.ruleID)
		case "ruleIndex":
			return c.number(&x.ruleIndex)
		case "rule":
			x.rule, err = c.reference()
		case "kind":
			return c.text(&x.kind)
		case "level":
			return c.text(&x.level)
		case "baselineState":
			return c.text(&x.baseline)
		case "message":
			return c.resultMessage(&x)
		case "locations":
			return c.array(func(i int) error {
				if i >= maxLocations {
					return nil
				}
				l, err := c.location()
				x.locations = append(x.locations, l)
				return err
			})
		case "analysisTarget":
			x.target, err = c.place()
		case "fingerprints":
			return c.fingerprints(&x.full)
		case "partialFingerprints":
			return c.fingerprints(&x.partial)
		case "suppressions":
			return c.few(func() error {
				s, err := c.suppression()
				x.suppressions = append(x.suppressions, s)
				return err
			})
		case "taxa":
			return c.few(func() error {
				ref, err := c.reference()
				x.taxa = c.taxon(x.taxa, ref)
				return err
			})
		case "properties":
			x.properties, err = c.properties()
		case "hostedViewerUri":
			return c.text(&x.viewer)
		}
		return err
	})
	return x, err
}

func (c *context) resultMessage(x *result) error {
	var markdown string
	err := c.object(func(name string) error {
		switch name {
		case "text":
			return c.text(&x.message)
		case "markdown":
			return c.text(&markdown)
		case "id":
			return c.text(&x.messageID)
		case "arguments":
			return c.texts(&x.arguments)
		}
		return nil
	})
	x.message = cmp.Or(x.message, markdown)
	return err
}

// fingerprints reads an object of strings. What else some tools put there is passed over.
func (c *context) fingerprints(out *map[string]string) error {
	*out = map[string]string{}
	return c.object(func(name string) error {
		if c.reader.Kind() != '"' {
			return nil
		}
		var s string
		err := c.text(&s)
		(*out)[name] = s
		return err
	})
}

func (c *context) location() (location, error) {
	out := location{place: place{index: -1}}
	err := c.object(func(name string) error {
		if name != "physicalLocation" {
			return nil
		}
		return c.object(func(name string) (err error) {
			switch name {
			case "artifactLocation":
				out.place, err = c.place()
			case "region":
				err = c.region(&out)
			}
			return err
		})
	})
	return out, err
}

func (c *context) region(out *location) error {
	return c.object(func(name string) error {
		switch name {
		case "startLine":
			return c.number(&out.line)
		case "endLine":
			return c.number(&out.endLine)
		case "startColumn":
			return c.number(&out.column)
		case "snippet":
			return c.message(&out.snippet)
		}
		return nil
	})
}

func (c *context) suppression() (suppression, error) {
	var out suppression
	err := c.object(func(name string) error {
		switch name {
		case "kind":
			return c.text(&out.kind)
		case "status":
			return c.text(&out.status)
		case "justification":
			return c.text(&out.justification)
		case "location":
			l, err := c.location()
			out.location = &l
			return err
		}
		return nil
	})
	return out, err
}

// finding makes a finding of a result.
func (c *context) finding(x *result) core.Finding {
	id, known := c.ruleOf(x)
	out := core.Finding{
		Rule:           id,
		Kind:           KindOf(c.tool.name, id, slices.Concat(known.tags, x.properties.tags)),
		Title:          c.titleOf(x, known, id),
		SeveritySource: c.tool.name,
		SeenBy:         []string{c.tool.name},
		Weaknesses:     sorted(slices.Concat(known.weaknesses, x.properties.weaknesses, x.taxa)),
		Locations:      c.locations(x),
	}
	out.Severity = c.severity(x, known)
	out.Suppressions = c.suppressions(x, out.Locations)
	for _, link := range []string{known.help, x.viewer} {
		if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
			out.References = append(out.References, link)
		}
	}
	if out.Kind == core.KindSecret {
		// What such a message, or the text of the region, says may be the secret.
		out.Title = cmp.Or(known.short, known.name, "a secret by the rule "+id)
		x.message, x.locations = "", nil
		if len(out.Weaknesses) == 0 {
			out.Weaknesses = []string{HardCoded}
		}
	}
	if out.Kind == core.KindVulnerability && c.tool.name == "Trivy" {
		trivyPackage(&out, x.message)
	}
	out.Fingerprint = c.fingerprint(x, &out)
	return out
}

// ruleOf finds the rule of a result, by its number or by its id, and the id that it goes by.
func (c *context) ruleOf(x *result) (string, rule) {
	id, index := cmp.Or(x.ruleID, x.rule.id), x.ruleIndex
	if index < 0 {
		index = x.rule.index
	}
	found := find(c.componentOf(x.rule.component), id, x.rule.guid, index)
	for i := 0; found == nil && i < len(c.extensions); i++ {
		found = find(&c.extensions[i], id, x.rule.guid, -1)
	}
	if found == nil {
		found = &rule{}
	}
	return cmp.Or(id, found.id, found.name, "unnamed"), *found
}

func (c *context) componentOf(ref componentReference) *component {
	if ref.index >= 0 && ref.index < len(c.extensions) {
		return &c.extensions[ref.index]
	}
	for i := range c.extensions {
		e := &c.extensions[i]
		if ref.name != "" && e.name == ref.name || ref.guid != "" && e.guid == ref.guid {
			return e
		}
	}
	return &c.tool
}

// find finds a rule. An id may have further parts than that of its rule: "CA1000/1" is of the rule "CA1000".
func find(in *component, id, guid string, index int) *rule {
	if index >= 0 && index < len(in.rules) {
		if r := &in.rules[index]; id == "" || id == r.id || strings.HasPrefix(id, r.id+"/") {
			return r
		}
	}
	for part := id; part != ""; {
		if i, ok := in.byID[part]; ok {
			return &in.rules[i]
		}
		slash := strings.LastIndexByte(part, '/')
		if slash < 0 {
			break
		}
		part = part[:slash]
	}
	if guid == "" {
		return nil
	}
	if i := slices.IndexFunc(in.rules, func(r rule) bool { return r.guid == guid }); i >= 0 {
		return &in.rules[i]
	}
	return nil
}

// titleOf is what the result says, in one line.
func (c *context) titleOf(x *result, known rule, id string) string {
	if x.message == "" && x.messageID != "" {
		x.message = cmp.Or(known.messages[x.messageID], c.tool.messages[x.messageID])
	}
	if len(x.arguments) > 0 {
		x.message = filled(x.message, x.arguments)
	}
	return cmp.Or(title(x.message), known.short, title(known.name), id)
}

// filled puts the arguments into a message. "{{" and "}}" stand for the braces themselves.
//
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html#_Toc34317642
func filled(message string, arguments []string) string {
	var b strings.Builder
	for rest := message; rest != "" && b.Len() < maxText; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		end := strings.IndexByte(rest, '}')
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			b.WriteByte(rest[0])
			rest = rest[2:]
			continue
		case rest[0] == '{' && end > 0:
			if n, err := strconv.Atoi(rest[1:end]); err == nil && n >= 0 && n < len(arguments) {
				b.WriteString(arguments[n])
				rest = rest[end+1:]
				continue
			}
		}
		b.WriteByte(rest[0])
		rest = rest[1:]
	}
	return b.String()
}

// maxTitle is the longest title in bytes.
const maxTitle = 400

// title is the first line of a text, within a bound.
func title(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	if len(line) > maxTitle {
		line = strings.ToValidUTF8(line[:maxTitle], "") + "…"
	}
	return line
}

// severity is that of the score for security, or of the level: the result's, the run's for the rule, or the rule's.
func (c *context) severity(x *result, known rule) core.Severity {
	score, err := strconv.ParseFloat(cmp.Or(x.properties.score, known.score), 64)
	if err == nil && score >= 0 && score <= 10 {
		return core.SeverityOfScore(score)
	}
	if x.kind != "fail" && x.level == "" {
		return core.SeverityUnknown // "open" and "review": the tool could not tell
	}
	level := x.level
	for i := 0; level == "" && i < len(c.overrides); i++ {
		o := &c.overrides[i]
		if r := find(c.componentOf(o.rule.component), o.rule.id, o.rule.guid, o.rule.index); r != nil &&
			known.id != "" && r.id == known.id {
			level = o.level
		}
	}
	switch cmp.Or(level, known.level, "warning") {
	case "error":
		return core.SeverityHigh
	case "warning":
		return core.SeverityMedium
	case "note":
		return core.SeverityLow
	case "none":
		return core.SeverityNone
	}
	return core.SeverityUnknown
}

func (c *context) locations(x *result) []core.Location {
	var out []core.Location
	for i := range x.locations {
		if l, ok := c.locate(&x.locations[i]); ok && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		if p := c.path(x.target); p != "" {
			out = append(out, core.Location{Path: p})
		}
	}
	return out
}

func (c *context) locate(l *location) (core.Location, bool) {
	out := core.Location{Path: c.path(l.place), Line: max(l.line, 0), Column: max(l.column, 0),
		EndLine: max(l.endLine, 0)}
	if out.EndLine <= out.Line {
		out.EndLine = 0
	}
	return out, out.Path != ""
}

// maxBases is how many base URIs may lead to each other.
const maxBases = 10

// path is the path of a place in the tree.
func (c *context) path(p place) string {
	if p.uri == "" && p.index >= 0 && p.index < len(c.artifacts) {
		p = c.artifacts[p.index]
	}
	uri, base := p.uri, p.base
	for n := 0; uri != "" && base != "" && relative(uri) && n < maxBases; n++ {
		up, ok := c.bases[base]
		if !ok || up.uri == "" && up.base == "" {
			break // the root of the tree, wherever it was
		}
		if up.base == "" && !relative(up.uri) && (isRoot(base) || strings.Trim(up.uri, "/") == "file:") {
			break // likewise, and it is said where
		}
		if up.uri != "" {
			uri = strings.TrimSuffix(up.uri, "/") + "/" + uri
		}
		base = up.base
	}
	return c.roots.URI(uri)
}

func relative(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	return !strings.HasPrefix(uri, "/") && (!found || strings.ContainsAny(scheme, "/."))
}

// isRoot reports whether a base URI has one of the names that tools give to the root of the sources.
func isRoot(base string) bool {
	name := strings.Trim(strings.ToUpper(base), "%_")
	return slices.Contains([]string{"SRCROOT", "SRC_ROOT", "ROOTPATH", "PROJECTROOT", "PROJECT_ROOT", "REPOROOT",
		"REPO_ROOT", "ROOT", "WORKINGDIR"}, name)
}

// suppressions are those of a result that counts as suppressed: nobody rejected or still reviews one.
//
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html#_Toc34317661
func (c *context) suppressions(x *result, at []core.Location) []core.Suppression {
	var out []core.Suppression
	for i := range x.suppressions {
		s := &x.suppressions[i]
		if s.status == "underReview" || s.status == "rejected" {
			return nil
		}
		one := core.Suppression{Kind: core.SuppressedReport, By: "SARIF", Reason: title(s.justification)}
		if s.kind == "inSource" {
			one.Kind, one.By = core.SuppressedInline, markOf(c.tool.name)
			if l, ok := (core.Location{}), false; s.location != nil {
				if l, ok = c.locate(s.location); ok {
					one.Path, one.Line = l.Path, l.Line
				}
			} else if len(at) > 0 {
				one.Path, one.Line = at[0].Path, at[0].Line
			}
		}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// fingerprint makes the fingerprint; see the package's comment.
func (c *context) fingerprint(x *result, f *core.Finding) string {
	path, snippet := "", ""
	if len(f.Locations) > 0 {
		path = f.Locations[0].Path
	}
	if len(x.locations) > 0 {
		snippet = strings.Join(strings.Fields(x.locations[0].snippet), " ")
	}
	parts := []string{strings.ToLower(c.tool.name), f.Rule, path}
	switch own := ownFingerprint(x); {
	case own != nil:
		parts = append(append(parts, "fingerprint"), own...)
	case snippet != "":
		parts = append(parts, "text", snippet)
	case x.message != "":
		parts = append(parts, "message", WithoutNumbers(x.message))
	}
	return core.FingerprintOf(f.Kind, parts...)
}

// ownFingerprint is what the tool says identifies the result.
func ownFingerprint(x *result) []string {
	// It is what GitHub compares by, and counts lines that are alike.
	if hash := x.partial["primaryLocationLineHash"]; len(x.full) == 0 && hash != "" {
		return []string{"primaryLocationLineHash", hash}
	}
	of := x.full
	if len(of) == 0 {
		of = x.partial
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		switch {
		case of[name] == "requires login": // semgrep's word for none
		case slices.Contains([]string{"commitSha", "email", "author", "date", "commitMessage"},
			name): // gitleaks': a commit's
		default:
			out = append(out, name, of[name])
		}
	}
	return out
}

// WithoutNumbers drops the digits of a text, which in messages tell lines and sizes.
func WithoutNumbers(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)), " ")
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// trivyPackage reads the package from the message of Trivy, whose SARIF names it nowhere else.
func trivyPackage(f *core.Finding, message string) {
	facts := map[string]string{}
	for line := range strings.Lines(message) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			facts[name] = strings.TrimSpace(value)
		}
	}
	if facts["Package"] == "" || facts["Installed Version"] == "" {
		return
	}
	f.Package = &core.PackageRef{Name: facts["Package"], Version: facts["Installed Version"]}
	f.Match, f.Confidence = core.MatchName, core.ConfidenceLow
	f.Title = fmt.Sprintf("%s in %s", f.Rule, f.Package.Name)
	if fixed := facts["Fixed Version"]; fixed != "" {
		f.Fix = core.Fix{State: core.FixAvailable, Versions: []string{fixed}, Version: fixed}
	}
}
