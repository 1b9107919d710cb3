package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
)

// statementType is that of every in-toto statement of this version.
//
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
const statementType = "https://in-toto.io/Statement/v1"

// The predicate types of what is said here. A type is that of its content, never that of the program that signs.
const (
	// TypeSignature is that of a statement that signs its subjects and says no more.
	TypeSignature = "https://sigstore.dev/cosign/sign/v1"
	// TypeCycloneDX and TypeSPDX are those of bills of materials.
	TypeCycloneDX = "https://cyclonedx.org/bom"
	TypeSPDX      = "https://spdx.dev/Document"
	// TypeVulns is that of a list of vulnerabilities.
	//
	// https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns.md
	TypeVulns = "https://in-toto.io/attestation/vulns/v0.2"
	// TypeVSA is that of a verdict: a verification summary of SLSA.
	//
	// https://slsa.dev/spec/v1.1/verification_summary
	TypeVSA = "https://slsa.dev/verification_summary/v1"
	// TypeProvenance is that of how something was built.
	//
	// https://slsa.dev/spec/v1.1/provenance
	TypeProvenance = "https://slsa.dev/provenance/v1"
)

// Statement is what somebody says about digests.
type Statement struct {
	// Subjects are what it is about; at least one.
	Subjects []Subject
	// PredicateType says what kind of thing Predicate is.
	PredicateType string
	// Predicate is a JSON object.
	Predicate json.RawMessage
}

// Subject is a digest that a statement is about, with a name for people, which nobody goes by.
type Subject struct {
	Name   string
	Digest core.Digest
}

// Encode returns the statement as it is signed. The same statement gives the same bytes.
func (s Statement) Encode() ([]byte, error) {
	type subject struct {
		Name   string            `json:"name,omitempty"`
		Digest map[string]string `json:"digest"`
	}
	out := struct {
		Type          string          `json:"_type"`
		Subject       []subject       `json:"subject"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}{Type: statementType, PredicateType: s.PredicateType, Predicate: s.Predicate}
	for _, about := range s.Subjects {
		if _, err := core.ParseDigest(string(about.Digest)); err != nil {
			return nil, fmt.Errorf("make a statement about %q: %w", about.Name, err)
		}
		algorithm, digits, _ := strings.Cut(string(about.Digest), ":")
		out.Subject = append(out.Subject, subject{about.Name, map[string]string{algorithm: digits}})
	}
	if len(out.Subject) == 0 {
		return nil, errors.New("make a statement: it is about nothing")
	}
	if s.PredicateType == "" || len(s.Predicate) == 0 || s.Predicate[0] != '{' {
		return nil, errors.New("make a statement: it says nothing, or not of which type that is")
	}
	return json.Marshal(out)
}
