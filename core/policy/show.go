package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// joined is what two policies say of one key together, as settings.with understands it: most keys replace, requirements
// and acceptances add up, and what is said of advisories is joined key by key.
func joined(key string, base, own *yaml.Node) *yaml.Node {
	if base == nil {
		return own
	}
	switch key {
	case "accept", "locked", "bases":
		both := *own
		both.Content = slices.Clone(base.Content)
		for _, item := range own.Content {
			if item.Kind != yaml.ScalarNode || !slices.ContainsFunc(both.Content, func(n *yaml.Node) bool { return n.Value == item.Value }) {
				both.Content = append(both.Content, item)
			}
		}
		return &both
	case "rego": // twice the same path is twice something else, beside another policy
		both := &yaml.Node{Kind: yaml.SequenceNode}
		for _, n := range []*yaml.Node{base, own} {
			if n.Kind == yaml.SequenceNode {
				both.Content = append(both.Content, n.Content...)
			} else {
				both.Content = append(both.Content, n)
			}
		}
		return both
	case "advisories":
		both := *own
		both.Content = slices.Clone(own.Content)
		for i := 0; i+1 < len(base.Content); i += 2 {
			if valueIn(own, base.Content[i].Value) == nil {
				both.Content = append(both.Content, base.Content[i], base.Content[i+1])
			}
		}
		return &both
	}
	return own
}

func valueIn(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// notShown are the keys that are shown as what all policies together make of them, or not at all.
func notShown() []string {
	return []string{"version", "name", "extends", "extends-signed-by", "require", "rules", "waivers", "waiver-files"}
}

// Show writes the policy with all that it extends as one file, in the order in which its rules are tried. Read again, it
// has the same digest, if the Rego modules that it names are beside it.
func (p *Policy) Show() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value *yaml.Node) {
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	add("version", word("1"))
	if wordForm.MatchString(p.ref.Name) {
		add("name", quoted(p.ref.Name))
	}
	add("extends", word(noBase))
	for _, key := range slices.Sorted(maps.Keys(p.nodes)) {
		if !slices.Contains(notShown(), key) {
			add(key, uncommented(p.nodes[key]))
		}
	}
	if len(p.settings.Require) > 0 {
		add("require", list(p.settings.Require)) // other keys, and saying nothing, require something too
	}
	waivers := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range p.settings.Waivers {
		waivers.Content = append(waivers.Content, p.settings.Waivers[i].node())
	}
	if len(p.settings.Waivers) > 0 {
		add("waivers", waivers)
	}
	rules := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range p.rules {
		rules.Content = append(rules.Content, r.node())
	}
	if len(p.rules) > 0 {
		add("rules", rules)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s, with all that it extends: %s\n", p.ref.Name, p.ref.Digest)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// quoted is a text that must not be read as a number or a truth value.
func quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// uncommented is a node without comments, which belong to the place that it had.
func uncommented(n *yaml.Node) *yaml.Node {
	c := *n
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, uncommented(child))
	}
	return &c
}

// list is a list of texts in one line.
func list[T ~string](values []T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		n.Content = append(n.Content, quoted(string(v)))
	}
	return n
}

func (w *waiver) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value *yaml.Node) { n.Content = append(n.Content, word(key), value) }
	add("id", quoted(w.ID))
	add("reason", quoted(w.Reason))
	add("owner", quoted(w.Owner))
	add("expires", quoted(w.Expires))
	match := &yaml.Node{Kind: yaml.MappingNode}
	for _, part := range []struct {
		key    string
		values *yaml.Node
	}{{"ids", list(w.Match.IDs)}, {"fingerprints", list(w.Match.Fingerprints)}, {"packages", list(w.Match.Packages)},
		{"paths", list(w.Match.Paths)}, {"images", list(w.Match.Images)}, {"kinds", list(w.Match.Kinds)}} {
		if len(part.values.Content) > 0 {
			match.Content = append(match.Content, word(part.key), part.values)
		}
	}
	add("match", match)
	if w.UntilFixed {
		add("until", word(untilFixed))
	}
	return n
}

func (r *rule) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, HeadComment: "from " + r.origin}
	add := func(key string, value *yaml.Node) {
		n.Content = append(n.Content, word(key), value)
	}
	add("name", quoted(r.Name))
	if r.Over != overFindings {
		add("for", word(r.Over))
	}
	if r.Locked {
		add("locked", word("true"))
	}
	if r.AppliesTo != nil {
		scope := &yaml.Node{Kind: yaml.MappingNode}
		for _, part := range []struct {
			key    string
			values []string
		}{{"branches", r.AppliesTo.Branches}, {"images", r.AppliesTo.Images}, {"paths", r.AppliesTo.Paths}} {
			if len(part.values) == 0 {
				continue
			}
			scope.Content = append(scope.Content, word(part.key), list(part.values))
		}
		add("applies-to", scope)
	}
	add("when", quoted(r.When))
	add("action", word(string(r.Action)))
	if r.Message != "" {
		add("message", quoted(r.Message))
	}
	return n
}
