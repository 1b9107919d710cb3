package rego

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
)

// Bounds on what a function takes and gives. None is near what rules over evidence need.
const (
	maxText     = 4 << 20   // bytes of a text
	maxParsed   = 1 << 20   // bytes of a text that is parsed or cut into pieces
	maxElements = 2_000_000 // elements of a collection
	maxDigits   = 400       // characters of a number, and the largest power of ten
)

// estimate returns how many bytes of text, at most, a function will make of its operands.
type estimate func(operands []*ast.Term) int64

// allowed are the functions that rules can call; whatever is not here does not exist. Those with an estimate can make
// much of little. Left out are those that reach outside (http.send, net.lookup_ip_addr, opa.runtime, the schema functions,
// which fetch what a schema names), that are random or read a clock or the machine's certificates, and those whose cost
// has no bound that could be told beforehand.
//
// https://www.openpolicyagent.org/docs/policy-reference/builtins
func allowed() map[string]estimate {
	functions := map[string]estimate{
		"concat":                   func(o []*ast.Term) int64 { return weigh(o[1]) + int64(length(o[1]))*int64(len(text(o[0]))) },
		"replace":                  replaced,
		"strings.replace_n":        func(o []*ast.Term) int64 { return int64(len(text(o[1]))+1) * (1 + longest(o[0])) },
		"regex.replace":            func(o []*ast.Term) int64 { return int64(len(text(o[0]))+1) * int64(1+len(text(o[2]))) },
		"sprintf":                  printed,
		"internal.template_string": func(o []*ast.Term) int64 { return weigh(o[0]) },
		"json.marshal":             func(o []*ast.Term) int64 { return weigh(o[0]) },
		"yaml.marshal":             func(o []*ast.Term) int64 { return 4 * weigh(o[0]) },
		"array.flatten":            func(o []*ast.Term) int64 { return weigh(o[0]) },
		"urlquery.encode_object":   func(o []*ast.Term) int64 { return 3 * weigh(o[0]) },
		"bits.lsh":                 func(o []*ast.Term) int64 { return magnitude(o[1]) << 12 },
		"product":                  func(o []*ast.Term) int64 { return int64(length(o[0])) << 12 },
		"numbers.range":            func(o []*ast.Term) int64 { return 2 * distance(o[0], o[1]) },
		"numbers.range_step":       func(o []*ast.Term) int64 { return 2 * distance(o[0], o[1]) },
		"net.cidr_contains_matches": func(o []*ast.Term) int64 {
			return 16 * int64(max(1, length(o[0]))) * int64(max(1, length(o[1])))
		},
	}
	for _, name := range parsers() {
		functions[name] = func(o []*ast.Term) int64 {
			n := int64(0)
			for _, operand := range o {
				n += int64(len(text(operand)))
			}
			return n * (maxText / maxParsed)
		}
	}
	for _, name := range strings.Fields(linear) {
		functions[name] = nil
	}
	return functions
}

// parsers make many values of a text.
func parsers() []string {
	return []string{"json.unmarshal", "json.is_valid", "yaml.unmarshal", "yaml.is_valid", "split", "strings.split_n", "regex.split",
		"regex.find_n", "regex.find_all_string_submatch_n", "indexof_n", "urlquery.decode_object", "io.jwt.decode", "glob.match",
		"uri.parse", "uri.is_valid", "strings.reverse", "regex.template_match"}
}

