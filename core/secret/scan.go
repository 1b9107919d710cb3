package secret

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// match is one place where a rule matches.
type match struct {
	rule *rule
	path string
	// commit is the commit that brought the text; empty outside of history.
	commit string
	// start and end are of the secret in the text that was scanned; line and column count from 1.
	from         int // where the match begins
	start, end   int
	number       int // of the line
	column       int
	secret, text string
	line         string // all lines of the match
	entropy      float64
	suppressions []suppression
}

// suppression is something that says that a match is not to count.
type suppression struct {
	kind             core.SuppressionKind
	by, path, reason string
	line             int
}

// said is what an allowlist of the user says against a match.
func (a *allowlist) said() suppression {
	return suppression{kind: core.SuppressedConfig, by: a.source, path: a.source, reason: a.description}
}

// scanner applies the rules to texts. It is safe for use by several goroutines.
type scanner struct {
	*ruleSet
	keywords *keywords
	always   []int // rules without keywords
}

func newScanner(set *ruleSet) (*scanner, error) {
	k, err := newKeywords(set.rules)
	if err != nil {
		return nil, err
	}
	s := &scanner{ruleSet: set, keywords: k}
	for i, r := range set.rules {
		if len(r.keywords) == 0 && r.expression != nil {
			s.always = append(s.always, i)
		}
	}
	return s, nil
}

// genericRule is in the ids of the rules that name no kind of secret.
const genericRule = "generic"

// scan returns the matches in a text, in order of their places, and whether there are more. firstLine is the number of the
// line that it begins with.
func (s *scanner) scan(text []byte, path, commit string, firstLine int) (found []*match, more bool) {
	p := pass{scanner: s, text: text, path: path, commit: commit, line: firstLine}
	everywhere, spans := p.look()
	for _, i := range s.always {
		everywhere[i] = true
	}
	for i := range everywhere {
		p.all(s.rules[i], 0, len(text))
	}
	for i, list := range spans {
		for _, span := range list {
			p.all(s.rules[i], span[0], span[1])
		}
	}
	return p.finish(), p.more
}

// pass is one scan of one text.
type pass struct {
	*scanner
	text         []byte
	path, commit string
	line         int
	found        []*match
	more         bool // than maxMatches
}

// maxMatches bounds what is found in one text.
const maxMatches = 2000

// look goes through the keywords. What begins at one is tried at once; for the other rules it returns where to look.
func (p *pass) look() (everywhereOf map[int]bool, spans map[int][][2]int) {
	everywhereOf, spans = map[int]bool{}, map[int][][2]int{}
	p.keywords.find(p.text, func(w *keyword, start int) {
		for _, i := range w.rules {
			r := p.rules[i]
			switch {
			case r.expression == nil:
			case r.how == at:
				p.at(r, start)
			case r.how == everywhere:
				everywhereOf[i] = true
			default:
				spans[i] = widen(spans[i], max(0, start-r.reach-1), min(len(p.text), start+w.length+r.reach+1))
			}
		}
	})
	return everywhereOf, spans
}

// widen adds a span to a list in order, and joins it with those that it overlaps.
func widen(spans [][2]int, from, to int) [][2]int {
	for len(spans) > 0 && spans[len(spans)-1][1] >= from {
		last := spans[len(spans)-1]
		from, to = min(from, last[0]), max(to, last[1])
		spans = spans[:len(spans)-1]
	}
	return append(spans, [2]int{from, to})
}

// at tries a rule at the place where its keyword begins.
func (p *pass) at(r *rule, start int) {
	if p.more || r.assigned > 0 && !assigns(p.text[start:], r.assigned) {
		return
	}
	if r.boundary && start > 0 && isWord(p.text[start-1]) == isWord(p.text[start]) {
		return
	}
	reach := r.reach
	if reach == 0 {
		reach = endless
	}
	end := min(len(p.text), start+reach+1)
	if groups := r.expression().FindSubmatchIndex(p.text[start:end]); groups != nil {
		p.take(r, groups, start)
	}
}

// endless is how far a match is followed whose length has no bound, in bytes: the largest private keys in use have less.
const endless = 16 << 10

// isWord is what \b of regular expressions takes for a part of a word.
func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// all tries a rule everywhere in a part of the text.
func (p *pass) all(r *rule, from, to int) {
	if p.more || r.path != nil && !r.path.MatchString(p.path) {
		return
	}
	for _, groups := range r.expression().FindAllSubmatchIndex(p.text[from:to], -1) {
		p.take(r, groups, from)
	}
}

