package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every policy in the page for users is one.
func TestTheExamplesForWaiversAndBaselinesParse(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "waivers-and-baselines.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(page), "```yaml\n")[1:]
	if len(examples) < 4 {
		t.Fatalf("the page has %d examples", len(examples))
	}
	read := func(string, int64) ([]byte, error) {
		return []byte("version: 1\nwaivers:\n  - {id: w, reason: r, owner: o, expires: 2027-01-01, match: {ids: [x]}}\n"), nil
	}
	for _, example := range examples {
		text, _, _ := strings.Cut(example, "```")
		if _, err := papers(read).load("example.yaml", []byte(text)); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
