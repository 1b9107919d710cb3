package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// Scenario is one run of the gate and what has to come of it, on the command line and on every platform alike.
type Scenario struct {
	Name string
	// Target is a path relative to the directory of Prepare, or a reference to a registry.
	Target string
	Policy string
	Result string
	Exit   string
}

// specs are the images of a project.
func specs() map[string]images.Spec {
	secret, misconfigured := images.Clean("amd64"), images.Clean("amd64")
	secret.Layers = append(secret.Layers, images.Layer{CreatedBy: "COPY deploy.sh /srv/", Entries: []images.Entry{
		images.File("srv/deploy.sh", "export GITHUB_TOKEN=ghp_"+"0123456789abcdefghijABCDEFGHIJ012345\n")}})
	misconfigured.Config.User = "root"
	misconfigured.Config.Env = append(misconfigured.Config.Env, "DEBUG=1")
	return map[string]images.Spec{"clean": images.Clean("amd64"), "vulnerable": images.Vulnerable("amd64"), "secret": secret,
		"misconfigured": misconfigured}
}

// Scenarios are played by the tests of every client.
func (p *Project) Scenarios() []Scenario {
	return []Scenario{
		{Name: "pass", Target: "oci:clean", Policy: "policy.yaml", Result: "passed", Exit: "0"},
		{Name: "refuse", Target: "oci:vulnerable", Policy: "policy.yaml", Result: "refused", Exit: "1"},
		{Name: "secret", Target: "oci:secret", Policy: "policy.yaml", Result: "refused", Exit: "1"},
		{Name: "misconfigured", Target: "oci:misconfigured", Policy: "tight.yaml", Result: "refused", Exit: "1"},
		{Name: "starter advisories pass nothing", Target: "oci:clean", Policy: "standard", Result: "undecided", Exit: "3"},
		{Name: "pass from a registry", Target: p.Registry + "/clean@" + p.Clean, Policy: "policy.yaml", Result: "passed", Exit: "0"},
		{Name: "missing image", Target: p.Registry + "/absent:1", Policy: "policy.yaml", Result: "undecided", Exit: "3"},
		{Name: "unreachable registry", Target: "127.0.0.1:1/absent:1", Policy: "policy.yaml", Result: "undecided", Exit: "3"},
		{Name: "wrong policy", Target: "oci:clean", Policy: "absent.yaml", Result: "undecided", Exit: "2"},
	}
}

// Facts are what a run of the command line said, by the names that the outputs of platforms have, and some that
// Tekton's have. Nil if there was nothing to say.
type Facts map[string]string

// severities are those that findings have.
var severities = []string{"critical", "high", "medium", "low", "none", "unknown"}

// Play runs a scenario on the command line, holds it to what has to come of it, and returns what the document of the run
// holds, counted here.
func (p *Project) Play(t *testing.T, s Scenario) Facts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "verdict.json")
	out, code := Run(t, p.Dir, nil, Tool(t, "cleanbill"), "gate", s.Target, "--policy", s.Policy, "--output", "json="+file)
	if strconv.Itoa(code) != s.Exit {
		t.Fatalf("the command line ended with %d, want %s\n%s", code, s.Exit, out)
	}
	raw, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	var d struct {
		Evidence struct {
			Packages []struct{} `json:"packages"`
			Subjects []struct{ Digest string }
			Findings []struct {
				Kind, Severity string
				Fix            struct{ State string }
			}
		}
		Verdict struct {
			Decision                 string
			Refusals, Warnings, Gaps []struct{}
		}
	}
	check(t, json.Unmarshal(raw, &d))
	if d.Verdict.Decision != s.Result {
		t.Fatalf("the command line says %s, want %s\n%s", d.Verdict.Decision, s.Result, out)
	}
	counts := map[string]int{"packages": len(d.Evidence.Packages), "findings": len(d.Evidence.Findings), "fixable": 0,
		"failures": len(d.Verdict.Refusals) + len(d.Verdict.Gaps), "warnings": len(d.Verdict.Warnings)}
	for _, name := range severities {
		counts[name], counts[name+" vulnerabilities"] = 0, 0
	}
	for _, f := range d.Evidence.Findings {
		counts[f.Severity]++
		if f.Kind == "vulnerability" {
			counts[f.Severity+" vulnerabilities"]++
		}
		if f.Fix.State == "available" {
			counts["fixable"]++
		}
	}
	facts := Facts{"result": d.Verdict.Decision, "exit-code": strconv.Itoa(code), "digest": d.Evidence.Subjects[0].Digest}
	for name, n := range counts {
		facts[name] = strconv.Itoa(n)
	}
	return facts
}

// Outputs are the facts that are outputs on GitHub and variables on GitLab.
func Outputs() []string {
	return append([]string{"result", "exit-code", "digest", "packages", "findings", "fixable"}, severities...)
}

// Compare holds what a platform says, of all the facts that it has to say, to what the command line said of the same scenario.
// Where that had nothing to say, the platform says how it ended and no more.
func (f Facts) Compare(t *testing.T, said map[string]string, facts []string) {
	t.Helper()
	for _, name := range facts {
		if f == nil && (name == "result" || name == "exit-code") {
			continue
		}
		if said[name] != f[name] {
			t.Errorf("%s is %q, and %q on the command line", name, said[name], f[name])
		}
	}
}
