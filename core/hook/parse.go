package hook

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/nearest"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictyaml"
)

//go:embed presets.yaml
var builtin []byte

// Settings are what a configuration says of hooks.
type Settings struct {
	// Auto adds the proved presets for the languages that are found.
	Auto bool
	// Hooks are those that are named or defined, in order.
	Hooks []Hook
	// RequireBarriers are the barriers without which no hook runs.
	RequireBarriers []string
}

// Bounds on a file of definitions.
const (
	maxDefinitions = 1 << 20 // bytes
	maxHooks       = 200
)

// Presets returns the presets of this program.
func Presets() ([]Hook, error) { return ParsePresets("built-in presets", builtin) }

// ParsePresets reads a file of presets: a mapping with the key "presets", a list of definitions. Everything that is wrong
// is reported together, with its place, within a core.Failure.
func ParsePresets(name string, data []byte) ([]Hook, error) {
	r := newReader(name)
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	var all []Hook
	seen := r.Keys(root, map[string]func(*yaml.Node){
		"presets": func(n *yaml.Node) { all = r.definitions(n, nil) },
	})
	if !seen["presets"] && root.Kind == yaml.MappingNode {
		r.Reject(root, `the key "presets" is missing`)
	}
	return all, r.failure()
}

// ParseSettings reads a document that says what "hooks" says in a configuration: see ReadSettings.
func ParseSettings(name string, data []byte, presets []Hook) (Settings, error) {
	r := newReader(name)
	root, err := r.document(data)
	if err != nil {
		return Settings{}, err
	}
	return r.settings(root, presets), r.failure()
}

// ReadSettings reads the value of the key "hooks" of a configuration file:
//
//	hooks: auto                 # proved presets for the languages that are found; "none" is the default
//	hooks: [gosec, bandit]      # presets by name
//	hooks:
//	  - gosec
//	  - name: semgrep           # a preset with other settings, or a definition of one's own
//	    network: [semgrep.dev]
//	hooks:
//	  run: auto                 # or a list as above
//	  require-barriers: [seccomp, landlock]
//	  with: [...]               # definitions that are added to "auto"
func ReadSettings(name string, value *yaml.Node, presets []Hook) (Settings, error) {
	r := newReader(name)
	if !r.Plain(value) {
		return Settings{}, r.failure()
	}
	return r.settings(value, presets), r.failure()
}

// Named reads a short form of settings: "auto", "none", or names separated by commas.
func Named(words string, presets []Hook) (Settings, error) {
	var s Settings
	for _, word := range strings.Split(words, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(presets, func(h Hook) bool { return h.Name == word })
		switch {
		case word == "auto":
			s.Auto = true
		case word == "none" && words == "none":
		case i < 0:
			return Settings{}, &core.Failure{Doing: "understand the hooks " + words, Usage: true,
				Err:  fmt.Errorf("there is no preset %q%s", word, nearest.Hint(word, names(presets))),
				Hint: "say auto, none, names of presets separated by commas, or a YAML file; see: cleanbill hooks list"}
		default:
			h := presets[i]
			h.Asked = true
			s.Hooks = append(s.Hooks, h)
		}
	}
	return s, nil
}

// reader reads the YAML of settings and definitions.
type reader struct{ strictyaml.Reader }

func newReader(name string) *reader { return &reader{strictyaml.Reader{File: name}} }

func (r *reader) failure() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &core.Failure{Doing: "read the hooks in " + r.File, Err: r.Problems.Sorted().First(), Usage: true}
}

// document returns the one value that the file must be.
func (r *reader) document(data []byte) (*yaml.Node, error) {
	if len(data) > maxDefinitions {
		return nil, &core.Failure{Doing: "read the hooks in " + r.File, Usage: true,
			Err: &limit.Exceeded{Limit: "hooks-size", Max: maxDefinitions, Unit: "bytes", What: r.File}}
	}
	root := r.Document(data, "it is empty")
	return root, r.failure()
}

