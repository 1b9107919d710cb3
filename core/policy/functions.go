package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/cleanbill-ci/cleanbill/core/internal/version"
)

// function is one function of ours that expressions can call. All are pure, and what they cost is counted.
type function struct {
	name   string
	args   []*cel.Type
	result *cel.Type
	call   func(args []ref.Val) ref.Val
	// written checks the arguments that are written in the policy, when it is loaded; nil where nothing can be wrong.
	written func(args []ast.Expr) error
}

// functions are all of them. docs/policy.md says what each does; a test holds that it names every one.
func functions() []function {
	text, list, moment := cel.StringType, cel.ListType(cel.StringType), cel.TimestampType
	takes := func(t ...*cel.Type) []*cel.Type { return t }
	return []function{
		{"glob", takes(text, text), cel.BoolType, callGlob, written(1, checkGlob)},
		{"purlMatches", takes(text, text), cel.BoolType, callPurl, written(1, checkPurl)},
		{"compareVersions", takes(text, text, text), cel.IntType, callCompare, written(2, checkEcosystem)},
		{"olderThan", takes(text, text, text), cel.BoolType, callOlder, written(2, checkEcosystem)},
		{"licensesAllowed", takes(list, list), cel.BoolType, callLicenses(licenseList.allowed), written(1, checkLicense)},
		{"licensesDenied", takes(list, list), cel.BoolType, callLicenses(licenseList.denied), written(1, checkLicense)},
		{"registryOf", takes(text), text, ofReference(func(r reference) string { return r.registry }), nil},
		{"repositoryOf", takes(text), text, ofReference(reference.name), nil},
		{"fromRegistry", takes(text, list), cel.BoolType, callFromRegistry, written(1, checkGlob)},
		{daysSinceInside, takes(moment, moment), cel.IntType, callDays, nil},
	}
}

// daysSince(t) is daysBetween(t, now) inside: a function sees its arguments only.
const (
	daysSince       = "daysSince"
	daysSinceInside = "@daysSince"
)

// functionOptions declares the functions to CEL.
func functionOptions() []cel.EnvOption {
	options := []cel.EnvOption{cel.Macros(cel.GlobalMacro(daysSince, 1, expandDaysSince))}
	for _, f := range functions() {
		options = append(options, cel.Function(f.name, cel.Overload(f.name, f.args, f.result,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val { return f.call(args) }))))
	}
	return options
}

func expandDaysSince(h cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	return h.NewCall(daysSinceInside, args[0], h.NewIdent(varNow)), nil
}

// ownFunctions are their names, as policies write them.
func ownFunctions() []string {
	names := []string{}
	for _, f := range functions() {
		names = append(names, strings.TrimPrefix(f.name, "@"))
	}
	return names
}

// signature says how a function of ours is called; empty if it is none.
func signature(name string) string {
	for _, f := range functions() {
		if f.name != name {
			continue
		}
		args := f.args
		if name == daysSinceInside {
			args = args[:1]
		}
		words := make([]string, len(args))
		for i, t := range args {
			words[i] = t.String()
		}
		return fmt.Sprintf("%s(%s)", strings.TrimPrefix(name, "@"), strings.Join(words, ", "))
	}
	return ""
}

// cost counts what a call takes in the units of maxCost. It implements CEL's ActualCostEstimator for our functions, and
// for regular expressions, whose cost CEL estimates by their length as if each character were a comparison.
type cost struct{}

// CallCost implements interpreter.ActualCostEstimator.
func (cost) CallCost(_, overload string, args []ref.Val, _ ref.Val) *uint64 {
	var units uint64
	switch overload {
	case overloads.Matches, overloads.MatchesString:
		units = costOfRegexp(sizeOf(args[0]), sizeOf(args[1]))
	case "glob":
		units = costOfGlob(str(args[0]), str(args[1]))
	case "purlMatches", "fromRegistry":
		units = 4 + sizeOf(args[0])*sizeOf(args[1])/stepsPerUnit
	case "licensesAllowed", "licensesDenied":
		units = 4 + (1+sizeOf(args[0]))*(1+sizeOf(args[1]))/100
	case "compareVersions", "olderThan":
		units = 2 + (sizeOf(args[0])+sizeOf(args[1]))/20
	default:
		return nil
	}
	return &units
}

// costOfRegexp is CEL's own estimate for what people write. Long texts and long expressions take more than their share,
// as they no longer fit the fast ways of the engine.
func costOfRegexp(text, expression uint64) uint64 {
	units := (1 + text) * expression / 40
	if text > 256 {
		units *= 5
	}
	if expression > 40 {
		units *= 4
	}
	return 1 + units + expression/10
}

// costOfGlob knows that a text which begins otherwise is not looked at further.
func costOfGlob(text, pattern string) uint64 {
	prefix := pattern
	if star := strings.IndexByte(pattern, '*'); star >= 0 {
		prefix = pattern[:star]
	}
	if !strings.HasPrefix(text, prefix) {
		return 2
	}
	return 2 + uint64(len(text)-len(prefix))*uint64(len(pattern)-len(prefix))/stepsPerUnit
}

// sizeOf is the length of a text, or of all texts in a list.
func sizeOf(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case traits.Lister:
		var size uint64
		for it := v.Iterator(); it.HasNext() == types.True; {
			size += 1 + sizeOf(it.Next())
		}
		return size
	}
	return 1
}

// counted reports whether the cost of an expression must be counted while it is evaluated: it loops, or calls what takes
// time by the length of its arguments.
func counted(tree *ast.AST) bool {
	if len(collect(tree, ast.ComprehensionKind)) > 0 {
		return true
	}
	dear := append(ownFunctions(), overloads.Matches)
	return slices.ContainsFunc(collect(tree, ast.CallKind), func(e ast.Expr) bool {
		return slices.Contains(dear, strings.TrimPrefix(e.AsCall().FunctionName(), "@"))
	})
}

