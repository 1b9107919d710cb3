package hook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const (
	// maxXML is the largest XML report in bytes. Unlike JSON it is not for results by the million.
	maxXML = 256 << 20
	// maxXMLToken is how long a start tag, with its attributes, or a piece of text may be, in bytes.
	maxXMLToken = 8 << 20
	// maxXMLDepth is how deep elements may be nested.
	maxXMLDepth = 64
)

// elements reads the elements of a document.
type elements struct {
	decoder *xml.Decoder
	ration  *ration
	path    []string
	// ended says that a handler has read its element to the end.
	ended bool
	seen  bool
}

// eachElement calls start with every element and with the names of those around it. A document type, and with it any
// entity of one's own, is refused.
func eachElement(in input, start func(path []string, e xml.StartElement, all *elements) error) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: text, N: maxXML + 1}
	part := &ration{src: limited}
	d := xml.NewDecoder(part)
	d.CharsetReader = charset
	all := &elements{decoder: d, ration: part}
	for {
		token, err := all.token()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("it is larger than %d bytes", maxXML)
		case errors.Is(err, io.EOF) && len(all.path) == 0 && all.seen:
			return nil
		case errors.Is(err, errToken):
			return all.fail(err.Error())
		case err != nil:
			return all.fail("it is cut off, or no XML: " + err.Error())
		}
		switch t := token.(type) {
		case xml.Directive:
			return all.fail("it has a document type, which is not read")
		case xml.StartElement:
			if len(all.path) == maxXMLDepth {
				return all.fail(fmt.Sprintf("nested deeper than %d levels", maxXMLDepth))
			}
			all.ended, all.seen = false, true
			if err := start(all.path, t, all); err != nil {
				return err
			}
			if !all.ended {
				all.path = append(all.path, t.Name.Local)
			}
		case xml.EndElement:
			all.path = all.path[:len(all.path)-1]
		}
	}
}

// token reads the next part of the document.
func (e *elements) token() (xml.Token, error) {
	e.ration.left = maxXMLToken
	return e.decoder.Token()
}

// ration is a reader that gives so much until it is told otherwise. A decoder keeps all of a token in memory, and some
// ten times as much for one of many attributes.
type ration struct {
	src  io.Reader
	left int
}

var errToken = fmt.Errorf("a tag or text of more than %d bytes", maxXMLToken)

func (r *ration) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errToken
	}
	n, err := r.src.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// text reads the rest of an element that was just started, and returns the text in it.
func (e *elements) text() (string, error) {
	e.ended = true
	var b strings.Builder
	for depth := 1; depth > 0; {
		token, err := e.token()
		if err != nil {
			return "", e.fail(err.Error())
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxXMLDepth {
				return "", e.fail(fmt.Sprintf("nested deeper than %d levels", maxXMLDepth))
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			b.Write(t)
		}
	}
	return b.String(), nil
}

func (e *elements) fail(reason string) error {
	l, column := e.decoder.InputPos()
	at := ""
	if len(e.path) > 0 {
		at = ", in " + strings.Join(e.path, "/")
	}
	return fmt.Errorf("line %d, column %d%s: %s", l, column, at, reason)
}

// number reads an attribute that is a whole number; empty is 0.
func (e *elements) number(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, e.fail(fmt.Sprintf("want a whole number, found %q", line(s)))
	}
	return n, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// charset decodes what old tools of Windows and Java write. UTF-16 was decoded before.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(in), nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("the encoding %q is not read: write UTF-8", label)
}
