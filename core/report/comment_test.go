package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// changeDocument is about a change: one finding is new by it and refused, one by newer advisories, and one was there.
func changeDocument() Document {
	d := refusedDocument()
	ours := vulnerability(amd64Digest, "CVE-2026-0001", "openssl", "3.0.1", "3.0.2", core.SeverityHigh)
	same := ours
	same.Subject = arm64Digest
	theirs := vulnerability(amd64Digest, "CVE-2026-0002", "zlib", "1.2", "1.3", core.SeverityCritical)
	known := vulnerability(amd64Digest, "CVE-2026-0003", "curl", "8.0", "", core.SeverityCritical)
	warned := vulnerability(amd64Digest, "CVE-2026-0004", "bash", "5.0", "", core.SeverityLow)
	d.Evidence.Findings = []core.Finding{ours, same, theirs, known, warned}
	by := func(f core.Finding, c core.Cause) core.Outcome {
		o := outcome("rule", core.ActionFail, f)
		o.Cause = c
		return o
	}
	d.Verdict.Refusals = []core.Outcome{by(theirs, core.CauseAdvisory), by(ours, core.CauseCode), by(same, core.CauseCode)}
	d.Verdict.Warnings = []core.Outcome{by(known, core.CauseKnown), by(warned, core.CauseCode)}
	return d
}

func TestACommentTellsWhatTheChangeBringsAndNothingElse(t *testing.T) {
	var b bytes.Buffer
	if shown, err := Comment(&b, changeDocument(), 0); err != nil || !shown {
		t.Fatalf("shown: %t, %v", shown, err)
	}
	want := "## ❌ This change brings 2 findings, of which 1 is refused\n" +
		"\n| Severity | What | Fix | Where |\n| --- | --- | --- | --- |\n" +
		"| ❌ **high** | CVE-2026-0001: flaw in openssl | `3.0.2` | linux/amd64, linux/arm64/v8 |\n" +
		"| low | CVE-2026-0004: flaw in bash |  | linux/amd64 |\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestACommentIsSilentWhereNothingIsNew(t *testing.T) {
	d := changeDocument()
	for _, outcomes := range [][]core.Outcome{d.Verdict.Refusals, d.Verdict.Warnings} {
		for i := range outcomes {
			outcomes[i].Cause = core.CauseKnown
		}
	}
	unjudged := changeDocument()
	unjudged.Verdict = nil
	for name, d := range map[string]Document{"known": d, "not judged": unjudged} {
		var b bytes.Buffer
		if shown, err := Comment(&b, d, 0); err != nil || shown || b.Len() > 0 {
			t.Errorf("%s: shown: %t, %v\n%s", name, shown, err, b.String())
		}
	}
}

// What a change wants not to count has to be seen, although it is no flaw.
func TestACommentNamesWhatTheChangeAsksFor(t *testing.T) {
	d := changeDocument()
	d.Verdict.Refusals, d.Verdict.Warnings = nil, nil
	d.Evidence.Findings = append(d.Evidence.Findings, core.Finding{Fingerprint: "s", Subject: amd64Digest, Kind: core.KindSuppression,
		Rule: "suppression-added", Title: "ignores CVE-2026-0001", Severity: core.SeverityLow})
	var b bytes.Buffer
	if shown, err := Comment(&b, d, 0); err != nil || !shown || !strings.Contains(b.String(), "ignores CVE-2026-0001") {
		t.Errorf("shown: %t, %v\n%s", shown, err, b.String())
	}
}

// Names in an image are written by strangers: none is a command to the platform, a mention or markup.
func TestACommentCommandsNobody(t *testing.T) {
	for _, evil := range []string{"/approve", "\n/merge\n", "\r/close", "x\u2028/approve", "| /approve", "<br>/approve", "`\n/approve\n`",
		"--> <!-- cleanbill:other -->", "@all", "<img src=x onerror=1>", "[a](http://e)", "\u202egpj"} {
		d := changeDocument()
		for i := range d.Evidence.Findings {
			d.Evidence.Findings[i].Fix.Version = evil
		}
		d.Evidence.Findings = append(d.Evidence.Findings, core.Finding{Fingerprint: "s", Subject: amd64Digest, Kind: core.KindSuppression,
			Rule: "suppression-added", Title: evil, Severity: core.SeverityLow})
		for i := range d.Evidence.Subjects {
			d.Evidence.Subjects[i].Name = evil
		}
		for i := range d.Verdict.Refusals {
			d.Verdict.Refusals[i].Message = evil
		}
		var b bytes.Buffer
		if _, err := Comment(&b, d, 0); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if !regexp.MustCompile(`^(\n|## |### |\| .* \|\n)`).MatchString(line) {
				t.Errorf("%q begins a line of its own: %q", evil, line)
			}
		}
		outsideCode := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(b.String(), "")
		for _, active := range []string{"<img", "[a](", "@all", "<!--", "-->", "\u202e", "<br>/"} {
			if strings.Contains(outsideCode, active) {
				t.Errorf("%q is active in:\n%s", active, outsideCode)
			}
		}
	}
}

func TestACommentIsBounded(t *testing.T) {
	d := changeDocument()
	for i := range 3000 {
		f := vulnerability(amd64Digest, "CVE-2025-"+strings.Repeat("9", 100)+string(rune('a'+i%26))+strings.Repeat("8", i%90), "p", "1", "2", core.SeverityLow)
		o := outcome("rule", core.ActionWarn, f)
		o.Cause = core.CauseCode
		d.Evidence.Findings = append(d.Evidence.Findings, f)
		d.Verdict.Warnings = append(d.Verdict.Warnings, o)
	}
	var b bytes.Buffer
	if _, err := Comment(&b, d, 0); err != nil || b.Len() > CommentLimit || !regexp.MustCompile(`Shown are \d+ of \d+`).MatchString(b.String()) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}
