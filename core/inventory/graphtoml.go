package inventory

import (
	"bytes"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// tomlPackages are the lockfiles that list packages so; each uses a part of it.
type tomlPackages struct {
	Package []tomlPackage `toml:"package"`
}

type tomlPackage struct {
	Name    string `toml:"name"`
	Version string `toml:"version"`
	// Source is a text in Cargo.lock, and a table in uv.lock.
	Source any `toml:"source"`
	// Dependencies are a list in Cargo.lock and uv.lock, and a table in poetry.lock.
	Dependencies any            `toml:"dependencies"`
	Optional     map[string]any `toml:"optional-dependencies"`
	Dev          map[string]any `toml:"dev-dependencies"`
	// Old is how uv.lock once named the groups.
	Old map[string]any `toml:"dependency-groups"`
}

// readTOML reads packages, and the line of each one's name.
func readTOML(content []byte) (packages []tomlPackage, lines []int, err error) {
	var file tomlPackages
	if _, err := toml.Decode(string(content), &file); err != nil {
		return nil, nil, err
	}
	number, open := 0, false
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		switch {
		case bytes.Equal(line, []byte("[[package]]")):
			lines, open = append(lines, number), true
		case bytes.HasPrefix(line, []byte("[")):
			open = false
		case open && (bytes.HasPrefix(line, []byte("name =")) || bytes.HasPrefix(line, []byte("name="))):
			lines[len(lines)-1], open = number, false
		}
	}
	if len(lines) != len(file.Package) {
		lines = make([]int, len(file.Package)) // it is written in another way
	}
	return file.Package, lines, nil
}

// named is the entries of each name, by which others need them.
type namedEntries map[string][]int

// find returns the entry of a name and, if several have it, a version.
func (n namedEntries) find(g *graph, name, version string) []int {
	entries := n[name]
	if len(entries) < 2 || version == "" {
		return entries
	}
	for _, e := range entries {
		if g.nodes[e].version == version {
			return []int{e}
		}
	}
	return nil
}

// cargoGraph reads Cargo.lock. What has no source is a part of the project.
//
// https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html
func cargoGraph(content []byte) (*graph, error) {
	packages, lines, err := readTOML(content)
	if err != nil {
		return nil, err
	}
	g, byName := &graph{}, namedEntries{}
	for i, p := range packages {
		own := p.Source == nil
		g.rooted = g.rooted || own
		byName[p.Name] = append(byName[p.Name], g.add(graphNode{name: p.Name, version: p.Version, line: lines[i], own: own}))
	}
	for i, p := range packages {
		for _, item := range list(p.Dependencies) {
			text, _ := item.(string)
			words := strings.Fields(text)
			if len(words) == 0 {
				continue
			}
			version := ""
			if len(words) > 1 {
				version = words[1]
			}
			g.nodes[i].needs = append(g.nodes[i].needs, byName.find(g, words[0], version)...)
		}
	}
	g.fromOwn()
	return g, nil
}

// poetryGraph reads poetry.lock. What the project needs is in another file.
//
// https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock
func poetryGraph(content []byte) (*graph, error) {
	packages, lines, err := readTOML(content)
	if err != nil {
		return nil, err
	}
	g, byName := &graph{}, namedEntries{}
	for i, p := range packages {
		name := pythonName(p.Name)
		byName[name] = append(byName[name], g.add(graphNode{name: name, version: p.Version, line: lines[i]}))
	}
	for i, p := range packages {
		needs, _ := p.Dependencies.(map[string]any)
		for name := range needs {
			g.nodes[i].needs = append(g.nodes[i].needs, byName.find(g, pythonName(name), "")...)
		}
		slices.Sort(g.nodes[i].needs)
	}
	g.unnamed()
	return g, nil
}

// uvGraph reads uv.lock. The project's own packages are there with the directory that they are in.
//
// https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
func uvGraph(content []byte) (*graph, error) {
	packages, lines, err := readTOML(content)
	if err != nil {
		return nil, err
	}
	g, byName := &graph{}, namedEntries{}
	for i, p := range packages {
		source, _ := p.Source.(map[string]any)
		own := source["virtual"] != nil || source["editable"] != nil || source["directory"] != nil
		g.rooted = g.rooted || own
		name := pythonName(p.Name)
		byName[name] = append(byName[name], g.add(graphNode{name: name, version: p.Version, line: lines[i], own: own}))
	}
	for i, p := range packages {
		all := list(p.Dependencies)
		for _, groups := range []map[string]any{p.Optional, p.Dev, p.Old} {
			for _, group := range groups {
				all = append(all, list(group)...)
			}
		}
		for _, item := range all {
			need, _ := item.(map[string]any)
			name, _ := need["name"].(string)
			version, _ := need["version"].(string)
			g.nodes[i].needs = append(g.nodes[i].needs, byName.find(g, pythonName(name), version)...)
		}
		slices.Sort(g.nodes[i].needs)
	}
	g.fromOwn()
	return g, nil
}

// list makes a list of what TOML may give as one.
func list(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []map[string]any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = v[i]
		}
		return all
	}
	return nil
}
