//go:build clients

package tekton_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// signingKey gives the Task that pushes a key, where it looks for one by default.
func (c *cluster) signingKey(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	c.publicKey = string(public)
	c.kubectl(t, "", "create", "secret", "generic", "cleanbill-signing", "--from-literal=cosign.key="+string(private))
}

// volumes are two that a run may claim, and that any user may write to.
func (c *cluster) volumes(t *testing.T) {
	t.Helper()
	for _, name := range []string{"one", "two"} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		c.kubectl(t, `{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "`+name+`"}, "spec": {"capacity": {"storage": "1Gi"},
			"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "`+dir+`"}}}`, "apply", "-f", "-")
	}
}

// builder is an image that has what the release pipelines build, and a command that puts it into the workspace.
func builder(t *testing.T, busybox images.Spec) images.Spec {
	t.Helper()
	entries := slices.Clone(busybox.Layers[0].Entries)
	for name, spec := range map[string]images.Spec{"clean": images.Clean("amd64"), "flawed": images.Vulnerable("amd64")} {
		image, err := images.Build(spec)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := images.WriteLayout(filepath.Join(dir, "image"), image); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, images.File(name+"/policy.yaml", starterPolicy))
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			entries = append(entries, images.File(name+"/"+strings.TrimPrefix(path, dir+"/"), string(data)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	busybox.Layers = []images.Layer{{CreatedBy: "COPY . /", Entries: entries}}
	return busybox
}

// cluster is what .ci/cluster/up brings, and a registry that its node pulls from.
type cluster struct {
	registry  string
	transport http.RoundTripper
	digests   map[string]string
	publicKey string
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

	c.signingKey(t)
	c.volumes(t)

	for _, program := range []string{"entrypoint", "nop", "workingdirinit"} {
		c.push(t, program, programImage(t, "tekton-"+program, "ko-app/"+program))
	}
	busybox := programImage(t, "busybox", "bin/busybox")
	busybox.Layers[0].Entries = append(busybox.Layers[0].Entries, images.Symlink("bin/cp", "busybox"), images.Symlink("bin/echo", "busybox"))
	c.push(t, "busybox", busybox)
	c.push(t, "builder", builder(t, busybox))
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
