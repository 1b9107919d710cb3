package version

import "strings"

// hackage is the order of Haskell's packages: numbers, of which a longer row is later.
//
// https://hackage-content.haskell.org/package/Cabal-syntax/docs/Distribution-Types-Version.html
func hackage(k key, s string) (key, fit) { return row(k, s, ".") }

// cran is the order of R's packages: numbers, of which a longer row is later, with hyphens for dots.
//
// https://stat.ethz.ch/R-manual/R-devel/library/base/html/numeric_version.html
func cran(k key, s string) (key, fit) { return row(k, s, ".-") }

func row(k key, s, separators string) (key, fit) {
	const end, number = 0, 1
	for {
		digits, rest := cutDigits(s)
		if digits == "" {
			return k, unfit
		}
		k = append(k, number).number(digits)
		if rest == "" {
			return append(k, end), exact
		}
		if strings.IndexByte(separators, rest[0]) < 0 {
			return k, unfit
		}
		s = rest[1:]
	}
}

// conan is the order of Conan's packages: numbers and words between dots, with letters after numbers ("1.1.1k"),
// where zeros at the end do not count; then a prerelease, which comes before the version, and a build, which comes
// after it. Conan itself compares a number that letters follow as text, and so goes in circles (10 < 1a < 9 < 10);
// here its number counts first.
//
// https://docs.conan.io/2/tutorial/versioning/version_ranges.html
func conan(k key, s string) (key, fit) {
	if !consists(s, "._+-") {
		return k, unfit
	}
	version, build := s, ""
	plus := strings.LastIndexByte(s, '+')
	if plus >= 0 {
		version, build = s[:plus], s[plus+1:]
	}
	version, prerelease, before := strings.Cut(version, "-")
	k = conanItems(k, version)
	if before {
		k = conanItems(append(k, beforeRelease), prerelease)
	} else {
		k = append(k, release)
	}
	if plus >= 0 {
		return conanItems(append(k, afterRelease), build), exact
	}
	return append(k, release), exact
}

func conanItems(k key, s string) key {
	const end, number, word = 0, 1, 2
	zeros := 0
	for more := true; more; {
		var item string
		item, s, more = strings.Cut(s, ".")
		digits, rest := cutDigits(item)
		if rest == "" && digits != "" && strings.Trim(digits, "0") == "" {
			zeros++
			continue
		}
		for ; zeros > 0; zeros-- {
			k = append(k, number).number("").word("")
		}
		if digits != "" {
			k = append(k, number).number(digits).word(rest)
		} else {
			k = append(k, word).word(item)
		}
	}
	return append(k, end)
}
