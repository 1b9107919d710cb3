//go:build clients

package actions_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

const (
	exampleFile    = "examples/github/gate.yml"
	advisoriesFile = ".github/workflows/advisories.yml"
)

// TestClientActionlint checks every workflow that this repository has or publishes, against action.yml too.
func TestClientActionlint(t *testing.T) {
	root := clients.Root(t)
	files, err := filepath.Glob(filepath.Join(root, "examples", "github", "*.yml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	own, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(own) == 0 {
		t.Fatalf("workflows: %v, %v", own, err)
	}
	if out, code := clients.Run(t, root, nil, clients.Tool(t, "actionlint"), append(files, own...)...); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// TestClientActionsArePinned looks at what is run and at what users copy: a tag can be moved, a commit cannot.
func TestClientActionsArePinned(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(clients.Root(t), ".github", "workflows", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("workflows: %v, %v", files, err)
	}
	examples, err := filepath.Glob(filepath.Join(clients.Root(t), "examples", "github", "*.yml"))
	if err != nil || len(examples) < 2 {
		t.Fatalf("examples: %v, %v", examples, err)
	}
	for _, file := range append(files, examples...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s*(?:- )?uses: (\S+)`).FindAllStringSubmatch(string(data), -1) {
			if !strings.HasPrefix(m[1], "./") && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(m[1]) {
				t.Errorf("%s uses %s, which is not pinned by commit", file, m[1])
			}
		}
	}
}

// TestClientExampleWorkflow plays the scenarios through the example, run by act on this machine.
func TestClientExampleWorkflow(t *testing.T) {
	project := clients.Prepare(t)
	project.Copy(t, exampleFile, ".github/workflows/gate.yml")
	project.Commit(t)
	act := newAct(t, project.Dir)
	for _, s := range project.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			run := act.run(t, "workflow_dispatch", "--input", "image="+s.Target, "--input", "policy="+s.Policy)
			run.expect(t, s)
			project.Play(t, s).Compare(t, run.outputs, append(clients.Outputs(), "new"))
			if s.Result == "passed" && !strings.Contains(run.log, `"digest":"`+project.Clean+`"`) && !strings.Contains(run.log, project.Clean) {
				t.Errorf("the log does not name %s\n%s", project.Clean, run.log)
			}
			kept := strings.Contains(run.log, "kept a report of")
			if want := s.Result == "passed" || s.Exit == "1" || s.Name == "starter advisories pass nothing"; kept != want {
				t.Errorf("evidence was kept: %v, want %v\n%s", kept, want, run.log)
			}
		})
	}
}

// TestClientLocalAction runs the action from its sources, as before the first release, and reads every output and annotation.
func TestClientLocalAction(t *testing.T) {
	project := clients.Prepare(t)
	project.Write(t, ".github/workflows/local.yml", `
on: push
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - id: gate
        uses: cleanbill-ci/cleanbill@`+pin(t)+`
        with:
          target: |
            oci:vulnerable
          policy: policy.yaml
          outputs: |
            cyclonedx=sbom.json
            markdown=a ::error:: name.md
      - if: always()
        env:
          OUTPUTS: ${{ toJSON(steps.gate.outputs) }}
          OUTCOME: ${{ steps.gate.outcome }}
        run: |
          printf 'outcome %s\n' "$OUTCOME"
          printf '%s' "$OUTPUTS" > "`+filepath.Join(project.Dir, "outputs.json")+`"
          test -s sbom.json
          test -z "$(cat "$GITHUB_ENV" "$GITHUB_PATH")"
`)
	project.Commit(t)
	run := newActWith(t, project.Dir, clients.Root(t)).run(t, "push")
	if run.exit == 0 || !strings.Contains(run.log, "outcome failure") {
		t.Errorf("the step did not fail\n%s", run.log)
	}
	data, err := os.ReadFile(filepath.Join(project.Dir, "outputs.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, run.log)
	}
	var outputs map[string]string
	if err := json.Unmarshal(data, &outputs); err != nil {
		t.Fatal(err)
	}
	if outputs["result"] != "refused" || outputs["exit-code"] != "1" || !strings.HasPrefix(outputs["digest"], "sha256:") {
		t.Errorf("outputs are %v", outputs)
	}
	if !strings.HasSuffix(outputs["reports"], "\ncyclonedx=sbom.json\nmarkdown=a ::error:: name.md") {
		t.Errorf("the output reports is %q", outputs["reports"])
	}
	if _, err := os.Stat(outputs["report"]); err != nil {
		t.Errorf("the report: %v", err)
	}
	errors := 0
	for _, c := range run.commands {
		if c.Command == "error" {
			errors++
		}
	}
	if errors == 0 || errors > 10 {
		t.Errorf("%d errors are annotated, want 1 to 10\n%s", errors, run.log)
	}
}

// TestClientPullRequest runs the action for a pull request that edits the policy which judges it, once with a base that the
// checkout has and once without.
func TestClientPullRequest(t *testing.T) {
	project := clients.Prepare(t)
	project.Write(t, ".cleanbill.yaml", "version: 1\nname: base\nstarter-ok: true\nadvisories: {source: starter}\n")
	project.Write(t, ".github/workflows/request.yml", `
on: pull_request
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - uses: cleanbill-ci/cleanbill@`+pin(t)+`
        with:
          target: oci:vulnerable
`)
	project.Commit(t)
	commit := func() string {
		out, code := clients.Run(t, project.Dir, nil, "git", "rev-parse", "HEAD")
		if code != 0 {
			t.Fatal(out)
		}
		return strings.TrimSpace(out)
	}
	base := commit()
	project.Write(t, ".cleanbill.yaml", "version: 1\nname: lax\nextends: none\nrules: [{name: all, when: \"true\", action: ignore}]\n")
	if out, code := clients.Run(t, project.Dir, nil, "git", "-c", "user.name=test", "-c", "user.email=test@example.invalid",
		"commit", "--quiet", "--all", "--message=change"); code != 0 {
		t.Fatal(out)
	}
	act := newAct(t, project.Dir)
	for name, tc := range map[string]struct{ base, exit, says string }{
		"base at hand": {base, "1", ".cleanbill.yaml of commit " + base},
		"no base":      {strings.Repeat("1", 40), "3", "fetch-depth: 0"},
	} {
		t.Run(name, func(t *testing.T) {
			event := filepath.Join(t.TempDir(), "event.json")
			payload := `{"action":"opened","number":1,"pull_request":{"number":1,"base":{"sha":"` + tc.base + `","ref":"main"},"head":{"sha":"` +
				commit() + `","ref":"topic"}}}`
			if err := os.WriteFile(event, []byte(payload), 0o644); err != nil {
				t.Fatal(err)
			}
			run := act.run(t, "pull_request", "--eventpath", event)
			if run.exit == 0 || !strings.Contains(run.log, "exit status "+tc.exit) || !strings.Contains(run.log, tc.says) {
				t.Errorf("want exit status %s and %q\n%s", tc.exit, tc.says, run.log)
			}
		})
	}
}

// TestClientExampleOfAPullRequest runs the example for requests that bring a flaw: with a token that may comment, and with a fork's.
func TestClientExampleOfAPullRequest(t *testing.T) {
	project := clients.Prepare(t)
	project.Copy(t, "examples/github/pull-request.yml", ".github/workflows/request.yml")
	project.Write(t, ".cleanbill.yaml", "version: 1\nextends: none\nstarter-ok: true\nadvisories: {source: starter}\n"+
		"require: [packages]\nrules: [{name: secret, when: 'finding.kind == \"secret\"', action: fail}]\n")
	project.Commit(t)
	base := commitOf(t, project.Dir)
	// A name that is a command, a mention and markup, and a secret that no policy lets pass.
	project.Write(t, "a ::error:: @octocat <img src=x> ](http://evil.example).env", "AWS_SECRET="+"AKIA"+"Q6FZXJ2YTRNDPWKG\n")
	if out, code := clients.Run(t, project.Dir, nil, "git", "add", "--all"); code != 0 {
		t.Fatal(out)
	}
	if out, code := clients.Run(t, project.Dir, nil, "git", "-c", "user.name=test", "-c", "user.email=test@example.invalid",
		"commit", "--quiet", "--message=change"); code != 0 {
		t.Fatal(out)
	}
	head := commitOf(t, project.Dir)
	act := newAct(t, project.Dir)
	for name, tc := range map[string]struct {
		base, from string
		status     int
		comments   int
	}{
		"its own branch":        {base, "acme/app", http.StatusCreated, 1},
		"a fork, which may not": {base, "mallory/app", http.StatusForbidden, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var mutex sync.Mutex
			var bodies []string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mutex.Lock()
				defer mutex.Unlock()
				switch {
				case r.Method == http.MethodPost && tc.status == http.StatusCreated:
					raw, _ := io.ReadAll(r.Body)
					bodies = append(bodies, string(raw))
					w.WriteHeader(tc.status)
				case r.Method == http.MethodPost, r.URL.Path == "/user":
					http.Error(w, "{}", http.StatusForbidden)
				default:
					fmt.Fprint(w, "[]")
				}
			}))
			defer api.Close()
			event := filepath.Join(t.TempDir(), "event.json")
			payload := fmt.Sprintf(`{"action":"opened","number":7,"pull_request":{"number":7,"base":{"sha":%q,"ref":"main","repo":{"full_name":"acme/app"}},`+
				`"head":{"sha":%q,"ref":"topic","repo":{"full_name":%q}}}}`, tc.base, head, tc.from)
			if err := os.WriteFile(event, []byte(payload), 0o644); err != nil {
				t.Fatal(err)
			}
			run := act.run(t, "pull_request", "--eventpath", event, "--env", "GITHUB_API_URL="+api.URL, "--env", "GITHUB_REPOSITORY=acme/app",
				"--secret", "GITHUB_TOKEN=token-of-the-job")
			if run.exit == 0 || !strings.Contains(run.log, "exit status 1") {
				t.Errorf("want exit status 1\n%s", run.log)
			}
			if uploaded := strings.Contains(run.log, "uploaded to code scanning"); uploaded != (tc.from == "acme/app") {
				t.Errorf("uploaded to code scanning: %v\n%s", uploaded, run.log)
			}
			if len(bodies) != tc.comments {
				t.Errorf("%d comments were written: %q\n%s", len(bodies), bodies, run.log)
			}
			for _, b := range bodies {
				if forged := regexp.MustCompile(`@octocat|<img|[^\\]\]\(http`).FindString(b); forged != "" {
					t.Errorf("the comment has %q: %s", forged, b)
				}
			}
			if strings.Contains(run.log, "token-of-the-job") {
				t.Error("the log has the token")
			}
			for _, c := range run.commands { // act looks for the last "::" of a line, and GitHub for the first
				if c.Command == "error" && !strings.HasPrefix(c.KvPairs["title"], "aws-access-token (high)") {
					t.Errorf("a name became a command: %+v", c)
				}
			}
		})
	}
}

