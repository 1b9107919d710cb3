package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The names of the variables, as policies write them.
const (
	varFinding = "finding"
	varPackage = "package"
	varImage   = "image"
	varSubject = "subject"
	varNow     = "now"

	varExamination = "examination"
	varEvidence    = "evidence"
)

// packageInside is what the variable "package" is called inside the engine: CEL reserves that word, although only for
// identifiers, and it is the right word here. It has the same length, so that columns in messages stay true.
const packageInside = "Package"

// field is one field of a type that expressions see.
type field struct {
	celType *cel.Type
	// get returns a value that CEL understands without conversion, and whether it is set, for has().
	get func(s *scope) (value any, set bool)
	// values are all that a text can be, where that is a closed set. Comparing with anything else is an error on load:
	// a misspelt kind would never match.
	values []string
}

// object is a type that expressions see. All objects read from the one scope that is being judged: what is absent in
// the evidence reads as the zero value, so that no rule fails only because an image has no distribution.
type object struct {
	name   string
	fields map[string]field
}

// called is the object with its article, for messages.
func (o *object) called() string {
	name := strings.ToLower(o.name)
	switch {
	case name == varEvidence || strings.HasSuffix(name, "s"):
		return name
	case strings.ContainsRune("aeiou", rune(name[0])):
		return "an " + name
	}
	return "a " + name
}

func (o *object) names() []string {
	names := make([]string, 0, len(o.fields))
	for name := range o.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// schema is what expressions may speak of. It implements CEL's type provider and adapter for our objects and leaves the
// rest to the standard one. It is written by hand instead of derived by reflection because a rule is evaluated for every
// finding: a field access is one function call here.
type schema struct {
	types.Provider
	adapter types.Adapter
	objects map[string]*object
	fields  map[string]map[string]*types.FieldType
}

func newSchema(provider types.Provider, adapter types.Adapter) *schema {
	s := &schema{Provider: provider, adapter: adapter, objects: map[string]*object{}, fields: map[string]map[string]*types.FieldType{}}
	for _, o := range objects() {
		s.objects[o.name] = o
		s.fields[o.name] = make(map[string]*types.FieldType, len(o.fields))
		for name, f := range o.fields {
			s.fields[o.name][name] = fieldType(o.name, f)
		}
	}
	return s
}

func fieldType(owner string, f field) *types.FieldType {
	return &types.FieldType{
		Type: f.celType,
		IsSet: func(target any) bool {
			s, ok := target.(*scope)
			if !ok {
				return false
			}
			_, set := f.get(s)
			return set
		},
		GetFrom: func(target any) (any, error) {
			s, ok := target.(*scope)
			if !ok {
				return nil, fmt.Errorf("%T is not a %s", target, owner)
			}
			value, _ := f.get(s)
			return value, nil
		},
	}
}

// FindStructType implements types.Provider.
func (s *schema) FindStructType(name string) (*types.Type, bool) {
	if _, ok := s.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (s *schema) FindStructFieldNames(name string) ([]string, bool) {
	if o, ok := s.objects[name]; ok {
		return o.names(), true
	}
	return s.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (s *schema) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	if fields, ok := s.fields[name]; ok {
		f, ok := fields[fieldName]
		return f, ok
	}
	return s.Provider.FindStructFieldType(name, fieldName)
}

// NewValue implements types.Provider. Expressions cannot make objects.
func (s *schema) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := s.objects[name]; ok {
		return types.NewErr("a %s cannot be made in an expression", name)
	}
	return s.Provider.NewValue(name, fields)
}

// NativeToValue implements types.Adapter. Objects are only ever selected from; one used as a whole ("finding ==
// finding") is an error when it is evaluated, which leaves the verdict Undecided.
func (s *schema) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case *scope:
		return whole{}
	}
	return s.adapter.NativeToValue(value)
}

// whole is an object that an expression used as a value of its own.
type whole struct{}

// ConvertToNative implements ref.Val.
func (whole) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("an object has no value as %v", t)
}

// ConvertToType implements ref.Val.
func (whole) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("an object cannot be converted to %s", t.TypeName())
}

// Equal implements ref.Val.
func (whole) Equal(ref.Val) ref.Val {
	return types.NewErr("whole objects cannot be compared; compare their fields")
}

// Type implements ref.Val.
func (whole) Type() ref.Type { return types.NewOpaqueType("object") }

// Value implements ref.Val.
func (w whole) Value() any { return w }

// objectOf returns the object that a variable holds.
func (s *schema) objectOf(variable string) *object {
	switch variable {
	case varFinding:
		return s.objects["Finding"]
	case varPackage, packageInside:
		return s.objects["Package"]
	case varImage:
		return s.objects["Image"]
	case varSubject:
		return s.objects["Subject"]
	case varExamination:
		return s.objects["Examination"]
	case varEvidence:
		return s.objects["Evidence"]
	}
	return nil
}

// constants are the severities, which compare like numbers.
func constants() []cel.EnvOption {
	var options []cel.EnvOption
	for _, severity := range core.Severities() {
		options = append(options, cel.Constant(strings.ToUpper(severity.String()), cel.IntType, types.Int(severity)))
	}
	return options
}

// text, flag and the others declare a field of one type. Reading a text makes a small allocation; the texts of closed
// sets are made once.
func text(get func(*scope) string) field {
	return field{celType: cel.StringType, get: func(s *scope) (any, bool) {
		value := get(s)
		return types.String(value), value != ""
	}}
}

func oneOf[T ~string](get func(*scope) T, values ...T) field {
	made := make([]any, 0, len(values))
	names := make([]string, 0, len(values))
	for _, value := range values {
		made = append(made, types.String(value))
		names = append(names, string(value))
	}
	return field{celType: cel.StringType, values: names, get: func(s *scope) (any, bool) {
		value := get(s)
		for i, known := range values {
			if known == value {
				return made[i], value != ""
			}
		}
		return types.String(value), value != ""
	}}
}

func flag(get func(*scope) bool) field {
	return field{celType: cel.BoolType, get: func(s *scope) (any, bool) { return types.Bool(get(s)), true }}
}

func number(get func(*scope) int) field {
	return field{celType: cel.IntType, get: func(s *scope) (any, bool) { return types.Int(get(s)), true }}
}

func decimal(get func(*scope) (float64, bool)) field {
	return field{celType: cel.DoubleType, get: func(s *scope) (any, bool) {
		value, set := get(s)
		return types.Double(value), set
	}}
}

func texts(get func(*scope) []string) field {
	return field{celType: cel.ListType(cel.StringType), get: func(s *scope) (any, bool) {
		value := get(s)
		return types.NewStringList(types.DefaultTypeAdapter, value), len(value) > 0
	}}
}

func instant(get func(*scope) time.Time) field {
	return field{celType: cel.TimestampType, get: func(s *scope) (any, bool) {
		value := get(s)
		return types.Timestamp{Time: value}, !value.IsZero()
	}}
}

// nested declares a field that is an object; it reads from the same scope.
func nested(name string, set func(*scope) bool) field {
	return field{celType: cel.ObjectType(name), get: func(s *scope) (any, bool) { return s, set(s) }}
}
