package version

import "strings"

// key is a version written so that keys compare byte by byte as their versions do. Whatever is compared that way is
// in an order: no two versions are before one another, and none go in a circle.
//
// Each part of a key tells where it ends, so a part that goes on sorts by what it goes on with.
type key []byte

// number appends a number of any length. Leading zeros do not count, and no digits are 0.
func (k key) number(digits string) key {
	for digits != "" && digits[0] == '0' {
		digits = digits[1:]
	}
	// More digits are more. Versions have a few hundred at most.
	n := len(digits)
	if n < 0xff {
		k = append(k, byte(n))
	} else {
		k = append(k, 0xff, byte(n>>8), byte(n))
	}
	return append(k, digits...)
}

// word appends text that is compared as bytes, and a shorter one comes first.
func (k key) word(text string) key {
	return append(append(k, text...), 0)
}

// small appends a count below 65,536.
func (k key) small(n int) key { return append(k, byte(n>>8), byte(n)) }

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// cutDigits splits off the digits with which s begins.
func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// cutLetters splits off the letters with which s begins.
func cutLetters(s string) (letters, rest string) {
	i := 0
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// consists reports whether every byte of s is a digit, a letter or one of others.
func consists(s, others string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && !isLetter(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

// cutOne drops the first byte of s if it is one of those.
func cutOne(s, those string) string {
	if s != "" && strings.IndexByte(those, s[0]) >= 0 {
		return s[1:]
	}
	return s
}
