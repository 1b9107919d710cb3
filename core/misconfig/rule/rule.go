// Package rule is what the families of misconfiguration rules have in common: what a rule says of itself, what it
// reports, and how that becomes a finding, with the comments beside the code that speak against it.
//
// What is wrong, and with what, is the families' business.
package rule

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Rule is what people are told of one rule. Its ID never changes: waivers, baselines and ignore comments name it.
type Rule struct {
	// ID is the family and what is wrong, in lower case with dashes ("dockerfile-root-user").
	ID    string
	Title string
	// Severity is what a hit has unless it says otherwise.
	Severity core.Severity
	// Why says what goes wrong with it, Fix what to do.
	Why, Fix string
	// References are requirements ("CIS Docker 4.1") and addresses.
	References []string
	// Aliases are the ids that other tools have for the same flaw. Their ignore comments count as ours do.
	Aliases []string
	// Weaknesses are the CWE entries ("CWE-250").
	Weaknesses []string
}

// Hit is one place where a rule is broken.
type Hit struct {
	// Detail says what exactly, in a few words, and never holds a secret. It follows the title.
	Detail string
	// Line and Column count from 1 and are where the thing is that is wrong.
	Line, Column, EndLine int
	// Start is the line where the instruction or object begins that holds it; 0 means Line. An ignore comment may stand
	// beside or above either.
	Start int
	// Object is what makes it the same finding when lines move: the instruction's text, or kind, namespace and name.
	Object []string
	// Severity replaces the rule's.
	Severity core.Severity
}

// maxHits is how many hits of one file are told. A file with more was not written by people.
const maxHits = 2000

// maxTitle is the longest title, in bytes.
const maxTitle = 240

// Collector makes findings of hits in one file.
type Collector struct {
	source *Source
	found  core.Found
	seen   map[string]int
	full   bool
}

// NewCollector collects for a file.
func NewCollector(s *Source) *Collector {
	c := &Collector{source: s, seen: make(map[string]int)}
	return c
}

// Hit adds what breaks a rule.
func (c *Collector) Hit(r Rule, h Hit) {
	if len(c.found.Findings) >= maxHits {
		if !c.full {
			c.full = true
			c.Problem(fmt.Sprintf("more than %d misconfigurations: not all of them are told", maxHits))
		}
		return
	}
	if h.Start == 0 {
		h.Start = h.Line
	}
	f := Finding(r, h, c.source.Path)
	key := strings.Join(append([]string{r.ID}, h.Object...), "\x00")
	if n := c.seen[key]; n > 0 { // the same text once more: another finding
		f.Fingerprint = fingerprint(r, append([]string{c.source.Path}, append(h.Object, fmt.Sprint(n))...))
	}
	c.seen[key]++
	f.Suppressions = c.source.suppressions(r, h)
	f.Locations = []core.Location{{Path: c.source.Path, Line: h.Line, Column: h.Column, EndLine: h.EndLine}}
	c.found.Findings = append(c.found.Findings, f)
}

// Problem adds what could not be examined.
func (c *Collector) Problem(why string) {
	c.found.Problems = append(c.found.Problems, core.Problem{Path: c.source.Path, Why: why})
}

// Found returns all that was collected, with what is wrong with the ignore comments themselves.
func (c *Collector) Found(known func(id string) bool) core.Found {
	for _, i := range c.source.ignores {
		if detail := i.flaw(known); detail != "" {
			c.Hit(BadIgnore(), Hit{Detail: detail, Line: i.line, Column: i.column, Object: []string{i.text}})
		}
	}
	return c.found
}

// Finding is the finding of a hit without location and suppressions. What it is in, such as a path, belongs to its
// fingerprint.
func Finding(r Rule, h Hit, in ...string) core.Finding {
	severity := r.Severity
	if h.Severity != core.SeverityUnknown {
		severity = h.Severity
	}
	title := r.Title
	if h.Detail != "" {
		title += ": " + h.Detail
	}
	return core.Finding{
		Fingerprint:    fingerprint(r, append(in, h.Object...)),
		Kind:           core.KindMisconfiguration,
		Rule:           r.ID,
		Aliases:        append([]string(nil), r.Aliases...),
		Title:          short(title),
		Severity:       severity,
		SeveritySource: "Cleanbill",
		Fix:            core.Fix{State: core.FixAvailable, Text: r.Fix},
		References:     append([]string(nil), r.References...),
		Weaknesses:     append([]string(nil), r.Weaknesses...),
		SeenBy:         []string{"cleanbill"},
	}
}

func fingerprint(r Rule, parts []string) string {
	return core.FingerprintOf(core.KindMisconfiguration, append([]string{r.ID}, parts...)...)
}

// short makes one line of a title.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if len(s) > maxTitle {
		s = strings.ToValidUTF8(s[:maxTitle], "") + "…"
	}
	return s
}

// BadIgnore is the rule about ignore comments.
func BadIgnore() Rule {
	return Rule{
		ID: "ignore-comment", Title: "An ignore comment does not count", Severity: core.SeverityLow,
		Why: "An ignore comment without a reason, or for a rule that does not exist, hides from the next reader what was " +
			"decided " +
			"and why; so it has no effect.",
		Fix: "Write: # cleanbill:ignore RULE reason",
	}
}
