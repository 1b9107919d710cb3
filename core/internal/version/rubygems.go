package version

import "strings"

// rubyGems is the order of Gem::Version. The platform that lock files append ("1.13.10-x86_64-linux") is not part of
// it.
//
// https://github.com/ruby/rubygems/blob/master/lib/rubygems/version.rb
func rubyGems(k key, s string) (key, fit) {
	s = cutPlatform(s)
	if s == "" || !isDigit(s[0]) || !consists(s, ".-") {
		return k, unfit
	}
	parts, hyphen, hyphened := strings.Cut(s, "-")
	for part := range strings.SplitSeq(parts, ".") {
		if part == "" {
			return k, unfit
		}
	}
	k, zeros, words := gemSegments(k, parts, 0, false)
	if hyphened {
		// A hyphen is a prerelease.
		for part := range strings.SplitSeq(hyphen, ".") {
			if part == "" {
				return k, unfit
			}
		}
		k, zeros, words = gemSegments(k, "pre", zeros, words)
		k, _, _ = gemSegments(k, strings.ReplaceAll(hyphen, "-", ".pre."), zeros, words)
	}
	return append(k, gemEnd), exact
}

// Zeros do not count at the end of numbers, and the end is like a zero: words come before it, and what goes on with a
// number comes after it. More zeros bring either closer to it.
const (
	gemWord = iota + 1
	gemZerosThenWord
	gemEnd
	gemNumber
)

// gemSegments writes runs of digits and of letters. Zeros are written once it is known what they are followed by; those
// before the first word are dropped.
func gemSegments(k key, s string, zeros int, words bool) (key, int, bool) {
	for s != "" {
		var part string
		switch {
		case isDigit(s[0]):
			if part, s = cutDigits(s); strings.Trim(part, "0") == "" {
				zeros++
				continue
			}
			k = append(k, gemNumber).small(0xffff - zeros).number(part)
			zeros = 0
		case isLetter(s[0]):
			part, s = cutLetters(s)
			if zeros > 0 && words {
				k = append(k, gemZerosThenWord).small(zeros)
			} else {
				k = append(k, gemWord)
			}
			k, zeros, words = k.word(part), 0, true
		default:
			s = s[1:]
		}
	}
	return k, zeros, words
}

// cutPlatform drops the platform from a version, if it has one.
func cutPlatform(s string) string {
	version, platform, _ := strings.Cut(s, "-")
	cpu, _, _ := strings.Cut(platform, "-")
	switch cpu {
	case "aarch64", "arm", "arm64", "i386", "i486", "i586", "i686", "java", "jruby", "mingw32", "mswin32", "mswin64",
		"ppc",
		"powerpc", "universal", "x64", "x86", "x86_64":
		return version
	}
	return s
}
