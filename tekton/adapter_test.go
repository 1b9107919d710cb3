package tekton_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/tekton"
)

var resultNames = []string{"VERDICT", "JUDGED_DIGEST", "PACKAGES", "FINDINGS", "TEST_OUTPUT", "SCAN_OUTPUT", "IMAGES_PROCESSED", "REPORTS"}

// step is a step's surroundings.
type step struct {
	dir    string
	env    map[string]string
	stdout bytes.Buffer
}

func newStep(t *testing.T) *step {
	t.Helper()
	s := &step{dir: t.TempDir(), env: map[string]string{"CLEANBILL_TARGET": "registry.example/app:1"}}
	for _, name := range resultNames {
		s.env["CLEANBILL_RESULT_"+name] = filepath.Join(s.dir, name)
	}
	return s
}

func (s *step) adapter() *tekton.Adapter {
	return tekton.New(tekton.Options{
		Getenv:   func(name string) string { return s.env[name] },
		Stdout:   &s.stdout,
		Now:      func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 5, time.FixedZone("", 3600)) },
		Document: document,
	})
}

func (s *step) results(t *testing.T) map[string]string {
	t.Helper()
	results := map[string]string{}
	for _, name := range resultNames {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		results[name] = string(data)
	}
	return results
}

func document(r *gate.Result) report.Document {
	return report.NewDocument(report.Tool{}, r.Evidence, &r.Verdict)
}

const digest = core.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")

func judged(d core.Decision) *gate.Result {
	vulnerability := func(s core.Severity, fix core.FixState) core.Finding {
		return core.Finding{Subject: digest, Kind: core.KindVulnerability, Severity: s, Fix: core.Fix{State: fix}, Title: "t", Rule: "CVE-2026-0001"}
	}
	return &gate.Result{
		Evidence: core.Evidence{
			Subjects: []core.Subject{{Name: "app", Kind: core.KindImage, Digest: digest}},
			Findings: []core.Finding{
				vulnerability(core.SeverityCritical, core.FixAvailable), vulnerability(core.SeverityHigh, core.FixNone),
				vulnerability(core.SeverityHigh, core.FixUnknown), vulnerability(core.SeverityUnknown, core.FixAvailable),
				vulnerability(core.SeverityNone, core.FixAvailable), {Subject: digest, Kind: core.KindSecret, Severity: core.SeverityHigh},
			},
		},
		Verdict: core.Verdict{
			Decision: d,
			Refusals: []core.Outcome{{Rule: "critical", Subject: digest, Message: "m"}},
			Warnings: []core.Outcome{{Rule: "rest", Subject: digest, Message: "m"}, {Rule: "rest", Subject: digest, Message: "m"}},
			Counts:   core.Counts{Packages: 4, Findings: 6},
		},
	}
}

