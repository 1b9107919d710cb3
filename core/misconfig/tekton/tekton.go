// Package tekton examines tasks and pipelines of Tekton. One rule is one file.
//
// https://tekton.dev/docs/pipelines/tasks/
package tekton

import (
	"context"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// Object is what a manifest says of an object of Tekton's.
type Object struct {
	Kind, Name, Namespace string
	Node                  yamldoc.Node
}

// file is the objects that were read.
type file struct {
	source *rule.Source
	specs  []spec
	roots  []Object
}

// spec is a task: of its own, or within a pipeline or run.
type spec struct {
	yamldoc.Node
	where string
	steps []step
}

type step struct {
	yamldoc.Node
	name string
	// list is steps, sidecars or stepTemplate.
	list string
}

// Examine looks for what is wrong with the objects of a manifest.
func Examine(ctx context.Context, c *rule.Collector, s *rule.Source, objects []Object) {
	f := &file{source: s, roots: objects}
	for _, o := range objects {
		where := o.Kind + "/" + o.Namespace + "/" + o.Name
		root := o.Node.Get("spec")
		switch {
		case o.Kind == "StepAction":
			f.specs = append(f.specs, spec{root, where, []step{{root, o.Name, "steps"}}})
			continue
		case root.Get("steps").IsList():
			f.add(root, where)
		}
		f.add(root.Get("taskSpec"), where)
		for _, pipeline := range []yamldoc.Node{root, root.Get("pipelineSpec")} {
			for _, list := range []string{"tasks", "finally"} {
				for _, t := range pipeline.Get(list).Items() {
					f.add(t.Get("taskSpec"), where+"/"+t.Get("name").Text())
				}
			}
		}
	}
	for _, r := range checks() {
		if ctx.Err() != nil {
			return
		}
		r.check(f, func(h rule.Hit) { c.Hit(r.Rule, h) })
	}
}

func (f *file) add(n yamldoc.Node, where string) {
	if !n.IsMap() {
		return
	}
	sp := spec{Node: n, where: where}
	for _, list := range []string{"steps", "sidecars"} {
		for _, item := range n.Get(list).Items() {
			sp.steps = append(sp.steps, step{item, item.Get("name").Text(), list})
		}
	}
	if template := n.Get("stepTemplate"); template.IsMap() {
		sp.steps = append(sp.steps, step{template, "stepTemplate", "stepTemplate"})
	}
	f.specs = append(f.specs, sp)
}

// each calls visit for every step.
func (f *file) each(visit func(spec, step)) {
	for _, sp := range f.specs {
		for _, st := range sp.steps {
			visit(sp, st)
		}
	}
}

// hit is a hit on a node of a step.
func (f *file) hit(sp spec, st step, at yamldoc.Node, detail string, more ...string) rule.Hit {
	if !at.Exists() {
		at = st.Node
	}
	return rule.Hit{Detail: strings.TrimSuffix("step "+st.name+", "+detail, ", "), Line: max(at.Line(), 1),
		Column: max(at.Column(), 1),
		Start:  st.Line(), Object: append([]string{sp.where, st.list, st.name}, more...)}
}
