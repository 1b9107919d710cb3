package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := policy.Builtin("standard"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJudge100k50 is the case that the policy is made for: 100,000 findings, of which none matches before the
// last of 50 rules.
func BenchmarkJudge100k50(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nextends: none\nrules:\n")
	for i := range 49 {
		fmt.Fprintf(&text, "  - {name: r%d, when: 'finding.kind == \"vulnerability\" && finding.severity >= HIGH && "+
			"finding.fix.available && finding.match in [\"exact\", \"source\"] && package.name == \"none-%d\"', action: fail}\n", i, i)
	}
	text.WriteString("  - {name: last, when: 'finding.severity >= LOW', action: warn}\n")
	p, err := policy.Parse("bench.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	e := manyFindings(100_000)
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Judge(&e, nil, now); len(v.Warnings) != len(e.Findings) {
			b.Fatalf("%d warnings", len(v.Warnings))
		}
	}
}

// BenchmarkJudgeStandard is the default policy over as many.
func BenchmarkJudgeStandard(b *testing.B) {
	p, err := policy.Builtin("standard")
	if err != nil {
		b.Fatal(err)
	}
	e := manyFindings(100_000)
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(&e, nil, now)
	}
}

// BenchmarkJudgeWaivedAndCompared is the largest case: 100,000 findings, none of which any but the last of 50 rules
// matches, 200 waivers of which most are patterns, and a baseline as large as what is judged.
func BenchmarkJudgeWaivedAndCompared(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nextends: none\nrules:\n")
	for i := range 49 {
		fmt.Fprintf(&text, "  - {name: r%d, when: 'finding.kind == \"vulnerability\" && finding.severity >= HIGH && "+
			"finding.fix.available && finding.match in [\"exact\", \"source\"] && package.name == \"none-%d\"', action: fail}\n", i, i)
	}
	text.WriteString("  - {name: last, when: 'finding.severity >= LOW', action: fail}\nwaivers:\n")
	for i := range 200 {
		match := fmt.Sprintf("packages: ['pkg:deb/debian/*0%d']", i)
		if i%4 == 0 {
			match = fmt.Sprintf("ids: [CVE-2026-%d]", i)
		}
		fmt.Fprintf(&text, "  - {id: W-%d, reason: r, owner: o, expires: 2027-01-01, match: {%s}}\n", i, match)
	}
	p, err := policy.Parse("bench.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	e := manyFindings(100_000)
	baseline := &core.Baseline{Evidence: manyFindings(100_000)}
	baseline.Evidence.Findings = baseline.Evidence.Findings[:50_000]
	baseline.Rematched = manyFindings(100_000).Findings[40_000:80_000]
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		v := p.Judge(&e, baseline, now)
		if len(v.Warnings) == 0 || len(v.Refusals) == 0 || len(v.Ignored) == 0 || len(v.Warnings)+len(v.Refusals)+len(v.Ignored) != len(e.Findings) {
			b.Fatalf("%d warnings, %d refusals, %d ignored", len(v.Warnings), len(v.Refusals), len(v.Ignored))
		}
	}
}

func manyFindings(n int) core.Evidence {
	e := evidence()
	e.Packages, e.Findings = nil, nil
	for i := range n / 10 {
		name := fmt.Sprintf("pkg%05d", i)
		purl := "pkg:deb/debian/" + name + "@1.0"
		e.Packages = append(e.Packages, core.Package{Subject: image, Name: name, Version: "1.0", Purl: purl, Ecosystem: "Debian:12"})
		for k := range 10 {
			id := fmt.Sprintf("CVE-2026-%d", i*10+k)
			e.Findings = append(e.Findings, core.Finding{
				Fingerprint: core.FingerprintOf(core.KindVulnerability, name, id), Subject: image, Kind: core.KindVulnerability,
				Rule: id, Severity: core.Severity(2 + k%4), Match: core.MatchSource,
				Fix:     core.Fix{State: core.FixAvailable, Version: fmt.Sprintf("1.%d", k+1), Versions: []string{fmt.Sprintf("1.%d", k+1)}},
				Package: &core.PackageRef{Name: name, Version: "1.0", Purl: purl, Ecosystem: "Debian:12"},
			})
		}
	}
	return e
}
