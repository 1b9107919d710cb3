//go:build clients

package gitlab_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientGitLabInclude plays the scenarios through the example pipelines, which include the templates.
func TestClientGitLabInclude(t *testing.T) {
	for _, example := range []string{"gate", "split"} {
		t.Run(example, func(t *testing.T) {
			project := clients.Prepare(t)
			project.Copy(t, "examples/gitlab/"+example+".yml", ".gitlab-ci.yml")
			for _, template := range templates(t) {
				project.Copy(t, "gitlab/"+template, "gitlab/"+template)
			}
			project.Commit(t)
			for _, s := range project.Scenarios() {
				t.Run(s.Name, func(t *testing.T) {
					p := play(t, project, "APP_IMAGE="+s.Target, "APP_POLICY="+s.Policy)
					p.compare(t, s, example == "split")
					said := p.variables
					if len(said) == 0 { // the scan could not look, and the gate did not run
						said = p.dotenv(t, "cleanbill_scan")
					}
					project.Play(t, s).Compare(t, factsIn(said), clients.Outputs())
					if strings.Contains(p.log, "deploy sha256:") != (s.Exit == "0") {
						t.Errorf("the verdict is %s, and whether a later job ran does not follow from it:\n%s", s.Result, p.log)
					}
					if s.Result == "passed" && p.variables["CLEANBILL_DIGEST"] != project.Clean {
						t.Errorf("judged %s, want %s", p.variables["CLEANBILL_DIGEST"], project.Clean)
					}
				})
			}
		})
	}
}

// TestClientGitLabSource judges sources and an image together.
func TestClientGitLabSource(t *testing.T) {
	for name, tc := range map[string]struct {
		file, content, result string
	}{
		"pass":   {"src/README", "Nothing here.\n", "passed"},
		"refuse": {"src/deploy.sh", "export GITHUB_TOKEN=" + "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345\n", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			project := clients.Prepare(t)
			project.Copy(t, "examples/gitlab/source.yml", ".gitlab-ci.yml")
			project.Copy(t, "gitlab/templates/cleanbill.yml", "gitlab/templates/cleanbill.yml")
			project.Write(t, tc.file, tc.content)
			project.Commit(t)
			p := play(t, project, "APP_LAYOUT=clean", "APP_POLICY=policy.yaml")
			if p.variables["CLEANBILL_RESULT"] != tc.result || (p.code == 0) != (tc.result == "passed") {
				t.Errorf("ended with %d, %v\n%s", p.code, p.variables, p.log)
			}
		})
	}
}

// TestClientGitLabComponent runs the component's own pipeline, with this directory as the root of its project.
func TestClientGitLabComponent(t *testing.T) {
	project := clients.Prepare(t)
	for _, file := range append([]string{".gitlab-ci.yml", "README.md", "LICENSE.md"}, templates(t)...) {
		project.Copy(t, "gitlab/"+file, file)
	}
	project.Commit(t)
	for _, s := range project.Scenarios()[:2] {
		t.Run(s.Name, func(t *testing.T) {
			play(t, project, "CLEANBILL_TEST_TARGET="+s.Target, "CLEANBILL_TEST_POLICY="+s.Policy).compare(t, s, false)
		})
	}
}

// TestClientGitLabPush pushes what passed, signed with a key, and nothing else.
func TestClientGitLabPush(t *testing.T) {
	key := filepath.Join(t.TempDir(), "cosign.key")
	writeKey(t, key)
	for story, tc := range map[string]struct {
		layout, protected string
		pushed, ends      bool
	}{
		"what passed":      {"clean", "true", true, true},
		"what is refused":  {"vulnerable", "true", false, false},
		"of a free branch": {"clean", "false", false, true},
	} {
		t.Run(story, func(t *testing.T) {
			project := clients.Prepare(t)
			project.Copy(t, "examples/gitlab/push.yml", ".gitlab-ci.yml")
			for _, template := range templates(t) {
				project.Copy(t, "gitlab/"+template, "gitlab/"+template)
			}
			project.Commit(t)
			image := project.Registry + "/team/app:1"
			p := play(t, project, "APP_LAYOUT="+tc.layout, "APP_POLICY=policy.yaml", "APP_IMAGE="+image, "APP_KEY="+key,
				"CI_COMMIT_REF_PROTECTED="+tc.protected)
			ref, err := name.ParseReference(image)
			if err != nil {
				t.Fatal(err)
			}
			head, err := remote.Head(ref)
			if (err == nil) != tc.pushed || (p.code == 0) != tc.ends {
				t.Errorf("ended with %d, and in the registry: %v\n%s", p.code, err, p.log)
			}
			if tc.pushed && (head.Digest.String() != project.Clean || !strings.Contains(p.log, "deploy "+project.Clean)) {
				t.Errorf("pushed %s, want %s\n%s", head.Digest, project.Clean, p.log)
			}
		})
	}
}

