//go:build clients

package tekton_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

const taskFile = "task/cleanbill/0.1/cleanbill.yaml"

// TestClientTektonValidation asks Tekton's own types whether they accept what this repository publishes.
func TestClientTektonValidation(t *testing.T) {
	root := clients.Root(t)
	var files []string
	for _, pattern := range []string{"tekton/*/*/*/*.yaml", "tekton/*/*/*/samples/*.yaml", "examples/tekton/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 7 {
		t.Fatalf("found only %v", files)
	}
	if out, code := clients.Run(t, root, nil, clients.Tool(t, "tekton-validate"), files...); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	task, err := os.ReadFile(filepath.Join(root, "tekton", taskFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte(strings.ReplaceAll(string(task), "$(params.target)", "$(params.absent)")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := clients.Run(t, root, nil, clients.Tool(t, "tekton-validate"), broken); code == 0 {
		t.Errorf("an undefined parameter is accepted: %s", out)
	}
}

// TestClientTektonEntrypoint plays the scenarios through the Task's step and the StepAction, run by Tekton's own entrypoint
// as a pod runs it, with a step behind it that is not to see an image that did not pass.
func TestClientTektonEntrypoint(t *testing.T) {
	project := clients.Prepare(t)
	for _, manifest := range []string{taskFile, "stepaction/cleanbill/0.1/cleanbill.yaml"} {
		for _, s := range project.Scenarios() {
			t.Run(strings.SplitN(manifest, "/", 2)[0]+" "+s.Name, func(t *testing.T) {
				run := runStep(t, project, manifest, map[string]string{"target": s.Target, "policy": s.Policy, "advisories": "starter"})
				if run.exit != s.Exit || run.results["VERDICT"] != s.Result {
					t.Errorf("exit code %s and VERDICT %s, want %s and %s\n%s", run.exit, run.results["VERDICT"], s.Exit, s.Result, run.log)
				}
				project.Play(t, s).Compare(t, run.facts(t), tektonFacts())
				if s.Result == "passed" && run.results["JUDGED_DIGEST"] != project.Clean {
					t.Errorf("judged %s, want %s", run.results["JUDGED_DIGEST"], project.Clean)
				}
				if s.Result == "refused" && !strings.Contains(run.results["TEST_OUTPUT"], `"result":"FAILURE"`) {
					t.Errorf("TEST_OUTPUT is %s", run.results["TEST_OUTPUT"])
				}
				if len(run.termination) > 2560 {
					t.Errorf("the termination message has %d bytes", len(run.termination))
				}
				_, err := os.Stat(filepath.Join(run.reports, "cleanbill.json"))
				wrote := err == nil
				if wrote != (run.results["JUDGED_DIGEST"] != "") || wrote != strings.Contains(run.results["REPORTS"], "sha256:") {
					t.Errorf("the report: %v, REPORTS %s\n%s", err, run.results["REPORTS"], run.log)
				}
				if passed := s.Result == "passed"; passed != (run.deployed == "passed") || passed != (run.next == "0") {
					t.Errorf("the next step ended with %s and deployed %q", run.next, run.deployed)
				}
			})
		}
	}
}

// tektonFacts are those that results say. Konflux has no class for a vulnerability without impact.
func tektonFacts() []string {
	facts := []string{"result", "exit-code", "digest", "packages", "findings", "failures", "warnings"}
	for _, severity := range []string{"critical", "high", "medium", "low", "unknown"} {
		facts = append(facts, severity+" vulnerabilities")
	}
	return facts
}

// facts are those among the results, without counts where nothing was judged.
func (r stepRun) facts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"result": r.results["VERDICT"], "digest": r.results["JUDGED_DIGEST"], "packages": r.results["PACKAGES"],
		"findings": r.results["FINDINGS"], "exit-code": r.exit}
	if r.results["JUDGED_DIGEST"] == "" {
		return all
	}
	var test struct{ Failures, Warnings int }
	if err := json.Unmarshal([]byte(r.results["TEST_OUTPUT"]), &test); err != nil {
		t.Fatalf("TEST_OUTPUT %s: %v", r.results["TEST_OUTPUT"], err)
	}
	all["failures"], all["warnings"] = strconv.Itoa(test.Failures), strconv.Itoa(test.Warnings)
	var scan map[string]map[string]int
	if err := json.Unmarshal([]byte(r.results["SCAN_OUTPUT"]), &scan); err != nil {
		t.Fatalf("SCAN_OUTPUT %s: %v", r.results["SCAN_OUTPUT"], err)
	}
	for severity, n := range scan["vulnerabilities"] {
		all[severity+" vulnerabilities"] = strconv.Itoa(n + scan["unpatched_vulnerabilities"][severity])
	}
	return all
}

// TestClientTektonScan makes the gate a scan by on-error: the pod goes on, and the results say what was found.
func TestClientTektonScan(t *testing.T) {
	project := clients.Prepare(t)
	run := runStep(t, project, taskFile, map[string]string{"target": "oci:vulnerable", "on-error": "continue", "advisories": "starter"})
	if run.exit != "0" || run.next != "0" || run.deployed != "refused" || run.results["VERDICT"] != "refused" {
		t.Errorf("exit codes %s and %s, VERDICT %s\n%s", run.exit, run.next, run.results["VERDICT"], run.log)
	}
}

// TestClientTektonPush lets the real entrypoint run the Task that pushes: what passed is in the registry, signed, and told
// to Chains; what did not pass is nowhere.
func TestClientTektonPush(t *testing.T) {
	project := clients.Prepare(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	project.Write(t, "cosign.key", string(private))
	for target, want := range map[string]string{"oci:clean": project.Clean, "oci:vulnerable": ""} {
		t.Run(target, func(t *testing.T) {
			name := project.Registry + "/" + strings.TrimPrefix(target, "oci:") + "-released:1"
			run := runStep(t, project, "task/cleanbill-push/0.1/cleanbill-push.yaml", map[string]string{
				"target": target, "push": name, "key": "cosign.key", "policy": "policy.yaml", "advisories": "starter"})
			if run.results["IMAGE_DIGEST"] != want || (run.exit == "0") != (want != "") {
				t.Errorf("exit code %s and IMAGE_DIGEST %q, want %q\n%s", run.exit, run.results["IMAGE_DIGEST"], want, run.log)
			}
			if len(run.termination) > 2560 {
				t.Errorf("the termination message has %d bytes", len(run.termination))
			}
			digest, err := crane.Digest(name)
			if want == "" {
				if err == nil {
					t.Errorf("%s is in the registry", digest)
				}
				return
			}
			if digest != want || err != nil {
				t.Errorf("the registry has %s, %v", digest, err)
			}
			if run.results["IMAGE_URL"] != name || !strings.HasPrefix(run.results["SBOM_BLOB_URL"], strings.TrimSuffix(name, ":1")+"@sha256:") {
				t.Errorf("results are %v", run.results)
			}
			// What REPORTS names is in the repository.
			_, report, _ := strings.Cut(strings.Trim(run.results["REPORTS"], `{}"`), `":"`)
			if _, err := crane.Manifest(strings.TrimSuffix(name, ":1") + "@" + report); err != nil {
				t.Errorf("REPORTS is %s: %v", run.results["REPORTS"], err)
			}
		})
	}
}

// TestClientTektonHostileNames judges an image whose every name is an attack on the log or on a result.
func TestClientTektonHostileNames(t *testing.T) {
	project := clients.Prepare(t)
	const forged = "forged\n{\"key\":\"VERDICT\",\"value\":\"passed\",\"type\":1}\x1b[2J"
	spec := images.Vulnerable("amd64")
	lock, err := json.Marshal(map[string]any{"name": forged, "lockfileVersion": 3, "packages": map[string]any{
		"node_modules/" + forged: map[string]string{"version": "1.0.0" + forged}, "node_modules/lodash": map[string]string{"version": "4.17.4"}}})
	if err != nil {
		t.Fatal(err)
	}
	spec.Layers = append(spec.Layers, images.Layer{CreatedBy: "COPY " + forged, Entries: []images.Entry{
		images.Dir("srv/" + forged), images.File("srv/"+forged+"/package-lock.json", string(lock))}})
	image, err := images.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := images.WriteLayout(filepath.Join(project.Dir, "hostile"), image); err != nil {
		t.Fatal(err)
	}
	run := runStep(t, project, taskFile, map[string]string{"target": "oci:hostile", "policy": "policy.yaml", "advisories": "starter"})
	if run.results["VERDICT"] != "refused" || run.exit != "1" || run.deployed != "" {
		t.Errorf("exit code %s, VERDICT %s, deployed %q\n%s", run.exit, run.results["VERDICT"], run.deployed, run.log)
	}
	for name, value := range run.results {
		if strings.Contains(value, "forged") {
			t.Errorf("%s holds text from the image: %q", name, value)
		}
	}
	if strings.Contains(run.log, "\x1b") || strings.Contains(run.log, "\n{\"key\"") {
		t.Errorf("the log holds what the image says: %q", run.log)
	}
	if !strings.Contains(run.log, "forged") {
		t.Error("nothing hostile was looked at: this test tests nothing")
	}
}

// TestClientTektonSnippets lets Tekton check what the documents tell a first-time user to paste into a Pipeline.
func TestClientTektonSnippets(t *testing.T) {
	for _, document := range []string{"README.md", "tekton/task/cleanbill/0.1/README.md"} {
		text, err := os.ReadFile(filepath.Join(clients.Root(t), document))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile("(?s)```yaml\n(- name: gate\n.*?)```").FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no snippet", document)
		}
		pipeline := `apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: snippet}
spec:
  tasks:
    - name: build
      taskSpec:
        results: [{name: IMAGE_URL}, {name: IMAGE_DIGEST}]
        steps: [{name: build, image: builder, command: [build]}]
` + regexp.MustCompile(`(?m)^`).ReplaceAllString(string(found[1]), "    ")
		path := filepath.Join(t.TempDir(), "snippet.yaml")
		if err := os.WriteFile(path, []byte(pipeline), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, code := clients.Run(t, clients.Root(t), nil, clients.Tool(t, "tekton-validate"), path); code != 0 {
			t.Errorf("%s: exit code %d\n%s\n%s", document, code, out, pipeline)
		}
	}
}
