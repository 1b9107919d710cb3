package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// maxObjects is how many objects, however small, a value may hold that is decoded at once: two bytes of text can become
// hundreds in memory.
const maxObjects = 500_000

// Decode reads one value of at most so many bytes into v, as encoding/json does. Repeated members are errors in it too.
func (r *Reader) Decode(v any, most int) error {
	if r.kind() == 0 {
		return r.cut()
	}
	at := r.Offset()
	raw, err := r.capture(most, r.Skip)
	if err != nil {
		return err
	}
	if n := bytes.Count(raw, []byte{'{'}); n > maxObjects {
		return r.within(at, "", fmt.Sprintf("it holds more than %d objects", maxObjects))
	}
	inner, err := strictjson.NewReader(raw, MaxDepth)
	if err == nil {
		err = inner.Skip()
	}
	if wrong := (*strictjson.Error)(nil); errors.As(err, &wrong) {
		return r.within(at+int64(wrong.Offset), wrong.Path, wrong.Reason)
	}
	err = json.Unmarshal(raw, v)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return r.within(at+wrong.Offset, wrong.Field, "want "+kindOf(wrong.Type)+", found "+valueOf(wrong.Value))
	}
	if err != nil {
		return r.within(at, "", err.Error())
	}
	return nil
}

func (r *Reader) within(offset int64, path, reason string) error {
	e := &Error{Offset: offset, Path: r.pathString(), Reason: reason}
	switch {
	case path == "":
	case e.Path == "" || path[0] == '[':
		e.Path += path
	default:
		e.Path += "." + path
	}
	return e
}

// kindOf says in JSON's words what a Go type is written as.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	}
	if t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32 {
		return "a number"
	}
	return "a whole number"
}

// valueOf gives encoding/json's word for a value an article.
func valueOf(word string) string {
	kind, _, _ := strings.Cut(word, " ")
	switch kind {
	case "object", "array":
		return "an " + word
	case "bool":
		return "a boolean"
	case "string", "number":
		return "a " + word
	}
	return word
}
