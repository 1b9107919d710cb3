// Package kubernetes examines manifests, whoever rendered them: the Pod Security Standards by the library that the API
// server uses, and what they leave out: access rights, secrets, storage, limits, networks. One rule is one file; the
// standards are one table.
package kubernetes

import (
	"context"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// Object is one object of a manifest.
type Object struct {
	Group, Kind, Name, Namespace string
	Node                         yamldoc.Node
}

// maxItems is how many objects, lists included, one document may hold. Aliases can make lists of themselves.
const maxItems = 10_000

// Objects returns the objects of a document, those of lists as well; none if it is no manifest.
func Objects(doc yamldoc.Node) []Object {
	var all []Object
	open := []yamldoc.Node{doc}
	for range maxItems {
		if len(open) == 0 {
			break
		}
		n := open[0]
		open = open[1:]
		version, kind := n.Get("apiVersion").Text(), n.Get("kind").Text()
		if version == "" || kind == "" {
			continue
		}
		if items := n.Get("items"); strings.HasSuffix(kind, "List") && items.IsList() {
			inner := items.Items()
			open = append(open, inner[:min(len(inner), max(0, maxItems-len(open)))]...)
			continue
		}
		group, _, named := strings.Cut(version, "/")
		if !named {
			group = ""
		}
		meta := n.Get("metadata")
		name := meta.Get("name").Text()
		if name == "" {
			name = meta.Get("generateName").Text()
		}
		all = append(all, Object{Group: group, Kind: kind, Name: name, Namespace: meta.Get("namespace").Text(), Node: n})
	}
	return all
}

// key is what an object is called in fingerprints.
func (o Object) key() string {
	return strings.Join([]string{o.Group, o.Kind, o.Namespace, o.Name}, "/")
}

// title is what people call an object.
func (o Object) title() string {
	name := o.Kind + " " + o.Name
	if o.Namespace != "" {
		name += " in " + o.Namespace
	}
	return strings.TrimSpace(name)
}

func (o Object) is(group string, kinds ...string) bool {
	if o.Group != group {
		return false
	}
	for _, k := range kinds {
		if o.Kind == k {
			return true
		}
	}
	return false
}

// hit is a hit on a node of an object.
func (o Object) hit(at yamldoc.Node, detail string, more ...string) rule.Hit {
	if !at.Exists() {
		at = o.Node.Key("kind")
	}
	if detail != "" {
		detail = o.title() + ": " + detail
	} else {
		detail = o.title()
	}
	return rule.Hit{Detail: detail, Line: at.Line(), Column: at.Column(), Object: append([]string{o.key()}, more...)}
}

// Surroundings are what lies beside a manifest.
type Surroundings struct {
	// NetworkPolicy reports whether a file beside this one holds a NetworkPolicy.
	NetworkPolicy func() bool
}

// file is a manifest that was read.
type file struct {
	objects   []Object
	workloads []workload
	beside    Surroundings
}

// Examine looks for what is wrong with the objects of a manifest.
func Examine(ctx context.Context, c *rule.Collector, objects []Object, beside Surroundings) {
	f := &file{objects: objects, beside: beside}
	for _, o := range objects {
		if w, ok := workloadOf(o); ok {
			f.workloads = append(f.workloads, w)
		}
	}
	podSecurity(ctx, c, f)
	for _, r := range checks() {
		if ctx.Err() != nil {
			return
		}
		r.check(f, func(h rule.Hit) { c.Hit(r.Rule, h) })
	}
}
