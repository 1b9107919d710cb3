package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// field is a member of an object, or of a list if it has no key.
type field struct {
	key string
	// value is a part of the text that was read.
	value []byte
	// line is where its value begins, counted from 1 within the text that was read.
	line   int
	listed bool
}

func (f field) isNull() bool { return string(bytes.TrimSpace(f.value)) == "null" }

// readMembers returns the members of the object or list that content begins with.
func readMembers(content []byte) ([]field, error) {
	var members []field
	err := eachMember(content, func(f field) error {
		members = append(members, f)
		return nil
	})
	return members, err
}

var errBroken = errors.New("it is not whole")

// eachMember calls yield with the members of the object or list that content begins with, one by one and in order, and
// copies nothing. It ends with yield's error.
func eachMember(content []byte, yield func(field) error) error {
	t := &jsonText{content: content}
	t.space()
	begins := t.at
	if c := t.peek(); c != '{' && c != '[' {
		return checkSyntax(content, fmt.Errorf("it is a single value and no container"))
	}
	if !t.value() {
		return checkSyntax(content, errBroken)
	}
	if whole := content[begins:t.at]; !json.Valid(whole) {
		return checkSyntax(whole, errBroken)
	}
	t.at = begins // all that follows goes well, because it is valid
	return t.members(yield)
}

// checkSyntax returns the parser's own words for content that it does not accept; otherwise the error.
func checkSyntax(content []byte, otherwise error) error {
	var raw json.RawMessage
	if err := json.Unmarshal(content, &raw); err != nil {
		return err
	}
	return otherwise
}

// jsonText is a place in a JSON text.
type jsonText struct {
	content []byte
	at      int
}

func (t *jsonText) peek() byte {
	if t.at >= len(t.content) {
		return 0
	}
	return t.content[t.at]
}

func (t *jsonText) space() {
	for t.at < len(t.content) && bytes.IndexByte([]byte(" \t\r\n"), t.content[t.at]) >= 0 {
		t.at++
	}
}

// members reads a valid object or list.
func (t *jsonText) members(yield func(field) error) error {
	f := field{line: 1, listed: t.peek() == '['}
	counted := 0
	for t.at++; ; {
		t.space()
		switch t.peek() {
		case '}', ']', 0:
			t.at++
			return nil
		case ',':
			t.at++
			continue
		}
		if !f.listed {
			begins := t.at
			t.value()
			if err := json.Unmarshal(t.content[begins:t.at], &f.key); err != nil {
				return err
			}
			t.space()
			t.at++ // the colon
			t.space()
		}
		begins := t.at
		t.value()
		f.line += bytes.Count(t.content[counted:begins], []byte{'\n'})
		counted = begins
		f.value = t.content[begins:t.at:t.at]
		if err := yield(f); err != nil {
			return err
		}
	}
}

// value passes over one value, which may be invalid further in; false if the text ends before it.
func (t *jsonText) value() bool {
	depth := 0
	for t.at < len(t.content) {
		switch t.content[t.at] {
		case '"':
			if !t.text() {
				return false
			}
		case '{', '[':
			depth++
			t.at++
		case '}', ']':
			depth--
			t.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			t.at++
		default:
			t.word()
		}
		if depth <= 0 {
			return true
		}
	}
	return false
}

// text passes over a string.
func (t *jsonText) text() bool {
	for t.at++; t.at < len(t.content); t.at++ {
		switch t.content[t.at] {
		case '\\':
			t.at++
		case '"':
			t.at++
			return true
		}
	}
	t.at = len(t.content)
	return false
}

// word passes over a number or a name.
func (t *jsonText) word() {
	for t.at++; t.at < len(t.content); t.at++ {
		if bytes.IndexByte([]byte(",:{}[]\" \t\r\n"), t.content[t.at]) >= 0 {
			return
		}
	}
}
