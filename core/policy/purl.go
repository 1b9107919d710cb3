package policy

import (
	"fmt"
	"net/url"
	"strings"
)

// maxPurl bounds a package URL and a pattern for them, in bytes.
const maxPurl = 2048

// purl is a package URL in its parts. The library that the inventory uses would do as well, but it has no patterns, and
// refuses what strangers write a little wrongly, where a policy has to say what it means.
//
// https://github.com/package-url/purl-spec
type purl struct {
	kind, path, version string // path is the namespace and the name
	qualifiers          map[string]string
}

func parsePurl(s string) (purl, error) {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok || len(s) > maxPurl {
		return purl{}, fmt.Errorf("%q is not a package URL: it begins with pkg:TYPE/", s[:min(len(s), 100)])
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	kind, path, ok := strings.Cut(strings.Trim(rest, "/"), "/")
	if !ok || kind == "" || path == "" {
		return purl{}, fmt.Errorf("%q is not a package URL: it has no name", s[:min(len(s), 100)])
	}
	p := purl{kind: strings.ToLower(kind)}
	if at := strings.LastIndexByte(path, '@'); at > strings.LastIndexByte(path, '/')+1 {
		path, p.version = path[:at], unescaped(path[at+1:])
	}
	p.path = unescaped(path)
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			if p.qualifiers == nil {
				p.qualifiers = map[string]string{}
			}
			p.qualifiers[strings.ToLower(key)] = unescaped(value)
		}
	}
	return p, nil
}

func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// purlPattern is a package URL of which the path, the version and the qualifiers may have stars. What it does not name
// may be anything.
type purlPattern struct {
	kind          string
	path, version *glob
	qualifiers    map[string]*glob
}

func parsePurlPattern(s string) (*purlPattern, error) {
	p, err := parsePurl(s)
	if err != nil {
		return nil, err
	}
	pattern := &purlPattern{kind: p.kind, qualifiers: map[string]*glob{}}
	if pattern.path, err = parseGlob(p.path); err != nil {
		return nil, err
	}
	if p.version != "" {
		if pattern.version, err = parseGlob(p.version); err != nil {
			return nil, err
		}
	}
	for key, value := range p.qualifiers {
		if pattern.qualifiers[key], err = parseGlob(value); err != nil {
			return nil, err
		}
	}
	return pattern, nil
}

func (p *purlPattern) match(s string) bool {
	u, err := parsePurl(s)
	return err == nil && p.matches(&u)
}

// matches compares with a URL that has been read; the zero value is none.
func (p *purlPattern) matches(u *purl) bool {
	if u.kind == "" || p.kind != u.kind && p.kind != "*" || !p.path.matches(u.path) {
		return false
	}
	if p.version != nil && !p.version.matches(u.version) {
		return false
	}
	for key, value := range p.qualifiers {
		if !value.matches(u.qualifiers[key]) {
			return false
		}
	}
	return true
}

func (g *glob) matches(text string) bool {
	matches, _ := g.match(text)
	return matches
}
