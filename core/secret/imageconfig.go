package secret

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Config looks into what an image's configuration keeps for everybody who may pull it: the environment, labels, commands,
// and the history with the build arguments of every step. The configuration was read before and is valid.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
func (d *Detector) Config(subject core.Digest, raw []byte) ([]core.Finding, core.Examination) {
	x := core.Examination{Name: core.ExamineSecrets, Subject: subject, Tool: "secrets/configuration", Version: Version,
		Status: core.Complete}
	var config v1.ConfigFile
	if err := json.Unmarshal(raw, &config); err != nil {
		x.Status, x.Why = core.Failed, []string{fmt.Sprintf("the configuration could not be searched: %v", err)}
		return nil, x
	}
	var found []core.Finding
	for _, t := range texts(&config) {
		matches, more := d.scanner.scan([]byte(t.text), t.where, "", 1)
		if more {
			x.Status, x.Why = core.Partial, append(x.Why, fmt.Sprintf("more than %d secrets in the %s", maxMatches, t.where))
		}
		for _, m := range matches {
			m.number, m.column = 0, 0 // it has no lines that anybody could look up
			f := d.finding(m)
			f.Subject = subject
			f.Fix.Text = "revoke it and issue another; give secrets to builds with RUN --mount=type=secret and to containers when they run"
			found = append(found, f)
		}
	}
	return found, x
}

// text is one part of a configuration, and what people call it.
type text struct{ where, text string }

const inConfig = "image configuration: "

func texts(config *v1.ConfigFile) []text {
	var all []text
	c := &config.Config
	for _, e := range c.Env {
		name, _, _ := strings.Cut(e, "=")
		all = append(all, text{inConfig + "ENV " + name, e})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		all = append(all, text{inConfig + "LABEL " + name, name + "=" + c.Labels[name]})
	}
	for _, command := range []text{
		{"ENTRYPOINT", strings.Join(c.Entrypoint, " ")}, {"CMD", strings.Join(c.Cmd, " ")},
		{"ONBUILD", strings.Join(c.OnBuild, "\n")}, {"SHELL", strings.Join(c.Shell, " ")},
	} {
		all = append(all, text{inConfig + command.where, command.text})
	}
	if c.Healthcheck != nil {
		all = append(all, text{inConfig + "HEALTHCHECK", strings.Join(c.Healthcheck.Test, " ")})
	}
	for i, h := range config.History {
		where := fmt.Sprintf("%shistory, step %d", inConfig, i+1)
		all = append(all, text{where, h.CreatedBy}, text{where, h.Comment})
	}
	return all
}

// Redact returns a text with a mark in the place of every secret in it. What evidence repeats of a configuration, such as
// the history with its build arguments, must not repeat those.
func (d *Detector) Redact(s string) string {
	matches, more := d.scanner.scan([]byte(s), inConfig, "", 1)
	if more {
		return redacted
	}
	slices.SortFunc(matches, func(a, b *match) int { return cmp.Compare(b.start, a.start) })
	end := len(s)
	for _, m := range matches {
		if m.end <= end { // of two that overlap the later one took the end of the earlier
			s, end = s[:m.start]+redacted+s[m.end:], m.start
		} else if m.start < end {
			s, end = s[:m.start]+redacted+s[end:], m.start
		}
	}
	return s
}

const redacted = "[secret]"

// RedactFacts replaces the secrets in what an image's facts repeat of its configuration.
func (d *Detector) RedactFacts(f *core.ImageFacts) {
	for i := range f.Layers {
		f.Layers[i].CreatedBy = d.Redact(f.Layers[i].CreatedBy)
	}
	for _, list := range [][]string{f.Entrypoint, f.Cmd} {
		for i := range list {
			list[i] = d.Redact(list[i])
		}
	}
	for name, value := range f.Labels {
		if safe, ok := strings.CutPrefix(d.Redact(name+"="+value), name+"="); ok {
			f.Labels[name] = safe
		} else {
			f.Labels[name] = redacted
		}
	}
}
