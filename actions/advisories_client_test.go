//go:build clients

package actions_test

import (
	"archive/zip"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientAdvisoriesArePublishedSigned runs the workflow that publishes the set, with act, against exports and a
// registry on this machine, and then uses what it published as everybody does.
func TestClientAdvisoriesArePublishedSigned(t *testing.T) {
	root := clients.Root(t)
	bucket := httptest.NewServer(http.FileServer(http.Dir(exports(t))))
	defer bucket.Close()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	to := strings.TrimPrefix(server.URL, "http://") + "/acme/advisories"

	keys := t.TempDir()
	if out, code := clients.Run(t, keys, []string{"COSIGN_PASSWORD=secret"}, clients.Tool(t, "cosign"), "generate-key-pair"); code != 0 {
		t.Fatalf("cosign generate-key-pair: %d\n%s", code, out)
	}
	private, err := os.ReadFile(filepath.Join(keys, "cosign.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := filepath.Join(keys, "secrets")
	lines := fmt.Sprintf("COSIGN_PRIVATE_KEY=%q\nCOSIGN_PASSWORD=secret\n", private)
	if err := os.WriteFile(secrets, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	act := newAct(t, clone(t, root))
	act.args = append(act.args, "--local-repository", "actions/setup-go@4dc6199c7b1a012772edbd06daecab0f50c9053c="+nothing(t))
	run := act.run(t, "workflow_dispatch", "-W", advisoriesFile, "--input", "from="+bucket.URL, "--input", "to="+to, "--secret-file", secrets)
	if run.exit != 0 {
		t.Fatalf("act ended with %d\n%s", run.exit, run.log)
	}
	if strings.Contains(run.log, "BEGIN ENCRYPTED") {
		t.Error("the log shows the key")
	}

	env := []string{"CLEANBILL_CACHE_DIR=" + t.TempDir()}
	cleanbill := clients.Tool(t, "cleanbill")
	out, code := clients.Run(t, root, env, cleanbill, "advisories", "verify", to+":v2", "--key", filepath.Join(keys, "cosign.pub"))
	if code != 0 || !regexp.MustCompile(`signed by +\S*cosign\.pub`).MatchString(out) {
		t.Errorf("verify: %d\n%s", code, out)
	}
	if out, code := clients.Run(t, root, env, clients.Tool(t, "cosign"), "verify", "--key", filepath.Join(keys, "cosign.pub"),
		"--insecure-ignore-tlog", to+":v2"); code != 0 {
		t.Errorf("cosign verify: %d\n%s", code, out)
	}
	if out, code := clients.Run(t, root, env, cleanbill, "advisories", "query", "CVE-2023-44487", "--advisories", to+":v2"); code != 0 ||
		!strings.Contains(out, "golang.org/x/net") {
		t.Errorf("query: %d\n%s", code, out)
	}
	other := t.TempDir()
	if out, code := clients.Run(t, other, []string{"COSIGN_PASSWORD="}, clients.Tool(t, "cosign"), "generate-key-pair"); code != 0 {
		t.Fatalf("cosign generate-key-pair: %d\n%s", code, out)
	}
	if out, code := clients.Run(t, root, env, cleanbill, "advisories", "verify", to+":v2", "--key", filepath.Join(other, "cosign.pub")); code != 3 ||
		!strings.Contains(out, "trusted signer") {
		t.Errorf("verify with another key: %d\n%s", code, out)
	}
}

// exports are a few records in the layout of the public bucket.
func exports(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"ecosystems.txt":  "Go\n",
		"kev.json":        `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2023-44487","dateAdded":"2023-10-10"}]}`,
		"eol-distros.csv": "distro,release,eol\ndebian,12,2026-06-10\n",
		"epss.csv.gz":     "cve,epss,percentile\nCVE-2023-44487,0.9,0.99\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "Go"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "Go", "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	w, err := z.Create("GO-2023-2102.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, `{"id":"GO-2023-2102","modified":"2024-05-20T16:03:47Z","aliases":["CVE-2023-44487"],"affected":[{"package":
		{"ecosystem":"Go","name":"golang.org/x/net"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.17.0"}]}]}]}`); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// clone is a checkout of this repository as it is committed, with the workflow as it stands.
func clone(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	if out, code := clients.Run(t, root, nil, "git", "clone", "--quiet", root, dir); code != 0 {
		t.Fatalf("git clone: %d\n%s", code, out)
	}
	return dir
}

// nothing is an action that does nothing: Go is there already.
func nothing(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	action := "name: nothing\ndescription: nothing\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: go version\n"
	if err := os.WriteFile(filepath.Join(dir, "action.yml"), []byte(action), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
