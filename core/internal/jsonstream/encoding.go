package jsonstream

import (
	"bufio"
	"errors"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// UTF8 returns the text of r in UTF-8 without a byte order mark. It tells UTF-16 by its mark or, where it has none, by
// the zeros that the first two characters have, which are ASCII in JSON and XML. UTF-32 is refused.
//
// https://datatracker.ietf.org/doc/html/rfc4627#section-3
func UTF8(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 4096)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	is := func(pattern ...int) bool {
		for i, want := range pattern {
			if i >= len(head) || want >= 0 && head[i] != byte(want) || want < 0 && head[i] == 0 {
				return false
			}
		}
		return true
	}
	const any = -1 // but zero
	switch {
	case is(0xFF, 0xFE, 0, 0), is(0, 0, 0xFE, 0xFF), is(0, 0, 0, any), is(any, 0, 0, 0):
		return nil, errors.New("it is in UTF-32, which is not read: write it in UTF-8")
	case is(0xEF, 0xBB, 0xBF):
		_, err := b.Discard(3)
		return b, err
	case is(0xFF, 0xFE), is(any, 0, any, 0):
		return transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), nil
	case is(0xFE, 0xFF), is(0, any, 0, any):
		return transform.NewReader(b, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), nil
	}
	return b, nil
}
