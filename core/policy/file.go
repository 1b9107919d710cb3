package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Bounds on a policy file.
const (
	maxFile  = 256 << 10 // bytes
	maxRules = 500
	maxDepth = 16
)

// file is a policy file as it was written, checked for form but not for meaning.
type file struct {
	path       string
	name       string
	extends    string
	extendsAt  *yaml.Node
	extendedBy []Signer
	locked     []string
	lockedAt   *yaml.Node
	require    []string
	accept     []acceptance
	starterOK  *bool
	excludedOK *bool
	allow      []string
	rules      []ruleText

	advisories  advisoriesText
	vex         *VEX
	trustedRoot File
	rego        []File
	regoAt      []*yaml.Node
	bases       []Base

	waivers       []waiverText
	waiverFiles   *yaml.Node
	waiversIn     []File
	inlineIgnores string
	baseline      *Baseline
	hooks         json.RawMessage

	// nodes are the keys that the file has, with their values, and files what they name beside it.
	nodes map[string]keyed
	files []File
}

// keyed is a key of a mapping and its value.
type keyed struct{ key, value *yaml.Node }

// ruleText is one rule as it was written.
type ruleText struct {
	node    *yaml.Node
	name    string
	over    string
	when    *yaml.Node
	action  core.Action
	message *yaml.Node
	locked  bool
	applies *appliesTo
}

// Problem is one thing that is wrong with a policy file.
type Problem struct {
	File string
	// Line and Column count from 1; columns count characters.
	Line, Column int
	What         string
}

// Error gives the form that editors and log viewers make a link of.
func (p Problem) Error() string { return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What) }

// Problems are all that is wrong with a policy file, in its order: the error within the core.Failure of Parse.
type Problems []Problem

// maxProblems is how many problems are reported; a file with more is no policy.
const maxProblems = 20

// Error gives all problems on one line. Whoever has room prints one line for each.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p))
	for _, problem := range p {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "; ")
}

// reader walks the YAML nodes and gathers what is wrong, so that one run reports everything.
type reader struct {
	file     string
	from     string // what the files that it names are relative to
	lines    []string
	problems Problems
	others   Problems // of the policies that it extends
	files    []File   // that it names

	// visit, if set, sees the keys of every mapping that is read. A test finds all of them with it.
	visit func(known map[string]func(*yaml.Node))
}

func (r *reader) reject(node *yaml.Node, format string, args ...any) {
	r.add(node.Line, node.Column, fmt.Sprintf(format, args...))
}

func (r *reader) add(line, column int, what string) {
	r.problems = append(r.problems, Problem{r.file, line, column, what})
}

// failure is all problems as one error, in the order of the file.
func (r *reader) failure() error {
	if len(r.problems)+len(r.others) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := append(slices.Clone(r.problems), r.others...)
	return &core.Failure{Doing: "read policy " + r.file, Err: all[:min(len(all), maxProblems)], Usage: true}
}

// readFile parses a policy file. What is wrong with its form is gathered in the reader, where what is wrong with its
// meaning joins it; only a file that is not one YAML mapping is an error here.
func readFile(source Source) (*file, *reader, error) {
	name, data := source.Name, source.Data
	r := &reader{file: name, from: source.From, lines: strings.Split(string(data), "\n")}
	if len(data) > maxFile {
		return nil, nil, &core.Failure{
			Doing: "read policy " + name,
			Err:   &limit.Exceeded{Limit: "policy-size", Max: maxFile, Unit: "bytes", What: name},
			Usage: true,
		}
	}
	root, err := r.document(data)
	if err != nil {
		return nil, nil, err
	}
	return r.policy(root), r, nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document returns the one mapping that the file must be.
func (r *reader) document(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.add(1, 1, `the policy is empty; the smallest one is "version: 1"`)
		return nil, r.failure()
	case err != nil:
		at, what := 1, err.Error()
		if m := yamlError.FindStringSubmatch(what); m != nil {
			what = m[2]
			if line, err := strconv.Atoi(m[1]); err == nil {
				at = line
			}
		}
		r.add(at, 1, "this is not YAML: "+what)
		return nil, r.failure()
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		line := 1
		if second.Line > 0 {
			line = second.Line
		}
		r.add(line, 1, "a policy is one YAML document; there is a second one")
		return nil, r.failure()
	}
	root := doc.Content[0]
	if r.plain(root, 0); len(r.problems) > 0 {
		return nil, r.failure()
	}
	if root.Kind != yaml.MappingNode {
		r.reject(root, "a policy is a mapping of keys to values, not %s", kindOf(root))
		return nil, r.failure()
	}
	return root, nil
}

