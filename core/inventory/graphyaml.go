package inventory

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pnpmGraph reads pnpm-lock.yaml of every version. Its importers are the project's own directories; what packages need
// stands in packages, from version 9 on in snapshots.
//
// https://github.com/pnpm/spec/tree/master/lockfile
func pnpmGraph(content []byte) (*graph, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping")
	}
	top := document.Content[0]
	g := &graph{rooted: true}
	p := pnpm{g: g, byKey: map[string]int{}}
	packages, snapshots := yamlMember(top, "packages"), yamlMember(top, "snapshots")
	lines := map[string]int{} // of packages, which have no peers in their keys
	yamlMembers(packages, func(key, value *yaml.Node) {
		lines[key.Value] = key.Line
		if snapshots == nil {
			p.add(key, value, key.Line)
		}
	})
	yamlMembers(snapshots, func(key, value *yaml.Node) {
		line := lines[withoutPeers(key.Value)]
		if line == 0 {
			line = key.Line
		}
		p.add(key, value, line)
	})
	for i, value := range p.values {
		for _, kind := range []string{"dependencies", "optionalDependencies"} {
			yamlMembers(yamlMember(value, kind), func(key, version *yaml.Node) {
				if to, ok := p.find(key.Value, version.Value); ok {
					g.nodes[i].needs = append(g.nodes[i].needs, to)
				}
			})
		}
	}
	importers := yamlMember(top, "importers")
	if importers == nil { // there is one directory, at the top
		p.importer(top)
	}
	yamlMembers(importers, func(_, value *yaml.Node) { p.importer(value) })
	return g, nil
}

type pnpm struct {
	g      *graph
	byKey  map[string]int
	values []*yaml.Node
}

// add adds the entry of a key: "/a/1.0.0_peers", "/a@1.0.0(peers)" or "a@1.0.0(peers)".
func (p *pnpm) add(key, value *yaml.Node, line int) {
	name, version := splitPnpm(key.Value)
	if v := yamlMember(value, "name"); v != nil { // of what is from no registry
		name = v.Value
	}
	if v := yamlMember(value, "version"); v != nil {
		version = v.Value
	}
	p.byKey[key.Value] = p.g.add(graphNode{name: name, version: version, line: line})
	p.values = append(p.values, value)
}

// find returns what a name and a version, or the key in a version's place, stand for.
func (p *pnpm) find(name, version string) (int, bool) {
	for _, key := range []string{name + "@" + version, "/" + name + "@" + version, "/" + name + "/" + version, version} {
		if to, ok := p.byKey[key]; ok {
			return to, true
		}
	}
	return 0, false
}

// importer marks what a directory of the project names.
func (p *pnpm) importer(value *yaml.Node) {
	for _, kind := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		yamlMembers(yamlMember(value, kind), func(key, of *yaml.Node) {
			version := of.Value
			if of.Kind == yaml.MappingNode {
				if v := yamlMember(of, "version"); v != nil {
					version = v.Value
				}
			}
			to, ok := p.find(key.Value, version)
			switch {
			case ok:
				p.g.nodes[to].direct = true
			case !strings.HasPrefix(version, "link:") && kind != "optionalDependencies":
				p.g.rooted = false
			}
		})
	}
}

func withoutPeers(key string) string {
	key, _, _ = strings.Cut(key, "(")
	return key
}

func splitPnpm(key string) (name, version string) {
	key = strings.TrimPrefix(withoutPeers(key), "/")
	slashes := 0
	if strings.HasPrefix(key, "@") {
		slashes = 1 // between the scope and the name
	}
	if at := strings.IndexByte(key[min(1, len(key)):], '@') + 1; at > 0 && strings.Count(key[:at], "/") == slashes {
		return key[:at], key[at+1:]
	}
	at := strings.LastIndexByte(key, '/')
	if at < 0 {
		return key, ""
	}
	version, _, _ = strings.Cut(key[at+1:], "_")
	return key[:at], version
}

// yamlMember returns the value of a mapping's member; nil if there is none.
func yamlMember(mapping *yaml.Node, name string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func yamlMembers(mapping *yaml.Node, f func(key, value *yaml.Node)) {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		f(mapping.Content[i], mapping.Content[i+1])
	}
}

