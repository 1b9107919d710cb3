package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMembersAreReadWithTheirLines(t *testing.T) {
	got, err := readMembers([]byte("\n{ \"a\\u0062\" : 1,\n\"c\":\n[\"]\", {}],\n \"c\": \"\\\"}\" , \"\": null}\n{\"d\":1}"))
	want := []field{
		{key: "ab", value: []byte("1"), line: 2}, {key: "c", value: []byte(`["]", {}]`), line: 4},
		{key: "c", value: []byte(`"\"}"`), line: 5}, {key: "", value: []byte("null"), line: 5},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(field{})); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestWhatIsNoContainerHasNoMembers(t *testing.T) {
	for _, content := range []string{"", " ", "1", `"a"`, "null", "{", "[", `{"a":1`, `{"a" 1}`, `{"a":}`, `{a:1}`, "[1,]", "[1 2]", "[}", `["a]`, "{\"a\":\"\\"} {
		members, err := readMembers([]byte(content))
		if err == nil || len(members) > 0 {
			t.Errorf("%q: %v", content, members)
		}
	}
}

func TestReadingOfMembersEndsWhenTold(t *testing.T) {
	enough, n := errors.New("enough"), 0
	err := eachMember([]byte("[1,2,3]"), func(field) error { n++; return enough })
	if err != enough || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

// decoded reads members with the standard library's decoder.
func decoded(content []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	open, err := d.Token()
	if err != nil {
		return nil, err
	}
	var members []field
	for line, counted := 1, int64(0); d.More(); {
		f := field{listed: open == json.Delim('[')}
		if !f.listed {
			key, err := d.Token()
			if err != nil {
				return members, err
			}
			f.key, _ = key.(string)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return members, err
		}
		begins := d.InputOffset() - int64(len(raw))
		line += bytes.Count(content[counted:begins], []byte{'\n'})
		counted = begins
		f.value, f.line = raw, line
		members = append(members, f)
	}
	_, err = d.Token()
	return members, err
}

func FuzzReadMembers(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,2]}`))
	f.Add([]byte("[\n1,\n{}]"))
	f.Add([]byte(`{"\ud800":"\"","a":{"b":[true,false,null,-1.5e3]}} x`))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := readMembers(content)
		if trimmed := bytes.TrimLeft(content, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' {
			if err == nil {
				t.Errorf("%d members of what is no container", len(got))
			}
			return
		}
		want, wantErr := decoded(content)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, the decoder's %v", err, wantErr)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(field{})); diff != "" && err == nil {
			t.Error(diff)
		}
	})
}
