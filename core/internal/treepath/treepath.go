// Package treepath makes the paths that other tools write relative to the root of the tree that is judged. They come as
// relative and absolute paths, of Linux and of Windows, and as URIs; some lead out of the tree, by mistake or on
// purpose.
//
// The result is for people and for comparing. It never leads out of the tree, and nobody opens a file by it. Nothing
// about any report's format belongs here.
package treepath

import (
	"net/url"
	"path"
	"strings"
)

// Outside is the first part of the paths of what is not in the tree.
const Outside = "outside:"

// maxLength is the longest path in bytes, which is that of Linux.
const maxLength = 4096

// Roots are the places at which tools saw the tree: absolute paths, slash-separated.
type Roots []string

// With returns the roots with one more, which may be a path or a URI. What is not absolute is no root, and neither is
// the whole file system, below which everything would be.
func (r Roots) With(root string) Roots {
	p, local := fromURI(root)
	p = path.Clean(slashed(p))
	if !local || !absolute(p) || p == "/" || len(p) < 4 && p[1] == ':' {
		return r
	}
	return append(r[:len(r):len(r)], p)
}

// Path returns the path in the tree of a path that a tool wrote.
func (r Roots) Path(p string) string {
	if len(p) >= len("file:") && strings.EqualFold(p[:len("file:")], "file:") {
		return r.URI(p)
	}
	return r.within(slashed(p))
}

// URI returns the path in the tree of a URI reference.
//
// https://datatracker.ietf.org/doc/html/rfc3986#section-4.1
func (r Roots) URI(uri string) string {
	p, local := fromURI(uri)
	if !local {
		return bounded(Outside + p)
	}
	return r.within(slashed(p))
}

// within makes a slash-separated path relative to the innermost root that holds it.
func (r Roots) within(p string) string {
	if p == "" {
		return ""
	}
	if !absolute(p) {
		clean := path.Clean(p)
		if clean == ".." || strings.HasPrefix(clean, "../") {
			return bounded(Outside + strings.TrimLeft(strings.ReplaceAll(clean, "..", ""), "/"))
		}
		if clean == "." {
			return ""
		}
		return bounded(clean)
	}
	clean, best := path.Clean(p), ""
	for _, root := range r {
		if below, ok := cutRoot(clean, root); ok && len(root) > len(best) && below != "" {
			best = root
		}
	}
	if best == "" {
		return bounded(Outside + strings.TrimLeft(clean, "/"))
	}
	below, _ := cutRoot(clean, best)
	return bounded(below)
}

func cutRoot(p, root string) (string, bool) {
	rest, ok := strings.CutPrefix(p, root)
	if !ok && len(p) >= len(root) && len(root) > 1 && root[1] == ':' && strings.EqualFold(p[:len(root)], root) {
		rest, ok = p[len(root):], true // Windows does not tell case apart
	}
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// absolute reports whether a slash-separated path is absolute on Linux or Windows.
func absolute(p string) bool { return strings.HasPrefix(p, "/") || drive(p) }

func drive(p string) bool {
	return len(p) >= 3 && p[1] == ':' && p[2] == '/' && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z'
}

// slashed turns the separators of Windows into slashes. A backslash may stand in a name elsewhere, so it is only taken
// for a separator where there is no slash.
func slashed(p string) string {
	windows := len(p) >= 3 && p[1] == ':' && (p[2] == '\\' || p[2] == '/')
	if windows || !strings.Contains(p, "/") {
		return strings.ReplaceAll(p, `\`, "/")
	}
	return p
}

// fromURI returns the path of a URI reference, percent-decoded, and whether it is one of a file system.
func fromURI(uri string) (p string, local bool) {
	scheme, rest, found := strings.Cut(uri, ":")
	switch {
	case !found || len(scheme) < 2 || strings.ContainsAny(scheme, `/\?#%`):
		return decoded(uri), true // a relative reference, or a drive of Windows
	case !strings.EqualFold(scheme, "file"):
		return uri, false
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		host, below, _ := strings.Cut(authority, "/")
		rest = "/" + below
		if host != "" && !strings.EqualFold(host, "localhost") && !(len(host) == 2 && host[1] == ':') {
			return uri, false
		}
		if len(host) == 2 { // file://C:/…, as some tools write it
			rest = host + rest
		}
	}
	p = decoded(rest)
	if trimmed := strings.TrimLeft(p, "/"); drive(slashed(trimmed)) {
		return trimmed, true
	}
	return p, true
}

// decoded undoes percent-encoding. What is not well-formed stays as it is.
func decoded(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		// A path has these encoded. Tools that do not encode mean a part of the name, so nothing is cut off.
		if p, err := url.PathUnescape(s[:i]); err == nil {
			return p + s[i:]
		}
		return s
	}
	if p, err := url.PathUnescape(s); err == nil {
		return p
	}
	return s
}

func bounded(p string) string {
	p = strings.ToValidUTF8(p, "\uFFFD")
	if len(p) > maxLength {
		p = strings.ToValidUTF8(p[:maxLength], "")
	}
	return p
}
