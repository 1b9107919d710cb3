package hook

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// The types here read what tools, or versions of one, write in several ways.

// texts is a list that may be written as one string, or as null.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var one string
		err := json.Unmarshal(raw, &one)
		*t = texts{one}
		return err
	}
	return json.Unmarshal(raw, (*[]string)(t))
}

// many is a list of objects, of which one may be written without the list.
type many[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (m *many[T]) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte("{")) {
		var one T
		err := json.Unmarshal(raw, &one)
		*m = many[T]{one}
		return err
	}
	return json.Unmarshal(raw, (*[]T)(m))
}

// text is a string that may be written as a number.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		*t = text(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(t))
}

// loose is a number that may be written as a string, or as a range of which the beginning counts.
type loose int

// UnmarshalJSON implements json.Unmarshaler.
func (l *loose) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		text, _, _ = strings.Cut(text, "-")
	}
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return &json.UnmarshalTypeError{Value: "string", Type: reflect.TypeFor[int]()}
	}
	*l = loose(n)
	return nil
}
