package secret

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// allowlist says what is no secret although a rule matches.
//
// https://github.com/gitleaks/gitleaks#configuration
type allowlist struct {
	description string
	// source is the file of the user that says it; empty for a part of gitleaks' own rules.
	source    string
	all       bool // every check that it has must hold, and not one of them
	commits   []string
	paths     []pattern
	patterns  []pattern
	target    string // what the patterns are tried on: the secret, the "match" or the "line"
	stopwords []string
}

// pattern is a regular expression that is compiled when it is first needed.
type pattern func() *regexp.Regexp

func newAllowlist(t allowText) (*allowlist, error) {
	a := &allowlist{description: t.Description, source: t.source, target: t.RegexTarget}
	switch strings.ToUpper(t.Condition) {
	case "AND", "&&":
		a.all = true
	case "", "OR", "||":
	default:
		return nil, fmt.Errorf("its condition is %q; want and, or", t.Condition)
	}
	switch t.RegexTarget {
	case "secret":
		a.target = ""
	case "", "match", "line":
	default:
		return nil, fmt.Errorf("its regexTarget is %q; want match, line", t.RegexTarget)
	}
	var err error
	if a.paths, err = patterns(t.Paths); err != nil {
		return nil, err
	}
	if a.patterns, err = patterns(t.Regexes); err != nil {
		return nil, err
	}
	for _, c := range t.Commits {
		a.commits = append(a.commits, strings.ToLower(strings.TrimSpace(c)))
	}
	for _, w := range t.StopWords {
		a.stopwords = append(a.stopwords, strings.ToLower(w))
	}
	if len(a.commits)+len(a.paths)+len(a.patterns)+len(a.stopwords) == 0 {
		return nil, errors.New("it checks nothing: want commits, paths, regexes or stopwords")
	}
	return a, nil
}

func patterns(texts []string) ([]pattern, error) {
	var all []pattern
	for _, text := range texts {
		if err := checkExpression(text); err != nil {
			return nil, err
		}
		all = append(all, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) }))
	}
	return all, nil
}

// allows reports whether it says that a match is no secret.
func (a *allowlist) allows(m *match) bool {
	text := m.secret
	switch a.target {
	case "match":
		text = m.text
	case "line":
		text = m.line
	}
	checks := []struct {
		has   bool
		holds func() bool
	}{
		{len(a.commits) > 0, func() bool { return m.commit != "" && slices.Contains(a.commits, strings.ToLower(m.commit)) }},
		{len(a.paths) > 0, func() bool { return matchesAny(a.paths, m.path) }},
		{len(a.stopwords) > 0, func() bool { return containsAny(strings.ToLower(m.secret), a.stopwords) }},
		{len(a.patterns) > 0, func() bool { return matchesAny(a.patterns, text) }},
	}
	for _, c := range checks {
		if c.has && c.holds() != a.all {
			return !a.all
		}
	}
	return a.all
}

func matchesAny(all []pattern, text string) bool {
	return text != "" && slices.ContainsFunc(all, func(p pattern) bool { return p().MatchString(text) })
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
