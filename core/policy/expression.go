package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser/gen"
	"github.com/antlr4-go/antlr/v4"

	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

// Bounds on one expression. The longest in the built-in profiles has 150 characters.
const (
	maxExpression = 4096 // code points
	maxNesting    = 50
	maxNodes      = 2000
	maxRegexp     = 1000 // instructions
	// maxCost bounds one evaluation of an expression that can loop, in the units of CEL, of which an access or a
	// comparison takes about one. Without a loop the work is bounded by the length of the expression.
	maxCost = 20_000
	// maxTotalCost bounds all evaluations of such expressions in one judgement, to some seconds: 200 units for each of
	// 100,000 findings.
	maxTotalCost = 20_000_000
)

// language compiles expressions. It is made once for each policy that is read.
type language struct {
	env    *cel.Env
	schema *schema
}

func newLanguage() (*language, error) {
	standard, err := cel.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	s := newSchema(standard.CELTypeProvider(), standard.CELTypeAdapter())
	options := slices.Concat(constants(), functionOptions(), []cel.EnvOption{
		cel.CustomTypeProvider(s),
		cel.CustomTypeAdapter(s),
		cel.Variable(varFinding, cel.ObjectType("Finding")),
		cel.Variable(packageInside, cel.ObjectType("Package")),
		cel.Variable(varImage, cel.ObjectType("Image")),
		cel.Variable(varSubject, cel.ObjectType("Subject")),
		cel.Variable(varExamination, cel.ObjectType("Examination")),
		cel.Variable(varEvidence, cel.ObjectType("Evidence")),
		cel.Variable(varNow, cel.TimestampType),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.DefaultUTCTimeZone(true),
	})
	env, err := standard.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &language{env: env, schema: s}, nil
}

// expression is one checked and compiled expression.
type expression struct {
	program cel.Program
	result  *cel.Type
	// loops says that evaluating it can take longer than its length says, and so is counted: it has a loop, or calls a
	// function that takes as long as its arguments are.
	loops bool
	// speaksOf are the variables in it.
	speaksOf map[string]bool
	// reads are the fields in it, for explaining.
	reads []reading
}

// flaw is one thing that is wrong with an expression, at a place in it that counts from 0.
type flaw struct {
	line, column int
	what         string
}

