//go:build clients

package tekton_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// TestClientTektonCluster runs what the catalog's tests hold, and this repository's examples, on a cluster with Tekton's
// own controller and webhook. The node pulls the image of the release, by digest.
func TestClientTektonCluster(t *testing.T) {
	c := newCluster(t)
	c.apply(t, "tekton/task/*/*/*.yaml", "tekton/stepaction/*/*/*.yaml", "tekton/pipeline/*/*/*.yaml")
	c.apply(t, "tekton/*/*/*/tests/*.yaml")

	// What each run comes to: the reason in its status, and results that matter.
	expected := map[string]outcome{
		"taskrun/gate-passes":   {"Succeeded", map[string]string{"VERDICT": "passed", "JUDGED_DIGEST": c.digests["clean"]}},
		"taskrun/gate-refuses":  {"Failed", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
		"taskrun/scan-succeeds": {"Succeeded", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
		"taskrun/step-passes":   {"Succeeded", map[string]string{"VERDICT": "passed", "JUDGED_DIGEST": c.digests["clean"]}},
		"pipelinerun/fleet":     {"Succeeded", nil},
		"taskrun/fleet-scan-0":  {"Succeeded", map[string]string{"VERDICT": "undecided", "JUDGED_DIGEST": c.digests["clean"]}},
		"taskrun/fleet-scan-1":  {"Succeeded", map[string]string{"VERDICT": "refused", "JUDGED_DIGEST": c.digests["flawed"]}},
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
	t.Logf("\n%s", c.kubectl(t, "", "get", "taskruns,pipelineruns", "-o", "wide"))
	if t.Failed() {
		t.Log(c.kubectl(t, "", "get", "pods", "-o", "wide"))
		t.Log(c.kubectl(t, "", "logs", "--prefix", "--all-containers", "--selector", "app.kubernetes.io/managed-by=tekton-pipelines"))
		t.Log(c.kubectl(t, "", "get", "events", "--field-selector", "type=Warning"))
	}
	c.rejects(t)
}

// cluster is what .ci/cluster/up brings, and a registry that its node pulls from.
type cluster struct {
	registry  string
	transport http.RoundTripper
	digests   map[string]string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	address := os.Getenv("CLEANBILL_CLUSTER_ADDRESS")
	if address == "" {
		t.Skip("there is no cluster: CLEANBILL_CI_CLUSTER=1 .ci/run builds one, which takes a quarter of an hour")
	}
	c := &cluster{registry: address + ":5000", digests: map[string]string{}}
	listener, err := net.Listen("tcp", c.registry)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))}
	certificates := os.Getenv("CLEANBILL_CLUSTER_CERTIFICATES")
	go func() {
		_ = server.ServeTLS(listener, filepath.Join(certificates, "server.crt"), filepath.Join(certificates, "server.key"))
	}()
	t.Cleanup(func() { _ = server.Close() })
	authority, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	c.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	// Where the Task looks for it by default.
	c.kubectl(t, "", "create", "configmap", "trusted-ca", "--from-literal=ca-bundle.crt="+string(authority))

	for _, program := range []string{"entrypoint", "nop", "workingdirinit"} {
		c.push(t, program, programImage(t, "tekton-"+program, "ko-app/"+program))
	}
	busybox := programImage(t, "busybox", "bin/busybox")
	busybox.Layers[0].Entries = append(busybox.Layers[0].Entries, images.Symlink("bin/cp", "busybox"), images.Symlink("bin/echo", "busybox"))
	c.push(t, "busybox", busybox)
	busybox.Config.Entrypoint = []string{"/bin/busybox", "sleep", "100000"}
	c.push(t, "pause", busybox)
	c.push(t, "clean", images.Clean("amd64"))
	c.push(t, "flawed", images.Vulnerable("amd64"))

	release, err := layout.ImageIndexFromPath(os.Getenv("CLEANBILL_CLUSTER_IMAGE"))
	if err != nil {
		t.Fatalf("%v: CLEANBILL_CLUSTER_IMAGE is the directory image of .ci/release", err)
	}
	manifest, err := release.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := release.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(c.reference(t, "cleanbill"), index, remote.WithTransport(c.transport)); err != nil {
		t.Fatal(err)
	}
	c.digests["cleanbill"] = manifest.Manifests[0].Digest.String()
	return c
}

// programImage describes an image with a program that is on the PATH, as .ci/run puts it there.
func programImage(t *testing.T, program, path string) images.Spec {
	t.Helper()
	data, err := os.ReadFile(clients.Tool(t, program))
	if err != nil {
		t.Fatal(err)
	}
	return images.Spec{
		Config: v1.Config{Entrypoint: []string{"/" + path}, Env: []string{"PATH=/bin"}},
		Layers: []images.Layer{{CreatedBy: "COPY " + program, Entries: []images.Entry{
			images.Dir(filepath.Dir(path)), images.Program(path, data)}}},
	}
}

func (c *cluster) reference(t *testing.T, repository string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(c.registry + "/" + repository + ":1")
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (c *cluster) push(t *testing.T, repository string, spec images.Spec) {
	t.Helper()
	image, err := images.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(c.reference(t, repository), image, remote.WithTransport(c.transport)); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	c.digests[repository] = digest.String()
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
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(time.Second) {
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
