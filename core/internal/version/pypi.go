package version

import "strings"

// pypi is the order of Python's packages. What came before this specification is refused: tools disagree about it.
//
// https://packaging.python.org/en/latest/specifications/version-specifiers/#summary-of-permitted-suffixes-and-relative-ordering
func pypi(k key, s string) (key, fit) {
	public, local, hasLocal := strings.Cut(strings.ToLower(s), "+")
	epoch, rest := cutDigits(public)
	if after, ok := strings.CutPrefix(rest, "!"); ok && epoch != "" {
		k, rest = k.number(epoch), after
	} else {
		k, rest = k.number(""), public
	}
	k, count, rest := numbers(k, rest)
	if count == 0 {
		return k, unfit
	}
	k, rest = pypiPhases(k, rest)
	if rest != "" {
		return k, unfit
	}
	if !hasLocal {
		return append(k, pypiNone), exact
	}
	k, ok := pypiLocal(append(k, pypiSome), local)
	if !ok {
		return k, unfit
	}
	return k, exact
}

// Without a phase a version is after its prereleases and development releases, and before its post-releases and local
// versions.
const (
	pypiDevOnly = iota + 1
	pypiAlpha
	pypiBeta
	pypiRC
	pypiNoPre

	pypiNone = 1
	pypiSome = 2

	pypiDev   = 1
	pypiNoDev = 2
)

// pypiPhases writes the prerelease, the post-release and the development release.
func pypiPhases(k key, s string) (key, string) {
	pre, preNumber, s := pypiPre(s)
	post, postNumber, s := pypiPost(s)
	dev, devNumber, s := pypiPhase(s, "dev")
	switch {
	case pre != 0:
		k = append(k, pre).number(preNumber)
	case dev && !post:
		k = append(k, pypiDevOnly)
	default:
		k = append(k, pypiNoPre)
	}
	if post {
		k = append(k, pypiSome).number(postNumber)
	} else {
		k = append(k, pypiNone)
	}
	if dev {
		return append(k, pypiDev).number(devNumber), s
	}
	return append(k, pypiNoDev), s
}

// pypiPre reads a prerelease.
func pypiPre(s string) (phase byte, number, rest string) {
	if ok, number, rest := pypiPhase(s, "alpha", "a"); ok {
		return pypiAlpha, number, rest
	}
	if ok, number, rest := pypiPhase(s, "beta", "b"); ok {
		return pypiBeta, number, rest
	}
	if ok, number, rest := pypiPhase(s, "rc", "c", "preview", "pre"); ok {
		return pypiRC, number, rest
	}
	return 0, "", s
}

// pypiPost reads a post-release, which may be a hyphen and a number ("1.0-1").
func pypiPost(s string) (ok bool, number, rest string) {
	if after, ok := strings.CutPrefix(s, "-"); ok {
		if number, rest = cutDigits(after); number != "" {
			return true, number, rest
		}
	}
	return pypiPhase(s, "post", "rev", "r")
}

// pypiPhase reads one of the words and its number, which may be missing, with or without separators before either.
func pypiPhase(s string, words ...string) (ok bool, number, rest string) {
	for _, word := range words {
		if after, ok := strings.CutPrefix(cutOne(s, "-_."), word); ok {
			number, rest = cutDigits(cutOne(after, "-_."))
			return true, number, rest
		}
	}
	return false, "", s
}

// pypiLocal writes what a distributor appended: words come before numbers, and a shorter row first.
func pypiLocal(k key, s string) (key, bool) {
	const end, word, number = 0, 1, 2
	for more := true; more; {
		part := s
		i := strings.IndexAny(s, "-_.")
		if more = i >= 0; more {
			part, s = s[:i], s[i+1:]
		}
		if part == "" || !consists(part, "") {
			return k, false
		}
		if digits, rest := cutDigits(part); rest == "" {
			k = append(k, number).number(digits)
		} else {
			k = append(k, word).word(part)
		}
	}
	return append(k, end), true
}
