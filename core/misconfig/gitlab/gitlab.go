// Package gitlab examines pipelines of GitLab CI. One rule is one file.
//
// https://docs.gitlab.com/ci/yaml/
package gitlab

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// Is reports whether a file is a pipeline, or a part of one: by its name, or as a template of a component.
func Is(p string, docs []yamldoc.Node) bool {
	name := path.Base(p)
	if strings.HasSuffix(name, ".gitlab-ci.yml") || strings.HasSuffix(name, ".gitlab-ci.yaml") {
		return true
	}
	ours := len(docs) > 1 && docs[0].Get("spec", "inputs").Exists() || strings.HasPrefix(p, ".gitlab/") ||
		strings.Contains(p, "/.gitlab/")
	return ours && slices.ContainsFunc(docs, func(d yamldoc.Node) bool {
		return d.Get("include").Exists() || slices.ContainsFunc(d.Pairs(),
			func(p yamldoc.Pair) bool { return p.Value.Get("script").Exists() })
	})
}

// file is a pipeline that was read.
type file struct {
	source *rule.Source
	roots  []yamldoc.Node
	jobs   []job
}

type job struct {
	yamldoc.Node
	name string
	key  yamldoc.Node
}

// Examine looks for what is wrong with a pipeline.
func Examine(ctx context.Context, c *rule.Collector, s *rule.Source, docs []yamldoc.Node) {
	f := &file{source: s, roots: docs}
	for _, doc := range docs {
		for _, p := range doc.Pairs() {
			name := p.Key.Text()
			if p.Value.IsMap() && !slices.Contains([]string{"variables", "workflow", "cache", "spec", "include", "artifacts"},
				name) {
				f.jobs = append(f.jobs, job{p.Value, name, p.Key})
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

func (f *file) hit(at yamldoc.Node, detail string, object ...string) rule.Hit {
	return rule.Hit{Detail: detail, Line: max(at.Line(), 1), Column: max(at.Column(), 1), Object: object}
}

// line is one entry of a script.
type line struct {
	job string
	at  yamldoc.Node
}

// lines are all entries of all scripts.
func (f *file) lines() []line {
	var all []line
	for _, j := range f.jobs {
		for _, key := range []string{"before_script", "script", "after_script"} {
			n := j.Get(key)
			if n.IsScalar() {
				all = append(all, line{j.name, n})
			}
			for _, item := range n.Items() {
				all = append(all, line{j.name, item})
				for _, inner := range item.Items() { // lists are flattened
					all = append(all, line{j.name, inner})
				}
			}
		}
	}
	return all
}

// in is a hit on a text within an entry of a script.
func (f *file) in(l line, text, detail string) rule.Hit {
	h := f.hit(l.at, detail, l.job, text)
	h.Line, h.Column = f.source.Within(h.Line, h.Column, strings.Count(l.at.Text(), "\n")+1, text)
	h.Start = l.at.Line()
	return h
}
