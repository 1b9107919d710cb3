package rego

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Whatever the library says may give another result next time does not exist here, but for the time, which is the
// verdict's. A function that a new version brings is none of ours until somebody lists it.
func TestNoFunctionReachesOutside(t *testing.T) {
	known := allowed()
	times := 0
	for _, b := range ast.Builtins {
		_, ok := known[b.Name]
		switch {
		case b.Name == "time.now_ns":
			times++
		case ok && b.Nondeterministic:
			t.Errorf("%s gives another result every time, and rules can call it", b.Name)
		}
	}
	if times != 1 {
		t.Errorf("time.now_ns is there %d times", times)
	}
	for _, name := range []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "uuid.rfc4122", "rego.parse_module",
		"json.match_schema", "json.verify_schema", "io.jwt.encode_sign", "io.jwt.decode_verify", "io.jwt.verify_hs256",
		"crypto.x509.parse_and_verify_certificates", "providers.aws.sign_req", "graphql.parse", "strings.render_template"} {
		if _, ok := known[name]; ok || !builtinOfOPA(name) {
			t.Errorf("%s: rules can call it %v, OPA has it %v", name, ok, builtinOfOPA(name))
		}
	}
	for name := range known {
		if !builtinOfOPA(name) && !slices.Contains([]string{"re_match", "any", "all", "cast_array", "cast_boolean", "cast_null", "cast_object",
			"cast_set", "cast_string", "net.cidr_overlap", "set_diff"}, name) {
			t.Errorf("OPA has no function %s", name)
		}
	}
}

// A schema in a comment may refer to files and addresses. Nobody follows it.
func TestNoCommentReachesOutside(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(`{"type": "string"}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(`{"type": "string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{server.URL + "/schema.json", "file://" + file} {
		text := fmt.Sprintf("# METADATA\n# scope: rule\n# schemas:\n#   - input: {$ref: %q}\n#   - input.findings: {type: object, properties: {a: {$ref: %q}}}\n",
			reference, reference)
		set, err := Compile(map[string][]byte{"a.rego": []byte("package main\n\n" + text + "deny contains f.rule if some f in input.findings\n")})
		if err != nil || len(set.Rules()) != 1 {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if asked.Load() > 0 {
		t.Error("the server was asked")
	}
}
