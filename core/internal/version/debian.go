package version

import "strings"

// debian is dpkg's order. What dpkg would not install has a place all the same: advisories have slips such as
// "1:1.12_1.12.6-1".
//
// https://man7.org/linux/man-pages/man7/deb-version.7.html
func debian(k key, s string) (key, fit) {
	k, s, ok := epoch(k, s)
	if !ok || s == "" || !isDigit(s[0]) || strings.Contains(s, ":") {
		return k, unfit
	}
	k = debianParts(k, s)
	if !consists(s, ".+~-") || strings.HasSuffix(s, "-") {
		return k, rough
	}
	return k, exact
}

// opam is Debian's order without epochs. Versions may begin with letters, and those are not for show: v0.16 is after
// 113.33.
//
// https://opam.ocaml.org/doc/Manual.html#Version-ordering
func opam(k key, s string) (key, fit) {
	if !consists(s, "._+~-") {
		return k, unfit
	}
	return debianParts(k, s), exact
}

// debianLast is after every revision of a version that names none.
func debianLast(k key, s string) key {
	if strings.Contains(s, "-") {
		return k
	}
	return append(k[:len(k)-len(debianPart(nil, ""))], 0xff)
}

// epoch writes the number before the first colon, 0 if there is none. Epochs are a few digits everywhere.
func epoch(k key, s string) (key, string, bool) {
	digits, rest := cutDigits(s)
	if !strings.HasPrefix(rest, ":") {
		return k.number(""), s, true
	}
	return k.number(digits), rest[1:], 0 < len(digits) && len(digits) < 10
}

// debianParts writes the upstream version and the revision. No revision is like 0.
func debianParts(k key, s string) key {
	upstream, revision := s, ""
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		upstream, revision = s[:i], s[i+1:]
	}
	return debianPart(debianPart(k, upstream), revision)
}

// debianPart writes texts and numbers in turn, beginning with a text and ending with a number, both of which may be
// empty. In texts a tilde comes before the end, the end before letters, and those before everything else.
func debianPart(k key, s string) key {
	const tilde, end, other = 1, 2, 0x80
	for {
		for s != "" && !isDigit(s[0]) {
			switch c := s[0]; {
			case c == '~':
				k = append(k, tilde)
			case isLetter(c):
				k = append(k, c)
			default:
				k = append(k, other|c)
			}
			s = s[1:]
		}
		var digits string
		digits, s = cutDigits(s)
		k = append(k, end).number(digits)
		if s == "" {
			return append(k, end)
		}
	}
}
