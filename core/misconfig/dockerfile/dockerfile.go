// Package dockerfile examines Dockerfiles and Containerfiles: stages, arguments and heredocs as BuildKit reads
// them, and
// the shell scripts in them. One rule is one file.
package dockerfile

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	lex "github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/cleanbill-ci/cleanbill/core/misconfig/known"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

const (
	// maxSize is the largest file, in bytes. The longest that people write has a few thousand lines.
	maxSize = 1 << 20
	// maxSteps is how many instructions a file may have, and maxVariables how many variables are followed at each of them.
	maxSteps, maxVariables = 5000, 200
)

// Wants reports whether a file is one to build an image by.
func Wants(p string) bool {
	name := path.Base(p)
	lower := strings.ToLower(name)
	switch {
	case lower == "dockerfile" || lower == "containerfile":
		return true
	case strings.HasSuffix(lower, ".dockerfile") || strings.HasSuffix(lower, ".containerfile"):
		return true
	case !strings.HasPrefix(name, "Dockerfile") && !strings.HasPrefix(name, "Containerfile"):
		return false
	}
	// Dockerfile.dev and Dockerfile-alpine are, DockerfileParser.java and Dockerfile.md are not.
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "Dockerfile"), "Containerfile")
	return strings.IndexByte(".-_", rest[0]) >= 0 && !slices.Contains(otherKinds(), path.Ext(lower))
}

// otherKinds are endings of what only speaks of such files, or makes them.
func otherKinds() []string {
	return []string{
		".md", ".txt", ".rst", ".adoc", ".html", ".go", ".py", ".js", ".ts", ".rb", ".rs", ".java", ".sh", ".bats", ".json",
		".yaml",
		".yml", ".toml", ".xml", ".tmpl", ".tpl", ".j2", ".jinja", ".jinja2", ".erb", ".mustache", ".template", ".in", ".m4",
		".dockerignore", ".containerignore", ".swp", ".bak", ".orig", ".diff", ".patch", ".lock", ".sig", ".sha256",
	}
}

// file is a Dockerfile that was read.
type file struct {
	source *rule.Source
	stages []stage
	steps  []step
	// final are the stages that the image consists of: the last one and those that it is built on, the base first.
	final []int
	// ignored says what the ignore file keeps out of the context; nil if there is none.
	ignored *ignored
	// escape is what a line ends with that goes on in the next one.
	escape rune
}

// stage is one FROM.
type stage struct {
	name string
	// base is the image or stage that it is built on, arguments put in; as written where they are not known.
	base string
	// on is the index of the stage that it is built on, or -1.
	on          int
	first, last int
	unknown     bool // the base is an argument without a default
	foreign     bool // its commands are not for a POSIX shell
}

// step is one instruction of a stage.
type step struct {
	command     instructions.Command
	stage       int
	onbuild     bool
	first, last int
	text        string
	env         map[string]string
	scripts     []script
}

// script is a shell script of an instruction, with the line of the file before its first.
type script struct {
	*shell.Script
	offset int
}

// Examine looks for what is wrong with a file. Ignore is what the ignore file of its context holds, nil for none.
func Examine(ctx context.Context, c *rule.Collector, s *rule.Source, ignore []byte) {
	if len(s.Text) > maxSize {
		c.Problem(fmt.Sprintf("it is larger than the %d MiB that are read of a file of this kind", maxSize>>20))
		return
	}
	f, err := read(ctx, c, s)
	if err != nil {
		c.Problem("it cannot be read as a Dockerfile: " + err.Error())
		return
	}
	if ignore != nil {
		f.ignored = &ignored{lines: strings.Split(string(ignore), "\n")}
	}
	for _, r := range checks() {
		if ctx.Err() != nil {
			return
		}
		r.check(f, func(h rule.Hit) { c.Hit(r.Rule, h) })
	}
}

// read parses a file. BuildKit's parser was written for files that their authors want to build: a panic is an error.
func read(ctx context.Context, c *rule.Collector, s *rule.Source) (f *file, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("its parser cannot read it: %v", p)
		}
	}()
	if syntax, _, _, ok := parser.DetectSyntax(s.Text); ok && !official(syntax) {
		c.Problem(fmt.Sprintf("it is for the frontend %q, which may read it in another way than BuildKit's own", syntax))
	}
	parsed, err := parser.Parse(bytes.NewReader(s.Text))
	if err != nil {
		return nil, err
	}
	stages, arguments, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	if len(parsed.AST.Children) > maxSteps {
		return nil, fmt.Errorf("it has more than the %d instructions that are read", maxSteps)
	}
	f = &file{source: s, escape: parsed.EscapeToken}
	global := map[string]string{}
	for _, a := range arguments {
		addArguments(global, a.Args)
	}
	for _, st := range stages {
		f.addStage(st, global)
	}
	if len(f.stages) == 0 {
		return nil, fmt.Errorf("it has no FROM")
	}
	for at := len(f.stages) - 1; at >= 0; at = f.stages[at].on {
		f.final = append(f.final, at)
	}
	slices.Reverse(f.final)
	f.readScripts(ctx, c)
	return f, nil
}

