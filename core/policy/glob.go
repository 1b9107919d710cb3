package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds on globs. A policy has few, and short ones; what they are matched with comes from images that strangers made.
const (
	maxGlob     = 256  // bytes of one pattern
	maxGlobs    = 100  // in one list
	maxGlobText = 4096 // bytes of a text; a longer one matches nothing
)

// glob is a pattern for paths, branches and images: "*" is anything within one segment, "**" anything at all, and "**/"
// any number of whole segments, none included. Everything else stands for itself, so that no name needs escaping.
type glob struct {
	prefix string // before the first star
	tokens []token
}

// token is one step of a pattern: a byte that stands for itself, or a star.
type token struct {
	kind    tokenKind
	literal byte
}

type tokenKind byte

const (
	literalByte tokenKind = iota
	oneStar               // within a segment
	twoStars              // anything
	segments              // "**/": nothing, or anything that ends in a slash
)

func parseGlob(pattern string) (*glob, error) {
	switch {
	case pattern == "":
		return nil, errors.New("a pattern must not be empty")
	case len(pattern) > maxGlob:
		return nil, fmt.Errorf("a pattern has at most %d characters", maxGlob)
	}
	g := &glob{}
	at := strings.IndexByte(pattern, '*')
	if at < 0 {
		g.prefix = pattern
		return g, nil
	}
	g.prefix = pattern[:at]
	for at < len(pattern) {
		rest := pattern[at:]
		switch {
		case strings.HasPrefix(rest, "***"):
			return nil, errors.New("three stars mean nothing; write * for a part of a segment, or ** for any number of segments")
		case strings.HasPrefix(rest, "**/") && (at == 0 || pattern[at-1] == '/'):
			g.tokens = append(g.tokens, token{kind: segments})
			at += 3
		case strings.HasPrefix(rest, "**"):
			g.tokens = append(g.tokens, token{kind: twoStars})
			at += 2
		case rest[0] == '*':
			g.tokens = append(g.tokens, token{kind: oneStar})
			at++
		default:
			g.tokens = append(g.tokens, token{literal: rest[0]})
			at++
		}
	}
	return g, nil
}

// match reports whether the pattern matches the whole text, and how many steps that took. It follows all ways through
// the pattern at once, so that the steps are at most the length of the pattern times that of the text, whatever they are.
func (g *glob) match(text string) (bool, int) {
	if len(text) > maxGlobText || !strings.HasPrefix(text, g.prefix) {
		return false, 1
	}
	text = text[len(g.prefix):]
	if len(g.tokens) == 0 {
		return text == "", 1
	}
	var a, b [maxGlob + 1]bool
	now, next := a[:len(g.tokens)+1], b[:len(g.tokens)+1]
	low, high, steps := 0, g.enter(now, 0), 1 // no place before low or after high is marked
	for i := range len(text) {
		first, last := len(g.tokens)+1, -1
		for at := low; at <= min(high, len(g.tokens)-1); at++ {
			if steps++; !now[at] {
				continue
			}
			if from, to := g.step(next, at, text[i]); to >= 0 {
				first, last = min(first, from), max(last, to)
			}
		}
		if last < 0 {
			return false, steps
		}
		clear(now[low : high+1])
		now, next, low, high = next, now, first, last
	}
	return now[len(g.tokens)], steps
}

// enter marks a place in the pattern, and those that are reached from it without reading anything, and returns the last.
func (g *glob) enter(states []bool, at int) int {
	for ; ; at++ {
		states[at] = true
		if at == len(g.tokens) || g.tokens[at].kind == literalByte {
			return at
		}
	}
}

// step reads one byte at a place in the pattern, and returns the first and the last place that it leads to; -1 for none.
func (g *glob) step(next []bool, at int, c byte) (from, to int) {
	switch t := g.tokens[at]; {
	case t.kind == literalByte && t.literal == c:
		return at + 1, g.enter(next, at+1)
	case t.kind == twoStars, t.kind == oneStar && c != '/':
		return at, g.enter(next, at)
	case t.kind == segments && c == '/':
		next[at] = true
		return at, g.enter(next, at+1)
	case t.kind == segments:
		next[at] = true
		return at, at
	}
	return -1, -1
}

// matchAny reports whether one of the patterns matches, and the steps.
func matchAny(globs []*glob, text string) (bool, int) {
	steps := 0
	for _, g := range globs {
		matches, n := g.match(text)
		steps += n
		if matches {
			return true, steps
		}
	}
	return false, steps
}
