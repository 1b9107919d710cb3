//go:build clients

package gitlab_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// checkReport holds what a runner hands to GitLab to what GitLab takes, and returns how many findings a security report has.
func checkReport(t *testing.T, kind string, content []byte) int {
	t.Helper()
	switch kind {
	case "junit":
		var suites struct{ XMLName xml.Name }
		if err := xml.Unmarshal(content, &suites); err != nil || suites.XMLName.Local != "testsuites" {
			t.Errorf("junit is %v, %v", suites.XMLName, err)
		}
	case "cyclonedx":
		if len(content) > 1<<20 || !json.Valid(content) {
			t.Errorf("the bill of materials has %d bytes", len(content))
		}
	case "codequality":
		var flaws []struct{ Description, Fingerprint, Severity string }
		if err := json.Unmarshal(content, &flaws); err != nil {
			t.Errorf("codequality: %v", err)
		}
	case "container_scanning", "dependency_scanning", "sast", "secret_detection":
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			return 0
		}
		if schema := gitlabSchema(t, kind); schema == nil {
			t.Logf("%s is not held to GitLab's schema: the shared data is not beside the repository", kind)
		} else if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		var said struct{ Vulnerabilities []json.RawMessage }
		if err := json.Unmarshal(content, &said); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		return len(said.Vulnerabilities)
	case "dotenv":
	default:
		t.Errorf("nobody knows the report %s", kind)
	}
	return 0
}

// gitlabSchema is GitLab's own schema of a security report; nil where the shared data is not beside the repository.
func gitlabSchema(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(clients.Root(t), "..", "shared", "schemas", "gitlab-15.0.0",
		strings.ReplaceAll(kind, "_", "-")+"-report-format.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("official.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("official.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
