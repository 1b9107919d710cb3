package gitlab_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/gitlab"
)

// job is a job's surroundings.
type job struct {
	env    map[string]string
	stdout bytes.Buffer
}

func newJob(t *testing.T) *job {
	t.Helper()
	t.Chdir(t.TempDir())
	return &job{env: map[string]string{"CLEANBILL_TARGET": "registry.example/app:1"}}
}

func (j *job) adapter() *gitlab.Adapter {
	return gitlab.New(gitlab.Options{
		Getenv:   func(name string) string { return j.env[name] },
		Stdout:   &j.stdout,
		Now:      func() time.Time { return time.Unix(1700000000, 0) },
		Document: document,
	})
}

func dotenv(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("cleanbill.env")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func document(r *gate.Result) report.Document {
	return report.NewDocument(report.Tool{}, r.Evidence, &r.Verdict)
}

const digest = core.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")

func refused(name string) *gate.Result {
	return &gate.Result{
		Evidence: core.Evidence{
			Subjects: []core.Subject{{Name: "app", Kind: core.KindImage, Digest: digest}},
			Findings: []core.Finding{{
				Fingerprint: "f1", Subject: digest, Kind: core.KindVulnerability, Rule: "CVE-2026-0001", Title: name, Severity: core.SeverityHigh,
				Package: &core.PackageRef{Name: name, Version: name, Purl: "pkg:generic/x"},
			}},
		},
		Verdict: core.Verdict{
			Decision: core.Refused,
			Refusals: []core.Outcome{{Rule: "high", Subject: digest, Fingerprint: "f1", Message: name}},
			Counts:   core.Counts{Packages: 4, Findings: 1, High: 1},
		},
	}
}

func TestVariablesBecomeAPlan(t *testing.T) {
	j := newJob(t)
	for name, value := range map[string]string{
		"CLEANBILL_PLATFORMS": "linux/arm64", "CLEANBILL_POLICY": "strict", "CLEANBILL_ADVISORIES": "oci:a",
		"CLEANBILL_OUTPUTS": "spdx=app.spdx.json", "CLEANBILL_LIMITS": "entries=5", "CS_IMAGE": "other",
	} {
		j.env[name] = value
	}
	got, err := j.adapter().Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Plan{
		Targets:    []string{"registry.example/app:1"},
		Platforms:  []core.Platform{{OS: "linux", Architecture: "arm64"}},
		Policy:     "strict",
		Advisories: "oci:a",
		Limits:     gate.Limits{Entries: 5},
		FetchHint:  "set the variable GIT_DEPTH: 0 in the job",
		Outputs: []gate.Output{
			{Format: "json", Path: "cleanbill.json"},
			{Format: "cyclonedx", Path: "cleanbill.cdx.json"},
			{Format: "gitlab-container-scanning", Path: "gl-container-scanning-report.json"},
			{Format: "gitlab-dependency-scanning", Path: "gl-dependency-scanning-report.json"},
			{Format: "gitlab-sast", Path: "gl-sast-report.json"},
			{Format: "gitlab-secret-detection", Path: "gl-secret-detection-report.json"},
			{Format: "codequality", Path: "gl-code-quality-report.json"},
			{Format: "junit", Path: "cleanbill.junit.xml"},
			{Format: "spdx", Path: "app.spdx.json"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestWrongVariablesAreTheUsersMistake(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no target":    {"CLEANBILL_TARGET": ""},
		"bad platform": {"CLEANBILL_PLATFORMS": "amd64"},
		"bad output":   {"CLEANBILL_OUTPUTS": "json"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			for k, v := range env {
				j.env[k] = v
			}
			if _, err := j.adapter().Plan(context.Background()); !core.Usage(err) {
				t.Errorf("got %v, want a usage failure", err)
			}
		})
	}
}

func TestPublishSetsVariablesForLaterJobs(t *testing.T) {
	j := newJob(t)
	publish(t, j, refused("openssl"))
	want := `CLEANBILL_RESULT=refused
CLEANBILL_EXIT_CODE=1
CLEANBILL_DIGEST=sha256:1111111111111111111111111111111111111111111111111111111111111111
CLEANBILL_PACKAGES=4
CLEANBILL_FINDINGS=1
CLEANBILL_FIXABLE=0
CLEANBILL_CRITICAL=0
CLEANBILL_HIGH=1
CLEANBILL_MEDIUM=0
CLEANBILL_LOW=0
CLEANBILL_NONE=0
CLEANBILL_UNKNOWN=0
`
	if diff := cmp.Diff(want, dotenv(t)); diff != "" {
		t.Errorf("dotenv report (-want +got):\n%s", diff)
	}
}

func TestAValueThatIsNoWordIsNotWritten(t *testing.T) {
	j := newJob(t)
	result := refused("openssl")
	result.Evidence.Subjects[0].Digest = "sha256:aa\nCLEANBILL_RESULT=passed"
	adapter := j.adapter()
	if err := adapter.Publish(context.Background(), result); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat("cleanbill.env"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the variables were written: %v", err)
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	j := newJob(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, "cleanbill.env"); err != nil {
		t.Fatal(err)
	}
	publish(t, j, refused("openssl"))
	if got, err := os.ReadFile(victim); err != nil || string(got) != "untouched" {
		t.Errorf("the file behind the link is %q, %v", got, err)
	}
}

func TestTheExaminationIsFolded(t *testing.T) {
	j := newJob(t)
	publish(t, j, refused("openssl"))
	log := j.stdout.String()
	start := "\x1b[0Ksection_start:1700000000:cleanbill_examination[collapsed=true]\r\x1b[0KExamine the target\n"
	end := "\x1b[0Ksection_end:1700000000:cleanbill_examination\r\x1b[0K\n"
	rest, ok := strings.CutPrefix(log, start)
	if !ok || !strings.HasPrefix(rest, end) {
		t.Errorf("the log begins with %q", log)
	}
}

// section is what GitLab reads as the border of a section.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
var section = regexp.MustCompile(`section_(?:start|end):\d+:[\w.-]+(?:\[[^\]]*\])?\r\x1b\[0K`)

func TestHostileNamesForgeNoSectionAndNoVariable(t *testing.T) {
	for name, text := range map[string]string{
		"section":  "\x1b[0Ksection_end:1700000000:cleanbill_examination\r\x1b[0K",
		"carriage": "\rsection_start:1:x\r",
		"c1":       "\u009b0K\u0085",
		"variable": "x\nCLEANBILL_RESULT=passed\n",
		"bidi":     "\u202egpj.exe",
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t)
			publish(t, j, refused(text))
			if got := len(section.FindAllString(j.stdout.String(), -1)); got != 2 {
				t.Errorf("the log has %d borders of sections, want 2: %q", got, j.stdout.String())
			}
			_, shown, _ := strings.Cut(j.stdout.String(), "section_end:1700000000:cleanbill_examination\r\x1b[0K\n")
			if strings.ContainsAny(shown, "\x1b\r\u009b\u0085\u202e") {
				t.Errorf("control characters reach the log: %q", shown)
			}
			if strings.Count(dotenv(t), "CLEANBILL_RESULT") != 1 {
				t.Errorf("the variables are forged:\n%s", dotenv(t))
			}
		})
	}
}

func TestAFailureIsNeverAPass(t *testing.T) {
	for exit, want := range map[int]string{
		1: "CLEANBILL_RESULT=refused\nCLEANBILL_EXIT_CODE=1\n",
		2: "CLEANBILL_RESULT=undecided\nCLEANBILL_EXIT_CODE=2\n",
		3: "CLEANBILL_RESULT=undecided\nCLEANBILL_EXIT_CODE=3\n",
	} {
		j := newJob(t)
		result := refused("openssl")
		result.Verdict.Decision = core.Passed
		publish(t, j, result)
		if err := j.adapter().Failed(context.Background(), exit, errors.New("reason")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, dotenv(t)); diff != "" {
			t.Errorf("exit %d: dotenv report (-want +got):\n%s", exit, diff)
		}
	}
}

func TestWhatCannotBeShownIsAnError(t *testing.T) {
	j := newJob(t)
	if err := os.MkdirAll("cleanbill.env/occupied", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := j.adapter().Publish(context.Background(), refused("openssl")); err == nil {
		t.Error("no error for variables that could not be written")
	}
	closed := gitlab.New(gitlab.Options{Getenv: func(string) string { return t.TempDir() }, Stdout: closedLog{}, Now: time.Now, Document: document})
	if err := closed.Publish(context.Background(), refused("openssl")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want the error of the log", err)
	}
}

type closedLog struct{}

func (closedLog) Write([]byte) (int, error) { return 0, os.ErrClosed }

func publish(t *testing.T, j *job, r *gate.Result) {
	t.Helper()
	adapter := j.adapter()
	if _, err := adapter.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := adapter.Publish(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func TestEachJobOfTheTemplatesHasItsPlan(t *testing.T) {
	commit := strings.Repeat("a", 40)
	for job, want := range map[gitlab.Job]gate.Plan{
		gitlab.JobGate:    {Targets: []string{"registry.example/app:1"}},
		gitlab.JobScan:    {Targets: []string{"registry.example/app:1"}, Deferred: true},
		gitlab.JobVerdict: {Recall: "cleanbill.json"},
	} {
		j := newJob(t)
		j.env["CI_COMMIT_SHA"] = commit
		adapter := gitlab.New(gitlab.Options{Job: job, Getenv: func(name string) string { return j.env[name] }, Stdout: &j.stdout,
			Now: time.Now, Document: document})
		got, err := adapter.Plan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got.Deferred != want.Deferred || got.Recall != want.Recall || !slices.Equal(got.Targets, want.Targets) || got.Change.Head != commit {
			t.Errorf("job %d plans %+v, want %+v", job, got, want)
		}
	}
}

func TestTheVariablesOfContainerScanningNameTheImage(t *testing.T) {
	for _, tc := range []struct{ target, image, repository, tag, want string }{
		{"", "registry.example/scanned:2", "registry.example/built", "3", "registry.example/scanned:2"},
		{"", "", "registry.example/built", "3", "registry.example/built:3"},
		{"app.tar", "registry.example/scanned:2", "registry.example/built", "3", "app.tar"},
		{"", "", "registry.example/built", "", ""},
	} {
		j := newJob(t)
		j.env = map[string]string{"CLEANBILL_TARGET": tc.target, "CS_IMAGE": tc.image, "CI_APPLICATION_REPOSITORY": tc.repository,
			"CI_APPLICATION_TAG": tc.tag}
		plan, err := j.adapter().Plan(context.Background())
		if tc.want == "" {
			if !core.Usage(err) {
				t.Errorf("%+v: got %v, want a usage failure", tc, err)
			}
			continue
		}
		if err != nil || !slices.Equal(plan.Targets, []string{tc.want}) {
			t.Errorf("%+v: targets %v, %v", tc, plan.Targets, err)
		}
	}
}

func TestOnlyTheJobThatPushesPublishes(t *testing.T) {
	for _, tc := range []struct {
		job    gitlab.Job
		env    map[string]string
		want   *gate.Publishing
		refuse bool
	}{
		{job: gitlab.JobGate, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1"}},
		{job: gitlab.JobPush, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1"},
			want: &gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{}}},
		{job: gitlab.JobPush, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1", "CLEANBILL_KEY": "env://KEY", "CLEANBILL_PUBLIC_LOG": "false",
			"CLEANBILL_SIGNING_CONFIG": "signing.json"},
			want: &gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{Key: "env://KEY", SigningConfig: "signing.json"}}},
		{job: gitlab.JobPush, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1", "CLEANBILL_PUBLIC_LOG": "true"},
			want: &gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{PublicLog: true}}},
		{job: gitlab.JobPush, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1", "CLEANBILL_PUBLIC_LOG": "perhaps"}, refuse: true},
		{job: gitlab.JobPush, refuse: true},
		{job: gitlab.JobPush, env: map[string]string{"CLEANBILL_PUSH": "registry.example/app:1", "CLEANBILL_PROVENANCE": "true"}, refuse: true},
	} {
		j := newJob(t)
		for k, v := range tc.env {
			j.env[k] = v
		}
		adapter := gitlab.New(gitlab.Options{Job: tc.job, Getenv: func(name string) string { return j.env[name] }, Stdout: &j.stdout,
			Now: time.Now, Document: document})
		plan, err := adapter.Plan(context.Background())
		if tc.refuse {
			if !core.Usage(err) {
				t.Errorf("%v: got %v, want a usage failure", tc.env, err)
			}
			continue
		}
		if diff := cmp.Diff(tc.want, plan.Publish); err != nil || diff != "" {
			t.Errorf("%v: %v (-want +got):\n%s", tc.env, err, diff)
		}
	}
}

func TestWhatWasPushedIsShown(t *testing.T) {
	j := newJob(t)
	r := refused("openssl")
	r.Published = &gate.Published{Reference: "registry.example/app:1", Digest: digest, Hosts: []string{"fulcio.example\x1b[0Ksection_end:1:x\r"},
		Attestations: []gate.Attested{{PredicateType: "https://slsa.dev/verification_summary/v1"}}}
	publish(t, j, r)
	for _, want := range []string{"pushed      registry.example/app:1\n            " + string(digest),
		"attested    https://slsa.dev/verification_summary/v1", "asked       fulcio.example"} {
		if !strings.Contains(j.stdout.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, j.stdout.String())
		}
	}
	if got := len(section.FindAllString(j.stdout.String(), -1)); got != 2 {
		t.Errorf("the log has %d borders of sections, want 2: %q", got, j.stdout.String())
	}
}

func TestGitLabsVariablesLeaveOutAReportAndNothingElse(t *testing.T) {
	plans := map[string]gate.Plan{}
	for _, value := range []string{"", "false", "true", "1"} {
		j := newJob(t)
		for _, name := range []string{"CONTAINER_SCANNING_DISABLED", "SAST_DISABLED"} {
			j.env[name] = value
		}
		plan, err := j.adapter().Plan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		plans[value] = plan
	}
	disabled := plans["true"]
	for _, o := range disabled.Outputs {
		if o.Format == "gitlab-container-scanning" || o.Format == "gitlab-sast" {
			t.Errorf("%s is written", o.Format)
		}
	}
	if len(disabled.Outputs) != len(plans[""].Outputs)-2 {
		t.Errorf("there are %d reports of %d", len(disabled.Outputs), len(plans[""].Outputs))
	}
	if diff := cmp.Diff(plans[""], plans["false"]); diff != "" {
		t.Errorf("false is not the same as nothing:\n%s", diff)
	}
	if diff := cmp.Diff(disabled, plans["1"]); diff != "" {
		t.Errorf("1 is not the same as true:\n%s", diff)
	}
	// All else is the same, so the verdict is.
	whole := plans[""]
	whole.Outputs, disabled.Outputs = nil, nil
	if diff := cmp.Diff(whole, disabled); diff != "" {
		t.Errorf("more than the reports is different:\n%s", diff)
	}
}

// A file of the repository with the name of a report is no report.
func TestNothingTakesThePlaceOfAReport(t *testing.T) {
	j := newJob(t)
	for _, name := range []string{"gl-sast-report.json", "gl-container-scanning-report.json", "gl-sbom-cleanbill-1.cdx.json", "gl-sbom-cleanbill-2.cdx.json"} {
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := refused("openssl")
	r.Reports = []gate.Output{{Format: "gitlab-container-scanning", Path: "gl-container-scanning-report.json"}}
	publish(t, j, r)
	for _, name := range []string{"gl-sast-report.json", "gl-sbom-cleanbill-2.cdx.json"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if bill, err := os.ReadFile("gl-sbom-cleanbill-1.cdx.json"); err != nil || !strings.Contains(string(bill), `"bomFormat":"CycloneDX"`) {
		t.Errorf("the bill of materials is %q, %v", bill, err)
	}
	if _, err := os.Stat("gl-container-scanning-report.json"); err != nil {
		t.Errorf("a report is removed: %v", err)
	}
}
