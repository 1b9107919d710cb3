package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

var update = flag.Bool("update", false, "write the golden files")

func digestOfAll(c string) core.Digest { return core.Digest("sha256:" + strings.Repeat(c, 64)) }

var (
	indexDigest = digestOfAll("0")
	amd64Digest = digestOfAll("a")
	arm64Digest = digestOfAll("b")
	judgedAt    = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
)

func vulnerability(subject core.Digest, id, name, from, to string, s core.Severity) core.Finding {
	purl := "pkg:deb/debian/" + name + "@" + from
	return core.Finding{
		Fingerprint: core.FingerprintOf(core.KindVulnerability, name, id), Subject: subject, Kind: core.KindVulnerability,
		Rule: id, Title: "flaw in " + name, Severity: s, Match: core.MatchSource,
		Package: &core.PackageRef{Name: name, Version: from, Purl: purl, Ecosystem: "Debian:12"},
		Fix:     core.Fix{State: core.FixAvailable, Version: to, Versions: []string{to}},
	}
}

func outcome(rule string, action core.Action, f core.Finding) core.Outcome {
	return core.Outcome{Rule: rule, Action: action, Subject: f.Subject, Fingerprint: f.Fingerprint, Message: f.Rule + ": " + f.Title}
}

// refusedDocument is an index of two platforms, with all that a verdict can hold.
func refusedDocument() Document {
	e := core.Evidence{
		Subjects: []core.Subject{
			{Name: "registry.example/team/shop:1.4.2", Kind: core.KindIndex, Digest: indexDigest},
			{Name: "registry.example/team/shop:1.4.2", Kind: core.KindImage, Digest: amd64Digest, Parent: indexDigest,
				Platform: &core.Platform{OS: "linux", Architecture: "amd64"}},
			{Name: "registry.example/team/shop:1.4.2", Kind: core.KindImage, Digest: arm64Digest, Parent: indexDigest,
				Platform: &core.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}},
		},
		Advisories: core.AdvisorySource{Name: "oci:advisories", Records: 65231, AsOf: judgedAt.Add(-30 * time.Hour), Digest: digestOfAll("d")},
	}
	for range 214 {
		e.Packages = append(e.Packages, core.Package{Subject: amd64Digest, Name: "p", Purl: "pkg:generic/p"})
	}
	v := core.Verdict{
		Decision: core.Refused, Time: judgedAt,
		Policy:   core.PolicyRef{Name: "standard", Digest: digestOfAll("c"), Source: "built in"},
		Counts:   core.Counts{Packages: 428, Findings: 131, Critical: 3, High: 7, Medium: 60, Low: 58, Unknown: 3, Fixable: 40},
		Accepted: []core.Gap{},
	}
	for _, subject := range []core.Digest{amd64Digest, arm64Digest} {
		var fixes []string
		for i, id := range []string{"CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004", "CVE-2026-0005"} {
			f := vulnerability(subject, id, "libssl3", "3.0.11-1~deb12u2", "3.0.14-1~deb12u2", core.SeverityHigh)
			if i == 2 {
				f.Severity, f.Exploited = core.SeverityCritical, &core.Exploited{Since: "2026-10-01"}
			}
			e.Findings = append(e.Findings, f)
			fixes = append(fixes, f.Fingerprint)
			v.Refusals = append(v.Refusals, outcome("severe-with-fix", core.ActionFail, f))
		}
		v.Upgrades = append(v.Upgrades, core.Upgrade{
			Subject: subject, Package: "openssl", Ecosystem: "Debian:12", From: "3.0.11-1~deb12u2", To: "3.0.14-1~deb12u2",
			Packages: []string{"pkg:deb/debian/libssl3@3.0.11"}, Fixes: fixes, Severity: core.SeverityCritical,
			Where:   "layer 0: ADD file:4b1be1de1a1e5aa608c688cad2824587262081866180d7368feb79d33ca05953 in /",
			Command: "apt-get update && apt-get install --only-upgrade -y libssl3 openssl",
		})
	}
	jose := vulnerability(amd64Digest, "GHSA-c2qf-rxjj-qqgw", "jose", "4.11.1", "4.15.5", core.SeverityHigh)
	jose.Package.Ecosystem = "npm"
	secret := core.Finding{Fingerprint: "5ec", Subject: amd64Digest, Kind: core.KindSecret, Rule: "aws-access-token",
		Title: "AWS access key", Severity: core.SeverityHigh, Locations: []core.Location{{Path: "app/.env", Line: 3}},
		Fix: core.Fix{Text: "revoke the key, then build without the file; deleting it in a later layer does not remove it"}}
	e.Findings = append(e.Findings, jose, secret)
	v.Refusals = append(v.Refusals, outcome("severe-with-fix", core.ActionFail, jose),
		core.Outcome{Rule: "secret", Action: core.ActionFail, Subject: amd64Digest, Fingerprint: "5ec",
			Message: "aws-access-token in app/.env:3: AWS access key"})
	e.Packages = append(e.Packages, core.Package{Subject: amd64Digest, Name: "jose", Version: "4.11.1", Purl: "pkg:npm/jose@4.11.1",
		Analyzer: "javascript/packagelock", Relation: core.RelationTransitive,
		Via: []string{"openid-client", "oauth", "@team/<login>", "tokens", "jwt", "keys"}})
	v.Upgrades = append(v.Upgrades, core.Upgrade{Subject: amd64Digest, Package: "jose", Ecosystem: "npm", From: "4.11.1",
		To: "4.15.5", Packages: []string{"pkg:npm/jose@4.11.1"}, Fixes: []string{jose.Fingerprint}, Severity: core.SeverityHigh,
		Where: "app/node_modules/jose/package.json", Command: "npm install jose@4.15.5"})
	for i := range 119 {
		f := vulnerability(amd64Digest, "CVE-2020-"+string(rune('a'+i%26))+string(rune('a'+i/26)), "zlib1g", "1.2.13", "", core.SeverityLow+core.Severity(i%2))
		f.Fix = core.Fix{State: core.FixNone}
		e.Findings = append(e.Findings, f)
		v.Warnings = append(v.Warnings, outcome("everything-else", core.ActionWarn, f))
	}
	for i, id := range []string{"CVE-2026-0101", "CVE-2026-0102", "CVE-2026-0103"} {
		f, rule := vulnerability(amd64Digest, id, "perl-base", "5.36.0-7", "", core.SeverityHigh), "test-tools"
		if i > 0 {
			rule = core.RuleVEX
			f.VEX = []core.VEXStatement{{Status: core.VEXNotAffected, Document: "security/shop.openvex.json", Time: judgedAt,
				TrustedBy: "named by the policy standard"}}
		}
		e.Findings = append(e.Findings, f)
		v.Ignored = append(v.Ignored, outcome(rule, core.ActionIgnore, f))
	}
	v.Gaps = []core.Gap{{
		Examination: core.ExaminePackages, Subject: arm64Digest, Status: core.Partial,
		Why: []string{"opt/app/lib/broken.jar: the archive is truncated"}, Remedy: "replace the file or remove it from the image", Rule: "require: packages",
	}}
	return NewDocument(Tool{Name: "cleanbill", Version: "1.0.0"}, e, &v)
}

