package secret

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/zricethezav/gitleaks/v8/config"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// The files of a source tree that configure gitleaks.
//
// https://github.com/gitleaks/gitleaks#configuration
const (
	configFile = ".gitleaks.toml"
	ignoreFile = ".gitleaksignore"
)

const (
	// maxConfig bounds a configuration file or an ignore file, in bytes.
	maxConfig = 1 << 20
	// maxExtend is how many configurations may extend one another.
	maxExtend = 4
	// maxRules bounds the rules of all of them together.
	maxRules = 5000
)

// settings is a gitleaks configuration as it is written.
type settings struct {
	Title, Description string
	MinVersion         string `toml:"minVersion"`
	Extend             struct {
		Path          string
		URL           string
		UseDefault    bool     `toml:"useDefault"`
		DisabledRules []string `toml:"disabledRules"`
	}
	Rules []ruleText
	// Allowlist is the older form of Allowlists.
	Allowlist  *allowText
	Allowlists []allowText
}

type ruleText struct {
	ID, Description string
	Path, Regex     string
	SecretGroup     int `toml:"secretGroup"`
	Entropy         float64
	Keywords, Tags  []string
	Allowlist       *allowText
	Allowlists      []allowText
	Required        []struct {
		ID            string
		WithinLines   *int `toml:"withinLines"`
		WithinColumns *int `toml:"withinColumns"`
	}
	SkipReport bool `toml:"skipReport"`
}

type allowText struct {
	Description string
	Condition   string
	TargetRules []string `toml:"targetRules"`
	Commits     []string
	Paths       []string
	RegexTarget string `toml:"regexTarget"`
	Regexes     []string
	StopWords   []string `toml:"stopwords"`
	// source is the file of the user that says it, empty for gitleaks' own.
	source string
}

// ruleSet is what is looked for, and what is allowed whatever the rule.
type ruleSet struct {
	rules   []*rule // by id
	allowed []*allowlist
}

// ReadFile gives the content of a file of at most max bytes, by its path relative to the root of a tree. What is not there
// is fs.ErrNotExist.
type ReadFile func(name string, max int64) ([]byte, error)

// loadRules reads the configuration of a tree, or gitleaks' own where it has none. What is wrong with it is the user's
// mistake: a rule that cannot be read might have been the one that matters.
func loadRules(read ReadFile) (*ruleSet, error) {
	name, data := "gitleaks' own rules", []byte(config.DefaultConfig)
	switch own, err := read(configFile, maxConfig); {
	case err == nil:
		name, data = configFile, own
	case !errors.Is(err, fs.ErrNotExist):
		return nil, &core.Failure{Doing: "read " + configFile, Err: err, Usage: true}
	}
	l := loader{readFile: read}
	s, err := l.read(name, data, name == configFile)
	if err == nil {
		var set *ruleSet
		if set, err = compileSettings(s); err == nil {
			return set, nil
		}
	}
	return nil, &core.Failure{Doing: "read the rules for secrets in " + name, Err: err, Usage: true,
		Hint: "see https://github.com/gitleaks/gitleaks#configuration"}
}

// loader follows what configurations extend.
type loader struct {
	readFile ReadFile
	depth    int
}

