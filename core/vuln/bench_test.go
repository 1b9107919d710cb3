package vuln

import (
	"fmt"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// BenchmarkMatch looks up 3,000 packages of an image with Debian, Node and Python in a warm set.
func BenchmarkMatch(b *testing.B) {
	set := realSet(b, "Debian", "npm", "PyPI", "Go")
	var packages []core.Package
	for i := range 300 {
		packages = append(packages, pkg("Debian:12", fmt.Sprintf("lib%d", i), "1.0-1", ""))
	}
	for i := range 2400 {
		packages = append(packages, pkg("npm", fmt.Sprintf("module-%d", i), "1.0.0", ""))
	}
	for i := range 200 {
		packages = append(packages, pkg("PyPI", fmt.Sprintf("wheel-%d", i), "1.0", ""))
	}
	// A hundred with flaws.
	for range 20 {
		packages = append(packages, pkg("npm", "lodash", "4.17.4", ""), pkg("npm", "jquery", "3.4.1", ""),
			pkg("Debian:12", "libc6", "2.36-9", "glibc"), pkg("Go", "golang.org/x/net", "v0.16.0", ""), pkg("PyPI", "django",
				"3.0", ""))
	}
	match(b, set, packages...)
	for b.Loop() {
		e := evidenceOf(packages...)
		if err := Match(b.Context(), set, e, now); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(e.Findings)), "findings")
	}
}

// BenchmarkColdMatch opens the set as well, as a run does.
func BenchmarkColdMatch(b *testing.B) {
	warm := realSet(b, "Debian", "npm", "PyPI", "Go")
	var packages []core.Package
	for i := range 3000 {
		packages = append(packages, pkg([]string{"Debian:12", "npm", "PyPI", "Go"}[i%4], fmt.Sprintf("name-%d", i), "1.0.0",
			""))
	}
	for b.Loop() {
		set, err := advisory.Open(b.Context(), warm.Source().Name, advisory.OpenOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if err := Match(b.Context(), set, evidenceOf(packages...), now); err != nil {
			b.Fatal(err)
		}
	}
}
