package report

import (
	"bytes"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// style is how a piece of text looks where colours are shown.
type style string

// The styles, as ANSI SGR parameters. https://www.ecma-international.org/publications-and-standards/standards/ecma-48/
const (
	plainStyle   style = ""
	bold         style = "1"
	dim          style = "2"
	red          style = "31"
	yellow       style = "33"
	green        style = "32"
	cyan         style = "36"
	boldRed      style = "1;31"
	boldYellow   style = "1;33"
	onRed        style = "1;97;41"
	onGreen      style = "1;30;42"
	onYellow     style = "1;30;43"
	onGrey       style = "1;30;47"
	minWidth           = 40
	usualWidth         = 80
	maxWidth           = 120 // longer lines are hard to read
	atMostIndent       = 12
)

// page lays text out in lines of a width.
type page struct {
	out     bytes.Buffer
	width   int
	colour  bool
	unicode bool
}

func newPage(o TerminalOptions) *page {
	w := o.Width
	if w == 0 {
		w = usualWidth
	}
	return &page{width: min(max(w, minWidth), maxWidth), colour: o.Colour, unicode: o.Unicode}
}

// safe makes foreign text printable, and ASCII where that is all that can be shown.
func (p *page) safe(s string) string {
	s = redact.Text(s)
	if p.unicode {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '…':
			return '~'
		case r > unicode.MaxASCII:
			return '?'
		}
		return r
	}, s)
}

func (p *page) sign(unicode, ascii string) string {
	if p.unicode {
		return unicode
	}
	return ascii
}

func (p *page) arrow() string    { return p.sign("→", "->") }
func (p *page) ellipsis() string { return p.sign("…", "...") }

func (p *page) paint(s string, as style) string {
	if !p.colour || as == plainStyle || s == "" {
		return s
	}
	return "\x1b[" + string(as) + "m" + s + "\x1b[0m"
}

func (p *page) blank() { p.out.WriteByte('\n') }

func (p *page) heading(s string) {
	p.blank()
	p.out.WriteString(p.paint(s, bold) + "\n")
}

// entry writes a tag and a text beside it; further lines of the text stand under its beginning. Tag and text are safe.
func (p *page) entry(indent int, tag string, tagStyle style, text string, textStyle style) {
	lead := strings.Repeat(" ", indent)
	hang := indent + columns(tag)
	for i, line := range p.wrap(text, p.width-hang) {
		// A break may have put "::" at the beginning of a line, where a runner obeys it.
		line = p.cut(p.safe(line), p.width-hang)
		if i == 0 {
			p.out.WriteString(lead + p.paint(tag, tagStyle) + p.paint(line, textStyle))
		} else {
			p.out.WriteString(strings.Repeat(" ", hang) + p.paint(line, textStyle))
		}
		p.out.WriteByte('\n')
	}
}

// text writes a text with an indent.
func (p *page) text(indent int, text string, as style) { p.entry(indent, "", plainStyle, text, as) }

// one writes a text on one line, cut if it is too long.
func (p *page) one(indent int, text string, as style) {
	p.out.WriteString(strings.Repeat(" ", indent) + p.paint(p.cut(text, p.width-indent), as) + "\n")
}

// command writes a shell command, broken so that it can still be pasted.
func (p *page) command(indent int, command string) {
	lead := strings.Repeat(" ", indent)
	lines := p.wrapWords(strings.Fields(command), p.width-indent-4)
	for i, line := range lines {
		if i < len(lines)-1 {
			line += ` \`
		}
		if i > 0 {
			line = "  " + line
		}
		p.out.WriteString(lead + p.paint(line, cyan) + "\n")
	}
}

func (p *page) cut(s string, room int) string {
	if columns(s) <= room {
		return s
	}
	end := p.ellipsis()
	used := columns(end)
	for i, r := range s {
		if used += runeColumns(r); used > room {
			return strings.TrimRight(s[:i], " ") + end
		}
	}
	return s
}

// wrap breaks text between words, and within a word that is longer than a line.
func (p *page) wrap(text string, room int) []string {
	var words []string
	for _, word := range strings.Fields(text) {
		words = append(words, breakWord(word, room)...)
	}
	return p.wrapWords(words, room)
}

func (p *page) wrapWords(words []string, room int) []string {
	lines := []string{}
	line, used := "", 0
	for _, word := range words {
		need := columns(word)
		if line != "" && used+1+need > room {
			lines = append(lines, line)
			line, used = "", 0
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+need
	}
	return append(lines, line)
}

func breakWord(word string, room int) []string {
	var parts []string
	start, used := 0, 0
	for i, r := range word {
		w := runeColumns(r)
		if used+w > room && i > start {
			parts = append(parts, word[start:i])
			start, used = i, 0
		}
		used += w
	}
	return append(parts, word[start:])
}

// columns is how many columns of a terminal a text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r <= unicode.MaxASCII {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
