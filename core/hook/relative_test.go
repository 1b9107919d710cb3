package hook

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPathsOfTheCheckoutBecomeRelative(t *testing.T) {
	const dir = "/builds/a b/src"
	for text, want := range map[string]string{
		`{"uri":"file:///builds/a%20b/src/main.go"}`:    `{"uri":"main.go"}`,
		`{"uri":"file:///builds/a b/src/main.go"}`:      `{"uri":"main.go"}`,
		`{"file":"/builds/a b/src/x/y.py"}`:             `{"file":"x/y.py"}`,
		`{"base":"file:///builds/a%20b/src"}`:           `{"base":""}`,
		`{"file":"/builds/a b/srcs/y.py"}`:              `{"file":"/builds/a b/srcs/y.py"}`,
		`plain`:                                         `plain`,
		``:                                              ``,
		strings.Repeat("/builds/a b/src/a ", 20_000):    strings.Repeat("a ", 20_000),
		strings.Repeat("x", 64<<10-5) + dir + "/end.go": strings.Repeat("x", 64<<10-5) + "end.go",
	} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			if len(text) > 1000 {
				r = strings.NewReader(text)
			}
			got, err := io.ReadAll(newRelative(r, dir))
			if err != nil || string(got) != want {
				t.Errorf("%.80q: %.80q, %v; want %.80q", text, got, err, want)
			}
		}
	}
}

func TestAReportThatCannotBeReadToItsEndIsAnError(t *testing.T) {
	_, err := io.ReadAll(newRelative(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(io.ErrUnexpectedEOF)), "/x"))
	if err != io.ErrUnexpectedEOF {
		t.Errorf("%v", err)
	}
}
