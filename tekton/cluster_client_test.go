//go:build clients

package tekton_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientTektonCluster runs what the catalog's tests hold, and this repository's examples, on a cluster with Tekton's
// own controller and webhook. The node pulls the image of the release, by digest.
func TestClientTektonCluster(t *testing.T) {
	c := newCluster(t)
	c.apply(t, "tekton/task/*/*/*.yaml", "tekton/stepaction/*/*/*.yaml", "tekton/pipeline/*/*/*.yaml")
	c.apply(t, "tekton/*/*/*/tests/*.yaml", "examples/tekton/*.yaml")
	c.kubectl(t, c.here(exampleRun), "apply", "-f", "-")

	// What each run comes to: the reason in its status, and results that matter.
	expected := map[string]outcome{
		"taskrun/gate-passes":         {"Succeeded", map[string]string{"VERDICT": "passed", "JUDGED_DIGEST": c.digests["clean"]}},
		"taskrun/gate-refuses":        {"Failed", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
		"taskrun/scan-succeeds":       {"Succeeded", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
		"taskrun/step-passes":         {"Succeeded", map[string]string{"VERDICT": "passed", "JUDGED_DIGEST": c.digests["clean"]}},
		"pipelinerun/release-passes":  {"Succeeded", map[string]string{"IMAGE_URL": c.registry + "/released:1", "IMAGE_DIGEST": c.digests["clean"]}},
		"pipelinerun/release-refused": {"Failed", nil},
		"pipelinerun/example":         {"Succeeded", map[string]string{"digest": c.digests["clean"]}},
		"pipelinerun/fleet":           {"Succeeded", nil},
		"taskrun/fleet-scan-0":        {"Succeeded", map[string]string{"VERDICT": "undecided", "JUDGED_DIGEST": c.digests["clean"]}},
		"taskrun/fleet-scan-1":        {"Succeeded", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
	}
	for run, want := range expected {
		got := c.wait(t, run)
		for name := range got.Results {
			if _, asked := want.Results[name]; !asked {
				delete(got.Results, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run, diff)
		}
	}
	c.audits(t)
	t.Logf("\n%s", c.kubectl(t, "", "get", "taskruns,pipelineruns", "-o", "wide"))
	if t.Failed() {
		t.Log(c.kubectl(t, "", "get", "pods", "-o", "wide"))
		t.Log(c.kubectl(t, "", "logs", "--prefix", "--all-containers", "--tail=20", "--selector", "app.kubernetes.io/managed-by=tekton-pipelines"))
		t.Log(c.kubectl(t, "", "get", "events", "--field-selector", "type=Warning"))
	}
	c.rejects(t)
	c.tabulates(t)
	c.released(t)
	c.samples(t)
}

// tabulates runs the command by which the documents tell what came of a fleet.
func (c *cluster) tabulates(t *testing.T) {
	t.Helper()
	readme, err := os.ReadFile("pipeline/cleanbill-fleet/0.1/README.md")
	if err != nil {
		t.Fatal(err)
	}
	columns := regexp.MustCompile(`-o (custom-columns=)'(.*)'`).FindSubmatch(readme)
	if columns == nil {
		t.Fatal("the README of the fleet has no table")
	}
	out := c.kubectl(t, "", "get", "taskruns", "-l", "tekton.dev/pipelineRun=fleet", "-o", string(columns[1])+string(columns[2]))
	if !regexp.MustCompile(`(?m)^\S+/flawed@sha256:\w+ +refused$`).MatchString(out) {
		t.Errorf("the table is\n%s", out)
	}
}

// samples makes sure that the cluster takes the samples as they are.
func (c *cluster) samples(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob("*/*/*/samples/*.yaml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, path := range paths {
		c.kubectl(t, "", "create", "--dry-run=server", "-f", path)
	}
}

// released makes sure that what passed is in the registry and signed, as stock cosign and cleanbill verify see it, and that
// nothing is there of what did not pass.
func (c *cluster) released(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"cosign.pub": c.publicKey,
		"root.json": `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[],` +
			`"certificateAuthorities":[],"ctlogs":[],"timestampAuthorities":[]}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"SSL_CERT_FILE=" + filepath.Join(os.Getenv("CLEANBILL_CLUSTER_CERTIFICATES"), "ca.crt")}
	if out, code := clients.Run(t, dir, env, clients.Tool(t, "cosign"), "verify", "--key", "cosign.pub", "--trusted-root", "root.json",
		"--new-bundle-format", "--insecure-ignore-tlog", c.registry+"/released:1"); code != 0 {
		t.Errorf("cosign verify: exit code %d\n%s", code, out)
	}
	if out, code := clients.Run(t, dir, env, clients.Tool(t, "cleanbill"), "verify", c.registry+"/released:1", "--key", "cosign.pub",
		"--passed", "--max-age", "168h"); code != 0 {
		t.Errorf("cleanbill verify: exit code %d\n%s", code, out)
	}
	if d, err := remote.Head(c.reference(t, "released"), remote.WithTransport(c.transport)); err != nil || d.Digest.String() != c.digests["clean"] {
		t.Errorf("released is %v, %v", d, err)
	}
	if d, err := remote.Head(c.reference(t, "refused"), remote.WithTransport(c.transport)); err == nil {
		t.Errorf("what was refused is in the registry: %v", d)
	}
}

// starterPolicy lets the advisories in the program pass what they can.
const starterPolicy = "version: 1\nname: tests\nextends: standard\nstarter-ok: true\n"

// exampleRun runs the Pipeline of the examples.
const exampleRun = `
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: example}
spec:
  pipelineRef: {name: judged-release}
  params:
    - {name: image, value: "registry.example/clean@sha256:0000000000000000000000000000000000000000000000000000000000000000"}
    - {name: cleanbill-image, value: "registry.example/cleanbill@sha256:0000000000000000000000000000000000000000000000000000000000000000"}
    - {name: release-image, value: "registry.example/busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000"}
    - {name: policy, value: policy.yaml}
    - {name: advisories, value: starter}
  workspaces:
    - {name: source, configMap: {name: cleanbill-policy}}
  taskRunTemplate: {podTemplate: {securityContext: {runAsUser: 1000}}}
`

// auditRun asks about what was released a moment ago.
const auditRun = `
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: audit}
spec:
  pipelineRef: {name: cleanbill-audit}
  params:
    - {name: repositories, value: [registry.example/released, "registry.example/released:1"]}
    - {name: cleanbill-image, value: "registry.example/cleanbill@sha256:0000000000000000000000000000000000000000000000000000000000000000"}
    - {name: policy, value: policy.yaml}
    - {name: advisories, value: starter}
  workspaces:
    - {name: trust, configMap: {name: cleanbill-trust}}
    - {name: reports, emptyDir: {}}
`

// audits asks about the image that was released, whose SBOM only the key in the workspace vouches for.
func (c *cluster) audits(t *testing.T) {
	t.Helper()
	c.kubectl(t, "", "create", "configmap", "cleanbill-trust", "--from-literal=cosign.pub="+c.publicKey, "--from-literal=policy.yaml="+starterPolicy)
	c.kubectl(t, c.here(auditRun), "apply", "-f", "-")
	if got := c.wait(t, "pipelinerun/audit"); got.Reason != "Succeeded" {
		t.Errorf("the audit: %s", got.Reason)
	}
	if log := c.kubectl(t, "", "logs", "audit-audit-0-pod"); !strings.Contains(log, "1 image: 0 refused, 0 undecided, 1 passed; 0 not looked at") {
		t.Errorf("the audit says %s", log)
	}
}

// exampleImage is how manifests in this repository name an image that each user has elsewhere.
var exampleImage = regexp.MustCompile(`registry\.example/([a-z-]+)(:[a-z0-9]+)?(@sha256:0{64})?`)

// here returns a manifest with the images of the cluster's registry. A digest without a name is that of the clean image.
func (c *cluster) here(manifest string) string {
	manifest = exampleImage.ReplaceAllStringFunc(manifest, func(ref string) string {
		parts := exampleImage.FindStringSubmatch(ref)
		ref = c.registry + "/" + parts[1] + parts[2]
		if parts[3] != "" {
			ref += "@" + c.digests[parts[1]]
		}
		return ref
	})
	return strings.ReplaceAll(manifest, "sha256:"+strings.Repeat("0", 64), c.digests["clean"])
}

// apply applies the manifests of this repository that match the patterns.
func (c *cluster) apply(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(clients.Root(t), filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			manifest, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c.kubectl(t, c.here(string(manifest)), "apply", "-f", "-")
		}
	}
}

// rejects makes sure that a webhook answered all that was applied.
func (c *cluster) rejects(t *testing.T) {
	t.Helper()
	task, err := os.ReadFile(taskFile)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), clients.Tool(t, "kubernetes"), "kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(task), "$(params.target)", "$(params.absent)"))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "webhook.pipeline.tekton.dev") {
		t.Errorf("an undefined parameter is accepted: %s", out)
	}
}

func (c *cluster) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), clients.Tool(t, "kubernetes"), append([]string{"kubectl"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s\n%s", strings.Join(args, " "), err, out, stdin)
	}
	return string(out)
}

// outcome is what a run came to.
type outcome struct {
	Reason  string
	Results map[string]string
}

// wait waits for the end of a run, named as KIND/NAME.
func (c *cluster) wait(t *testing.T, run string) outcome {
	t.Helper()
	var status struct {
		Status struct {
			Conditions []struct{ Type, Status, Reason, Message string }
			Results    []struct {
				Name  string
				Value json.RawMessage
			}
		}
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		status.Status.Conditions, status.Status.Results = nil, nil
		if err := json.Unmarshal([]byte(c.kubectl(t, "", "get", run, "-o", "json")), &status); err != nil {
			t.Fatal(err)
		}
		ended := slices.ContainsFunc(status.Status.Conditions, func(c struct{ Type, Status, Reason, Message string }) bool {
			return c.Type == "Succeeded" && c.Status != "Unknown"
		})
		if ended {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has no end: %+v\n%s", run, status.Status.Conditions, c.kubectl(t, "", "describe", "pods"))
		}
	}
	of := outcome{Reason: status.Status.Conditions[0].Reason}
	for _, r := range status.Status.Results {
		var text string
		if json.Unmarshal(r.Value, &text) != nil {
			text = string(r.Value)
		}
		if of.Results == nil {
			of.Results = map[string]string{}
		}
		of.Results[r.Name] = text
	}
	if len(of.Results) == 0 {
		t.Logf("%s: %s", run, status.Status.Conditions[0].Message)
	}
	return of
}
