// Package jsonstream reads JSON that others wrote and that may be far larger than memory: one value at a time, in
// bounded memory, with members named twice as errors and with the path and the offset of whatever is wrong.
//
// It stands beside strictjson, which reads documents that are in memory anyway and knows lines and columns.
// encoding/json reads tokens of a stream, but it copies each of them, nests without a bound, takes the last of two
// members with the same name, and says nothing of where it is. Nothing about any document's meaning belongs here.
package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep values may be nested.
	MaxDepth   = 128
	bufferSize = 64 << 10
	// maxName is the longest member name in bytes.
	maxName = 4096
	// maxNumber is the longest number in bytes.
	maxNumber = 512
)

// Error says what is wrong with a stream, and where.
type Error struct {
	// Offset counts bytes from 0, after the conversion to UTF-8.
	Offset int64
	// Path leads to the value ("runs[0].results[3].level"); empty for the whole.
	Path   string
	Reason string
	// Err is why the stream could not be read, if that is what is wrong.
	Err error
}

// Error gives the place first.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("byte %d, at %s: %s", e.Offset, e.Path, e.Reason)
}

// Unwrap returns the error of the stream.
func (e *Error) Unwrap() error { return e.Err }

type step struct {
	name  string
	index int // of an element if name is empty and member is false
	// member tells a member with an empty name from an element.
	member bool
}

// Reader walks one stream. Every method that reads a value leaves the reader behind it.
type Reader struct {
	src      io.Reader
	buf      []byte
	pos, end int
	base     int64 // offset of buf[0]
	err      error // why there is no more; io.EOF at the end
	depth    int
	path     []step
	names    map[string]string // member names that were seen, so that each is allocated once
	// capturing gathers the bytes of a value; they begin at mark in buf.
	capturing bool
	mark      int
	captured  []byte
	most      int
}

// New returns a Reader of UTF-8 text. See UTF8 for other encodings.
func New(src io.Reader) *Reader {
	return &Reader{src: src, buf: make([]byte, bufferSize), names: map[string]string{}}
}

// Offset is how many bytes were read.
func (r *Reader) Offset() int64 { return r.base + int64(r.pos) }

// more makes at least one byte available, or reports that there is none.
func (r *Reader) more() bool {
	if r.pos < r.end {
		return true
	}
	if r.err != nil {
		return false
	}
	if r.capturing {
		r.captured = append(r.captured, r.buf[r.mark:r.end]...)
		r.mark = 0
	}
	r.base += int64(r.end)
	r.pos, r.end = 0, 0
	for range 100 {
		n, err := r.src.Read(r.buf)
		r.end, r.err = n, err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	r.err = io.ErrNoProgress
	return false
}

// kind skips white space and returns the first byte of what follows, or 0 at the end.
func (r *Reader) kind() byte {
	for r.more() {
		for ; r.pos < r.end; r.pos++ {
			switch c := r.buf[r.pos]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c
			}
		}
	}
	return 0
}

// Kind returns the first byte of the next value, one of { [ " t f n - 0…9, or 0 where nothing follows.
func (r *Reader) Kind() byte { return r.kind() }

// More reports whether anything but white space follows, as between the values of a stream of several.
func (r *Reader) More() bool { return r.kind() != 0 }

// End fails unless nothing but white space follows.
func (r *Reader) End() error {
	if r.kind() != 0 {
		return r.Fail("something follows the end of the document")
	}
	if !errors.Is(r.err, io.EOF) {
		return r.cut()
	}
	return nil
}

// Fail returns an Error about the place that is being read.
func (r *Reader) Fail(reason string) error { return r.failAt(r.Offset(), reason) }

func (r *Reader) failAt(offset int64, reason string) error {
	return &Error{Offset: offset, Path: r.pathString(), Reason: reason}
}

// cut is the error for a stream that ends where it must not.
func (r *Reader) cut() error {
	if r.err == nil || errors.Is(r.err, io.EOF) {
		return r.Fail("it is cut off here")
	}
	return &Error{Offset: r.Offset(), Path: r.pathString(), Reason: r.err.Error(), Err: r.err}
}

const (
	maxPathSteps = 16
	maxPathName  = 64
)

func (r *Reader) pathString() string {
	var b strings.Builder
	for i, s := range r.path {
		switch {
		case i == maxPathSteps:
			b.WriteString("…")
			return b.String()
		case !s.member:
			fmt.Fprintf(&b, "[%d]", s.index)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(shown(s.name))
		}
	}
	return b.String()
}

func shown(name string) string {
	if len(name) > maxPathName {
		return strconv.QuoteToASCII(name[:maxPathName]) + "…"
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '"' || c == '.' {
			return strconv.QuoteToASCII(name)
		}
	}
	return name
}

