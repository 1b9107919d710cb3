// Package core is the vocabulary of Cleanbill: what is judged (Subject), what was seen of it (Package, Finding,
// ImageFacts, Examination, gathered in Evidence), what was decided (Verdict), and the contract of those who look
// (Analyzer).
//
// It imports the standard library only, does no I/O and holds no state. Every other room speaks in these types, so
// nothing that belongs to one format, one registry, one scanner or one CI platform may enter it.
//
// Three conventions hold everywhere. Findings are data: a Go error means that we could not look. What could not be
// looked at is an Examination that is not Complete, never an omission. Paths are slash-separated and relative to the
// root of the image or tree, without a leading slash.
package core
