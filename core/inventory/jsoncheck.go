package inventory

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// checkJSON names what programs read differently: members that are known but for case, known members that an object has
// twice, and what follows the document. The package managers that wrote these files pass over the first; the extractors,
// which use encoding/json, take them for the known ones. Of the second some programs take the first and some the last,
// and the third some refuse and some do not see. A forged file would say one thing to the one and another to the other.
//
// Only what is nested at most so deep is looked at: the names of other people's packages and settings are further in.
// What is no JSON is left to the extractor.
func checkJSON(depth int, known ...string) func(context.Context, *analysis) error {
	return func(ctx context.Context, s *analysis) error {
		in := bufio.NewReader(s.content())
		if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
			if _, err := in.Discard(len(mark)); err != nil {
				return err
			}
		}
		return s.checkMembers(ctx, in, depth, known)
	}
}

func (s *analysis) checkMembers(ctx context.Context, in io.Reader, depth int, known []string) error {
	m := memberScan{tokens: json.NewDecoder(in), known: known}
	for s.unsaid == 0 && ctx.Err() == nil {
		member, again, ok := m.next()
		if m.read*jsonTokenCost > s.limits.KeptSize {
			return s.tooCostly()
		}
		if !ok {
			break
		}
		if len(m.open) > depth {
			continue
		}
		if again {
			s.problem("an object has the member %q twice, and not all programs take the same", member)
		}
		if want, disguised := disguise(member, known); disguised {
			const why = "the member %q differs from %q only in case, and not all programs tell them apart"
			s.problem(why, printable(member), want)
		}
	}
	if m.followed() {
		s.problem("something follows its JSON document, and not all programs see it")
	}
	return ctx.Err()
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
	known  []string
	// read is how many tokens were read.
	read int64
	open []json.Delim
	// seen is, for each open object or list, a bit for each known member that it has had.
	seen []uint64
	// inValue is true if the value of a member comes next, ended after the document's last bracket.
	inValue, ended bool
}

// next returns the next name, and whether its object has had that known name before; ok is false at the end of the
// document or of what is JSON of it.
func (m *memberScan) next() (name string, again, ok bool) {
	for {
		token, err := m.tokens.Token()
		if err != nil {
			return "", false, false
		}
		m.read++
		top := len(m.open) - 1
		switch token := token.(type) {
		case json.Delim:
			m.inValue = false
			if token == '{' || token == '[' {
				m.open, m.seen = append(m.open, token), append(m.seen, 0)
				continue
			}
			if m.open, m.seen = m.open[:top], m.seen[:top]; top == 0 {
				m.ended = true
				return "", false, false
			}
		case string:
			if top >= 0 && m.open[top] == '{' && !m.inValue {
				m.inValue = true
				return token, m.note(top, token), true
			}
			m.inValue = false
		default:
			m.inValue = false
		}
	}
}

// note reports whether the object has had the member before, if it is a known one.
func (m *memberScan) note(object int, member string) bool {
	i := slices.Index(m.known, member)
	if i < 0 {
		return false
	}
	had := m.seen[object]&(1<<i) != 0
	m.seen[object] |= 1 << i
	return had
}

// followed reports whether anything but white space comes after the document.
func (m *memberScan) followed() bool {
	if !m.ended {
		return false
	}
	_, err := m.tokens.Token()
	return err != io.EOF
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
