package policy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

//go:embed profiles/*.yaml
var profiles embed.FS

// Default is the profile that judges unless the user names another.
const Default = "standard"

// BuiltIn is the source of a profile, in the reference of a policy.
const BuiltIn = "built in"

// noBase is what "extends" says for a policy that builds on nothing.
const noBase = "none"

// unmatched is the rule that stands for "no rule of the policy matched".
const unmatched = "unmatched"

// What a rule is evaluated for.
const (
	overFindings = "findings"
	overPackages = "packages"
	overImages   = "images"
	overSubjects = "subjects"

	overExaminations = "examinations"
	overEvidence     = "evidence"
)

// kindsOfThings are all of them.
func kindsOfThings() []string {
	return []string{overFindings, overPackages, overImages, overSubjects, overExaminations, overEvidence}
}

// Policy is a checked, compiled policy. It is safe for use by several goroutines.
type Policy struct {
	ref      core.PolicyRef
	settings settings
	rules    []*rule
	waivers  *waivers

	resolver Resolver
	files    []File
	nodes    map[string]*yaml.Node // the value of each key that it or a policy that it extends has
	lockedBy map[string]string     // the policy that locked a key
	hooksIn  string                // the file that says what hooks run
	modules  []moduleSet           // in the order of the policies, the one that is extended first
}

// settings are everything in a policy but its rules.
type settings struct {
	Require    []string     `json:"require"`
	Accept     []acceptance `json:"accept,omitempty"`
	StarterOK  bool         `json:"starterOk"`
	ExcludedOK bool         `json:"excludedPlatformsOk"`
	Allow      []string     `json:"allow,omitempty"`

	Advisories  Advisories `json:"advisories,omitzero"`
	VEX         VEX        `json:"vex,omitzero"`
	TrustedRoot File       `json:"trustedRoot,omitzero"`
	Bases       []Base     `json:"bases,omitempty"`
	Locked      []string   `json:"locked,omitempty"` // sorted

	Waivers []waiver `json:"waivers,omitempty"`
	// InlineIgnores says which suppressions in the sources count.
	InlineIgnores string   `json:"inlineIgnores"`
	Baseline      Baseline `json:"baseline,omitzero"`

	Hooks json.RawMessage `json:"hooks,omitempty"`
}

// acceptance says that a gap in one examination does not keep the verdict from passing. Without a code it accepts any
// gap of that examination, but never one that failed altogether or was not made.
type acceptance struct {
	Examination string `json:"examination"`
	Code        string `json:"code,omitempty"`
	Reason      string `json:"reason"`
}

// rule is one compiled rule.
type rule struct {
	Name    string      `json:"name"`
	Over    string      `json:"for"`
	When    string      `json:"when"`
	Action  core.Action `json:"action"`
	Message string      `json:"message,omitempty"`
	Locked  bool        `json:"locked,omitempty"`

	AppliesTo *appliesTo `json:"appliesTo,omitempty"`

	origin    string // the policy that has it
	condition *expression
	message   *message
}

// Profiles returns the names of the built-in policies, the laxest first.
func Profiles() []string { return []string{"relaxed", "standard", "strict"} }

// BuiltinSource returns the YAML text of a built-in policy.
func BuiltinSource(name string) ([]byte, error) {
	if !slices.Contains(Profiles(), name) {
		return nil, &core.Failure{
			Doing: "find policy " + fmt.Sprintf("%q", name),
			Err:   errors.New("there is no built-in policy of that name" + nearest.DidYouMean(name, Profiles())),
			Usage: true,
		}
	}
	return profiles.ReadFile(path.Join("profiles", name+".yaml"))
}

// Builtin returns a built-in policy: "relaxed", "standard" or "strict".
func Builtin(name string) (*Policy, error) {
	source, err := BuiltinSource(name)
	if err != nil {
		return nil, err
	}
	language, err := newLanguage()
	if err != nil {
		return nil, err
	}
	return language.builtin(name, source)
}

func (l *language) builtin(name string, source []byte) (*Policy, error) {
	p, err := l.load(Source{Name: name, Data: source}, &loading{})
	if err != nil {
		return nil, err
	}
	p.ref.Source = BuiltIn
	return p, nil
}

// Parse reads a policy that extends built-in ones only; name is its path, for messages and for the reference. Whatever
// is wrong with it is one core.Failure of the user's input that gives file, line, column and the nearest right name for
// each problem.
func Parse(name string, data []byte) (*Policy, error) {
	return Load(context.Background(), Source{Name: name, From: PlaceOf(name), Data: data}, nil)
}

