package tekton

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/rule"
	"github.com/cleanbill-ci/cleanbill/core/misconfig/yamldoc"
)

func task(step string) string {
	return "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec:\n  steps:\n    - {name: s, " + step + "}\n"
}

func TestEveryPlaceOfATaskIsExamined(t *testing.T) {
	const spec = "{steps: [{name: s, securityContext: {privileged: true}}]}"
	for _, text := range []string{
		"kind: Task\nspec: " + spec + "\n", "kind: TaskRun\nspec: {taskSpec: " + spec + "}\n",
		"kind: Pipeline\nspec: {tasks: [{name: a, taskSpec: " + spec + "}]}\n",
		"kind: PipelineRun\nspec: {pipelineSpec: {finally: [{name: a, taskSpec: " + spec + "}]}}\n",
		"kind: StepAction\nspec: {securityContext: {privileged: true}}\n",
	} {
		family.Flags(t, "tekton-privileged", "apiVersion: tekton.dev/v1\n"+text)
	}
}

func TestParametersInScriptsAreFound(t *testing.T) {
	family.Flags(t, "tekton-script-injection", task("script: 'echo $(params.url) $(params.url)'"),
		task("script: 'echo $(params[\"a.b\"])'"), task("command: [sh, -c], args: ['echo $(params.url)']"))
	family.Spares(t, "tekton-script-injection", task("script: 'echo \"$URL\"', env: [{name: URL, value: $(params.url)}]"),
		task("command: [git], args: [clone, $(params.url)]"), task("script: 'cat $(workspaces.x.path)/a'"))
	family.Is(t, "tekton-script-injection", "kind: Task\nspec:\n  steps:\n    - name: s\n      script: |\n        true\n     "+
		"   echo $(params.x)\n", core.SeverityMedium, 7)
}

func TestPrivilegedStepsAreFound(t *testing.T) {
	family.Flags(t, "tekton-privileged", task("securityContext: {privileged: true}"))
	family.Spares(t, "tekton-privileged", task("securityContext: {privileged: false}"), task("image: a"))
}

func TestPathsOfTheNodeAreFound(t *testing.T) {
	family.Flags(t, "tekton-host-path", "kind: Task\nspec: {steps: [], volumes: [{name: v, hostPath: {path: "+
		"/var/run/docker.sock}}]}\n")
	family.Spares(t, "tekton-host-path", "kind: Task\nspec: {steps: [], volumes: [{name: v, emptyDir: {}}]}\n")
}

func TestUnpinnedImagesAreFound(t *testing.T) {
	family.Flags(t, "tekton-unpinned-image", task("image: 'a:1'"), task("image: a"))
	family.Spares(t, "tekton-unpinned-image", task("image: 'a@sha256:0'"), task("image: $(params.image)"))
}

func TestUnpinnedReferencesAreFound(t *testing.T) {
	run := func(params string) string {
		return "kind: PipelineRun\nspec: {pipelineRef: {resolver: " + params + "}}\n"
	}
	family.Flags(t, "tekton-unpinned-reference", run("git, params: [{name: revision, value: main}]"), run("git, params: []"),
		run("bundles, params: [{name: bundle, value: 'a:1'}]"), run("http, params: [{name: url, value: "+
			"'https://x.example'}]"))
	family.Spares(t, "tekton-unpinned-reference", run("git, params: [{name: revision, value: "+
		"'0123456789012345678901234567890123456789'}]"), run("bundles, params: [{name: bundle, value: 'a@sha256:0'}]"),
		"kind: TaskRun\nspec: {taskRef: {name: a}}\n")
}

func TestCurlPipeShellIsFound(t *testing.T) {
	family.Flags(t, "tekton-curl-pipe-shell", task("script: 'curl x | sh'"))
	family.Spares(t, "tekton-curl-pipe-shell", task("script: \"#!/usr/bin/env python3\\ncurl | sh\""),
		task("script: 'curl x -o y'"))
}

// TestRealTasksAreRead reads tasks and pipelines of others. What each rule finds there was looked at by people.
func TestRealTasksAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "tekton")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the folder shared is not beside the repository")
	}
	counts, files := map[string]int{}, 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		files++
		docs, err := yamldoc.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		var objects []Object
		for _, d := range docs {
			objects = append(objects, Object{Kind: d.Get("kind").Text(), Name: d.Get("metadata", "name").Text(), Node: d})
		}
		s := rule.NewSource(p, text)
		c := rule.NewCollector(s)
		Examine(context.Background(), c, s, objects)
		for _, f := range c.Found(func(string) bool { return true }).Findings {
			counts[f.Rule]++
			t.Logf("%s:%d %s %s", filepath.Base(p), f.Locations[0].Line, f.Rule, f.Title)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"tekton-script-injection": 81, "tekton-unpinned-image": 57, "tekton-unpinned-reference": 13}
	if files < 60 || !maps.Equal(counts, want) {
		t.Errorf("%d files: %v, want %v", files, counts, want)
	}
}
