package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/internal/signaturetest"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// baselineOf writes a baseline of an image and lets a test change it.
func baselineOf(t *testing.T, target, policy string, changes ...func(*report.Document)) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "baseline.json")
	if _, err := newGate().WriteBaseline(t.Context(), gate.Plan{Targets: []string{target}, Policy: policy}, file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := report.ReadDocument(f, file, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(&d)
	}
	if len(changes) > 0 {
		var b bytes.Buffer
		if err := report.WriteJSON(&b, d); err != nil {
			t.Fatal(err)
		}
		write(t, file, b.String())
	}
	return file
}

// causes counts what is refused, and what is held back, by cause.
func causes(v core.Verdict) (refused, held map[core.Cause]int) {
	refused, held = map[core.Cause]int{}, map[core.Cause]int{}
	for _, o := range v.Refusals {
		refused[o.Cause]++
	}
	for _, o := range v.Warnings {
		if o.Held {
			held[o.Cause]++
		}
	}
	return refused, held
}

func withoutFindings(d *report.Document) { d.Evidence.Findings, d.Verdict = nil, nil }

func TestABaselineTellsWhatAChangeBrings(t *testing.T) {
	vulnerable, clean, lax := layout(t, images.Vulnerable("amd64")), layout(t, images.Clean("amd64")), starterOK(t)
	full := run(t, gate.Plan{Targets: []string{vulnerable}, Policy: lax})
	n := len(full.Verdict.Refusals)
	if n == 0 {
		t.Fatal("nothing is refused")
	}
	anotherPlatform := func(d *report.Document) {
		for i := range d.Evidence.Subjects {
			d.Evidence.Subjects[i].Platform = &core.Platform{OS: "linux", Architecture: "s390x"}
		}
	}
	anotherVersion := func(d *report.Document) {
		withoutFindings(d)
		d.Evidence.Packages = nil
		for i := range d.Evidence.Examinations {
			d.Evidence.Examinations[i].Version = "older"
		}
	}
	byAnotherPolicy := func(d *report.Document) {
		v := d.Verdict
		v.Policy.Digest = core.Digest("sha256:" + strings.Repeat("e", 64))
		for _, o := range v.Refusals {
			o.Action = core.ActionWarn
			v.Warnings = append(v.Warnings, o)
		}
		v.Refusals, v.Upgrades, v.Decision = nil, nil, core.Passed
	}
	for _, tc := range []struct {
		name, baseline string
		full           bool
		cause          core.Cause
		want           core.Decision
	}{
		{"nothing changed", baselineOf(t, vulnerable, lax), false, core.CauseKnown, core.Passed},
		{"everything is new", baselineOf(t, clean, lax), false, core.CauseCode, core.Refused},
		{"only the advisories are newer", baselineOf(t, vulnerable, lax, withoutFindings), false, core.CauseAdvisory, core.Passed},
		{"the policy is another", baselineOf(t, vulnerable, lax, byAnotherPolicy), false, core.CausePolicy, core.Passed},
		{"the inventory is another", baselineOf(t, vulnerable, lax, anotherVersion), false, core.CauseTool, core.Passed},
		{"it is of another platform", baselineOf(t, vulnerable, lax, anotherPlatform), false, core.CauseCode, core.Refused},
		{"it is judged in full", baselineOf(t, vulnerable, lax), true, "", core.Refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, gate.Plan{Targets: []string{vulnerable}, Policy: lax, Baseline: tc.baseline, Full: tc.full})
			refused, held := causes(r.Verdict)
			got := held
			if tc.want == core.Refused {
				got = refused
			}
			if r.Verdict.Decision != tc.want || got[tc.cause] != n {
				t.Errorf("%v, refused %v, held %v; want %v by %d of %q", r.Verdict.Decision, refused, held, tc.want, n, tc.cause)
			}
			if b := r.Verdict.Baseline; (b == nil) != tc.full || b != nil && (b.Digest == "" || b.Source != tc.baseline) {
				t.Errorf("the baseline is %+v", b)
			}
		})
	}
}

func TestABaselineThatCannotBeUsedIsTheUsersMistake(t *testing.T) {
	clean, lax := layout(t, images.Clean("amd64")), starterOK(t)
	bad := func(content string) string {
		file := filepath.Join(t.TempDir(), "b.json")
		write(t, file, content)
		return file
	}
	foreign := func(d *report.Document) {
		d.Evidence.Findings = append(d.Evidence.Findings, core.Finding{Fingerprint: "f", Rule: "x", Kind: core.KindSecret,
			Subject: core.Digest("sha256:" + strings.Repeat("d", 64))})
	}
	for name, tc := range map[string]struct{ policy, baseline, want string }{
		"no such file":                   {lax, "none.json", "baseline write"},
		"no document":                    {lax, bad("{}"), "no \"$schema\""},
		"findings of an unknown subject": {lax, baselineOf(t, clean, lax, foreign), "no subject has this digest"},
		"another than the policy names":  {policyWith(t, "baseline: {source: b.json}\n", nil), baselineOf(t, clean, lax), "b.json only"},
		"a registry without a signer":    {lax, "oci://registry.example/app", "names nobody whose evidence counts"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{clean}, Policy: tc.policy, Baseline: tc.baseline})
			if err == nil || r != nil || !core.Usage(err) || !strings.Contains(err.Error()+core.HintOf(err), tc.want) {
				t.Errorf("got %v (%s), want one of the user's that says %q", err, core.HintOf(err), tc.want)
			}
		})
	}
}