// settings reads the value of "hooks".
func (r *reader) settings(n *yaml.Node, presets []Hook) Settings {
	var s Settings
	if n.Kind != yaml.MappingNode {
		r.run(n, presets, &s)
		return s
	}
	var with *yaml.Node
	r.Keys(n, map[string]func(*yaml.Node){
		"run":  func(n *yaml.Node) { r.run(n, presets, &s) },
		"with": func(n *yaml.Node) { with = n },
		"require-barriers": func(n *yaml.Node) {
			s.RequireBarriers = r.texts(n)
			for i, name := range s.RequireBarriers {
				if !requirable(name) {
					r.Reject(n.Content[i], "%q is no barrier: want one of %s", name, strings.Join(append(Barriers(), BarrierHosts), ", "))
				}
			}
		},
	})
	if with != nil {
		s.Hooks = append(s.Hooks, r.named(with, presets)...)
	}
	return s
}

// run reads which hooks run.
func (r *reader) run(n *yaml.Node, presets []Hook, s *Settings) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "auto":
		s.Auto = true
	case n.Kind == yaml.ScalarNode && n.Value == "none":
	case n.Kind == yaml.SequenceNode:
		s.Hooks = append(s.Hooks, r.named(n, presets)...)
	default:
		r.Reject(n, `say "auto", "none", or a list of names and definitions`)
	}
}

// named reads a list of names and definitions. All are asked for.
func (r *reader) named(n *yaml.Node, presets []Hook) []Hook {
	all := r.definitions(n, presets)
	for i := range all {
		all[i].Asked = true
	}
	return all
}

// definitions reads a list of definitions. With presets to build on, a name alone stands for one of them, and a
// definition with the name of one changes it.
func (r *reader) definitions(n *yaml.Node, presets []Hook) []Hook {
	if n.Kind != yaml.SequenceNode {
		r.Reject(n, "this must be a list, not %s", strictyaml.Kind(n))
		return nil
	}
	if len(n.Content) > maxHooks {
		r.Reject(n, "there are %d hooks; at most %d are read", len(n.Content), maxHooks)
		return nil
	}
	var all []Hook
	names := map[string]bool{}
	for _, item := range n.Content {
		var h Hook
		var ok bool
		if item.Kind == yaml.ScalarNode && presets != nil {
			h, ok = r.preset(item, presets)
		} else {
			h, ok = r.definition(item, presets)
		}
		if ok && names[h.Name] {
			r.Reject(item, "the hook %q is here a second time", h.Name)
		}
		if ok {
			names[h.Name] = true
			all = append(all, h)
		}
	}
	return all
}

func (r *reader) preset(n *yaml.Node, presets []Hook) (Hook, bool) {
	i := slices.IndexFunc(presets, func(h Hook) bool { return h.Name == n.Value })
	if i < 0 {
		r.Reject(n, "there is no preset %q%s; see: cleanbill hooks list", n.Value, nearest.Hint(n.Value, names(presets)))
		return Hook{}, false
	}
	return presets[i], true
}

func names(presets []Hook) []string {
	all := make([]string, 0, len(presets))
	for i := range presets {
		all = append(all, presets[i].Name)
	}
	return all
}

// definition reads one definition.
func (r *reader) definition(n *yaml.Node, presets []Hook) (Hook, bool) {
	h := Hook{Over: OverSource, ReportFile: "report", From: FromStdout, Exits: []int{0}, Limits: defaultLimits()}
	before := len(r.Problems)
	if n.Kind == yaml.MappingNode { // what it builds on has to be known first
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != "name" {
				continue
			}
			for _, p := range presets {
				if p.Name == n.Content[i+1].Value {
					h = p
				}
			}
		}
	}
	r.Keys(n, r.fields(&h))
	if len(r.Problems) > before {
		return h, false
	}
	r.check(n, &h)
	return h, len(r.Problems) == before
}

