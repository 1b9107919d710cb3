package report

import (
	_ "embed" // for the schema
	"slices"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// SchemaURL names the JSON Schema of the document that this version writes and reads. It is in the document's "$schema"
// member, where editors and validators look for it. A change that readers must know of gets a new version and URL.
const SchemaURL = "https://raw.githubusercontent.com/cleanbill-ci/cleanbill/main/core/report/schema/evidence-v1.schema.json"

// DocumentVersion is the version of the document that this version writes and reads.
const DocumentVersion = 1

// DocumentMediaType is the media type of the document.
const DocumentMediaType = "application/vnd.cleanbill.evidence.v1+json"

// PredicateType is that of an attestation whose predicate is the document: evidence that somebody signed, about the
// digest that the statement names.
//
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
const PredicateType = "https://github.com/cleanbill-ci/cleanbill/evidence/v1"

//go:embed schema/evidence-v1.schema.json
var jsonSchema string

// JSONSchema returns the JSON Schema (draft 2020-12) of Document.
func JSONSchema() []byte { return []byte(jsonSchema) }

// Document is the evidence about some subjects and, once it was judged, the verdict: everything that a run saw and
// decided, for machines. `scan` writes it without a verdict, `gate` and `judge` with one, and `judge` reads it.
type Document struct {
	Schema   string        `json:"$schema"`
	Version  int           `json:"version"`
	Tool     Tool          `json:"tool"`
	Evidence core.Evidence `json:"evidence"`
	// Verdict is nil for evidence that was not judged.
	Verdict *core.Verdict `json:"verdict,omitempty"`
	// Created is the time that formats with a time of creation state, such as bills of materials. It is not part of the
	// document itself: evidence that is the same is the same document.
	Created time.Time `json:"-"`
	// Category tells reports apart that are uploaded to one place; empty lets the names of the subjects do so. It is not part
	// of the document either.
	Category string `json:"-"`
}

// Tool is the program that wrote a document.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Commit is the revision that the program was built from; empty if that is not known.
	Commit string `json:"commit,omitempty"`
}

// NewDocument returns a document of the current version. A nil verdict means that the evidence was not judged.
func NewDocument(tool Tool, e core.Evidence, v *core.Verdict) Document {
	return Document{Schema: SchemaURL, Version: DocumentVersion, Tool: tool, Evidence: e, Verdict: v}
}

// ordered returns e in its one order, with a slice wherever the schema wants an array. The caller's evidence is left
// alone, because other reports read it at the same time.
func ordered(e core.Evidence) core.Evidence {
	e.Subjects = present(e.Subjects)
	e.Images = slices.Clone(e.Images)
	for i := range e.Images {
		e.Images[i].Layers = present(e.Images[i].Layers)
	}
	e.Packages = present(slices.Clone(e.Packages))
	for i := range e.Packages {
		e.Packages[i].Locations = present(slices.Clone(e.Packages[i].Locations))
	}
	e.Findings = present(slices.Clone(e.Findings))
	for i := range e.Findings {
		f := &e.Findings[i]
		f.Aliases, f.Locations, f.SeenBy = slices.Clone(f.Aliases), slices.Clone(f.Locations), slices.Clone(f.SeenBy)
	}
	e.Examinations = present(slices.Clone(e.Examinations))
	for i := range e.Examinations {
		e.Examinations[i].Why = slices.Clone(e.Examinations[i].Why)
	}
	e.Sort()
	return e
}

// complete returns v with a slice wherever the schema wants an array.
func complete(v core.Verdict) core.Verdict {
	v.Refusals, v.Warnings, v.Ignored = present(v.Refusals), present(v.Warnings), present(v.Ignored)
	v.Gaps, v.Accepted = completeGaps(v.Gaps), completeGaps(v.Accepted)
	v.Upgrades = present(slices.Clone(v.Upgrades))
	for i := range v.Upgrades {
		v.Upgrades[i].Packages, v.Upgrades[i].Fixes = present(v.Upgrades[i].Packages), present(v.Upgrades[i].Fixes)
	}
	return v
}

func completeGaps(gaps []core.Gap) []core.Gap {
	gaps = present(slices.Clone(gaps))
	for i := range gaps {
		gaps[i].Why = present(gaps[i].Why)
	}
	return gaps
}

// present returns s, or an empty slice for nil, which JSON would write as null.
func present[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
