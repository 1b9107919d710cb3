package actions_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/actions"
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// runner is a step's surroundings, as the runner prepares them.
type runner struct {
	env    map[string]string
	stdout bytes.Buffer
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	dir := t.TempDir()
	r := &runner{env: map[string]string{
		"RUNNER_TEMP":         filepath.Join(dir, "temp"),
		"GITHUB_WORKSPACE":    filepath.Join(dir, "workspace"),
		"GITHUB_OUTPUT":       filepath.Join(dir, "output"),
		"GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
		"INPUT_TARGET":        "registry.example/app:1",
	}}
	for _, name := range []string{"RUNNER_TEMP", "GITHUB_WORKSPACE"} {
		if err := os.Mkdir(r.env[name], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if err := os.WriteFile(r.env[name], nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *runner) getenv(name string) string { return r.env[name] }

func (r *runner) adapter() *actions.Adapter {
	return actions.New(actions.Options{Getenv: r.getenv, Stdout: &r.stdout, Document: document})
}

func document(r *gate.Result) report.Document {
	return report.NewDocument(report.Tool{}, r.Evidence, &r.Verdict)
}

// outputs reads GITHUB_OUTPUT as the runner does.
func (r *runner) outputs(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(r.env["GITHUB_OUTPUT"])
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{}
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines)-1; i++ {
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("line %d of the outputs, %q, begins no value", i+1, lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		outputs[name] = strings.Join(value, "\n")
	}
	return outputs
}

// command is one workflow command, as the runner understands it.
type command struct {
	name, message string
	properties    map[string]string
}

// commands reads a log as the runner does: it obeys nothing between stop-commands and the token.
//
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func commands(t *testing.T, log string) []command {
	t.Helper()
	var obeyed []command
	token := ""
	for line := range strings.Lines(log) {
		c, ok := parseCommand(strings.TrimRight(line, "\r\n"))
		switch {
		case token != "":
			if ok && c.name == token {
				token = ""
			}
		case ok && c.name == "stop-commands":
			token = c.message
		case ok:
			obeyed = append(obeyed, c)
		}
	}
	return obeyed
}

func parseCommand(line string) (command, bool) {
	if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "::"); ok {
		head, message, ok := strings.Cut(rest, "::")
		if !ok {
			return command{}, false
		}
		name, properties, _ := strings.Cut(head, " ")
		c := command{name: name, message: unescape(message), properties: map[string]string{}}
		for _, p := range strings.Split(properties, ",") {
			if key, value, ok := strings.Cut(p, "="); ok {
				c.properties[key] = unescape(value)
			}
		}
		return c, true
	}
	// The older form is obeyed anywhere in a line.
	if _, rest, ok := strings.Cut(line, "##["); ok {
		if head, message, ok := strings.Cut(rest, "]"); ok {
			name, _, _ := strings.Cut(head, " ")
			return command{name: name, message: message}, true
		}
	}
	return command{}, false
}

func unescape(s string) string {
	return strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(s)
}

func ofName(all []command, name string) []command {
	var some []command
	for _, c := range all {
		if c.name == name {
			some = append(some, c)
		}
	}
	return some
}

// refused is a result with something of everything.
func refused() *gate.Result {
	const image, source = core.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111"),
		core.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
	score := 9.8
	openssl := core.Finding{
		Fingerprint: "f1", Subject: image, Kind: core.KindVulnerability, Rule: "CVE-2026-0001", Title: "Overflow in openssl",
		Severity: core.SeverityCritical, Score: &score, Exploited: &core.Exploited{Since: "2026-01-01"},
		Package: &core.PackageRef{Name: "openssl", Version: "3.0.1", Purl: "pkg:deb/debian/openssl@3.0.1"},
		Fix:     core.Fix{State: core.FixAvailable, Versions: []string{"3.0.2"}, Version: "3.0.2"},
	}
	secret := core.Finding{
		Fingerprint: "f2", Subject: source, Kind: core.KindSecret, Rule: "aws-access-key", Title: "AWS access key",
		Severity: core.SeverityHigh, Locations: []core.Location{{Path: "deploy/key.sh", Line: 7, EndLine: 8, Column: 3}},
	}
	old := core.Finding{
		Fingerprint: "f3", Subject: image, Kind: core.KindVulnerability, Rule: "CVE-2026-0002", Title: "Something small",
		Severity: core.SeverityLow, Package: &core.PackageRef{Name: "zlib", Version: "1.2", Purl: "pkg:deb/debian/zlib@1.2"},
	}
	return &gate.Result{
		Evidence: core.Evidence{
			Subjects: []core.Subject{
				{Name: "registry.example/app:1", Kind: core.KindImage, Digest: image, Platform: &core.Platform{OS: "linux", Architecture: "amd64"}},
				{Name: "services/app", Kind: core.KindSource, Digest: source},
			},
			Findings: []core.Finding{openssl, secret, old},
		},
		Verdict: core.Verdict{
			Decision: core.Refused,
			Refusals: []core.Outcome{
				{Rule: "exploited-with-fix", Action: core.ActionFail, Subject: image, Fingerprint: "f1", Message: "CVE-2026-0001 is exploited"},
				{Rule: "secret", Action: core.ActionFail, Subject: source, Fingerprint: "f2", Message: "an AWS access key is in the sources"},
			},
			Warnings: []core.Outcome{{Rule: "everything-else", Action: core.ActionWarn, Subject: image, Fingerprint: "f3", Message: "CVE-2026-0002 in zlib"}},
			Gaps:     []core.Gap{{Examination: core.ExamineAdvisories, Status: core.Partial, Why: []string{"only the starter set"}, Remedy: "cleanbill advisories build", Rule: "require"}},
			Counts:   core.Counts{Packages: 2, Findings: 3, Critical: 1, High: 1, Low: 1, Fixable: 1},
			Upgrades: []core.Upgrade{{Subject: image, Package: "openssl", From: "3.0.1", To: "3.0.2", Fixes: []string{"f1"}, Severity: core.SeverityCritical, Command: "apt-get install --only-upgrade openssl"}},
		},
		Reports: []gate.Output{{Format: "json", Path: "/temp/verdict.json"}, {Format: "sarif", Path: "/temp/findings.sarif"},
			{Format: "cyclonedx", Path: "/temp/sbom.cdx.json"}, {Format: "html", Path: "/temp/report.html"}, {Format: "cyclonedx", Path: "sbom.json"}},
	}
}

func TestInputsBecomeAPlan(t *testing.T) {
	r := newRunner(t)
	for name, value := range map[string]string{
		"INPUT_TARGET": "a.tar\noci:b\n", "INPUT_PLATFORMS": "linux/amd64,linux/arm64", "INPUT_POLICY": "strict",
		"INPUT_ADVISORIES": "oci:advisories", "INPUT_OUTPUTS": "cyclonedx=sbom.json", "INPUT_LIMITS": "entries=5",
	} {
		r.env[name] = value
	}
	plan, err := r.adapter().Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	document := plan.Outputs[0]
	if filepath.Dir(filepath.Dir(document.Path)) != r.env["RUNNER_TEMP"] || document.Format != "json" {
		t.Errorf("the document is planned as %+v, want a new directory in RUNNER_TEMP", document)
	}
	var always []string
	for _, o := range plan.Outputs[:len(plan.Outputs)-1] {
		always = append(always, o.Format)
	}
	if diff := cmp.Diff([]string{"json", "sarif", "cyclonedx", "html"}, always); diff != "" {
		t.Errorf("reports that are always written (-want +got):\n%s", diff)
	}
	plan.Outputs = plan.Outputs[len(always):]
	want := gate.Plan{
		Targets:    []string{"a.tar", "oci:b"},
		Platforms:  []core.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}},
		Policy:     "strict",
		Advisories: "oci:advisories",
		Outputs:    []gate.Output{{Format: "cyclonedx", Path: "sbom.json"}},
		Limits:     gate.Limits{Entries: 5},
		Source:     r.env["GITHUB_WORKSPACE"],
		FetchHint:  "check out with actions/checkout and fetch-depth: 0",
	}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestWrongInputsAreTheUsersMistake(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no target":     {"INPUT_TARGET": ""},
		"bad platform":  {"INPUT_PLATFORMS": "amd64"},
		"bad output":    {"INPUT_OUTPUTS": "json"},
		"not on GitHub": {"RUNNER_TEMP": ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			for k, v := range env {
				r.env[k] = v
			}
			if _, err := r.adapter().Plan(context.Background()); !core.Usage(err) {
				t.Errorf("got %v, want a usage failure", err)
			}
		})
	}
}

