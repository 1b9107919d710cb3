package version

import "strings"

// maven is Maven's order as it is specified. Maven's own comparison goes in circles where qualifiers are not last
// (1.0 < 1.0.Final-redhat-1 < 1.0.Final = 1.0); there the specification decides.
//
// https://maven.apache.org/pom.html#version-order-specification
func maven(k key, s string) (key, fit) {
	s = strings.ToLower(s)
	if !mavenForm(s) {
		return k, unfit
	}
	zeros := mavenZeros{}
	for hyphen, more := false, true; more; {
		var token string
		token, s = mavenToken(s)
		rank := mavenRank(token, s)
		switch {
		case rank == mavenRelease:
			// It counts only if a number follows after a dot.
			zeros = zeros.and(hyphen)
		case rank == mavenNumber && !hyphen:
			k, zeros = append(zeros.write(k), mavenNumber).number(token), mavenZeros{}
		case rank == mavenNumber:
			k, zeros = append(k, mavenHyphenNumber).number(token), mavenZeros{}
		case rank == mavenUnknown:
			k, zeros = append(k, mavenUnknown).word(token), mavenZeros{}
		default:
			k, zeros = append(k, rank), mavenZeros{}
		}
		if more = s != ""; more {
			// Where digits and letters meet there is a hyphen.
			hyphen = s[0] != '.'
			if s[0] == '.' || s[0] == '-' {
				s = s[1:]
			}
		}
	}
	return append(k, mavenRelease), exact
}

// The tokens of Maven's versions, in their order. The end is like a release.
const (
	mavenAlpha = iota + 1
	mavenBeta
	mavenMilestone
	mavenRC
	mavenSnapshot
	mavenRelease
	mavenSP
	mavenUnknown
	mavenHyphenNumber
	mavenNumber
)

// mavenForm tells versions from words that stand for whatever version there is, and from expressions. A version may
// begin with letters ("r09", "Hoxton.SR12") and end in a hyphen ("2.9.1-jbossas-").
func mavenForm(s string) bool {
	switch s {
	case "latest", "release", "unspecified":
		return false
	}
	return consists(s, "._+~-") && strings.Trim(s, "._+~-") != ""
}

// mavenToken splits off digits, or what is no digit, up to the next dot or hyphen.
func mavenToken(s string) (token, rest string) {
	if token, rest = cutDigits(s); token != "" {
		return token, rest
	}
	i := strings.IndexAny(s, ".-0123456789")
	if i < 0 {
		i = len(s)
	}
	return s[:i], s[i:]
}

// mavenRank is what a token is. Zero and what says that this is a release are alike; one letter is short for a phase if
// a digit follows.
func mavenRank(token, rest string) byte {
	if token == "" || isDigit(token[0]) {
		if strings.Trim(token, "0") == "" {
			return mavenRelease
		}
		return mavenNumber
	}
	counted := rest != "" && isDigit(rest[0])
	switch {
	case token == "alpha", token == "a" && counted:
		return mavenAlpha
	case token == "beta", token == "b" && counted:
		return mavenBeta
	case token == "milestone", token == "m" && counted:
		return mavenMilestone
	case token == "rc", token == "cr":
		return mavenRC
	case token == "snapshot":
		return mavenSnapshot
	case token == "ga", token == "final", token == "release":
		return mavenRelease
	case token == "sp":
		return mavenSP
	}
	return mavenUnknown
}

// mavenZeros are tokens that are like nothing: before a hyphen, a qualifier and the end they do not count.
type mavenZeros struct {
	count  int
	hyphen bool // stood before the first
}

func (z mavenZeros) and(hyphen bool) mavenZeros {
	if hyphen {
		return mavenZeros{count: 1, hyphen: true}
	}
	z.count++
	return z
}

func (z mavenZeros) write(k key) key {
	for i := range z.count {
		if i == 0 && z.hyphen {
			k = append(k, mavenHyphenNumber).number("")
		} else {
			k = append(k, mavenNumber).number("")
		}
	}
	return k
}