// fields are the keys of a definition.
func (r *reader) fields(h *Hook) map[string]func(*yaml.Node) {
	text := func(to *string) func(*yaml.Node) { return func(n *yaml.Node) { *to = r.Text(n) } }
	texts := func(to *[]string) func(*yaml.Node) { return func(n *yaml.Node) { *to = r.texts(n) } }
	size := func(to *int64) func(*yaml.Node) { return func(n *yaml.Node) { *to = r.size(n) } }
	return map[string]func(*yaml.Node){
		"name": func(n *yaml.Node) { h.Name = r.name(n) }, "argv": texts(&h.Argv), "languages": texts(&h.Languages),
		"files": texts(&h.Files), "each": text(&h.Each), "reads": texts(&h.Reads), "needs": texts(&h.Needs),
		"network": texts(&h.Network), "secrets": texts(&h.Secrets), "sha256": text(&h.SHA256), "install": text(&h.Install),
		"source": text(&h.Source), "format": text(&h.Format),
		"report-file": text(&h.ReportFile),
		"over":        func(n *yaml.Node) { h.Over = r.Choice(n, OverSource, OverImage) },
		"report":      func(n *yaml.Node) { h.From = r.Choice(n, FromStdout, FromStderr, FromFile) },
		"class": func(n *yaml.Node) {
			h.Class = Class(r.Choice(n, string(ClassStatic), string(ClassExecutes)))
		},
		"proof":        func(n *yaml.Node) { h.Proved = r.Choice(n, "proved", "documented") == "proved" },
		"exits":        func(n *yaml.Node) { h.Exits = r.exits(n) },
		"unix-sockets": func(n *yaml.Node) { h.UnixSockets, _ = r.Bool(n) },
		"env":          func(n *yaml.Node) { h.Env = r.environment(n) },
		"version":      func(n *yaml.Node) { h.Version = r.version(n) },
		"config": func(n *yaml.Node) {
			r.Keys(n, map[string]func(*yaml.Node){"name": text(&h.ConfigName), "text": text(&h.Config)})
		},
		"time":   func(n *yaml.Node) { h.Limits.Time = r.duration(n) },
		"memory": size(&h.Limits.Memory), "output": size(&h.Limits.Output), "disk": size(&h.Limits.Disk),
		"tasks": func(n *yaml.Node) { h.Limits.Tasks = int(r.number(n, 1, 100_000)) },
	}
}

// check looks at what a definition means as a whole.
func (r *reader) check(n *yaml.Node, h *Hook) {
	missing := func(key string, there bool) {
		if !there {
			r.Reject(n, "the key %q is missing", key)
		}
	}
	missing("name", h.Name != "")
	missing("argv", len(h.Argv) > 0)
	missing("class", h.Class != "")
	if missing("format", h.Format != ""); h.Format != "" && !slices.Contains(Formats(), h.Format) {
		r.Reject(n, "the format %q is not read: want one of %s", h.Format, strings.Join(Formats(), ", "))
	}
	if len(h.Languages) == 0 && len(h.Files) == 0 && h.Over == OverSource {
		r.Reject(n, `nothing selects it: "languages" or "files" is missing`)
	}
	if !h.Proved && h.Source == "" && h.Install == "" {
		r.Reject(n, `the key "source" or "install" is missing: where it is documented or how to get it`)
	}
	uses := func(placeholder string) bool {
		in := func(s string) bool { return strings.Contains(s, placeholder) }
		return slices.ContainsFunc(h.Argv, in) || slices.ContainsFunc(slices.Collect(maps.Values(h.Env)), in)
	}
	switch {
	case len(h.Argv) > 0 && strings.ContainsAny(h.Argv[0], "{}/\\"):
		r.Reject(n, "the program %q must be a name that is found in the PATH", h.Argv[0])
	case (h.From == FromFile) != (uses("{output}") || uses("{out}")):
		r.Reject(n, `a report in a file needs {output} or {out} in "argv", and these need "report: file"`)
	case (h.Config != "") != uses("{config}"):
		r.Reject(n, `a "config" needs {config} in "argv" or "env", and the other way round`)
	case uses("{image}") != (h.Over == OverImage):
		r.Reject(n, `{image} and "over: image" belong together`)
	case slices.Contains(h.Argv, "{files}") && h.Each != "":
		r.Reject(n, `{files} and "each" exclude each other`)
	}
	for _, language := range h.Languages {
		if !slices.Contains(Languages(), language) {
			r.Reject(n, "the language %q is not known: want one of %s", language, strings.Join(Languages(), ", "))
		}
	}
	for _, pattern := range h.Files {
		if _, err := path.Match(pattern, ""); err != nil {
			r.Reject(n, "%q is not a pattern of files", pattern)
		}
	}
	if raw, err := hex.DecodeString(h.SHA256); err != nil || h.SHA256 != "" && len(raw) != 32 || strings.ToLower(h.SHA256) != h.SHA256 {
		r.Reject(n, "%q is not a SHA-256: want 64 lower-case hex digits", h.SHA256)
	}
	for _, host := range h.Network {
		if _, err := parseHost(host); err != nil {
			r.Reject(n, "%v", err)
		}
	}
	for _, name := range slices.Concat(h.Secrets, slices.Collect(maps.Keys(h.Env))) {
		if !variableName(name) {
			r.Reject(n, "%q is not the name of a variable", name)
		}
	}
	for _, name := range []string{h.ConfigName, h.ReportFile} {
		if name != "" && (name != path.Base(name) || strings.HasPrefix(name, ".")) {
			r.Reject(n, "%q must be a plain file name", name)
		}
	}
	if h.Config != "" && h.ConfigName == "" {
		r.Reject(n, `"config" needs a name and a text`)
	}
}