func TestPublishSetsEveryOutputThatTheActionDeclares(t *testing.T) {
	r := newRunner(t)
	publish(t, r, refused())
	want := map[string]string{
		"result": "refused", "exit-code": "1", "digest": "", "packages": "2", "findings": "3", "fixable": "1",
		"critical": "1", "high": "1", "medium": "0", "low": "1", "none": "0", "unknown": "0",
		"new": "", "reference": "", "attestations": "",
		"report": "/temp/verdict.json", "sarif": "/temp/findings.sarif", "sbom": "/temp/sbom.cdx.json",
		"html":    "/temp/report.html",
		"reports": "json=/temp/verdict.json\nsarif=/temp/findings.sarif\ncyclonedx=/temp/sbom.cdx.json\nhtml=/temp/report.html\ncyclonedx=sbom.json",
	}
	got := r.outputs(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	action, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`steps\.gate\.outputs\.([a-z-]+)`).FindAllSubmatch(action, -1)
	if len(declared) != len(want) {
		t.Errorf("action.yml declares %d outputs, want %d", len(declared), len(want))
	}
	for _, name := range declared {
		if _, ok := got[string(name[1])]; !ok {
			t.Errorf("action.yml declares the output %s, which is not set", name[1])
		}
	}
}

func TestAnnotationsAreRankedAndPlaced(t *testing.T) {
	r := newRunner(t)
	publish(t, r, refused())
	all := commands(t, r.stdout.String())
	want := []command{
		{name: "error", properties: map[string]string{"title": "Upgrade openssl 3.0.1 to 3.0.2"},
			message: "registry.example/app:1 (linux/amd64): removes 1 finding, the worst critical (CVE-2026-0001)\napt-get install --only-upgrade openssl"},
		{name: "error", properties: map[string]string{"title": "aws-access-key (high)", "file": "services/app/deploy/key.sh", "line": "7", "endLine": "8", "col": "3"},
			message: "services/app: an AWS access key is in the sources"},
		{name: "error", properties: map[string]string{"title": "Not fully examined: advisories partial"},
			message: "only the starter set\ncleanbill advisories build"},
		{name: "warning", properties: map[string]string{"title": "CVE-2026-0002 (low) in zlib 1.2"},
			message: "registry.example/app:1 (linux/amd64): CVE-2026-0002 in zlib"},
	}
	got := append(ofName(all, "error"), ofName(all, "warning")...)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(command{})); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

