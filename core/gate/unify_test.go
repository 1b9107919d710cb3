package gate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func ours(rule string, aliases ...string) core.Finding {
	return core.Finding{Subject: "s", Kind: core.KindVulnerability, Rule: rule, Aliases: aliases, Title: "ours",
		Severity:       core.SeverityMedium,
		SeveritySource: "CVSS 3.1", SeenBy: []string{"GHSA"}, Match: core.MatchExact, Fingerprint: "o" + rule,
		Package: &core.PackageRef{Name: "lodash", Version: "4.17.20", Purl: "pkg:npm/lodash@4.17.20", Ecosystem: "npm"}}
}

func theirs(tool, rule string, aliases ...string) core.Finding {
	f := ours(rule, aliases...)
	f.Title, f.Severity, f.SeveritySource, f.SeenBy, f.Fingerprint = tool, core.SeverityCritical, tool, []string{tool}, tool+rule
	f.Package = &core.PackageRef{Name: "lodash", Version: "4.17.20", Purl: "pkg:npm/lodash@4.17.20?x=y",
		Ecosystem: "npm"}
	return f
}

func code(tool, path string, line int, weaknesses ...string) core.Finding {
	return core.Finding{Subject: "s", Kind: core.KindCode, Rule: tool + "1", Title: tool,
		Severity: core.SeverityHigh, SeveritySource: tool, SeenBy: []string{tool},
		Fingerprint: fmt.Sprint(tool, path, line), Locations: []core.Location{{Path: path,
			Line: line}}, Weaknesses: weaknesses}
}

func secretBy(tool, path string, weaknesses ...string) core.Finding {
	f := code(tool, path, 3, weaknesses...)
	f.Kind = core.KindSecret
	return f
}

func changed(f core.Finding, change func(*core.Finding)) core.Finding {
	if f.Package != nil {
		p := *f.Package
		f.Package = &p
	}
	change(&f)
	return f
}

