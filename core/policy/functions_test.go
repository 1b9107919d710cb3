package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// rich is evidence in which there is something of everything that rules can ask for beyond a plain vulnerability.
func rich() core.Evidence {
	e := evidence()
	e.Subjects[0].Name = "registry.example/team/app:1.4@" + string(image)
	e.Images[0].Created = now.Add(-100 * 24 * time.Hour)
	e.Images[0].Base = &core.BaseImage{Name: "debian:12@" + string(other), Digest: other, SignedBy: "keys/base.pub"}
	e.Images[0].Layers = []core.LayerFacts{{Digest: "sha256:1", CreatedBy: "ADD rootfs"}, {Digest: "sha256:2"}}
	e.Packages = []core.Package{{Subject: image, Name: "@babel/core", Version: "7.9.0", Purl: "pkg:npm/%40babel/core@7.9.0", Ecosystem: "npm",
		Licenses: []string{"MIT OR GPL-3.0-only"}, Relation: core.RelationTransitive, Via: []string{"webpack"}, Origin: &core.Origin{Layer: 1, CreatedBy: "RUN npm ci"}}}
	e.Findings = []core.Finding{{
		Fingerprint: "s", Subject: image, Kind: core.KindSecret, Rule: "aws-key", Severity: core.SeverityHigh,
		Package:   &core.PackageRef{Name: "@babel/core", Version: "7.9.0", Purl: "pkg:npm/%40babel/core@7.9.0", Ecosystem: "npm"},
		Locations: []core.Location{{Path: "app/test/.env"}}, Origin: &core.Origin{Layer: 1, CreatedBy: "COPY . ."},
		Published: now.Add(-36 * time.Hour), Weaknesses: []string{"CWE-798"}, Secret: &core.SecretFacts{Entropy: 4.5, Verified: "active"},
		Suppressions: []core.Suppression{{Kind: core.SuppressedInline, By: "gitleaks:allow"}, {By: "SARIF"}, {By: "SARIF"}},
	}}
	e.Advisories = core.AdvisorySource{Name: "oci:a", Digest: other, Built: now, AsOf: now.Add(-49 * time.Hour), Newest: now.Add(-50 * time.Hour),
		Records: 7, SignedBy: "k", Ecosystems: []string{"npm"}}
	e.Change = &core.Change{Repository: "acme/app", Branch: "main", Head: "h", Base: "b", Request: "#12"}
	return e
}

func holds(t *testing.T, e core.Evidence, condition string) bool {
	t.Helper()
	p := parsed(t, "version: 1\nextends: none\nrules:\n- name: r\n  action: ignore\n  when: |\n    finding.rule != \"\" && ("+condition+")\n")
	v := p.Judge(&e, nil, now)
	if len(v.Gaps) > 0 && v.Gaps[0].Examination == "policy" {
		t.Errorf("%s: %v", condition, v.Gaps[0].Why)
	}
	return len(v.Ignored) == 1
}