// plain rejects what makes YAML mean something else than it shows: anchors, aliases, merge keys and tags.
func (r *reader) plain(node *yaml.Node, depth int) {
	if depth > maxDepth {
		r.reject(node, "this is nested deeper than %d levels", maxDepth)
		return
	}
	switch {
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		r.reject(node, "anchors and aliases are not accepted in a policy; write the value where it is used")
		return
	case node.Tag == "!!merge":
		r.reject(node, "merge keys are not accepted in a policy; write the keys where they are used")
		return
	case node.Style&yaml.TaggedStyle != 0:
		r.reject(node, "tags (%s) are not accepted in a policy", node.Tag)
		return
	}
	for _, child := range node.Content {
		r.plain(child, depth+1)
	}
}

func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}

// keys calls the function of each key in a mapping, once, and reports unknown and repeated keys.
func (r *reader) keys(node *yaml.Node, known map[string]func(*yaml.Node)) map[string]bool {
	seen := map[string]bool{}
	if r.visit != nil {
		r.visit(known)
	}
	if node.Kind != yaml.MappingNode {
		r.reject(node, "this must be a mapping of keys to values, not %s", kindOf(node))
		return seen
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.reject(key, "unknown key %q%s", key.Value, didYouMean(key.Value, sortedKeys(known)))
		case seen[key.Value]:
			r.reject(key, "%q is here a second time", key.Value)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
	return seen
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (r *reader) policy(root *yaml.Node) *file {
	f := &file{path: r.file, nodes: map[string]keyed{}}
	seen := r.keys(root, map[string]func(*yaml.Node){
		"version":               r.version,
		"name":                  func(n *yaml.Node) { f.name = r.word(n) },
		"extends":               func(n *yaml.Node) { f.extends, f.extendsAt = r.text(n), n },
		"extends-signed-by":     func(n *yaml.Node) { f.extendedBy = r.signers(n) },
		"locked":                func(n *yaml.Node) { f.locked, f.lockedAt = r.words(n), n },
		"require":               func(n *yaml.Node) { f.require = r.required(n) },
		"accept":                func(n *yaml.Node) { f.accept = r.acceptances(n) },
		"starter-ok":            func(n *yaml.Node) { f.starterOK = r.boolean(n) },
		"excluded-platforms-ok": func(n *yaml.Node) { f.excludedOK = r.boolean(n) },
		"advisories":            func(n *yaml.Node) { f.advisories = r.advisories(n) },
		"vex":                   func(n *yaml.Node) { v := r.vex(n); f.vex = &v },
		"trusted-root":          func(n *yaml.Node) { f.trustedRoot = r.named(n) },
		"allow":                 func(n *yaml.Node) { f.allow = r.allowed(n) },
		"rego":                  func(n *yaml.Node) { f.rego, f.regoAt = r.modulePaths(n) },
		"bases":                 func(n *yaml.Node) { f.bases = r.bases(n) },
		"rules":                 func(n *yaml.Node) { f.rules = r.rules(n) },
		"waivers":               func(n *yaml.Node) { f.waivers = r.waivers(n) },
		"waiver-files":          func(n *yaml.Node) { f.waiverFiles, f.waiversIn = n, r.waiverNames(n) },
		"inline-ignores":        func(n *yaml.Node) { f.inlineIgnores = r.ignores(n) },
		"baseline":              func(n *yaml.Node) { b := r.baseline(n); f.baseline = &b },
		"hooks":                 func(n *yaml.Node) { f.hooks = r.hooks(n) },
	})
	if !seen["version"] {
		r.reject(root, `the key "version" is missing; write "version: 1"`)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		f.nodes[root.Content[i].Value] = keyed{root.Content[i], root.Content[i+1]}
	}
	if seen["extends-signed-by"] && !isBundle(f.extends) {
		r.reject(f.nodes["extends-signed-by"].key,
			"signatures are of bundles: this needs extends: oci://REGISTRY/REPOSITORY@sha256:…")
	}
	f.files = r.files
	return f
}

// named is a file that lies beside the policy.
func (r *reader) named(n *yaml.Node) File {
	f := File{Name: r.text(n), From: r.from}
	if f.Name != "" {
		r.files = append(r.files, f)
	}
	return f
}

func (r *reader) version(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Value != "1" {
		r.reject(n, "this version of Cleanbill reads policies of version 1")
	}
}

func (r *reader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		r.reject(n, "this must be text, not %s", kindOf(n))
		return ""
	}
	if strings.TrimSpace(n.Value) == "" {
		r.reject(n, "this must not be empty")
	}
	return n.Value
}

var wordForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// word is a name that reports, waivers and command lines can carry without quoting.
func (r *reader) word(n *yaml.Node) string {
	value := r.text(n)
	if value != "" && (len(value) > 64 || !wordForm.MatchString(value)) {
		r.reject(n, "%q is not a name: use up to 64 letters, digits, dots, dashes, slashes and underscores", value)
	}
	return value
}

// importPrefix stands before the names of the examinations of imported reports.
const importPrefix = "import:"

// examination is the name of one: a word, or "import:" and a word.
func (r *reader) examination(n *yaml.Node) string {
	if rest, ok := strings.CutPrefix(n.Value, importPrefix); ok {
		bare := *n
		bare.Value = rest
		return importPrefix + r.word(&bare)
	}
	return r.word(n)
}

func (r *reader) words(n *yaml.Node) []string { return r.list(n, r.word) }

func (r *reader) list(n *yaml.Node, read func(*yaml.Node) string) []string {
	if n.Kind != yaml.SequenceNode {
		r.reject(n, "this must be a list, not %s", kindOf(n))
		return nil
	}
	words := []string{}
	for _, item := range n.Content {
		word := read(item)
		if slices.Contains(words, word) {
			r.reject(item, "%q is here a second time", word)
		}
		words = append(words, word)
	}
	return words
}

func (r *reader) required(n *yaml.Node) []string {
	names := r.list(n, r.examination)
	if n.Kind == yaml.SequenceNode && len(names) == 0 {
		r.reject(n, "this list must not be empty: evidence of nothing would pass")
	}
	return names
}

func (r *reader) boolean(n *yaml.Node) *bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.reject(n, "this must be true or false, not %s", kindOf(n))
		return nil
	}
	value := strings.EqualFold(n.Value, "true")
	return &value
}

