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
	g.enter(now, 0)
	for i := range len(text) {
		clear(next)
		alive := false
		for at, here := range now[:len(g.tokens)] {
			if here && g.step(next, at, text[i]) {
				alive = true
			}
		}
		if !alive {
			return false, (i + 1) * len(g.tokens)
		}
		now, next = next, now
	}
	return now[len(g.tokens)], (len(text) + 1) * len(g.tokens)
}

// enter marks a place in the pattern, and those that are reached from it without reading anything.
func (g *glob) enter(states []bool, at int) {
	for ; !states[at]; at++ {
		states[at] = true
		if at == len(g.tokens) || g.tokens[at].kind == literalByte {
			return
		}
	}
}

// step reads one byte at a place in the pattern, and reports whether it leads anywhere.
func (g *glob) step(next []bool, at int, c byte) bool {
	switch t := g.tokens[at]; t.kind {
	case literalByte:
		if t.literal != c {
			return false
		}
		g.enter(next, at+1)
	case oneStar:
		if c == '/' {
			return false
		}
		g.enter(next, at)
	case twoStars:
		g.enter(next, at)
	case segments:
		next[at] = true
		if c == '/' {
			g.enter(next, at+1)
		}
	}
	return true
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
