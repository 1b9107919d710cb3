package redact

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTextShowsWhatWouldActOnATerminal(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text", "openssl 3.0.11-1~deb12u2", "openssl 3.0.11-1~deb12u2"},
		{"other scripts", "Grüße, 日本, العربية", "Grüße, 日本, العربية"},
		{"newlines", "a\nb\r\nc\td", `a\nb\r\nc\td`},
		{"colour", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"C1 control sequence", "a\u009b31m", `a\x9b31m`},
		{"title of the window", "\x1b]0;x\x07", `\x1b]0;x\x07`},
		{"bell, backspace, delete", "a\a\b\x7f", `a\x07\x08\x7f`},
		{"NUL", "a\x00b", `a\x00b`},
		{"bidirectional override", "user\u202etxt.exe", `user\u202etxt.exe`},
		{"isolate", "\u2066x\u2069", `\u2066x\u2069`},
		{"zero width", "ad\u200bmin\ufeff", `ad\u200bmin\ufeff`},
		{"line separators", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"no-break space", "a\u00a0b", `a\xa0b`},
		{"invisible letter", "a\u3164b", `a\u3164b`},
		{"tag characters", "a\U000e0041", `a\U000e0041`},
		{"hidden data in variation selectors", "x\ufe0f\U000e0100", `x\ufe0f\U000e0100`},
		{"invalid UTF-8", "a\xff\xc3(", `a\xff\xc3(`},
		{"a real replacement character", "a\ufffdb", "a\ufffdb"},
		{"GitHub command", "::error::owned", `:\x3aerror::owned`},
		{"GitHub command after blanks", "  ::set-output name=a::b", `  :\x3aset-output name=a::b`},
		{"GitHub command after a newline", "a\n::error::b", `a\n::error::b`},
		{"old GitHub command anywhere", "x ##[add-mask]y", `x ##\x5badd-mask]y`},
		{"GitLab section", "section_start:1:a\r\x1b[0Kb", `section_start:1:a\r\x1b[0Kb`},
		{"colons inside", "std::vector", "std::vector"},
		{"marks", "e\u0301", "e\u0301"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Text(c.in); got != c.want {
				t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestTextStopsTowersOfMarks(t *testing.T) {
	got := Text("a" + strings.Repeat("\u0316", 50) + "b" + strings.Repeat("\u0316", 2))
	if n := strings.Count(got, "\u0316"); n != maxMarks+2 {
		t.Errorf("%d marks were kept of 50 and 2, want %d", n, maxMarks+2)
	}
}

func TestTextIsBounded(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"abc\nefgh", 8, `abc\n…`},
		{"日本語", 9, "日本語"},
		{"日本語文", 9, "日本…"},
		{"\x1b\x1b\x1b", 8, `\x1b…`},
		{"abc", 2, ""},
		{"ab", 2, "ab"},
	} {
		if got := Limited(c.in, c.limit); got != c.want {
			t.Errorf("Limited(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
	if got := Text(strings.Repeat("x", 10*MaxLength)); len(got) != MaxLength {
		t.Errorf("Text has %d bytes, want %d", len(got), MaxLength)
	}
}

func TestMarkdownShowsTextAndDoesNothing(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "openssl 3.0.11-1", "openssl 3.0.11-1"},
		{"emphasis", "*a* __b__ ~~c~~", `\*a\* \_\_b\_\_ \~\~` + breaker + `c\~\~`},
		{"code", "`rm`", "\\`rm\\`"},
		{"HTML", "<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"},
		{"HTML comment", "<!-- hidden -->", "&lt;!-- hidden --&gt;"},
		{"entity", "&lt;script&gt;", "&amp;" + breaker + "lt;script&amp;" + breaker + "gt;"},
		{"link", "[click](javascript:x)", `\[click\](javascript:x)`},
		{"image", "![x](y)", `!\[x\](y)`},
		{"bare URL", "https://evil.example/x", "https:" + breaker + "//evil.example/x"},
		{"www", "www.evil.example", "www" + breaker + ".evil.example"},
		{"mail", "a@b.example", "a@" + breaker + "b.example"},
		{"mention", "@octocat", "@" + breaker + "octocat"},
		{"issue", "see #12 and GH-3", "see #" + breaker + "12 and GH" + breaker + "-3"},
		{"GitLab references", "!1 $2 %3 ~4 &5",
			"!" + breaker + "1 &#36;" + breaker + "2 %" + breaker + `3 \~` + breaker + "4 &amp;" + breaker + "5"},
		{"table", "a|b", `a\|b`},
		{"newline", "a\n# b", `a\\n# b`},
		{"heading", "# big", breaker + "# big"},
		{"list", "- item", breaker + "- item"},
		{"ordered list", "1. item", breaker + "1. item"},
		{"indented code", "    code", breaker + "    code"},
		{"quick action", "/merge", breaker + "/merge"},
		{"formula", "$x$", "&#36;" + breaker + "x&#36;"},
		{"inline diff", "{+ a +}", `\{+ a +\}`},
		{"backslash", `a\*b`, `a\\\*b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Markdown(c.in); got != c.want {
				t.Errorf("Markdown(%q) =\n%s\nwant\n%s", c.in, got, c.want)
			}
		})
	}
}

func TestMarkdownCodeCannotBeLeft(t *testing.T) {
	for in, want := range map[string]string{
		"a`b":   "`a'b`",
		"a|b":   "`a\\|b`",
		"":      "` `",
		"a\nb":  "`a\\nb`",
		"@user": "`@user`",
	} {
		if got := MarkdownCode(in); got != want {
			t.Errorf("MarkdownCode(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestReferenceHasNoCredentials(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, c := range []struct{ name, in, want string }{
		{"image", "registry.example:5000/team/app:1.0", "registry.example:5000/team/app:1.0"},
		{"image by digest", "registry.example/app@" + digest, "registry.example/app@" + digest},
		{"short image by digest", "app:1@" + digest, "app:1@" + digest},
		{"user and password in a reference", "user:secret@registry.example/app:1", "registry.example/app:1"},
		{"user and password, then a digest", "user:secret@registry.example/app@" + digest, "registry.example/app@" + digest},
		{"URL", "https://user:secret@host.example/x", "https://host.example/x"},
		{"token as user", "https://ghp_secret@github.com/o/r", "https://github.com/o/r"},
		{"at sign in the password", "https://user:se@cret@host.example/x", "https://host.example/x"},
		{"slash in the password", "https://user:se/cret@host.example/x", "https://host.example/x"},
		{"question mark in the password", "https://user:se?cret@host.example/x", "https://host.example/x"},
		{"hash in the password", "https://user:se#cret@host.example/x", "https://host.example/x"},
		{"port, then a version", "https://host.example:443/x@v1", "https://host.example:443/x@v1"},
		{"query", "https://h.example/x?X-Amz-Signature=abc&scope=pull&raw", "https://h.example/x?X-Amz-Signature=REDACTED&scope=pull&REDACTED"},
		{"fragment with a token", "https://h.example/#access_token=abc", "https://h.example/#access_token=REDACTED"},
		{"fragment", "https://h.example/r.git#main:dir", "https://h.example/r.git#main:dir"},
		{"package URL", "pkg:deb/debian/curl@7.88?arch=amd64&distro=debian-12", "pkg:deb/debian/curl@7.88?arch=amd64&distro=debian-12"},
		{"local path", "oci:/srv/image", "oci:/srv/image"},
		{"control characters", "reg.example/a\x1b[1m", `reg.example/a\x1b[1m`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Reference(c.in)
			if got != c.want {
				t.Errorf("Reference(%q) = %q, want %q", c.in, got, c.want)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("%q shows the secret", got)
			}
		})
	}
}

// FuzzRedact holds what every caller relies on: one line of visible, valid UTF-8 within the bound.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{
		"openssl", "\x1b[31m", "a\n::error::b", "##[x]", "@user #1 <b>", "https://u:p@h/?t=1#a=b", "\u202e", "\xff\xfe", "e\u0301\u0301",
		strings.Repeat("\U000e0041", 2000), "[x](y)|`z`", "$x$ {+y+}",
	} {
		f.Add(seed, 64)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 2*MaxLength))
		for name, got := range map[string]string{
			"Text": Text(s), "Limited": Limited(s, limit), "Markdown": Markdown(s), "MarkdownCode": MarkdownCode(s), "Reference": Reference(s),
		} {
			if !utf8.ValidString(got) {
				t.Errorf("%s(%q) is not UTF-8: %q", name, s, got)
			}
			if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%s(%q) = %q shows no glyph at %d", name, s, got, i)
			}
			if strings.HasPrefix(strings.TrimSpace(got), "::") || strings.Contains(got, "##[") {
				t.Errorf("%s(%q) = %q starts a command of the runner", name, s, got)
			}
		}
		if got := Limited(s, limit); len(got) > limit {
			t.Errorf("Limited(%q, %d) has %d bytes", s, limit, len(got))
		}
		if got := Text(Text(s)); got != Text(s) {
			t.Errorf("Text is not stable: %q then %q", Text(s), got)
		}
		if got := Markdown(s); len(got) > 9*MaxLength {
			t.Errorf("Markdown(%d bytes) has %d bytes", len(s), len(got))
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{"plain": "pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64", "foreign": "Grüße \x1b[31m日本\u202e"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				Text(s)
			}
		})
	}
}
