// Package version orders versions as each ecosystem does. The comparisons are osv-scalibr's; this room maps OSV's
// ecosystem names to them, adds the names that it lacks, and refuses what it would compare by chance.
//
// Nothing about advisories belongs here.
package version

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// maxLength bounds a version, in bytes: comparing takes time that grows faster than its length.
const maxLength = 512

// Order is the order of versions in one ecosystem.
type Order struct {
	// name is the ecosystem under which semantic knows the order.
	name string
	form *regexp.Regexp
	// strict, if set, is the whole form of a version. What only begins as one is compared by what is understood of it, but
	// not with another such.
	strict *regexp.Regexp
	// clean rewrites what the ecosystem also accepts.
	clean func(string) string
}

// Version is one version, ready to be compared with others of its Order.
type Version struct {
	text   string
	parsed semantic.Version
	loose  bool // not quite of its ecosystem's form
}

var (
	// startsWithDigit keeps words such as "(devel)" or "latest" from being taken for version 0.
	startsWithDigit = regexp.MustCompile(`^[0-9]`)
	// hasAlphanumeric is all that Maven asks for.
	hasAlphanumeric = regexp.MustCompile(`[0-9A-Za-z]`)
	// printable keeps out the digits of other scripts, which the orders would take for letters, and what is more than one
	// word.
	printable = regexp.MustCompile(`^[!-~]+$`)
	// deb is what dpkg takes without complaint, but for colons after the epoch. Epochs are a few digits everywhere.
	// https://man7.org/linux/man-pages/man7/deb-version.7.html
	deb = regexp.MustCompile(`^(?:[0-9]{1,9}:)?[0-9](?:[0-9A-Za-z.+~-]*[0-9A-Za-z.+~])?$`)
	// startsLikeDeb is that of real advisories, which have slips such as "1:1.12_1.12.6-1".
	startsLikeDeb = regexp.MustCompile(`^(?:[0-9]{1,9}:)?[0-9][^:]*$`)
	// rpm is the epoch, a version and a release of the characters that rpmbuild allows.
	// https://rpm-software-management.github.io/rpm/man/rpm-version.7
	rpm = regexp.MustCompile(`^(?:[0-9]{1,9}:)?[._+~^%{}-]*[0-9A-Za-z][0-9A-Za-z._+~^%{}-]*$`)
	// apk is the form of apk-tools. Real advisories have slips such as "1.34.0_r0"; semantic reads them as far as it can.
	// https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/v2.14.4/doc/apk-package.5.scd
	apk = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*[a-z]?` +
		`(_(alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*(~[0-9a-f]+)?(-r[0-9]+)?$`)
	// maven is a version whose parts are all there. Others are installed by nobody, and Maven's own comparison of them is
	// no order.
	// https://maven.apache.org/pom.html#version-order-specification
	maven = regexp.MustCompile(`^[0-9A-Za-z]+(?:[._+~-][0-9A-Za-z]+)*$`)
	// plain has the characters that versions of languages' packages have: those of semantic versions, of Python's epochs,
	// and underscores.
	plain = regexp.MustCompile(`^[0-9][0-9A-Za-z.+_~!-]*$`)
	// goRelease is how the go command writes the prereleases of its own versions ("go1.22rc1").
	goRelease = regexp.MustCompile(`^([0-9]+\.[0-9]+)(\.[0-9]+)?(rc|beta|alpha)([0-9]+)`)
)

// families maps the ecosystems whose order semantic has under another name, or lacks.
// https://ossf.github.io/osv-schema/#defined-ecosystems
func families(ecosystem string) string {
	switch ecosystem {
	case "Azure Linux", "Photon OS":
		return "Red Hat"
	case "Echo", "opam":
		return "Debian"
	case "GitHub Actions", "Kubernetes", "VSCode":
		return "npm"
	default:
		return ecosystem
	}
}

// For returns the order of an OSV ecosystem, which may have a release ("Debian:12"). It reports false if there is none.
func For(ecosystem string) (Order, bool) {
	family, _, _ := strings.Cut(ecosystem, ":")
	name := families(family)
	if _, err := semantic.Parse("1", name); err != nil {
		return Order{}, false
	}
	o := Order{name: name, clean: strings.TrimSpace}
	switch name {
	case "Alpine", "Alpaquita", "BellSoft Hardened Containers", "Chainguard", "MinimOS", "Wolfi":
		o.form, o.strict = startsWithDigit, apk
	case "Debian", "Ubuntu":
		o.form, o.strict = startsLikeDeb, deb
	case "AlmaLinux", "Mageia", "openEuler", "openSUSE", "Red Hat", "Rocky Linux", "SUSE":
		o.form = rpm
	case "Maven":
		o.form, o.strict = hasAlphanumeric, maven
	case "Go":
		o.form, o.strict, o.clean = startsWithDigit, plain, cleanGo
	default:
		o.form, o.strict, o.clean = startsWithDigit, plain, trimV
	}
	return o, true
}

// Semver returns the order of semantic versions, which OSV's SEMVER ranges use in every ecosystem.
func Semver() Order { return Order{name: "npm", form: startsWithDigit, clean: trimV} }

// ParseInstalled reads the version of a package that is there, or says that it cannot be ordered. What only begins as a
// version is refused: package managers install no such thing, and it would be compared by chance.
func (o Order) ParseInstalled(text string) (Version, error) {
	v, err := o.Parse(text)
	if err == nil && v.loose {
		return Version{}, fmt.Errorf("%q is not a version of %s", text, o.name)
	}
	return v, err
}

// Parse reads a version, or says that it cannot be ordered.
func (o Order) Parse(text string) (Version, error) {
	if len(text) > maxLength {
		return Version{}, fmt.Errorf("a version of %d bytes is longer than the %d that can be compared", len(text), maxLength)
	}
	cleaned := o.clean(text)
	if !printable.MatchString(cleaned) || !o.form.MatchString(cleaned) {
		return Version{}, fmt.Errorf("%q is not a version of %s", text, o.name)
	}
	parsed, err := semantic.Parse(cleaned, o.name)
	if err != nil {
		return Version{}, fmt.Errorf("%q is not a version of %s: %w", text, o.name, err)
	}
	return Version{text: text, parsed: parsed, loose: o.strict != nil && !o.strict.MatchString(cleaned)}, nil
}

// String returns the version as it was written.
func (v Version) String() string { return v.text }

// Compare returns -1, 0 or 1 as v comes before, with or after w. Both must be of one Order.
func (v Version) Compare(w Version) (int, error) {
	if v.parsed == nil || w.parsed == nil {
		return 0, fmt.Errorf("compare %q with %q: not parsed", v.text, w.text)
	}
	if v.loose && w.loose && v.text != w.text {
		return 0, fmt.Errorf("compare %q with %q: neither is quite a version", v.text, w.text)
	}
	c, err := v.parsed.Compare(w.parsed)
	if err != nil {
		return 0, fmt.Errorf("compare %q with %q: %w", v.text, w.text, err)
	}
	return max(-1, min(1, c)), nil
}

// trimV drops what may stand before a version in manifests and tags: "v1.2.3", "=1.2.3".
func trimV(s string) string {
	s = strings.TrimLeft(strings.TrimSpace(s), "= ")
	if len(s) > 1 && (s[0] == 'v' || s[0] == 'V') && '0' <= s[1] && s[1] <= '9' {
		return s[1:]
	}
	return s
}

// cleanGo writes versions of the toolchain as the Go vulnerability database does: "go1.22rc1" is 1.22.0-rc.1.
//
// https://go.dev/doc/toolchain#version
func cleanGo(s string) string {
	// Experiments are appended after a space ("go1.22.1 X:boringcrypto").
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	s = strings.TrimPrefix(trimV(s), "go")
	m := goRelease.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	if m[2] == "" {
		m[2] = ".0"
	}
	return m[1] + m[2] + "-" + m[3] + "." + m[4]
}
