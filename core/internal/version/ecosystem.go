package version

import "strings"

// scheme writes versions of one kind as keys, and tells how well they fit. It neither fails nor panics on any text of
// printable ASCII.
type scheme func(k key, s string) (key, fit)

// fit is how well a text fits a scheme.
type fit byte

const (
	unfit fit = iota // not a version
	rough            // begins as one: advisories have slips
	bare             // lacks its release
	exact
)

// kind is how the versions of an ecosystem are written and ordered.
type kind struct {
	scheme scheme
	// clean drops what stands around a version without being part of it.
	clean func(string) string
	// last, if set, makes of the key of a version that of the last of its builds.
	last func(k key, s string) key
}

// kindOf returns the kind of an OSV ecosystem's versions. Those without one have no order:
//   - Android's versions are patch levels of systems ("12:2022-06-05"), and no image has packages of it.
//   - FreeBSD's packages are in no image that is looked into.
//   - Linux is the kernel as such; those of images are packages of their distributions.
//   - OSS-Fuzz has the tags of any project.
//   - Docker Hardened Images, Root and TuxCare are of the kind that their ecosystem goes on with
//     ("Docker Hardened Images:Alpine:3.23"), and nothing without it.
//
// https://ossf.github.io/osv-schema/#defined-ecosystems
func kindOf(ecosystem string) (kind, bool) {
	family, inner, _ := strings.Cut(ecosystem, ":")
	switch family {
	case "Docker Hardened Images", "TuxCare":
		return plainKindOf(inner)
	case "Echo":
		return echo(inner)
	case "Root":
		k, ok := plainKindOf(inner)
		return kind{scheme: patched(k.scheme, ".root.io.", "+root.io."), clean: k.clean}, ok
	}
	return plainKindOf(ecosystem)
}

func plainKindOf(ecosystem string) (kind, bool) {
	family, _, _ := strings.Cut(ecosystem, ":")
	switch family {
	case "Alpaquita", "Alpine", "BellSoft Hardened Containers", "Chainguard", "CleanStart", "MinimOS", "Wolfi":
		return kind{apk, strings.TrimSpace, apkLast}, true
	case "Debian", "Ubuntu":
		return kind{debian, strings.TrimSpace, debianLast}, true
	case "AlmaLinux", "Azure Linux", "Mageia", "openEuler", "openSUSE", "Photon OS", "Red Hat", "Rocky Linux", "SUSE":
		return kind{rpm, strings.TrimSpace, lastAfter(noRelease)}, true
	case "crates.io", "GHC", "GitHub Actions", "Hex", "Julia", "Kubernetes", "npm", "SwiftURL", "VSCode":
		return kind{scheme: semver, clean: trimV}, true
	case "Bioconductor", "CRAN":
		return kind{scheme: cran, clean: trimV}, true
	case "Bitnami":
		return kind{bitnami, trimV, lastAfter(release)}, true
	case "ConanCenter":
		return kind{scheme: conan, clean: strings.TrimSpace}, true
	case "Go":
		return kind{scheme: golang, clean: trimGo}, true
	case "Hackage":
		return kind{scheme: hackage, clean: trimV}, true
	case "Maven":
		return kind{scheme: maven, clean: strings.TrimSpace}, true
	case "NuGet":
		return kind{scheme: nuget, clean: trimV}, true
	case "opam":
		return kind{opam, strings.TrimSpace, debianLast}, true
	case "Packagist":
		return kind{scheme: composer, clean: trimV}, true
	case "Pub":
		return kind{pub, trimV, lastAfter(release)}, true
	case "PyPI":
		return kind{pypi, trimV, lastAfter(pypiNone)}, true
	case "RubyGems":
		return kind{scheme: rubyGems, clean: trimV}, true
	}
	return kind{}, false
}

// echo is the kind of Echo, whose packages are Debian's unless the ecosystem says otherwise. Its builds of npm's
// packages differ in their metadata.
func echo(inner string) (kind, bool) {
	switch inner {
	case "Maven", "PyPI":
		return plainKindOf(inner)
	case "npm":
		return kind{scheme: patched(semver, "+echo."), clean: trimV}, true
	}
	return plainKindOf("Debian")
}

// patched orders versions that may end in a mark and a count of patches, by the scheme and then by the count.
func patched(s scheme, marks ...string) scheme {
	return func(k key, text string) (key, fit) {
		patches := ""
		for _, mark := range marks {
			if i := strings.LastIndex(text, mark); i > 0 {
				if digits, rest := cutDigits(text[i+len(mark):]); digits != "" && rest == "" {
					text, patches = text[:i], digits
				}
			}
		}
		k, f := s(k, text)
		if f == bare {
			f = rough
		}
		return k.number(patches), f
	}
}

// lastAfter is of kinds whose keys end in a mark where a version says nothing of its builds.
func lastAfter(nothing byte) func(key, string) key {
	return func(k key, _ string) key {
		if k[len(k)-1] == nothing {
			k[len(k)-1] = 0xff
		}
		return k
	}
}

// trimV drops what may stand before a version in manifests and tags: "v1.2.3", "=1.2.3".
func trimV(s string) string {
	s = strings.TrimLeft(strings.TrimSpace(s), "= ")
	if len(s) > 1 && (s[0] == 'v' || s[0] == 'V') && isDigit(s[1]) {
		return s[1:]
	}
	return s
}

// trimGo drops what follows a version of Go after a space: experiments ("go1.22.1 X:boringcrypto"), and distributors'
// own versions.
func trimGo(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	return trimV(s)
}
