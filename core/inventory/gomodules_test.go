package inventory

import (
	"bytes"
	"strings"
	"testing"
)

// TestWhatGoPassesOverInAListOfModulesIsNamed changes single bytes of a program, which goes on to run.
func TestWhatGoPassesOverInAListOfModulesIsNamed(t *testing.T) {
	program := smallGoProgram(t)
	const frameEnd = "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
	for name, c := range map[string]struct{ old, new, why string }{
		"NUL for a tab":            {"\nmod\texample", "\nmod\x00example", "has a line that Go passes over"},
		"another word":             {"\nmod\texample.org/small\t(", "\nmoD\texample.org/small\t(", "has a line that Go passes over"},
		"a module by another word": {"\nmod\texample.org/small\t(devel)", "\ndex\texample.org/small\tv1.2.34", "has a line that Go passes over"},
		"no newline at the end":    {"\n" + frameEnd, "\x00" + frameEnd, "the frame of its list of modules is damaged"},
	} {
		changed := bytes.ReplaceAll(program, []byte(c.old), []byte(c.new))
		if len(c.old) != len(c.new) || bytes.Equal(program, changed) {
			t.Fatalf("%s: the program has not changed", name)
		}
		got := drive(t, tree{"small": changed})
		if len(got.problems) != 1 || !strings.Contains(got.problems[0].Why, c.why) {
			t.Errorf("%s: %v", name, got.problems)
		}
	}
}

func TestLinesOfLaterVersionsOfGoAreNoProblem(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                   true,
		"path\tcmd/go":                       true,
		"dep\tgolang.org/x/net\tv0.7.0\th1:": true,
		"=>\t./local\t(devel)\t":             true,
		"build\t-ldflags=\"-s -w\"":          true,
		"toolchain\tgo1.30":                  true,
		"dep golang.org/x/net\tv0.7.0":       false,
		"xdep\tgolang.org/x/net\tv0.7.0":     false,
		"dep":                                false,
		"\x00":                               false,
		"something":                          false,
	} {
		if got := isModuleLine(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
