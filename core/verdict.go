package core

import (
	"fmt"
	"time"
)

// Decision is what the gate decided. The zero value is Undecided: a required examination is missing. It never passes.
type Decision int

// The decisions.
const (
	Undecided Decision = iota
	Passed
	Refused
)

var decisionNames = [...]string{"undecided", "passed", "refused"}

// String returns the lower-case name.
func (d Decision) String() string {
	if d < 0 || int(d) >= len(decisionNames) {
		return fmt.Sprintf("decision(%d)", int(d))
	}
	return decisionNames[d]
}

// MarshalText implements encoding.TextMarshaler.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An unknown word is an error and leaves d Undecided.
func (d *Decision) UnmarshalText(text []byte) error {
	*d = Undecided
	for i, name := range decisionNames {
		if name == string(text) {
			*d = Decision(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a decision: want passed, refused or undecided", text)
}

// Exit codes of every command. ExitRefused wins over ExitUndecided.
const (
	ExitPassed    = 0
	ExitRefused   = 1
	ExitUsage     = 2
	ExitUndecided = 3
)

// ExitCode maps the decision to the exit code of the process.
func (d Decision) ExitCode() int {
	switch d {
	case Passed:
		return ExitPassed
	case Refused:
		return ExitRefused
	default:
		return ExitUndecided
	}
}

// Action is what a rule does with what it matches.
type Action string

// The actions of a rule.
const (
	ActionFail   Action = "fail"
	ActionWarn   Action = "warn"
	ActionIgnore Action = "ignore"
)

// Verdict is the result of judging evidence by a policy at a time. It can be replayed: the same evidence, policy,
// baseline and time give the same verdict, byte for byte.
type Verdict struct {
	Decision Decision  `json:"decision"`
	Time     time.Time `json:"time"`
	Policy   PolicyRef `json:"policy"`
	// Refusals, Warnings and Ignored hold one Outcome for each finding and the rule that decided over it.
	Refusals []Outcome `json:"refusals"`
	Warnings []Outcome `json:"warnings"`
	Ignored  []Outcome `json:"ignored"`
	// Gaps are the examinations that policy requires and that are not complete. Any of them keeps the verdict from
	// Passed.
	Gaps []Gap `json:"gaps"`
	// Accepted are the gaps that policy accepts, with the setting that accepts them.
	Accepted []Gap  `json:"accepted,omitempty"`
	Counts   Counts `json:"counts"`
	// Upgrades is the smallest set of upgrades that removes the refusals which have a fix.
	Upgrades []Upgrade `json:"upgrades"`
	// AfterUpgrades is what is left once they are made; nil if there is none.
	AfterUpgrades *AfterUpgrades `json:"afterUpgrades,omitempty"`
	// Waivers are all waivers of the policy and what became of them, in order of their ids.
	Waivers []WaiverUse `json:"waivers,omitempty"`
	// Baseline is what the findings were compared with; nil if with nothing.
	Baseline *BaselineRef `json:"baseline,omitempty"`
}

// WaiverState says what became of a waiver.
type WaiverState string

// The states of a waiver.
const (
	WaiverUsed    WaiverState = "used"
	WaiverUnused  WaiverState = "unused"  // it excused nothing
	WaiverExpired WaiverState = "expired" // it excuses nothing any more
	WaiverFixed   WaiverState = "fixed"   // it held until there was a fix, and there is one
)

// WaiverUse is a waiver and what became of it.
type WaiverUse struct {
	ID      string      `json:"id"`
	Owner   string      `json:"owner"`
	Reason  string      `json:"reason"`
	Expires string      `json:"expires"` // the last day on which it excuses, yyyy-mm-dd
	State   WaiverState `json:"state"`
	// Excused counts the findings that it excused.
	Excused int `json:"excused"`
}

// BaselineRef names the baseline of a verdict.
type BaselineRef struct {
	Source string `json:"source"`
	// Digest is of the baseline's document, and Commit the commit that it is of, where that is known.
	Digest Digest `json:"digest,omitempty"`
	Commit string `json:"commit,omitempty"`
	// Known counts the findings that it has too, New those that it lacks.
	Known int `json:"known"`
	New   int `json:"new"`
}

// Cause says why a finding is refused or warned of now and was not at the baseline. The zero value means that nothing was
// compared.
type Cause string

// The causes.
const (
	CauseKnown    Cause = "known"    // the baseline has it
	CauseCode     Cause = "code"     // the change brings it
	CauseAdvisory Cause = "advisory" // the advisories are newer: the baseline's packages have it too
	CausePolicy   Cause = "policy"   // the policy is another: the baseline has it, and its policy let it pass
	CauseTool     Cause = "tool"     // the tool is newer, or did not run for the baseline
)

// Causes returns every cause.
func Causes() []Cause { return []Cause{CauseKnown, CauseCode, CauseAdvisory, CausePolicy, CauseTool} }

// PolicyRef names the policy that judged.
type PolicyRef struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
	// Source says where it came from: "built in", a path, a reference by digest.
	Source string `json:"source"`
}

// RuleVEX and RuleSuppressed stand in an Outcome for a VEX statement or a suppression that excuses the finding. No rule
// of a policy has these names.
const (
	RuleVEX        = "vex"
	RuleSuppressed = "suppressed"
)

// Outcome is what one rule said of one finding.
type Outcome struct {
	Rule        string `json:"rule"`
	Action      Action `json:"action"`
	Subject     Digest `json:"subject"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Message     string `json:"message"`
	// Waiver is the id of the waiver that excused it.
	Waiver string `json:"waiver,omitempty"`
	// Cause says why it is new, or that it is not.
	Cause Cause `json:"cause,omitempty"`
	// Held is true for a warning that a rule would make a refusal of, and that its cause keeps from being one.
	Held bool `json:"held,omitempty"`
}

// Gap is an examination that is not complete.
type Gap struct {
	Examination string       `json:"examination"`
	Subject     Digest       `json:"subject,omitempty"`
	Status      Completeness `json:"status"` // empty: there was no such examination at all
	Why         []string     `json:"why"`
	Remedy      string       `json:"remedy,omitempty"`
	// Rule is the rule or setting that requires or accepts it.
	Rule string `json:"rule"`
}

// Counts are of all findings in the evidence, whatever the rules said.
type Counts struct {
	Packages int `json:"packages"`
	Findings int `json:"findings"`
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	None     int `json:"none"`
	Unknown  int `json:"unknown"`
	Fixable  int `json:"fixable"`
}

// CountsOf counts the packages and findings of e.
func CountsOf(e *Evidence) Counts {
	c := Counts{Packages: len(e.Packages), Findings: len(e.Findings)}
	for i := range e.Findings {
		f := &e.Findings[i]
		switch f.Severity {
		case SeverityCritical:
			c.Critical++
		case SeverityHigh:
			c.High++
		case SeverityMedium:
			c.Medium++
		case SeverityLow:
			c.Low++
		case SeverityNone:
			c.None++
		default:
			c.Unknown++
		}
		if f.Fix.State == FixAvailable {
			c.Fixable++
		}
	}
	return c
}

// Of returns the count of one severity.
func (c Counts) Of(s Severity) int {
	switch s {
	case SeverityCritical:
		return c.Critical
	case SeverityHigh:
		return c.High
	case SeverityMedium:
		return c.Medium
	case SeverityLow:
		return c.Low
	case SeverityNone:
		return c.None
	default:
		return c.Unknown
	}
}

// Upgrade is one change that removes findings: a package (or, for distribution packages, all binaries of one source
// package) from one version to another.
type Upgrade struct {
	Subject   Digest `json:"subject"`
	Package   string `json:"package"`
	Ecosystem string `json:"ecosystem,omitempty"`
	From      string `json:"from"`
	To        string `json:"to"`
	// Packages are the purls that it changes, sorted.
	Packages []string `json:"packages"`
	// Fixes are the fingerprints that it removes, sorted.
	Fixes    []string `json:"fixes"`
	Severity Severity `json:"severity"` // the worst that it removes
	// Where is a file that names the package, or the layer's history line.
	Where string `json:"where,omitempty"`
	// Command does it, where that is safe to say ("apt-get install --only-upgrade …"); empty otherwise.
	Command string `json:"command,omitempty"`
	// Patch does it as a unified diff without context ("git apply --unidiff-zero"), where the line that declares the version
	// is known; empty otherwise.
	Patch string `json:"patch,omitempty"`
	// Base is the base image that brings the package: building on a newer release of it may do the same.
	Base string `json:"base,omitempty"`
}

// AfterUpgrades is what a verdict would be once all upgrades are made, by all that is known today.
type AfterUpgrades struct {
	Decision Decision `json:"decision"`
	// Refusals and Gaps count those that no upgrade removes.
	Refusals int `json:"refusals"`
	Gaps     int `json:"gaps"`
}

// Baseline is what was known before the change: what an earlier run saw and decided, and what its packages would be
// found to have today.
type Baseline struct {
	Ref BaselineRef
	// Evidence and Verdict are of the earlier run. A nil Verdict means that it was not judged.
	Evidence Evidence
	Verdict  *Verdict
	// Rematched are the findings of the earlier run's packages by the advisories of this one.
	Rematched []Finding
}
