package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Bounds on license expressions. Packages declare them, so they may be hostile.
const (
	maxLicense        = 2048 // bytes
	maxLicenseNesting = 32
)

// licenseExpression is a license expression of SPDX: a license, or several that hold together (all) or of which one may
// be chosen.
//
// https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
type licenseExpression struct {
	license licenseTerm
	all     []licenseExpression // AND
	any     []licenseExpression // OR
}

// licenseTerm is one license with what is said of its version and of an exception from it.
type licenseTerm struct {
	id        string // lower case, without "-only", "-or-later" and "+"
	later     bool   // this version or any later one
	exception string // lower case
}

// parseLicense reads an expression. Identifiers need not be on SPDX's list: a policy compares them with its own list.
func parseLicense(s string) (licenseExpression, bool) {
	if len(s) > maxLicense {
		return licenseExpression{}, false
	}
	p := licenseParser{words: licenseWords(s)}
	e, ok := p.or(0)
	return e, ok && len(p.words) == 0
}

func licenseWords(s string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))
}

// licenseParser descends over the words, the weakest operator first.
type licenseParser struct{ words []string }

func (p *licenseParser) or(depth int) (licenseExpression, bool) {
	parts, ok := p.chain("OR", func() (licenseExpression, bool) { return p.and(depth) })
	if len(parts) == 1 {
		return parts[0], ok
	}
	return licenseExpression{any: parts}, ok
}

func (p *licenseParser) and(depth int) (licenseExpression, bool) {
	parts, ok := p.chain("AND", func() (licenseExpression, bool) { return p.operand(depth) })
	if len(parts) == 1 {
		return parts[0], ok
	}
	return licenseExpression{all: parts}, ok
}

func (p *licenseParser) chain(operator string, operand func() (licenseExpression, bool)) ([]licenseExpression, bool) {
	var parts []licenseExpression
	for {
		e, ok := operand()
		if !ok {
			return nil, false
		}
		parts = append(parts, e)
		if !p.take(operator) {
			return parts, true
		}
	}
}

// take consumes an operator. They are written in capitals, or in small letters by those who follow version 3 of SPDX.
func (p *licenseParser) take(operator string) bool {
	if len(p.words) == 0 || p.words[0] != operator && p.words[0] != strings.ToLower(operator) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *licenseParser) operand(depth int) (licenseExpression, bool) {
	if p.take("(") {
		if depth == maxLicenseNesting {
			return licenseExpression{}, false
		}
		e, ok := p.or(depth + 1)
		return e, ok && p.take(")")
	}
	if len(p.words) == 0 || !isLicenseID(p.words[0]) {
		return licenseExpression{}, false
	}
	term := licenseOf(p.words[0])
	p.words = p.words[1:]
	if p.take("WITH") {
		if len(p.words) == 0 || !isLicenseID(p.words[0]) {
			return licenseExpression{}, false
		}
		term.exception = strings.ToLower(p.words[0])
		p.words = p.words[1:]
	}
	return licenseExpression{license: term}, true
}

func isLicenseID(word string) bool {
	if slices.Contains([]string{"AND", "OR", "WITH"}, strings.ToUpper(word)) {
		return false
	}
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+:*") == ""
}

// licenseOf takes an identifier apart. The older identifiers of GNU licenses ("GPL-2.0") mean that version only.
func licenseOf(id string) licenseTerm {
	id = strings.ToLower(id)
	for _, suffix := range []string{"-or-later", "+"} {
		if base, ok := strings.CutSuffix(id, suffix); ok {
			return licenseTerm{id: base, later: true}
		}
	}
	return licenseTerm{id: strings.TrimSuffix(id, "-only")}
}

// family splits the version from an identifier ("mpl", "2.0"), so that a later one can be told.
func (t licenseTerm) family() (name, version string) {
	at := strings.LastIndexByte(t.id, '-')
	if at < 0 || strings.Trim(t.id[at+1:], "0123456789.") != "" {
		return t.id, ""
	}
	return t.id[:at], t.id[at+1:]
}

// licenseList are the licenses that a policy lists, to allow or to deny.
type licenseList []licenseEntry

// licenseEntry is one of them. Wild ones are compared as text.
type licenseEntry struct {
	text string // lower case: what is no identifier is compared as it is
	term licenseTerm
	wild *glob
}

