package inventory

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// checkCase names members that are known but for case. The package managers that wrote these files pass over them; the
// extractors, which use encoding/json, take them for the known ones, so that a forged file would say one thing to the
// one and another to the other. Only what is nested at most so deep is looked at: the names of other people's packages
// and settings are further in.
//
// What is no JSON is left to the extractor.
func checkCase(depth int, known ...string) func(context.Context, *analysis) error {
	return func(ctx context.Context, s *analysis) error {
		in := bufio.NewReader(s.content())
		if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
			if _, err := in.Discard(len(mark)); err != nil {
				return err
			}
		}
		m := memberScan{tokens: json.NewDecoder(in)}
		for len(s.found.Problems) <= maxProblems && ctx.Err() == nil {
			member, ok := m.next()
			if !ok {
				break
			}
			if want, disguised := disguise(member, known); disguised && len(m.open) <= depth {
				const why = "the member %q differs from %q only in case, and not all programs tell them apart"
				s.problem(why, printable(member), want)
			}
		}
		return ctx.Err()
	}
}

// disguise returns the known name that the member differs from only in case.
func disguise(member string, known []string) (string, bool) {
	if slices.Contains(known, member) {
		return "", false
	}
	i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, member) })
	if i < 0 {
		return "", false
	}
	return known[i], true
}

// memberScan reads the names of members, in order.
type memberScan struct {
	tokens *json.Decoder
	open   []json.Delim
	// inValue is true if the value of a member comes next.
	inValue bool
}

// next returns the next name; false at the end of the document or of what is JSON of it.
func (m *memberScan) next() (string, bool) {
	for {
		token, err := m.tokens.Token()
		if err != nil {
			return "", false
		}
		inObject := len(m.open) > 0 && m.open[len(m.open)-1] == '{'
		switch token := token.(type) {
		case json.Delim:
			m.inValue = false
			if token == '{' || token == '[' {
				m.open = append(m.open, token)
			} else if m.open = m.open[:len(m.open)-1]; len(m.open) == 0 {
				return "", false
			}
		case string:
			if inObject && !m.inValue {
				m.inValue = true
				return token, true
			}
			m.inValue = false
		default:
			m.inValue = false
		}
	}
}

// withoutDisguises leaves out the members of the object at the top that differ from a known one only in case. Content
// without any is returned as it is.
func withoutDisguises(content []byte, known ...string) []byte {
	trimmed := bytes.TrimSpace(content)
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return content
	}
	members, err := readMembers(content)
	isDisguise := func(f field) bool { _, ok := disguise(f.key, known); return ok }
	if err != nil || !slices.ContainsFunc(members, isDisguise) {
		return content
	}
	var b bytes.Buffer
	for _, f := range slices.DeleteFunc(members, isDisguise) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		writeField(&b, f.key, f.value)
	}
	return []byte("{" + b.String() + "}")
}
