package hook_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cleanbill-ci/cleanbill/core/hook"
)

// TestTheDocumentationIsOfTheseHooks reads the examples of docs/hooks.md: all are YAML, the settings mean something, and
// every hook that is named there is a preset or defined there.
func TestTheDocumentationIsOfTheseHooks(t *testing.T) {
	raw, err := os.ReadFile("../../docs/hooks.md")
	check(t, err)
	text := string(raw)
	platforms := ""
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(block[1]), &node); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
			continue
		}
		root := node.Content[0]
		if root.Kind == yaml.SequenceNode {
			s, err := hook.ParseSettings("docs", []byte(block[1]), presets(t))
			if err != nil || len(s.Hooks) != 3 {
				t.Errorf("%d hooks, %v", len(s.Hooks), err)
			}
			continue
		}
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == "hooks" {
				if _, err := hook.ReadSettings("docs", root.Content[i+1], presets(t)); err != nil {
					t.Errorf("%v in\n%s", err, block[1])
				}
			}
		}
		for platform, mark := range map[string]string{"GitHub": "runs-on:", "GitLab": "stage:", "Tekton": "tekton.dev/v1"} {
			if strings.Contains(block[1], mark) && strings.Contains(block[1], "gosec") && strings.Contains(block[1], "semgrep") {
				platforms += platform + " "
			}
		}
	}
	for _, platform := range []string{"GitHub", "GitLab", "Tekton"} {
		if !strings.Contains(platforms, platform) {
			t.Errorf("there is no snippet for gosec and semgrep on %s", platform)
		}
	}
	commands := strings.NewReplacer(", ", " ", "hook, run", "hook run").Replace(text)
	names := regexp.MustCompile(`hook run ([a-z][a-z-]*)`).FindAllStringSubmatch(commands, -1)
	if len(names) < 6 {
		t.Errorf("%d hooks are run", len(names))
	}
	for _, m := range names {
		if !slices.ContainsFunc(presets(t), func(h hook.Hook) bool { return h.Name == m[1] }) {
			t.Errorf("%q is run, and is no preset", m[1])
		}
	}
}