func TestVariablesBecomeAPlan(t *testing.T) {
	s := newStep(t)
	for name, value := range map[string]string{
		"CLEANBILL_TARGET": "a\nb", "CLEANBILL_PLATFORMS": "linux/arm64", "CLEANBILL_POLICY": "strict", "CLEANBILL_ADVISORIES": "oci:a",
		"CLEANBILL_OUTPUTS": "spdx=app.spdx.json", "CLEANBILL_LIMITS": "entries=5", "CLEANBILL_REPORTS": "/workspace/reports",
	} {
		s.env[name] = value
	}
	got, err := s.adapter().Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Plan{
		Targets:    []string{"a", "b"},
		Platforms:  []core.Platform{{OS: "linux", Architecture: "arm64"}},
		Policy:     "strict",
		Advisories: "oci:a",
		Limits:     gate.Limits{Entries: 5},
		Source:     ".",
		FetchHint:  "let git-clone fetch all of the history, with its parameter depth: 0",
		Outputs: []gate.Output{
			{Format: "json", Path: "/workspace/reports/cleanbill.json"},
			{Format: "cyclonedx", Path: "/workspace/reports/cleanbill.cdx.json"},
			{Format: "spdx", Path: "app.spdx.json"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestParametersNameTheChange(t *testing.T) {
	s := newStep(t)
	s.env["CLEANBILL_BASE"], s.env["CLEANBILL_BRANCH"], s.env["CLEANBILL_REVISION"] = "abc\n", "main", "def"
	plan, err := s.adapter().Plan(context.Background())
	if want := (core.Change{Base: "abc", Branch: "main", Head: "def"}); err != nil || plan.Change != want {
		t.Errorf("got %+v, %v; want %+v", plan.Change, err, want)
	}
}

func TestAnImageIsNamedInTwoParts(t *testing.T) {
	for name, c := range map[string]struct{ url, digest, want string }{
		"url alone":      {"registry.example/app:1", "", "registry.example/app:1"},
		"both":           {"registry.example/app:1\n", string(digest) + "\n", "registry.example/app:1@" + string(digest)},
		"digest alone":   {"", string(digest), ""},
		"digest twice":   {"registry.example/app@" + string(digest), string(digest), ""},
		"several images": {"registry.example/app\nregistry.example/other", string(digest), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			s.env["CLEANBILL_TARGET"], s.env["CLEANBILL_IMAGE_URL"], s.env["CLEANBILL_IMAGE_DIGEST"] = "oci:more", c.url, c.digest
			plan, err := s.adapter().Plan(context.Background())
			if c.want == "" {
				if !core.Usage(err) {
					t.Errorf("got %v and %v, want a usage failure", plan.Targets, err)
				}
				return
			}
			if diff := cmp.Diff([]string{"oci:more", c.want}, plan.Targets); diff != "" || err != nil {
				t.Errorf("targets (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestWithoutAWorkspaceNoReportIsPlanned(t *testing.T) {
	plan, err := newStep(t).adapter().Plan(context.Background())
	if err != nil || len(plan.Outputs) != 0 {
		t.Errorf("got outputs %v and error %v", plan.Outputs, err)
	}
}

func TestWrongVariablesAreTheUsersMistake(t *testing.T) {
	for name, value := range map[string]string{"CLEANBILL_TARGET": "", "CLEANBILL_PLATFORMS": "amd64", "CLEANBILL_OUTPUTS": "json"} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			s.env[name] = value
			if _, err := s.adapter().Plan(context.Background()); !core.Usage(err) {
				t.Errorf("got %v, want a usage failure", err)
			}
		})
	}
}

func TestPublishWritesExactResults(t *testing.T) {
	for decision, words := range map[core.Decision][3]string{
		core.Passed: {"passed", "SUCCESS", "1"}, core.Refused: {"refused", "FAILURE", "0"}, core.Undecided: {"undecided", "ERROR", "0"},
	} {
		t.Run(words[0], func(t *testing.T) {
			s := newStep(t)
			if err := s.adapter().Publish(context.Background(), judged(decision)); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"VERDICT":       words[0],
				"JUDGED_DIGEST": string(digest),
				"PACKAGES":      "4",
				"FINDINGS":      "6",
				"TEST_OUTPUT": `{"result":"` + words[1] + `","timestamp":"2026-03-01T11:00:00Z","successes":` + words[2] +
					`,"failures":1,"warnings":2}`,
				"SCAN_OUTPUT": `{"vulnerabilities":{"critical":1,"high":0,"medium":0,"low":0,"unknown":1},` +
					`"unpatched_vulnerabilities":{"critical":0,"high":2,"medium":0,"low":0,"unknown":0}}`,
				"IMAGES_PROCESSED": `{"image":{"pullspec":"app","digests":["` + string(digest) + `"]}}`,
				"REPORTS":          "{}",
			}
			if diff := cmp.Diff(want, s.results(t)); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFailureIsNeverAPass(t *testing.T) {
	for exit, want := range map[int]string{1: "refused", 2: "undecided", 3: "undecided"} {
		s := newStep(t)
		if err := s.adapter().Publish(context.Background(), judged(core.Passed)); err != nil {
			t.Fatal(err)
		}
		if err := s.adapter().Failed(context.Background(), exit, errors.New("reason")); err != nil {
			t.Fatal(err)
		}
		results := s.results(t)
		if results["VERDICT"] != want || results["JUDGED_DIGEST"] != "" || !strings.Contains(results["TEST_OUTPUT"], `"result":"ERROR"`) {
			t.Errorf("exit %d: results are %v", exit, results)
		}
	}
}

func TestHostileNamesReachNoResult(t *testing.T) {
	s := newStep(t)
	result := judged(core.Refused)
	for i := range result.Evidence.Findings {
		f := &result.Evidence.Findings[i]
		f.Title, f.Rule = "forged\x1b[2J\n\"", "forged\r"
	}
	result.Verdict.Refusals[0].Message = "forged\n"
	if err := s.adapter().Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
	for name, value := range s.results(t) {
		if strings.Contains(value, "forged") {
			t.Errorf("%s holds text from the target: %q", name, value)
		}
	}
	if strings.ContainsAny(s.stdout.String(), "\x1b\r") {
		t.Errorf("control characters reach the log: %q", s.stdout.String())
	}
}

func TestResultsThatCouldBeMisreadAreRefused(t *testing.T) {
	for name, forged := range map[string]core.Digest{
		"control character": "sha256:aa\n",
		"too long":          core.Digest("sha256:" + strings.Repeat("a", 3000)),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStep(t)
			result := judged(core.Passed)
			result.Evidence.Subjects[0].Digest = forged
			if err := s.adapter().Publish(context.Background(), result); err == nil {
				t.Error("no error")
			}
			if entries, err := os.ReadDir(s.dir); err != nil || len(entries) > 0 {
				t.Errorf("results were written: %v, %v", entries, err)
			}
		})
	}
}

func TestALinkThatAnotherStepMadeIsNotFollowed(t *testing.T) {
	s := newStep(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(s.dir, "VERDICT")); err != nil {
		t.Fatal(err)
	}
	if err := s.adapter().Publish(context.Background(), judged(core.Refused)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(victim); err != nil || string(got) != "untouched" {
		t.Errorf("the file behind the link is %q, %v", got, err)
	}
}

func TestAMissingResultPathIsAnError(t *testing.T) {
	s := newStep(t)
	delete(s.env, "CLEANBILL_RESULT_VERDICT")
	if err := s.adapter().Publish(context.Background(), judged(core.Passed)); err == nil || !strings.Contains(err.Error(), "VERDICT") {
		t.Errorf("got %v, want an error that names the result", err)
	}
}
