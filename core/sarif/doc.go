// Package sarif reads and writes SARIF 2.1.0. It reads what static analysers found in the format that nearly all of them write. It
// streams: a file of any size is read in two passes, the first for what results refer to (rules, artifacts, base URIs,
// which may stand after the results), the second for the results, one at a time.
//
// It decides nothing: a suppressed result is a finding with a core.Suppression, and a tool that says that it could not
// look leaves a gap. Text that a report embeds, such as snippets of code, is used for fingerprints and never kept.
//
// # What becomes of a result
//
// Its kind "pass", "notApplicable" or "informational", or the baseline state "absent", say that there is no flaw: it is
// counted and no finding. The severity is that of security-severity, where the result or its rule has one, and
// otherwise that of the level: error is high, warning medium, note low.
//
// # The fingerprint
//
// It is made from the tool, the rule and the path, and from the tool's own fingerprint if it gives one, or else from
// the text of the region without its white space, or else from the message without its numbers. It stays the same when
// lines move. Results that are alike have one fingerprint here; hook.Read tells them apart by their order.
//
// # Writing
//
// Write writes the one run that code scanning services take, and Check says what GitHub has against a file before it is
// uploaded.
//
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
package sarif