// linear are the functions whose result is at most a few times as large as what they are given.
const linear = `
	eq equal neq lt lte gt gte assign internal.member_2 internal.member_3 internal.print print trace
	plus minus mul div rem abs round ceil floor bits.and bits.or bits.xor bits.negate bits.rsh format_int to_number
	and or set_diff intersection union all any count sum max min sort
	array.concat array.reverse array.slice
	object.filter object.get object.keys object.remove object.subset object.union object.union_n json.filter json.remove
	contains startswith endswith indexof lower upper substring trim trim_left trim_right trim_prefix trim_suffix trim_space
	strings.any_prefix_match strings.any_suffix_match strings.count regex.match regex.is_valid re_match glob.quote_meta
	base64.encode base64.decode base64.is_valid base64url.encode base64url.encode_no_pad base64url.decode hex.encode hex.decode
	urlquery.encode urlquery.decode
	crypto.md5 crypto.sha1 crypto.sha256 crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512
	crypto.hmac.equal
	is_array is_boolean is_null is_number is_object is_set is_string type_name
	cast_array cast_boolean cast_null cast_object cast_set cast_string
	semver.compare semver.is_valid units.parse units.parse_bytes uuid.parse walk graph.reachable
	net.cidr_contains net.cidr_intersects net.cidr_is_valid net.cidr_merge net.cidr_overlap
	time.now_ns time.parse_ns time.parse_rfc3339_ns time.parse_duration_ns time.date time.clock time.weekday time.format
	time.add_date time.diff
	rego.metadata.chain rego.metadata.rule`

// capabilities are all that the compiler knows of.
func capabilities() *ast.Capabilities {
	install()
	c := *ast.CapabilitiesForThisVersion()
	functions := allowed()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		_, ok := functions[b.Name]
		return !ok
	})
	c.AllowNet = []string{}
	c.FutureKeywords = nil // experiments of the language
	return &c
}

// builtinOfOPA reports whether a function exists elsewhere.
func builtinOfOPA(name string) bool {
	_, ok := ast.BuiltinMap[name]
	return ok
}

// install puts the bounds before the functions. The library has one table of them for the process, and nobody else here
// uses it. Functions that make more than a number or a truth get the context, by which their results are counted.
var install = sync.OnceFunc(func() {
	for name, most := range allowed() {
		f := topdown.GetBuiltin(name)
		if f == nil {
			continue
		}
		topdown.RegisterBuiltinFunc(name, guarded(name, most, f))
		switch declared := ast.BuiltinMap[name]; declared.Decl.Result().(type) {
		case types.Boolean, types.Number:
		default:
			declared.CanSkipBctx = false
		}
	}
})

// guarded bounds the operands and the result of a function. What is over a bound ends the evaluation, and the rule is
// broken.
func guarded(name string, most estimate, f topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(b topdown.BuiltinContext, operands []*ast.Term, give func(*ast.Term) error) error {
		if err := checkOperands(name, operands); err != nil {
			return stop(name, err)
		}
		if most != nil {
			if n := most(operands); n > maxText {
				return stop(name, fmt.Errorf("it would make more than %d bytes", maxText))
			}
		}
		m, ok := b.Cancel.(*meter)
		if !ok {
			return f(b, operands, give)
		}
		return f(b, operands, func(result *ast.Term) error {
			if err := m.charge(result); err != nil {
				return stop(name, err)
			}
			return give(result)
		})
	}
}

func stop(name string, err error) error {
	return topdown.Halt{Err: fmt.Errorf("%s: %w", name, err)}
}

