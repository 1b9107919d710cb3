// Package strictjson reads JSON that others wrote: in one pass and without copies, with a bound on nesting, with
// members named twice as errors, and with the line and column of whatever is wrong.
//
// It exists because encoding/json does none of that: it takes the last of two members with the same name (and of two
// that differ in case only), so that two readers of one document can see different packages; it nests to 10,000 levels;
// and its errors name an offset at best. Syntax itself is left to encoding/json, which checks the whole document before
// this package walks it. Nothing about any document's meaning belongs here.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is a bound on nesting that every document made for exchange keeps.
const MaxDepth = 128

// Reader walks one document. The zero value is of no use; make one with NewReader.
type Reader struct {
	data     []byte
	pos      int
	depth    int
	maxDepth int
	path     []Step
	// names holds the members of the open objects, innermost last.
	names [][]byte
}

// NewReader checks the syntax of the whole document and returns a Reader at its beginning. Nesting beyond maxDepth is
// reported by the method that meets it.
func NewReader(data []byte, maxDepth int) (*Reader, error) {
	if err := syntax(data); err != nil {
		return nil, err
	}
	return &Reader{data: data, maxDepth: maxDepth}, nil
}

// Restart goes back to the beginning, for another walk over the same document.
func (r *Reader) Restart() { r.pos, r.depth, r.path, r.names = 0, 0, r.path[:0], r.names[:0] }

func syntax(data []byte) error {
	if json.Valid(data) {
		return nil
	}
	var nothing struct{}
	err := json.Unmarshal(data, &nothing)
	var syntaxError *json.SyntaxError
	if errors.As(err, &syntaxError) {
		offset := int(syntaxError.Offset)
		if offset > 0 && offset < len(data) {
			offset-- // it counts the offending byte
		}
		return errorAt(data, offset, "", syntaxError.Error())
	}
	return errorAt(data, 0, "", "this is not JSON")
}

// Object calls member with the name of each member in turn. Member reads the value, or leaves it to be skipped.
// The name is only valid during the call.
func (r *Reader) Object(member func(name []byte) error) error {
	if err := r.open('{', "an object"); err != nil {
		return err
	}
	first, steps := len(r.names), len(r.path)
	var many map[string]bool
	for !r.closes('}') {
		at := r.pos
		name := r.key()
		r.path = append(r.path[:steps], Step{Name: name})
		if r.repeated(name, first, &many) {
			return r.failAt(at, "this member occurs twice")
		}
		if err := r.value(func() error { return member(name) }); err != nil {
			return err
		}
	}
	r.names, r.path = r.names[:first], r.path[:steps]
	r.depth--
	return nil
}

// manyNames is how many members an object may have before a map is made to find repeated ones.
const manyNames = 32

// repeated reports whether the innermost object, whose names begin at first, had a member with this name, and notes it.
func (r *Reader) repeated(name []byte, first int, many *map[string]bool) bool {
	if *many == nil && len(r.names)-first < manyNames {
		for _, n := range r.names[first:] {
			if bytes.Equal(n, name) {
				return true
			}
		}
		r.names = append(r.names, name)
		return false
	}
	if *many == nil {
		*many = make(map[string]bool, 4*manyNames)
		for _, n := range r.names[first:] {
			(*many)[string(n)] = true
		}
	}
	if (*many)[string(name)] {
		return true
	}
	(*many)[string(name)] = true
	return false
}

// Array calls element for each element in turn. Element reads the value, or leaves it to be skipped.
func (r *Reader) Array(element func(index int) error) error {
	if err := r.open('[', "an array"); err != nil {
		return err
	}
	steps := len(r.path)
	for i := 0; !r.closes(']'); i++ {
		r.path = append(r.path[:steps], Step{Index: i})
		if err := r.value(func() error { return element(i) }); err != nil {
			return err
		}
	}
	r.path = r.path[:steps]
	r.depth--
	return nil
}

// value lets read consume one value, or skips it if nothing was consumed.
func (r *Reader) value(read func() error) error {
	r.space()
	before := r.pos
	if err := read(); err != nil {
		return err
	}
	if r.pos == before {
		return r.Skip()
	}
	return nil
}

