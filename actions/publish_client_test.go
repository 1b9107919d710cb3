//go:build clients

package actions_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
	"github.com/cleanbill-ci/cleanbill/testdata/images"
)

// TestClientExamplesThatPublish runs the examples that build, push and sign, with a stand-in for docker, which gives them an
// image, and a registry on this machine. What passed is there under its name and stock cosign accepts it; of what did not,
// nothing is.
func TestClientExamplesThatPublish(t *testing.T) {
	const one, two = "publish", "publish-split"
	for kind, tc := range map[string]struct {
		spec     images.Spec
		examples []string
		passes   bool
		// instead is what the second job is given in place of what the first one saw; nil for that. forged lets it come with
		// evidence about it, and with a policy by which that passes.
		instead *images.Spec
		forged  bool
		says    string
	}{
		"passes":                       {images.Clean("amd64"), []string{one, two}, true, nil, false, "attested"},
		"is refused":                   {images.Vulnerable("amd64"), []string{one, two}, false, nil, false, "exit status 1"},
		"is replaced between the jobs": {images.Clean("amd64"), []string{two}, false, new(images.Clean("arm64")), false, ", not about sha256:"},
		"is replaced with its evidence and the policy": {images.Clean("amd64"), []string{two}, false, new(images.Vulnerable("amd64")), true,
			"exit status 1"},
	} {
		for _, example := range tc.examples {
			t.Run(example+", what "+kind, func(t *testing.T) {
				project := &clients.Project{Dir: t.TempDir()}
				project.Write(t, "policy.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
				project.Write(t, "main.go", "package main\n\nfunc main() {}\n")
				project.Copy(t, "examples/github/"+example+".yml", ".github/workflows/publish.yml")
				project.Commit(t)
				act := newAct(t, project.Dir)
				artifacts(t, act, tc.instead, tc.forged)
				image := startOlareg(t) + "/acme/app"
				keys, secrets := signingKey(t)
				act.env = append(act.env, "PATH="+standInDocker(t, tc.spec)+":"+os.Getenv("PATH"))
				run := act.run(t, "push", "--var", "IMAGE="+image, "--var", "POLICY=policy.yaml", "--var", "SIGNING_KEY=env://KEY",
					"--secret-file", secrets)
				if strings.Contains(run.log, "BEGIN ") {
					t.Errorf("the log shows a key\n%s", run.log)
				}
				repository, err := name.NewRepository(image, name.Insecure)
				if err != nil {
					t.Fatal(err)
				}
				tags, err := remote.List(repository)
				tag := strings.TrimSpace(commitOf(t, project.Dir))
				named := err == nil && strings.Contains(strings.Join(tags, "\n")+"\n", tag+"\n")
				if (run.exit == 0) != tc.passes || named != tc.passes || !strings.Contains(run.log, tc.says) {
					t.Fatalf("act ended with %d, the tags are %q, %v\n%s", run.exit, tags, err, run.log)
				}
				if !tc.passes {
					return
				}
				root := filepath.Join(keys, "root.json")
				if err := os.WriteFile(root, []byte(`{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), 0o600); err != nil {
					t.Fatal(err)
				}
				for _, args := range [][]string{{"verify"}, {"verify-attestation", "--type", "https://slsa.dev/verification_summary/v1"}} {
					args = append(args, "--key", filepath.Join(keys, "cosign.pub"), "--new-bundle-format", "--trusted-root", root,
						"--insecure-ignore-tlog", "--allow-http-registry", image+":"+tag)
					if out, code := clients.Run(t, keys, []string{"HOME=" + keys}, clients.Tool(t, "cosign"), args...); code != 0 {
						t.Errorf("cosign %q: %d\n%.2000s", args, code, out)
					}
				}
			})
		}
	}
}

// artifacts gives act stand-ins for the actions that hand files from job to job, whose service only GitHub has. They hand on
// another image, if there is one.
func artifacts(t *testing.T, a *act, instead *images.Spec, forged bool) {
	t.Helper()
	kept, replace := t.TempDir(), ""
	if instead != nil {
		replace = "; " + archive(t, *instead, `"$KEPT/image.tar"`)
	}
	if forged {
		const lax = `printf 'version: 1\nextends: none\nstarter-ok: true\nrequire: [packages]\nrules: []\n' >policy.yaml`
		replace += `; cd "$KEPT"; ` + lax + `; cleanbill gate oci:image.tar --policy policy.yaml --output json=evidence.json --advisories starter >/dev/null`
	}
	action := func(run string) string {
		return "name: artifact\ndescription: artifact\ninputs:\n  name: {description: n}\n  path: {description: p}\n" +
			"runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n        FILES: ${{ inputs.path }}\n        KEPT: " + kept + "\n      run: |\n        " + run + "\n"
	}
	for uses, run := range map[string]string{
		"actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02":   `xargs -d '\n' -I{} cp {} "$KEPT/" <<<"${FILES%$'\n'}"` + replace,
		"actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093": `mkdir -p "${FILES:-.}"; cp "$KEPT"/* "${FILES:-.}/"`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "action.yml"), []byte(action(run)), 0o644); err != nil {
			t.Fatal(err)
		}
		a.args = append(a.args, "--local-repository", uses+"="+dir)
	}
}

// archive is the command that writes an image to a file.
func archive(t *testing.T, spec images.Spec, file string) string {
	t.Helper()
	layout := filepath.Join(t.TempDir(), "image")
	image, err := images.Build(spec)
	if err == nil {
		err = images.WriteLayout(layout, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("tar -C '%s' -cf %s .", layout, file)
}

// standInDocker is the directory of a docker whose build is an image, and whose registries everybody may write to.
func standInDocker(t *testing.T, spec images.Spec) string {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
case "$1 $2 $3 $4" in
'buildx build --output type=oci,dest=image.tar') exec %s ;;
'login 127.0.0.1:'*) exec cat >/dev/null ;;
esac
echo "docker $*?" >&2
exit 1
`, archive(t, spec, "image.tar"))
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// signingKey makes a key, and a file of secrets for act.
func signingKey(t *testing.T) (dir, secrets string) {
	t.Helper()
	dir = t.TempDir()
	if out, code := clients.Run(t, dir, []string{"COSIGN_PASSWORD=secret"}, clients.Tool(t, "cosign"), "generate-key-pair"); code != 0 {
		t.Fatalf("cosign generate-key-pair: %d\n%s", code, out)
	}
	private, err := os.ReadFile(filepath.Join(dir, "cosign.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets = filepath.Join(dir, "secrets")
	lines := fmt.Sprintf("SIGNING_KEY=%q\nSIGNING_PASSWORD=secret\nGITHUB_TOKEN=token-of-the-job\n", private)
	if err := os.WriteFile(secrets, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, secrets
}

// startOlareg starts a registry that lists referrers, and returns its address.
func startOlareg(t *testing.T) string {
	t.Helper()
	return clients.Serving(t, func(port string) *exec.Cmd {
		return exec.CommandContext(t.Context(), clients.Tool(t, "olareg"), "serve", "--addr", "127.0.0.1", "--port", port, "--store-type", "mem")
	})
}