// yarnGraph reads yarn.lock, in Yarn's own form of version 1 and in the YAML of later ones. Only those name what the
// project needs.
//
// https://github.com/yarnpkg/yarn/blob/master/src/lockfile/parse.js
func yarnGraph(content []byte) (*graph, error) {
	y := yarn{g: &graph{}, byKey: map[string]int{}, at: -1}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		y.line(line, number)
	}
	for i, needs := range y.needs {
		for _, need := range needs {
			to, ok := y.find(need)
			switch {
			case ok:
				y.g.nodes[i].needs = append(y.g.nodes[i].needs, to)
				y.asked[need.key(to, y.keys)] = true
			case y.g.nodes[i].own:
				y.unresolved = true
			}
		}
	}
	if y.own {
		y.g.rooted = !y.unresolved
		y.g.fromOwn()
		return y.g, nil
	}
	for i, keys := range y.keys { // what no package asks for, the project does
		for _, key := range keys {
			y.g.nodes[i].direct = y.g.nodes[i].direct || !y.asked[key]
		}
	}
	return y.g, nil
}

type yarn struct {
	g          *graph
	at         int // the entry that is being read; -1 outside of entries
	inNeeds    bool
	keys       [][]string // by entry: "a@^1.0.0"
	needs      [][]yarnNeed
	byKey      map[string]int
	asked      map[string]bool
	own        bool
	unresolved bool
}

// yarnNeed is a name with a range of versions.
type yarnNeed struct{ name, wanted string }

// key is the one of an entry's keys that says so.
func (n yarnNeed) key(entry int, keys [][]string) string {
	for _, k := range keys[entry] {
		if k == n.name+"@"+n.wanted || k == n.name+"@npm:"+n.wanted {
			return k
		}
	}
	return ""
}

func (y *yarn) find(n yarnNeed) (int, bool) {
	for _, key := range []string{n.name + "@" + n.wanted, n.name + "@npm:" + n.wanted} {
		if to, ok := y.byKey[key]; ok {
			return to, true
		}
	}
	return 0, false
}

// line reads one line. What belongs to an entry is indented by two, what belongs to a part of it by four.
func (y *yarn) line(line string, number int) {
	if y.asked == nil {
		y.asked = map[string]bool{}
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	text := line[indent:]
	switch {
	case indent == 0:
		y.entry(text, number)
	case y.at < 0:
	case indent == 2:
		name, value := yarnPair(text)
		y.inNeeds = value == "" && (name == "dependencies" || name == "optionalDependencies")
		switch name {
		case "version":
			y.g.nodes[y.at].version = value
		case "resolution":
			if name, _, ok := strings.Cut(value[min(1, len(value)):], "@"); ok {
				y.g.nodes[y.at].name = value[:1] + name
			}
		}
	case indent == 4 && y.inNeeds:
		name, wanted := yarnPair(text)
		y.needs[y.at] = append(y.needs[y.at], yarnNeed{name, wanted})
	}
}

// entry begins an entry: its keys, separated by commas, and a colon.
func (y *yarn) entry(text string, number int) {
	y.at, y.inNeeds = -1, false
	text, ok := strings.CutSuffix(text, ":")
	if !ok || text == "__metadata" {
		return
	}
	var keys []string
	own := false
	for part := range strings.SplitSeq(text, ",") {
		key := strings.Trim(part, ` "`)
		if key == "" || !strings.Contains(key[1:], "@") {
			return
		}
		own = own || strings.Contains(key[1:], "@workspace:")
		keys = append(keys, key)
	}
	name := keys[0][:1+strings.IndexByte(keys[0][1:], '@')]
	if rest, ok := strings.CutPrefix(keys[0][len(name)+1:], "npm:"); ok && strings.LastIndexByte(rest, '@') > 0 {
		name = rest[:strings.LastIndexByte(rest, '@')] // another name for it
	}
	y.own = y.own || own
	y.at = y.g.add(graphNode{name: name, line: number, own: own})
	y.keys, y.needs = append(y.keys, keys), append(y.needs, nil)
	for _, key := range keys {
		y.byKey[key] = y.at
	}
}

// yarnPair splits `name value`, `"name" "value"` and `name: value`.
func yarnPair(text string) (name, value string) {
	if rest, quoted := strings.CutPrefix(text, `"`); quoted {
		name, value, _ = strings.Cut(rest, `"`)
		value = strings.TrimPrefix(value, ":")
	} else if at := strings.IndexAny(text, ": "); at >= 0 {
		name, value = text[:at], text[at+1:]
	} else {
		name = text
	}
	return name, strings.Trim(value, ` "`)
}
