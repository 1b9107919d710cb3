package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// The reader and the schema know the same keys, at every depth: a key that one of them lacks fails here.
func TestTheSchemaHasTheKeysOfTheReader(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	mappings := 0
	var compare func(where string, schema map[string]any, r *reader, known map[string]func(*yaml.Node))
	compare = func(where string, schema map[string]any, r *reader, known map[string]func(*yaml.Node)) {
		mappings++
		properties, _ := resolve(t, root, schema)["properties"].(map[string]any)
		for key, read := range known {
			property, ok := properties[key].(map[string]any)
			if !ok {
				t.Errorf("the schema has no key %s%s", where, key)
				continue
			}
			inner := resolve(t, root, property)
			for _, probe := range probes() {
				var below map[string]func(*yaml.Node)
				r.Visit = func(known map[string]func(*yaml.Node)) {
					if below == nil {
						below = known
					}
				}
				read(probe)
				if below == nil {
					continue
				}
				if items, ok := inner["items"].(map[string]any); ok && probe.Kind == yaml.SequenceNode {
					compare(where+key+"[].", items, r, below)
				} else {
					compare(where+key+".", inner, r, below)
				}
				break
			}
		}
		for key := range properties {
			if known[key] == nil {
				t.Errorf("the reader has no key %s%s", where, key)
			}
		}
		if resolve(t, root, schema)["additionalProperties"] != false {
			t.Errorf("the schema accepts unknown keys in %q", where)
		}
	}
	r := &reader{}
	var known map[string]func(*yaml.Node)
	r.Visit = func(k map[string]func(*yaml.Node)) { known = k }
	r.policy(&yaml.Node{Kind: yaml.MappingNode})
	compare("", root, r, known)
	if mappings < 8 { // the policy, signers (three times), an acceptance, advisories, vex, a rule, its scope
		t.Errorf("only %d mappings were found", mappings)
	}
}

// probes are values that make a reader of mappings show their keys.
func probes() []*yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	return []*yaml.Node{mapping, {Kind: yaml.SequenceNode, Content: []*yaml.Node{mapping}}}
}

func resolve(t *testing.T, root, schema map[string]any) map[string]any {
	t.Helper()
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	definition, ok := root["$defs"].(map[string]any)[ref[len("#/$defs/"):]].(map[string]any)
	if !ok {
		t.Fatalf("%s leads nowhere", ref)
	}
	return definition
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("policy.json", resource); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEditorsAndTheReaderAgreeOnTheFormOfAPolicy(t *testing.T) {
	schema := compiledSchema(t)
	digest := "sha256:" + fmt.Sprintf("%064d", 0)
	good := []string{
		"version: 1", "version: '1'", "version: 1\nextends: none\nname: a/b_c.d",
		"version: 1\nextends: ../org.yaml", "version: 1\nextends: oci://r.example/p@" + digest + "\nextends-signed-by: [{key: k}]",
		"version: 1\nrequire: [hook/gosec]\naccept: [{examination: distro, code: x, reason: because}]\nstarter-ok: true\nexcluded-platforms-ok: False",
		"version: 1\nadvisories: {source: x, max-age: 36h, offline: true, signed-by: [{identity: a, issuer-pattern: b}]}",
		"version: 1\nvex: {files: [a], signed-by: [{key: k}], accept-unsigned: false}\ntrusted-root: r.json\nlocked: [vex]",
		"version: 1\nrules: [{name: a, for: packages, when: package.vendored, action: warn, message: m, locked: true, applies-to: {branches: [main], images: ['**'], paths: [a]}}]",
		"version: 1\nrules: []",
		"version: 1\nwaivers: [{id: w, reason: r, owner: o, expires: '2027-01-01', until: fixed, match: {ids: [a], packages: ['pkg:npm/*'], paths: ['a/**'], images: [i], kinds: [secret]}}]",
		"version: 1\ninline-ignores: off\nbaseline: {source: b.json, signed-by: [{key: k}], block: [tool, code]}",
	}
	for _, name := range Profiles() {
		source, err := BuiltinSource(name)
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, string(source))
	}
	bad := []string{
		"rules: []", "version: 2", "version: 1\nextend: x", "version: 1\nextends: 1", "version: 1\nextends: standart", "version: 1\nextends: oci://r.example/p:1",
		"version: 1\nname: a b", "version: 1\nrequire: []", "version: 1\nrequire: layers", "version: 1\naccept: [{examination: a}]", "version: 1\nstarter-ok: yes",
		"version: 1\nadvisories: {max-age: 5}", "version: 1\nadvisories: {age: 5d}", "version: 1\nvex: {signed-by: []}", "version: 1\nvex: {signed-by: [{key: a, issuer: b}]}",
		"version: 1\nvex: {signed-by: [{identity: a}]}", "version: 1\nvex: {signed-by: [{identity: a, identity-pattern: b, issuer: c}]}",
		"version: 1\nrules: {}", "version: 1\nrules: [{name: a, when: 'true'}]", "version: 1\nrules: [{name: a, when: 'true', action: fial}]",
		"version: 1\nrules: [{name: a, when: 'true', action: fail, for: finding}]", "version: 1\nrules: [{name: a, when: '', action: fail}]",
		"version: 1\nrules: [{name: a, when: 'true', action: fail, locked: 1}]", "version: 1\nrules: [{name: a, when: 'true', action: fail, applies-to: {}}]",
		"version: 1\nrules: [{name: a, when: 'true', action: fail, applies-to: {paths: []}}]", "version: 1\nrules: [{name: a, when: 'true', action: fail, applies-to: {tags: [a]}}]",
		"version: 1\nwaivers: [{id: w, reason: r, owner: o, match: {ids: [a]}}]", "version: 1\nwaivers: [{id: w, reason: r, owner: o, expires: '2027-01-01', match: {kinds: [secret]}}]",
		"version: 1\ninline-ignores: all", "version: 1\nbaseline: {block: [tool]}", "version: 1\nwaiver-files: []",
		"version: 1\nlocked: vex", "version: 1\ntrusted-root: ''",
	}
	for _, text := range slices.Concat(good, bad) {
		wanted := slices.Contains(good, text)
		if err := schema.Validate(decoded(t, text)); (err == nil) != wanted {
			t.Errorf("the schema accepts: %v (%v)\n%s", err == nil, err, text)
		}
		_, r, err := readFile(Source{Name: "p.yaml", Data: []byte(text)})
		accepted := err == nil && len(r.Problems) == 0
		if text == "version: 1\nextends: standart" || text == "version: 1\nextends: oci://r.example/p:1" {
			_, err = Parse("p.yaml", []byte(text)) // what can be extended is no matter of form to the reader
			accepted = err == nil
		}
		if accepted != wanted {
			t.Errorf("the reader accepts: %v (%v)\n%s", accepted, err, text)
		}
	}
}
