package redact

import "strings"

// breaker is an entity for a character without width. GitHub and GitLab look for mentions and references in the text
// after entities and backslashes were resolved, so only a character between the sign and the word stops them.
const breaker = "&#8203;"

// Markdown returns s as one line of Markdown that shows the text of s and does nothing else, in GitHub's and GitLab's
// flavours, also within a table cell: no markup, HTML, link, image, mention, issue reference, quick action or formula.
// The text is made safe as by Text first.
//
// https://github.github.com/gfm/ and https://docs.gitlab.com/user/markdown/#gitlab-specific-references
func Markdown(s string) string {
	s = Text(s)
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	b.WriteString(lineStart(s))
	for i := range len(s) {
		writeMarkdown(&b, s, i)
	}
	return b.String()
}

// lineStart is what must precede s at the beginning of a line, so that its first character begins no block and no quick
// action ("/merge"). An ordered list ("1.") needs it too.
func lineStart(s string) string {
	trimmed := strings.TrimLeft(s, " ")
	if trimmed == "" {
		return ""
	}
	if strings.ContainsRune("-+=/:#~",
		rune(trimmed[0])) || trimmed[0] >= '0' && trimmed[0] <= '9' || len(trimmed) < len(s) {
		return breaker
	}
	return ""
}

func writeMarkdown(b *strings.Builder, s string, i int) {
	c := s[i]
	switch c {
	case '<':
		b.WriteString("&lt;")
	case '>':
		b.WriteString("&gt;")
	case '&':
		b.WriteString("&amp;")
	case '$':
		b.WriteString("&#36;")
	case '\\', '`', '*', '_', '[', ']', '{', '}', '|', '~', '^', '"':
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
	if breaksAfter(s, i) {
		b.WriteString(breaker)
	}
}

// breaksAfter reports whether the byte at i begins something that a platform links: a mention or reference sign with
// its word, a URL, "www.", or "GH-1".
func breaksAfter(s string, i int) bool {
	rest := s[i+1:]
	switch s[i] {
	case '@', '#', '!', '$', '%', '~', '&', '^':
		return rest != "" && (isWord(rest[0]) || rest[0] == '"')
	case ':':
		return strings.HasPrefix(rest, "//") || hasFold(s[:i], "mailto") || hasFold(s[:i], "xmpp")
	case 'w', 'W':
		return strings.HasPrefix(rest, ".") && hasFold(s[:i+1], "www")
	case 'h', 'H':
		return strings.HasPrefix(rest, "-") && hasFold(s[:i+1], "gh")
	}
	return false
}

func hasFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// MarkdownCode returns s as a code span that holds its text literally, also within a table cell. Backticks become
// apostrophes, because no other way to write them works on every platform.
func MarkdownCode(s string) string {
	s = strings.ReplaceAll(Text(s), "`", "'")
	s = strings.ReplaceAll(s, "|", `\|`)
	if strings.TrimSpace(s) == "" {
		return "` `"
	}
	return "`" + s + "`"
}
