package strictjson

import (
	"bytes"
	"fmt"
	"strings"
)

// Error says what is wrong with a document, and where.
type Error struct {
	// Offset counts bytes from 0; Line and Column count from 1, Column in bytes.
	Offset, Line, Column int
	// Path leads to the value ("components[3].purl"); empty for the whole document.
	Path   string
	Reason string
}

// Error gives the place first.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("line %d, column %d: %s: %s", e.Line, e.Column, e.Path, e.Reason)
}

func errorAt(data []byte, offset int, path, reason string) *Error {
	offset = max(0, min(offset, len(data)))
	before := data[:offset]
	return &Error{
		Offset: offset,
		Line:   bytes.Count(before, []byte{'\n'}) + 1,
		Column: offset - bytes.LastIndexByte(before, '\n'),
		Path:   path,
		Reason: reason,
	}
}

// Step is one step of a path: a member's name, or an element's index where Name is nil.
type Step struct {
	Name  []byte
	Index int
}

// Member is the step into an object.
func Member(name string) Step { return Step{Name: []byte(name)} }

// Element is the step into an array.
func Element(index int) Step { return Step{Index: index} }

const (
	maxPathSteps = 16
	maxPathName  = 64
)

// pathString shows the first steps of a path. Names are foreign text, so long ones are cut and odd ones quoted.
func pathString(steps []Step) string {
	var b strings.Builder
	for i, step := range steps {
		if i == maxPathSteps {
			b.WriteString("…")
			break
		}
		if step.Name == nil {
			fmt.Fprintf(&b, "[%d]", step.Index)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shown(step.Name))
	}
	return b.String()
}

func shown(name []byte) string {
	if len(name) > maxPathName {
		return fmt.Sprintf("%q…", name[:maxPathName])
	}
	for _, c := range name {
		if c <= ' ' || c > '~' || c == '"' || c == '.' {
			return fmt.Sprintf("%q", name)
		}
	}
	return string(name)
}

// Locate returns an Error for the value that steps lead to, or for the innermost value on the way that exists. The data
// must have been read without error before: it is for what is found wrong after decoding.
func Locate(data []byte, reason string, steps ...Step) *Error {
	r := &Reader{data: data, maxDepth: len(steps) + 1}
	offset := r.locate(steps)
	return errorAt(data, offset, pathString(steps), reason)
}

// locate returns the offset of the value that steps lead to.
func (r *Reader) locate(steps []Step) int {
	r.space()
	here := r.pos
	if len(steps) == 0 || r.pos >= len(r.data) {
		return here
	}
	found := -1
	step, rest := steps[0], steps[1:]
	switch {
	case step.Name != nil && r.data[r.pos] == '{':
		r.pos++
		for found < 0 && !r.closes('}') {
			name := r.key()
			if bytes.Equal(name, step.Name) {
				found = r.locate(rest)
				break
			}
			r.pass()
		}
	case step.Name == nil && r.data[r.pos] == '[':
		r.pos++
		for i := 0; found < 0 && !r.closes(']'); i++ {
			if i == step.Index {
				found = r.locate(rest)
				break
			}
			r.pass()
		}
	}
	if found < 0 {
		return here
	}
	return found
}
