package version

import "strings"

// rpm is the order of rpm: epoch, version and release, of the characters that rpmbuild allows. A version without a
// release comes before all its releases.
//
// https://rpm-software-management.github.io/rpm/man/rpm-version.7
func rpm(k key, s string) (key, fit) {
	k, s, ok := epoch(k, s)
	if !ok || !consists(s, "._+~^%{}-") || strings.Trim(s, "._+~^%{}-") == "" {
		return k, unfit
	}
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return append(rpmPart(k, s), noRelease), bare
	}
	k = rpmPart(append(rpmPart(k, s[:i]), aRelease), s[i+1:])
	if i == 0 || i == len(s)-1 || strings.Contains(s[:i], "-") {
		return k, rough
	}
	return k, exact
}

const noRelease, aRelease = 0, 1

// rpmPart writes words and numbers. What separates them is not compared, except that a tilde comes before the end,
// and a caret after it but before everything else.
func rpmPart(k key, s string) key {
	const tilde, end, caret, word, number = 1, 2, 3, 4, 5
	for s != "" {
		var part string
		switch {
		case s[0] == '~':
			k, s = append(k, tilde), s[1:]
		case s[0] == '^':
			k, s = append(k, caret), s[1:]
		case isDigit(s[0]):
			part, s = cutDigits(s)
			k = append(k, number).number(part)
		case isLetter(s[0]):
			part, s = cutLetters(s)
			k = append(k, word).word(part)
		default:
			s = s[1:]
		}
	}
	return append(k, end)
}
