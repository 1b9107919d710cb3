package policy

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// maxMessage is the length of a message, in bytes, after which it is cut.
const maxMessage = 1024

// message is a text with expressions in braces: "{finding.rule} in {package.name}". A doubled brace is a brace.
type message struct {
	parts []part
}

// part is either text or an expression.
type part struct {
	text  string
	value *expression
}

// parseMessage reads a template. Flaws have the column in the template.
func (l *language) parseMessage(template string) (*message, []flaw) {
	m := &message{}
	for rest, at := template, 0; rest != ""; {
		end := strings.IndexAny(rest, "{}")
		if end < 0 {
			m.parts = append(m.parts, part{text: rest})
			break
		}
		m.parts = append(m.parts, part{text: rest[:end]})
		brace := rest[end : end+1]
		rest, at = rest[end+1:], at+end+1
		if strings.HasPrefix(rest, brace) {
			m.parts = append(m.parts, part{text: brace})
			rest, at = rest[1:], at+1
			continue
		}
		closing := strings.IndexByte(rest, '}')
		if brace == "}" || closing < 0 {
			return nil, []flaw{{column: at - 1, what: fmt.Sprintf("%q has no counterpart; write %q for a brace", brace, brace+brace)}}
		}
		value, flaws := l.compile(rest[:closing])
		if flaws == nil && !printable(value.result) {
			flaws = []flaw{{what: fmt.Sprintf("a message can show text and numbers, not a %s", value.result)}}
		}
		if flaws != nil {
			for i := range flaws {
				flaws[i].column += at
			}
			return nil, flaws
		}
		m.parts = append(m.parts, part{value: value})
		rest, at = rest[closing+1:], at+closing+1
	}
	return m, nil
}

func (m *message) speaksOf() map[string]bool {
	names := map[string]bool{}
	for _, p := range m.parts {
		if p.value != nil {
			for name := range p.value.speaksOf {
				names[name] = true
			}
		}
	}
	return names
}

func printable(t *cel.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.IntKind, types.DoubleKind, types.BoolKind, types.TimestampKind:
		return true
	}
	return false
}

// render fills in the template.
func (m *message) render(s *setter) (string, error) {
	var b strings.Builder
	for _, p := range m.parts {
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := p.value.eval(s)
		if err != nil {
			return "", err
		}
		text, ok := value.ConvertToType(types.StringType).(types.String)
		if !ok {
			return "", fmt.Errorf("a %s has no text", value.Type().TypeName())
		}
		b.WriteString(string(text))
	}
	return cut(b.String()), nil
}

// cut bounds what hostile evidence can make of a message, at the end of a rune.
func cut(s string) string { return cutTo(s, maxMessage) }

func cutTo(s string, length int) string {
	if len(s) <= length {
		return s
	}
	return strings.ToValidUTF8(s[:length], "") + "…"
}
