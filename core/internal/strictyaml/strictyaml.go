// Package strictyaml reads YAML that people write and that decides something: one document, in which nothing means
// anything else than it shows, no key is unknown or repeated, and everything that is wrong is told at once, with its place.
// What the keys mean must not enter it.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core/internal/diagnostic"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
)

// maxDepth is how deep values may lie in each other.
const maxDepth = 16

// Reader walks the nodes of a file and gathers what is wrong. The zero value reads a file without a name.
type Reader struct {
	File     string
	Problems diagnostic.Problems
	// Visit, if set, sees the keys of every mapping that is read. Tests find all of them with it.
	Visit func(known map[string]func(*yaml.Node))
}

// Reject says what is wrong with a node.
func (r *Reader) Reject(n *yaml.Node, format string, args ...any) {
	r.Add(n.Line, n.Column, fmt.Sprintf(format, args...))
}

// Add says what is wrong at a place, which is the beginning of the file if it is none.
func (r *Reader) Add(line, column int, what string) {
	r.Problems = append(r.Problems, diagnostic.Problem{File: r.File, Line: max(line, 1), Column: max(column, 1), What: what})
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// Document returns the one value of a file, or nil if something is wrong with it as YAML. Empty says what an empty file
// should have been.
func (r *Reader) Document(data []byte, empty string) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.Add(1, 1, empty)
		return nil
	case err != nil:
		line, what := 1, err.Error()
		if m := yamlError.FindStringSubmatch(what); m != nil {
			what = m[2]
			if at, err := strconv.Atoi(m[1]); err == nil {
				line = at
			}
		}
		r.Add(line, 1, "this is not YAML: "+what)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.Add(second.Line, 1, "there is a second YAML document; one is read")
		return nil
	}
	root := doc.Content[0]
	if !r.Plain(root) {
		return nil
	}
	return root
}

// Plain rejects what makes YAML mean something else than it shows: anchors, aliases, merge keys and tags; and deep
// nesting. It reports whether there was none.
func (r *Reader) Plain(n *yaml.Node) bool {
	before := len(r.Problems)
	r.plain(n, 0)
	return len(r.Problems) == before
}

func (r *Reader) plain(n *yaml.Node, depth int) {
	switch {
	case depth > maxDepth:
		r.Reject(n, "this is nested deeper than %d levels", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.Reject(n, "anchors and aliases are not accepted here; write the value where it is used")
		return
	case n.Tag == "!!merge":
		r.Reject(n, "merge keys are not accepted here; write the keys where they are used")
		return
	case n.Style&yaml.TaggedStyle != 0:
		r.Reject(n, "tags (%s) are not accepted here", n.Tag)
		return
	}
	for _, child := range n.Content {
		r.plain(child, depth+1)
	}
}

// Kind says in words what a value is.
func Kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}

// Keys calls the function of each key in a mapping, once, and rejects unknown and repeated keys. It returns those that
// are there.
func (r *Reader) Keys(n *yaml.Node, known map[string]func(*yaml.Node)) map[string]bool {
	seen := map[string]bool{}
	if r.Visit != nil {
		r.Visit(known)
	}
	if n.Kind != yaml.MappingNode {
		r.Reject(n, "this must be a mapping of keys to values, not %s", Kind(n))
		return seen
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.Reject(key, "unknown key %q%s", key.Value, nearest.DidYouMean(key.Value, slices.Sorted(maps.Keys(known))))
		case seen[key.Value]:
			r.Reject(key, "%q is here a second time", key.Value)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
	return seen
}

// Text returns a text, which is not empty.
func (r *Reader) Text(n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		r.Reject(n, "this must be text, not %s", Kind(n))
		return ""
	case strings.TrimSpace(n.Value) == "":
		r.Reject(n, "this must not be empty")
	case strings.ContainsRune(n.Value, 0):
		r.Reject(n, "this must not hold a NUL")
	}
	return n.Value
}

// Bool returns a boolean of YAML 1.2, and false for what is none.
func (r *Reader) Bool(n *yaml.Node) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.Reject(n, "this must be true or false, not %s", Kind(n))
		return false, false
	}
	return strings.EqualFold(n.Value, "true"), true
}

// Items returns the elements of a list.
func (r *Reader) Items(n *yaml.Node) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list, not %s", Kind(n))
		return nil
	}
	return n.Content
}

// Choice returns one of the values, and rejects any other.
func (r *Reader) Choice(n *yaml.Node, values ...string) string {
	value := r.Text(n)
	if value != "" && !slices.Contains(values, value) {
		r.Reject(n, "%q is none of %s%s", value, strings.Join(values, ", "), nearest.Hint(value, values))
	}
	return value
}