// take keeps a match unless the rule itself says that it is none.
func (p *pass) take(r *rule, groups []int, offset int) {
	if p.more || r.path != nil && !r.path.MatchString(p.path) {
		return
	}
	m := &match{rule: r, path: p.path, commit: p.commit}
	from, to := groups[0]+offset, groups[1]+offset
	from, to = trimNewlines(p.text, from, to)
	m.text = string(p.text[from:to])
	m.start, m.end = secretOf(r, groups, from, to, offset)
	m.secret = string(p.text[m.start:m.end])
	if m.entropy = entropy(m.secret); r.entropy > 0 && m.entropy <= r.entropy {
		return
	}
	m.from, m.line = from, p.lineAround(from, to)
	for _, a := range slices.Concat(p.allowed, r.allowed) {
		if !a.allows(m) {
			continue
		}
		if a.source == "" {
			return
		}
		m.suppressions = append(m.suppressions, a.said())
	}
	if p.more = len(p.found) == maxMatches; !p.more {
		p.found = append(p.found, m)
	}
}

// maxLine is how much of a line is looked at on each side of a match, in bytes: a generated file may be one line.
const maxLine = 4 << 10

func (p *pass) lineAround(from, to int) string {
	first, last := max(0, from-maxLine), min(len(p.text), to+maxLine)
	if i := bytes.LastIndexByte(p.text[first:from], '\n'); i >= 0 {
		first += i + 1
	}
	if i := bytes.IndexByte(p.text[to:last], '\n'); i >= 0 {
		last = to + i
	}
	return string(p.text[first:last])
}

// number tells the line and column of each match, which are in order of their places.
func (p *pass) number() {
	slices.SortFunc(p.found, func(a, b *match) int { return cmp.Compare(a.from, b.from) })
	line, first, at := p.line, 0, 0
	for _, m := range p.found {
		between := p.text[at:m.from]
		line += bytes.Count(between, []byte{'\n'})
		if i := bytes.LastIndexByte(between, '\n'); i >= 0 {
			first = at + i + 1
		}
		at, m.number, m.column = m.from, line, m.from-first+1
	}
}

func trimNewlines(text []byte, from, to int) (int, int) {
	for from < to && text[from] == '\n' {
		from++
	}
	for to > from && text[to-1] == '\n' {
		to--
	}
	return from, to
}

// secretOf returns where the secret is: the group that the rule names, or the first that holds something, or all.
func secretOf(r *rule, groups []int, from, to, offset int) (start, end int) {
	if r.group > 0 {
		if groups[2*r.group] >= 0 {
			return groups[2*r.group] + offset, groups[2*r.group+1] + offset
		}
		return from, to
	}
	for g := 2; g+1 < len(groups); g += 2 {
		if groups[g] >= 0 && groups[g+1] > groups[g] {
			return groups[g] + offset, groups[g+1] + offset
		}
	}
	return from, to
}

// entropy is Shannon's, in bits for each character.
func entropy(s string) float64 {
	counts := map[rune]int{}
	n := 0
	for _, c := range s {
		counts[c]++
		n++
	}
	sum := 0.0
	for _, count := range counts {
		f := float64(count) / float64(n)
		sum -= f * math.Log2(f)
	}
	return sum
}

// finish drops matches of rules that need others nearby which are not there, the same secret found twice by one rule, and
// what a generic rule found where another knows better.
func (p *pass) finish() []*match {
	p.number()
	slices.SortFunc(p.found, func(a, b *match) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), strings.Compare(a.rule.id, b.rule.id))
	})
	p.found = slices.CompactFunc(p.found, func(a, b *match) bool {
		return a.rule == b.rule && a.start == b.start && a.end == b.end
	})
	var kept []*match
	for _, m := range p.found {
		if !m.rule.hidden && p.complete(m) && !p.known(m) {
			kept = append(kept, m)
		}
	}
	return kept
}

// complete reports whether every rule that the match needs matches as near as it must.
func (p *pass) complete(m *match) bool {
	for _, q := range m.rule.required {
		near := func(o *match) bool {
			return o.rule == q.rule && (q.lines == nil || distance(o.number, m.number) <= *q.lines) &&
				(q.columns == nil || distance(o.column, m.column) <= *q.columns)
		}
		if !slices.ContainsFunc(p.found, near) {
			return false
		}
	}
	return true
}

func distance(a, b int) int { return max(a-b, b-a) }

// known reports whether a generic rule found what another rule names.
func (p *pass) known(m *match) bool {
	if !strings.Contains(strings.ToLower(m.rule.id), genericRule) {
		return false
	}
	return slices.ContainsFunc(p.found, func(o *match) bool {
		return !o.rule.hidden && !strings.Contains(strings.ToLower(o.rule.id), genericRule) && o.number == m.number &&
			o.start < m.end && m.start < o.end
	})
}

// named returns the matches of rules about the names of files alone.
func (s *scanner) named(path string) []*match {
	var found []*match
	for _, r := range s.rules {
		if r.expression != nil || r.hidden || !r.path.MatchString(path) {
			continue
		}
		m := &match{rule: r, path: path}
		allowed := false
		for _, a := range slices.Concat(s.allowed, r.allowed) {
			if !a.allows(m) {
				continue
			}
			if allowed = a.source == ""; allowed {
				break
			}
			m.suppressions = append(m.suppressions, a.said())
		}
		if !allowed {
			found = append(found, m)
		}
	}
	return found
}