func TestTwoToolsThatSeeTheSameFlawMakeOneFinding(t *testing.T) {
	noEcosystem := func(f *core.Finding) { f.Package.Ecosystem, f.Package.Purl = "", "" }
	noVersion := func(f *core.Finding) { f.Package.Version, f.Package.Purl = "", "pkg:npm/lodash" }
	other := func(f *core.Finding) { f.Package.Name = "underscore" }
	python := func(f *core.Finding) { f.Package.Ecosystem, f.Package.Purl = "PyPI", "pkg:pypi/lodash@4.17.20" }
	for _, tc := range []struct {
		name string
		a, b core.Finding
		one  bool
	}{
		{"the same id", ours("CVE-1"), theirs("Trivy", "CVE-1"), true},
		{"an alias of ours", ours("CVE-1", "GHSA-1"), theirs("npm audit", "GHSA-1"), true},
		{"aliases of both", ours("CVE-1", "GHSA-1"), theirs("Snyk", "SNYK-1", "GHSA-1"), true},
		{"other ids", ours("CVE-1"), theirs("Trivy", "CVE-2"), false},
		{"an advisory about several flaws", ours("CVE-1", "DSA-1"), ours("CVE-2", "DSA-1"), false},
		{"an advisory about several flaws, of another tool", ours("CVE-1", "RHSA-2024:1"), theirs("Trivy", "CVE-2",
			"RHSA-2024:1"), false},
		{"another package", ours("CVE-1"), changed(theirs("Trivy", "CVE-1"), other), false},
		{"another version", ours("CVE-1"), changed(theirs("Trivy", "CVE-1"),
			func(f *core.Finding) { f.Package.Version = "4.17.19" }), false},
		{"another ecosystem", ours("CVE-1"), changed(theirs("Trivy", "CVE-1"), python), false},
		{"another subject", ours("CVE-1"), changed(theirs("Trivy", "CVE-1"),
			func(f *core.Finding) { f.Subject = "t" }), false},
		{"no ecosystem", ours("CVE-1"), changed(theirs("Trivy", "CVE-1"), noEcosystem), true},
		{"no version", ours("GHSA-1"), changed(theirs("npm audit", "GHSA-1"), noVersion), true},
		{"no version and another id", ours("GHSA-1"), changed(theirs("npm audit", "GHSA-2"), noVersion), false},
		{"two other tools", theirs("Grype", "GHSA-1", "CVE-1"), theirs("Trivy", "CVE-1"), true},
		{"ours, of two architectures", ours("CVE-1"), changed(ours("CVE-1"),
			func(f *core.Finding) { f.Package.Purl += "?arch=i386" }), false},

		{"one line and one weakness", code("a", "x.go", 3, "CWE-79", "CWE-80"), code("b", "x.go", 3, "CWE-79"), true},
		{"one line without weaknesses", code("a", "x.go", 3), code("b", "x.go", 3), false},
		{"one line and other weaknesses", code("a", "x.go", 3, "CWE-79"), code("b", "x.go", 3, "CWE-89"), false},
		{"ours and theirs in one line", code("cleanbill", "x.go", 3, "CWE-79"), code("b", "x.go", 3, "CWE-79"), true},
		{"two of ours in one line", code("cleanbill", "x.go", 3, "CWE-79"), changed(code("cleanbill", "x.go", 3, "CWE-79"),
			func(f *core.Finding) { f.Fingerprint = "another" }), false},
		{"a secret by two names", secretBy("cleanbill", "run.sh", "CWE-798"), secretBy("b", "run.sh", "CWE-321"), true},
		{"a secret that nobody classified", secretBy("cleanbill", "run.sh", "CWE-798"), secretBy("b", "run.sh"), true},
		{"a secret and a flaw of code", secretBy("cleanbill", "run.sh", "CWE-798"), code("b", "run.sh", 3, "CWE-798"), false},
		{"another line", code("a", "x.go", 3, "CWE-79"), code("b", "x.go", 4, "CWE-79"), false},
		{"another file", code("a", "x.go", 3, "CWE-79"), code("b", "y.go", 3, "CWE-79"), false},
		{"no line", code("a", "x.go", 0, "CWE-79"), code("b", "x.go", 0, "CWE-79"), false},
		{"another kind", code("a", "x.go", 3, "CWE-798"), changed(code("b", "x.go", 3, "CWE-798"),
			func(f *core.Finding) { f.Kind = core.KindSecret }), false},
		{"the same fingerprint", code("a", "x.go", 3), changed(code("a", "x.go", 9),
			func(f *core.Finding) { f.Fingerprint = "ax.go3" }), true},
	} {
		got := unify([]core.Finding{tc.a, tc.b})
		if one := len(got) == 1; one != tc.one {
			t.Errorf("%s: %d findings", tc.name, len(got))
		}
		if swapped := unify([]core.Finding{tc.b, tc.a}); cmp.Diff(got, swapped) != "" {
			t.Errorf("%s: the order matters\n%s", tc.name, cmp.Diff(got, swapped))
		}
	}
}