// A file of the name that the policy gives its baseline is another one, unless it lies beside the policy or in its bundle.
func TestABaselineOfTheSameNameIsNotThePolicys(t *testing.T) {
	host, _ := policyRegistry(t)
	vulnerable := layout(t, images.Vulnerable("amd64"))
	forged, err := os.ReadFile(baselineOf(t, vulnerable, starterOK(t)))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(baselineOf(t, layout(t, images.Clean("amd64")), starterOK(t)))
	if err != nil {
		t.Fatal(err)
	}
	org := tree(t, map[string]string{"org.yaml": "version: 1\nname: acme\nstarter-ok: true\nbaseline: {source: b.json}\n", "b.json": string(own)})
	bundle := pushPolicy(t, filepath.Join(org, "org.yaml"), "oci://"+host+"/acme/policy")
	project := tree(t, map[string]string{"b.json": string(forged), "p.yaml": "version: 1\nextends: " + bundle + "\n",
		"sub/p.yaml": "version: 1\nstarter-ok: true\nbaseline: {source: b.json}\n", "sub/b.json": string(own)})
	t.Chdir(project)
	for _, tc := range []struct {
		policy, baseline string
		exit             int
	}{{"p.yaml", "b.json", 2}, {"sub/p.yaml", "b.json", 2}, {bundle, "b.json", 2}, {"sub/p.yaml", "sub/b.json", 1},
		{"sub/p.yaml", filepath.Join(project, "sub", "b.json"), 1}, {"p.yaml", bundle + "//b.json", 1}} {
		r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{vulnerable}, Policy: tc.policy, Baseline: tc.baseline})
		if got := gate.ExitCode(r, err); got != tc.exit {
			t.Errorf("%s with %s: exit code %d (%v), want %d", tc.policy, tc.baseline, got, err, tc.exit)
		}
	}
}

func TestEvidenceInARegistryIsABaselineOnlyWithItsSigner(t *testing.T) {
	mine, somebody := signaturetest.NewKey(t), signaturetest.NewKey(t)
	for _, tc := range []struct {
		name      string
		signer    signaturetest.Key
		predicate string
		about     func(core.Digest) core.Digest
		evidence  func(*report.Document)
		counts    bool
	}{
		{"signed", mine, report.PredicateType, nil, nil, true},
		{"signed by somebody else", somebody, report.PredicateType, nil, nil, false},
		{"signed as something else", mine, "https://spdx.dev/Document", nil, nil, false},
		{"signed about something else", mine, report.PredicateType,
			func(core.Digest) core.Digest { return core.Digest("sha256:" + strings.Repeat("c", 64)) }, nil, false},
		{"evidence about something else", mine, report.PredicateType, nil, func(d *report.Document) {
			*d = report.NewDocument(d.Tool, core.Evidence{Subjects: []core.Subject{{Name: "x", Kind: core.KindImage,
				Digest: core.Digest("sha256:" + strings.Repeat("c", 64))}}}, nil)
		}, false},
		{"not signed at all", signaturetest.Key{}, "", nil, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ref, digest := published(t)
			policy := policyWith(t, "baseline: {signed-by: [{key: cosign.pub}]}\n", map[string][]byte{"cosign.pub": mine.PEM(t)})
			if tc.predicate != "" {
				attest(t, ref, tc.signer.Bundle(t, statementOf(t, ref.String(), policy, digest, tc.predicate, tc.about, tc.evidence)))
			}
			r, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{ref.String()}, Policy: policy, Baseline: "oci://" + ref.String()})
			if !tc.counts {
				if err == nil || r != nil || core.Usage(err) || gate.ExitCode(r, err) != core.ExitUndecided {
					t.Errorf("got %v, want an error that leaves it undecided", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict.Decision != core.Passed || !strings.Contains(r.Verdict.Baseline.Source, "cosign.pub, verified") || r.Verdict.Baseline.New != 0 {
				t.Errorf("%v, %+v", r.Verdict.Decision, r.Verdict.Baseline)
			}
		})
	}
}

func statementOf(t *testing.T, target, policy string, digest core.Digest, predicateType string, about func(core.Digest) core.Digest,
	change func(*report.Document)) []byte {
	t.Helper()
	var changes []func(*report.Document)
	if change != nil {
		changes = append(changes, change)
	}
	raw, err := os.ReadFile(baselineOf(t, target, policy, changes...))
	if err != nil {
		t.Fatal(err)
	}
	if about != nil {
		digest = about(digest)
	}
	return signaturetest.Statement(t, digest, predicateType, json.RawMessage(raw))
}

func TestPoliciesNameFilesOfWaivers(t *testing.T) {
	image := layout(t, images.Vulnerable("amd64"))
	waivers := "version: 1\nwaivers:\n  - {id: all, reason: r, owner: o, expires: 2026-01-01, match: {packages: ['**']}}\n"
	r := run(t, gate.Plan{Targets: []string{image}, Policy: policyWith(t, "waiver-files: [w.yaml]\n", map[string][]byte{"w.yaml": []byte(waivers)})})
	if r.Verdict.Decision != core.Passed || len(r.Verdict.Waivers) != 1 || r.Verdict.Waivers[0].Excused == 0 ||
		len(r.Evidence.Findings) != r.Verdict.Counts.Findings || r.Verdict.Counts.Findings == 0 {
		t.Errorf("%v, %+v, %+v", r.Verdict.Decision, r.Verdict.Waivers, r.Verdict.Counts)
	}
	_, err := newGate().Run(t.Context(), gate.Plan{Targets: []string{image}, Policy: policyWith(t, "waiver-files: [none.yaml]\n", nil)})
	if err == nil || !core.Usage(err) || !strings.Contains(fmt.Sprint(err), "the waivers cannot be read") {
		t.Errorf("got %v", err)
	}
}
