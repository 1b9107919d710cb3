package redact

import (
	"regexp"
	"strings"
)

// Redacted stands where a secret was.
const Redacted = "REDACTED"

var digestSuffix = regexp.MustCompile(`^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{6,}(?:[/?#]|$)`)

// Reference returns an image reference, package URL or URL without what may be a credential: user information is
// dropped, and the values of query parameters (and of a fragment that looks like parameters) are replaced unless they
// are known to name things only. The result is safe as by Text.
func Reference(s string) string {
	rest, fragment, hasFragment := strings.Cut(withoutUser(s), "#")
	out, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery {
		out += "?" + parameters(query)
	}
	if hasFragment {
		if strings.Contains(fragment, "=") {
			fragment = parameters(fragment)
		}
		out += "#" + fragment
	}
	return Text(out)
}

// withoutUser drops the user information of the authority, which ends at its last "@". Without a scheme the authority
// is what stands before the first slash, where an "@" may also introduce a digest.
func withoutUser(s string) string {
	scheme := ""
	if i := strings.Index(s, "://"); i >= 0 {
		scheme, s = s[:i+3], s[i+3:]
	}
	end := len(s)
	if i := strings.IndexAny(s, `/\?#`); i >= 0 {
		end = i
	}
	authority := s[:end]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if scheme == "" && namesDigest(authority, at, end == len(s)) {
			return s
		}
		return scheme + s[at+1:]
	}
	// A password with a raw "/", "?" or "#" ends the authority early: what stands after the colon is then no port.
	if _, port, ok := strings.Cut(authority, ":"); scheme != "" && ok && !isPort(port) {
		if at := strings.LastIndexByte(s, '@'); at >= 0 {
			return scheme + s[at+1:]
		}
	}
	return scheme + s
}

// namesDigest reports whether the "@" of an authority without a scheme introduces a digest ("app@sha256:…") or, in a
// lone word, a version ("name@1.2").
func namesDigest(authority string, at int, lone bool) bool {
	return digestSuffix.MatchString(authority[at+1:]) || lone && !strings.Contains(authority[:at], ":")
}

func isPort(s string) bool {
	return strings.HasPrefix(s, "[") || strings.Contains(s, ":") || strings.Trim(s, "0123456789") == ""
}

// parameters replaces the values of a query string but for those whose names cannot hold a credential.
func parameters(query string) string {
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		name, _, hasValue := strings.Cut(pair, "=")
		if !hasValue || !namesOnly(name) {
			pairs[i] = name + "=" + Redacted
			if !hasValue {
				pairs[i] = Redacted
			}
		}
	}
	return strings.Join(pairs, "&")
}

// namesOnly lists the parameters of registries' token endpoints and of package URLs that say what is meant, not who
// asks. https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst#known-qualifiers-keyvalue-pairs
func namesOnly(name string) bool {
	switch strings.ToLower(name) {
	case "scope", "service", "platform", "digest", "tag", "ns", "n", "last",
		"arch", "distro", "epoch", "upstream", "source", "sourceversion", "sourcerpm", "type", "classifier",
		"file_name":
		return true
	}
	return false
}
