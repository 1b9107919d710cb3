// Package redact makes foreign text safe for the places where people read it: terminals, logs, Markdown. Names,
// versions, paths, titles and error messages come from images and registries that others wrote; none of them may move
// the cursor, hide text, start a command of a CI platform, mention somebody, or show a credential.
//
// It rewrites strings and nothing else: whoever prints decides where the result goes, and data formats (JSON, SARIF)
// keep the original.
package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLength bounds the result of Text in bytes, before what Markdown adds. Longer text ends in "…".
const MaxLength = 4096

const (
	hexDigits = "0123456789abcdef"
	ellipsis  = "…"
	// maxMarks is how many combining marks may follow each other. Living scripts need three or four; a tower of them
	// covers the lines above and below.
	maxMarks = 6
)

// Text returns s as one line that is safe to print: valid UTF-8, at most MaxLength bytes, without control characters,
// escape sequences, bidirectional overrides or invisible characters. Each of those is written as \n, \r, \t, \xNN (a
// byte below 0x100) or \uNNNN, so that it can be seen. It also breaks what GitHub's runner reads as a command: "::" at
// the beginning and "##[" anywhere.
//
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func Text(s string) string { return Limited(s, MaxLength) }

// Limited is Text with a bound of its own: the result has at most limit bytes. With a limit below the three bytes of
// the "…" that marks a cut, whatever does not fit becomes empty.
func Limited(s string, limit int) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	w := writer{limit: limit}
	w.out.Grow(min(len(s), limit))
	for i := 0; i < len(s) && !w.full; {
		r, size := utf8.DecodeRuneInString(s[i:])
		w.rune(r, s[i:i+size])
		i += size
	}
	return w.out.String()
}

// plain reports whether s is printable ASCII that no runner takes for a command, which nearly all text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return !strings.Contains(s, "##[") && !strings.HasPrefix(strings.TrimLeft(s, " "), "::")
}

// writer collects safe text up to a limit, and remembers the last place where an ellipsis still fits.
type writer struct {
	out   strings.Builder
	limit int
	// cut is the greatest length so far that leaves room for the ellipsis.
	cut   int
	full  bool
	marks int
}

func (w *writer) rune(r rune, raw string) {
	switch {
	case r == utf8.RuneError && len(raw) <= 1:
		w.add(`\x` + hexByte(raw[0]))
	case r == '\n':
		w.add(`\n`)
	case r == '\r':
		w.add(`\r`)
	case r == '\t':
		w.add(`\t`)
	case r == ':' && isRunnerPrefix(w.out.String()):
		w.add(`\x3a`)
	case r == '[' && strings.HasSuffix(w.out.String(), "##"):
		w.add(`\x5b`)
	case unicode.Is(unicode.M, r):
		w.mark(r, raw)
		return
	case visible(r):
		w.add(raw)
	default:
		w.add(escape(r))
	}
	w.marks = 0
}

func (w *writer) mark(r rune, raw string) {
	if w.marks++; w.marks > maxMarks || !visible(r) {
		raw = escape(r)
	}
	w.add(raw)
}

// add appends one unit whole or ends the text with an ellipsis.
func (w *writer) add(unit string) {
	if w.full {
		return
	}
	if w.out.Len()+len(unit) > w.limit {
		w.finish()
		return
	}
	w.out.WriteString(unit)
	if w.out.Len()+len(ellipsis) <= w.limit {
		w.cut = w.out.Len()
	}
}

func (w *writer) finish() {
	w.full = true
	kept := w.out.String()[:w.cut]
	w.out.Reset()
	if len(kept)+len(ellipsis) <= w.limit {
		w.out.WriteString(kept)
		w.out.WriteString(ellipsis)
	}
}

// isRunnerPrefix reports whether a colon after s would complete the "::" that begins a workflow command.
func isRunnerPrefix(s string) bool { return strings.TrimLeft(s, " ") == ":" }

// visible reports whether r shows as itself. unicode.IsPrint leaves out controls, formats (bidirectional overrides,
// zero-width characters), separators, private and unassigned characters; a few more are letters or marks by category
// but have no glyph.
func visible(r rune) bool {
	switch {
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0:
		return false // joiners, fillers and the blank Braille pattern
	case r >= 0x180B && r <= 0x180F, r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF:
		return false // variation selectors, which can carry hidden data
	}
	return unicode.IsPrint(r)
}

func escape(r rune) string {
	if r < 0x100 {
		return `\x` + hexByte(byte(r))
	}
	width := 4
	if r > 0xFFFF {
		width = 8
	}
	digits := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		digits[i] = hexDigits[r&0xF]
		r >>= 4
	}
	if width == 8 {
		return `\U` + string(digits)
	}
	return `\u` + string(digits)
}

func hexByte(b byte) string { return string([]byte{hexDigits[b>>4], hexDigits[b&0xF]}) }
