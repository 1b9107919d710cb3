package secret

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// rule is one thing that is looked for.
type rule struct {
	id, description string
	path            *regexp.Regexp // nil for any path
	keywords        []string       // lower-case; none means that every text is looked at
	entropy         float64        // bits for each character, which a secret must exceed
	group           int            // of the regular expression, that is the secret; 0 for the first that holds something
	groups          int
	hidden          bool // it only helps others that require it
	required        []required
	allowed         []*allowlist

	how      method
	boundary bool // what is before a match must not be of the same word
	reach    int  // the longest match, in bytes; 0 if there is no longest
	// assigned is the shortest secret of a rule that looks for an assignment, in bytes; 0 for other rules. Most keywords
	// stand in front of none, which is told faster than by the expression.
	assigned int
	// expression is nil for a rule about names of files. It is compiled when it is first needed.
	expression func() *regexp.Regexp
}

// required is another rule that must match nearby.
type required struct {
	id             string
	rule           *rule
	lines, columns *int
}

// method is where a rule's expression is tried.
type method int

const (
	everywhere method = iota // in the whole text, if a keyword is anywhere in it
	around                   // around each keyword, because no match is without one
	at                       // at each keyword, because every match begins with one
)

// plan decides where the expression has to be tried. Most expressions of gitleaks have the form "some characters, a name,
// an assignment, a value"; the characters before the name change neither whether there is a match nor what the secret is,
// so that a match begins at the name, which is the keyword.
func (r *rule) plan(text string) error {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return err
	}
	r.groups = tree.MaxCap()
	rest, boundary := trimmed(tree)
	starts, _ := beginnings(rest)
	switch {
	case len(r.keywords) == 0:
	case len(starts) > 0 && !slices.ContainsFunc(starts, func(s string) bool { return !beginsWith(s, r.keywords) }):
		r.how, r.boundary, r.reach, r.assigned = at, boundary, longest(rest), 0
		if !slices.ContainsFunc(starts, func(s string) bool { return strings.ContainsAny(s, operators) }) {
			r.assigned = assigned(rest)
		}
		text = `\A(?:` + rest.String() + `)`
	case longest(tree) > 0 && contains(tree, r.keywords):
		r.how, r.reach = around, longest(tree)
	}
	r.expression = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) }) // it was parsed above
	return nil
}

// operator is how gitleaks' expressions write what assigns, and operators are its characters.
const (
	operator  = `(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)`
	operators = "=>:|?,"
)

// assigned returns the length of the shortest secret of an expression of the form "a name, an assignment, a secret", where
// the secret has no white space or quotation marks, or 0.
func assigned(tree *syntax.Regexp) int {
	if tree.Op != syntax.OpConcat {
		return 0
	}
	pattern, err := syntax.Parse(operator, syntax.Perl|syntax.FoldCase)
	if err != nil {
		return 0
	}
	for i, sub := range tree.Sub {
		if sub.String() == pattern.String() {
			for _, next := range tree.Sub[i+1:] {
				if next.Op == syntax.OpCapture {
					return plainLength(next)
				}
			}
		}
	}
	return 0
}

// plainLength is the length of the shortest match of an expression without white space and quotation marks, or 0.
func plainLength(tree *syntax.Regexp) int {
	switch tree.Op {
	case syntax.OpLiteral:
		return len(tree.Rune)
	case syntax.OpCharClass:
		for i := 0; i+1 < len(tree.Rune); i += 2 {
			for _, c := range " \t\n\r\"'`" {
				if tree.Rune[i] <= c && c <= tree.Rune[i+1] {
					return 0
				}
			}
		}
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return plainLength(tree.Sub[0])
	case syntax.OpRepeat:
		return tree.Min * plainLength(tree.Sub[0])
	case syntax.OpConcat:
		total := 0
		for _, sub := range tree.Sub {
			if n := plainLength(sub); n > 0 {
				total += n
			} else if sub.Op != syntax.OpRepeat && sub.Op != syntax.OpQuest && sub.Op != syntax.OpStar || plainLength(sub.Sub[0]) == 0 {
				return 0
			}
		}
		return total
	case syntax.OpAlternate:
		least := plainLength(tree.Sub[0])
		for _, sub := range tree.Sub[1:] {
			least = min(least, plainLength(sub))
		}
		return least
	}
	return 0
}

// assigns reports whether something of a length may be assigned to a name, of which the text is the rest. It may say yes
// where the expression says no, never the other way round.
func assigns(text []byte, length int) bool {
	const (
		furthest = 64 // of a name and what stands between it and the operator
		before   = " \t\r\n\f\v.-'\""
		quotes   = "'\"`"
	)
	i := 0
	for i < len(text) && i < furthest && (isWord(text[i]) || text[i] >= utf8.RuneSelf || strings.IndexByte(before, text[i]) >= 0) {
		i++
	}
	if i == len(text) || strings.IndexByte(operators, text[i]) < 0 {
		return false
	}
	n := 0
	for i++; i < len(text); i++ {
		if strings.IndexByte(operators, text[i]) >= 0 {
			n++ // of the operator, or of the secret
		} else if text[i] > ' ' && strings.IndexByte(quotes, text[i]) < 0 {
			break
		}
	}
	for ; i < len(text) && n < length && text[i] > ' ' && strings.IndexByte(quotes, text[i]) < 0; i++ {
		n++
	}
	return n >= length
}