// Load reads a policy and those that it extends, which the resolver finds. An error that is no core.Failure of the
// user's input is the resolver's: it could not look.
func Load(ctx context.Context, source Source, resolver Resolver) (*Policy, error) {
	language, err := newLanguage()
	if err != nil {
		return nil, err
	}
	return language.load(source, &loading{ctx: ctx, resolver: resolver})
}

func (l *language) load(source Source, o *loading) (*Policy, error) {
	f, r, err := readFile(source)
	if err != nil {
		return nil, err
	}
	if err := r.waiverFiles(f, o.resolver); err != nil {
		return nil, err
	}
	p := &Policy{resolver: o.resolver}
	if p.modules, err = r.modules(o.ctx, f, o.resolver); err != nil {
		return nil, err
	}
	for _, text := range f.rules {
		p.rules = append(p.rules, l.rule(r, text))
	}
	r.lockedFirst(f)
	base, err := l.base(r, f, o.within(source.Name))
	if err != nil {
		return nil, err
	}
	r.locks(f, base)
	r.unique(f, base)
	var inherited []waiver
	if base != nil {
		inherited = base.settings.Waivers
	}
	joined := r.joinWaivers(f, inherited)
	if err := r.failure(); err != nil {
		return nil, err
	}
	p.extend(base, f)
	p.settings.Waivers, p.waivers = joined, newWaivers(joined)
	p.ref = core.PolicyRef{Name: f.name, Source: source.Name, Digest: p.digest()}
	if f.name == "" {
		p.ref.Name = path.Base(strings.ReplaceAll(source.Name, `\`, "/"))
	}
	for _, rule := range p.rules {
		rule.origin = cmp.Or(rule.origin, p.ref.Name)
	}
	return p, nil
}

// extend puts the policy on top of the one that it extends, which may be nil. The rules that are locked there stay
// before all others, so that an exception cannot be made from them.
func (p *Policy) extend(base *Policy, f *file) {
	if base != nil {
		locked := base.lockedRules()
		p.rules = slices.Concat(base.rules[:locked], p.rules, base.rules[locked:])
		p.settings = base.settings
		p.files = slices.Clone(base.files)
		p.modules = slices.Concat(base.modules, p.modules)
	}
	p.files = append(p.files, f.files...)
	p.settings = p.settings.with(f)
	p.nodes, p.lockedBy = map[string]*yaml.Node{}, map[string]string{}
	if base != nil {
		maps.Copy(p.nodes, base.nodes)
		maps.Copy(p.lockedBy, base.lockedBy)
		p.hooksIn = base.hooksIn
	}
	if f.hooks != nil {
		p.hooksIn = f.path
	}
	for name, k := range f.nodes {
		p.nodes[name] = joined(name, p.nodes[name], k.value)
	}
	for _, key := range f.locked {
		p.lockedBy[lockOf(key)] = cmp.Or(f.name, f.path)
	}
}

// lockedRules is how many rules are locked; they are the first ones.
func (p *Policy) lockedRules() int {
	n := 0
	for n < len(p.rules) && p.rules[n].Locked {
		n++
	}
	return n
}

// unique rejects two rules of one name: a verdict names the rule that decided.
func (r *reader) unique(f *file, base *Policy) {
	used := map[string]string{unmatched: "for findings that no rule matches", core.RuleVEX: "for findings that a VEX statement excuses",
		core.RuleSuppressed: "for findings that the sources suppress"}
	if base != nil {
		for _, rule := range base.rules {
			used[rule.Name] = "by the policy that this one extends"
		}
	}
	for _, text := range f.rules {
		if where, ok := used[text.name]; ok && text.name != "" {
			r.Reject(text.node, "the rule name %q is already used %s", text.name, where)
		}
		used[text.name] = "above"
	}
}

// rule compiles one rule and reports what is wrong with it.
func (l *language) rule(r *reader, t ruleText) *rule {
	c := &rule{Name: t.name, Over: t.over, Action: t.action, Locked: t.locked, AppliesTo: t.applies}
	if t.when == nil {
		return c
	}
	c.When = t.when.Value
	condition, flaws := l.compile(c.When)
	r.flaws(t.when, flaws)
	if condition != nil {
		c.condition = condition
		r.condition(t, condition)
	}
	if t.message != nil {
		c.Message = t.message.Value
		text, flaws := l.parseMessage(c.Message)
		r.flaws(t.message, flaws)
		if text != nil {
			c.message = text
			r.variables(t, t.message, text.speaksOf())
		}
	}
	return c
}

// condition checks what CEL does not: that the condition is true or false, and that it speaks of what it is evaluated
// for. A rule over findings that asks only for the image's user would never refuse an image without findings.
func (r *reader) condition(t ruleText, e *expression) {
	if name := e.result.String(); name != "bool" {
		r.flaws(t.when, []flaw{{what: "a condition is true or false, but this is a value of type " + name}})
		return
	}
	if r.variables(t, t.when, e.speaksOf) {
		return
	}
	own := ownVariable(t.over)
	for _, name := range []string{varFinding, varPackage, varImage, varSubject, varExamination, varEvidence} {
		if e.speaksOf[name] && !e.speaksOf[own] && !(t.over == overFindings && e.speaksOf[varPackage]) {
			over := thingsOf(name)
			r.flaws(t.when, []flaw{{what: fmt.Sprintf(
				`this rule is evaluated for %s but asks nothing of "%s"; to judge %s add "for: %s"`, t.over, own, over, over)}})
			return
		}
	}
}

// variables rejects the variables that do not exist for what the rule is evaluated for, and reports whether there are.
func (r *reader) variables(t ruleText, at *yaml.Node, speaksOf map[string]bool) bool {
	for _, name := range missingVariables(t.over) {
		if speaksOf[name] {
			r.flaws(at, []flaw{{what: fmt.Sprintf(`there is no "%s" in a rule for %s`, name, t.over)}})
			return true
		}
	}
	return false
}

func ownVariable(over string) string { return strings.TrimSuffix(over, "s") }

// thingsOf is what a rule has to be for to judge what a variable holds.
func thingsOf(variable string) string {
	if variable == varEvidence {
		return overEvidence
	}
	return variable + "s"
}

func missingVariables(over string) []string {
	switch over {
	case overFindings:
		return []string{varExamination}
	case overPackages:
		return []string{varExamination, varFinding}
	case overImages:
		return []string{varExamination, varFinding, varPackage}
	case overExaminations:
		return []string{varFinding, varPackage}
	case overEvidence:
		return []string{varExamination, varFinding, varPackage, varImage, varSubject}
	}
	return []string{varExamination, varFinding, varPackage, varImage}
}

// with returns the settings with those of a file that extends them. A file adds to what is required and accepted; it
// cannot silently drop a requirement.
func (s settings) with(f *file) settings {
	if s.Require == nil && f.require == nil {
		s.Require = required()
	}
	s.Require = slices.Clone(s.Require)
	for _, name := range f.require {
		if !slices.Contains(s.Require, name) {
			s.Require = append(s.Require, name)
		}
	}
	s.Accept = append(slices.Clone(s.Accept), f.accept...)
	if f.starterOK != nil {
		s.StarterOK = *f.starterOK
	}
	if f.excludedOK != nil {
		s.ExcludedOK = *f.excludedOK
	}
	if f.allow != nil {
		s.Allow = f.allow
	}
	s.Advisories = f.advisories.over(s.Advisories)
	if f.vex != nil {
		s.VEX = *f.vex
	}
	if f.trustedRoot.Name != "" {
		s.TrustedRoot = f.trustedRoot
	}
	s.Locked = slices.Concat(s.Locked, f.locked)
	slices.Sort(s.Locked)
	s.Locked = slices.Compact(s.Locked)
	s.InlineIgnores = cmp.Or(f.inlineIgnores, s.InlineIgnores, ignoresOfBase)
	if f.baseline != nil {
		s.Baseline = *f.baseline
	}
	if f.hooks != nil {
		s.Hooks = f.hooks
	}
	s.Bases = slices.Concat(s.Bases, f.bases)
	if len(s.Bases) > 0 && !slices.Contains(s.Require, ExamineBaseSignatures) {
		s.Require = append(s.Require, ExamineBaseSignatures)
	}
	return s
}

// required are the examinations without which nothing is known about an image.
func required() []string {
	return []string{core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro,
		core.ExamineSecrets}
}

// Ref names the policy: its digest is of what it means, with what it extends, so that comments and layout do not
// change it.
func (p *Policy) Ref() core.PolicyRef { return p.ref }

func (p *Policy) digest() core.Digest {
	canonical, err := json.Marshal(struct {
		Version  int         `json:"version"`
		Settings settings    `json:"settings"`
		Rules    []*rule     `json:"rules"`
		Modules  []moduleSet `json:"modules,omitempty"`
	}{1, p.settings, p.rules, p.modules})
	if err != nil { // strings and booleans always marshal
		return ""
	}
	sum := sha256.Sum256(canonical)
	return core.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Rules is how many rules there are, in Rego too, with those of the policies that it extends.
func (p *Policy) Rules() int {
	n := len(p.rules)
	for _, set := range p.modules {
		n += len(set.rules.Rules())
	}
	return n
}
