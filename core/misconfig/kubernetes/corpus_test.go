package kubernetes

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

// TestRealManifestsAreRead reads manifests of others. Every risky one has a finding that is high or worse, no plain one
// has. What each rule finds there was looked at by people.
func TestRealManifestsAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "k8s")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the folder shared is not beside the repository")
	}
	want := map[string]map[string]int{
		"risky": {
			"kubernetes-cluster-admin":         2,
			"kubernetes-drop-capabilities":     3,
			"kubernetes-latest-image":          2,
			"kubernetes-missing-probes":        3,
			"kubernetes-privilege-escalation":  3,
			"kubernetes-privileged":            3,
			"kubernetes-resource-limits":       3,
			"kubernetes-run-as-non-root":       3,
			"kubernetes-run-as-user-root":      2,
			"kubernetes-seccomp":               3,
			"kubernetes-service-account-token": 3,
			"kubernetes-writable-root":         3,
		},
		"plain": {
			"kubernetes-drop-capabilities":     29,
			"kubernetes-latest-image":          16,
			"kubernetes-missing-probes":        16,
			"kubernetes-network-policy":        5,
			"kubernetes-privilege-escalation":  26,
			"kubernetes-rbac-secrets":          5,
			"kubernetes-rbac-wildcard":         2,
			"kubernetes-resource-limits":       20,
			"kubernetes-run-as-non-root":       28,
			"kubernetes-seccomp":               30,
			"kubernetes-secret-manifest":       1,
			"kubernetes-service-account-token": 25,
			"kubernetes-writable-root":         32,
			"kubernetes-writable-secret-mount": 3,
		},
	}
	for _, kind := range []string{"risky", "plain"} {
		counts := map[string]int{}
		err := filepath.WalkDir(filepath.Join(root, kind), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			docs, err := yamldoc.Parse(text)
			if err != nil {
				t.Logf("%s: %v", p, err)
				counts["unread"]++
				return nil
			}
			c := rule.NewCollector(rule.NewSource(p, text))
			var objects []Object
			for _, d := range docs {
				objects = append(objects, Objects(d)...)
			}
			Examine(context.Background(), c, objects, Surroundings{})
			found := c.Found(func(string) bool { return true })
			worst := core.SeverityUnknown
			for _, f := range found.Findings {
				worst = max(worst, f.Severity)
				counts[f.Rule]++
			}
			for _, problem := range found.Problems {
				counts["problem"]++
				t.Logf("%s: %s", p, problem.Why)
			}
			if risky := worst >= core.SeverityHigh; risky != (kind == "risky") {
				t.Errorf("%s: the worst finding is %s", p, worst)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(counts, want[kind]) {
			t.Errorf("%s: %v, want %v", kind, counts, want[kind])
		}
	}
}
