package version

import "strings"

// composer is the order of PHP's version_compare, of versions that Composer normalised: four numbers or a date, then a
// stability with its own numbers. Branches ("dev-master", "1.x-dev") have no place in it: what they hold changes.
//
// https://github.com/composer/semver/blob/main/src/VersionParser.php
func composer(k key, s string) (key, fit) {
	s, _, _ = strings.Cut(strings.ToLower(s), "+")
	if version, flag, ok := strings.Cut(s, "@"); ok {
		switch flag {
		case "stable", "rc", "beta", "alpha", "dev":
			s = version
		}
	}
	k, rest, ok := composerNumbers(k, s)
	if !ok {
		if k, rest, ok = composerDate(k, s); !ok {
			return k, unfit
		}
	}
	return composerStability(k, rest)
}

// Where one version ends and another goes on, a number or a patch is later and everything else is earlier.
const (
	composerDev = iota + 1
	composerAlpha
	composerBeta
	composerRC
	composerEnd
	composerNumber
	composerPatch
)

// composerNumbers writes up to four numbers, filled up with zeros.
func composerNumbers(k key, s string) (out key, rest string, ok bool) {
	start := k
	for i := range 4 {
		digits := ""
		if i == 0 {
			digits, s = cutDigits(s)
			if digits == "" || len(digits) > 5 {
				return start, "", false
			}
		} else if len(s) > 1 && s[0] == '.' && isDigit(s[1]) {
			digits, s = cutDigits(s[1:])
		}
		k = append(k, composerNumber).number(digits)
	}
	// Another number would make a date.
	if i := strings.IndexAny(s, "0123456789"); i == 0 || i == 1 && strings.IndexByte(".:-", s[0]) >= 0 {
		return start, "", false
	}
	return k, s, true
}

// composerDate writes a date and what numbers follow it: "20100102", "2010-01-02", "2010.01.02.10.11", "201903.0".
func composerDate(k key, s string) (out key, rest string, ok bool) {
	digits, s := cutDigits(s)
	if len(digits) < 4 {
		return k, "", false
	}
	k = append(k, composerNumber).number(digits)
	short := len(digits) < 6 // without a month
	for len(s) > 1 && strings.IndexByte(".:-", s[0]) >= 0 && isDigit(s[1]) {
		digits, s = cutDigits(s[1:])
		if short && len(digits) < 2 {
			return k, "", false
		}
		short = false
		k = append(k, composerNumber).number(digits)
	}
	return k, s, !short
}

// composerStability writes what follows the numbers: a word and its numbers, and "dev".
func composerStability(k key, s string) (key, fit) {
	word, rest := cutLetters(cutOne(s, "._-"))
	if before, glued := strings.CutSuffix(word, "dev"); glued {
		word, rest = before, "dev"+rest
	}
	stable := word == "stable"
	switch word {
	case "", "stable":
	case "a", "alpha":
		k = append(k, composerAlpha)
	case "b", "beta":
		k = append(k, composerBeta)
	case "rc":
		k = append(k, composerRC)
	case "p", "pl", "patch":
		k = append(k, composerPatch)
	default:
		return k, unfit
	}
	for word != "" {
		digits, after := cutDigits(cutOne(rest, ".-"))
		if digits == "" {
			break
		}
		if rest = after; !stable {
			k = append(k, composerNumber).number(digits)
		}
	}
	switch rest {
	case "":
	case "dev", ".dev", "-dev":
		if !stable {
			k = append(k, composerDev)
		}
	default:
		return k, unfit
	}
	return append(k, composerEnd), exact
}
