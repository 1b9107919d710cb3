package sbom

import (
	_ "embed" // for the SPDX License List
	"strings"
)

// The SPDX License List 3.29: identifiers (deprecated ones included) and exceptions. The data is CC0-1.0.
//
// https://github.com/spdx/license-list-data
//
//go:embed spdx-licenses.txt
var spdxLicenses string

//go:embed spdx-exceptions.txt
var spdxExceptions string

// licenseList knows the identifiers by their lower-case form: SPDX compares them in any case.
type licenseList struct {
	licenses   map[string]string
	exceptions map[string]string
}

func newLicenseList() licenseList {
	return licenseList{licenses: byLowerCase(spdxLicenses), exceptions: byLowerCase(spdxExceptions)}
}

func byLowerCase(lines string) map[string]string {
	m := make(map[string]string, 1024)
	for id := range strings.Lines(lines) {
		id = strings.TrimSuffix(id, "\n")
		m[strings.ToLower(id)] = id
	}
	return m
}

// id returns the identifier on the list that s is, in the list's case, or "".
func (l licenseList) id(s string) string {
	if len(s) > maxExpression {
		return ""
	}
	return l.licenses[strings.ToLower(s)]
}

// maxExpression and maxNesting bound the expressions that are believed, in bytes and levels of parentheses.
const (
	maxExpression = 2048
	maxNesting    = 32
)

// expression returns s in canonical case and spacing if it is an SPDX license expression, and the LicenseRef-
// identifiers in it. It is stricter than the grammar in one point: a license of another document is no part of it.
//
// https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
func (l licenseList) expression(s string) (canonical string, refs []string, ok bool) {
	if len(s) > maxExpression {
		return "", nil, false
	}
	p := expressionParser{list: l, tokens: expressionTokens(s)}
	if !p.or(0) || len(p.tokens) > 0 {
		return "", nil, false
	}
	return strings.Join(p.out, ""), p.refs, true
}

func expressionTokens(s string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))
}

// expressionParser descends over the tokens, weakest operator first, and writes what it read.
type expressionParser struct {
	list   licenseList
	tokens []string
	out    []string
	refs   []string
}

func (p *expressionParser) or(depth int) bool {
	return p.chain("OR", func() bool { return p.chain("AND", func() bool { return p.operand(depth) }) })
}

func (p *expressionParser) chain(operator string, operand func() bool) bool {
	for {
		if !operand() {
			return false
		}
		if !p.take(operator) {
			return true
		}
		p.out = append(p.out, " "+operator+" ")
	}
}

// take consumes an operator, which must be in one case throughout.
func (p *expressionParser) take(operator string) bool {
	if len(p.tokens) == 0 || p.tokens[0] != operator && p.tokens[0] != strings.ToLower(operator) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *expressionParser) operand(depth int) bool {
	if p.take("(") {
		p.out = append(p.out, "(")
		if depth == maxNesting || !p.or(depth+1) || !p.take(")") {
			return false
		}
		p.out = append(p.out, ")")
		return true
	}
	if len(p.tokens) == 0 {
		return false
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	license := p.license(token)
	if license == "" {
		return false
	}
	p.out = append(p.out, license)
	if !p.take("WITH") {
		return true
	}
	if len(p.tokens) == 0 {
		return false
	}
	exception := p.list.exceptions[strings.ToLower(p.tokens[0])]
	p.tokens = p.tokens[1:]
	p.out = append(p.out, " WITH ", exception)
	return exception != ""
}

func (p *expressionParser) license(token string) string {
	if isLicenseRef(token) {
		p.refs = append(p.refs, token)
		return token
	}
	if id := p.list.id(token); id != "" {
		return id
	}
	if base, later := strings.CutSuffix(token, "+"); later {
		if id := p.list.id(base); id != "" {
			return id + "+"
		}
	}
	return ""
}

const licenseRefPrefix = "LicenseRef-"

func isLicenseRef(s string) bool {
	id, ok := strings.CutPrefix(s, licenseRefPrefix)
	return ok && id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}
