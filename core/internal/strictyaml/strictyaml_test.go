package strictyaml

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestWhatIsWrongIsToldWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "a.yaml:1:1: it is empty",
		"name: [":               "a.yaml:1:1: this is not YAML: did not find expected node content",
		"name: a\n---\nname: b": "a.yaml:2:1: there is a second YAML document; one is read",
		"name: &x a":            "a.yaml:1:7: anchors and aliases are not accepted here; write the value where it is used",
		"<<: {name: a}":         "a.yaml:1:1: merge keys are not accepted here; write the keys where they are used",
		"name: !!binary aGk=":   "a.yaml:1:7: tags (!!binary) are not accepted here",
		strings.Repeat("[", 20) + "1" + strings.Repeat("]", 20): "a.yaml:1:18: this is nested deeper than 16 levels",
		"- a":                 "a.yaml:1:1: this must be a mapping of keys to values, not a list",
		"nmae: a":             `a.yaml:1:1: unknown key "nmae"; did you mean "name"?`,
		"x: a":                `a.yaml:1:1: unknown key "x"; there are: color, name, on, words`,
		"name: a\nname: b":    `a.yaml:2:1: "name" is here a second time`,
		"name: 1":             "a.yaml:1:7: this must be text, not a number",
		"name: ' '":           "a.yaml:1:7: this must not be empty",
		`name: "a\0"`:         "a.yaml:1:7: this must not hold a NUL",
		"on: yes":             "a.yaml:1:5: this must be true or false, not text",
		"words: a":            "a.yaml:1:8: this must be a list, not text",
		"color: gren":         `a.yaml:1:8: "gren" is none of red, green; did you mean "green"?`,
		"words: [1]\nname: 2": "a.yaml:1:9: this must be text, not a number; a.yaml:2:7: this must be text, not a number",
		"{name: a, on: true, words: [b], color: red}": "",
	} {
		r := Reader{File: "a.yaml"}
		if root := r.Document([]byte(text), "it is empty"); root != nil {
			r.Keys(root, map[string]func(*yaml.Node){
				"name":  func(n *yaml.Node) { r.Text(n) },
				"on":    func(n *yaml.Node) { r.Bool(n) },
				"color": func(n *yaml.Node) { r.Choice(n, "red", "green") },
				"words": func(n *yaml.Node) {
					for _, item := range r.Items(n) {
						r.Text(item)
					}
				},
			})
		}
		if got := r.Problems.Sorted().Error(); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
