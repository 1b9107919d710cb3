package jsonstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
)

// walk reads a value as encoding/json would, with this package's methods alone.
func walk(r *Reader) (any, error) {
	switch r.Kind() {
	case '{':
		m := map[string]any{}
		return m, r.Object(func(name string) error {
			v, err := walk(r)
			m[name] = v
			return err
		})
	case '[':
		l := []any{}
		err := r.Array(func(int) error {
			v, err := walk(r)
			l = append(l, v)
			return err
		})
		return l, err
	case '"':
		return r.String(1 << 20)
	case 't', 'f':
		return r.Bool()
	case 'n':
		return nil, r.Skip()
	}
	return r.Number()
}

// sources give a document whole, byte by byte, and with an error beside the last bytes.
func sources(document string) []io.Reader {
	return []io.Reader{strings.NewReader(document), iotest.OneByteReader(strings.NewReader(document)),
		iotest.DataErrReader(strings.NewReader(document))}
}

var documents = []string{
	`{}`, `[]`, `0`, `"x"`, ` null `,
	"\n{\"a\" : [1, -2.5e3, true, false, null, \"\\u0041\\n\\\"\\ud83d\\ude00\", {\"b\":{}}], \"c\":\"é\"}\r\n",
	`[[],[[]],{"a":[]}]`, `{"a\u0062":1,"\"":2,"":3}`, "\"\xff\"",
	`{"long":"` + strings.Repeat("x", 3*bufferSize) + `","n":1}`,
	"[" + strings.Repeat(`{"name":"value"},`, 10_000) + "0]",
}