func (r *reader) acceptances(n *yaml.Node) []acceptance {
	if n.Kind != yaml.SequenceNode {
		r.reject(n, "this must be a list, not %s", kindOf(n))
		return nil
	}
	var all []acceptance
	for _, item := range n.Content {
		var a acceptance
		seen := r.keys(item, map[string]func(*yaml.Node){
			"examination": func(n *yaml.Node) { a.Examination = r.examination(n) },
			"code":        func(n *yaml.Node) { a.Code = r.word(n) },
			"reason":      func(n *yaml.Node) { a.Reason = r.text(n) },
		})
		for _, key := range []string{"examination", "reason"} {
			if item.Kind == yaml.MappingNode && !seen[key] {
				r.reject(item, "the key %q is missing: what is accepted needs a name and a reason", key)
			}
		}
		all = append(all, a)
	}
	return all
}

func (r *reader) rules(n *yaml.Node) []ruleText {
	if n.Kind != yaml.SequenceNode {
		r.reject(n, "this must be a list of rules, not %s", kindOf(n))
		return nil
	}
	if len(n.Content) > maxRules {
		r.reject(n, "there are %d rules; a policy can have %d", len(n.Content), maxRules)
		return nil
	}
	var all []ruleText
	for _, item := range n.Content {
		all = append(all, r.rule(item))
	}
	return all
}

