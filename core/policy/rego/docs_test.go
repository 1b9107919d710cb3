package rego_test

import (
	"os"
	"regexp"
	"testing"
)

var fence = regexp.MustCompile("(?s)```rego\n(.*?)```")

func TestTheRulesInTheDocumentationWork(t *testing.T) {
	page, err := os.ReadFile("../../../docs/rego.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := fence.FindAllSubmatch(page, -1)
	if len(examples) == 0 {
		t.Fatal("the page has no rules")
	}
	for _, e := range examples {
		results, broken := evaluated(t, compiled(t, string(e[1])), evidence())
		if len(results) == 0 || len(broken) > 0 {
			t.Errorf("%s\ngive %v, %v", e[1], results, broken)
		}
	}
}
