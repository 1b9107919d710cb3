package image

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Root is the clean path of the root directory.
const Root = "."

var errEscapes = errors.New("the path leads out of the root")

// CleanPath turns the name of a tar entry into a relative, slash-separated, clean path. Leading "/" and "./" are common
// and dropped; a name that leads out of the root is an error, as it is for every container runtime.
func CleanPath(name string) (string, error) {
	if name == "" {
		return "", errors.New("the path is empty")
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("the path contains a NUL byte")
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", errEscapes
	}
	return clean, nil
}

// EscapePath writes the bytes of p that are not UTF-8 as \xNN, which is the form of core.Location.Path. Everything else
// stays as it is.
func EscapePath(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	var b strings.Builder
	for len(p) > 0 {
		r, size := utf8.DecodeRuneInString(p)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, p[0])
		} else {
			b.WriteString(p[:size])
		}
		p = p[size:]
	}
	return b.String()
}

// parent returns the directory of a clean path; that of a top-level name is Root.
func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return Root
	}
	return p[:i]
}

// ancestors calls yield with each proper ancestor of a clean path from the outside in, Root excluded, until yield
// returns false.
func ancestors(p string, yield func(dir string) bool) bool {
	for i := 0; i < len(p); i++ {
		if p[i] == '/' && !yield(p[:i]) {
			return false
		}
	}
	return true
}
