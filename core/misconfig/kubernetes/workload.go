package kubernetes

import (
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// workload is an object that starts pods.
type workload struct {
	Object
	// builtin is true for the kinds of Kubernetes itself.
	builtin bool
	// template holds metadata and spec of the pods.
	template, spec yamldoc.Node
	containers     []container
	// patch is true if no container names an image: then it is laid over another object, and what it does not say means
	// nothing.
	patch bool
}

// container is one container of a workload.
type container struct {
	yamldoc.Node
	name string
	// list is the field that it is in: containers, initContainers, ephemeralContainers.
	list string
}

// maxContainers is how many containers of a workload are looked at. Kubernetes refuses objects far smaller than that.
const maxContainers = 500

func workloadOf(o Object) (workload, bool) {
	w := workload{Object: o, builtin: true}
	switch {
	case o.is("", "Pod"):
		w.template = o.Node
	case o.is("", "PodTemplate"):
		w.template = o.Node.Get("template")
	case o.is("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), o.is("extensions", "Deployment",
		"DaemonSet", "ReplicaSet"),
		o.is("batch", "Job"), o.is("", "ReplicationController"):
		w.template = o.Node.Get("spec", "template")
	case o.is("batch", "CronJob"):
		w.template = o.Node.Get("spec", "jobTemplate", "spec", "template")
	default: // Argo's Rollout, Knative's Service and many others have the same form
		w.template, w.builtin = o.Node.Get("spec", "template"), false
		if !w.template.Get("spec", "containers").IsList() {
			return workload{}, false
		}
	}
	w.spec = w.template.Get("spec")
	w.patch = true
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, c := range w.spec.Get(list).Items() {
			if len(w.containers) < maxContainers {
				w.containers = append(w.containers, container{c, c.Get("name").Text(), list})
			}
			w.patch = w.patch && !c.Get("image").Exists()
		}
	}
	return w, w.spec.IsMap()
}

// on is a hit on a node of a container.
func (w workload) on(c container, at yamldoc.Node, detail string, more ...string) rule.Hit {
	if !at.Exists() {
		at = c.Node
	}
	what := "container " + c.name
	if detail != "" {
		what += ", " + detail
	}
	h := w.hit(at, what, append([]string{c.list, c.name}, more...)...)
	h.Start = c.Line()
	return h
}

// each calls visit for every container of whole workloads.
func (f *file) each(visit func(workload, container)) {
	for _, w := range f.workloads {
		for _, c := range w.containers {
			if !w.patch {
				visit(w, c)
			}
		}
	}
}

// served reports whether the pods of a workload run until they are stopped.
func (w workload) served() bool {
	return !slices.Contains([]string{"Pod", "PodTemplate", "Job", "CronJob"}, w.Kind) && !strings.HasSuffix(w.Kind, "Job")
}
