//go:build clients

package actions_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientReadme runs the steps that README.md shows, behind a job that says which digest it built. Only names and places of
// the example are others.
func TestClientReadme(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(clients.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)\\*\\*GitHub Actions\\*\\*.*?```yaml\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("README.md shows no steps for GitHub Actions")
	}
	project := clients.Prepare(t)
	project.Write(t, ".cleanbill.yaml", "version: 1\nname: example\nextends: standard\nstarter-ok: true\n")
	project.Write(t, "deploy", "#!/bin/sh\necho \"deployed $1\"\n")
	if err := os.Chmod(filepath.Join(project.Dir, "deploy"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range project.Scenarios()[:2] {
		t.Run(s.Name, func(t *testing.T) {
			image := strings.TrimPrefix(s.Target, "oci:")
			steps := string(found[1])
			for from, to := range map[string]string{
				"actions/checkout@<full commit SHA>":       "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8",
				"cleanbill-ci/cleanbill@<full commit SHA>": "cleanbill-ci/cleanbill@" + pin(t),
				"registry.example/team/app@":               project.Registry + "/" + image + "@",
			} {
				if !strings.Contains(steps, from) {
					t.Fatalf("the steps have no %s:\n%s", from, steps)
				}
				steps = strings.ReplaceAll(steps, from, to)
			}
			project.Write(t, ".github/workflows/readme.yml", "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n"+
				"    outputs: {digest: '${{ steps.build.outputs.digest }}'}\n    steps:\n      - id: build\n        run: echo digest="+
				project.Digests[image]+" >>\"$GITHUB_OUTPUT\"\n  gate:\n    needs: build\n    runs-on: ubuntu-latest\n    steps:\n      "+
				strings.ReplaceAll(strings.TrimSpace(steps), "\n", "\n      ")+"\n")
			if s.Name == project.Scenarios()[0].Name {
				project.Commit(t)
			}
			run := newAct(t, project.Dir).run(t, "push")
			run.expect(t, s)
			if deployed := strings.Contains(run.log, "deployed "+project.Digests[image]); deployed != (s.Exit == "0") {
				t.Errorf("deployed: %v\n%s", deployed, run.log)
			}
		})
	}
}