// undecidedDocument is the first command of a new user: a clean image, and the starter advisories only.
func undecidedDocument() Document {
	d := passedDocument()
	d.Evidence.Advisories = core.AdvisorySource{Name: "embedded starter set", Starter: true, Records: 1893, AsOf: judgedAt.Add(-72 * time.Hour)}
	d.Verdict.Decision = core.Undecided
	d.Verdict.Gaps = []core.Gap{{
		Examination: core.ExamineAdvisories, Subject: amd64Digest, Status: core.Partial,
		Why:    []string{"only the embedded starter set of 1893 advisories was used"},
		Remedy: "cleanbill advisories build --from DIR --out oci:advisories && cleanbill gate --advisories oci:advisories IMAGE",
		Rule:   "require: advisories",
	}}
	return d
}

func passedDocument() Document {
	e := core.Evidence{
		Subjects: []core.Subject{{Name: "oci:examples/image", Kind: core.KindImage, Digest: amd64Digest,
			Platform: &core.Platform{OS: "linux", Architecture: "amd64"}}},
		Packages:   []core.Package{{Subject: amd64Digest, Name: "busybox", Purl: "pkg:apk/alpine/busybox@1.36"}},
		Advisories: core.AdvisorySource{Name: "oci:advisories", Records: 65231, AsOf: judgedAt.Add(-30 * time.Hour)},
	}
	return NewDocument(Tool{Name: "cleanbill", Version: "1.0.0"}, e, &core.Verdict{
		Decision: core.Passed, Time: judgedAt,
		Policy: core.PolicyRef{Name: "standard", Digest: digestOfAll("c"), Source: "built in"},
		Counts: core.Counts{Packages: 1},
	})
}

