// Package yamldoc reads YAML and JSON that others wrote as trees with places, within bounds: nothing is
// expanded, what a
// file may cost is counted before it is parsed, and a node can be asked for whatever it is.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxSize is the largest text, in bytes. Kubernetes refuses objects of more than 1.5 MiB; bundles of charts
	// have a few.
	maxSize = 10 << 20
	// maxNodes is about how many nodes a text may have, at some 200 bytes each.
	maxNodes = 500_000
	// maxVisits is how many nodes are copied of a tree whose aliases may lead to the same ones again and again.
	maxVisits = 100_000
	// maxDepth is how deep a tree is followed.
	maxDepth = 100
)

// TooLarge is the error for a text that is not parsed because of what it would cost.
type TooLarge struct{ what string }

// Error says what was too large.
func (e *TooLarge) Error() string { return e.what }

// Parse returns the documents of a text, empty ones left out. With an error, which is not that of a text that is too
// large, it returns those before the first that cannot be read: readers such as kubectl use these.
//
// https://yaml.org/spec/1.2.2/
func Parse(text []byte) (docs []Node, err error) {
	if len(text) > maxSize {
		return nil, &TooLarge{fmt.Sprintf("it is larger than the %d MiB that are read of a file of this kind", maxSize>>20)}
	}
	if cost(text) > maxNodes {
		return nil, &TooLarge{fmt.Sprintf("it has more than the %d entries that are read of a file of this kind", maxNodes)}
	}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		text = bytes.ReplaceAll(text, []byte{'\t'}, []byte{' '}) // JSON, where a tab is never within a string
	}
	if docs, err = decode(text); err == nil {
		return docs, nil
	}
	docs, line := nil, 0
	for rest := text; len(rest) > 0; {
		one := rest
		if at := bytes.Index(rest[1:], []byte("\n---")); at >= 0 {
			one = rest[:at+2]
		}
		inner, wrong := decode(one)
		if wrong != nil {
			break
		}
		for _, doc := range inner {
			shift(doc.at, line)
		}
		docs, rest, line = append(docs, inner...), rest[len(one):], line+bytes.Count(one, []byte{'\n'})
	}
	return docs, err
}

// decode returns the documents of a text if all can be read.
func decode(text []byte) (docs []Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			docs, err = nil, errors.New("its YAML cannot be read")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		switch err := decoder.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
			docs = append(docs, Node{doc.Content[0]})
		}
	}
}

// shift moves a tree down by some lines.
func shift(n *yaml.Node, lines int) {
	n.Line += lines
	for _, below := range n.Content {
		shift(below, lines)
	}
}

// cost counts what can begin a node.
func cost(text []byte) int {
	n := 0
	for _, mark := range []string{"\n", ": ", "- ", ",", "[", "{", "? "} {
		n += bytes.Count(text, []byte(mark))
	}
	return n
}

// Node is a node of a document, or nothing. Every question may be asked of every node.
type Node struct{ at *yaml.Node }

// real follows an alias.
func (n Node) real() *yaml.Node {
	for range 4 {
		if n.at == nil || n.at.Kind != yaml.AliasNode {
			return n.at
		}
		n.at = n.at.Alias
	}
	return nil
}

// Exists reports whether there is such a node.
func (n Node) Exists() bool { return n.at != nil }

// Line and Column are where the node stands, counted from 1; 0 for nothing.
func (n Node) Line() int {
	if n.at == nil {
		return 0
	}
	return n.at.Line
}

// Column is the column of the node.
func (n Node) Column() int {
	if n.at == nil {
		return 0
	}
	return n.at.Column
}

// IsMap, IsList and IsScalar tell the kinds of nodes.
func (n Node) IsMap() bool { r := n.real(); return r != nil && r.Kind == yaml.MappingNode }

// IsList reports whether the node is a list.
func (n Node) IsList() bool { r := n.real(); return r != nil && r.Kind == yaml.SequenceNode }

// IsScalar reports whether the node is a single value.
func (n Node) IsScalar() bool { r := n.real(); return r != nil && r.Kind == yaml.ScalarNode }

