package main

import (
	"archive/tar"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const commit = "0123456789012345678901234567890123456789"

// source is a small program, in a directory of its own.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/program\n\ngo 1.24\n",
		"main.go": "package main\n\nvar version, commit string\n\nfunc main() { println(version, commit) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func build(t *testing.T, args ...string) string {
	t.Helper()
	out := t.TempDir()
	args = append([]string{"--version", "v1.2.3", "--commit", commit, "--source", source(t), "--out", out}, args...)
	if err := run(context.Background(), args); err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheSameSourcesInAnotherPlaceGiveTheSameRelease(t *testing.T) {
	const platforms = "linux/amd64,linux/arm64,darwin/arm64"
	first, second := build(t, "--platforms", platforms), build(t, "--platforms", platforms)
	if a, b := read(t, filepath.Join(first, recordFile)), read(t, filepath.Join(second, recordFile)); a != b {
		t.Errorf("the programs differ:\n%s\n%s", a, b)
	}
	if a, b := read(t, filepath.Join(first, "image", "index.json")), read(t, filepath.Join(second, "image", "index.json")); a != b {
		t.Errorf("the images differ:\n%s\n%s", a, b)
	}
}

func TestTheProgramKnowsWhatItIs(t *testing.T) {
	here := runtime.GOOS + "/" + runtime.GOARCH
	out := build(t, "--platforms", here)
	said, err := exec.Command(filepath.Join(out, "cleanbill_"+runtime.GOOS+"_"+runtime.GOARCH)).CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != "v1.2.3 "+commit {
		t.Errorf("it says %q, %v", said, err)
	}
}

func TestTheRecordIsWhatSha256sumChecks(t *testing.T) {
	out := build(t, "--platforms", "linux/amd64,darwin/arm64")
	lines := strings.SplitAfter(read(t, filepath.Join(out, recordFile)), "\n")
	if lines[0] != "version v1.2.3\n" || lines[1] != "commit "+commit+"\n" || len(lines) != 5 {
		t.Fatalf("the record is %q", lines)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "-")
	check.Dir, check.Stdin = out, strings.NewReader(lines[2]+lines[3])
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// imageFor opens the image for linux/amd64.
func imageFor(t *testing.T, out string) v1.Image {
	t.Helper()
	root, err := layout.ImageIndexFromPath(filepath.Join(out, "image"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := findPlatform(root, target{"linux", "amd64"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	return img
}

// files lists the files of an image with their contents; directories have a slash at the end.
func files(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for tr := tar.NewReader(r); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			found[h.Name] = string(content)
			if h.Mode&0o022 != 0 || h.Uid != 0 || h.ModTime.Unix() != 0 {
				t.Errorf("%s: mode %o, owner %d, time %v", h.Name, h.Mode, h.Uid, h.ModTime)
			}
		}
	}
	return found
}

func TestTheImageHasTheProgramCertificatesAndNothingElse(t *testing.T) {
	out := build(t, "--platforms", "linux/amd64,linux/arm64,darwin/arm64")
	img := imageFor(t, out)
	found := files(t, img)
	if found["usr/bin/cleanbill"] != read(t, filepath.Join(out, "cleanbill_linux_amd64")) {
		t.Error("the image has another program")
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(found["etc/ssl/certs/ca-certificates.crt"])) {
		t.Error("no root certificate can be read")
	}
	for name := range found {
		if !strings.HasSuffix(name, "/") && name != "usr/bin/cleanbill" && name != "etc/ssl/certs/ca-certificates.crt" {
			t.Errorf("it also has %s", name)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != nobody || config.Config.Entrypoint[0] != "/usr/bin/cleanbill" ||
		config.Config.Labels["org.opencontainers.image.revision"] != commit {
		t.Errorf("its configuration is %+v", config.Config)
	}
}

func TestABaseComesFirst(t *testing.T) {
	base := filepath.Join(build(t, "--platforms", "linux/amd64"), "image")
	out := build(t, "--platforms", "linux/amd64", "--base", base)
	layers, err := imageFor(t, out).Layers()
	if err != nil || len(layers) != 4 {
		t.Errorf("%d layers, %v; want the two of the base and two more", len(layers), err)
	}
	err = run(context.Background(), []string{"--version", "v1.2.3", "--commit", commit, "--source", source(t),
		"--out", t.TempDir(), "--platforms", "linux/arm64", "--base", base})
	if err == nil || !strings.Contains(err.Error(), "the base has no image for it") {
		t.Errorf("a base without the platform: %v", err)
	}
}

func TestWhatIsNoReleaseIsRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"no version":        {"--commit", commit, "--out", "x"},
		"a word as version": {"--version", "latest", "--commit", commit, "--out", "x"},
		"a short commit":    {"--version", "v1.2.3", "--commit", "0123456", "--out", "x"},
		"nowhere":           {"--version", "v1.2.3", "--commit", commit},
		"no platform":       {"--version", "v1.2.3", "--commit", commit, "--out", "x", "--platforms", "linux"},
		"something behind":  {"--version", "v1.2.3", "--commit", commit, "--out", "x", "more"},
	} {
		if err := run(context.Background(), args); err == nil {
			t.Errorf("%s: made a release", name)
		}
	}
}
