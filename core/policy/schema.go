package policy

import (
	_ "embed" // for the schema
)

//go:embed schema/policy-v1.schema.json
var jsonSchema string

// JSONSchema returns the JSON Schema (draft 2020-12) of policy files, for editors. Parse checks more: what expressions
// mean, and that names are not used twice.
func JSONSchema() []byte { return []byte(jsonSchema) }
