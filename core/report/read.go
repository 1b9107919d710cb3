package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
	"github.com/cleanbill-ci/cleanbill/core/internal/strictjson"
)

// ReadDocument reads what WriteJSON wrote. It is strict, because whoever judges a document trusts every word of it: an
// unknown version or member, a member named twice, a value outside its enumeration, a malformed digest, or a part that
// refers to a subject or finding which is not there, is an error with its line and column. The name is for the error;
// maxSize, in bytes, is the limit "metadata-size".
//
// What was read is no more authentic than where it came from.
func ReadDocument(r io.Reader, name string, maxSize int64) (Document, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return Document{}, &core.Failure{Doing: "read the evidence document " + redact.Reference(name), Err: err}
	}
	d, err := parseDocument(data, maxSize)
	if err != nil {
		return Document{}, &core.Failure{
			Doing: "read the evidence document " + redact.Reference(name),
			Err:   err,
			Hint:  hintFor(err),
			Usage: true,
		}
	}
	return d, nil
}

// ErrNotOurs is the error for a file that is no evidence document at all.
var ErrNotOurs = errors.New("this is not an evidence document of Cleanbill")

func hintFor(err error) string {
	switch {
	case errors.Is(err, ErrNotOurs):
		return "evidence documents are written by `cleanbill scan TARGET --output json=FILE`"
	case errors.As(err, new(*limit.Exceeded)):
		return ""
	}
	return "write it again with `cleanbill scan TARGET --output json=FILE`, with this version of cleanbill"
}

func parseDocument(data []byte, maxSize int64) (Document, error) {
	if int64(len(data)) > maxSize {
		return Document{}, &limit.Exceeded{Limit: "metadata-size", Max: maxSize, Unit: "bytes", What: "the document"}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := checkVersion(data); err != nil {
		return Document{}, err
	}
	var d Document
	if err := strictjson.Decode(data, &d); err != nil {
		return Document{}, err
	}
	if err := validate(d, data); err != nil {
		return Document{}, err
	}
	return d, nil
}

// checkVersion comes before everything else, so that a document of another version is not called malformed.
func checkVersion(data []byte) error {
	r, err := strictjson.NewReader(data, strictjson.MaxDepth)
	if err != nil {
		return err
	}
	if r.Kind() != '{' {
		return fmt.Errorf("%w: it is no JSON object", ErrNotOurs)
	}
	schema, version := "", int64(0)
	err = r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "$schema":
			schema, err = r.String()
		case "version":
			version, err = r.Int()
		case "bomFormat", "spdxVersion":
			err = fmt.Errorf("%w: it is an SBOM, which is a target of its own", ErrNotOurs)
		case "runs":
			err = fmt.Errorf("%w: it is a SARIF report", ErrNotOurs)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case schema == "":
		return fmt.Errorf(`%w: it has no "$schema"`, ErrNotOurs)
	case schema == SchemaURL && version == DocumentVersion:
		return nil
	case strings.HasPrefix(schema, strings.TrimSuffix(SchemaURL, "v1.schema.json")):
		return fmt.Errorf("it has version %d (%s), and this version of cleanbill reads only version %d", version,
			redact.Text(schema), DocumentVersion)
	}
	return fmt.Errorf("%w: its schema is %s, want %s", ErrNotOurs, redact.Text(schema), SchemaURL)
}
