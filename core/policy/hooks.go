package policy

import (
	"encoding/json"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Hooks are what a policy says of the programs that look at sources beside this one. What it means is known to those who
// run them; here it is part of what the policy is.
type Hooks struct {
	// File is the policy file that says it, and Value what it says, with its places in that file. Value is nil if no
	// policy says anything.
	File  string
	Value *yaml.Node
}

// Hooks returns what the policy, or the nearest one that it extends, says of hooks.
func (p *Policy) Hooks() Hooks { return Hooks{File: p.hooksIn, Value: p.nodes["hooks"]} }

// Required returns the names of the examinations that the policy requires.
func (p *Policy) Required() []string { return slices.Clone(p.settings.Require) }

// hooks reads the value in the form in which it belongs to the meaning of the policy: without comments and layout.
func (r *reader) hooks(n *yaml.Node) json.RawMessage {
	switch {
	case n.Kind == yaml.ScalarNode && (n.Value == "auto" || n.Value == "none"), n.Kind == yaml.SequenceNode, n.Kind == yaml.MappingNode:
	default:
		r.Reject(n, `say "auto", "none", a list of names and definitions, or a mapping with "run"`)
		return nil
	}
	var value any
	if err := n.Decode(&value); err != nil {
		r.Reject(n, "this cannot be read: %v", err)
		return nil
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		r.Reject(n, "keys and values must be text, numbers or lists: %v", err)
		return nil
	}
	return canonical
}