func TestOursComesFirstAndNothingOfTheOthersIsLost(t *testing.T) {
	score := 9.8
	a := changed(ours("CVE-1", "GHSA-1"), func(f *core.Finding) { f.References = []string{"https://a"} })
	b := changed(theirs("Trivy", "CVE-1", "SNYK-1"), func(f *core.Finding) {
		f.References, f.Weaknesses, f.Score = []string{"https://b"}, []string{"CWE-1321"}, &score
		f.Locations = []core.Location{{Path: "package-lock.json"}}
		f.Fix = core.Fix{State: core.FixAvailable, Versions: []string{"4.17.21"}, Version: "4.17.21"}
	})
	want := changed(ours("CVE-1", "GHSA-1", "SNYK-1"), func(f *core.Finding) {
		f.References, f.Weaknesses, f.Score = []string{"https://a", "https://b"}, []string{"CWE-1321"}, &score
		f.SeenBy = []string{"GHSA", "Trivy"}
		f.Locations, f.Fix = b.Locations, b.Fix
	})
	if diff := cmp.Diff([]core.Finding{want}, unify([]core.Finding{b, a})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// What nobody has rated takes the rating of others, and says whose it is.
	got := unify([]core.Finding{changed(a, func(f *core.Finding) {
		f.Severity,
			f.SeveritySource = core.SeverityUnknown, ""
	}), b})
	if got[0].Severity != core.SeverityCritical || got[0].SeveritySource != "reported by Trivy" {
		t.Errorf("%s of %s", got[0].Severity, got[0].SeveritySource)
	}
}

func TestASuppressionOfOneToolDoesNotExcuseWhatAnotherFound(t *testing.T) {
	said := func(by string, base bool) core.Suppression {
		return core.Suppression{Kind: core.SuppressedInline, By: by, Path: "x.go", Line: 3, Base: base}
	}
	with := func(tool string, s ...core.Suppression) core.Finding {
		return changed(code(tool, "x.go", 3, "CWE-79"), func(f *core.Finding) { f.Suppressions = s })
	}
	for name, tc := range map[string]struct {
		parts []core.Finding
		want  []core.Suppression
	}{
		"only one has it":  {[]core.Finding{with("a", said("SARIF", true)), with("b")}, nil},
		"each has another": {[]core.Finding{with("a", said("#nosec", true)), with("b", said("SARIF", true))}, nil},
		"both have it": {[]core.Finding{with("a", said("SARIF", true)), with("b", said("SARIF", true), said("x",
			true))}, []core.Suppression{said("SARIF", true)}},
		"the base of one": {[]core.Finding{with("a", said("SARIF", true)), with("b", said("SARIF", false))},
			[]core.Suppression{said("SARIF", false)}},
		"one of three": {[]core.Finding{with("a", said("SARIF", true)), with("b", said("SARIF", true)),
			with("c")}, nil},
	} {
		got := unify(tc.parts)
		if len(got) != 1 {
			t.Fatalf("%s: %d findings", name, len(got))
		}
		if diff := cmp.Diff(tc.want, got[0].Suppressions); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
}

// random makes findings that have much in common.
func random(r *rand.Rand) []core.Finding {
	var out []core.Finding
	for range 2 + r.IntN(10) {
		id := func() string { return fmt.Sprint([]string{"CVE-", "GHSA-", "DSA-"}[r.IntN(3)], r.IntN(3)) }
		tool := fmt.Sprint("tool", r.IntN(3))
		var f core.Finding
		switch r.IntN(3) {
		case 0:
			f = ours(id(), id())
		case 1:
			f = theirs(tool, id(), id())
		default:
			if r.IntN(3) == 0 {
				tool = "cleanbill"
			}
			f = code(tool, fmt.Sprint("f", r.IntN(2)), r.IntN(3), fmt.Sprint("CWE-", r.IntN(3)), fmt.Sprint("CWE-",
				r.IntN(3)))
		}
		f = changed(f, func(f *core.Finding) {
			f.Severity = core.Severity(r.IntN(6))
			f.Fingerprint = fmt.Sprint(r.IntN(4))
			if f.Package != nil {
				f.Package.Ecosystem = []string{"npm", "npm", "PyPI", ""}[r.IntN(4)]
				f.Package.Version = []string{"1", "2", ""}[r.IntN(3)]
				f.Package.Purl = fmt.Sprintf("pkg:%s/lodash@%s?arch=%d", f.Package.Ecosystem, f.Package.Version,
					r.IntN(2))
			}
			if r.IntN(2) == 0 {
				f.Suppressions = []core.Suppression{{Kind: core.SuppressedReport, By: fmt.Sprint(r.IntN(2)),
					Base: r.IntN(2) == 0}}
			}
			slices.Sort(f.Weaknesses)
			f.Weaknesses = slices.Compact(f.Weaknesses)
		})
		out = append(out, f)
	}
	return out
}

func TestUnifyingIsIdempotentAndIndifferentToOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	joined := 0
	for n := range 3000 {
		in := random(r)
		once := unify(slices.Clone(in))
		if len(once) < len(in) {
			joined++
		}
		if diff := cmp.Diff(once, unify(slices.Clone(once))); diff != "" {
			t.Fatalf("%d: it changes by doing it again\n%s", n, diff)
		}
		shuffled := slices.Clone(in)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(sortedParts(once), sortedParts(unify(shuffled))); diff != "" {
			t.Fatalf("%d: the order matters\n%s", n, diff)
		}
		ids, tools, places := map[string]bool{}, map[string]bool{}, map[core.Location]bool{}
		for _, f := range once {
			for _, id := range append(f.Aliases, f.Rule) {
				ids[id] = true
			}
			for _, s := range f.SeenBy {
				tools[s] = true
			}
			for _, l := range f.Locations {
				places[l] = true
			}
		}
		for _, f := range in {
			for _, id := range append(f.Aliases, f.Rule) {
				if !ids[id] {
					t.Fatalf("%d: the id %s is lost", n, id)
				}
			}
			if !tools[f.SeenBy[0]] || len(f.Locations) > 0 && !places[f.Locations[0]] {
				t.Fatalf("%d: %v is lost", n, f)
			}
		}
	}
	if joined < 1000 {
		t.Errorf("only %d of 3000 had anything to join", joined)
	}
}

// sortedParts brings lists within findings into one order, as sorting evidence does for places.
func sortedParts(list []core.Finding) []core.Finding {
	e := core.Evidence{Findings: list}
	e.Sort()
	for i := range e.Findings {
		slices.SortFunc(e.Findings[i].Suppressions, func(a,
			b core.Suppression) int {
			return slices.Compare([]string{a.By}, []string{b.By})
		})
	}
	return e.Findings
}

// A report that takes several flaws for one must not make one of them: a waiver, a statement or a baseline for one would
// excuse the others.
func TestAnotherToolDoesNotMakeOneOfSeveralFlaws(t *testing.T) {
	second := func(f core.Finding) core.Finding {
		return changed(f, func(f *core.Finding) { f.Fingerprint += "2" })
	}
	rotated := changed(secretBy("cleanbill", "run.sh"), func(f *core.Finding) { f.Locations[0].Commit = "c0ffee" })
	for name, findings := range map[string][]core.Finding{
		"two of ours by their ids":            {ours("CVE-1"), ours("CVE-2"), theirs("Snyk", "CVE-1", "CVE-2")},
		"two of ours by ids of two kinds":     {ours("CVE-1"), ours("CVE-2", "GHSA-2"), theirs("Snyk", "CVE-1", "GHSA-2")},
		"two of ours, one without a CVE":      {ours("CVE-1"), ours("GHSA-2"), theirs("Snyk", "CVE-1", "GHSA-2")},
		"one of ours, and an id of another":   {ours("CVE-1"), theirs("Snyk", "CVE-1", "CVE-2")},
		"three of other tools":                {theirs("a", "CVE-1"), theirs("b", "CVE-1", "CVE-2"), theirs("c", "CVE-2")},
		"a chain of other tools":              {theirs("a", "CVE-1", "GHSA-1"), theirs("b", "GHSA-1", "CVE-2")},
		"two of ours in one line by CWE":      {code("cleanbill", "D", 3, "CWE-1"), second(code("cleanbill", "D", 3, "CWE-2")), code("b", "D", 3, "CWE-1", "CWE-2")},
		"a secret in a line of an old commit": {rotated, secretBy("b", "run.sh")},
	} {
		got := unify(slices.Clone(findings))
		for _, f := range findings {
			if foreign(&f) {
				continue
			}
			if !slices.ContainsFunc(got, func(g core.Finding) bool {
				return !foreign(&g) && g.Fingerprint == f.Fingerprint && (f.Package == nil || !slices.ContainsFunc(g.Aliases,
					func(id string) bool { return strings.HasPrefix(id, "CVE-") }))
			}) {
				t.Errorf("%s: %s is lost, or has an id that another has:\n%v", name, f.Fingerprint, got)
			}
		}
		if len(got) < 2 || slices.ContainsFunc(got, func(g core.Finding) bool {
			return len(g.SeenBy) > 2 || len(g.SeenBy) == 2 && g.Package != nil
		}) {
			t.Errorf("%s: %d findings\n%v", name, len(got), got)
		}
	}
	// Ours may know more names than another tool, and tools that name the same flaws together agree.
	for name, findings := range map[string][]core.Finding{
		"fewer ids than ours":     {ours("GO-1", "CVE-1", "CVE-2"), theirs("Trivy", "CVE-2")},
		"the same ids":            {theirs("a", "CVE-1", "CVE-2"), theirs("b", "CVE-1", "CVE-2")},
		"ours in two places, one": {ours("CVE-1"), theirs("a", "CVE-1"), theirs("b", "CVE-1", "SNYK-1")},
	} {
		if got := unify(findings); len(got) != 1 {
			t.Errorf("%s: %d findings\n%v", name, len(got), got)
		}
	}
}

func TestThatAnotherToolCallsItNotAffectedExcusesNothing(t *testing.T) {
	theirs := changed(theirs("Trivy", "CVE-1"), func(f *core.Finding) { f.Fix = core.Fix{State: core.FixNotAffected} })
	got := unify([]core.Finding{ours("CVE-1"), theirs})
	if len(got) != 1 || got[0].Fix.State == core.FixNotAffected {
		t.Errorf("%v", got)
	}
}
