package vuln

import (
	"context"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/advisory"
)

// maxReferences bounds the links of a finding.
const maxReferences = 10

// finding makes the finding of one flaw, without subject and place.
func (m *matcher) finding(ctx context.Context, f flaw, p *core.Package, ecosystem string) (core.Finding, error) {
	out := core.Finding{Kind: core.KindVulnerability, Rule: f.rule, Aliases: f.aliases(), Fix: fixOf(&f, ecosystem)}
	if err := m.factsOfCVEs(ctx, &f, &out); err != nil {
		return core.Finding{}, err
	}
	if strings.HasPrefix(f.rule, "MAL-") {
		out.Kind, out.Severity, out.SeveritySource = core.KindMalware, core.SeverityCritical, "malicious package"
		out.Score, out.Vector = nil, ""
		out.Fix.Text = "remove the package, and treat what it ran on as compromised"
	}
	for _, piece := range f.pieces {
		r := &piece.hit.record
		if out.Match == "" || rank(piece.hit.match) < rank(out.Match) {
			out.Match = piece.hit.match
		}
		out.Confidence = max(out.Confidence, confidence(piece.hit))
		if out.Title == "" && !piece.shared {
			out.Title = r.Summary
		}
		if !r.Published.IsZero() && (out.Published.IsZero() || r.Published.Before(out.Published)) {
			out.Published = r.Published
		}
		if r.Modified.After(out.Modified) {
			out.Modified = r.Modified
		}
		out.SeenBy = append(out.SeenBy, database(r.ID))
	}
	if out.Title == "" {
		out.Title = f.rule + " in " + f.pieces[0].hit.affected[0].Name
	}
	slices.Sort(out.SeenBy)
	out.SeenBy = slices.Compact(out.SeenBy)
	out.References = references(&f)
	out.Fingerprint = core.FingerprintOf(out.Kind, advisory.Family(ecosystem), advisory.NormalName(ecosystem, p.Name),
		f.rule)
	return out, nil
}

// factsOfCVEs fills in severity, exploitation and EPSS; of several CVEs the worst.
func (m *matcher) factsOfCVEs(ctx context.Context, f *flaw, out *core.Finding) error {
	var vectors []advisory.Vector
	for _, cve := range f.cves() {
		facts, err := m.set.Facts(ctx, cve)
		if err != nil {
			return err
		}
		vectors = append(vectors, facts.Vectors...)
		if e := facts.Exploited; e != nil && (out.Exploited == nil || e.Since < out.Exploited.Since) {
			ransomware := e.Ransomware || out.Exploited != nil && out.Exploited.Ransomware
			out.Exploited = &core.Exploited{Since: e.Since, Ransomware: ransomware}
		} else if e != nil {
			out.Exploited.Ransomware = out.Exploited.Ransomware || e.Ransomware
		}
		if facts.EPSS != nil && (out.EPSS == nil || facts.EPSS.Score > out.EPSS.Score) {
			out.EPSS = facts.EPSS
		}
	}
	r := rate(f, vectors)
	out.Severity, out.Score, out.Vector, out.SeveritySource = r.severity, r.score, r.vector, r.source
	return nil
}

// confidence is how sure one advisory's match is.
func confidence(h *hit) core.Confidence {
	switch {
	case h.match == core.MatchName, h.unsure:
		return core.ConfidenceLow
	}
	return core.ConfidenceHigh
}

func rank(m core.Match) int {
	return slices.Index([]core.Match{core.MatchExact, core.MatchSource, core.MatchVendored, core.MatchName}, m)
}

// references lists the page of the rule, of the records, and what the records point to.
func references(f *flaw) []string {
	out := []string{advisory.Page(f.rule)}
	for _, p := range f.pieces {
		out = append(out, advisory.Page(p.hit.record.ID))
	}
	for _, p := range f.pieces {
		out = append(out, p.hit.record.References...)
	}
	seen := map[string]bool{"": true}
	out = slices.DeleteFunc(out, func(u string) bool {
		known := seen[u]
		seen[u] = true
		return known
	})
	return out[:min(len(out), maxReferences)]
}

// databases names the home of ids by their beginning.
//
// https://ossf.github.io/osv-schema/#id-modified-fields
var databases = []struct{ prefix, name string }{
	{"ALBA-", "AlmaLinux"}, {"ALEA-", "AlmaLinux"}, {"ALPINE-", "Alpine"}, {"ALSA-", "AlmaLinux"}, {"AZL-", "Azure Linux"},
	{"BELL-", "BellSoft"}, {"BIT-", "Bitnami"}, {"CGA-", "Chainguard"}, {"CVE-", "CVE"}, {"DEBIAN-", "Debian"},
	{"DLA-", "Debian"}, {"DRUPAL-", "Drupal"}, {"DSA-", "Debian"}, {"DTSA-", "Debian"}, {"GHSA-", "GitHub"},
	{"GO-", "Go vulnerability database"}, {"HSEC-", "Haskell"}, {"MAL-", "OpenSSF malicious packages"}, {"MGASA-",
		"Mageia"},
	{"MINI-", "MinimOS"}, {"OESA-", "openEuler"}, {"OSV-", "OSS-Fuzz"}, {"PHSA-", "Photon OS"}, {"PYSEC-", "PyPI"},
	{"RHSA-", "Red Hat"}, {"RHBA-", "Red Hat"}, {"RHEA-", "Red Hat"}, {"RLSA-", "Rocky Linux"}, {"RSEC-", "CRAN"},
	{"RUSTSEC-", "RustSec"}, {"RXSA-", "Rocky Linux"}, {"SUSE-", "SUSE"}, {"UBUNTU-", "Ubuntu"}, {"USN-", "Ubuntu"},
	{"openSUSE-", "openSUSE"},
}

// IsID reports whether an id begins as those of a database that is known.
func IsID(id string) bool {
	return slices.ContainsFunc(databases, func(d struct{ prefix, name string }) bool { return strings.HasPrefix(id, d.prefix) })
}

func database(id string) string {
	for _, d := range databases {
		if strings.HasPrefix(id, d.prefix) {
			return d.name
		}
	}
	return "OSV"
}

// Describe makes of one record what a finding would say of it: names, severity and exploitation, without a package.
func Describe(ctx context.Context, set Advisories, r advisory.Record, affected []advisory.Affected) (core.Finding, error) {
	m := matcher{set: set}
	h := hit{record: r, affected: affected, match: core.MatchExact}
	if len(affected) == 0 {
		h.affected = []advisory.Affected{{ID: r.ID}}
	}
	ids := slices.Concat([]string{r.ID}, r.CVEs(), r.Aliases)
	f := flaw{ids: slices.Clone(ids), pieces: []piece{{hit: &h, ids: ids}}}
	f.name()
	out := core.Finding{Kind: core.KindVulnerability, Rule: f.rule, Aliases: f.aliases(), Title: r.Summary}
	return out, m.factsOfCVEs(ctx, &f, &out)
}
