package gate

import (
	"strconv"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Fact is one short value that a later step of a pipeline can branch on. Its name is lower-case with hyphens; its value
// is a number, a word or a digest, never text from the target.
type Fact struct {
	Name, Value string
}

// Facts returns what every platform tells later steps of a result: result, exit-code, digest (empty if several targets
// were judged), packages, findings, fixable, and a count for each severity, in this order.
func (r *Result) Facts() []Fact {
	counts := r.Verdict.Counts
	facts := []Fact{
		{"result", r.Verdict.Decision.String()},
		{"exit-code", strconv.Itoa(r.Verdict.Decision.ExitCode())},
		{"digest", string(r.soleDigest())},
		{"packages", strconv.Itoa(counts.Packages)},
		{"findings", strconv.Itoa(counts.Findings)},
		{"fixable", strconv.Itoa(counts.Fixable)},
	}
	for _, s := range core.Severities() {
		facts = append(facts, Fact{s.String(), strconv.Itoa(counts.Of(s))})
	}
	return facts
}

// FailureFacts returns the facts result and exit-code of a run that ended with an error. They take the place of a
// result's, if there was one: a verdict that could not be published is not to be relied on.
func FailureFacts(exit int) []Fact {
	result := core.Undecided
	if exit == core.ExitRefused {
		result = core.Refused
	}
	return []Fact{{"result", result.String()}, {"exit-code", strconv.Itoa(exit)}}
}

// soleDigest is the digest of what was judged, if that was one thing.
func (r *Result) soleDigest() core.Digest {
	var digest core.Digest
	for _, s := range r.Evidence.Subjects {
		if s.Parent != "" {
			continue
		}
		if digest != "" {
			return ""
		}
		digest = s.Digest
	}
	return digest
}
