package rego

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Input turns evidence into what rules see at input: what the JSON document of the evidence would be read as, without
// the detour, which costs gigabytes for large images. The evidence must be in its one order.
func Input(e *core.Evidence) (*ast.Term, error) {
	c := converter{texts: map[string]*ast.Term{}, members: map[reflect.Type][]member{}}
	return c.value(reflect.ValueOf(e))
}

// converter reads values by their JSON tags. Texts that come again, such as digests, are one term.
type converter struct {
	texts   map[string]*ast.Term
	members map[reflect.Type][]member
}

// member is one field of a structure, as encoding/json sees it.
type member struct {
	index               int
	name                *ast.Term
	omitEmpty, omitZero bool
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	timeType      = reflect.TypeFor[time.Time]()
)

func membersOf(t reflect.Type) []member {
	var all []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		all = append(all, member{index: i, name: ast.StringTerm(name),
			omitEmpty: strings.Contains(options, "omitempty"), omitZero: strings.Contains(options, "omitzero")})
	}
	return all
}

func (c *converter) value(v reflect.Value) (*ast.Term, error) {
	if v.Type() != timeType && v.Type().Implements(textMarshaler) {
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		return c.text(string(text)), err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ast.NullTerm(), nil
		}
		return c.value(v.Elem())
	case reflect.String:
		return c.text(v.String()), nil
	case reflect.Bool:
		return ast.BooleanTerm(v.Bool()), nil
	case reflect.Int, reflect.Int64:
		return ast.NewTerm(ast.Number(strconv.FormatInt(v.Int(), 10))), nil
	case reflect.Float64:
		raw, err := json.Marshal(v.Float())
		return ast.NewTerm(ast.Number(raw)), err
	case reflect.Slice:
		return c.list(v)
	case reflect.Map:
		return c.mapping(v)
	case reflect.Struct:
		if v.Type() == timeType {
			text, err := v.Interface().(time.Time).MarshalText()
			return c.text(string(text)), err
		}
		return c.structure(v)
	}
	return nil, fmt.Errorf("evidence holds a %s, which has no form for rules", v.Type())
}

// maxShared is the length of a text that may be looked for among those that are known.
const maxShared = 256

func (c *converter) text(s string) *ast.Term {
	if !utf8.ValidString(s) {
		s = string([]rune(s)) // as JSON does: each byte that is no text becomes one replacement character
	}
	if len(s) > maxShared {
		return ast.StringTerm(s)
	}
	if t, ok := c.texts[s]; ok {
		return t
	}
	t := ast.StringTerm(s)
	c.texts[s] = t
	return t
}

func (c *converter) list(v reflect.Value) (*ast.Term, error) {
	terms := make([]*ast.Term, v.Len())
	for i := range terms {
		var err error
		if terms[i], err = c.value(v.Index(i)); err != nil {
			return nil, err
		}
	}
	return ast.ArrayTerm(terms...), nil
}

func (c *converter) mapping(v reflect.Value) (*ast.Term, error) {
	pairs := make([][2]*ast.Term, 0, v.Len())
	for entries := v.MapRange(); entries.Next(); {
		value, err := c.value(entries.Value())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{c.text(entries.Key().String()), value})
	}
	return ast.ObjectTerm(pairs...), nil
}

func (c *converter) structure(v reflect.Value) (*ast.Term, error) {
	members, ok := c.members[v.Type()]
	if !ok {
		members = membersOf(v.Type())
		c.members[v.Type()] = members
	}
	pairs := make([][2]*ast.Term, 0, len(members))
	for _, m := range members {
		f := v.Field(m.index)
		if m.omitZero && f.IsZero() || m.omitEmpty && empty(f) {
			continue
		}
		value, err := c.value(f)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{m.name, value})
	}
	return ast.ObjectTerm(pairs...), nil
}

// empty is what encoding/json leaves out with omitempty: never a structure.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// evidenceSchema tells the compiler what evidence can have, so that a misspelt member is an error, and not a rule that
// never holds.
func evidenceSchema() *ast.SchemaSet {
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schemaOf(reflect.TypeFor[core.Evidence]()))
	return set
}

func schemaOf(t reflect.Type) map[string]any {
	if t == timeType || t.Implements(textMarshaler) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Struct:
		properties := map[string]any{}
		for _, m := range membersOf(t) {
			properties[text(m.name)] = schemaOf(t.Field(m.index).Type)
		}
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	}
	return map[string]any{"type": "string"}
}
