package policy

import "strings"

// pattern is a text in which "*" stands for anything within one step of a path, and "**" for anything at all; "**/" is
// any number of whole steps, or none. Nothing else is special: names of files and packages are full of brackets and
// question marks.
type pattern []patternPart

// patternPart is a text, and what may follow it.
type patternPart struct {
	text string
	wild wildness
}

type wildness int

const (
	theEnd wildness = iota
	withinStep
	wholeSteps
	anything
)

func newPattern(s string) pattern {
	var p pattern
	for {
		text, rest, found := strings.Cut(s, "*")
		if !found {
			return append(p, patternPart{text, theEnd})
		}
		wild := withinStep
		if strings.HasPrefix(rest, "*") {
			wild, rest = anything, strings.TrimLeft(rest, "*")
			if (len(p) == 0 && text == "" || strings.HasSuffix(text, "/")) && strings.HasPrefix(rest, "/") {
				wild, rest = wholeSteps, rest[1:]
			}
		}
		p = append(p, patternPart{text, wild})
		s = rest
	}
}

func newPatterns(list []string) []pattern {
	out := make([]pattern, 0, len(list))
	for _, s := range list {
		out = append(out, newPattern(s))
	}
	return out
}

// matches reports whether the whole of s has the form. The work grows with the length of s times that of the pattern,
// whatever they hold: no place is tried twice.
func (p pattern) matches(s string) bool {
	if len(p) == 0 || !strings.HasPrefix(s, p[0].text) {
		return false
	}
	first, last := p[0], p[len(p)-1]
	switch between := len(s) - len(first.text) - len(last.text); {
	case first.wild == theEnd:
		return s == first.text
	case between < 0 || !strings.HasSuffix(s, last.text):
		return false
	case len(p) == 2: // as most are
		return first.wild.spans(s[len(first.text) : len(first.text)+between])
	}
	reach := make([]bool, len(s)+1) // the places in s up to which the parts so far can match
	reach[len(p[0].text)] = true
	for i, part := range p[:len(p)-1] {
		part.wild.spread(reach, s)
		reach = behind(reach, s, p[i+1].text)
	}
	return reach[len(s)]
}

// spans reports whether a wildcard can stand for all of a text.
func (w wildness) spans(s string) bool {
	switch w {
	case withinStep:
		return !strings.Contains(s, "/")
	case wholeSteps:
		return s == "" || strings.HasSuffix(s, "/")
	}
	return true
}

// spread adds the places that a wildcard can go on to.
func (w wildness) spread(reach []bool, s string) {
	begun := false
	for i := range len(s) {
		begun = begun || reach[i]
		switch w {
		case withinStep:
			reach[i+1] = reach[i+1] || reach[i] && s[i] != '/'
		case wholeSteps:
			reach[i+1] = reach[i+1] || begun && s[i] == '/'
		case anything:
			reach[i+1] = reach[i+1] || reach[i]
		}
	}
}

// behind returns the places behind a text that begins at one of the places.
func behind(reach []bool, s, text string) []bool {
	next := make([]bool, len(s)+1)
	for i, here := range reach {
		if here && strings.HasPrefix(s[i:], text) {
			next[i+len(text)] = true
		}
	}
	return next
}

func anyMatches(patterns []pattern, s string) bool {
	for _, p := range patterns {
		if p.matches(s) {
			return true
		}
	}
	return false
}