func TestAnnotationsKeepWithinGitHubsLimit(t *testing.T) {
	result := refused()
	result.Verdict.Refusals, result.Verdict.Upgrades, result.Verdict.Warnings = nil, nil, nil
	for i := range 25 {
		o := core.Outcome{Rule: "r" + strconv.Itoa(i), Subject: result.Evidence.Subjects[0].Digest, Message: "m"}
		result.Verdict.Refusals = append(result.Verdict.Refusals, o)
		result.Verdict.Warnings = append(result.Verdict.Warnings, o)
	}
	r := newRunner(t)
	publish(t, r, result)
	all := commands(t, r.stdout.String())
	for name, more := range map[string]string{"error": "17 more", "warning": "16 more"} {
		some := ofName(all, name)
		if len(some) != 10 {
			t.Fatalf("got %d annotations of level %s, want 10", len(some), name)
		}
		if got := some[9].properties["title"]; got != more {
			t.Errorf("the last %s is titled %q, want %q", name, got, more)
		}
	}
}

func TestTheSummaryIsTheMarkdownReport(t *testing.T) {
	r := newRunner(t)
	if err := os.WriteFile(r.env["GITHUB_STEP_SUMMARY"], []byte("written before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	result := refused()
	publish(t, r, result)
	got, err := os.ReadFile(r.env["GITHUB_STEP_SUMMARY"])
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	want.WriteString("written before\n")
	if err := report.Markdown(&want, document(result), 1<<20); err != nil {
		t.Fatal(err)
	}
	want.WriteString("\n")
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(got), "CVE-2026-0001") {
		t.Errorf("the summary does not name the finding:\n%s", got)
	}
}

func TestTooLongASummaryIsNotWritten(t *testing.T) {
	r := newRunner(t)
	full := bytes.Repeat([]byte("x"), 1<<20)
	if err := os.WriteFile(r.env["GITHUB_STEP_SUMMARY"], full, 0o644); err != nil {
		t.Fatal(err)
	}
	adapter := r.adapter()
	if _, err := adapter.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := adapter.Publish(context.Background(), refused()); err == nil {
		t.Error("no error, although the runner drops a summary that is too long")
	}
	if info, err := os.Stat(r.env["GITHUB_STEP_SUMMARY"]); err != nil || info.Size() > 1<<20 {
		t.Errorf("the summary has %v bytes, %v", info.Size(), err)
	}
	if got := r.outputs(t)["result"]; got != "refused" {
		t.Errorf("result is %q: one thing that cannot be shown must not hide another", got)
	}
}

func TestHostileNamesReachNoCommand(t *testing.T) {
	for name, text := range map[string]string{
		"command":        "x\n::error::forged\n::set-output name=result::passed\n",
		"old command":    "x ##[set-output name=result]passed",
		"escaped":        "x%0A::error::forged%0D%0A",
		"carriage":       "x\r::add-mask::a\r",
		"heredoc":        "x\n_GitHubActionsFileCommandDelimeter_\nresult=passed",
		"property":       "x,file=a.go,line=1::forged",
		"terminal":       "x\x1b[2J\x1b]0;title\a\u202e\u0085",
		"resume":         "::stop-commands::y\n::y::",
		"markdown":       "`x` <img src=http://evil.example/> | @everyone [a](http://evil.example)",
		"gitlab section": "\x1b[0Ksection_start:0:x\r\x1b[0K",
	} {
		t.Run(name, func(t *testing.T) {
			calm, hostile := newRunner(t), newRunner(t)
			publish(t, calm, refused())
			publish(t, hostile, forged(text))
			want, got := commands(t, calm.stdout.String()), commands(t, hostile.stdout.String())
			if len(want) != len(got) {
				t.Fatalf("%d commands are obeyed, want %d:\n%s", len(got), len(want), hostile.stdout.String())
			}
			for i := range want {
				if want[i].name != got[i].name || got[i].properties["file"] == "a.go" || got[i].properties["line"] == "1" {
					t.Errorf("command %d is %+v, want one like %+v", i, got[i], want[i])
				}
			}
			outputs := hostile.outputs(t)
			delete(outputs, "reports")
			calmOutputs := calm.outputs(t)
			delete(calmOutputs, "reports")
			if diff := cmp.Diff(calmOutputs, outputs); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
			if strings.ContainsAny(hostile.stdout.String(), "\x1b\a\u202e\u0085") {
				t.Errorf("control characters reach the log: %q", hostile.stdout.String())
			}
		})
	}
}

// forged puts text into everything that an image can name.
func forged(text string) *gate.Result {
	r := refused()
	for i := range r.Evidence.Findings {
		f := &r.Evidence.Findings[i]
		f.Rule, f.Title = f.Rule+text, text
		if f.Package != nil {
			f.Package.Name, f.Package.Version = text, text
		}
		for j := range f.Locations {
			f.Locations[j].Path = text
		}
	}
	for i := range r.Evidence.Subjects {
		r.Evidence.Subjects[i].Name += text
	}
	for _, outcomes := range [][]core.Outcome{r.Verdict.Refusals, r.Verdict.Warnings} {
		for i := range outcomes {
			outcomes[i].Message = text
		}
	}
	r.Verdict.Gaps[0].Why, r.Verdict.Gaps[0].Remedy = []string{text}, text
	u := &r.Verdict.Upgrades[0]
	u.Package, u.From, u.To, u.Where, u.Command = text, text, text, text, text
	r.Reports[len(r.Reports)-1].Path = text
	return r
}

func TestTheLogOfTheExaminationIsFoldedAndInert(t *testing.T) {
	r := newRunner(t)
	adapter := r.adapter()
	if _, err := adapter.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.stdout.WriteString("::error::printed by something that looked at the image\nno line end")
	if err := adapter.Publish(context.Background(), refused()); err != nil {
		t.Fatal(err)
	}
	r.stdout.WriteString("::error::printed after it\n")
	all := commands(t, r.stdout.String())
	if all[0].name != "group" || all[1].name != "endgroup" {
		t.Errorf("the log begins with %s and %s, want a group that ends", all[0].name, all[1].name)
	}
	for _, c := range ofName(all, "error") {
		if strings.HasPrefix(c.message, "printed") {
			t.Errorf("foreign text was obeyed: %q", c.message)
		}
	}
}

func TestAFailureIsShownAndNeverAPass(t *testing.T) {
	for exit, want := range map[int]string{1: "refused", 2: "undecided", 3: "undecided"} {
		t.Run(want+strconv.Itoa(exit), func(t *testing.T) {
			r := newRunner(t)
			adapter := r.adapter()
			if _, err := adapter.Plan(context.Background()); err != nil {
				t.Fatal(err)
			}
			passed := refused()
			passed.Verdict.Decision = core.Passed
			if err := adapter.Publish(context.Background(), passed); err != nil {
				t.Fatal(err)
			}
			reason := &core.Failure{Doing: "open image x", Err: errors.New("not\n::found::"), Hint: "log in"}
			if err := adapter.Failed(context.Background(), exit, reason); err != nil {
				t.Fatal(err)
			}
			outputs := r.outputs(t)
			if outputs["result"] != want || outputs["exit-code"] != strconv.Itoa(exit) {
				t.Errorf("result %s and exit-code %s, want %s and %d", outputs["result"], outputs["exit-code"], want, exit)
			}
			errs := ofName(commands(t, r.stdout.String()), "error")
			last := errs[len(errs)-1]
			if last.properties["title"] != "Cleanbill could not judge" || !strings.Contains(last.message, "log in") {
				t.Errorf("the failure is shown as %+v", last)
			}
			summary, err := os.ReadFile(r.env["GITHUB_STEP_SUMMARY"])
			if err != nil || !strings.Contains(string(summary), "could not open image x") {
				t.Errorf("the summary is %q, %v", summary, err)
			}
		})
	}
}

func TestWhatCannotBeShownIsAnError(t *testing.T) {
	for _, variable := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		for name, value := range map[string]string{"not set": "", "a directory": t.TempDir()} {
			t.Run(variable+" is "+name, func(t *testing.T) {
				r := newRunner(t)
				adapter := r.adapter()
				if _, err := adapter.Plan(context.Background()); err != nil {
					t.Fatal(err)
				}
				r.env[variable] = value
				if err := adapter.Publish(context.Background(), refused()); err == nil || !strings.Contains(err.Error(), variable) {
					t.Errorf("got %v, want an error that names %s", err, variable)
				}
			})
		}
	}
	t.Run("the log is closed", func(t *testing.T) {
		r := newRunner(t)
		adapter := actions.New(actions.Options{Getenv: r.getenv, Stdout: closed{}, Document: document})
		if _, err := adapter.Plan(context.Background()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v, want the error of the log", err)
		}
	})
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }

func publish(t *testing.T, r *runner, result *gate.Result) {
	t.Helper()
	adapter := r.adapter()
	if _, err := adapter.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := adapter.Publish(context.Background(), result); err != nil {
		t.Fatal(err)
	}
}
