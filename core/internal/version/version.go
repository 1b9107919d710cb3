// Package version orders versions as each ecosystem does. A version is parsed to a key, and keys are compared byte by
// byte: so each order is one, and comparing is fast. Tests hold the orders to the package managers' own tools.
//
// Nothing about advisories belongs here.
package version

import (
	"bytes"
	"fmt"
	"strings"
)

// maxLength bounds a version, in bytes.
const maxLength = 512

// Order is the order of versions in one ecosystem. The zero value orders nothing.
type Order struct {
	ecosystem string // without its release
	kind      kind
}

// Version is one version, ready to be compared with others of its Order. The zero value cannot be compared.
type Version struct {
	text string
	key  key
	// rough is one that is not quite of its ecosystem's form, open one that is installed but lacks its release.
	rough, open bool
}

// For returns the order of an OSV ecosystem, which may have a release ("Debian:12"). It reports false if there is none.
func For(ecosystem string) (Order, bool) {
	k, ok := kindOf(ecosystem)
	if !ok {
		return Order{}, false
	}
	family, _, _ := strings.Cut(ecosystem, ":")
	return Order{ecosystem: family, kind: k}, true
}

// Semver returns the order of semantic versions, which OSV's SEMVER ranges use in every ecosystem.
func Semver() Order {
	return Order{ecosystem: "semantic versioning", kind: kind{scheme: semver, clean: trimV}}
}

// ParseInstalled reads the version of a package that is there, or says that it cannot be ordered. What only begins as a
// version is refused: package managers install no such thing, and it would be compared by chance.
func (o Order) ParseInstalled(text string) (Version, error) {
	v, f, err := o.parse(text)
	if err == nil && f == rough {
		return Version{}, fmt.Errorf("%q is not a version of %s", text, o.ecosystem)
	}
	v.open = f == bare
	return v, err
}

// Parse reads a version, or says that it cannot be ordered.
func (o Order) Parse(text string) (Version, error) {
	v, _, err := o.parse(text)
	return v, err
}

// ParseLast reads the last version that an advisory affects. One that says nothing of its builds stands for all of
// them: the releases of a distribution's package, the local versions of a Python package (2.0.1+cpu of 2.0.1).
//
// https://packaging.python.org/en/latest/specifications/version-specifiers/#inclusive-ordered-comparison
func (o Order) ParseLast(text string) (Version, error) {
	v, _, err := o.parse(text)
	if err == nil && o.kind.last != nil {
		v.key = o.kind.last(v.key, o.kind.clean(text))
	}
	return v, err
}

func (o Order) parse(text string) (Version, fit, error) {
	if len(text) > maxLength {
		return Version{}, unfit, fmt.Errorf("a version of %d bytes is longer than the %d that can be compared", len(text),
			maxLength)
	}
	if o.kind.scheme == nil {
		return Version{}, unfit, fmt.Errorf("the order of %q is not known", text)
	}
	cleaned := o.kind.clean(text)
	k, f := key(nil), unfit
	if printable(cleaned) {
		k, f = o.kind.scheme(make(key, 0, len(cleaned)+32), cleaned)
	}
	if f == unfit {
		return Version{}, unfit, fmt.Errorf("%q is not a version of %s", text, o.ecosystem)
	}
	return Version{text: text, key: k, rough: f == rough}, f, nil
}

// String returns the version as it was written.
func (v Version) String() string { return v.text }

// Compare returns -1, 0 or 1 as v comes before, with or after w. Both must be of one Order.
func (v Version) Compare(w Version) (int, error) {
	switch {
	case v.key == nil || w.key == nil:
		return 0, fmt.Errorf("compare %q with %q: not parsed", v.text, w.text)
	case v.rough && w.rough && v.text != w.text:
		return 0, fmt.Errorf("compare %q with %q: neither is quite a version", v.text, w.text)
	case v.open && releaseOf(w.key, v.key) || w.open && releaseOf(v.key, w.key):
		return 0, fmt.Errorf("compare %q with %q: one is any release of the other", v.text, w.text)
	}
	return bytes.Compare(v.key, w.key), nil
}

// releaseOf reports whether a version is one with a release of one without.
func releaseOf(v, bare key) bool {
	n := len(bare) - 1
	return len(v) > n && v[n] == aRelease && bytes.Equal(v[:n], bare[:n])
}

// printable keeps out the digits of other scripts, which the orders would take for letters, and what is not one word.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || '~' < s[i] {
			return false
		}
	}
	return s != ""
}