func commitOf(t *testing.T, dir string) string {
	t.Helper()
	out, code := clients.Run(t, dir, nil, "git", "rev-parse", "HEAD")
	if code != 0 {
		t.Fatal(out)
	}
	return strings.TrimSpace(out)
}

// act runs workflows on this machine, without network: the actions that they use are given to it.
type act struct {
	program string
	dir     string
	args    []string
	env     []string
}

// newAct runs what a release has.
func newAct(t *testing.T, dir string) *act {
	t.Helper()
	return newActWith(t, dir, released(t))
}

// released is this action as a release has it: with the digest of the program at hand, which it gets from a place on this
// machine.
func released(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(clients.Tool(t, "cleanbill"))
	if err != nil {
		t.Fatal(err)
	}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(program) }))
	t.Cleanup(mirror.Close)
	dir := t.TempDir()
	action, err := os.ReadFile(filepath.Join(clients.Root(t), "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	const from = "CLEANBILL_MIRROR: ${{ inputs.mirror }}"
	if !strings.Contains(string(action), from) {
		t.Fatalf("action.yml has no %s", from)
	}
	script, err := os.ReadFile(filepath.Join(clients.Root(t), "actions", "install.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "actions"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"action.yml":         strings.Replace(string(action), from, "CLEANBILL_MIRROR: "+mirror.URL, 1),
		"actions/install.sh": string(script),
		"actions/RELEASE":    recordOf(sha256Of(string(program))),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newActWith gives the action in a directory to the workflows.
func newActWith(t *testing.T, dir, action string) *act {
	t.Helper()
	keep := t.TempDir()
	// A stand-in for actions/upload-artifact, whose service only GitHub has.
	standIn := "name: upload\ndescription: upload\ninputs:\n  name: {description: n}\n  path: {description: p}\n" +
		"runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n        REPORT: ${{ inputs.path }}\n" +
		"      run: test -s \"$REPORT\" && printf 'kept a report of %s bytes\\n' \"$(stat -c %s \"$REPORT\")\"\n"
	if err := os.WriteFile(filepath.Join(keep, "action.yml"), []byte(standIn), 0o644); err != nil {
		t.Fatal(err)
	}
	// And one for code scanning.
	scanning := t.TempDir()
	if err := os.MkdirAll(filepath.Join(scanning, "upload-sarif"), 0o755); err != nil {
		t.Fatal(err)
	}
	upload := "name: upload\ndescription: upload\ninputs:\n  sarif_file: {description: p}\n" +
		"runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n        SARIF: ${{ inputs.sarif_file }}\n" +
		"      run: grep -q '\"version\":\"2.1.0\"' \"$SARIF\" && echo 'uploaded to code scanning'\n"
	if err := os.WriteFile(filepath.Join(scanning, "upload-sarif", "action.yml"), []byte(upload), 0o644); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	a := &act{
		program: clients.Tool(t, "act"),
		dir:     dir,
		env:     []string{"XDG_CACHE_HOME=" + home, "XDG_CONFIG_HOME=" + home},
		args: []string{
			"--json", "--no-cache-server", "-P", "ubuntu-latest=-self-hosted", "-P", "ubuntu-24.04=-self-hosted",
			"--env", "CLEANBILL_ADVISORIES=starter", // no network is needed
			"--local-repository", "cleanbill-ci/cleanbill@" + pin(t) + "=" + action,
			"--local-repository", "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02=" + keep,
			"--local-repository", "github/codeql-action@8aad20d150bbac5944a9f9d289da16a4b0d87c1e=" + scanning,
		},
	}
	// An action without a release builds with the caches of whoever runs the tests.
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} {
		value, code := clients.Run(t, dir, nil, "go", "env", name)
		if code != 0 {
			t.Fatalf("go env %s: %s", name, value)
		}
		a.args = append(a.args, "--env", name+"="+strings.TrimSpace(value))
	}
	return a
}

// pin returns the commit at which the example uses this action.
func pin(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(clients.Root(t), exampleFile))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`cleanbill-ci/cleanbill@([0-9a-f]{40})`).FindSubmatch(data)
	if m == nil {
		t.Fatalf("%s does not pin this action", exampleFile)
	}
	return string(m[1])
}

type actRun struct {
	exit     int
	log      string
	commands []actCommand
	// outputs are those of steps, of which the later counts.
	outputs map[string]string
}

// actCommand is one workflow command that act obeyed.
type actCommand struct {
	Command string
	Arg     string
	Name    string // of an output
	KvPairs map[string]string
}

// withoutTerminal is how act is started: it gives each step a terminal, and of a step that fails it drops what it has not read
// from there yet. Where there is no terminal to be had, it reads to the end.
const withoutTerminal = `mount --bind /dev/null /dev/ptmx && exec "$@"`

func (a *act) run(t *testing.T, event string, args ...string) actRun {
	t.Helper()
	log, code := clients.Run(t, a.dir, a.env, "unshare", slices.Concat([]string{"--map-root-user", "--mount", "sh", "-c", withoutTerminal, "sh",
		a.program, event}, a.args, args)...)
	run := actRun{exit: code, outputs: map[string]string{}}
	var text strings.Builder
	for line := range strings.Lines(log) {
		var entry struct {
			actCommand
			Msg string
		}
		if json.Unmarshal([]byte(line), &entry) != nil {
			text.WriteString(line)
			continue
		}
		text.WriteString(entry.Msg + "\n")
		if entry.Command != "" && entry.Command != "ignored" {
			run.commands = append(run.commands, entry.actCommand)
		}
		if entry.Command == "set-output" {
			run.outputs[entry.Name] = entry.Arg
		}
	}
	run.log = text.String()
	return run
}

// expect compares a run of the example with what has to come of a scenario.
func (r actRun) expect(t *testing.T, s clients.Scenario) {
	t.Helper()
	if (r.exit == 0) != (s.Exit == "0") {
		t.Errorf("act ended with %d, want the step to end with %s\n%s", r.exit, s.Exit, r.log)
	}
	if s.Exit != "0" && !strings.Contains(r.log, "exit status "+s.Exit) {
		t.Errorf("the step did not end with %s\n%s", s.Exit, r.log)
	}
	var failures []actCommand
	for _, c := range r.commands {
		if c.Command == "error" {
			failures = append(failures, c)
		}
	}
	if (len(failures) > 0) != (s.Exit != "0") {
		t.Errorf("%d errors are annotated: %+v\n%s", len(failures), failures, r.log)
	}
}