func TestRulesReachLicensesRegistriesAgeAndProvenance(t *testing.T) {
	for _, condition := range []string{
		`licensesAllowed(package.licenses, ["MIT"])`, `!licensesDenied(package.licenses, ["GPL-*"])`, `!licensesAllowed(package.licenses, ["BSD-*"])`,
		`package.relation == "transitive" && package.via == ["webpack"] && package.createdBy == "RUN npm ci"`,
		`finding.createdBy == "COPY . ." && finding.weaknesses == ["CWE-798"] && finding.secret.entropy > 4.0 && finding.secret.verified == "active" && has(finding.secret)`,
		`finding.suppressed && finding.suppressedBy == ["SARIF", "gitleaks:allow"]`,
		`subject.registry == "registry.example" && subject.repository == "team/app" && subject.tag == "1.4" && subject.pinned && subject.tls`,
		`image.registry == "registry.example" && image.repository == "team/app"`,
		`has(image.base) && image.base.pinned && image.base.signedBy == "keys/base.pub" && image.base.registry == "docker.io" && image.base.repository == "library/debian"`,
		`image.createdBy == ["ADD rootfs", ""] && image.createdBy.exists(c, c == "") && image.layerDigests == ["sha256:1", "sha256:2"]`,
		`daysSince(image.created) == 100 && daysSince(finding.published) == 1 && daysSince(evidence.advisories.asOf) == 2 && daysSince(now) == 0`,
		`evidence.subjects == 1 && evidence.packages == 1 && evidence.findings == 1 && evidence.high == 1 && evidence.critical + evidence.medium + evidence.low + evidence.none + evidence.unknown + evidence.fixable == 0`,
		`evidence.advisories.source == "oci:a" && evidence.advisories.records == 7 && evidence.advisories.signedBy == "k" && !evidence.advisories.starter && has(evidence.advisories)`,
		`evidence.advisories.digest == subject.digest || evidence.advisories.built == now && "npm" in evidence.advisories.ecosystems && evidence.advisories.newest < now`,
		`has(evidence.change) && evidence.change.repository == "acme/app" && evidence.change.branch == "main" && evidence.change.head == "h" && evidence.change.base == "b" && evidence.change.request == "#12"`,
		`glob(finding.path, "**/test/**") && !glob(finding.path, "test/**")`,
		`purlMatches(package.purl, "pkg:npm/@babel/*@7.*") && !purlMatches(package.purl, "pkg:npm/*")`,
		`compareVersions(package.version, "7.10.0", package.ecosystem) == -1 && olderThan(package.version, "7.10.0", "npm") && !olderThan("1.0", "1.0", "Debian:12")`,
		`registryOf(image.base.name) == "docker.io" && repositoryOf("r.example/a/b:1") == "r.example/a/b" && registryOf("") == ""`,
		`fromRegistry(image.base.name, ["docker.io/library/*"]) && fromRegistry(image.base.name, ["*.example", "docker.io"]) && !fromRegistry(image.base.name, ["docker.io/acme/*"])`,
	} {
		if !holds(t, rich(), condition) {
			t.Errorf("%s is not true", condition)
		}
	}
	nothing := core.Evidence{Findings: []core.Finding{{Fingerprint: "e", Rule: "x"}}}
	for _, condition := range []string{
		`has(image.base) || image.base.name != "" || image.base.pinned || image.base.registry != "" || subject.registry != "" || subject.tls || subject.pinned`,
		`has(evidence.change) || evidence.change.branch != "" || has(evidence.advisories) || evidence.packages > 0`,
		`has(finding.secret) || finding.secret.entropy > 0.0 || finding.suppressed || finding.createdBy != ""`,
		`licensesAllowed(package.licenses, ["*"]) || licensesDenied(package.licenses, ["*"])`,
		`fromRegistry(image.base.name, ["**"]) || daysSince(image.created) < 10000`,
	} {
		if holds(t, nothing, condition) {
			t.Errorf("of nothing, %s is true", condition)
		}
	}
}

// What has no order, or no meaning, is an error and no answer: the verdict stays undecided.
func TestFunctionsThatCannotAnswerLeaveTheVerdictUndecided(t *testing.T) {
	for condition, says := range map[string]string{
		`olderThan(package.version, "1.0", finding.rule)`:           `versions of "aws-key" have no order`,
		`compareVersions("!", package.version, "npm") == 0`:         `"!" is not a version of npm`,
		`glob(finding.path, finding.title)`:                         "a pattern must not be empty",
		`purlMatches(package.purl, finding.path)`:                   "is not a package URL",
		`licensesAllowed(package.licenses, [finding.path + "***"])`: "three stars",
		`fromRegistry(finding.path, ["x", finding.title])`:          "a pattern must not be empty",
	} {
		e := rich()
		v := parsed(t, ruled(condition)).Judge(&e, nil, now)
		if len(v.Gaps) == 0 || v.Gaps[len(v.Gaps)-1].Rule != "mine" || !strings.Contains(strings.Join(v.Gaps[len(v.Gaps)-1].Why, " "), says) {
			t.Errorf("%s: gaps %+v, want one that says %q", condition, v.Gaps, says)
		}
	}
}
