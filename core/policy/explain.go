package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Explanation says how the policy comes to what it says of one finding.
type Explanation struct {
	Finding *core.Finding
	// Outcome is what Judge says of it, with the waiver or cause that changed what the rule says.
	Outcome core.Outcome
	// Tried are the rules that were tried, in order; the last one decided, unless none matched. They are empty if a VEX
	// statement or a suppression excuses the finding, before any rule is asked.
	Tried []Trial
	// Suppression is what excuses it in the sources, and VEX who says that it does no harm; nil if nothing does.
	Suppression *core.Suppression
	VEX         *core.VEXStatement
}

// Trial is one rule that was tried.
type Trial struct {
	Rule Rule
	// Applies is false if the rule is for other branches, images or paths; its condition is then not asked.
	Applies bool
	Holds   bool
	// Err says why the condition could not be evaluated.
	Err error
	// Values are what the condition reads, in its order.
	Values []Value
}

// Value is a field that a condition reads, as a policy would write it.
type Value struct{ Name, Value string }

// Rule describes a rule to people.
type Rule struct {
	Name, For, When, Message string
	Action                   core.Action
	// Origin is the policy that has the rule, among those that are extended.
	Origin string
	Locked bool
	// AppliesTo says which branches, images and paths it is for; empty for all.
	AppliesTo string
}

func (r *rule) described() Rule {
	d := Rule{Name: r.Name, For: r.Over, When: strings.TrimSpace(r.When), Message: r.Message, Action: r.Action, Origin: r.origin,
		Locked: r.Locked}
	if a := r.AppliesTo; a != nil {
		var parts []string
		for _, list := range []struct {
			name  string
			globs []string
		}{{"branches", a.Branches}, {"images", a.Images}, {"paths", a.Paths}} {
			if len(list.globs) > 0 {
				parts = append(parts, list.name+" "+strings.Join(list.globs, ", "))
			}
		}
		d.AppliesTo = strings.Join(parts, "; ")
	}
	return d
}

// Described are the rules with those of the policies that it extends, in the order in which they are tried.
func (p *Policy) Described() []Rule {
	all := make([]Rule, 0, len(p.rules))
	for _, r := range p.rules {
		all = append(all, r.described())
	}
	return all
}

// Explain says how the policy comes to what it says of the findings with some fingerprints; of each there may be one
// for each subject, and for each version of a package. It judges all of the evidence, because what the rules may cost is counted
// over all of it, and so it is as pure as Judge.
func (p *Policy) Explain(e *core.Evidence, b *core.Baseline, now time.Time, fingerprints ...string) []Explanation {
	j := newJudgement(p, e, now.UTC().Round(0))
	j.waiving = p.waivers.at(j.now)
	if b != nil {
		j.compared = j.compare(b)
	}
	j.evaluate()
	j.spent.Store(0) // what it was is in tooDear
	rules := j.rulesOver(overFindings)
	var all []Explanation
	for _, number := range j.findingOrder() {
		f := &e.Findings[number]
		if !slices.Contains(fingerprints, f.Fingerprint) {
			continue
		}
		var outcome [1]core.Outcome
		j.evaluateChunk(rules, []int{number}, outcome[:])
		x := Explanation{Finding: f, Outcome: outcome[0]}
		switch x.Outcome.Rule {
		case core.RuleVEX:
			x.VEX = f.Excuse()
		case core.RuleSuppressed:
			x.Suppression = p.suppression(f)
		default:
			x.Tried = j.tried(f)
		}
		all = append(all, x)
	}
	return all
}

// tried asks each rule over findings until one decides. Those for another branch are among them, to be seen.
func (j *judgement) tried(f *core.Finding) []Trial {
	s := j.newSetter()
	s.finding(f)
	asked := j.rulesOver(overFindings)
	var all []Trial
	for n, r := range j.policy.rules {
		if r.Over != overFindings {
			continue
		}
		t := Trial{Rule: r.described()}
		if slices.Contains(asked, n) {
			t.Applies, t.Err = s.isFor(n)
		}
		if t.Applies && t.Err == nil {
			t.Holds, t.Err = r.condition.holds(s)
			t.Values = r.condition.values(s)
		}
		all = append(all, t)
		if t.Holds && t.Err == nil {
			break
		}
	}
	return all
}

// isFor reports whether a rule is for what the setter has set; most are for everything.
func (s *setter) isFor(n int) (bool, error) {
	if s.policy.rules[n].AppliesTo == nil {
		return true, nil
	}
	return s.within(n)
}

// reading is a field that an expression reads.
type reading struct {
	name string
	get  func(*scope) (any, bool)
	// object says that the expression only asks whether there is one.
	object bool
}

// readings are the fields that an expression reads, each once, in its order.
func (l *language) readings(tree *ast.AST) []reading {
	var all []reading
	for _, e := range selections(tree) {
		f, ok := l.fieldAt(e)
		if !ok {
			continue
		}
		name := pathOf(e)
		_, object := l.schema.objects[f.celType.TypeName()]
		if object && !e.AsSelect().IsTestOnly() || slices.ContainsFunc(all, func(r reading) bool { return r.name == name }) {
			continue
		}
		all = append(all, reading{name, f.get, object})
	}
	if variables(tree)[varNow] {
		all = append(all, reading{name: varNow, get: func(s *scope) (any, bool) { return s.now, true }})
	}
	return all
}

// pathOf is a chain of selections as a policy writes it.
func pathOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		if e.AsIdent() == packageInside {
			return varPackage
		}
		return e.AsIdent()
	case ast.SelectKind:
		return pathOf(e.AsSelect().Operand()) + "." + e.AsSelect().FieldName()
	}
	return "(…)"
}

func (e *expression) values(s *setter) []Value {
	all := make([]Value, 0, len(e.reads))
	for _, r := range e.reads {
		value, set := r.get(&s.scope)
		shown := "absent"
		switch {
		case r.object && set:
			shown = "present"
		case !r.object:
			shown = shownValue(r.name, value, set)
		}
		all = append(all, Value{r.name, shown})
	}
	return all
}

// maxShown is how much of a value is shown, in bytes, and how many entries of a list.
const (
	maxShown   = 200
	maxEntries = 8
)

// shownValue writes a value as it would stand in a policy.
func shownValue(name string, value any, set bool) string {
	switch v := value.(type) {
	case types.String:
		return strconv.Quote(cutTo(string(v), maxShown))
	case types.Int:
		if name == varFinding+".severity" {
			return strings.ToUpper(core.Severity(v).String())
		}
		return strconv.FormatInt(int64(v), 10)
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Double:
		if !set {
			return "not known"
		}
		return strconv.FormatFloat(float64(v), 'g', -1, 64)
	case types.Timestamp:
		if !set {
			return "not known"
		}
		return v.Time.UTC().Format(time.RFC3339)
	case ref.Val:
		return shownList(v)
	}
	return "?"
}

// shownList writes a list of texts, or a map of them.
func shownList(v ref.Val) string {
	native, err := v.ConvertToNative(reflect.TypeFor[[]string]())
	if err != nil {
		return "of type " + v.Type().TypeName()
	}
	list, _ := native.([]string)
	entries := make([]string, 0, maxEntries)
	for _, entry := range list[:min(len(list), maxEntries)] {
		entries = append(entries, strconv.Quote(cutTo(entry, maxShown)))
	}
	more := ""
	if len(list) > maxEntries {
		more = fmt.Sprintf(", … %d more", len(list)-maxEntries)
	}
	return "[" + strings.Join(entries, ", ") + more + "]"
}