func parseLicenseList(entries []string) (licenseList, error) {
	var list licenseList
	for _, text := range entries {
		e := licenseEntry{text: strings.ToLower(strings.TrimSpace(text))}
		if parsed, ok := parseLicense(text); ok && parsed.license.id != "" {
			e.term = parsed.license
		}
		if strings.Contains(text, "*") {
			wild, err := parseGlob(e.text)
			if err != nil {
				return nil, err
			}
			e.wild = wild
		}
		list = append(list, e)
	}
	return list, nil
}

// allowed reports whether somebody may use what has these licenses with only those of the list: all statements must
// allow it. Nothing stated allows nothing.
func (l licenseList) allowed(licenses []string) bool {
	for _, s := range licenses {
		if l.names(s) {
			continue
		}
		e, ok := parseLicense(s)
		if !ok || !e.holds(l.allows) {
			return false
		}
	}
	return len(licenses) > 0
}

// denied reports whether nobody can use what has these licenses without one of the list. In a statement that is no
// expression, any word counts: who declares it badly does not escape.
func (l licenseList) denied(licenses []string) bool {
	for _, s := range licenses {
		if l.names(s) {
			return true
		}
		e, ok := parseLicense(s)
		switch {
		case ok && !e.holds(func(t licenseTerm) bool { return !l.denies(t) }):
			return true
		case !ok && l.deniesAWord(s):
			return true
		}
	}
	return false
}

// names reports whether a whole statement is in the list, for packages that use words of their own ("MIT License").
func (l licenseList) names(statement string) bool {
	text := strings.ToLower(strings.TrimSpace(statement))
	return slices.ContainsFunc(l, func(e licenseEntry) bool { return e.text == text })
}

func (l licenseList) deniesAWord(statement string) bool {
	statement = statement[:min(len(statement), maxLicense)]
	return slices.ContainsFunc(strings.FieldsFunc(statement, func(r rune) bool { return strings.ContainsRune(" \t\r\n(),;/|&", r) }),
		func(word string) bool { return l.denies(licenseOf(word)) })
}

// holds reports whether a choice of licenses fulfils the expression, of which each license is acceptable.
func (e licenseExpression) holds(acceptable func(licenseTerm) bool) bool {
	switch {
	case len(e.any) > 0:
		return slices.ContainsFunc(e.any, func(part licenseExpression) bool { return part.holds(acceptable) })
	case len(e.all) > 0:
		return !slices.ContainsFunc(e.all, func(part licenseExpression) bool { return !part.holds(acceptable) })
	}
	return acceptable(e.license)
}

// allows reports whether an entry of the list covers the license, in a version that may be chosen. An exception only
// gives more rights, so who allows the license allows it with any exception.
func (l licenseList) allows(t licenseTerm) bool { return l.cover(t, t.later) }

// denies reports whether an entry of the list covers the license. Here "or later" of the package helps nothing: it is
// under the version that it names as well.
func (l licenseList) denies(t licenseTerm) bool { return l.cover(t, false) }

// cover reports whether an entry is about the license, or about a later version where later ones may be chosen.
func (l licenseList) cover(t licenseTerm, later bool) bool {
	return slices.ContainsFunc(l, func(e licenseEntry) bool {
		if e.term.exception != "" && e.term.exception != t.exception {
			return false
		}
		if e.wild != nil {
			return e.matches(t)
		}
		name, version := t.family()
		entryName, entryVersion := e.term.family()
		if name != entryName || e.term.id == "" {
			return false
		}
		order := compareDotted(version, entryVersion)
		return order == 0 || later && order < 0 || e.term.later && order > 0
	})
}

// matches compares an entry with stars, with and without what the identifier says of later versions.
func (e licenseEntry) matches(t licenseTerm) bool {
	forms := []string{t.id, t.id + "-only"}
	if t.later {
		forms = []string{t.id + "-or-later", t.id + "+"}
	}
	if t.exception != "" {
		for _, form := range slices.Clone(forms) {
			forms = append(forms, form+" with "+t.exception)
		}
	}
	return slices.ContainsFunc(forms, func(form string) bool {
		matches, _ := e.wild.match(form)
		return matches
	})
}

// compareDotted orders versions of licenses: "2.0", "2.1", "3". What has none is before all.
func compareDotted(a, b string) int {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(left), len(right)) {
		if c := cmp.Compare(part10(left, i), part10(right, i)); c != 0 {
			return c
		}
	}
	return 0
}

func part10(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return -1
	}
	return n
}
