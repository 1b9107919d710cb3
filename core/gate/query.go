package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
	"github.com/cleanbill-ci/cleanbill/core/internal/distro"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
	"github.com/cleanbill-ci/cleanbill/core/vuln"
)

// AdvisoryAnswer is what a set knows of an id or a package.
type AdvisoryAnswer struct {
	Query      string              `json:"query"`
	Advisories core.AdvisorySource `json:"advisories"`
	// Flaws are one for each record of an id, or one for each flaw of a package.
	Flaws []AdvisoryFlaw `json:"flaws"`
	// Gaps are what could not be looked up about a package.
	Gaps []string `json:"gaps,omitempty"`
}

// AdvisoryFlaw is what is known of one flaw.
type AdvisoryFlaw struct {
	ID        string            `json:"id"`
	Aliases   []string          `json:"aliases,omitempty"`
	Title     string            `json:"title,omitempty"`
	Severity  core.Severity     `json:"severity"`
	Score     *float64          `json:"score,omitempty"`
	Vector    string            `json:"vector,omitempty"`
	Exploited *core.Exploited   `json:"exploited,omitempty"`
	EPSS      *core.EPSS        `json:"epss,omitempty"`
	Page      string            `json:"page,omitempty"`
	Packages  []AffectedPackage `json:"packages"`
}

// AffectedPackage is a package that a flaw affects, and where.
type AffectedPackage struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	// Affected says the versions in words: "from 1.2 before 1.4, and 2.0".
	Affected string `json:"affected"`
	// Fixed are the versions that fix it.
	Fixed []string `json:"fixed,omitempty"`
}

// QueryAdvisories answers what is known of an id or a package URL, without a scan. ref names the set; empty means the one
// that gate uses.
func (g *Gate) QueryAdvisories(ctx context.Context, query, ref string, a AdvisoryAccess) (AdvisoryAnswer, error) {
	set, err := g.openSet(ctx, ref, a)
	if err != nil {
		return AdvisoryAnswer{}, err
	}
	answer := AdvisoryAnswer{Query: query, Advisories: set.Source(), Flaws: []AdvisoryFlaw{}}
	if strings.HasPrefix(query, "pkg:") {
		err = g.queryPackage(ctx, set, query, &answer)
	} else {
		err = queryID(ctx, set, strings.TrimSpace(query), &answer)
	}
	if err != nil && !core.Usage(err) {
		err = &core.Failure{Doing: "ask " + answer.Advisories.Name + " about " + query, Err: err}
	}
	return answer, err
}

func queryID(ctx context.Context, set *advisory.Set, id string, answer *AdvisoryAnswer) error {
	var records []advisory.Answer
	for _, id := range spellings(id) {
		var err error
		if records, err = set.ByID(ctx, id); err != nil {
			return err
		}
		if len(records) > 0 {
			break
		}
	}
	if len(records) == 0 && !slices.ContainsFunc(spellings(id), vuln.IsID) {
		answer.Gaps = append(answer.Gaps,
			"it is no id of a database that is known; ask about a package by its package URL, such as pkg:npm/NAME@VERSION")
	}
	for _, r := range records {
		f, err := vuln.Describe(ctx, set, r.Record, r.Affects)
		if err != nil {
			return err
		}
		flaw := flawOf(f)
		flaw.ID = r.ID
		flaw.Aliases = slices.Concat(r.Aliases, r.Upstream, r.Related)
		flaw.Page = advisory.Page(r.ID)
		for _, x := range r.Affects {
			flaw.Packages = append(flaw.Packages, affectedPackage(x))
		}
		answer.Flaws = append(answer.Flaws, flaw)
	}
	return nil
}

// spellings are an id as it was written, and as databases write it: people are not always careful with capitals.
func spellings(id string) []string {
	upper := strings.ToUpper(id)
	if number, ok := strings.CutPrefix(upper, "GHSA-"); ok {
		upper = "GHSA-" + strings.ToLower(number)
	}
	return slices.Compact([]string{id, upper})
}

func flawOf(f core.Finding) AdvisoryFlaw {
	return AdvisoryFlaw{ID: f.Rule, Aliases: f.Aliases, Title: f.Title, Severity: f.Severity, Score: f.Score, Vector: f.Vector,
		Exploited: f.Exploited, EPSS: f.EPSS, Page: advisory.Page(f.Rule), Packages: []AffectedPackage{}}
}

func affectedPackage(a advisory.Affected) AffectedPackage {
	return AffectedPackage{Ecosystem: a.Ecosystem, Name: a.Name, Affected: a.InWords(), Fixed: a.FixedVersions()}
}

