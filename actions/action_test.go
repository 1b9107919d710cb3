package actions_test

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// action is action.yml as far as its own safety is concerned.
type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []struct {
			Run, Uses string
			Env       map[string]string
		}
	}
}

func readAction(t *testing.T, into any) {
	t.Helper()
	data, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestNoInputIsPartOfAScript(t *testing.T) {
	var a action
	readAction(t, &a)
	if len(a.Runs.Steps) == 0 {
		t.Fatal("action.yml has no steps")
	}
	for _, step := range a.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("a script holds an expression: %s", step.Run)
		}
	}
}

func TestEveryInputReachesTheProgram(t *testing.T) {
	var a action
	readAction(t, &a)
	passed := map[string]bool{}
	for _, step := range a.Runs.Steps {
		for _, value := range step.Env {
			passed[value] = true
		}
	}
	for name := range a.Inputs {
		if !passed["${{ inputs."+name+" }}"] {
			t.Errorf("the input %s is declared and not passed on", name)
		}
	}
}

// What GITHUB_ENV and GITHUB_PATH hold changes how later steps run, which no gate should do.
func TestNeitherEnvironmentNorPathOfTheJobIsWritten(t *testing.T) {
	for _, file := range []string{"../action.yml", "install.sh"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, variable := range []string{"GITHUB_ENV", "GITHUB_PATH"} {
				if strings.Contains(line, variable) {
					t.Errorf("%s names %s: %s", file, variable, line)
				}
			}
		}
	}
}

func TestActionKeepsGitHubsSchema(t *testing.T) {
	const file = "../../shared/schemas/github-action.json"
	if _, err := os.Stat(file); err != nil {
		t.Skipf("there is no folder shared beside the repository with the schema: %v", err)
	}
	schema, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	readAction(t, &document)
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
}

// What the action can be told is in the one table that says what it may do on a change.
func TestEveryInputIsASetting(t *testing.T) {
	var a action
	readAction(t, &a)
	inputs := map[string]bool{}
	for _, s := range gate.Settings() {
		inputs[s.Input] = true
		if _, ok := a.Inputs[s.Input]; s.Input != "" && !ok {
			t.Errorf("there is no input %s", s.Input)
		}
	}
	for name := range a.Inputs {
		if name != "log-level" && name != "mirror" && !inputs[name] {
			t.Errorf("the input %s is in no table of settings", name)
		}
	}
}