// trimmed leaves out what an expression begins with and that decides nothing: characters that may as well be absent, taken
// as few as possible, and the edge of a word, which is looked at apart.
func trimmed(tree *syntax.Regexp) (rest *syntax.Regexp, boundary bool) {
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 {
		return tree, false
	}
	first := tree.Sub[0]
	lazy := first.Flags&syntax.NonGreedy != 0 && len(first.Sub) == 1 && first.Sub[0].Op == syntax.OpCharClass &&
		(first.Op == syntax.OpStar || first.Op == syntax.OpQuest || first.Op == syntax.OpRepeat && first.Min == 0)
	if !lazy && first.Op != syntax.OpWordBoundary {
		return tree, false
	}
	rest = &syntax.Regexp{Op: syntax.OpConcat, Flags: tree.Flags, Sub: tree.Sub[1:]}
	return rest, first.Op == syntax.OpWordBoundary
}

// maxBeginnings bounds the texts that a match may begin with before they are given up.
const maxBeginnings = 128

// beginnings returns texts in lower case of which every match begins with one, and whether each is a whole match. The
// empty text begins everything.
func beginnings(tree *syntax.Regexp) (texts []string, whole bool) {
	anything := []string{""}
	switch tree.Op {
	case syntax.OpEmptyMatch:
		return anything, true
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(tree.Rune))}, true
	case syntax.OpCharClass:
		return members(tree)
	case syntax.OpCapture:
		return beginnings(tree.Sub[0])
	case syntax.OpPlus:
		texts, _ = beginnings(tree.Sub[0])
		return texts, false
	case syntax.OpRepeat:
		if tree.Min == 0 {
			return anything, false
		}
		texts, whole = beginnings(tree.Sub[0])
		return texts, whole && tree.Min == 1 && tree.Max == 1
	case syntax.OpQuest:
		texts, whole = beginnings(tree.Sub[0])
		if !whole {
			return anything, false
		}
		return unique(append(texts, "")), true
	case syntax.OpAlternate:
		whole = true
		for _, sub := range tree.Sub {
			more, w := beginnings(sub)
			texts, whole = append(texts, more...), whole && w
		}
		if texts = unique(texts); len(texts) > maxBeginnings {
			return anything, false
		}
		return texts, whole
	case syntax.OpConcat:
		texts = anything
		for _, sub := range tree.Sub {
			next, w := beginnings(sub)
			if len(texts)*len(next) > maxBeginnings {
				return texts, false
			}
			texts = joined(texts, next)
			if !w {
				return texts, false
			}
		}
		return texts, true
	}
	return anything, false
}

// members returns the characters of a small class.
func members(class *syntax.Regexp) ([]string, bool) {
	const most = 16
	var texts []string
	for i := 0; i+1 < len(class.Rune); i += 2 {
		if class.Rune[i+1]-class.Rune[i] > most || len(texts) > most {
			return []string{""}, false
		}
		for c := class.Rune[i]; c <= class.Rune[i+1]; c++ {
			texts = append(texts, string(unicode.ToLower(c)))
		}
	}
	if len(texts) == 0 {
		return []string{""}, false
	}
	return unique(texts), true
}

func joined(left, right []string) []string {
	var all []string
	for _, l := range left {
		for _, r := range right {
			all = append(all, l+r)
		}
	}
	return unique(all)
}

func unique(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

func beginsWith(text string, keywords []string) bool {
	return slices.ContainsFunc(keywords, func(k string) bool { return strings.HasPrefix(text, k) })
}

// contains reports whether every match surely has a keyword in it.
func contains(tree *syntax.Regexp, keywords []string) bool {
	if texts, whole := beginnings(tree); whole || len(texts) > 1 || texts[0] != "" {
		if !slices.ContainsFunc(texts, func(t string) bool {
			return !slices.ContainsFunc(keywords, func(k string) bool { return strings.Contains(t, k) })
		}) {
			return true
		}
	}
	switch tree.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return contains(tree.Sub[0], keywords)
	case syntax.OpRepeat:
		return tree.Min > 0 && contains(tree.Sub[0], keywords)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(tree.Sub, func(s *syntax.Regexp) bool { return !contains(s, keywords) })
	case syntax.OpConcat:
		for i := range tree.Sub {
			if contains(tree.Sub[i], keywords) {
				return true
			}
			if i > 0 && i < len(tree.Sub)-1 &&
				contains(&syntax.Regexp{Op: syntax.OpConcat, Flags: tree.Flags, Sub: tree.Sub[i:]}, keywords) {
				return true
			}
		}
	}
	return false
}

// longest is the length of the longest match in bytes, or 0 if there is none.
func longest(tree *syntax.Regexp) int {
	n, ok := bound(tree)
	if !ok || n > maxReach {
		return 0
	}
	return n
}

// maxReach is up to which length of a match it pays to look around keywords only, in bytes.
const maxReach = 64 << 10

func bound(tree *syntax.Regexp) (int, bool) {
	switch tree.Op {
	case syntax.OpLiteral:
		return utf8.UTFMax * len(tree.Rune), true
	case syntax.OpCharClass:
		if n := len(tree.Rune); n > 0 && tree.Rune[n-1] < utf8.RuneSelf {
			return 1, true
		}
		return utf8.UTFMax, true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax, true
	case syntax.OpStar, syntax.OpPlus:
		return 0, false
	case syntax.OpRepeat:
		n, ok := bound(tree.Sub[0])
		return n * tree.Max, ok && tree.Max >= 0
	case syntax.OpCapture, syntax.OpQuest:
		return bound(tree.Sub[0])
	case syntax.OpConcat, syntax.OpAlternate:
		total := 0
		for _, sub := range tree.Sub {
			n, ok := bound(sub)
			if !ok {
				return 0, false
			}
			if tree.Op == syntax.OpConcat {
				total += n
			} else {
				total = max(total, n)
			}
		}
		return total, true
	}
	return 0, true
}

// checkExpression reports what is wrong with a regular expression, without the cost of compiling it.
func checkExpression(text string) error {
	_, err := syntax.Parse(text, syntax.Perl)
	return err
}
