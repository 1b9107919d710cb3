package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// jsonValue is a value of a JSON text with the lines where its parts stand.
type jsonValue struct {
	kind byte // '{', '[', 's' for a string, 't' for true, 0 for others
	line int  // of its name, or of itself
	text string
	// names and values are an object's members in their order, or values a list's.
	names  []string
	values []*jsonValue
}

// get returns the last member of a name, which is the one that counts; nil if there is none.
func (v *jsonValue) get(name string) *jsonValue {
	if v == nil {
		return nil
	}
	for i := len(v.names) - 1; i >= 0; i-- {
		if v.names[i] == name {
			return v.values[i]
		}
	}
	return nil
}

func (v *jsonValue) string() string {
	if v == nil || v.kind != 's' {
		return ""
	}
	return v.text
}

// members are the names of an object's members; none for other values.
func (v *jsonValue) members() []string {
	if v == nil {
		return nil
	}
	return v.names
}

// jsonReader reads values and counts lines.
type jsonReader struct {
	decoder *json.Decoder
	content []byte
	at      int64
	line    int
}

// readJSON reads a text into values.
func readJSON(content []byte) (*jsonValue, error) {
	r := jsonReader{decoder: json.NewDecoder(bytes.NewReader(content)), content: content, line: 1}
	r.decoder.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the first value")
	}
	return v, nil
}

// token returns the next token and the line where it ends.
func (r *jsonReader) token() (json.Token, int, error) {
	t, err := r.decoder.Token()
	if err != nil {
		return nil, 0, err
	}
	to := r.decoder.InputOffset()
	r.line += bytes.Count(r.content[r.at:to], []byte{'\n'})
	r.at = to
	return t, r.line, nil
}

func (r *jsonReader) value(depth int) (*jsonValue, error) {
	t, line, err := r.token()
	if err != nil {
		return nil, err
	}
	v := &jsonValue{line: line}
	switch t := t.(type) {
	case string:
		v.kind, v.text = 's', t
		return v, nil
	case bool:
		if t {
			v.kind = 't'
		}
		return v, nil
	case json.Delim:
		if depth == maxGraphDepth {
			return nil, fmt.Errorf("it is nested deeper than %d", maxGraphDepth)
		}
		v.kind = byte(t)
	default:
		return v, nil
	}
	for r.decoder.More() {
		if v.kind == '{' {
			name, line, err := r.token()
			if err != nil {
				return nil, err
			}
			child, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			child.line = line
			v.names, v.values = append(v.names, name.(string)), append(v.values, child)
			continue
		}
		child, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.values = append(v.values, child)
	}
	_, _, err = r.token()
	return v, err
}

// npmGraph reads package-lock.json and npm-shrinkwrap.json. From version 2 on they name what the project needs, and where
// each package is installed, by which Node finds what it needs. Version 1 has neither.
//
// https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json
func npmGraph(content []byte) (*graph, error) {
	top, err := readJSON(content)
	if err != nil {
		return nil, err
	}
	g := &graph{}
	packages := top.get("packages")
	if packages == nil || packages.kind != '{' {
		g.oldNpm(top.get("dependencies"))
		return g, nil
	}
	const modules = "node_modules/"
	g.rooted = packages.get("") != nil
	places := make(map[string]int, len(packages.names))
	values := make([]*jsonValue, 0, len(packages.names))
	for i, place := range packages.names {
		v := packages.values[i]
		n := graphNode{line: v.line, version: v.get("version").string(), name: v.get("name").string()}
		n.own = !strings.HasPrefix(place, modules) && !strings.Contains(place, "/"+modules)
		if at := strings.LastIndex(place, modules); n.name == "" && at >= 0 {
			n.name = place[at+len(modules):]
		} else if n.name == "" {
			n.name = path.Base(place)
		}
		if link := v.get("link"); link != nil && link.kind == 't' {
			n.own = true // and nothing else is told of it here
		}
		places[place] = g.add(n)
		values = append(values, v)
	}
	for i, v := range values { // a link stands for the directory that it leads to
		if link := v.get("link"); link != nil && link.kind == 't' {
			if to, ok := places[v.get("resolved").string()]; ok {
				places[packages.names[i]] = to
			}
		}
	}
	for i, v := range values {
		kinds := []string{"dependencies", "optionalDependencies", "peerDependencies"}
		if g.nodes[i].own {
			kinds = append(kinds, "devDependencies")
		}
		for _, kind := range kinds {
			for _, name := range v.get(kind).members() {
				if to, ok := resolveNode(places, packages.names[i], name); ok {
					g.nodes[i].needs = append(g.nodes[i].needs, to)
				} else if g.nodes[i].own && (kind == "dependencies" || kind == "devDependencies") {
					g.rooted = false // what it names is not here under that name, and may be anything
				}
			}
		}
	}
	g.fromOwn()
	return g, nil
}

