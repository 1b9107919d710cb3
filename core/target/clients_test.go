package target

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/cleanbill-ci/cleanbill/core"
)

// The tests in this file run the real tools that users have, where they are installed.

func needs(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("real clients are not run in short mode")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
}

// run runs a tool and returns what it printed.
func run(t *testing.T, env []string, tool string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, env []string, tool string, args ...string) string {
	t.Helper()
	out, err := run(t, env, tool, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
	return out
}

// serve starts a server for the length of the test.
func serve(t *testing.T, env []string, ready func() bool, tool string, args ...string) {
	t.Helper()
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("%s does not start: %v", tool, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
		}
	})
	for range 300 {
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("%s does not run here: %v\n%s", tool, err, out.String())
		default:
		}
		if ready() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Skipf("%s is not ready within 30s", tool)
}

// policyFile allows skopeo and podman to read every image.
func policyFile(t *testing.T) string {
	t.Helper()
	return fileOf(t, "policy.json", []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`))
}

// ociImage is an image of OCI's media types only, which is all that skopeo takes from a layout.
func ociImage(t *testing.T) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for range 2 {
		layer := must[v1.Layer](t)(random.Layer(4096, types.OCILayer))
		img = must[v1.Image](t)(mutate.AppendLayers(img, layer))
	}
	config := must[*v1.ConfigFile](t)(img.ConfigFile()).DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	return must[v1.Image](t)(mutate.ConfigFile(img, config))
}

func TestWhatSkopeoWrites(t *testing.T) {
	needs(t, "skopeo")
	dir := writeLayout(t, map[string]mutate.Appendable{"latest": ociImage(t)})
	want := mustOpen(t, dir, Options{})
	out := t.TempDir()
	copyTo := func(to string, args ...string) {
		mustRun(t, nil, "skopeo", append([]string{"--policy", policyFile(t), "copy", "--quiet", "oci:" + dir + ":latest", to}, args...)...)
	}
	copyTo("oci:" + out + "/layout:v1")
	copyTo("oci-archive:" + out + "/oci.tar:v1")
	copyTo("oci:"+out+"/zstd:v1", "--dest-compress-format", "zstd", "--dest-compress")
	copyTo("docker-archive:" + out + "/docker.tar:registry.example/app:v1")
	copyTo("dir:" + out + "/dir")
	for ref, sameDigest := range map[string]bool{
		out + "/layout": true, "oci:" + out + "/layout:v1": true, out + "/oci.tar": true, "oci-archive:" + out + "/oci.tar:v1": true,
		out + "/zstd": false, out + "/docker.tar": false, "docker-archive:" + out + "/docker.tar:registry.example/app:v1": false,
	} {
		target := mustOpen(t, ref, Options{})
		if sameDigest && target.Subject.Digest != want.Subject.Digest {
			t.Errorf("%s is %s, want %s", ref, target.Subject.Digest, want.Subject.Digest)
		}
		if len(target.Images[0].Layers) != 2 {
			t.Errorf("%s has %d layers", ref, len(target.Images[0].Layers))
		}
		readLayers(t, target.Images[0])
		if mediaType := target.Images[0].Layers[0].MediaType; strings.Contains(ref, "/zstd") && !strings.HasSuffix(mediaType, "+zstd") {
			t.Errorf("%s has a layer of type %s", ref, mediaType)
		}
	}
}

func TestPullFromARealRegistry(t *testing.T) {
	needs(t, "docker-registry")
	address := freeAddress(t)
	config := fileOf(t, "registry.yml", fmt.Appendf(nil,
		"version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n", t.TempDir(), address))
	serve(t, nil, listens("tcp", address), "docker-registry", "serve", config)
	idx := indexOf(t, amd64, arm64, none)
	push(t, address+"/team/app:1", idx)
	target := mustOpen(t, address+"/team/app:1", Options{})
	if string(target.Subject.Digest) != digestString(t, idx) || len(target.Images) != 2 {
		t.Fatalf("%+v with %d images", target.Subject, len(target.Images))
	}
	for _, img := range target.Images {
		readLayers(t, img)
	}
	_, err := Open(testContext(t), address+"/team/app:2", Options{})
	checkFailure(t, err, failure{says: []string{"no such image", "404"}})
	_, err = Open(testContext(t), address+"/nobody/nothing", Options{})
	checkFailure(t, err, failure{says: []string{"404"}})
}

func TestARealRegistryResumesBlobs(t *testing.T) {
	needs(t, "docker-registry")
	address := freeAddress(t)
	config := fileOf(t, "registry.yml", fmt.Appendf(nil,
		"version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n", t.TempDir(), address))
	serve(t, nil, listens("tcp", address), "docker-registry", "serve", config)
	push(t, address+"/app", bigImage(t))
	// Every connection that goes through here breaks after 1 MB.
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(to, from) }()
				_, _ = io.CopyN(from, to, 1<<20)
			}()
		}
	}()
	target := mustOpen(t, l.Addr().String()+"/app", impatient())
	readLayers(t, target.Images[0])
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().String()
}

func listens(network, address string) func() bool {
	return func() bool {
		conn, err := net.Dial(network, address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
}

func TestDockerDaemonAndWhatDockerSaves(t *testing.T) {
	needs(t, "dockerd", "docker")
	if os.Geteuid() != 0 {
		t.Skip("dockerd needs root")
	}
	dir := must[string](t)(os.MkdirTemp("", "cb"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "d.sock")
	serve(t, nil, listens("unix", socket), "dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/x", "--pidfile", dir+"/pid",
		"-H", "unix://"+socket, "--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false")
	env := []string{"DOCKER_HOST=unix://" + socket}
	_, layers, _ := saved(t)
	rootfs := fileOf(t, "rootfs.tar", []byte(layers[0]))
	mustRun(t, env, "docker", "import", rootfs, "team/app:1")
	o := Options{TempDir: emptyDir(t), Getenv: func(key string) string {
		return map[string]string{"DOCKER_HOST": "unix://" + socket}[key]
	}}
	fromDaemon := mustOpen(t, "docker:team/app:1", o)
	readLayers(t, fromDaemon.Images[0])

	file := filepath.Join(dir, "saved.tar")
	mustRun(t, env, "docker", "save", "-o", file, "team/app:1")
	fromFile := mustOpen(t, file, Options{})
	if fromFile.Subject.Digest != fromDaemon.Subject.Digest {
		t.Errorf("saved it is %s, from the daemon %s", fromFile.Subject.Digest, fromDaemon.Subject.Digest)
	}
	_, err := Open(testContext(t), "docker:team/app:2", o)
	checkFailure(t, err, failure{says: []string{"no such image", "team/app:2"}})
}

func TestPodmanServiceAndWhatPodmanSaves(t *testing.T) {
	needs(t, "podman")
	if os.Geteuid() != 0 {
		t.Skip("this test runs podman as root")
	}
	dir := must[string](t)(os.MkdirTemp("", "cb"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	env := []string{
		"CONTAINERS_CONF=" + fileOf(t, "containers.conf", []byte("[containers]\ndefault_ulimits=[\"nofile=1024:1024\",\"nproc=4096:4096\"]\n[engine]\nruntime=\"runc\"\n")),
	}
	podman := func(args ...string) []string {
		return append([]string{"--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"}, args...)
	}
	_, layers, _ := saved(t)
	rootfs := fileOf(t, "rootfs.tar", []byte(layers[0]))
	if out, err := run(t, env, "podman", podman("import", rootfs, "team/app:1")...); err != nil {
		t.Skipf("podman does not work here: %v\n%s", err, out)
	}
	archives := map[string]core.Digest{}
	for _, format := range []string{"oci-archive", "docker-archive"} {
		file := filepath.Join(dir, format+".tar")
		mustRun(t, env, "podman", podman("save", "--quiet", "--format", format, "-o", file, "team/app:1")...)
		target := mustOpen(t, file, Options{})
		readLayers(t, target.Images[0])
		archives[format] = target.Subject.Digest
	}
	socket := filepath.Join(dir, "p.sock")
	serve(t, env, listens("unix", socket), "podman", podman("system", "service", "--time", "0", "unix://"+socket)...)
	o := Options{TempDir: emptyDir(t), Getenv: func(key string) string {
		return map[string]string{"CONTAINER_HOST": "unix://" + socket}[key]
	}}
	target := mustOpen(t, "podman:localhost/team/app:1", o)
	readLayers(t, target.Images[0])
	if target.Subject.Digest != archives["docker-archive"] {
		t.Errorf("from the service it is %s, saved %s", target.Subject.Digest, archives["docker-archive"])
	}
	_, err := Open(testContext(t), "podman:localhost/team/app:2", o)
	checkFailure(t, err, failure{says: []string{"no such image"}})
}
