// Package github examines workflows and composite actions of GitHub Actions. One rule is one file.
//
// https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions
package github

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

// Is reports whether a document is a workflow or an action.
func Is(p string, doc yamldoc.Node) bool {
	name := path.Base(p)
	action := (name == "action.yml" || name == "action.yaml") && doc.Get("runs", "using").Exists()
	if action {
		return true
	}
	for _, j := range doc.Get("jobs").Pairs() {
		if doc.Get("on").Exists() && (j.Value.Get("runs-on").Exists() || j.Value.Get("uses").Exists()) {
			return true
		}
	}
	return false
}

// file is a workflow or action that was read.
type file struct {
	source *rule.Source
	root   yamldoc.Node
	// action is true for an action.
	action bool
	jobs   []job
	steps  []step
	on     []string
}

type job struct {
	yamldoc.Node
	name string
	key  yamldoc.Node
}

type step struct {
	yamldoc.Node
	job string
}

// Examine looks for what is wrong with a workflow or action.
func Examine(ctx context.Context, c *rule.Collector, s *rule.Source, doc yamldoc.Node) {
	f := &file{source: s, root: doc, action: doc.Get("runs").Exists() && !doc.Get("jobs").Exists()}
	for _, item := range doc.Get("runs", "steps").Items() {
		f.steps = append(f.steps, step{item, ""})
	}
	for _, p := range doc.Get("jobs").Pairs() {
		f.jobs = append(f.jobs, job{p.Value, p.Key.Text(), p.Key})
		for _, item := range p.Value.Get("steps").Items() {
			f.steps = append(f.steps, step{item, p.Key.Text()})
		}
	}
	on := doc.Get("on")
	f.on = on.Texts()
	for _, p := range on.Pairs() {
		f.on = append(f.on, p.Key.Text())
	}
	for _, r := range checks() {
		if ctx.Err() != nil {
			return
		}
		r.check(f, func(h rule.Hit) { c.Hit(r.Rule, h) })
	}
}

// triggered reports whether one of the events starts the workflow.
func (f *file) triggered(events ...string) bool {
	return slices.ContainsFunc(f.on, func(e string) bool { return slices.Contains(events, e) })
}

// privileged reports whether strangers start the workflow with the rights of the repository.
func (f *file) privileged() bool {
	return f.triggered("pull_request_target", "issue_comment", "issues", "workflow_run", "discussion",
		"discussion_comment", "fork", "watch",
		"pull_request_review", "pull_request_review_comment")
}

// hit is a hit on a node.
func (f *file) hit(at yamldoc.Node, detail string, object ...string) rule.Hit {
	line, column := max(at.Line(), 1), max(at.Column(), 1)
	return rule.Hit{Detail: detail, Line: line, Column: column, Object: object}
}

// in is a hit on a text within a scalar of a step.
func (f *file) in(s step, at yamldoc.Node, text, detail string) rule.Hit {
	h := f.hit(at, detail, s.job, s.title(), text)
	h.Line, h.Column = f.source.Within(h.Line, h.Column, strings.Count(at.Text(), "\n")+1, text)
	h.Start = s.Line()
	return h
}

// title is what a step is called, so that it is the same when others come before it.
func (s step) title() string {
	for _, key := range []string{"id", "name", "uses"} {
		if text := s.Get(key).Text(); text != "" {
			return text
		}
	}
	return ""
}

// scripts are what a step executes that expressions are put into.
func (s step) scripts() []yamldoc.Node {
	var all []yamldoc.Node
	if run := s.Get("run"); run.Exists() {
		all = append(all, run)
	}
	if strings.HasPrefix(s.Get("uses").Text(), "actions/github-script@") {
		all = append(all, s.Get("with", "script"))
	}
	return all
}

// expressions are what stands between ${{ and }}.
func expressions(text string) []string {
	var all []string
	for {
		_, rest, ok := strings.Cut(text, "${{")
		if !ok {
			return all
		}
		inner, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return all
		}
		all = append(all, inner)
		text = after
	}
}

// script reads the shell script of a step; nil if it is for another shell or cannot be read, as for scripts with
// expressions in odd places.
func (s step) script() *shell.Script {
	if sh := s.Get("shell").Text(); sh != "" && sh != "bash" && sh != "sh" {
		return nil
	}
	text := s.Get("run").Text()
	for _, e := range expressions(text) {
		text = strings.Replace(text, "${{"+e+"}}", "EXPRESSION", 1)
	}
	script, err := shell.Parse(text)
	if err != nil {
		return nil
	}
	return script
}