// hostileDocument has in every text what would act on a terminal, a log or a page.
func hostileDocument() Document {
	const evil = "\x1b[2J::error::x\n::warning::y | <img src=x onerror=1> [a](http://e) @all \u202e`tick` \xff |"
	d := refusedDocument()
	e := &d.Evidence
	for i := range e.Subjects {
		e.Subjects[i].Name = evil
	}
	for i := range e.Findings {
		e.Findings[i].Rule += evil
		e.Findings[i].Title = evil
		if e.Findings[i].Package != nil {
			e.Findings[i].Package.Name = evil
		}
		e.Findings[i].Fix.Text = evil
		for k := range e.Findings[i].VEX {
			s := &e.Findings[i].VEX[k]
			s.Document, s.TrustedBy = evil, evil
		}
	}
	e.Findings = append(e.Findings, core.Finding{Fingerprint: core.FingerprintOf(core.KindSuppression, evil), Subject: amd64Digest,
		Kind: core.KindSuppression, Rule: evil, Title: evil, Severity: core.SeverityLow, Locations: []core.Location{{Path: evil}}})
	e.Advisories.Name = evil
	v := d.Verdict
	v.Baseline = &core.BaselineRef{Source: evil, Commit: evil}
	v.Waivers = []core.WaiverUse{{ID: evil, Owner: evil, Reason: evil, Expires: evil, State: core.WaiverExpired},
		{ID: "W", Owner: evil, Reason: evil, Expires: evil, State: core.WaiverUsed, Excused: 1}}
	v.Ignored[1].Waiver = "W"
	v.Warnings[0].Held, v.Warnings[0].Cause = true, core.CauseKnown
	for i := range v.Upgrades {
		u := &v.Upgrades[i]
		u.Package, u.From, u.To, u.Where, u.Command = evil, evil, evil, evil, evil
	}
	for i := range v.Refusals {
		v.Refusals[i].Message, v.Refusals[i].Rule = evil, evil
	}
	for i := range v.Warnings {
		v.Warnings[i].Message, v.Warnings[i].Rule = evil, evil
	}
	v.Ignored[0].Rule = evil
	v.Gaps[0].Why, v.Gaps[0].Remedy, v.Gaps[0].Examination = []string{evil}, evil, evil
	v.Policy.Name, v.Policy.Source = evil, evil
	d.Tool.Version = evil
	return d
}

