package policy

import (
	"regexp"
	"strings"
	"testing"
)

func TestGlobsMatchSegmentsAndTrees(t *testing.T) {
	for _, tt := range []struct {
		pattern   string
		yes, no   []string
		malformed bool
	}{
		{pattern: "main", yes: []string{"main"}, no: []string{"", "main2", "amain", "Main"}},
		{pattern: "release/*", yes: []string{"release/1", "release/"}, no: []string{"release", "release/1/2", "xrelease/1"}},
		{pattern: "*", yes: []string{"", "a", "a.b"}, no: []string{"a/b"}},
		{pattern: "**", yes: []string{"", "a", "a/b/c"}},
		{pattern: "**/*.go", yes: []string{"a.go", "x/a.go", "x/y/.go"}, no: []string{"a.gox", "go", "x/go"}},
		{pattern: "src/**/test/*", yes: []string{"src/test/a", "src/x/test/a", "src/x/y/test/a"}, no: []string{"src/xtest/a", "src/test", "src/test/a/b"}},
		{pattern: "src/**", yes: []string{"src/", "src/a/b"}, no: []string{"src", "srcs/a"}},
		{pattern: "registry.example/**", yes: []string{"registry.example/a/b"}, no: []string{"registry.example.evil/a", "registryxexample/a"}},
		{pattern: "a*b*c", yes: []string{"abc", "axxbxxc", "abbcc"}, no: []string{"ab", "a/b/c", "abcd"}},
		{pattern: "a**c", yes: []string{"ac", "a/b/c"}, no: []string{"a", "ab"}},
		{pattern: "**/**/x", yes: []string{"x", "a/x", "a/b/x"}, no: []string{"ax"}},
		{pattern: "a.+(b)[c]?", yes: []string{"a.+(b)[c]?"}, no: []string{"abbc"}},
		{pattern: "ü/*", yes: []string{"ü/ä"}},
		{pattern: "", malformed: true},
		{pattern: "a***", malformed: true},
		{pattern: strings.Repeat("a", maxGlob+1), malformed: true},
	} {
		g, err := parseGlob(tt.pattern)
		if (err != nil) != tt.malformed {
			t.Errorf("%q: %v", tt.pattern, err)
		}
		if err != nil {
			continue
		}
		for _, text := range tt.yes {
			if !g.matches(text) {
				t.Errorf("%q does not match %q", tt.pattern, text)
			}
		}
		for _, text := range tt.no {
			if g.matches(text) {
				t.Errorf("%q matches %q", tt.pattern, text)
			}
		}
	}
}

// A glob means what the regular expression means that says the same, and takes no more steps than its length times that
// of the text.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{{"**/*.go", "a/b.go"}, {"a**b*c/**/d", "a/xb/c/d"}, {"*a*a*a*a*b", strings.Repeat("a", 300)},
		{"**/**/", "//"}, {"a/**/**", "a/"}, {"***", ""}, {"x**/y", "xa/y"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		g, err := parseGlob(pattern)
		if err != nil {
			return
		}
		got, steps := g.match(text)
		if most := (len(text)+1)*(len(pattern)+1) + 1; steps > most {
			t.Errorf("%q with %q takes %d steps", pattern, text, steps)
		}
		if len(text) > maxGlobText {
			return
		}
		if want := inRegexp(pattern).MatchString(bytewise(text)); got != want {
			t.Errorf("%q with %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// bytewise writes each byte as one character, because globs compare bytes.
func bytewise(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func inRegexp(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for at := 0; at < len(pattern); {
		switch rest := pattern[at:]; {
		case strings.HasPrefix(rest, "**/") && (at == 0 || pattern[at-1] == '/'):
			b.WriteString(`(?:.*/)?`)
			at += 3
		case strings.HasPrefix(rest, "**"):
			b.WriteString(`.*`)
			at += 2
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
			at++
		default:
			b.WriteString(regexp.QuoteMeta(bytewise(rest[:1])))
			at++
		}
	}
	return regexp.MustCompile(b.String() + `\z`)
}