// read parses a configuration and joins it with what it extends. own is true for what the user wrote: its allowlists are
// suppressions, those of gitleaks' own rules are part of the rules.
func (l *loader) read(name string, data []byte, own bool) (*settings, error) {
	if l.depth++; l.depth > maxExtend {
		return nil, fmt.Errorf("more than %d configurations extend one another", maxExtend)
	}
	s := &settings{}
	meta, err := toml.Decode(string(data), s)
	if err != nil {
		return nil, tomlError(name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: there is no key %q", name, unknown[0].String())
	}
	s.normalize(name, own)
	switch {
	case s.Extend.URL != "":
		return nil, fmt.Errorf("%s: extend.url is not supported: what is fetched can change", name)
	case s.Extend.UseDefault && s.Extend.Path != "":
		return nil, fmt.Errorf("%s: extend.useDefault and extend.path exclude each other", name)
	case s.Extend.UseDefault:
		base, err := l.read("gitleaks' own rules", []byte(config.DefaultConfig), false)
		if err != nil {
			return nil, err
		}
		return s.over(base), nil
	case s.Extend.Path != "":
		if !filepath.IsLocal(s.Extend.Path) {
			return nil, fmt.Errorf("%s: extend.path %q leads out of the tree", name, s.Extend.Path)
		}
		data, err := l.readFile(path.Clean(s.Extend.Path), maxConfig)
		if err != nil {
			return nil, fmt.Errorf("%s: read what it extends: %w", name, err)
		}
		base, err := l.read(s.Extend.Path, data, own)
		if err != nil {
			return nil, err
		}
		return s.over(base), nil
	}
	return s, nil
}

func tomlError(name string, err error) error {
	var at toml.ParseError
	if errors.As(err, &at) {
		return fmt.Errorf("%s:%d:%d: %s", name, at.Position.Line, at.Position.Col, at.Message)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// normalize brings older forms into the newer ones, and notes where allowlists are from.
func (s *settings) normalize(name string, own bool) {
	join := func(one **allowText, many *[]allowText) {
		if *one != nil {
			*many = append(*many, **one)
			*one = nil
		}
		for i := range *many {
			if own {
				(*many)[i].source = name
			}
		}
	}
	join(&s.Allowlist, &s.Allowlists)
	for i := range s.Rules {
		join(&s.Rules[i].Allowlist, &s.Rules[i].Allowlists)
	}
}

// over joins a configuration with the one that it extends, as gitleaks does: what it says of a rule wins, lists are
// joined, and disabled rules are dropped.
func (s *settings) over(base *settings) *settings {
	rules := map[string]ruleText{}
	for _, r := range base.Rules {
		if !slices.Contains(s.Extend.DisabledRules, r.ID) {
			rules[r.ID] = r
		}
	}
	for _, r := range s.Rules {
		b, extends := rules[r.ID]
		if extends {
			r.Description, r.Regex, r.Path = cmp.Or(r.Description, b.Description), cmp.Or(r.Regex, b.Regex), cmp.Or(r.Path, b.Path)
			r.Entropy, r.SecretGroup = cmp.Or(r.Entropy, b.Entropy), cmp.Or(r.SecretGroup, b.SecretGroup)
			r.Tags = slices.Concat(b.Tags, r.Tags)
			r.Keywords = slices.Concat(b.Keywords, r.Keywords)
			r.Allowlists = slices.Concat(b.Allowlists, r.Allowlists)
			r.Required = slices.Concat(b.Required, r.Required)
		}
		rules[r.ID] = r
	}
	joined := &settings{Allowlists: slices.Concat(s.Allowlists, base.Allowlists)}
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		joined.Rules = append(joined.Rules, rules[id])
	}
	return joined
}

// compileSettings checks the meaning of a configuration. Regular expressions are checked here and compiled when they are
// first needed: most never are.
func compileSettings(s *settings) (*ruleSet, error) {
	if len(s.Rules) > maxRules {
		return nil, &limit.Exceeded{Limit: "rules", Max: maxRules, Unit: "rules", What: "the configuration"}
	}
	set := &ruleSet{}
	byID := map[string]*rule{}
	for _, text := range s.Rules {
		r, err := newRule(text)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", text.ID, err)
		}
		if byID[r.id] != nil {
			return nil, fmt.Errorf("there are two rules %q", r.id)
		}
		byID[r.id] = r
		set.rules = append(set.rules, r)
	}
	for _, text := range s.Allowlists {
		a, err := newAllowlist(text)
		if err != nil {
			return nil, fmt.Errorf("an allowlist: %w", err)
		}
		for _, id := range text.TargetRules {
			r := byID[id]
			if r == nil {
				return nil, fmt.Errorf("an allowlist is for the rule %q, and there is none", id)
			}
			r.allowed = append(r.allowed, a)
		}
		if len(text.TargetRules) == 0 {
			set.allowed = append(set.allowed, a)
		}
	}
	for _, r := range set.rules {
		for i := range r.required {
			if r.required[i].rule = byID[r.required[i].id]; r.required[i].rule == nil {
				return nil, fmt.Errorf("rule %q requires the rule %q, and there is none", r.id, r.required[i].id)
			}
		}
	}
	slices.SortFunc(set.rules, func(a, b *rule) int { return strings.Compare(a.id, b.id) })
	return set, nil
}

func newRule(t ruleText) (*rule, error) {
	r := &rule{id: t.ID, description: t.Description, group: t.SecretGroup, entropy: t.Entropy, hidden: t.SkipReport}
	switch {
	case t.ID == "":
		return nil, errors.New("it has no id")
	case t.Regex == "" && t.Path == "":
		return nil, errors.New("it has neither a regex nor a path")
	}
	var err error
	if t.Path != "" {
		if r.path, err = regexp.Compile(t.Path); err != nil {
			return nil, fmt.Errorf("its path: %w", err)
		}
	}
	for _, k := range t.Keywords {
		if k = strings.ToLower(k); k != "" && !slices.Contains(r.keywords, k) {
			r.keywords = append(r.keywords, k)
		}
	}
	if t.Regex != "" {
		if err := r.plan(t.Regex); err != nil {
			return nil, fmt.Errorf("its regex: %w", err)
		}
		if r.group > r.groups {
			return nil, fmt.Errorf("its secretGroup is %d and its regex has %d groups", r.group, r.groups)
		}
	}
	for _, text := range t.Allowlists {
		a, err := newAllowlist(text)
		if err != nil {
			return nil, fmt.Errorf("an allowlist of it: %w", err)
		}
		r.allowed = append(r.allowed, a)
	}
	for _, q := range t.Required {
		r.required = append(r.required, required{id: q.ID, lines: q.WithinLines, columns: q.WithinColumns})
	}
	return r, nil
}