func (r *Reader) wrongKind(want string) error {
	c := r.kind()
	if c == 0 {
		return r.cut()
	}
	return r.Fail("want " + want + ", found " + kindName(c))
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
	}
	if c == '-' || c >= '0' && c <= '9' {
		return "a number"
	}
	return fmt.Sprintf("%q, which is not JSON", rune(c))
}

// Object calls member with the name of each member in turn. Member reads the value, or leaves it to be skipped.
func (r *Reader) Object(member func(name string) error) error {
	if r.kind() != '{' {
		return r.wrongKind("an object")
	}
	if err := r.enter(); err != nil {
		return err
	}
	var seen seenNames
	steps := len(r.path)
	for first := true; ; first = false {
		done, err := r.next('}', first)
		if err != nil || done {
			r.path = r.path[:steps]
			return err
		}
		at := r.Offset()
		name, err := r.name()
		if err != nil {
			return err
		}
		r.path = append(r.path[:steps], step{name: name, member: true})
		if seen.add(name) {
			return r.failAt(at, "this member occurs twice")
		}
		if err := r.value(func() error { return member(name) }); err != nil {
			return err
		}
	}
}

// Array calls element for each element in turn. Element reads the value, or leaves it to be skipped.
func (r *Reader) Array(element func(index int) error) error {
	if r.kind() != '[' {
		return r.wrongKind("an array")
	}
	if err := r.enter(); err != nil {
		return err
	}
	steps := len(r.path)
	for i := 0; ; i++ {
		done, err := r.next(']', i == 0)
		if err != nil || done {
			r.path = r.path[:steps]
			return err
		}
		r.path = append(r.path[:steps], step{index: i})
		if err := r.value(func() error { return element(i) }); err != nil {
			return err
		}
	}
}

// value lets read consume one value, or skips it if nothing was consumed.
func (r *Reader) value(read func() error) error {
	if r.kind() == 0 {
		return r.cut()
	}
	before := r.Offset()
	if err := read(); err != nil {
		return err
	}
	if r.Offset() == before {
		return r.Skip()
	}
	return nil
}

func (r *Reader) enter() error {
	if r.depth++; r.depth > MaxDepth {
		return r.Fail(fmt.Sprintf("nested deeper than %d levels", MaxDepth))
	}
	r.pos++
	return nil
}

// next moves to the next item of an object or array, or past its end.
func (r *Reader) next(bracket byte, first bool) (done bool, err error) {
	c := r.kind()
	switch {
	case c == 0:
		return false, r.cut()
	case c == bracket:
		r.pos++
		r.depth--
		return true, nil
	case first:
		return false, nil
	case c != ',':
		return false, r.Fail("want a comma or " + string(bracket) + ", found " + kindName(c))
	}
	r.pos++
	if r.kind() == bracket {
		return false, r.Fail("a comma before " + string(bracket))
	}
	return false, nil
}

// name reads a member's name and the colon.
func (r *Reader) name() (string, error) {
	if r.kind() != '"' {
		return "", r.wrongKind("the name of a member")
	}
	raw, err := r.capture(maxName, r.skipString)
	if err != nil {
		return "", err
	}
	name, known := r.names[string(raw)]
	if !known {
		if name, err = r.unquote(raw); err != nil {
			return "", err
		}
		if len(r.names) < 4096 {
			r.names[string(raw)] = name
		}
	}
	if r.kind() != ':' {
		return "", r.wrongKind("a colon")
	}
	r.pos++
	return name, nil
}

// seenNames finds members that occur twice.
type seenNames struct {
	few  []string
	many map[string]bool
}

// manyNames is how many members an object may have before a map is made to find repeated ones.
const manyNames = 24

func (s *seenNames) add(name string) (twice bool) {
	if s.many == nil {
		if slices.Contains(s.few, name) {
			return true
		}
		if s.few = append(s.few, name); len(s.few) > manyNames {
			s.many = make(map[string]bool, 4*manyNames)
			for _, n := range s.few {
				s.many[n] = true
			}
		}
		return false
	}
	twice = s.many[name]
	s.many[name] = true
	return twice
}

// Skip passes over one value, whose syntax it checks.
func (r *Reader) Skip() error {
	switch c := r.kind(); c {
	case 0:
		return r.cut()
	case '{', '[':
		return r.skipNested(c)
	case '"':
		return r.skipString()
	default:
		return r.skipScalar(c)
	}
}

