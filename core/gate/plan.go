package gate

import (
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Limits bound a run; a zero field means the default.
type Limits = limit.Limits

// Plan is all that a run needs to know. Adapters and the command line make one; nothing else decides anything.
type Plan struct {
	// Targets are judged together, in this order, into one verdict.
	Targets []string
	// Platforms restrict an image index; empty means every platform.
	Platforms []core.Platform
	// Advisories is the set to match against: "oci:DIR", an artifact in a registry, or "starter". Empty means what the
	// environment names, or the published set and what takes its place.
	Advisories string
	// Offline forbids the network for advisories; what is in the cache may be used.
	Offline bool
	// VEX are documents that say which findings do no harm. They count if the policy lets them.
	VEX []string
	// Imports are results of other tools, which are joined with what is found.
	Imports []string
	// Sonar is what a SonarQube server is asked, whose answer is joined with what is found.
	Sonar Sonar
	// Hooks are programs that look at the source trees and images beside us, those of the policy besides: "auto", names
	// separated by commas, or a YAML file. "none" runs those of the policy neither. Empty means the policy's.
	Hooks string
	// Policy is the name of a built-in profile or the path of a policy file; empty means the PolicyFile of the sources, or
	// "standard" if there is none.
	Policy string
	// Baseline is what the verdict is compared with: a document that gate or scan wrote, or "oci://REFERENCE", an image
	// whose attested evidence is the baseline. Empty means what the policy names, where a change is judged.
	Baseline string
	// Category tells the reports of several runs on one change apart; empty lets the targets do so.
	Category string
	// Full ignores every baseline. Whatever pushes, signs or promotes sets it: what a change did not bring is published
	// with it all the same.
	Full bool
	// Publish is where the one image among the targets goes if the verdict is a pass, and who signs it; nil for nowhere. It
	// implies Full.
	Publish *Publishing
	// Evidence are documents of other jobs about the targets. Nobody vouches for them: they can refuse what this run passes,
	// and what is signed never rests on them.
	Evidence []string
	// Source is the directory of the sources that are judged or that images were made from: the platform's workspace. Empty
	// means the first target that is a directory, or the working directory.
	Source string
	// Change is what the platform says of the change. Its Base may be any name of a revision. If there is one, nothing in
	// the repository excuses anything unless the base has it too.
	Change core.Change
	// FetchHint says how the platform gets the base onto this machine; empty for a general hint.
	FetchHint string
	// History says in which commits secrets are looked for: HistoryAll, HistoryNone, or "REVISION.." for those since that one.
	// Empty means those that a change adds to its base, and none elsewhere.
	History string
	// Outputs are the reports to write.
	Outputs []Output
	// Limits bound what is read.
	Limits Limits
	// Parallel is how many layers are read at a time; 0 means as many as processors, at most 4.
	Parallel int
	// Deferred makes a platform's job end well wherever there is a verdict: a later job of the pipeline ends with it.
	Deferred bool
	// Recall is the document that such an earlier job wrote. If it is set, nothing is looked at, and the job ends with that
	// verdict. It has to be about the Change.
	Recall string
}

// Output is one report to write.
type Output struct {
	Format string
	// Path is a file, written whole or not at all.
	Path string
}

// Result is what came of a run. It exists, with reports written, whenever there was a subject to judge.
type Result struct {
	Evidence core.Evidence
	Verdict  core.Verdict
	// Published is what was pushed and attested; nil if nothing was.
	Published *Published
	// Reports are the files that were written, in the order of the plan.
	Reports []Output
	Started time.Time
	Elapsed time.Duration
	// Created is what reports state as their time of creation: SOURCE_DATE_EPOCH, or Started.
	Created time.Time
	// Category is that of the plan.
	Category string
}
