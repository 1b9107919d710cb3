package policy

import (
	"strings"
	"testing"
)

func FuzzPattern(f *testing.F) {
	f.Add("a/**/b*", "a/x/b.go")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		got := newPattern(pattern).matches(path)
		if !strings.Contains(pattern, "*") && got != (pattern == path) {
			t.Errorf("%q on %q", pattern, path)
		}
		if !newPattern("**").matches(path) {
			t.Errorf("** does not match %q", path)
		}
	})
}
