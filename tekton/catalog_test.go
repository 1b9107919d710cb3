package tekton_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// stepSpec is the part of a Task's step, or of a StepAction, that a container is made of.
type stepSpec struct {
	Image, Script string
	Command, Args []string
	OnError       string `yaml:"onError"`
	Env           []struct{ Name, Value string }
	Security      struct {
		NonRoot      bool  `yaml:"runAsNonRoot"`
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		User         *int  `yaml:"runAsUser"`
		Capabilities struct{ Drop []string }
		Seccomp      struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
}

// manifest is a Task, a StepAction or a Pipeline of the catalog.
type manifest struct {
	path     string
	Kind     string
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Spec struct {
		stepSpec    `yaml:",inline"`
		Description string
		Params      []struct {
			Name, Type, Description string
			Default                 any
		}
		Workspaces []struct{ Name, Description string }
		Results    []struct{ Name, Description string }
		Steps      []stepSpec
	}
}

// steps are what containers are made of, however the kind says it.
func (m manifest) steps() []stepSpec {
	if m.Kind == "StepAction" {
		return []stepSpec{m.Spec.stepSpec}
	}
	return m.Spec.Steps
}

func (m manifest) results() []string {
	var names []string
	for _, r := range m.Spec.Results {
		names = append(names, r.Name)
	}
	return names
}

func readManifest(t *testing.T, path string) manifest {
	t.Helper()
	m := manifest{path: path}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// catalog is everything that this repository publishes for Tekton.
func catalog(t *testing.T) []manifest {
	t.Helper()
	paths, err := filepath.Glob("*/*/*/*.yaml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%v, %v", paths, err)
	}
	var all []manifest
	for _, path := range paths {
		all = append(all, readManifest(t, path))
	}
	return all
}

// https://github.com/tektoncd/catalog/blob/main/recommendations.md and
// https://github.com/tektoncd/community/blob/main/teps/0003-tekton-catalog-organization.md
func TestTheCatalogIsLaidOutAsTektonsIs(t *testing.T) {
	for _, m := range catalog(t) {
		t.Run(m.path, func(t *testing.T) {
			parts := strings.Split(filepath.ToSlash(m.path), "/")
			kind, name, version := parts[0], parts[1], parts[2]
			if kind != strings.ToLower(m.Kind) || name != m.Metadata.Name || parts[3] != name+".yaml" {
				t.Errorf("%s holds the %s %s", m.path, m.Kind, m.Metadata.Name)
			}
			if got := m.Metadata.Labels["app.kubernetes.io/version"]; got != version {
				t.Errorf("its version is %q", got)
			}
			for _, a := range []string{"pipelines.minVersion", "categories", "tags", "displayName", "platforms"} {
				if m.Metadata.Annotations["tekton.dev/"+a] == "" {
					t.Errorf("it has no annotation tekton.dev/%s", a)
				}
			}
			dir := filepath.Dir(m.path)
			for _, file := range []string{filepath.Join(filepath.Dir(dir), "OWNERS"), filepath.Join(kind, "artifacthub-repo.yml")} {
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			}
			if samples, _ := filepath.Glob(filepath.Join(dir, "samples", "*.yaml")); len(samples) == 0 {
				t.Error("it has no sample")
			}
			readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			describes := func(what, name, description string) {
				if !bytes.Contains(readme, []byte("`"+name+"`")) || description == "" && what != "result" {
					t.Errorf("nothing describes the %s %s", what, name)
				}
			}
			for _, p := range m.Spec.Params {
				describes("parameter", p.Name, p.Description)
			}
			for _, w := range m.Spec.Workspaces {
				describes("workspace", w.Name, w.Description)
			}
			for _, r := range m.Spec.Results {
				describes("result", r.Name, r.Description)
			}
		})
	}
}

func TestEveryStepIsConfined(t *testing.T) {
	for _, m := range catalog(t) {
		for _, s := range m.steps() {
			c := s.Security
			if !c.NonRoot || !c.ReadOnly || c.Escalation == nil || *c.Escalation || c.User != nil ||
				!slices.Equal(c.Capabilities.Drop, []string{"ALL"}) || c.Seccomp.Type != "RuntimeDefault" {
				t.Errorf("%s: %+v", m.path, c)
			}
		}
	}
}

// A parameter in a script, or behind an option that takes a program, is a program of whoever sets it.
func TestParametersAreNeverPartOfAScript(t *testing.T) {
	for _, m := range catalog(t) {
		data, err := os.ReadFile(m.path)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^[\s-]*script:`).Match(data) {
			t.Errorf("%s has a script", m.path)
		}
		for _, s := range m.steps() {
			if !slices.Equal(s.Command, []string{"cleanbill"}) || len(s.Args) < 3 || strings.Contains(s.Args[0], "$") {
				t.Errorf("%s runs %q %q", m.path, s.Command, s.Args)
			}
		}
	}
}

func TestManifestsDeclareWhatTheAdapterWrites(t *testing.T) {
	for _, m := range catalog(t) {
		want := resultNames
		if m.Metadata.Name == "cleanbill-push" {
			want = append(slices.Clone(resultNames), pushedNames...)
		}
		for _, s := range m.steps() {
			if s.Args[0] != "tekton" {
				continue // a command of the program, not the adapter
			}
			var passed []string
			for _, e := range s.Env {
				name, found := strings.CutPrefix(e.Name, "CLEANBILL_RESULT_")
				if !found {
					continue
				}
				if e.Value != "$(results."+name+".path)" && e.Value != "$(step.results."+name+".path)" {
					t.Errorf("%s: the variable of %s has the path %s", m.path, name, e.Value)
				}
				passed = append(passed, name)
			}
			sorted := cmp.Transformer("sort", func(in []string) []string { return slices.Sorted(slices.Values(in)) })
			if diff := cmp.Diff(want, passed, sorted) + cmp.Diff(want, m.results(), sorted); diff != "" {
				t.Errorf("%s (-want +got):\n%s", m.path, diff)
			}
		}
	}
}

// A result whose name ends like these makes Tekton Chains sign provenance for an image that the Task did not build.
//
// https://tekton.dev/docs/chains/slsa-provenance/#type-hinting
func TestOnlyAPushLooksLikeABuild(t *testing.T) {
	for _, m := range catalog(t) {
		if m.Metadata.Name == "cleanbill-push" || m.Metadata.Name == "cleanbill-release" {
			continue
		}
		for _, name := range m.results() {
			for _, suffix := range []string{"IMAGE_URL", "IMAGE_DIGEST", "ARTIFACT_URI", "ARTIFACT_DIGEST", "ARTIFACT_OUTPUTS"} {
				if strings.HasSuffix(name, suffix) || name == "IMAGES" {
					t.Errorf("%s: the result %s is a type hint of Chains", m.path, name)
				}
			}
		}
	}
}

const schemas = "../../shared/schemas"

// compile returns the schema of a document, or skips where the data beside the repository is not there.
func compile(t *testing.T, schema any) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func readShared(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(schemas, path))
	if err != nil {
		t.Skipf("there is no folder shared beside the repository with the schema: %v", err)
	}
	return data
}

func TestArtifactHubReadsWhatIsBesideThePackages(t *testing.T) {
	var schema any
	if err := json.Unmarshal(readShared(t, "artifacthub-repo.json"), &schema); err != nil {
		t.Fatal(err)
	}
	compiled := compile(t, schema)
	for _, kind := range []string{"task", "stepaction", "pipeline"} {
		data, err := os.ReadFile(filepath.Join(kind, "artifacthub-repo.yml"))
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := yaml.Unmarshal(data, &document); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(document); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestManifestsKeepTektonsSchemas holds all manifests to the definitions that a cluster has of Tekton's resources. A cluster
// drops fields that are not in them: here they are an error.
func TestManifestsKeepTektonsSchemas(t *testing.T) {
	readShared(t, "tekton/300-task.yaml")
	var paths []string
	for _, pattern := range []string{"*/*/*/*.yaml", "*/*/*/*/*.yaml", "../examples/tekton/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		paths = append(paths, found...)
	}
	compiled := map[string]*jsonschema.Schema{}
	checked := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var document map[string]any
			if err := documents.Decode(&document); err != nil {
				break
			}
			group, version, _ := strings.Cut(document["apiVersion"].(string), "/")
			if group != "tekton.dev" {
				continue
			}
			kind := strings.ToLower(document["kind"].(string))
			if compiled[kind] == nil {
				compiled[kind] = compile(t, definition(t, kind, version))
			}
			checked++
			if err := compiled[kind].Validate(document); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if checked < len(paths) {
		t.Errorf("%d files hold %d documents of Tekton", len(paths), checked)
	}
	broken := map[string]any{"apiVersion": "tekton.dev/v1", "kind": "Task", "spec": map[string]any{"step": []any{}}}
	if compiled["task"].Validate(broken) == nil {
		t.Error("a misspelled field is accepted")
	}
}

// definition returns the schema of a kind in one version, from its CustomResourceDefinition.
func definition(t *testing.T, kind, version string) any {
	t.Helper()
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPI map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(readShared(t, "tekton/300-"+kind+".yaml"), &crd); err != nil {
		t.Fatal(err)
	}
	for _, v := range crd.Spec.Versions {
		if v.Name == version {
			return strict(v.Schema.OpenAPI)
		}
	}
	t.Fatalf("%s has no version %s", kind, version)
	return nil
}

// strict lets objects have no other fields than those that a schema lists, if it lists any.
func strict(schema any) any {
	switch s := schema.(type) {
	case map[string]any:
		for key, value := range s {
			s[key] = strict(value)
		}
		_, lists := s["properties"].(map[string]any)
		if _, open := s["x-kubernetes-preserve-unknown-fields"]; lists && !open && s["type"] == "object" {
			s["additionalProperties"] = false
		}
	case []any:
		for i, value := range s {
			s[i] = strict(value)
		}
	}
	return schema
}
