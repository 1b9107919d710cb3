package purl

import (
	"testing"

	"github.com/package-url/packageurl-go"
)

func TestAPackageURLNamesThePackageThatItWasMadeOf(t *testing.T) {
	for _, tc := range []struct{ ecosystem, name, version, want string }{
		{"npm", "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"},
		{"Maven", "org.apache.logging.log4j:log4j-core", "2.14.1",
			"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
		{"Go", "golang.org/x/net", "0.16.0", "pkg:golang/golang.org/x/net@0.16.0"},
		{"PyPI", "urllib3", "1.26.0", "pkg:pypi/urllib3@1.26.0"},
		{"Packagist", "symfony/http-kernel", "v4.4.0", "pkg:composer/symfony/http-kernel@v4.4.0"},
	} {
		got := Of(tc.ecosystem, tc.name, tc.version)
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		u, err := packageurl.FromString(got)
		if err != nil || Name(u) != tc.name {
			t.Errorf("%s names %s, %v", got, Name(u), err)
		}
		if e := Ecosystem(u.Type); e != tc.ecosystem && tc.ecosystem != "Go" {
			t.Errorf("%s is of %s", got, e)
		}
	}
	for _, tc := range [][2]string{{"Debian:12", "apt"}, {"", "x"}, {"npm", ""}} {
		if got := Of(tc[0], tc[1], "1"); got != "" {
			t.Errorf("%v: %s", tc, got)
		}
	}
}
