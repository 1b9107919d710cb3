package gitlab_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
