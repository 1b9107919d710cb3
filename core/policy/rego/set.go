package rego

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// Bounds on a set of modules. The last four bound how long compiling takes, which nothing can stop, and how deep an
// evaluation can nest, and so its stack.
const (
	MaxModules = 200       // files
	MaxModule  = 256 << 10 // bytes of one file
	MaxTotal   = 2 << 20   // bytes of all files
	maxRules   = 2000      // rules of all files
	maxBody    = 500       // expressions of one rule
	maxNesting = 50        // brackets within brackets
	maxDepth   = 300       // terms within terms, such as those of a sum
	maxClosure = 5         // comprehensions within comprehensions; each level triples the time
	maxKey     = 3         // lists and objects in the key of an object
)

// Set is a checked set of modules. It is safe for use by several goroutines.
type Set struct {
	compiler *ast.Compiler
	rules    []rule
}

// rule is one rule that says something of the evidence.
type rule struct {
	name   string // "rego:main.deny_root"
	ref    ast.Ref
	action core.Action
	// short is what exceptions call it: the name without its prefix.
	short string
	// exceptions are the rules "exception" of its package; nil if it has none.
	exceptions ast.Ref
}

// Prefix stands before the name of a rule in verdicts.
const Prefix = "rego:"

var ruleForm = regexp.MustCompile(`^(deny|violation|warn)((?:_[a-zA-Z0-9]+)*)$`)

// Compile reads modules, by name. The error is diagnostic.Problems, or says which bound they exceed.
func Compile(modules map[string][]byte) (_ *Set, err error) {
	defer func() { // the parser is fed with what people write
		if r := recover(); r != nil {
			err = fmt.Errorf("the rules could not be compiled: %v", r)
		}
	}()
	parsed, err := parse(modules)
	if err != nil {
		return nil, err
	}
	if err := bounded(parsed); err != nil {
		return nil, err
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithSchemas(evidenceSchema()).
		WithEnablePrintStatements(false).SetErrorLimit(diagnostic.Most).
		WithStageAfterID(ast.StageCheckRecursion, expansionStage())
	if compiler.Compile(parsed); compiler.Failed() {
		return nil, problemsOf(compiler.Errors)
	}
	if problems := absentData(compiler); len(problems) > 0 {
		return nil, problems
	}
	s := &Set{compiler: compiler}
	if s.rules, err = rulesOf(compiler); err != nil {
		return nil, err
	}
	return s, nil
}

// Rules returns the names of the rules that are evaluated, sorted.
func (s *Set) Rules() []string {
	names := make([]string, 0, len(s.rules))
	for _, r := range s.rules {
		names = append(names, r.name)
	}
	return names
}

func parse(modules map[string][]byte) (map[string]*ast.Module, error) {
	if len(modules) == 0 {
		return nil, errors.New("there is no module")
	}
	if len(modules) > MaxModules {
		return nil, fmt.Errorf("there are %d modules; a policy can have %d", len(modules), MaxModules)
	}
	total := 0
	parsed := map[string]*ast.Module{}
	var problems diagnostic.Problems
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		text := modules[name]
		total += len(text)
		if len(text) > MaxModule || total > MaxTotal {
			return nil, fmt.Errorf("%s: a module has at most %d bytes, and all together %d", name, MaxModule, MaxTotal)
		}
		if p := nested(name, string(text)); p != nil {
			problems = append(problems, *p)
			continue
		}
		module, wrong := parseModule(name, string(text))
		problems = append(problems, wrong...)
		if module != nil {
			parsed[name] = module
		}
	}
	if len(problems) > 0 {
		return nil, sorted(problems)
	}
	return parsed, nil
}

// parseModule reads the dialect of today, or else the older one. Of two lists of errors the shorter one is of the dialect
// that was meant.
func parseModule(name, text string) (*ast.Module, diagnostic.Problems) {
	module, today := parseAs(name, text, ast.RegoV1)
	if module != nil || today == nil {
		return module, today
	}
	module, older := parseAs(name, text, ast.RegoV0)
	if module != nil {
		return module, nil
	}
	if len(older) < len(today) {
		return nil, older
	}
	return nil, today
}

func parseAs(name, text string, version ast.RegoVersion) (*ast.Module, diagnostic.Problems) {
	module, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{
		RegoVersion: version, Capabilities: capabilities(), ProcessAnnotation: true,
	})
	switch {
	case err != nil:
		return nil, problemsOf(err)
	case module == nil:
		return nil, diagnostic.Problems{problemAt(name, 1, 1, "the module is empty")}
	}
	return module, nil
}