// IsBlock reports whether the node is a block scalar, whose text begins on the line below.
func (n Node) IsBlock() bool {
	r := n.real()
	return r != nil && r.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// Text is the value of a scalar; empty for everything else and for null.
func (n Node) Text() string {
	r := n.real()
	if r == nil || r.Kind != yaml.ScalarNode || r.Tag == "!!null" {
		return ""
	}
	return r.Value
}

// IsNull reports whether the node is an explicit null.
func (n Node) IsNull() bool { r := n.real(); return r != nil && r.Tag == "!!null" }

// Is reports whether the node is the given word, in any case: true, "true" and True are all the same to their readers,
// and so are the words for true and false of YAML 1.1, which kubectl and Compose still read.
//
// https://yaml.org/type/bool.html
func (n Node) Is(word string) bool {
	if !n.Exists() {
		return false
	}
	said := strings.ToLower(n.Text())
	switch word {
	case "true":
		return slices.Contains([]string{"true", "yes", "on", "y"}, said)
	case "false":
		return slices.Contains([]string{"false", "no", "off", "n"}, said)
	}
	return said == strings.ToLower(word)
}

// Get follows keys, each of which is in the mapping of the one before. Merge keys are followed; of a key that is there
// twice the last counts, as for their readers.
func (n Node) Get(keys ...string) Node {
	for _, key := range keys {
		_, n = n.pair(key, map[*yaml.Node]bool{})
	}
	return n
}

// Key returns the node of a key itself, for its place.
func (n Node) Key(key string) Node {
	k, _ := n.pair(key, map[*yaml.Node]bool{})
	return k
}

// pair finds a key in a mapping, or in those merged into it, however many merges away. What was searched is not
// searched again: that would find nothing, and merges may lead to the same mappings in very many ways.
func (n Node) pair(key string, searched map[*yaml.Node]bool) (k, v Node) {
	r := n.real()
	if r == nil || r.Kind != yaml.MappingNode || searched[r] {
		return Node{}, Node{}
	}
	searched[r] = true
	for i := len(r.Content) - 2; i >= 0; i -= 2 {
		if name := (Node{r.Content[i]}); name.IsScalar() && name.real().Value == key {
			return name, Node{r.Content[i+1]}
		}
	}
	for i := 0; i+1 < len(r.Content); i += 2 {
		if r.Content[i].Tag != "!!merge" {
			continue
		}
		merged := Node{r.Content[i+1]}
		for _, m := range append(merged.Items(), merged) {
			if k, v := m.pair(key, searched); v.Exists() {
				return k, v
			}
		}
	}
	return Node{}, Node{}
}

// Pair is a key of a mapping with its value.
type Pair struct{ Key, Value Node }

// Pairs are the keys of a mapping in order, those merged in last.
func (n Node) Pairs() []Pair {
	var all []Pair
	n.pairs(&all, map[string]bool{}, map[*yaml.Node]bool{})
	return all
}

// pairs adds the keys of a mapping that are not there yet, and then those of what is merged into it.
func (n Node) pairs(all *[]Pair, names map[string]bool, seen map[*yaml.Node]bool) {
	r := n.real()
	if r == nil || r.Kind != yaml.MappingNode || seen[r] {
		return
	}
	seen[r] = true
	var merged []Node
	own := len(*all)
	for i := 0; i+1 < len(r.Content); i += 2 {
		key, value := Node{r.Content[i]}, Node{r.Content[i+1]}
		switch {
		case r.Content[i].Tag == "!!merge":
			merged = append(merged, append(value.Items(), value)...)
		case !names[key.Text()]:
			*all = append(*all, Pair{key, value})
		}
	}
	for _, p := range (*all)[own:] {
		names[p.Key.Text()] = true
	}
	for _, m := range merged {
		m.pairs(all, names, seen)
	}
}

// Items are the entries of a list.
func (n Node) Items() []Node {
	r := n.real()
	if r == nil || r.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]Node, 0, len(r.Content))
	for _, c := range r.Content {
		items = append(items, Node{c})
	}
	return items
}

// Texts are the values of a list of scalars, or the one value of a scalar.
func (n Node) Texts() []string {
	if n.IsScalar() && !n.IsNull() {
		return []string{n.Text()}
	}
	var all []string
	for _, item := range n.Items() {
		if item.IsScalar() {
			all = append(all, item.Text())
		}
	}
	return all
}

// Contains reports whether the list, or scalar, has a value.
func (n Node) Contains(value string) bool { return slices.Contains(n.Texts(), value) }

// Value is the tree below the node as encoding/json would give it: maps with text keys, lists, text, numbers as text in
// json.Number's form, true, false and nil. It is bounded; aliases are followed.
func (n Node) Value() (any, error) {
	left := maxVisits
	return value(n, 0, &left)
}

var errTooDeep = errors.New("it is nested too deep, or leads back to itself, or holds too much")

func value(n Node, depth int, left *int) (any, error) {
	if *left--; *left < 0 || depth > maxDepth {
		return nil, errTooDeep
	}
	switch {
	case n.IsMap():
		m := map[string]any{}
		for _, p := range n.Pairs() {
			v, err := value(p.Value, depth+1, left)
			if err != nil {
				return nil, err
			}
			m[p.Key.Text()] = v
		}
		return m, nil
	case n.IsList():
		list := []any{}
		for _, item := range n.Items() {
			v, err := value(item, depth+1, left)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	r := n.real()
	if r == nil || r.Tag == "!!null" {
		return nil, nil
	}
	switch r.Tag {
	case "!!bool", "!!int", "!!float":
		var v any
		if err := r.Decode(&v); err != nil {
			return nil, err
		}
		return v, nil
	}
	return r.Value, nil
}

// Walk calls visit for every scalar below the node, keys left out, within bounds.
func (n Node) Walk(visit func(Node)) {
	left := maxVisits
	walk(n, 0, &left, visit)
}

func walk(n Node, depth int, left *int, visit func(Node)) {
	if *left--; *left < 0 || depth > maxDepth {
		return
	}
	switch {
	case n.IsMap():
		for _, p := range n.Pairs() {
			walk(p.Value, depth+1, left, visit)
		}
	case n.IsList():
		for _, item := range n.Items() {
			walk(item, depth+1, left, visit)
		}
	case n.Exists():
		visit(n)
	}
}
