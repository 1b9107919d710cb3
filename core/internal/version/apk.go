package version

import "strings"

// apk is the order of apk-tools. Advisories have slips: what is meant is read where it is plain ("1.34.0_r0" is
// 1.34.0-r0), and otherwise as far as it goes.
//
// https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/v3.0.6/doc/apk-package.5.scd
func apk(k key, s string) (key, fit) {
	start := len(k)
	k, rest := apkParts(k, s)
	if len(rest) == len(s) {
		return k, unfit
	}
	if rest == "" {
		return k, exact
	}
	k, _ = apkParts(k[:start], apkMend(s))
	return k, rough
}

// apkLast is after every release of a version that names none.
func apkLast(k key, s string) key {
	if strings.Contains(s, "-") {
		return k
	}
	return append(k[:len(k)-1], apkRevision, 0xff, 0xff)
}

// The parts of apk's versions, in their order where versions are the same up to there: prereleases come before the end,
// everything else comes after it.
const (
	apkAlpha = iota + 1
	apkBeta
	apkPre
	apkRC
	apkSlip
	apkEnd
	apkRevision
	apkHash
	apkSuffixNumber
	apkCVS
	apkSVN
	apkGit
	apkHg
	apkP
	apkLetter
	apkFraction // a number with leading zeros, which is compared as text
	apkNumber
)

// apkParts writes the parts of a version: number{.number}{letter}{_suffix{number}}{~hash}{-r#}. It returns what is left
// at the first that is not one. Numbers may follow the letter ("6.8.0p2-r1"): apk 3 refuses them, earlier ones install
// them.
func apkParts(k key, s string) (key, string) {
	digits, rest := cutDigits(s)
	if digits == "" {
		return k, s
	}
	k = k.number(digits)
	for number := true; number; {
		for len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
			digits, rest = cutDigits(rest[1:])
			if digits[0] == '0' {
				k = append(k, apkFraction).word(digits)
			} else {
				k = append(k, apkNumber).number(digits)
			}
		}
		if rest != "" && 'a' <= rest[0] && rest[0] <= 'z' {
			k, rest = append(k, apkLetter, rest[0]), rest[1:]
		}
		if digits, rest = cutDigits(rest); digits != "" {
			k = append(k, apkNumber).number(digits)
		}
		number = digits != ""
	}
	for strings.HasPrefix(rest, "_") {
		name, after := cutLetters(rest[1:])
		suffix := apkSuffix(name)
		if suffix == 0 {
			break
		}
		k, rest = append(k, suffix), after
		if digits, after = cutDigits(rest); digits != "" {
			k, rest = append(k, apkSuffixNumber).number(digits), after
		}
	}
	if after, ok := strings.CutPrefix(rest, "~"); ok {
		tail := strings.TrimLeft(after, "0123456789abcdef")
		if hash := after[:len(after)-len(tail)]; hash != "" {
			k, rest = append(k, apkHash).word(hash), tail
		}
	}
	if len(rest) > 2 && rest[:2] == "-r" && isDigit(rest[2]) {
		digits, rest = cutDigits(rest[2:])
		k = append(k, apkRevision).number(digits)
	}
	if rest != "" {
		return append(k, apkSlip), rest
	}
	return append(k, apkEnd), ""
}

func apkSuffix(name string) byte {
	switch name {
	case "alpha":
		return apkAlpha
	case "beta":
		return apkBeta
	case "pre":
		return apkPre
	case "rc":
		return apkRC
	case "cvs":
		return apkCVS
	case "svn":
		return apkSVN
	case "git":
		return apkGit
	case "hg":
		return apkHg
	case "p":
		return apkP
	}
	return 0
}

// apkMend writes slips of advisories in apk's form: a release after an underscore or without its r, a dot too many.
func apkMend(s string) string {
	i := strings.LastIndexAny(s, "-_")
	if i <= 0 {
		return s
	}
	digits, rest := cutDigits(strings.TrimPrefix(s[i+1:], "r"))
	if digits == "" || rest != "" {
		return s
	}
	return strings.TrimSuffix(s[:i], ".") + "-r" + digits
}
