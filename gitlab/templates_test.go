package gitlab_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// template is one of templates/, in its two parts.
type template struct {
	name string
	spec struct {
		Spec struct {
			Inputs map[string]struct {
				Type, Description string
				Default           any
				Options           []any
			}
		}
	}
	jobs map[string]struct {
		Script       []string
		AllowFailure *bool `yaml:"allow_failure"`
		Variables    map[string]string
		Artifacts    struct {
			When    string
			Reports map[string]any
		}
	}
	text string // of the jobs
}

func templatesOf(t *testing.T) []template {
	t.Helper()
	files, err := filepath.Glob("templates/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	var all []template
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, found := bytes.Cut(raw, []byte("\n---\n"))
		p := template{name: filepath.Base(file), text: string(body)}
		if err := yaml.Unmarshal(head, &p.spec); err != nil || !found {
			t.Fatalf("%s: %v", file, err)
		}
		if err := yaml.Unmarshal(body, &p.jobs); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, p)
	}
	return all
}

// GitLab puts inputs into the text of the pipeline: in a script they would be code.
func TestNoInputIsPartOfAScript(t *testing.T) {
	for _, p := range templatesOf(t) {
		for name, job := range p.jobs {
			if len(job.Script) != 1 || !regexp.MustCompile(`^cleanbill gitlab(-[a-z]+)?$`).MatchString(job.Script[0]) {
				t.Errorf("%s: the job %s runs %q", p.name, name, job.Script)
			}
		}
	}
}

func TestInputsAreDescribedUsedAndTheSameInAllTemplates(t *testing.T) {
	types := map[string]string{}
	for _, p := range templatesOf(t) {
		used := map[string]bool{}
		for _, m := range regexp.MustCompile(`\$\[\[ inputs\.([a-z-]+) \]\]`).FindAllStringSubmatch(p.text, -1) {
			used[m[1]] = true
		}
		for name, input := range p.spec.Spec.Inputs {
			if input.Type == "" || input.Description == "" || !used[name] {
				t.Errorf("%s: the input %s has type %q and description %q, and is used: %t", p.name, name, input.Type, input.Description, used[name])
			}
			if before := types[name]; before != "" && before != input.Type {
				t.Errorf("%s: the input %s is a %s here and a %s elsewhere", p.name, name, input.Type, before)
			}
			types[name] = input.Type
			delete(used, name)
		}
		for name := range used {
			t.Errorf("%s: %s is used and is no input", p.name, name)
		}
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range types {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("README.md does not speak of the input %s", name)
		}
	}
}

// A job that may fail lets a pipeline pass, and reports that are only kept of what passed show nothing.
func TestNoJobMayFailAndAllReportsAreKept(t *testing.T) {
	for _, p := range templatesOf(t) {
		for name, job := range p.jobs {
			if job.AllowFailure == nil || *job.AllowFailure || job.Artifacts.When != "always" || job.Artifacts.Reports["dotenv"] != "cleanbill.env" {
				t.Errorf("%s: the job %s may fail: %v; it keeps %+v", p.name, name, job.AllowFailure, job.Artifacts)
			}
		}
	}
}

// The templates hand over what the program writes, under the names by which it writes it.
func TestTheTemplatesNameEveryReport(t *testing.T) {
	templates := templatesOf(t)
	j := newJob(t)
	plan, err := j.adapter().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{"cleanbill.env": true, "gl-sbom-cleanbill-*.cdx.json": true}
	for _, o := range plan.Outputs[2:] { // the first are for people
		files[o.Path] = true
	}
	for _, p := range templates {
		for name, job := range p.jobs {
			if len(job.Artifacts.Reports) == 1 { // the job that ends with a verdict, and the one that pushes
				continue
			}
			named := map[string]bool{}
			for _, file := range job.Artifacts.Reports {
				named[fmt.Sprint(file)] = true
			}
			if diff := cmp.Diff(files, named); diff != "" {
				t.Errorf("%s: the job %s hands over (-written +named):\n%s", p.name, name, diff)
			}
		}
	}
}
