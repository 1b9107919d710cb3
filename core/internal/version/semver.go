package version

import "strings"

// semver is the order of semantic versions, as npm reads them: the patch and the minor version may be missing, and a
// prerelease may lack its hyphen ("1.2.3rc1"). Build metadata is not compared. More than three numbers, which few
// ecosystems allow, are compared as numbers.
//
// https://semver.org/spec/v2.0.0.html#spec-item-11
func semver(k key, s string) (key, fit) {
	k, _, f := semverParts(k, s)
	return k, f
}

// semverParts writes all that is compared, and returns the build metadata.
func semverParts(k key, s string) (key, string, fit) {
	k, count, rest := numbers(k, s)
	if count == 0 {
		return k, "", unfit
	}
	rest, build, built := strings.Cut(rest, "+")
	prerelease, hyphen := strings.CutPrefix(rest, "-")
	switch {
	case built && build == "":
		return k, "", unfit
	case rest == "":
		return append(k, release), build, exact
	case !hyphen && (count < 3 || !isLetter(rest[0])):
		// "8f4b7f8" is a commit.
		return k, "", unfit
	}
	k, ok := identifiers(append(k, beforeRelease), prerelease)
	if !ok {
		return k, "", unfit
	}
	return k, build, exact
}

const beforeRelease, release, afterRelease = 1, 2, 3

// numbers writes the numbers with which s begins, with dots between them. Zeros at their end do not count.
func numbers(k key, s string) (out key, count int, rest string) {
	const end, number = 0, 1
	zeros := 0
	for {
		digits, after := cutDigits(s)
		if digits == "" {
			return append(k, end), 0, s
		}
		count++
		if strings.Trim(digits, "0") == "" {
			zeros++
		} else {
			for ; zeros > 0; zeros-- {
				k = append(k, number).number("")
			}
			k = append(k, number).number(digits)
		}
		if len(after) < 2 || after[0] != '.' || !isDigit(after[1]) {
			return append(k, end), count, after
		}
		s = after[1:]
	}
}

// identifiers writes what stands between dots: numbers come before words, and a shorter row comes first.
func identifiers(k key, s string) (key, bool) {
	const end, number, word = 0, 1, 2
	for more := true; more; {
		var id string
		id, s, more = strings.Cut(s, ".")
		if id == "" || !consists(id, "-") {
			return k, false
		}
		if digits, rest := cutDigits(id); rest == "" {
			k = append(k, number).number(digits)
		} else {
			k = append(k, word).word(id)
		}
	}
	return append(k, end), true
}

// golang is the order of semantic versions, and of the versions of Go itself as they are in the Go vulnerability
// database: "go1.22rc1" is 1.22.0-rc.1.
//
// https://go.dev/doc/toolchain#version
func golang(k key, s string) (key, fit) {
	toolchain, ok := strings.CutPrefix(s, "go")
	if ok {
		// What a distributor adds ("go1.22.1-fips") does not count.
		toolchain, _, _ = strings.Cut(toolchain, "-")
	}
	i := strings.IndexFunc(toolchain, func(r rune) bool { return r != '.' && (r < '0' || '9' < r) })
	if i <= 0 || strings.Count(toolchain[:i], ".") == 0 {
		return semver(k, toolchain)
	}
	kind, digits := cutLetters(toolchain[i:])
	number, rest := cutDigits(digits)
	switch kind {
	case "alpha", "beta", "rc":
		if number != "" && rest == "" {
			return semver(k, toolchain[:i]+"-"+kind+"."+number)
		}
	}
	return semver(k, toolchain)
}

// pub is the order of Dart's package manager, which compares build metadata too, after the rest.
//
// https://pub.dev/documentation/pub_semver/latest/pub_semver/Version-class.html
func pub(k key, s string) (key, fit) {
	k, build, f := semverParts(k, s)
	if f == unfit || build == "" {
		return append(k, release), f
	}
	k, ok := identifiers(append(k, afterRelease), build)
	if !ok {
		return k, unfit
	}
	return k, f
}

// nuget is the order of semantic versions with a fourth number, in which case does not matter.
//
// https://learn.microsoft.com/en-us/nuget/concepts/package-versioning#version-ordering
func nuget(k key, s string) (key, fit) { return semver(k, strings.ToLower(s)) }

// bitnami is the order of Bitnami: what begins with a number after the hyphen is a revision of the package, which comes
// after the version itself, and 0 is like none. Words are prereleases of what is packaged.
//
// https://github.com/bitnami/go-version#version-parsing-and-comparison
func bitnami(k key, s string) (key, fit) {
	version, revision, _ := strings.Cut(s, "-")
	revision, _, _ = strings.Cut(revision, "+")
	if revision == "" || !isDigit(revision[0]) {
		k, f := semver(k, s)
		return append(k, release), f
	}
	k, f := semver(k, version)
	if f == unfit || revision == "0" {
		return append(k, release), f
	}
	k, ok := identifiers(append(k, afterRelease), revision)
	if !ok {
		return k, unfit
	}
	return k, f
}
