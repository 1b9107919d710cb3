// Package imageconfig examines what was really built: the configuration and history of an image, and the modes of its
// files. One rule is one file.
package imageconfig

import (
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/shell"
)

// Config is what is known of an image when its layers were read.
type Config struct {
	Facts core.ImageFacts
	// Env are the variables with their values, which are looked at and never recorded.
	Env []string
	// Now is the time of the examination.
	Now time.Time
}

// file is an image that is examined.
type file struct {
	Config
	steps []step
}

// step is one line of the history that made a layer.
type step struct {
	layer  int
	text   string
	args   []string // of the build, with their values
	script *shell.Script
}

// Examine looks for what is wrong with an image's configuration and history.
func Examine(c Config) []core.Finding {
	f := &file{Config: c}
	for i, l := range c.Facts.Layers {
		f.steps = append(f.steps, stepOf(i, l.CreatedBy))
	}
	findings := []core.Finding{}
	for _, r := range checks() {
		r.check(f, func(h rule.Hit) {
			one := rule.Finding(r.Rule, h)
			one.Subject = c.Facts.Subject
			findings = append(findings, one)
		})
	}
	return findings
}

// stepOf reads a line of history: "RUN |1 NAME=value /bin/sh -c COMMAND # buildkit" of BuildKit, the same
// without RUN of
// the builder before it, "/bin/sh -c #(nop) …" for instructions that execute nothing.
func stepOf(layer int, line string) step {
	s := step{layer: layer, text: line}
	rest := strings.TrimPrefix(line, "RUN ")
	if strings.HasPrefix(rest, "|") {
		before, after, ok := strings.Cut(rest, "/bin/sh -c ")
		if ok {
			s.args = strings.Fields(before)[1:]
			rest = after
		}
	}
	rest = strings.TrimPrefix(rest, "/bin/sh -c ")
	if strings.HasPrefix(rest, "#(nop)") || strings.HasPrefix(rest, "COPY ") || strings.HasPrefix(rest, "ADD ") {
		return s
	}
	// What is no shell script was not made by a shell: history is free text, and what made the layer is in it.
	s.script, _ = shell.Parse(rest)
	return s
}