// compile checks and compiles source. The expression is nil if there are flaws.
func (l *language) compile(source string) (*expression, []flaw) {
	inside, err := renamePackage(source)
	if err != nil {
		return nil, []flaw{{what: err.Error()}}
	}
	checked, issues := l.env.Compile(inside)
	if issues != nil && issues.Err() != nil {
		return nil, l.flawsOf(issues, inside)
	}
	tree := checked.NativeRep()
	if flaws := append(l.misspelt(tree), ill(tree)...); len(flaws) > 0 {
		return nil, flaws
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	dear := counted(tree)
	if dear {
		options = append(options, cel.CostLimit(maxCost), cel.CostTracking(cost{}))
	}
	program, err := l.env.Program(checked, options...)
	if err != nil {
		return nil, []flaw{{what: err.Error()}}
	}
	return &expression{program: program, result: checked.OutputType(), loops: dear, speaksOf: variables(tree),
		reads: l.readings(tree)}, nil
}

// renamePackage replaces the identifier "package" by the name that it has inside. It reads the tokens with CEL's own
// lexer, so that texts and the field "finding.package" stay as they are.
func renamePackage(source string) (string, error) {
	if !strings.Contains(source, varPackage) {
		return source, nil
	}
	if len(source) > 4*maxExpression {
		return "", fmt.Errorf("the expression is longer than %d characters", maxExpression)
	}
	lexer := gen.NewCELLexer(antlr.NewInputStream(source))
	lexer.RemoveErrorListeners() // the parser reports what is wrong
	runes := []rune(source)
	afterDot := false
	for token := lexer.NextToken(); token.GetTokenType() != antlr.TokenEOF; token = lexer.NextToken() {
		if token.GetChannel() != antlr.TokenDefaultChannel {
			continue
		}
		if token.GetTokenType() == gen.CELLexerIDENTIFIER && token.GetText() == varPackage && !afterDot {
			copy(runes[token.GetStart():], []rune(packageInside))
		}
		afterDot = token.GetTokenType() == gen.CELLexerDOT
	}
	return string(runes), nil
}

var (
	undefinedField  = regexp.MustCompile(`^undefined field '(.+)'$`)
	undeclaredIdent = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	noOverload      = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '(.+)'$`)
)

// flawsOf puts CEL's complaints into the words of policies.
func (l *language) flawsOf(issues *cel.Issues, inside string) []flaw {
	var flaws []flaw
	for _, issue := range issues.Errors() {
		what := strings.ReplaceAll(issue.Message, packageInside, varPackage)
		if m := undefinedField.FindStringSubmatch(issue.Message); m != nil {
			what = l.unknownField(m[1], issue.ExprID, inside)
		} else if m := undeclaredIdent.FindStringSubmatch(issue.Message); m != nil {
			what = fmt.Sprintf("there is no %q here", m[1]) + nearest.DidYouMean(m[1], l.known())
		} else if m := noOverload.FindStringSubmatch(what); m != nil {
			what = mismatch(m[1], m[2])
		}
		flaws = append(flaws, flaw{line: issue.Location.Line() - 1, column: max(0, issue.Location.Column()), what: what})
	}
	return flaws
}

// unknownField names the object that lacks the field, which CEL's message leaves out.
func (l *language) unknownField(name string, id int64, inside string) string {
	parsed, issues := l.env.Parse(inside)
	if issues != nil && issues.Err() != nil {
		return fmt.Sprintf("there is no field %q", name)
	}
	for _, e := range selections(parsed.NativeRep()) {
		if e.ID() != id {
			continue
		}
		if o := l.objectAt(e.AsSelect().Operand()); o != nil {
			return fmt.Sprintf("%s has no field %q", o.called(), name) + nearest.DidYouMean(name, o.names())
		}
	}
	return fmt.Sprintf("there is no field %q", name)
}

// objectAt follows a chain of selections such as finding.package to the object that it ends at.
func (l *language) objectAt(e ast.Expr) *object {
	switch e.Kind() {
	case ast.IdentKind:
		return l.schema.objectOf(e.AsIdent())
	case ast.SelectKind:
		parent := l.objectAt(e.AsSelect().Operand())
		if parent == nil {
			return nil
		}
		f, ok := parent.fields[e.AsSelect().FieldName()]
		if !ok {
			return nil
		}
		return l.schema.objects[f.celType.TypeName()]
	}
	return nil
}

// known are the names that an expression can begin with.
func (l *language) known() []string {
	names := append([]string{varFinding, varPackage, varImage, varSubject, varExamination, varEvidence, varNow, "has", "size",
		"matches", "startsWith", "endsWith", "contains", "exists", "all", "duration", "timestamp"}, ownFunctions()...)
	for _, v := range l.env.Variables() {
		if name := v.Name(); name == strings.ToUpper(name) {
			names = append(names, name)
		}
	}
	return names
}

// mismatch explains an operator between values of different types.
func mismatch(operator, operands string) string {
	if how := signature(operator); how != "" {
		return fmt.Sprintf("%s is called otherwise: %s", strings.TrimPrefix(operator, "@"), how)
	}
	operator = strings.Trim(operator, "_")
	hint := ""
	if operands == "(int, string)" || operands == "(string, int)" {
		hint = "; severities are written without quotes: CRITICAL, HIGH, MEDIUM, LOW, NONE, UNKNOWN"
	}
	return fmt.Sprintf("%q cannot be used between %s", operator, operands) + hint
}

// misspelt finds comparisons of a closed set of texts with a text that is not in it, which would never match.
func (l *language) misspelt(tree *ast.AST) []flaw {
	var flaws []flaw
	for _, call := range collect(tree, ast.CallKind) {
		c := call.AsCall()
		if !slices.Contains([]string{operators.Equals, operators.NotEquals, operators.In}, c.FunctionName()) || len(c.Args()) != 2 {
			continue
		}
		left, right := c.Args()[0], c.Args()[1]
		if right.Kind() == ast.SelectKind {
			left, right = right, left
		}
		f, ok := l.fieldAt(left)
		if !ok || f.values == nil {
			continue
		}
		literals := []ast.Expr{right}
		if right.Kind() == ast.ListKind {
			literals = right.AsList().Elements()
		}
		for _, literal := range literals {
			if value, ok := textOf(literal); ok && !slices.Contains(f.values, value) {
				at := tree.SourceInfo().GetStartLocation(literal.ID())
				what := fmt.Sprintf("%s is never %q", left.AsSelect().FieldName(), value) + nearest.DidYouMean(value, named(f.values))
				flaws = append(flaws, flaw{line: at.Line() - 1, column: max(0, at.Column()), what: what})
			}
		}
	}
	return flaws
}

func (l *language) fieldAt(e ast.Expr) (field, bool) {
	if e.Kind() != ast.SelectKind {
		return field{}, false
	}
	o := l.objectAt(e.AsSelect().Operand())
	if o == nil {
		return field{}, false
	}
	f, ok := o.fields[e.AsSelect().FieldName()]
	return f, ok
}

func named(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

func textOf(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	value, ok := e.AsLiteral().(types.String)
	return string(value), ok
}

func variables(tree *ast.AST) map[string]bool {
	names := map[string]bool{}
	for _, e := range collect(tree, ast.IdentKind) {
		name := e.AsIdent()
		if name == packageInside {
			name = varPackage
		}
		names[name] = true
	}
	return names
}

func selections(tree *ast.AST) []ast.Expr { return collect(tree, ast.SelectKind) }

func collect(tree *ast.AST, kind ast.ExprKind) []ast.Expr {
	var found []ast.Expr
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == kind {
			found = append(found, e)
		}
	}))
	return found
}