// checkOperands bounds numbers, whose text does not show how large they are, and rejects zones of time, which are files.
func checkOperands(name string, operands []*ast.Term) error {
	for _, o := range operands {
		switch v := o.Value.(type) {
		case ast.Number:
			if !small(v) {
				return fmt.Errorf("%s is too large a number", abbreviated(string(v)))
			}
		case ast.String:
			if len(v) > maxText {
				return fmt.Errorf("a text has more than %d bytes", maxText)
			}
		case *ast.Array:
			if strings.HasPrefix(name, "time.") && v.Len() > 1 {
				if zone := text(v.Elem(1)); zone != "" && zone != "UTC" {
					return fmt.Errorf("times are in UTC here, not in %q: zones are files of the machine", abbreviated(zone))
				}
			}
		}
		if name == "sum" || name == "product" || name == "max" || name == "min" || name == "sort" {
			if err := checkElements(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkElements(t *ast.Term) (err error) {
	check := func(e *ast.Term) {
		if n, ok := e.Value.(ast.Number); ok && !small(n) {
			err = fmt.Errorf("%s is too large a number", abbreviated(string(n)))
		}
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(check)
	case ast.Set:
		v.Foreach(check)
	}
	return err
}

func small(n ast.Number) bool {
	s := string(n)
	if len(s) > maxDigits {
		return false
	}
	at := strings.IndexAny(s, "eE")
	if at < 0 {
		return true
	}
	exponent := strings.TrimLeft(s[at+1:], "+-0")
	return len(exponent) < 3 || len(exponent) == 3 && exponent <= "400"
}

func abbreviated(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

func text(t *ast.Term) string {
	s, _ := t.Value.(ast.String)
	return string(s)
}

func length(t *ast.Term) int {
	switch v := t.Value.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Set:
		return v.Len()
	case ast.Object:
		return v.Len()
	}
	return 0
}

// weigh is how many bytes a value has as text, counted up to the point where it is too much: a value may hold another
// a thousand times, and that one the next.
func weigh(t *ast.Term) int64 {
	left := int64(maxText) + 1
	lighten(t, &left)
	return maxText + 1 - max(0, left)
}

func lighten(t *ast.Term, left *int64) {
	*left -= 2
	if *left < 0 {
		return
	}
	switch v := t.Value.(type) {
	case ast.String:
		*left -= int64(len(v))
	case ast.Number:
		*left -= int64(len(v))
	case *ast.Array:
		_ = v.Iter(func(e *ast.Term) error { return lightenMore(e, left) })
	case ast.Set:
		_ = v.Iter(func(e *ast.Term) error { return lightenMore(e, left) })
	case ast.Object:
		_ = v.Iter(func(k, e *ast.Term) error {
			if err := lightenMore(k, left); err != nil {
				return err
			}
			return lightenMore(e, left)
		})
	default:
		*left -= 5
	}
}

var errHeavy = fmt.Errorf("too heavy")

func lightenMore(t *ast.Term, left *int64) error {
	if lighten(t, left); *left < 0 {
		return errHeavy
	}
	return nil
}

func replaced(o []*ast.Term) int64 {
	s, old, with := text(o[0]), text(o[1]), text(o[2])
	return int64(len(s)) + int64(strings.Count(s, old))*int64(len(with))
}

// longest is the length of the longest replacement of an object.
func longest(t *ast.Term) int64 {
	n := int64(0)
	if o, ok := t.Value.(ast.Object); ok {
		o.Foreach(func(_, v *ast.Term) { n = max(n, int64(len(text(v)))) })
	}
	return n
}

// printed bounds what a format makes: each verb may print every operand, and its width may be a number in the format or
// an operand, of which the standard library accepts up to a million.
func printed(o []*ast.Term) int64 {
	format := text(o[0])
	n := int64(len(format)) + int64(strings.Count(format, "*"))*1_000_000
	for _, digits := range strings.FieldsFunc(format, func(r rune) bool { return r < '0' || r > '9' }) {
		if digits = strings.TrimLeft(digits, "0"); len(digits) > 6 {
			n += 1_000_000
		} else {
			w := int64(0)
			for _, d := range digits {
				w = 10*w + int64(d-'0')
			}
			n += w
		}
	}
	return n + int64(strings.Count(format, "%"))*weigh(o[1])
}

// magnitude is a whole number, or much if it is none of ours.
func magnitude(t *ast.Term) int64 {
	n, ok := t.Value.(ast.Number)
	i, whole := n.Int64()
	if !ok || !whole || i < 0 || i > maxText {
		return maxText
	}
	return i
}

func distance(a, b *ast.Term) int64 {
	from, ok := a.Value.(ast.Number)
	to, also := b.Value.(ast.Number)
	i, whole := from.Int64()
	k, too := to.Int64()
	if !ok || !also || !whole || !too {
		return 0 // the function rejects it
	}
	if d := k - i; d >= -maxElements && d <= maxElements {
		return max(d, -d)
	}
	return maxText
}