// problemsOf translates the library's errors.
func problemsOf(err error) diagnostic.Problems {
	var all ast.Errors
	var one *ast.Error
	if !errors.As(err, &all) {
		if !errors.As(err, &one) {
			return diagnostic.Problems{{What: err.Error(), Line: 1, Column: 1}}
		}
		all = ast.Errors{one}
	}
	var problems diagnostic.Problems
	for _, e := range all {
		p := diagnostic.Problem{Line: 1, Column: 1, What: explained(e)}
		if e.Location != nil {
			p.File, p.Line, p.Column = e.Location.File, max(1, e.Location.Row), max(1, e.Location.Col)
		}
		problems = append(problems, p)
	}
	return sorted(problems)
}

func problemAt(file string, line, column int, what string) diagnostic.Problem {
	return diagnostic.Problem{File: file, Line: line, Column: column, What: what}
}

func sorted(problems diagnostic.Problems) diagnostic.Problems {
	slices.SortFunc(problems, func(a, b diagnostic.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.What, b.What))
	})
	problems = slices.Compact(problems)
	return problems.First()
}

const maxExplained = 300

// explained is the library's message, with what it does not know: why a function is missing, and what there is instead
// of a member that evidence does not have.
func explained(e *ast.Error) string {
	text := redact.Limited(e.Message, maxExplained)
	if name, ok := strings.CutPrefix(text, "undefined function "); ok && builtinOfOPA(name) {
		return text + ": it is switched off, because rules see the evidence only and must give the same result every time"
	}
	if e.Details != nil {
		if lines := e.Details.Lines(); len(lines) > 0 {
			text += " (" + redact.Limited(strings.Join(strings.Fields(strings.Join(lines, " ")), " "), maxExplained) + ")"
		}
	}
	return text
}

// nested finds brackets that nest too deeply, before a parser descends into them.
func nested(name, text string) *diagnostic.Problem {
	depth, line, start := 0, 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			line, start = line+1, i+1
		case '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '`':
			for i++; i < len(text) && text[i] != '`'; i++ {
				if text[i] == '\n' {
					line, start = line+1, i+1
				}
			}
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				p := problemAt(name, line, i-start+1, fmt.Sprintf("brackets are nested deeper than %d levels", maxNesting))
				return &p
			}
		case ')', ']', '}':
			depth--
		}
	}
	return nil
}

// depthVisitor finds terms that nest too deeply.
type depthVisitor struct {
	terms, closures int
	wrong           string
}

func (d *depthVisitor) enter(x any) bool {
	switch x := x.(type) {
	case *ast.Term:
		if d.terms++; d.terms > maxDepth {
			d.wrong = fmt.Sprintf("terms of this rule are nested deeper than %d levels", maxDepth)
		}
		if o, ok := x.Value.(ast.Object); ok && heavyKey(o) {
			d.wrong = fmt.Sprintf("the key of an object holds more than %d lists and objects", maxKey)
		}
	default:
		if !closure(x) || d.wrong != "" {
			break
		}
		if d.closures++; d.closures > maxClosure {
			d.wrong = fmt.Sprintf("comprehensions of this rule are nested deeper than %d levels", maxClosure)
		}
		if template, ok := x.(*ast.TemplateString); ok { // the library's visitor does not enter them
			for _, part := range template.Parts {
				ast.NewBeforeAfterVisitor(d.enter, d.leave).Walk(part)
			}
		}
	}
	return d.wrong != ""
}

func (d *depthVisitor) leave(x any) {
	switch _, ok := x.(*ast.Term); {
	case ok:
		d.terms--
	case closure(x):
		d.closures--
	}
}

func closure(x any) bool {
	switch x.(type) {
	case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.TemplateString, *ast.Every:
		return true
	}
	return false
}

func heavyKey(o ast.Object) bool {
	heavy := false
	o.Foreach(func(k, _ *ast.Term) {
		n := 0
		ast.WalkTerms(k, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case *ast.Array, ast.Object, ast.Set:
				n++
			}
			return n > maxKey
		})
		heavy = heavy || n > maxKey
	})
	return heavy
}