func (r *reader) texts(n *yaml.Node) []string {
	all := []string{}
	for _, item := range r.Items(n) {
		all = append(all, r.Text(item))
	}
	return all
}

// name is a name that reports, waivers and command lines can carry without quoting.
func (r *reader) name(n *yaml.Node) string {
	s := r.Text(n)
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && strings.Trim(s, "-") == s && len(s) <= 40
	switch {
	case s != "" && !plain:
		r.Reject(n, "%q is not a name: use up to 40 lower-case letters, digits and dashes", s)
	case slices.Contains(reserved(), s):
		r.Reject(n, "%q is the name of an examination of our own", s)
	}
	return s
}

func (r *reader) number(n *yaml.Node, least, most int64) int64 {
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		r.Reject(n, "this must be a whole number from %d to %d", least, most)
	}
	return v
}

func (r *reader) exits(n *yaml.Node) []int {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.Reject(n, "this must be a list of exit codes")
		return nil
	}
	var all []int
	for _, item := range n.Content {
		all = append(all, int(r.number(item, 0, 125)))
	}
	return all
}

// size reads a number of bytes, with a suffix of KiB, MiB or GiB.
func (r *reader) size(n *yaml.Node) int64 {
	digits, unit := n.Value, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if d, ok := strings.CutSuffix(n.Value, suffix); ok {
			digits, unit = d, factor
		}
	}
	v, err := strconv.ParseInt(digits, 10, 32)
	if n.Kind != yaml.ScalarNode || err != nil || v <= 0 {
		r.Reject(n, "this must be a size, such as 500MiB")
	}
	return v * unit
}

func (r *reader) duration(n *yaml.Node) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 || d > 24*time.Hour {
		r.Reject(n, "this must be a time up to a day, such as 90s or 1h")
	}
	return d
}

func (r *reader) environment(n *yaml.Node) map[string]string {
	env := map[string]string{}
	if n.Kind != yaml.MappingNode {
		r.Reject(n, "this must be a mapping of names to values, not %s", strictyaml.Kind(n))
		return env
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if _, twice := env[n.Content[i].Value]; twice {
			r.Reject(n.Content[i], "%q is here a second time", n.Content[i].Value)
		}
		env[n.Content[i].Value] = r.Text(n.Content[i+1])
	}
	return env
}

func (r *reader) version(n *yaml.Node) Version {
	var v Version
	r.Keys(n, map[string]func(*yaml.Node){
		"argv":    func(n *yaml.Node) { v.Argv = r.texts(n) },
		"pattern": func(n *yaml.Node) { v.Pattern = r.Text(n) },
		"want":    func(n *yaml.Node) { v.Want = r.Text(n) },
	})
	pattern, err := regexp.Compile(v.Pattern)
	switch {
	case len(v.Argv) == 0 || v.Pattern == "":
		r.Reject(n, `"argv" and "pattern" are needed to ask for a version`)
	case err != nil:
		r.Reject(n, "the pattern is not a regular expression: %v", err)
	case pattern.NumSubexp() < 1:
		r.Reject(n, "the pattern needs a group around the version")
	}
	return v
}

func variableName(s string) bool {
	letters := strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == ""
	return s != "" && letters && (s[0] < '0' || s[0] > '9')
}