// queryPackage reads the package URL as a bill of materials of one, so that it means what it means there.
func (g *Gate) queryPackage(ctx context.Context, set *advisory.Set, query string, answer *AdvisoryAnswer) error {
	u, err := packageurl.FromString(query)
	if err != nil {
		return &core.Failure{Doing: "understand " + query, Err: err, Usage: true,
			Hint: "a package URL is pkg:TYPE/NAMESPACE/NAME@VERSION, with ?distro=NAME-RELEASE for a distribution's package"}
	}
	bill, err := json.Marshal(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"components": []any{map[string]string{"type": "library", "name": u.Name, "version": cmp.Or(u.Version, "0"), "purl": query}}})
	if err != nil {
		return err
	}
	e, err := sbom.Read(ctx, query, bill, Limits{}.Filled())
	if err != nil {
		return err
	}
	if len(e.Packages) != 1 {
		return &core.Failure{Doing: "understand " + query, Usage: true, Err: errors.New("it names no package")}
	}
	if u.Version == "" {
		return queryName(ctx, set, e.Packages[0], answer)
	}
	if err := vuln.Match(ctx, set, &e, g.Now()); err != nil {
		return err
	}
	e.Sort()
	for _, f := range e.Findings {
		flaw := flawOf(f)
		words := "this version"
		if f.Fix.Version != "" {
			words += "; fixed in " + f.Fix.Version
		}
		flaw.Packages = []AffectedPackage{{Ecosystem: f.Package.Ecosystem, Name: f.Package.Name, Affected: words, Fixed: f.Fix.Versions}}
		answer.Flaws = append(answer.Flaws, flaw)
	}
	for _, x := range e.Examinations {
		if x.Status != core.Complete {
			answer.Gaps = append(answer.Gaps, x.Why...)
		}
	}
	return unknownName(ctx, set, e.Packages[0], answer)
}

// unknownName says of a distribution's package of a name that no advisory has that it may be known by another.
func unknownName(ctx context.Context, set *advisory.Set, p core.Package, answer *AdvisoryAnswer) error {
	if len(answer.Flaws) > 0 || p.Source != nil || !vuln.NamesSources(p.Ecosystem) {
		return nil
	}
	known, err := set.Affected(ctx, p.Ecosystem, p.Name)
	if len(known) == 0 && err == nil {
		answer.Gaps = append(answer.Gaps, fmt.Sprintf(
			"advisories of %s name what packages are built from: if %s is built from another, add upstream=SOURCE", p.Ecosystem, p.Name))
	}
	return err
}

// queryName lists all advisories about a package, whatever the version; of a distribution's whose release is not said,
// those for every release. A record may name it in several tables.
func queryName(ctx context.Context, set *advisory.Set, p core.Package, answer *AdvisoryAnswer) error {
	covered := false
	flaws, asked := map[string]int{}, map[advisory.PackageName]bool{}
	for _, of := range anyRelease(p, set.Source().Ecosystems) {
		names, known := vuln.Names(set, &of)
		covered = covered || known
		for _, l := range names {
			if asked[l] {
				continue // by another release
			}
			asked[l] = true
			if err := queryRecords(ctx, set, l, flaws, answer); err != nil {
				return err
			}
		}
	}
	if !covered {
		answer.Gaps = append(answer.Gaps, fmt.Sprintf("the set has no advisories for %s", cmp.Or(p.Ecosystem, p.Purl)))
	}
	return unknownName(ctx, set, p, answer)
}

// anyRelease returns the package, or the same of every release that the set knows if it does not say which it is of.
func anyRelease(p core.Package, ecosystems []string) []core.Package {
	u, err := packageurl.FromString(p.Purl)
	maker := distro.Maker(distro.ID(u.Namespace))
	if err != nil || p.Ecosystem != "" || maker == "" || !distro.Packs(maker, u.Type) {
		return []core.Package{p}
	}
	var out []core.Package
	for _, e := range ecosystems {
		if advisory.Family(e) == maker && e != maker {
			p.Ecosystem = e
			out = append(out, p)
		}
	}
	return out
}

// queryRecords adds what the set says of a package under one name.
func queryRecords(ctx context.Context, set *advisory.Set, l advisory.PackageName, flaws map[string]int, answer *AdvisoryAnswer) error {
	records, err := set.Lookup(ctx, l.Ecosystem, l.Name)
	if err != nil {
		return err
	}
	for _, r := range records {
		at, ok := flaws[r.ID]
		if !ok {
			f, err := vuln.Describe(ctx, set, r, []advisory.Affected{r.Affected})
			if err != nil {
				return err
			}
			at = len(answer.Flaws)
			flaws[r.ID], answer.Flaws = at, append(answer.Flaws, flawOf(f))
		}
		answer.Flaws[at].Packages = append(answer.Flaws[at].Packages, affectedPackage(r.Affected))
	}
	return nil
}