func TestValuesAreThoseOfEncodingJSON(t *testing.T) {
	for _, document := range documents {
		var want any
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		for _, src := range sources(document) {
			r := New(src)
			got, err := walk(r)
			if err == nil {
				err = r.End()
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%.60s: %v\n%.300s", document, err, diff)
			}
		}
		for _, src := range sources(document) {
			var got any
			r := New(src)
			if err := r.Decode(&got, 1<<20); err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("decode %.60s: %v", document, err)
			}
		}
		for _, src := range sources(document) {
			r := New(src)
			if err := errors.Join(r.Skip(), r.End()); err != nil {
				t.Errorf("skip %.60s: %v", document, err)
			}
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	read := func(r *Reader) error {
		_, err := walk(r)
		return errors.Join(err, r.End())
	}
	skip := func(r *Reader) error { return errors.Join(r.Skip(), r.End()) }
	decode := func(r *Reader) error {
		return r.Object(func(string) error {
			var v []struct {
				Line int `json:"line"`
			}
			return r.Decode(&v, 100)
		})
	}
	many := "{"
	for i := range 100 {
		many += fmt.Sprintf(`"m%d":0,`, i)
	}
	for _, tc := range []struct {
		name, document string
		do             func(*Reader) error
		want           string
	}{
		{"nothing", "", read, "byte 0: it is cut off here"},
		{"cut in an object", `{"runs":[{"a":1`, read, "byte 15, at runs[0].a: it is cut off here"},
		{"cut in a string", `{"runs":["abc`, read, "byte 13, at runs[0]: it is cut off here"},
		{"cut in an escape", `["a\`, skip, "it is cut off here"},
		{"cut in a word", `[tr`, skip, "it is cut off here"},
		{"no comma", `{"a":1 "b":2}`, read, `byte 7, at a: want a comma or }, found a string`},
		{"a stray comma", `[1,]`, read, "a comma before ]"},
		{"no value", `{"a":}`, skip, "want a value, found"},
		{"no name", `{1:2}`, skip, "want the name of a member, found a number"},
		{"no colon", `{"a" 1}`, read, "want a colon, found a number"},
		{"not JSON", `<xml/>`, skip, "which is not JSON"},
		{"twice", `{"x":[0,{"y.z":{"k":1,"k":2}}]}`, read, `byte 22, at x[1]."y.z".k: this member occurs twice`},
		{"twice by escape", `{"ab":1,"a\u0062":2}`, read, "at ab: this member occurs twice"},
		{"the last of many twice", many + `"m99":1}`, read, "m99: this member occurs twice"},
		{"nesting", strings.Repeat("[", 200), read, "nested deeper than 128 levels"},
		{"nesting that is skipped", strings.Repeat(`{"a":`, 200), skip, "nested deeper than 128 levels"},
		{"data after the end", "{}\n{}", read, "byte 3: something follows"},
		{"a wrong type", `{"list":[{"line":1},{"line":"x"}]}`, decode, "want a whole number, found a string"},
		{"a wrong type, precisely", `{"list":{"line":1}}`, decode, "at list: want an array, found an object"},
		{"twice in what is decoded", `{"list":[{"line":1,"line":2}]}`, decode,
			"byte 19, at list[0].line: this member occurs twice"},
		{"too long", `{"list":[` + strings.Repeat(`{"line":1},`, 100) + `{}]}`, decode, "longer than 100 bytes"},
		{"far too long", `{"list":["` + strings.Repeat(`x`, 1<<20) + `"]}`, decode, "longer than 100 bytes"},
		{"a long name", `{"` + strings.Repeat("x", 5000) + `":1}`, read, "longer than 4096 bytes"},
		{"a long number", strings.Repeat("1", 1000), skip, "a number of more than 512 bytes"},
		{"no number", `-`, read, "want a number"},
		{"a strange number", `1e999`, read, "want a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.do(New(strings.NewReader(tc.document)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	broken := errors.New("the disk is broken")
	err := New(io.MultiReader(strings.NewReader("[1,"), iotest.ErrReader(broken))).Skip()
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "byte 3") {
		t.Error(err)
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int{"3": 3, "3.0": 3, "-1": -1, "1e2": 100} {
		if n, err := New(strings.NewReader(text)).Int(); err != nil || n != want {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"1.5", "1e40", `"1"`} {
		if n, err := New(strings.NewReader(text)).Int(); err == nil {
			t.Errorf("%s: %d", text, n)
		}
	}
}

func TestTextOfEveryEncodingIsReadAsUTF8(t *testing.T) {
	const text = `{"a":"é😀"}`
	for name, e := range map[string]interface{ String(string) (string, error) }{
		"UTF-16LE with a mark": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(),
		"UTF-16BE with a mark": unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder(),
		"UTF-16LE":             unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder(),
		"UTF-16BE":             unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder(),
		"UTF-8 with a mark":    unicode.UTF8BOM.NewEncoder(),
		"UTF-8":                unicode.UTF8.NewEncoder(),
	} {
		encoded, err := e.String(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range sources(encoded) {
			r, err := UTF8(src)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != text {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
	for _, utf32 := range []string{"\xFF\xFE\x00\x00{\x00\x00\x00", "\x00\x00\xFE\xFF\x00\x00\x00{", "{\x00\x00\x00",
		"\x00\x00\x00{"} {
		if _, err := UTF8(strings.NewReader(utf32)); err == nil {
			t.Errorf("%q was read", utf32)
		}
	}
}

// FuzzRead checks that what is read is what encoding/json reads, and that nothing makes the reader panic.
func FuzzRead(f *testing.F) {
	for _, d := range documents[:9] {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := New(iotest.HalfReader(strings.NewReader(document)))
		got, err := walk(r)
		if err != nil || r.End() != nil {
			return
		}
		var want any
		if json.Unmarshal([]byte(document), &want) != nil {
			return // numbers and control characters are checked less strictly
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	document := "[" + strings.Repeat(`{"name":"a value of some length","list":[1,2,{"x":null}]},`, 20_000) + "0]"
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		if err := New(strings.NewReader(document)).Skip(); err != nil {
			b.Fatal(err)
		}
	}
}