// ill finds the patterns and names in calls that can never be right.
func ill(tree *ast.AST) []flaw {
	var flaws []flaw
	for _, e := range collect(tree, ast.CallKind) {
		call := e.AsCall()
		for _, f := range functions() {
			if f.name != call.FunctionName() || f.written == nil || len(call.Args()) != len(f.args) {
				continue
			}
			if err := f.written(call.Args()); err != nil {
				at := tree.SourceInfo().GetStartLocation(e.ID())
				// CEL places a call at its parenthesis.
				column := max(0, at.Column()-len(f.name))
				flaws = append(flaws, flaw{line: at.Line() - 1, column: column, what: f.name + ": " + err.Error()})
			}
		}
	}
	return flaws
}

// written checks the texts that stand at one argument, alone or in a list.
func written(at int, check func(string) error) func([]ast.Expr) error {
	return func(args []ast.Expr) error {
		literals := []ast.Expr{args[at]}
		if args[at].Kind() == ast.ListKind {
			literals = args[at].AsList().Elements()
			if len(literals) == 0 {
				return errors.New("the list is empty")
			}
		}
		for _, literal := range literals {
			if value, ok := textOf(literal); ok {
				if err := check(value); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func fails[T any](_ T, err error) error { return err }

func checkGlob(pattern string) error { return fails(parseGlob(pattern)) }

func checkPurl(pattern string) error { return fails(parsePurlPattern(pattern)) }

func checkEcosystem(name string) error {
	if _, ok := version.For(name); !ok {
		return fmt.Errorf("%q is no ecosystem whose versions have an order, such as Debian, npm or PyPI", name)
	}
	return nil
}

func checkLicense(entry string) error {
	parsed, ok := parseLicense(entry)
	if ok && parsed.license.id == "" {
		return fmt.Errorf("%q is an expression; list each license on its own", entry)
	}
	return fails(parseLicenseList([]string{entry}))
}

func str(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// strs returns the texts of a list.
func strs(v ref.Val) []string {
	list, ok := v.(traits.Lister)
	if !ok {
		return nil
	}
	var out []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		out = append(out, str(it.Next()))
	}
	return out
}

func callGlob(args []ref.Val) ref.Val {
	g, err := parseGlob(str(args[1]))
	if err != nil {
		return types.NewErr("glob: %v", err)
	}
	if text := str(args[0]); len(text) > maxGlobText || costOfGlob(text, str(args[1])) > maxCost {
		return types.NewErr("glob: a text of %d bytes is too long to be compared with %q", len(text), str(args[1]))
	}
	return types.Bool(g.matches(str(args[0])))
}

func callPurl(args []ref.Val) ref.Val {
	p, err := parsePurlPattern(str(args[1]))
	if err != nil {
		return types.NewErr("purlMatches: %v", err)
	}
	return types.Bool(p.match(str(args[0])))
}

// compared orders two versions. What has no order is an error, which leaves the verdict undecided: a guess might pass
// what must not pass.
func compared(args []ref.Val) (int, error) {
	order, ok := version.For(str(args[2]))
	if !ok {
		return 0, fmt.Errorf("versions of %q have no order", str(args[2]))
	}
	a, err := order.Parse(str(args[0]))
	if err != nil {
		return 0, err
	}
	b, err := order.Parse(str(args[1]))
	if err != nil {
		return 0, err
	}
	return a.Compare(b)
}

func callCompare(args []ref.Val) ref.Val {
	order, err := compared(args)
	if err != nil {
		return types.NewErr("compareVersions: %v", err)
	}
	return types.Int(order)
}

func callOlder(args []ref.Val) ref.Val {
	order, err := compared(args)
	if err != nil {
		return types.NewErr("olderThan: %v", err)
	}
	return types.Bool(order < 0)
}

func callLicenses(judge func(licenseList, []string) bool) func([]ref.Val) ref.Val {
	return func(args []ref.Val) ref.Val {
		list, err := parseLicenseList(strs(args[1]))
		if err != nil {
			return types.NewErr("licenses: %v", err)
		}
		return types.Bool(judge(list, strs(args[0])))
	}
}

func ofReference(part func(reference) string) func([]ref.Val) ref.Val {
	return func(args []ref.Val) ref.Val { return types.String(part(parseReference(str(args[0])))) }
}

func callFromRegistry(args []ref.Val) ref.Val {
	patterns, err := parseGlobs(strs(args[1]))
	if err != nil {
		return types.NewErr("fromRegistry: %v", err)
	}
	matches, _ := fromRegistry(parseReference(str(args[0])), patterns)
	return types.Bool(matches)
}

func parseGlobs(patterns []string) ([]*glob, error) {
	if len(patterns) > maxGlobs {
		return nil, fmt.Errorf("there are %d patterns; a list can have %d", len(patterns), maxGlobs)
	}
	globs := make([]*glob, 0, len(patterns))
	for _, pattern := range patterns {
		g, err := parseGlob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", pattern, err)
		}
		globs = append(globs, g)
	}
	return globs, nil
}

// callDays counts whole days. An instant that is not known is that of year 1: what has no date is very old.
func callDays(args []ref.Val) ref.Val {
	then, ok := args[0].(types.Timestamp)
	now, okNow := args[1].(types.Timestamp)
	if !ok || !okNow {
		return types.NewErr("daysSince: not a time")
	}
	return types.Int((now.Unix() - then.Unix()) / int64(24*time.Hour/time.Second))
}