// comparedDocument is a change that brings one flaw to an image which has others, with waivers in all states.
func comparedDocument() Document {
	e := core.Evidence{
		Subjects: []core.Subject{{Name: "registry.example/team/shop:pr-12", Kind: core.KindImage, Digest: amd64Digest,
			Platform: &core.Platform{OS: "linux", Architecture: "amd64"}}},
		Advisories: core.AdvisorySource{Name: "oci:advisories", Records: 65231, AsOf: judgedAt.Add(-30 * time.Hour)},
	}
	v := core.Verdict{
		Decision: core.Refused, Time: judgedAt,
		Policy: core.PolicyRef{Name: "acme", Digest: digestOfAll("c"), Source: ".cleanbill.yaml"},
		Counts: core.Counts{Packages: 214, Findings: 19, High: 12, Medium: 7, Fixable: 19},
		Baseline: &core.BaselineRef{Source: ".cleanbill/baseline.json", Digest: digestOfAll("6"),
			Commit: "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00", Known: 14, New: 5},
	}
	see := func(into *[]core.Outcome, n int, id, rule string, action core.Action, s core.Severity, with core.Outcome) {
		for i := range n {
			f := vulnerability(amd64Digest, fmt.Sprintf("CVE-2026-%s%d", id, i), "lib"+id, "1.0", "1.1", s)
			e.Findings = append(e.Findings, f)
			o := outcome(rule, action, f)
			o.Cause, o.Held, o.Waiver = with.Cause, with.Held, with.Waiver
			*into = append(*into, o)
		}
	}
	see(&v.Refusals, 1, "10", "severe-with-fix", core.ActionFail, core.SeverityHigh, core.Outcome{Cause: core.CauseCode})
	see(&v.Warnings, 6, "20", "severe-with-fix", core.ActionWarn, core.SeverityHigh, core.Outcome{Cause: core.CauseKnown, Held: true})
	see(&v.Warnings, 3, "30", "severe-with-fix", core.ActionWarn, core.SeverityHigh, core.Outcome{Cause: core.CauseAdvisory, Held: true})
	see(&v.Warnings, 4, "40", "everything-else", core.ActionWarn, core.SeverityMedium, core.Outcome{Cause: core.CauseKnown})
	see(&v.Warnings, 1, "50", "everything-else", core.ActionWarn, core.SeverityMedium, core.Outcome{Cause: core.CauseCode})
	see(&v.Ignored, 2, "60", "severe-with-fix", core.ActionIgnore, core.SeverityHigh, core.Outcome{Waiver: "jose-2026"})
	see(&v.Ignored, 2, "70", core.RuleSuppressed, core.ActionIgnore, core.SeverityMedium, core.Outcome{})
	for _, ask := range []string{".cleanbill.yaml is different in this change: it says what this gate refuses; that does not count before it is merged",
		"gitleaks:allow in deploy/run.sh suppresses github-pat, and the base of the change does not; it does not count before it is merged"} {
		f := core.Finding{Fingerprint: core.FingerprintOf(core.KindSuppression, ask), Subject: amd64Digest, Kind: core.KindSuppression,
			Rule: "suppression-added", Title: ask, Severity: core.SeverityLow, Locations: []core.Location{{Path: "x"}}}
		e.Findings = append(e.Findings, f)
		v.Warnings = append(v.Warnings, outcome("everything-else", core.ActionWarn, f))
	}
	fixed := v.Refusals[0].Fingerprint
	v.Upgrades = []core.Upgrade{{Subject: amd64Digest, Package: "lib10", Ecosystem: "Debian:12", From: "1.0", To: "1.1",
		Packages: []string{"pkg:deb/debian/lib10@1.0"}, Fixes: []string{fixed}, Severity: core.SeverityHigh,
		Command: "apt-get update && apt-get install --only-upgrade -y lib10"}}
	v.Waivers = []core.WaiverUse{
		{ID: "curl-2025", Owner: "team-web", Reason: "not reachable from outside", Expires: "2026-10-31", State: core.WaiverExpired},
		{ID: "jose-2026", Owner: "team-auth", Reason: "tokens are checked twice", Expires: "2026-12-31", State: core.WaiverUsed, Excused: 2},
		{ID: "old-jar", Owner: "team-web", Reason: "for tests only", Expires: "2027-01-31", State: core.WaiverUnused},
		{ID: "zlib", Owner: "platform", Reason: "no fix yet", Expires: "2027-01-31", State: core.WaiverFixed},
	}
	return NewDocument(Tool{Name: "cleanbill", Version: "1.0.0"}, e, &v)
}

