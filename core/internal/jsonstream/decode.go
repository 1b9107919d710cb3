package jsonstream

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// Decode reads one value of at most so many bytes into v, as encoding/json does. Repeated members are errors in it too.
func (r *Reader) Decode(v any, most int) error {
	if r.kind() == 0 {
		return r.cut()
	}
	at := r.Offset()
	raw, err := r.capture(most, r.Skip)
	if err != nil {
		return err
	}
	inner, err := strictjson.NewReader(raw, MaxDepth)
	if err == nil {
		err = inner.Skip()
	}
	if wrong := (*strictjson.Error)(nil); errors.As(err, &wrong) {
		return r.within(at+int64(wrong.Offset), wrong.Path, wrong.Reason)
	}
	err = json.Unmarshal(raw, v)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return r.within(at+wrong.Offset, wrong.Field, fmt.Sprintf("want %s, found %s", wrong.Type, wrong.Value))
	}
	if err != nil {
		return r.within(at, "", err.Error())
	}
	return nil
}

func (r *Reader) within(offset int64, path, reason string) error {
	e := &Error{Offset: offset, Path: r.pathString(), Reason: reason}
	switch {
	case path == "":
	case e.Path == "" || path[0] == '[':
		e.Path += path
	default:
		e.Path += "." + path
	}
	return e
}