// official reports whether a syntax directive names BuildKit's own frontend.
//
// https://docs.docker.com/build/buildkit/frontend/
func official(syntax string) bool {
	name := strings.TrimPrefix(known.ParseReference(strings.Fields(syntax + " -")[0]).Name, "docker.io/")
	return name == "docker/dockerfile" || name == "docker/dockerfile-upstream"
}

func addArguments(env map[string]string, arguments []instructions.KeyValuePairOptional) {
	for _, kv := range arguments {
		if kv.Value != nil {
			put(env, kv.Key, expand(*kv.Value, env))
		}
	}
}

// put sets a variable, as long as there are not too many.
func put(env map[string]string, name, value string) {
	if _, known := env[name]; known || len(env) < maxVariables {
		env[name] = value
	}
}

// variables are the arguments and the environment at some place.
type variables map[string]string

func (v variables) Get(key string) (string, bool) { value, ok := v[key]; return value, ok }

func (v variables) Keys() []string {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// maxWord is the longest word that is expanded, and what it may become: expansions nest, and repeat.
const maxWord = 8 << 10

// expand puts known variables in; a word that would be empty without unknown ones stays as it is written.
func expand(word string, env map[string]string) string {
	if !strings.Contains(word, "$") || len(word) > maxWord {
		return word
	}
	out, missing, err := lex.NewLex('\\').ProcessWord(word, variables(env))
	if err != nil || len(missing) > 0 && out == "" || out == "" || len(out) > maxWord {
		return word
	}
	return out
}

func (f *file) addStage(st instructions.Stage, global map[string]string) {
	index := len(f.stages)
	s := stage{name: st.Name, base: expand(st.BaseName, global), on: -1}
	s.first, s.last = lines(st.Location)
	s.unknown = strings.Contains(s.base, "$") || s.base == ""
	s.on = f.stageNamed(s.base)
	s.foreign = isWindows(s.base) || s.on >= 0 && f.stages[s.on].foreign
	env := map[string]string{}
	if s.on >= 0 {
		for i := len(f.steps) - 1; i >= 0; i-- {
			if f.steps[i].stage == s.on {
				env = f.steps[i].env
				break
			}
		}
	}
	f.stages = append(f.stages, s)
	for _, command := range st.Commands {
		env = f.addStep(step{command: command, stage: index, env: env}, global)
	}
}

// addStep adds an instruction, and gives the environment behind it.
func (f *file) addStep(st step, global map[string]string) map[string]string {
	if st.first == 0 {
		st.first, st.last = lines(st.command.Location())
	}
	st.text = f.text(st.first, st.last)
	env := st.env
	set := func(change func(map[string]string)) {
		copied := make(map[string]string, len(env)+1)
		for k, v := range env {
			copied[k] = v
		}
		change(copied)
		env = copied
	}
	switch c := st.command.(type) {
	case *instructions.ArgCommand:
		set(func(e map[string]string) {
			for _, kv := range c.Args {
				if value, ok := global[kv.Key]; ok && kv.Value == nil {
					put(e, kv.Key, value)
				}
			}
			addArguments(e, c.Args)
		})
	case *instructions.EnvCommand:
		set(func(e map[string]string) {
			for _, kv := range c.Env {
				put(e, kv.Key, expand(kv.Value, st.env))
			}
		})
	case *instructions.ShellCommand:
		if len(c.Shell) > 0 { // which may be started by another program, such as env
			f.stages[st.stage].foreign = !slices.ContainsFunc(c.Shell, posix)
		}
	case *instructions.OnbuildCommand:
		if inner := onbuild(c.Expression); inner != nil {
			f.addStep(step{command: inner, stage: st.stage, onbuild: true, first: st.first, last: st.last, env: env}, global)
			return env
		}
	}
	if run, ok := st.command.(*instructions.RunCommand); ok {
		// The mounts are only there when they were expanded; those that cannot be are for the build to complain about.
		_ = run.Expand(func(word string) (string, error) { return expand(word, env), nil })
	}
	st.env = env
	f.steps = append(f.steps, st)
	return env
}

// onbuild parses the instruction that a later build executes.
func onbuild(expression string) instructions.Command {
	parsed, err := parser.Parse(strings.NewReader(expression))
	if err != nil || len(parsed.AST.Children) != 1 {
		return nil
	}
	command, err := instructions.ParseCommand(parsed.AST.Children[0])
	if err != nil {
		return nil
	}
	return command
}

func posix(sh string) bool {
	return slices.Contains([]string{"sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"}, path.Base(strings.ReplaceAll(sh,
		`\`, "/")))
}

func isWindows(base string) bool {
	return strings.Contains(base, "windows/") || strings.Contains(base, "nanoserver") || strings.Contains(base,
		"servercore")
}

// stageNamed is the stage that a name or number means, or -1.
func (f *file) stageNamed(name string) int {
	for i := len(f.stages) - 1; i >= 0; i-- {
		if f.stages[i].name != "" && strings.EqualFold(f.stages[i].name, name) {
			return i
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(f.stages) {
		return n
	}
	return -1
}

func lines(ranges []parser.Range) (first, last int) {
	if len(ranges) == 0 {
		return 1, 1
	}
	return ranges[0].Start.Line, ranges[len(ranges)-1].End.Line
}

// maxText is how much of an instruction makes it the same one, in bytes.
const maxText = 4 << 10

// text is an instruction in one line, however it is broken.
func (f *file) text(first, last int) string {
	var words []string
	size := 0
	for n := first; n <= last && size < maxText; n++ {
		line := strings.TrimSpace(f.source.Line(n))
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSuffix(line, `\`)
		words = append(words, strings.Fields(line)...)
		size += len(line)
	}
	text := strings.Join(words, " ")
	return text[:min(len(text), maxText)]
}

// inFinal reports whether the image has what a stage does.
func (f *file) inFinal(stage int) bool { return slices.Contains(f.final, stage) }

// finalSteps are the instructions that the image itself comes of, in order, without those for later builds.
func (f *file) finalSteps() []step {
	var all []step
	for _, index := range f.final {
		for _, st := range f.steps {
			if st.stage == index && !st.onbuild {
				all = append(all, st)
			}
		}
	}
	return all
}

// hit is a hit on an instruction, at what of it stands in its lines.
func (f *file) hit(st step, what, detail string) rule.Hit {
	h := rule.Hit{Detail: detail, EndLine: st.last, Start: st.first, Object: []string{f.stageKey(st.stage), st.text, what}}
	h.Line, h.Column = f.source.Find(st.first, st.last, what)
	return h
}

// at is a hit on a command of a script.
func (f *file) at(st step, sc script, c shell.Command, detail string) rule.Hit {
	return rule.Hit{
		Detail: detail, Line: sc.offset + c.Line, Column: c.Column, EndLine: st.last, Start: st.first,
		Object: []string{f.stageKey(st.stage), c.String()},
	}
}

// stageKey names a stage so that it is the same when others come before it.
func (f *file) stageKey(index int) string {
	s := f.stages[index]
	if s.name != "" {
		return s.name
	}
	return s.base
}

// commands calls visit for every command that RUN executes.
func (f *file) commands(visit func(step, script, shell.Command)) {
	for _, st := range f.steps {
		for _, sc := range st.scripts {
			for _, c := range sc.Commands {
				visit(st, sc, c)
			}
		}
	}
}

// images calls visit for every image that the file names, with where it does.
func (f *file) images(visit func(image string, unknown bool, h rule.Hit)) {
	for _, s := range f.stages {
		if s.on >= 0 || s.base == "scratch" {
			continue
		}
		line, column := f.source.Find(s.first, s.last, "FROM")
		if at := strings.Index(f.source.Line(line), strings.Fields(s.base + " -")[0]); at >= 0 {
			column = at + 1
		}
		visit(s.base, s.unknown, rule.Hit{Line: line, Column: column, EndLine: s.last, Start: s.first,
			Object: []string{known.ParseReference(s.base).Name}})
	}
	for _, st := range f.steps {
		for _, from := range f.copiesFrom(st) {
			image := expand(from, st.env)
			if f.stageNamed(image) >= 0 || image == "" || image == "scratch" || !strings.ContainsAny(image, "/:@.") {
				continue // a stage, or a named context that only the build command knows
			}
			h := f.hit(st, from, "")
			h.Object = []string{known.ParseReference(image).Name}
			visit(image, strings.Contains(image, "$"), h)
		}
	}
}

func (f *file) copiesFrom(st step) []string {
	switch c := st.command.(type) {
	case *instructions.CopyCommand:
		return []string{c.From}
	case *instructions.RunCommand:
		var all []string
		for _, m := range instructions.GetMounts(c) {
			all = append(all, m.From)
		}
		return all
	}
	return nil
}