func documents() map[string]Document {
	scanned := passedDocument()
	scanned.Verdict = nil
	return map[string]Document{
		"refused": refusedDocument(), "undecided": undecidedDocument(), "passed": passedDocument(),
		"examined": scanned, "hostile": hostileDocument(), "compared": comparedDocument(),
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

func TestTerminalLooksAsAgreed(t *testing.T) {
	forms := map[string]TerminalOptions{
		"wide": {Width: 80, Unicode: true}, "narrow": {Width: 40}, "colour": {Width: 100, Unicode: true, Colour: true},
	}
	for name, d := range documents() {
		for form, o := range forms {
			t.Run(name+"/"+form, func(t *testing.T) {
				var b bytes.Buffer
				if err := Terminal(&b, d, o); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"-"+form+".txt", b.Bytes())
			})
		}
	}
}

func TestMarkdownLooksAsAgreed(t *testing.T) {
	for name, d := range documents() {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Markdown(&b, d, 0); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".md", b.Bytes())
		})
	}
}

// what the terminal shows within colours.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTerminalKeepsTheWidthAndNothingForeignActs(t *testing.T) {
	for name, d := range documents() {
		for _, columnsWide := range []int{40, 61, 80, 120} {
			for _, unicodeToo := range []bool{false, true} {
				var b bytes.Buffer
				if err := Terminal(&b, d, TerminalOptions{Width: columnsWide, Unicode: unicodeToo, Colour: true}); err != nil {
					t.Fatal(err)
				}
				text := colours.ReplaceAllString(b.String(), "")
				for _, line := range strings.Split(text, "\n") {
					if columns(line) > columnsWide {
						t.Errorf("%s at %d: too wide: %q", name, columnsWide, line)
					}
					if strings.HasPrefix(strings.TrimLeft(line, " "), "::") || strings.Contains(line, "##[") {
						t.Errorf("%s at %d: a runner would obey %q", name, columnsWide, line)
					}
					for _, r := range line {
						if r < ' ' || r == 0x7f || r == 0x202e || r == utf8.RuneError || !unicodeToo && r > 0x7e {
							t.Errorf("%s at %d: %q holds %q", name, columnsWide, line, r)
						}
					}
				}
			}
		}
	}
}

func TestTerminalHasNoEscapesWithoutColour(t *testing.T) {
	for name, d := range documents() {
		var b bytes.Buffer
		if err := Terminal(&b, d, TerminalOptions{Unicode: true}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(b.String(), '\x1b') {
			t.Errorf("%s has an escape sequence", name)
		}
	}
}

// The order is the point of the report: result, fixes, counts, gaps.
func TestReportsSayTheResultFirst(t *testing.T) {
	order := []string{"efused", "Fix these first", "without an upgrade", "Findings", "Not examined"}
	var terminal, markdown bytes.Buffer
	if err := Terminal(&terminal, refusedDocument(), TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, refusedDocument(), 0); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"terminal": terminal.String(), "markdown": markdown.String()} {
		at := 0
		for _, part := range order {
			i := strings.Index(strings.ToLower(text[at:]), strings.ToLower(part))
			if i < 0 {
				t.Fatalf("%s: %q is not after what comes before it", name, part)
			}
			at += i
		}
		if line, _, _ := strings.Cut(text, "\n"); !strings.Contains(strings.ToLower(line), "refused") {
			t.Errorf("%s begins with %q", name, line)
		}
	}
}

