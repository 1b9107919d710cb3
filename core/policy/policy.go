package policy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy/rego"
)

//go:embed profiles/*.yaml
var profiles embed.FS

// Default is the profile that judges unless the user names another.
const Default = "standard"

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
)

// Policy is a checked, compiled policy. It is safe for use by several goroutines.
type Policy struct {
	ref      core.PolicyRef
	settings settings
	rules    []*rule
	// modules are the Rego rules; nil until they were handed in.
	modules       *rego.Set
	moduleDigests map[string]core.Digest
}

// settings are everything in a policy but its rules.
type settings struct {
	Require    []string     `json:"require"`
	Accept     []acceptance `json:"accept,omitempty"`
	StarterOK  bool         `json:"starterOk"`
	ExcludedOK bool         `json:"excludedPlatformsOk"`

	Advisories  Advisories `json:"advisories,omitzero"`
	VEX         VEX        `json:"vex,omitzero"`
	TrustedRoot string     `json:"trustedRoot,omitempty"`
	Bases       []Base     `json:"bases,omitempty"`
	// Rego are the paths of modules.
	Rego []string `json:"rego,omitempty"`
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
			Err:   errors.New("there is no built-in policy of that name" + didYouMean(name, Profiles())),
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
	p, err := l.parse(name, source)
	if err != nil {
		return nil, err
	}
	p.ref.Source = "built in"
	return p, nil
}

// Parse reads a policy file; name is its path, for messages and for the reference. Whatever is wrong with it is one
// core.Failure of the user's input that gives file, line, column and the nearest right name for each problem.
func Parse(name string, data []byte) (*Policy, error) {
	language, err := newLanguage()
	if err != nil {
		return nil, err
	}
	return language.parse(name, data)
}

func (l *language) parse(name string, data []byte) (*Policy, error) {
	f, r, err := readFile(name, data)
	if err != nil {
		return nil, err
	}
	p := &Policy{}
	for _, text := range f.rules {
		p.rules = append(p.rules, l.rule(r, text))
	}
	base := l.base(r, f)
	if base != nil {
		p.rules = append(p.rules, base.rules...)
		p.settings = base.settings
	}
	r.unique(f, base)
	if err := r.failure(); err != nil {
		return nil, err
	}
	p.settings = p.settings.with(f)
	p.ref = core.PolicyRef{Name: f.name, Source: name, Digest: p.digest()}
	if f.name == "" {
		p.ref.Name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	}
	return p, nil
}

// base returns the policy that the file extends, or nil for none. A file that does not say extends the default, so
// that an empty or a short policy is never laxer than no policy.
func (l *language) base(r *reader, f *file) *Policy {
	name := f.extends
	switch {
	case f.extendsAt == nil:
		name = Default
	case name == noBase, name == "": // the latter was reported
		return nil
	case !slices.Contains(Profiles(), name):
		r.reject(f.extendsAt, "%q is not a policy that can be extended: accepted are the built-in %s, or %q%s",
			name, strings.Join(Profiles(), ", "), noBase, hintOnly(name, append(Profiles(), noBase)))
		return nil
	}
	source, err := BuiltinSource(name)
	if err != nil {
		r.reject(f.extendsAt, "%v", err)
		return nil
	}
	base, err := l.builtin(name, source)
	if err != nil {
		r.reject(f.extendsAt, "%v", err)
		return nil
	}
	return base
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
			r.reject(text.node, "the rule name %q is already used %s", text.name, where)
		}
		used[text.name] = "above"
	}
}

// rule compiles one rule and reports what is wrong with it.
func (l *language) rule(r *reader, t ruleText) *rule {
	c := &rule{Name: t.name, Over: t.over, Action: t.action}
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
	for _, name := range []string{varFinding, varPackage, varImage, varSubject} {
		if e.speaksOf[name] && !e.speaksOf[own] && !(t.over == overFindings && e.speaksOf[varPackage]) {
			r.flaws(t.when, []flaw{{what: fmt.Sprintf(
				`this rule is evaluated for %s but asks nothing of "%s"; to judge %ss add "for: %ss"`, t.over, own, name, name)}})
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

func missingVariables(over string) []string {
	switch over {
	case overPackages:
		return []string{varFinding}
	case overImages:
		return []string{varFinding, varPackage}
	case overSubjects:
		return []string{varFinding, varPackage, varImage}
	}
	return nil
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
	s.Advisories = f.advisories.over(s.Advisories)
	if f.vex != nil {
		s.VEX = *f.vex
	}
	if f.trustedRoot != "" {
		s.TrustedRoot = f.trustedRoot
	}
	s.Bases = append(slices.Clone(s.Bases), f.bases...)
	if len(s.Bases) > 0 && !slices.Contains(s.Require, ExamineBaseSignatures) {
		s.Require = append(s.Require, ExamineBaseSignatures)
	}
	s.Rego = append(slices.Clone(s.Rego), f.rego...)
	return s
}

// required are the examinations without which nothing is known about an image.
func required() []string {
	return []string{core.ExamineTarget, core.ExamineLayers, core.ExaminePackages, core.ExamineAdvisories, core.ExamineDistro}
}

// Ref names the policy: its digest is of what it means, with what it extends, so that comments and layout do not
// change it.
func (p *Policy) Ref() core.PolicyRef { return p.ref }

func (p *Policy) digest() core.Digest {
	canonical, err := json.Marshal(struct {
		Version  int                    `json:"version"`
		Settings settings               `json:"settings"`
		Rules    []*rule                `json:"rules"`
		Modules  map[string]core.Digest `json:"modules,omitempty"`
	}{1, p.settings, p.rules, p.moduleDigests})
	if err != nil { // strings and booleans always marshal
		return ""
	}
	sum := sha256.Sum256(canonical)
	return core.Digest("sha256:" + hex.EncodeToString(sum[:]))
}