// resolveNode finds what Node finds of a name from a place.
func resolveNode(places map[string]int, from, name string) (int, bool) {
	for {
		if to, ok := places[path.Join(from, "node_modules", name)]; ok {
			return to, true
		}
		if from == "" {
			return 0, false
		}
		at := strings.LastIndexByte(from, '/')
		from = from[:max(at, 0)]
	}
}

// oldNpm notes the lines of version 1.
func (g *graph) oldNpm(dependencies *jsonValue) {
	for i, name := range dependencies.members() {
		v := dependencies.values[i]
		g.add(graphNode{name: name, version: v.get("version").string(), line: v.line})
		g.oldNpm(v.get("dependencies"))
	}
}

// composerGraph reads composer.lock. What the project needs is in another file.
//
// https://getcomposer.org/doc/04-schema.md
func composerGraph(content []byte) (*graph, error) {
	top, err := readJSON(content)
	if err != nil {
		return nil, err
	}
	g := &graph{}
	byName := map[string]int{}
	var values []*jsonValue
	var instead []func()
	for _, list := range []string{"packages", "packages-dev"} {
		packages := top.get(list)
		if packages == nil {
			continue
		}
		for _, v := range packages.values {
			name := strings.ToLower(v.get("name").string())
			n := graphNode{name: v.get("name").string(), line: v.get("name").lineOr(v.line), version: v.get("version").string()}
			at := g.add(n)
			byName[name] = at
			values = append(values, v)
			for _, kind := range []string{"replace", "provide"} {
				for _, other := range v.get(kind).members() {
					instead = append(instead, func() {
						if _, ok := byName[strings.ToLower(other)]; !ok {
							byName[strings.ToLower(other)] = at
						}
					})
				}
			}
		}
	}
	for _, f := range instead {
		f()
	}
	for i, v := range values {
		for _, name := range v.get("require").members() {
			if to, ok := byName[strings.ToLower(name)]; ok {
				g.nodes[i].needs = append(g.nodes[i].needs, to)
			}
		}
	}
	g.unnamed()
	return g, nil
}

func (v *jsonValue) lineOr(other int) int {
	if v == nil {
		return other
	}
	return v.line
}

// nugetGraph reads packages.lock.json, which says of every package whether the project names it.
//
// https://learn.microsoft.com/nuget/consume-packages/package-references-in-project-files#locking-dependencies
func nugetGraph(content []byte) (*graph, error) {
	top, err := readJSON(content)
	if err != nil {
		return nil, err
	}
	g := &graph{rooted: true}
	frameworks := top.get("dependencies")
	for f := range frameworks.members() {
		framework := frameworks.values[f]
		byName := map[string]int{}
		for i, name := range framework.members() {
			v := framework.values[i]
			kind := v.get("type").string()
			at := g.add(graphNode{name: name, version: v.get("resolved").string(), line: v.line,
				direct: kind == "Direct" || kind == "Project"})
			byName[strings.ToLower(name)] = at
		}
		for i, name := range framework.members() {
			at := byName[strings.ToLower(name)]
			for _, other := range framework.values[i].get("dependencies").members() {
				if to, ok := byName[strings.ToLower(other)]; ok {
					g.nodes[at].needs = append(g.nodes[at].needs, to)
				}
			}
		}
	}
	return g, nil
}