func bounded(modules map[string]*ast.Module) error {
	rules := 0
	var wrong error
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		ast.WalkRules(modules[name], func(r *ast.Rule) bool {
			rules++
			d := &depthVisitor{}
			ast.NewBeforeAfterVisitor(d.enter, d.leave).Walk(r)
			if d.wrong != "" && wrong == nil {
				wrong = diagnostic.Problems{problemAt(name, r.Location.Row, r.Location.Col, d.wrong)}
			}
			return false
		})
		ast.WalkBodies(modules[name], func(b ast.Body) bool {
			if len(b) > maxBody && wrong == nil {
				wrong = diagnostic.Problems{problemAt(name, b.Loc().Row, b.Loc().Col,
					fmt.Sprintf("a body has %d expressions; it can have %d", len(b), maxBody))}
			}
			return false
		})
	}
	if rules > maxRules {
		return fmt.Errorf("there are %d rules; a policy can have %d", rules, maxRules)
	}
	return wrong
}

// absentData finds references to data that no module defines. There is no other data: such a rule would never hold.
func absentData(c *ast.Compiler) diagnostic.Problems {
	var problems diagnostic.Problems
	for _, m := range c.Modules {
		ast.WalkRefs(m, func(r ast.Ref) bool {
			if !r.HasPrefix(ast.DefaultRootRef) || len(r) < 2 || defined(c, r) {
				return false
			}
			at := r[0].Location
			if at == nil {
				at = m.Package.Location
			}
			problems = append(problems, problemAt(m.Package.Location.File, at.Row, at.Col,
				fmt.Sprintf("%s is defined by no module, and there is no other data", r)))
			return false
		})
	}
	return sorted(problems)
}

// defined reports whether a reference leads to a rule or to a package. What follows a variable is anybody's guess.
func defined(c *ast.Compiler, r ast.Ref) bool {
	node := c.RuleTree
	for _, term := range r {
		if _, isVar := term.Value.(ast.Var); isVar && node != c.RuleTree {
			return true
		}
		node = node.Child(term.Value)
		if node == nil {
			return false
		}
		if len(node.Values) > 0 {
			return true
		}
	}
	return true
}

// rulesOf finds the rules that say something, and rejects those that cannot: a rule that never speaks passes everything.
func rulesOf(c *ast.Compiler) ([]rule, error) {
	var rules []rule
	var problems diagnostic.Problems
	found := map[string]bool{}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			head := r.Head.Ref()
			if len(head) == 0 || len(r.Head.Args) > 0 {
				continue
			}
			name, form := string(r.Head.Name), []string(nil)
			if v, ok := head[0].Value.(ast.Var); ok {
				name = string(v)
			}
			if form = ruleForm.FindStringSubmatch(name); form == nil {
				continue
			}
			if why := mute(r, head); why != "" {
				problems = append(problems, problemAt(r.Location.File, r.Location.Row, r.Location.Col, name+" "+why))
				continue
			}
			ref := m.Package.Path.Append(ast.StringTerm(name))
			full := Prefix + strings.TrimPrefix(ref.String(), "data.")
			if found[full] {
				continue
			}
			found[full] = true
			rules = append(rules, newRule(c, m, full, ref, form))
		}
	}
	switch {
	case len(problems) > 0:
		return nil, sorted(problems)
	case len(rules) == 0:
		return nil, errors.New("no module has a rule called deny, violation or warn, or with such a prefix: " +
			"it would never refuse anything")
	}
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.name, b.name) })
	return rules, nil
}

func newRule(c *ast.Compiler, m *ast.Module, full string, ref ast.Ref, form []string) rule {
	r := rule{name: full, ref: ref, action: core.ActionFail, short: strings.TrimPrefix(form[2], "_")}
	if form[1] == "warn" {
		r.action = core.ActionWarn
	}
	if exceptions := m.Package.Path.Append(ast.StringTerm("exception")); len(c.GetRulesExact(exceptions)) > 0 {
		r.exceptions = exceptions
	}
	return r
}

// mute says why a rule cannot give messages.
func mute(r *ast.Rule, head ast.Ref) string {
	switch {
	case len(head) > 1 && r.Head.RuleKind() == ast.SingleValue:
		return "must be a set of messages, not an object"
	case len(head) > 1:
		return "must be a set of messages, not a tree of sets"
	case r.Head.RuleKind() == ast.MultiValue:
		return ""
	}
	switch r.Head.Value.Value.(type) {
	case ast.Boolean, ast.Null, ast.Number, ast.String, ast.Object:
		return "must be a set of messages; write: " + string(r.Head.Name) + ` contains "…" if { … }`
	}
	return ""
}