func (r *Reader) skipNested(open byte) error {
	bracket := open + 2 // in ASCII, for both kinds
	if err := r.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		done, err := r.next(bracket, first)
		if err != nil || done {
			return err
		}
		if r.tooMuch() {
			return r.Fail(fmt.Sprintf("longer than %d bytes", r.most))
		}
		if open == '{' {
			if r.kind() != '"' {
				return r.wrongKind("the name of a member")
			}
			if err := r.skipString(); err != nil {
				return err
			}
			if r.kind() != ':' {
				return r.wrongKind("a colon")
			}
			r.pos++
		}
		if err := r.Skip(); err != nil {
			return err
		}
	}
}

func (r *Reader) skipString() error {
	r.pos++
	for r.more() {
		if r.tooMuch() {
			return r.Fail(fmt.Sprintf("longer than %d bytes", r.most))
		}
		chunk := r.buf[r.pos:r.end]
		quote := bytes.IndexByte(chunk, '"')
		if quote >= 0 {
			chunk = chunk[:quote]
		}
		escape := bytes.IndexByte(chunk, '\\')
		switch {
		case escape >= 0:
			r.pos += escape + 1
			if !r.more() {
				return r.cut()
			}
			r.pos++
		case quote >= 0:
			r.pos += quote + 1
			return nil
		default:
			r.pos = r.end
		}
	}
	return r.cut()
}

func (r *Reader) skipScalar(c byte) error {
	for _, word := range []string{"true", "false", "null"} {
		if c != word[0] {
			continue
		}
		for i := range len(word) {
			if !r.more() {
				return r.cut()
			}
			if r.buf[r.pos] != word[i] {
				return r.Fail("want " + word)
			}
			r.pos++
		}
		return nil
	}
	if c != '-' && (c < '0' || c > '9') {
		return r.Fail("want a value, found " + kindName(c))
	}
	for n := 0; r.more() && bytes.IndexByte([]byte("+-0123456789.eE"), r.buf[r.pos]) >= 0; n++ {
		if n == maxNumber {
			return r.Fail(fmt.Sprintf("a number of more than %d bytes", maxNumber))
		}
		r.pos++
	}
	return nil
}

// capture returns the bytes that read consumes, at most so many. They are valid until the next capture.
func (r *Reader) capture(most int, read func() error) ([]byte, error) {
	r.capturing, r.mark, r.captured, r.most = true, r.pos, r.captured[:0], most
	err := read()
	r.capturing = false
	if err != nil {
		return nil, err
	}
	if len(r.captured) == 0 {
		if raw := r.buf[r.mark:r.pos]; len(raw) <= most {
			return raw, nil
		}
	} else if len(r.captured)+r.pos-r.mark <= most {
		r.captured = append(r.captured, r.buf[r.mark:r.pos]...)
		return r.captured, nil
	}
	return nil, r.Fail(fmt.Sprintf("longer than %d bytes", most))
}

// tooMuch reports whether a capture has taken more than it may, so that one value cannot fill the memory.
func (r *Reader) tooMuch() bool { return r.capturing && len(r.captured) > r.most }

// unquote returns what a string says. Invalid UTF-8 becomes U+FFFD.
func (r *Reader) unquote(raw []byte) (string, error) {
	content := raw[1 : len(raw)-1]
	if bytes.IndexByte(content, '\\') < 0 && utf8.Valid(content) {
		return string(content), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return strings.ToValidUTF8(string(content), "\uFFFD"), r.Fail("not a string: " + err.Error())
	}
	return s, nil
}

// String reads a string of at most so many bytes, as it is written.
func (r *Reader) String(most int) (string, error) {
	if r.kind() != '"' {
		return "", r.wrongKind("a string")
	}
	raw, err := r.capture(most, r.skipString)
	if err != nil {
		return "", err
	}
	return r.unquote(raw)
}

// Null consumes a null and reports whether there was one.
func (r *Reader) Null() bool { return r.kind() == 'n' && r.skipScalar('n') == nil }

// Bool reads a boolean.
func (r *Reader) Bool() (bool, error) {
	c := r.kind()
	if c != 't' && c != 'f' {
		return false, r.wrongKind("a boolean")
	}
	return c == 't', r.skipScalar(c)
}

// Number reads a number.
func (r *Reader) Number() (float64, error) {
	c := r.kind()
	if c != '-' && (c < '0' || c > '9') {
		return 0, r.wrongKind("a number")
	}
	at := r.Offset()
	raw, err := r.capture(maxNumber, func() error { return r.skipScalar(c) })
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, r.failAt(at, "want a number")
	}
	return n, nil
}

// Int reads a whole number, which may be written as 3.0.
func (r *Reader) Int() (int, error) {
	at := r.Offset()
	n, err := r.Number()
	if err != nil {
		return 0, err
	}
	if n != float64(int(n)) || n > 1<<53 || n < -(1<<53) {
		return 0, r.failAt(at, "want a whole number")
	}
	return int(n), nil
}