// Skip passes over one value. Repeated members and nesting are errors there too.
func (r *Reader) Skip() error {
	switch r.Kind() {
	case '{':
		return r.Object(func([]byte) error { return nil })
	case '[':
		return r.Array(func(int) error { return nil })
	}
	r.pass()
	return nil
}

// Kind returns the first byte of the next value: one of { [ " t f n - 0…9.
func (r *Reader) Kind() byte {
	r.space()
	if r.pos >= len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

// Null consumes a null and reports whether there was one.
func (r *Reader) Null() bool {
	if r.Kind() != 'n' {
		return false
	}
	r.pass()
	return true
}

// String reads a string. Invalid UTF-8 becomes U+FFFD.
func (r *Reader) String() (string, error) {
	if r.Kind() != '"' {
		return "", r.wrongKind("a string")
	}
	return string(unquoted(r.pass())), nil
}

// Int reads an integer that fits 64 bits.
func (r *Reader) Int() (int64, error) {
	if c := r.Kind(); c != '-' && (c < '0' || c > '9') {
		return 0, r.wrongKind("a whole number")
	}
	at := r.pos
	n, err := strconv.ParseInt(string(r.pass()), 10, 64)
	if err != nil {
		return 0, r.failAt(at, "want a whole number of 64 bits")
	}
	return n, nil
}

// Fail returns an Error about the value that is being read.
func (r *Reader) Fail(reason string) error {
	r.space()
	return r.failAt(r.pos, reason)
}

func (r *Reader) failAt(offset int, reason string) error {
	return errorAt(r.data, offset, pathString(r.path), reason)
}

func (r *Reader) wrongKind(want string) error {
	return r.Fail(fmt.Sprintf("want %s, found %s", want, kindName(r.Kind())))
}

func kindName(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	case 0:
		return "nothing"
	}
	return "a number"
}

func (r *Reader) open(bracket byte, want string) error {
	if r.Kind() != bracket {
		return r.wrongKind(want)
	}
	if r.depth++; r.depth > r.maxDepth {
		return r.Fail(fmt.Sprintf("nested deeper than %d levels", r.maxDepth))
	}
	r.pos++
	return nil
}

// closes consumes the closing bracket, or the comma before the next item, and reports whether it was the former. The
// syntax was checked before, so nothing else can come.
func (r *Reader) closes(bracket byte) bool {
	switch r.Kind() {
	case bracket:
		r.pos++
		return true
	case ',':
		r.pos++
		r.space()
	case 0:
		return true
	}
	return false
}

// key consumes a member's name and the colon.
func (r *Reader) key() []byte {
	name := unquoted(r.pass())
	r.space()
	r.pos++
	return name
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// pass consumes one value without looking into it and returns its bytes.
func (r *Reader) pass() []byte {
	r.space()
	start := r.pos
	if r.pos >= len(r.data) {
		return nil
	}
	switch r.data[r.pos] {
	case '"':
		r.passString()
	case '{', '[':
		r.passNested()
	default:
		for r.pos < len(r.data) && !bytes.ContainsRune([]byte(" \t\r\n,:]}"), rune(r.data[r.pos])) {
			r.pos++
		}
	}
	return r.data[start:r.pos]
}

func (r *Reader) passString() {
	for r.pos++; r.pos < len(r.data); r.pos++ {
		switch r.data[r.pos] {
		case '\\':
			r.pos++
		case '"':
			r.pos++
			return
		}
	}
	r.pos = min(r.pos, len(r.data))
}

func (r *Reader) passNested() {
	for open := 0; r.pos < len(r.data); {
		switch r.data[r.pos] {
		case '"':
			r.passString()
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		r.pos++
		if open == 0 {
			return
		}
	}
}

// unquoted returns the content of a string with its quotation marks, without a copy where that is possible.
func unquoted(quoted []byte) []byte {
	content := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(content, '\\') < 0 && utf8.Valid(content) {
		return content
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return content // cannot happen: the syntax was checked
	}
	return []byte(s)
}