func (r *reader) rule(item *yaml.Node) ruleText {
	t := ruleText{node: item, over: overFindings}
	var appliesAt *yaml.Node
	seen := r.keys(item, map[string]func(*yaml.Node){
		"name":    func(n *yaml.Node) { t.name = r.word(n) },
		"for":     func(n *yaml.Node) { t.over = r.choice(n, kindsOfThings()...) },
		"when":    func(n *yaml.Node) { r.text(n); t.when = n },
		"message": func(n *yaml.Node) { r.text(n); t.message = n },
		"action": func(n *yaml.Node) {
			t.action = core.Action(r.choice(n, string(core.ActionFail), string(core.ActionWarn), string(core.ActionIgnore)))
		},
		"applies-to": func(n *yaml.Node) { t.applies, appliesAt = r.appliesTo(n), n },
		"locked": func(n *yaml.Node) {
			if b := r.boolean(n); b != nil {
				t.locked = *b
			}
		},
	})
	if t.applies != nil && t.applies.Paths != nil && t.over != overFindings && t.over != overPackages {
		r.reject(appliesAt, "only findings and packages have paths, and this rule is for %s", t.over)
	}
	for _, key := range []string{"name", "when", "action"} {
		if item.Kind == yaml.MappingNode && !seen[key] {
			r.reject(item, "the key %q of this rule is missing", key)
		}
	}
	return t
}

func (r *reader) choice(n *yaml.Node, values ...string) string {
	value := r.text(n)
	if value != "" && !slices.Contains(values, value) {
		r.reject(n, "%q is none of %s%s", value, strings.Join(values, ", "), hintOnly(value, values))
	}
	return value
}

func hintOnly(value string, values []string) string {
	if near := nearest(value, values); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// flaws reports what is wrong with an expression where it stands in the file.
func (r *reader) flaws(n *yaml.Node, flaws []flaw) {
	for _, f := range flaws {
		line, column := r.place(n, f.line, f.column)
		r.add(line, column, f.what)
	}
}

// place maps a position in a scalar, counted from 0, to the file. It is exact for a scalar on one line and for a
// literal block; in a folded one the place is that of the word at the same offset, found by walking the text.
func (r *reader) place(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return r.placeInBlock(n, line, column)
	case line > 0 || strings.Contains(r.lineAt(n.Line), "\\"):
		return n.Line, n.Column
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return n.Line, n.Column + 1 + column
	}
	return n.Line, n.Column + column
}

func (r *reader) placeInBlock(n *yaml.Node, line, column int) (int, int) {
	valueLines := strings.Split(n.Value, "\n")
	offset := column
	for i := 0; i < line && i < len(valueLines); i++ {
		offset += len([]rune(valueLines[i])) + 1
	}
	first := n.Line + 1
	for first <= len(r.lines) && strings.TrimSpace(r.lineAt(first)) == "" {
		first++
	}
	indent := indentOf(r.lineAt(first))
	for at := first; at <= len(r.lines); at++ {
		length := max(0, len([]rune(strings.TrimRight(r.lineAt(at), "\r")))-indent)
		if offset <= length {
			return at, indent + offset + 1
		}
		offset -= length + 1
	}
	return n.Line, n.Column
}

func (r *reader) lineAt(line int) string {
	if line < 1 || line > len(r.lines) {
		return ""
	}
	return r.lines[line-1]
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
