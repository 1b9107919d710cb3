package rule

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Source is the text of one file, with the comments in it that speak against findings.
type Source struct {
	Path  string
	Text  []byte
	Lines []string // without line ends

	ignores []ignore
}

// NewSource reads the comments of a text.
func NewSource(path string, text []byte) *Source {
	s := &Source{Path: path, Text: text}
	for _, line := range bytes.Split(text, []byte{'\n'}) {
		s.Lines = append(s.Lines, string(bytes.TrimSuffix(line, []byte{'\r'})))
	}
	for i, line := range s.Lines {
		if found, ok := parseIgnore(line); ok {
			found.line, found.target = i+1, i+1
			if found.alone {
				found.target = s.nextCode(i) + 1
			}
			if found.foreign {
				found.reason = s.reasonAbove(i, found.reason)
			}
			s.ignores = append(s.ignores, found)
		}
	}
	return s
}

// Line returns a line, counted from 1, or nothing.
func (s *Source) Line(n int) string {
	if n < 1 || n > len(s.Lines) {
		return ""
	}
	return s.Lines[n-1]
}

// Find returns the place of text within the lines from first to last, or the beginning of the first.
func (s *Source) Find(first, last int, text string) (line, column int) {
	for n := first; n <= last && text != ""; n++ {
		if at := strings.Index(s.Line(n), text); at >= 0 {
			return n, at + 1
		}
	}
	return first, 1 + len(s.Line(first)) - len(strings.TrimLeft(s.Line(first), " \t"))
}

// ignore is one comment against findings.
type ignore struct {
	rules  []string
	reason string
	by     string
	text   string
	line   int
	column int
	// alone is true for a comment with nothing before it: it speaks of the line below, target.
	alone  bool
	target int
	// foreign is true for another tool's form, which has no room for a reason; global for one that speaks of the
	// whole file.
	foreign, global bool
}

// The forms of ignore comments.
const (
	ourIgnore      = "cleanbill:ignore"
	hadolintIgnore = "hadolint ignore"
	hadolintGlobal = "hadolint global ignore"
)

// parseIgnore reads the comment of a line.
//
// https://github.com/hadolint/hadolint#ignoring-rules
func parseIgnore(line string) (ignore, bool) {
	for from := 0; ; {
		at := strings.IndexByte(line[from:], '#')
		if at < 0 {
			return ignore{}, false
		}
		at += from
		comment := strings.TrimSpace(line[at+1:])
		i := ignore{text: comment, column: at + 1, alone: strings.TrimSpace(line[:at]) == ""}
		if rest, ok := strings.CutPrefix(comment, ourIgnore); ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t') {
			i.by = ourIgnore
			i.rules, i.reason = rulesAndReason(rest)
			return i, true
		}
		for _, form := range []string{hadolintIgnore, hadolintGlobal} {
			if rest, ok := strings.CutPrefix(comment, form); ok && strings.HasPrefix(strings.TrimSpace(rest), "=") {
				i.by, i.foreign, i.global = form, true, form == hadolintGlobal
				i.rules, i.reason = rulesAndReason(strings.TrimSpace(rest)[1:])
				return i, true
			}
		}
		from = at + 1
	}
}

// rulesAndReason splits "a, b reason": names are divided by commas, and end where a word is not followed by one.
func rulesAndReason(s string) ([]string, string) {
	var rules []string
	s = strings.TrimSpace(s)
	for s != "" {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			rules = append(rules, s[:end])
		}
		rest := strings.TrimLeft(s[end:], " \t")
		more, ok := strings.CutPrefix(rest, ",")
		if !ok {
			return rules, strings.TrimLeft(rest, "-:# \t")
		}
		s = strings.TrimLeft(more, " \t")
	}
	return rules, ""
}

// nextCode is the index of the first line behind i that is no comment.
func (s *Source) nextCode(i int) int {
	for j := i + 1; j < len(s.Lines); j++ {
		if !strings.HasPrefix(strings.TrimSpace(s.Lines[j]), "#") {
			return j
		}
	}
	return i
}

// reasonAbove is the reason for another tool's comment: what stands behind it, or the comment above it.
func (s *Source) reasonAbove(i int, behind string) string {
	if behind != "" || i == 0 {
		return behind
	}
	if above, ok := strings.CutPrefix(strings.TrimSpace(s.Lines[i-1]), "#"); ok {
		if _, other := parseIgnore(s.Lines[i-1]); !other {
			return strings.TrimSpace(above)
		}
	}
	return ""
}

// suppressions are the comments that speak against a hit. Ours count with a reason only; those of other tools have no
// room for one, and policy decides.
func (s *Source) suppressions(r Rule, h Hit) []core.Suppression {
	var all []core.Suppression
	for _, i := range s.ignores {
		names := func(id string) bool { return slices.Contains(i.rules, id) }
		concerns := !i.foreign && names(r.ID) && i.reason != "" || i.foreign && slices.ContainsFunc(r.Aliases, names)
		there := i.global || slices.Contains([]int{i.line, i.target}, h.Line) || slices.Contains([]int{i.line, i.target},
			h.Start)
		if concerns && there {
			all = append(all, core.Suppression{
				Kind: core.SuppressedInline, By: i.by, Path: s.Path, Line: i.line, Reason: short(i.reason),
			})
		}
	}
	return all
}

// flaw says why one of our comments has no effect; empty if it has.
func (i ignore) flaw(known func(string) bool) string {
	if i.foreign {
		return ""
	}
	if len(i.rules) == 0 {
		return "it names no rule"
	}
	for _, id := range i.rules {
		if !known(id) {
			return fmt.Sprintf("there is no rule %q", id)
		}
	}
	if i.reason == "" {
		return "it gives no reason for " + strings.Join(i.rules, ", ")
	}
	return ""
}

// Within returns the place of text in a scalar that begins at line and column and has that many lines: where it stands
// below, and otherwise the beginning. Block scalars begin on the line below their mark.
func (s *Source) Within(line, column, lines int, text string) (int, int) {
	for n := line; n <= line+lines && text != ""; n++ {
		if at := strings.Index(s.Line(n), text); at >= 0 {
			return n, at + 1
		}
	}
	return line, column
}
