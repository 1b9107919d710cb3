package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// walk reads a whole document as encoding/json would, with this package's methods alone.
func walk(r *Reader) (any, error) {
	switch r.Kind() {
	case '{':
		m := map[string]any{}
		return m, r.Object(func(name []byte) error {
			key := string(name)
			v, err := walk(r)
			m[key] = v
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
		return r.String()
	}
	var v any
	err := json.Unmarshal(r.pass(), &v)
	return v, err
}

func TestReaderReadsWhatEncodingJSONReads(t *testing.T) {
	for _, document := range []string{
		`{}`, `[]`, `0`, `"x"`, ` null `,
		"\n{\"a\" : [1, -2.5e3, true, false, null, \"\\u0041\\n\\\"\", {\"b\":{}}], \"c\":\"é\"}\r\n",
		`[[],[[]],{"a":[]}]`, `{"a\u0062":1,"\"":2}`,
		"\"\xff\"",
	} {
		r, err := NewReader([]byte(document), 8)
		if err != nil {
			t.Fatal(err)
		}
		got, err := walk(r)
		if err != nil {
			t.Errorf("%s: %v", document, err)
		}
		var want any
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", document, diff)
		}
		r.Restart()
		if err := r.Skip(); err != nil {
			t.Errorf("skip %s: %v", document, err)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	many := "{"
	for i := range 100 {
		many += fmt.Sprintf("\"m%d\":0,\n", i)
	}
	for _, c := range []struct{ name, document, want string }{
		{"nothing", ``, "line 1, column 1: unexpected end of JSON input"},
		{"truncated", "{\"a\":\n[1,", "line 2, column 4: unexpected end of JSON input"},
		{"a stray comma", "{\n  \"a\": ,\n}", "line 2, column 8: invalid character ','"},
		{"data after the end", "{}\n{}", "line 2, column 1: invalid character '{' after top-level value"},
		{"a repeated member", "{\"a\":1,\n \"a\":2}", "line 2, column 2: a: this member occurs twice"},
		{"a repeated member by escape", `{"ab":1,"a\u0062":2}`, "line 1, column 9: ab: this member occurs twice"},
		{"a repeated member deep inside", `{"x":[0,{"y.z":{"k":1,"k":2}}]}`, `x[1]."y.z".k: this member occurs twice`},
		{"the last of many", many + `"m99":1}`, "line 101, column 1: m99: this member occurs twice"},
		{"the first of many", many + `"m0":1}`, "line 101, column 1: m0: this member occurs twice"},
		{"the same name in siblings is fine", `{"a":{"k":1},"b":{"k":1},"k":0}`, ""},
		{"nesting", strings.Repeat(`[`, 9) + strings.Repeat(`]`, 9), "nested deeper than 8 levels"},
		{"a long name", `{"` + strings.Repeat("n", 200) + `":{"k":1,"k":1}}`, strings.Repeat("n", 64) + `"….k`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader([]byte(c.document), 8)
			if err == nil {
				err = r.Skip()
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

type sample struct {
	Name  string           `json:"name"`
	Count int              `json:"count,omitempty"`
	Score *float64         `json:"score,omitempty"`
	On    bool             `json:"on,omitempty"`
	Time  time.Time        `json:"time,omitzero"`
	Inner []inner          `json:"inner,omitempty"`
	Words map[string]inner `json:"words,omitempty"`
	Own   string           `json:"-"`
}

type inner struct {
	K string `json:"k"`
}

func TestDecodeAcceptsExactlyTheType(t *testing.T) {
	for _, c := range []struct{ document, want string }{
		{`{"name":"a"}`, ""},
		{`{"name":"a","count":3,"score":null,"on":true,"time":"2026-01-01T00:00:00Z","inner":[{"k":"v"}],"words":{"x":{"k":""}}}`,
			""},
		{`{}`, `line 1, column 1: the member "name" is missing`},
		{`{"name":"a","inner":[{}]}`, `inner[0]: the member "k" is missing`},
		{`{"name":"a","words":{"x":{"z":1}}}`, "words.x.z: there is no such member; want k"},
		{`{"NAME":"a"}`, "NAME: there is no such member; want name, count"},
		{`{"name":null}`, "name: want a string, found null"},
		{`{"name":"a","count":"3"}`, "count: want a whole number, found a string"},
		{`{"name":"a","count":3.5}`, "count: want a whole number of 64 bits"},
		{`{"name":"a","count":99999999999999999999}`, "count: want a whole number of 64 bits"},
		{`{"name":"a","score":"x"}`, "score: want a number, found a string"},
		{`{"name":"a","on":0}`, "on: want a boolean, found a number"},
		{`{"name":"a","time":"x"}`, "time: "},
		{`{"name":"a","time":null}`, "time: null is no value here"},
		{`{"name":"a","inner":{}}`, "inner: want an array, found an object"},
		{`{"name":"a","inner":null}`, "inner: want an array, found null"},
		{`{"name":"a","words":[]}`, "words: want an object, found an array"},
		{`{"name":"a","-":"x"}`, "there is no such member"},
		{`[]`, "want an object, found an array"},
	} {
		var v sample
		err := Decode([]byte(c.document), &v)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.document, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.document, err, c.want)
		}
	}
}

func TestLocateFindsTheValue(t *testing.T) {
	document := []byte("{\"a\":[{\"x\":1},\n{\"b\":\"here\"}]}")
	for _, c := range []struct {
		steps []Step
		want  string
	}{
		{[]Step{Member("a"), Element(1), Member("b")}, "line 2, column 6: a[1].b: wrong"},
		{[]Step{Member("a"), Element(1), Member("missing")}, "line 2, column 1: a[1].missing: wrong"},
		{[]Step{Member("a"), Element(7)}, "line 1, column 6: a[7]: wrong"},
		{nil, "line 1, column 1: wrong"},
	} {
		if got := Locate(document, "wrong", c.steps...).Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// FuzzReader holds that the walk agrees with encoding/json on every document: on what it says, and on whether it is one.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",null,true,{"b":{}}]}`, `[]`, `"\u00e9"`, `{"a":1,"a":2}`, `{"a\u0062":0}`,
		` 1e9 `, `{`, `{"a":"\"]"}`, "[\"\xff\"]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(data, MaxDepth)
		if (err == nil) != json.Valid(data) {
			t.Fatalf("the syntax of %q: %v", data, err)
		}
		if err != nil {
			return
		}
		got, err := walk(r)
		if err != nil {
			return // repeated or too deep
		}
		if rest := bytes.TrimSpace(data[r.pos:]); len(rest) > 0 {
			t.Errorf("%q was left unread", rest)
		}
		var want any
		if err := json.Unmarshal(data, &want); err != nil {
			return // a number out of range
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-encoding/json +ours):\n%s", diff)
		}
	})
}
