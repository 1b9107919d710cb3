package sarif

import (
	"encoding/json"
	"fmt"
	"io"
)

// SchemaURL names the JSON Schema of what Write writes.
const SchemaURL = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// FingerprintName names our fingerprint among the partial fingerprints of a result, and GitHubFingerprint the only one
// that GitHub tells alerts apart by.
//
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning
const (
	FingerprintName   = "cleanbill/v1"
	GitHubFingerprint = "primaryLocationLineHash"
)

// Log is a file of one run, with those members of SARIF 2.1.0 that code scanning services read. GitHub refuses a file
// with several runs of one tool and category, so there is no way to write one.
type Log struct {
	// Category tells this run from those of other targets; it ends before the last "/" of its id.
	Category  string
	Tool      WrittenTool
	Succeeded bool // everything was examined
	Notices   []Notice
	Results   []WrittenResult
}

// WrittenTool is the program that found the results.
type WrittenTool struct {
	Name           string        `json:"name"`
	Version        string        `json:"version,omitempty"`
	InformationURI string        `json:"informationUri,omitempty"`
	Rules          []WrittenRule `json:"rules"`
}

// WrittenRule is what results refer to. GitHub wants all but the address.
type WrittenRule struct {
	ID               string         `json:"id"`
	ShortDescription Text           `json:"shortDescription"`
	FullDescription  Text           `json:"fullDescription"`
	Help             Text           `json:"help"`
	HelpURI          string         `json:"helpUri,omitempty"`
	Properties       RuleProperties `json:"properties"`
}

// RuleProperties are what GitHub ranks and filters by. SecuritySeverity is a number from 0.0 to 10.0 in a string, and is
// always there: a service that cannot read it refuses the file.
type RuleProperties struct {
	SecuritySeverity string   `json:"security-severity"`
	Tags             []string `json:"tags"`
}

// Text is a message.
type Text struct {
	Text string `json:"text"`
}

// Notice says what could not be examined, or was left out.
type Notice struct {
	Level   string `json:"level"`
	Message Text   `json:"message"`
}

// WrittenResult is one result.
type WrittenResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      Text              `json:"message"`
	Locations    []WrittenPlace    `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	// Suppressions is an empty list for what counts: a result without the member says nothing of it.
	Suppressions []WrittenSuppression `json:"suppressions"`
}

// WrittenPlace is a place in a file, and what it is called outside the file system.
type WrittenPlace struct {
	Physical Physical `json:"physicalLocation"`
}

// Physical is a file and a region of it.
type Physical struct {
	Artifact Artifact `json:"artifactLocation"`
	Region   Region   `json:"region"`
}

// Artifact is a file, relative to the root of the repository.
type Artifact struct {
	URI string `json:"uri"`
}

// Region counts lines and columns from 1.
type Region struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndLine     int `json:"endLine,omitempty"`
}

// WrittenSuppression says that a result does not count, and why.
type WrittenSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification,omitempty"`
}

type invocationObject struct {
	Succeeded     bool     `json:"executionSuccessful"`
	Notifications []Notice `json:"toolExecutionNotifications"`
}

type driverObject struct {
	Driver WrittenTool `json:"driver"`
}

type detailsObject struct {
	ID string `json:"id"`
}

type runObject struct {
	Tool        driverObject       `json:"tool"`
	Details     detailsObject      `json:"automationDetails"`
	Invocations []invocationObject `json:"invocations"`
	ColumnKind  string             `json:"columnKind"`
	Results     []WrittenResult    `json:"results"`
}

type logObject struct {
	Schema  string      `json:"$schema"`
	Version string      `json:"version"`
	Runs    []runObject `json:"runs"`
}

// Write writes l. An error is of w.
func Write(w io.Writer, l Log) error {
	run := runObject{
		Tool:        driverObject{l.Tool},
		Details:     detailsObject{l.Category + "/"},
		Invocations: []invocationObject{{l.Succeeded, listed(l.Notices)}},
		ColumnKind:  "unicodeCodePoints",
		Results:     listed(l.Results),
	}
	run.Tool.Driver.Rules = listed(run.Tool.Driver.Rules)
	if err := json.NewEncoder(w).Encode(logObject{SchemaURL, "2.1.0", []runObject{run}}); err != nil {
		return fmt.Errorf("write the SARIF report: %w", err)
	}
	return nil
}

// listed returns s, or an empty slice for nil, which JSON would write as null.
func listed[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
