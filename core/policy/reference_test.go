package policy

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestReferencesAreReadAsDockerReadsThem(t *testing.T) {
	for s, want := range map[string]reference{
		"debian":                         {registry: "docker.io", repository: "library/debian"},
		"debian:12":                      {registry: "docker.io", repository: "library/debian", tag: "12"},
		"acme/app":                       {registry: "docker.io", repository: "acme/app"},
		"index.docker.io/acme/app":       {registry: "docker.io", repository: "acme/app"},
		"docker.io/debian":               {registry: "docker.io", repository: "library/debian"},
		"Registry.example/a/b:c":         {registry: "registry.example", repository: "a/b", tag: "c"},
		"localhost:5000/a":               {registry: "localhost:5000", repository: "a"},
		"r.example/a:1@sha256:00":        {registry: "r.example", repository: "a", tag: "1", digest: "sha256:00"},
		"":                               {},
		"a b":                            {},
		"r.example/":                     {},
		"r.example//a":                   {},
		"r.example/A":                    {},
		"scratch@":                       {registry: "docker.io", repository: "library/scratch"},
		"r.example/a\nregistry.acme/b:1": {},
	} {
		if got := parseReference(s); got != want {
			t.Errorf("%q is %+v, want %+v", s, got, want)
		}
	}
}

// Only what came from a registry has one: nobody gets past a rule about registries with an archive of a clever name.
func TestOnlyImagesFromRegistriesHaveOne(t *testing.T) {
	for name, want := range map[string]string{
		"registry.example/team/app:1":         "registry.example/team/app",
		"docker.io/library/debian@sha256:00":  "docker.io/library/debian",
		"localhost:5000/app:1":                "localhost:5000/app",
		"app.tar":                             "",
		"build/app.tar":                       "",
		"registry.example/team/app":           "",
		"oci:build/image:1":                   "",
		"docker:5000/app:1":                   "",
		"docker-archive:registry.example/a:1": "",
		"/registry.example/a:1":               "",
		"./registry.example/a:1":              "",
	} {
		if got := referenceOf(&core.Subject{Name: name, Kind: core.KindImage}).name(); got != want {
			t.Errorf("%q is of %q, want %q", name, got, want)
		}
		for _, kind := range []core.SubjectKind{core.KindSource, core.KindSBOM, ""} {
			if got := referenceOf(&core.Subject{Name: name, Kind: kind}).name(); got != "" {
				t.Errorf("%q of kind %q is of %q", name, kind, got)
			}
		}
	}
}

func TestPackageURLsMatchPatterns(t *testing.T) {
	for _, tt := range []struct {
		purl, pattern string
		want          bool
	}{
		{"pkg:npm/%40babel/core@7.0.0", "pkg:npm/@babel/*", true},
		{"pkg:npm/%40babel/core@7.0.0", "pkg:npm/%40babel/core@7.*", true},
		{"pkg:npm/%40babel/core@7.0.0", "pkg:npm/*", false},
		{"pkg:npm/%40babel/core@7.0.0", "pkg:npm/**", true},
		{"pkg:npm/%40babel/core@7.0.0", "pkg:*/**", true},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash", true},
		{"pkg:npm/lodash@4.17.21", "pkg:npm/lodash@4.17.2", false},
		{"pkg:npm/lodash@4.17.21", "pkg:NPM/lodash@4.*", true},
		{"pkg:npm/lodash", "pkg:npm/lodash@4.*", false},
		{"pkg:deb/debian/openssl@3.0?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl?distro=debian-*", true},
		{"pkg:deb/debian/openssl@3.0?arch=amd64", "pkg:deb/debian/openssl?distro=debian-*", false},
		{"pkg:deb/debian/openssl@1%3A3.0", "pkg:deb/debian/openssl@1:3.*", true},
		{"pkg:golang/github.com/acme/x/v2@v2.0.0#sub", "pkg:golang/github.com/acme/**", true},
		{"pkg:golang/github.com/acmeevil/x@v2.0.0", "pkg:golang/github.com/acme/**", false},
		{"lodash", "pkg:npm/**", false},
		{"", "pkg:npm/**", false},
	} {
		p, err := parsePurlPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.match(tt.purl); got != tt.want {
			t.Errorf("%q with %q: %v", tt.purl, tt.pattern, got)
		}
	}
	for _, pattern := range []string{"", "npm/x", "pkg:npm", "pkg:npm/", "pkg:/x", "pkg:npm/***"} {
		if _, err := parsePurlPattern(pattern); err == nil {
			t.Errorf("%q is accepted", pattern)
		}
	}
}

func FuzzPurlMatch(f *testing.F) {
	f.Add("pkg:npm/%40babel/core@7.0.0?a=b#c", "pkg:npm/@babel/*@7.*?a=*")
	f.Add("pkg:%zz/%zz@%zz?%zz", "pkg:*/**")
	f.Fuzz(func(t *testing.T, s, pattern string) {
		p, err := parsePurlPattern(pattern)
		if err != nil {
			return
		}
		if p.match(s) && len(s) > maxPurl {
			t.Errorf("a package URL of %d bytes is matched", len(s))
		}
		if all, err := parsePurlPattern("pkg:*/**"); err != nil || p.match(s) && len(s) < maxGlobText && !all.match(s) {
			t.Errorf("%q matches %q, and not everything (%v)", pattern, s, err)
		}
	})
}
