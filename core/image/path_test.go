package image

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanPath(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"etc/passwd", "etc/passwd"},
		{"./etc/passwd", "etc/passwd"},
		{"/etc/passwd", "etc/passwd"},
		{"//etc//passwd/", "etc/passwd"},
		{"././a/./b", "a/b"},
		{"a/../b", "b"},
		{"a/b/../../c", "c"},
		{".", Root}, {"./", Root}, {"/", Root}, {"a/..", Root},
		{"..a", "..a"}, {"a/..b", "a/..b"}, {"...", "..."},
		{"a\xff", "a\xff"}, {`a\b`, `a\b`},
	} {
		if got, err := CleanPath(tc.in); got != tc.want || err != nil {
			t.Errorf("CleanPath(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
	}
	for _, in := range []string{"", "..", "../a", "/../a", "a/../../b", "./..", "a\x00b"} {
		if got, err := CleanPath(in); err == nil {
			t.Errorf("CleanPath(%q) = %q, want an error", in, got)
		}
	}
}

func TestEscapePath(t *testing.T) {
	for in, want := range map[string]string{
		"etc/passwd": "etc/passwd", "": "", "é/日本": "é/日本", "a\xff/b\xc3": `a\xff/b\xc3`, "\xe9t\xe9": `\xe9t\xe9`,
		"\ufffd": "\ufffd", `a\xff`: `a\xff`,
	} {
		if got := EscapePath(in); got != want {
			t.Errorf("EscapePath(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"a/b", "../a", "/./a//../..", "a/..\xff", ".wh.a", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := CleanPath(in)
		if err != nil {
			return
		}
		if path.IsAbs(got) || got != path.Clean(got) || got == ".." || strings.HasPrefix(got, "../") ||
			strings.Contains(got, "\x00") {
			t.Errorf("CleanPath(%q) = %q", in, got)
		}
		if again, err := CleanPath(got); again != got || err != nil {
			t.Errorf("CleanPath(%q) = %q, %v: not stable", got, again, err)
		}
	})
}

func FuzzEscapePath(f *testing.F) {
	for _, seed := range []string{"a", "\xff", "é\xe9", `\xff`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := EscapePath(in)
		if !utf8.ValidString(got) {
			t.Errorf("EscapePath(%q) = %q is not UTF-8", in, got)
		}
		if EscapePath(got) != got {
			t.Errorf("EscapePath(%q) is not stable", in)
		}
		if utf8.ValidString(in) && got != in {
			t.Errorf("EscapePath(%q) = %q changes a valid name", in, got)
		}
	})
}