func TestTheSameUpgradeOnTwoPlatformsIsShownOnce(t *testing.T) {
	var b bytes.Buffer
	if err := Terminal(&b, refusedDocument(), TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "openssl 3.0.11"); n != 1 {
		t.Errorf("the upgrade of openssl is there %d times:\n%s", n, b.String())
	}
}

func TestAVerdictAboutSomePlatformsNamesThemAndNotTheIndex(t *testing.T) {
	d := refusedDocument()
	d.Evidence.Subjects = d.Evidence.Subjects[:2]
	d.Evidence.Findings = nil
	v := passedDocument().Verdict
	v.Accepted = []core.Gap{{Examination: core.ExamineTarget, Subject: indexDigest, Status: core.Skipped,
		Why: []string{"linux/arm64/v8 was excluded"}, Rule: "excluded-platforms-ok"}}
	d.Verdict = v
	var b bytes.Buffer
	if err := Terminal(&b, d, TerminalOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	banner, _, _ := strings.Cut(b.String(), "\n")
	if !strings.Contains(banner, "(linux/amd64 only)") || !strings.Contains(banner, amd64Digest.Short()) ||
		strings.Contains(banner, indexDigest.Short()) {
		t.Errorf("the banner is %q", banner)
	}
	if !strings.Contains(b.String(), "linux/arm64/v8 was excluded") {
		t.Errorf("nothing says what was left out:\n%s", b.String())
	}
}

func TestMarkdownIsBoundedAndSaysWhatItLeftOut(t *testing.T) {
	for name, d := range documents() {
		for _, limit := range []int{1024, 2000, 4096, 8 << 10, 65_000} {
			var b bytes.Buffer
			if err := Markdown(&b, d, limit); err != nil {
				t.Fatal(err)
			}
			if b.Len() > limit {
				t.Errorf("%s: %d bytes, the bound is %d", name, b.Len(), limit)
			}
			if !utf8.Valid(b.Bytes()) {
				t.Errorf("%s at %d is not UTF-8", name, limit)
			}
			if open, closed := strings.Count(b.String(), "<details>"), strings.Count(b.String(), "</details>"); open != closed {
				t.Errorf("%s at %d: %d details opened, %d closed", name, limit, open, closed)
			}
		}
	}
	var b bytes.Buffer
	if err := Markdown(&b, refusedDocument(), 6000); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`Shown are \d+ of 119;`).MatchString(b.String()) {
		t.Errorf("it does not say how many warnings it shows:\n%s", b.String())
	}
}

func TestMarkdownShowsForeignTextOnlyAsText(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, hostileDocument(), 0); err != nil {
		t.Fatal(err)
	}
	outsideCode := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(b.String(), "")
	for _, active := range []string{"<img", "[a](", " @all", "\x1b", "\u202e"} {
		if strings.Contains(outsideCode, active) {
			t.Errorf("%q is active in:\n%s", active, outsideCode)
		}
	}
}

func TestEveryFormatHasANameAHelpAndWritesEveryDocument(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Formats() {
		if f.Name == "" || f.Description == "" || seen[f.Name] {
			t.Errorf("format %+v is nameless, undescribed or there twice", f)
		}
		seen[f.Name] = true
		found, err := ParseFormat(strings.ToUpper(f.Name))
		if err != nil || found.Name != f.Name {
			t.Errorf("ParseFormat(%q) = %q, %v", f.Name, found.Name, err)
		}
		for name, d := range documents() {
			var b bytes.Buffer
			if err := f.Write(&b, d); err != nil || b.Len() == 0 {
				t.Errorf("%s of %s: %d bytes, %v", f.Name, name, b.Len(), err)
			}
		}
	}
	if _, err := ParseFormat("sarf"); !core.Usage(err) || !strings.Contains(core.HintOf(err), "json") {
		t.Errorf("an unknown format gives %v with hint %q", err, core.HintOf(err))
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestReportsPassOnTheErrorOfTheWriter(t *testing.T) {
	for _, f := range Formats() {
		if err := f.Write(broken{}, refusedDocument()); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
