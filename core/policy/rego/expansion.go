package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxExpansion is how many leaves a composite value may have when every variable in it is replaced by what it stands for.
// Rules have a few dozen.
const maxExpansion = 2000

// expansions measures composite values before anything works with them: "x1 := [x0, x0]", forty times over, is a value
// of a million million leaves, which the type checker would visit one by one and the evaluator would write out, neither
// of which can be stopped.
type expansions struct {
	compiler *ast.Compiler
	// same joins variables that are equated; definitions are the values of a variable.
	same        map[variable]variable
	definitions map[variable][]scoped
	rules       map[*ast.Rule]int
	known       map[variable]int
	busy        map[variable]bool
}

// variable is a variable of a rule. Those that the compiler named are unique in all rules.
type variable struct {
	rule *ast.Rule
	name ast.Var
}

// scoped is a value with the rule that it stands in.
type scoped struct {
	rule *ast.Rule
	term *ast.Term
}

// checkExpansions is a stage of the compiler.
func checkExpansions(c *ast.Compiler) *ast.Error {
	e := &expansions{
		compiler: c, same: map[variable]variable{}, definitions: map[variable][]scoped{},
		rules: map[*ast.Rule]int{}, known: map[variable]int{}, busy: map[variable]bool{},
	}
	e.eachRule(e.define)
	var wrong *ast.Error
	e.eachRule(func(r *ast.Rule) {
		ast.WalkTerms(r, func(t *ast.Term) bool {
			switch t.Value.(type) {
			case *ast.Array, ast.Object, ast.Set:
				if wrong == nil && e.size(scoped{r, t}) > maxExpansion {
					wrong = ast.NewError(ast.CompileErr, t.Location,
						"this value has more than %d leaves once its variables are replaced by what they stand for", maxExpansion)
				}
				return true
			}
			return wrong != nil
		})
	})
	return wrong
}

func (e *expansions) eachRule(do func(*ast.Rule)) {
	for _, m := range e.compiler.Modules {
		for _, r := range m.Rules {
			do(r)
		}
	}
}

func (e *expansions) define(r *ast.Rule) {
	ast.WalkExprs(r, func(x *ast.Expr) bool {
		switch {
		case x.IsEquality() || x.IsAssignment():
			e.equate(scoped{r, x.Operand(0)}, scoped{r, x.Operand(1)})
		case x.IsCall():
			e.call(r, x)
		case x.IsEvery():
			every := x.Terms.(*ast.Every)
			for _, v := range []*ast.Term{every.Key, every.Value} {
				if v != nil {
					e.equate(scoped{r, v}, scoped{r, every.Domain})
				}
			}
		}
		return false
	})
}

// call binds the parameters of a function, and what takes its result.
func (e *expansions) call(r *ast.Rule, x *ast.Expr) {
	for _, f := range e.compiler.GetRulesExact(x.Operator()) {
		for ; f != nil; f = f.Else {
			operands := x.Operands()
			for i, parameter := range f.Head.Args {
				if i < len(operands) {
					e.equate(scoped{f, parameter}, scoped{r, operands[i]})
				}
			}
			if n := len(f.Head.Args); n < len(operands) && f.Head.Value != nil {
				e.equate(scoped{r, operands[n]}, scoped{f, f.Head.Value})
			}
		}
	}
}

func (e *expansions) equate(a, b scoped) {
	left, isVar := a.term.Value.(ast.Var)
	right, alsoVar := b.term.Value.(ast.Var)
	switch {
	case isVar && alsoVar:
		if x, y := e.find(variableOf(a.rule, left)), e.find(variableOf(b.rule, right)); x != y {
			e.same[x] = y
			e.definitions[y] = append(e.definitions[y], e.definitions[x]...)
		}
	case isVar:
		v := e.find(variableOf(a.rule, left))
		e.definitions[v] = append(e.definitions[v], b)
	case alsoVar:
		v := e.find(variableOf(b.rule, right))
		e.definitions[v] = append(e.definitions[v], a)
	default:
		e.equateParts(a, b)
	}
}

func (e *expansions) equateParts(a, b scoped) {
	switch left := a.term.Value.(type) {
	case *ast.Array:
		if right, ok := b.term.Value.(*ast.Array); ok && left.Len() == right.Len() {
			for i := range left.Len() {
				e.equate(scoped{a.rule, left.Elem(i)}, scoped{b.rule, right.Elem(i)})
			}
		}
	case ast.Object:
		if right, ok := b.term.Value.(ast.Object); ok {
			left.Foreach(func(k, v *ast.Term) {
				if w := right.Get(k); w != nil {
					e.equate(scoped{a.rule, v}, scoped{b.rule, w})
				}
			})
		}
	}
}

func variableOf(r *ast.Rule, v ast.Var) variable {
	if strings.HasPrefix(string(v), ast.LocalVarPrefix) {
		r = nil
	}
	return variable{r, v}
}

func (e *expansions) find(v variable) variable {
	for {
		next, ok := e.same[v]
		if !ok {
			return v
		}
		v = next
	}
}

// size counts leaves, up to where it is too much.
func (e *expansions) size(s scoped) int {
	n := 0
	add := func(t *ast.Term) error {
		if n += e.size(scoped{s.rule, t}); n > maxExpansion {
			return errHeavy
		}
		return nil
	}
	switch v := s.term.Value.(type) {
	case ast.Var:
		return e.ofVariable(e.find(variableOf(s.rule, v)))
	case *ast.Array:
		_ = v.Iter(add)
	case ast.Set:
		_ = v.Iter(add)
	case ast.Object:
		_ = v.Iter(func(k, w *ast.Term) error {
			if err := add(k); err != nil {
				return err
			}
			return add(w)
		})
	case *ast.ArrayComprehension:
		return e.size(scoped{s.rule, v.Term})
	case *ast.SetComprehension:
		return e.size(scoped{s.rule, v.Term})
	case *ast.ObjectComprehension:
		return min(maxExpansion+1, e.size(scoped{s.rule, v.Key})+e.size(scoped{s.rule, v.Value}))
	case ast.Ref:
		return e.ofRef(v)
	}
	return n
}

func (e *expansions) ofVariable(v variable) int {
	if n, ok := e.known[v]; ok {
		return n
	}
	if e.busy[v] {
		return 1 // it is itself, which cannot be
	}
	e.busy[v] = true
	n := 1
	for _, d := range e.definitions[v] {
		n = max(n, e.size(d))
	}
	delete(e.busy, v)
	e.known[v] = n
	return n
}

// ofRef is the size of the rules that a reference may lead to, which see each other through types.
func (e *expansions) ofRef(r ast.Ref) int {
	n := 1
	if !r.HasPrefix(ast.DefaultRootRef) {
		return n
	}
	for _, rule := range e.compiler.GetRules(r) {
		n = max(n, e.ofRule(rule))
	}
	return n
}

func (e *expansions) ofRule(r *ast.Rule) int {
	if n, ok := e.rules[r]; ok {
		return n
	}
	e.rules[r] = 1
	n := 1
	for f := r; f != nil; f = f.Else {
		for _, t := range []*ast.Term{f.Head.Key, f.Head.Value} {
			if t != nil {
				n = max(n, e.size(scoped{f, t}))
			}
		}
	}
	e.rules[r] = n
	return n
}

// expansionStage comes before whatever would visit every leaf.
func expansionStage() ast.CompilerStageDefinition {
	return ast.CompilerStageDefinition{Name: "CheckExpansions", MetricName: "compile_stage_check_expansions",
		Stage: checkExpansions}
}
