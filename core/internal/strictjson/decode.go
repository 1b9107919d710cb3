package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Decode reads data into v, a pointer to a struct, and accepts only what v's type says: no unknown or repeated members,
// names in their exact case, every member that is not omitted when empty, no null but for pointers, and no trailing
// data. Types that unmarshal themselves judge their own values.
func Decode(data []byte, v any) error {
	r, err := NewReader(data, MaxDepth)
	if err != nil {
		return err
	}
	c := checker{Reader: r, fields: map[reflect.Type]map[string]field{}}
	if err := c.check(reflect.TypeOf(v).Elem()); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return errorAt(data, 0, "", err.Error())
	}
	return nil
}

// checker compares a document with a Go type.
type checker struct {
	*Reader
	fields map[reflect.Type]map[string]field
}

type field struct {
	t        reflect.Type
	required bool
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func (c *checker) check(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		if c.Null() {
			return nil
		}
		return c.check(t.Elem())
	}
	if p := reflect.PointerTo(t); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
		return c.checkSelf(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return c.checkStruct(t)
	case reflect.Slice:
		return c.Array(func(int) error { return c.check(t.Elem()) })
	case reflect.Map:
		return c.Object(func([]byte) error { return c.check(t.Elem()) })
	case reflect.String:
		_, err := c.String()
		return err
	case reflect.Int, reflect.Int64:
		_, err := c.Int()
		return err
	case reflect.Float64:
		return c.checkScalar("a number", "-0123456789")
	case reflect.Bool:
		return c.checkScalar("a boolean", "tf")
	}
	return c.Fail(fmt.Sprintf("a document cannot hold a %s", t))
}

// checkSelf lets a value unmarshal itself, so that its error has a place.
func (c *checker) checkSelf(t reflect.Type) error {
	if c.Kind() == 'n' {
		return c.Fail("null is no value here")
	}
	at := c.pos
	if err := json.Unmarshal(c.pass(), reflect.New(t).Interface()); err != nil {
		return c.failAt(at, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func (c *checker) checkScalar(want, first string) error {
	if strings.IndexByte(first, c.Kind()) < 0 {
		return c.wrongKind(want)
	}
	c.pass()
	return nil
}

func (c *checker) checkStruct(t reflect.Type) error {
	fields := c.fieldsOf(t)
	c.space()
	start := c.pos
	seen := make(map[string]bool, len(fields))
	err := c.Object(func(name []byte) error {
		f, ok := fields[string(name)]
		if !ok {
			return c.Fail("there is no such member; want " + c.nameList(t))
		}
		seen[string(name)] = true
		return c.check(f.t)
	})
	if err != nil {
		return err
	}
	for _, name := range fieldNames(t) {
		if fields[name].required && !seen[name] {
			return c.failAt(start, fmt.Sprintf("the member %q is missing", name))
		}
	}
	return nil
}

func (c *checker) nameList(t reflect.Type) string { return strings.Join(fieldNames(t), ", ") }

func (c *checker) fieldsOf(t reflect.Type) map[string]field {
	if known := c.fields[t]; known != nil {
		return known
	}
	fields := make(map[string]field, t.NumField())
	for i := range t.NumField() {
		if name, options, ok := member(t.Field(i)); ok {
			fields[name] = field{t: t.Field(i).Type, required: options == ""}
		}
	}
	c.fields[t] = fields
	return fields
}

func fieldNames(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		if name, _, ok := member(t.Field(i)); ok {
			names = append(names, name)
		}
	}
	return names
}

// member returns the name and options of a field's tag; a field without a name is no part of the document.
func member(f reflect.StructField) (name, options string, ok bool) {
	name, options, _ = strings.Cut(f.Tag.Get("json"), ",")
	return name, options, f.IsExported() && name != "" && name != "-"
}