// writeKey makes a private key in the form of cosign's without a password.
func writeKey(t *testing.T, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// templates are the files of the component, relative to this directory.
func templates(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("templates/*.yml")
	if err != nil || len(found) != 3 {
		t.Fatalf("found %v, %v", found, err)
	}
	return found
}

// played is a pipeline that was run.
type played struct {
	log  string
	code int
	// dir holds the artifacts of the gate's job, and variables are its dotenv report.
	dir       string
	variables map[string]string
}

// factsIn are the facts among variables.
func factsIn(variables map[string]string) map[string]string {
	facts := map[string]string{}
	for name, value := range variables {
		facts[strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "CLEANBILL_"), "_", "-"))] = value
	}
	return facts
}

// play runs a pipeline.
func play(t *testing.T, project *clients.Project, variables ...string) played {
	t.Helper()
	clients.Tool(t, "cleanbill") // the job finds it on the PATH, as in its image
	args := []string{"--force-shell-executor", "--shell-isolation", "--variable", "CLEANBILL_IMAGE=registry.example/cleanbill@sha256:0",
		"--variable", "CLEANBILL_ADVISORIES=starter",
		// The client's own value is that of a container, also where the shell runs the jobs of an image.
		"--variable", "CI_PROJECT_DIR=."}
	for _, v := range variables {
		args = append(args, "--variable", v)
	}
	artifacts := filepath.Join(project.Dir, ".gitlab-ci-local", "artifacts")
	if err := os.RemoveAll(artifacts); err != nil { // of the pipeline before
		t.Fatal(err)
	}
	p := played{dir: filepath.Join(artifacts, "cleanbill"), variables: map[string]string{}}
	p.log, p.code = clients.Run(t, project.Dir, nil, clients.Tool(t, "gitlab-ci-local"), args...)
	p.variables = p.dotenv(t, "cleanbill")
	return p
}

// dotenv reads the variables that a job left; none if it did not run.
func (p played) dotenv(t *testing.T, job string) map[string]string {
	t.Helper()
	variables := map[string]string{}
	report, err := os.ReadFile(filepath.Join(filepath.Dir(p.dir), job, ".gitlab-ci-reports", "dotenv", "cleanbill.env"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(report)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[name] = value
	}
	return variables
}

// compare holds a pipeline to what has to come of it.
func (p played) compare(t *testing.T, s clients.Scenario, split bool) {
	t.Helper()
	if (p.code == 0) != (s.Exit == "0") {
		t.Errorf("the pipeline ended with %d, want the job to end with %s\n%s", p.code, s.Exit, p.log)
	}
	got, dir := p.variables, p.dir
	if split {
		dir = filepath.Join(filepath.Dir(p.dir), "cleanbill_scan")
		scan := p.dotenv(t, "cleanbill_scan")
		// Where nothing could be looked at, the scan itself fails, and there is nothing for the gate to end with.
		if looked := scan["CLEANBILL_DIGEST"] != ""; looked != (len(got) > 0) {
			t.Errorf("the scan says %v and the gate %v\n%s", scan, got, p.log)
		}
		if len(got) == 0 {
			got = scan
		}
	}
	if got["CLEANBILL_RESULT"] != s.Result || got["CLEANBILL_EXIT_CODE"] != s.Exit {
		t.Errorf("got result %s and exit code %s, want %s and %s\n%s", got["CLEANBILL_RESULT"], got["CLEANBILL_EXIT_CODE"], s.Result, s.Exit, p.log)
	}
	if s.Result == "passed" || s.Result == "refused" {
		if info, err := os.Stat(filepath.Join(dir, "cleanbill.json")); err != nil || info.Size() == 0 {
			t.Errorf("the artifact cleanbill.json: %v\n%s", err, p.log)
		}
		flaws := 0
		for kind, file := range map[string]string{"container_scanning": "gl-container-scanning-report.json", "sast": "gl-sast-report.json",
			"dependency_scanning": "gl-dependency-scanning-report.json", "secret_detection": "gl-secret-detection-report.json",
			"codequality": "gl-code-quality-report.json", "junit": "cleanbill.junit.xml", "cyclonedx": "gl-sbom-cleanbill-1.cdx.json"} {
			content, err := os.ReadFile(filepath.Join(dir, file)) // the client keeps reports that are artifacts too
			if err != nil {
				t.Errorf("the report %s: %v\n%s", kind, err, p.log)
				continue
			}
			flaws += checkReport(t, kind, content)
		}
		if s.Result == "refused" && flaws == 0 {
			t.Error("what is refused is in no security report")
		}
	}
}
