package policy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

// Bounds on a policy file.
const (
	maxFile  = 256 << 10 // bytes
	maxRules = 500
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

// reader reads the YAML of a policy and gathers what is wrong, so that one run reports everything.
type reader struct {
	strictyaml.Reader
	from   string // what the files that it names are relative to
	lines  []string
	others diagnostic.Problems // of the policies that it extends
	files  []File              // that it names
}

func newReader(source Source) *reader {
	return &reader{Reader: strictyaml.Reader{File: source.Name}, from: source.From, lines: strings.Split(string(source.Data), "\n")}
}

// failure is all problems as one error, in the order of the file.
func (r *reader) failure() error {
	if len(r.Problems)+len(r.others) == 0 {
		return nil
	}
	all := append(r.Problems.Sorted(), r.others...)
	return &core.Failure{Doing: "read policy " + r.File, Err: all.First(), Usage: true}
}

// readFile parses a policy file. What is wrong with its form is gathered in the reader, where what is wrong with its
// meaning joins it; only a file that is not one YAML mapping is an error here.
func readFile(source Source) (*file, *reader, error) {
	name, data := source.Name, source.Data
	r := newReader(source)
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

// document returns the one mapping that the file must be.
func (r *reader) document(data []byte) (*yaml.Node, error) {
	root := r.Document(data, `the policy is empty; the smallest one is "version: 1"`)
	if root != nil && root.Kind != yaml.MappingNode {
		r.Reject(root, "a policy is a mapping of keys to values, not %s", strictyaml.Kind(root))
	}
	return root, r.failure()
}

func (r *reader) policy(root *yaml.Node) *file {
	f := &file{path: r.File, nodes: map[string]keyed{}}
	seen := r.Keys(root, map[string]func(*yaml.Node){
		"version":               r.version,
		"name":                  func(n *yaml.Node) { f.name = r.word(n) },
		"extends":               func(n *yaml.Node) { f.extends, f.extendsAt = r.Text(n), n },
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
		r.Reject(root, `the key "version" is missing; write "version: 1"`)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		f.nodes[root.Content[i].Value] = keyed{root.Content[i], root.Content[i+1]}
	}
	if seen["extends-signed-by"] && !isBundle(f.extends) {
		r.Reject(f.nodes["extends-signed-by"].key,
			"signatures are of bundles: this needs extends: oci://REGISTRY/REPOSITORY@sha256:…")
	}
	f.files = r.files
	return f
}

// named is a file that lies beside the policy.
func (r *reader) named(n *yaml.Node) File {
	f := File{Name: r.Text(n), From: r.from}
	if f.Name != "" {
		r.files = append(r.files, f)
	}
	return f
}

func (r *reader) version(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Value != "1" {
		r.Reject(n, "this version of Cleanbill reads policies of version 1")
	}
}

var wordForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// word is a name that reports, waivers and command lines can carry without quoting.
func (r *reader) word(n *yaml.Node) string {
	value := r.Text(n)
	if value != "" && (len(value) > 64 || !wordForm.MatchString(value)) {
		r.Reject(n, "%q is not a name: use up to 64 letters, digits, dots, dashes, slashes and underscores", value)
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
	words := []string{}
	for _, item := range r.Items(n) {
		word := read(item)
		if slices.Contains(words, word) {
			r.Reject(item, "%q is here a second time", word)
		}
		words = append(words, word)
	}
	return words
}

func (r *reader) required(n *yaml.Node) []string {
	names := r.list(n, r.examination)
	if n.Kind == yaml.SequenceNode && len(names) == 0 {
		r.Reject(n, "this list must not be empty: evidence of nothing would pass")
	}
	return names
}

func (r *reader) boolean(n *yaml.Node) *bool {
	value, ok := r.Bool(n)
	if !ok {
		return nil
	}
	return &value
}

func (r *reader) acceptances(n *yaml.Node) []acceptance {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list, not %s", strictyaml.Kind(n))
		return nil
	}
	var all []acceptance
	for _, item := range n.Content {
		var a acceptance
		seen := r.Keys(item, map[string]func(*yaml.Node){
			"examination": func(n *yaml.Node) { a.Examination = r.examination(n) },
			"code":        func(n *yaml.Node) { a.Code = r.word(n) },
			"reason":      func(n *yaml.Node) { a.Reason = r.Text(n) },
		})
		for _, key := range []string{"examination", "reason"} {
			if item.Kind == yaml.MappingNode && !seen[key] {
				r.Reject(item, "the key %q is missing: what is accepted needs a name and a reason", key)
			}
		}
		all = append(all, a)
	}
	return all
}

func (r *reader) rules(n *yaml.Node) []ruleText {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list of rules, not %s", strictyaml.Kind(n))
		return nil
	}
	if len(n.Content) > maxRules {
		r.Reject(n, "there are %d rules; a policy can have %d", len(n.Content), maxRules)
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
	seen := r.Keys(item, map[string]func(*yaml.Node){
		"name":    func(n *yaml.Node) { t.name = r.word(n) },
		"for":     func(n *yaml.Node) { t.over = r.Choice(n, kindsOfThings()...) },
		"when":    func(n *yaml.Node) { r.Text(n); t.when = n },
		"message": func(n *yaml.Node) { r.Text(n); t.message = n },
		"action": func(n *yaml.Node) {
			t.action = core.Action(r.Choice(n, string(core.ActionFail), string(core.ActionWarn), string(core.ActionIgnore)))
		},
		"applies-to": func(n *yaml.Node) { t.applies, appliesAt = r.appliesTo(n), n },
		"locked": func(n *yaml.Node) {
			if b := r.boolean(n); b != nil {
				t.locked = *b
			}
		},
	})
	if t.applies != nil && t.applies.Paths != nil && t.over != overFindings && t.over != overPackages {
		r.Reject(appliesAt, "only findings and packages have paths, and this rule is for %s", t.over)
	}
	for _, key := range []string{"name", "when", "action"} {
		if item.Kind == yaml.MappingNode && !seen[key] {
			r.Reject(item, "the key %q of this rule is missing", key)
		}
	}
	return t
}

// flaws reports what is wrong with an expression where it stands in the file.
func (r *reader) flaws(n *yaml.Node, flaws []flaw) {
	for _, f := range flaws {
		line, column := r.place(n, f.line, f.column)
		r.Add(line, column, f.what)
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
