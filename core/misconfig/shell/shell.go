// Package shell reads the commands of shell scripts that are part of other files: what RUN, a CI job or a history line
// executes. The grammar is mvdan.cc/sh's; this package flattens its tree to commands and pipelines, which is what rules
// look at. Nothing is executed or expanded.
package shell

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

const (
	// maxScript is the longest script, in bytes. The parser's stack grows with nesting, and nesting with length.
	maxScript = 64 << 10
	// maxVisits is how many nodes of a script's tree are looked at. Those within several pipelines or substitutions are
	// looked at more than once.
	maxVisits = 1 << 20
	// maxParens is how many parentheses may be open at a place. The parser tries each as arithmetic and as a subshell.
	maxParens = 200
)

var errIntricate = errors.New("the script is too intricate to be examined")

// Command is one simple command.
type Command struct {
	// Args are its words: quotes are taken off, expansions stand as "$NAME" and "$(…)".
	Args []string
	// Line and Column count from 1 within the script.
	Line, Column int
}

// Name is the command's name without its folder.
func (c Command) Name() string {
	if len(c.Args) == 0 {
		return ""
	}
	return path.Base(c.Args[0])
}

// Has reports whether one of the words is a.
func (c Command) Has(a ...string) bool {
	return slices.ContainsFunc(c.Args, func(w string) bool { return slices.Contains(a, w) })
}

// String is the command in one line.
func (c Command) String() string { return strings.Join(c.Args, " ") }

// Use is a mention of a variable.
type Use struct {
	Name         string
	Quoted       bool
	Line, Column int
}

// Script is what a script consists of.
type Script struct {
	// Commands are all simple commands, those in substitutions as well, in order.
	Commands []Command
	// Pipelines are the stages of each pipeline of more than one, each with its commands.
	Pipelines [][][]Command
	// Fed are commands that take the output of others as a word: sh -c "$(…)", bash <(…).
	Fed []Feed
	// Uses are all mentions of variables.
	Uses []Use

	piped map[*syntax.BinaryCmd]bool // those that are part of an outer pipeline
	used  map[syntax.Pos]bool
	left  int // nodes that may still be visited
}

// Feed is a command with the commands whose output is one of its words.
type Feed struct {
	To   Command
	From []Command
}

// Parse reads a script of sh or bash.
func Parse(text string) (script *Script, err error) {
	if len(text) > maxScript {
		return nil, fmt.Errorf("a script of %d bytes is longer than the %d that are read", len(text), maxScript)
	}
	if nested(text) > maxParens {
		return nil, errIntricate
	}
	defer func() {
		if p := recover(); p != nil {
			script, err = nil, errors.New("the script cannot be read")
		}
	}()
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	s := &Script{piped: map[*syntax.BinaryCmd]bool{}, used: map[syntax.Pos]bool{}, left: maxVisits}
	s.walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			s.call(n)
		case *syntax.BinaryCmd:
			s.pipeline(n)
		case *syntax.DblQuoted:
			s.uses(n)
		case *syntax.ParamExp:
			s.use(n, false)
		}
		return true
	})
	if s.left <= 0 {
		return nil, errIntricate
	}
	return s, nil
}

// nested is how many parentheses are open at the deepest place, quotes and all.
func nested(text string) int {
	deepest, open := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			open++
			deepest = max(deepest, open)
		case ')':
			open = max(0, open-1)
		}
	}
	return deepest
}

// walk visits nodes until no more may be visited.
func (s *Script) walk(n syntax.Node, visit func(syntax.Node) bool) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if s.left--; s.left <= 0 || n == nil {
			return false
		}
		return visit(n)
	})
}

func (s *Script) call(n *syntax.CallExpr) {
	c, ok := command(n)
	if !ok {
		return
	}
	s.Commands = append(s.Commands, c)
	var from []Command
	for _, w := range n.Args[1:] {
		from = append(from, s.within(w)...)
	}
	if len(from) > 0 {
		s.Fed = append(s.Fed, Feed{To: c, From: from})
	}
}

// pipeline adds the stages of a pipeline, from its outermost operator.
func (s *Script) pipeline(n *syntax.BinaryCmd) {
	if n.Op != syntax.Pipe && n.Op != syntax.PipeAll || s.piped[n] {
		return
	}
	var stages [][]Command
	open := []*syntax.Stmt{n.Y, n.X} // what is not flattened yet, the leftmost last
	for len(open) > 0 && s.left > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		inner, ok := last.Cmd.(*syntax.BinaryCmd)
		if ok && (inner.Op == syntax.Pipe || inner.Op == syntax.PipeAll) {
			s.piped[inner] = true
			open = append(open, inner.Y, inner.X)
			continue
		}
		stages = append(stages, s.commandsOf(last))
	}
	s.Pipelines = append(s.Pipelines, stages)
}

// uses adds the variables in double quotes, before they are met again on their own.
func (s *Script) uses(n *syntax.DblQuoted) {
	for _, part := range n.Parts {
		if p, ok := part.(*syntax.ParamExp); ok {
			s.use(p, true)
		}
	}
}

func (s *Script) use(p *syntax.ParamExp, quoted bool) {
	if p.Param == nil || s.used[p.Pos()] {
		return
	}
	s.used[p.Pos()] = true
	s.Uses = append(s.Uses, Use{
		Name: p.Param.Value, Quoted: quoted, Line: int(p.Pos().Line()), Column: int(p.Pos().Col()),
	})
}

func command(n *syntax.CallExpr) (Command, bool) {
	if len(n.Args) == 0 {
		return Command{}, false
	}
	c := Command{Line: int(n.Args[0].Pos().Line()), Column: int(n.Args[0].Pos().Col())}
	for _, w := range n.Args {
		c.Args = append(c.Args, word(w.Parts))
	}
	return c, true
}

// word is the text of a word.
func word(parts []syntax.WordPart) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(strings.ReplaceAll(p.Value, "\\\n", ""))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			b.WriteString(word(p.Parts))
		case *syntax.ParamExp:
			if p.Param != nil {
				b.WriteString("$" + p.Param.Value)
			}
		case *syntax.CmdSubst:
			b.WriteString("$(…)")
		case *syntax.ProcSubst:
			b.WriteString("<(…)")
		}
	}
	return b.String()
}

func (s *Script) commandsOf(n syntax.Node) []Command {
	var all []Command
	s.walk(n, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok {
			if c, ok := command(call); ok {
				all = append(all, c)
			}
		}
		return true
	})
	return all
}

// within are the commands in the substitutions of a word.
func (s *Script) within(w *syntax.Word) []Command {
	var all []Command
	s.walk(w, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst:
			all = append(all, s.commandsOf(n)...)
			return false
		}
		return true
	})
	return all
}
