package core

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity orders how bad a finding is. The zero value is SeverityUnknown, which is not the same as harmless.
type Severity int

// The severities in ascending order.
const (
	SeverityUnknown Severity = iota
	SeverityNone
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severityNames = [...]string{"unknown", "none", "low", "medium", "high", "critical"}

// Severities returns all severities, the worst first.
func Severities() []Severity {
	return []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityLow, SeverityNone, SeverityUnknown}
}

// String returns the lower-case name.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityNames[s]
}

// ParseSeverity reads a name in any case.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames {
		if strings.EqualFold(n, name) {
			return Severity(i), nil
		}
	}
	return SeverityUnknown, fmt.Errorf("%q is not a severity: want one of %s", name, strings.Join(severityNames[:], ", "))
}

// SeverityOfScore maps a CVSS base score (0.0 to 10.0) to its qualitative rating.
//
// https://www.first.org/cvss/v4.0/specification-document#Qualitative-Severity-Rating-Scale
func SeverityOfScore(score float64) Severity {
	switch {
	case score >= 9.0:
		return SeverityCritical
	case score >= 7.0:
		return SeverityHigh
	case score >= 4.0:
		return SeverityMedium
	case score > 0:
		return SeverityLow
	default:
		return SeverityNone
	}
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// FindingKind says what sort of flaw a Finding is.
type FindingKind string

// The kinds of Finding.
const (
	KindVulnerability    FindingKind = "vulnerability"
	KindMalware          FindingKind = "malware"
	KindEndOfLife        FindingKind = "end-of-life"
	KindSecret           FindingKind = "secret"
	KindMisconfiguration FindingKind = "misconfiguration"
	KindCode             FindingKind = "code"
	// KindSuppression is a change's own wish that something not count: a new inline ignore, waiver or tool setting.
	KindSuppression FindingKind = "suppression"
)

// FindingKinds returns every kind.
func FindingKinds() []FindingKind {
	return []FindingKind{KindVulnerability, KindMalware, KindEndOfLife, KindSecret, KindMisconfiguration, KindCode, KindSuppression}
}

// Finding is one flaw in one subject.
type Finding struct {
	// Fingerprint is stable across runs, line moves and rebuilds. Baselines, waivers, SARIF and GitLab deduplicate on
	// it. It is made by the room that makes the finding, with FingerprintOf.
	Fingerprint string      `json:"fingerprint"`
	Subject     Digest      `json:"subject"`
	Kind        FindingKind `json:"kind"`
	// Rule is the id that people search for: the advisory's best known id, or the rule of the tool.
	Rule string `json:"rule"`
	// Aliases are all other ids of the same flaw, sorted.
	Aliases  []string `json:"aliases,omitempty"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	// Score is the CVSS base score, 0.0 to 10.0; nil where nobody published a vector.
	Score *float64 `json:"score,omitempty"`
	// Vector is the CVSS vector that Score was computed from.
	Vector string `json:"vector,omitempty"`
	// SeveritySource says where Severity comes from: "CVSS 4.0", "Debian urgency", the tool's name.
	SeveritySource string `json:"severitySource,omitempty"`
	// Package is the package that has the flaw; nil for findings that are not about packages.
	Package   *PackageRef `json:"package,omitempty"`
	Locations []Location  `json:"locations,omitempty"`
	Origin    *Origin     `json:"origin,omitempty"`
	Fix       Fix         `json:"fix"`
	// Match says how the advisory was matched to the package, Confidence how sure that is.
	Match      Match      `json:"match,omitempty"`
	Confidence Confidence `json:"confidence,omitzero"`
	Exploited  *Exploited `json:"exploited,omitempty"`
	// Reachable says whether the code of the subject can run into the flaw; empty where nobody looked.
	Reachable Reachability `json:"reachable,omitempty"`
	// VEX is what was said of the flaw in this product, whether or not it counts.
	VEX  []VEXStatement `json:"vex,omitempty"`
	EPSS *EPSS          `json:"epss,omitempty"`
	// Published and Modified are the advisory's dates.
	Published  time.Time `json:"published,omitzero"`
	Modified   time.Time `json:"modified,omitzero"`
	References []string  `json:"references,omitempty"`
	// SeenBy names the tools and databases that reported it, sorted.
	SeenBy []string `json:"seenBy,omitempty"`
	// Weaknesses are the CWE entries that it is an instance of ("CWE-79"), sorted.
	Weaknesses []string `json:"weaknesses,omitempty"`
	// Secret is what is known of a secret besides its rule; nil for other kinds.
	Secret *SecretFacts `json:"secret,omitempty"`
	// Suppressions are what the sources themselves say against the finding, whether or not it counts.
	Suppressions []Suppression `json:"suppressions,omitempty"`
}

// SecretFacts describe a secret without showing it.
type SecretFacts struct {
	// Entropy is Shannon's, in bits for each character.
	Entropy float64 `json:"entropy"`
	// Verified says whether somebody tried the secret ("active", "inactive"); empty where nobody did.
	Verified string `json:"verified,omitempty"`
}

// SuppressionKind says where a Suppression stands.
type SuppressionKind string

// The kinds of Suppression.
const (
	SuppressedInline SuppressionKind = "inline" // a comment beside the code
	SuppressedConfig SuppressionKind = "config" // a tool's own configuration or ignore file
	SuppressedReport SuppressionKind = "report" // a report that some tool wrote
)

// Suppression is a statement in the judged sources, or in a report, that a finding is not to count. Policy decides
// whether it does.
type Suppression struct {
	Kind SuppressionKind `json:"kind"`
	// By is the form that it has: "gitleaks:allow", ".gitleaksignore", "cleanbill:ignore", "SARIF".
	By string `json:"by"`
	// Path and Line are where it stands; Line is 0 for a whole file.
	Path   string `json:"path,omitempty"`
	Line   int    `json:"line,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Base is true if the base of the change has it too, or if nothing is being changed.
	Base bool `json:"base,omitempty"`
}

// PackageRef names a Package from a Finding.
type PackageRef struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Purl      string `json:"purl"`
	Ecosystem string `json:"ecosystem,omitempty"`
}

// FixState says what is known of a remedy.
type FixState string

// The states of a fix. The zero value means that the source does not say.
const (
	FixUnknown     FixState = ""
	FixAvailable   FixState = "available"
	FixNone        FixState = "none"         // no fixed version was published
	FixWontFix     FixState = "wont-fix"     // the distributor declined
	FixEndOfLife   FixState = "end-of-life"  // the distributor no longer supports the package
	FixNotAffected FixState = "not-affected" // the distributor says that its build is not affected
)

// Fix is the remedy for a Finding.
type Fix struct {
	State FixState `json:"state,omitempty"`
	// Versions are all versions that fix it, ascending.
	Versions []string `json:"versions,omitempty"`
	// Version is the smallest upgrade from the version found.
	Version string `json:"version,omitempty"`
	// Text is what to do, for findings whose remedy is not a version.
	Text string `json:"text,omitempty"`
}

// Match says how an advisory was matched to a package, from sure to unsure.
type Match string

// The ways of matching.
const (
	MatchExact    Match = "exact"    // ecosystem and package name of the advisory
	MatchSource   Match = "source"   // the distribution's source package
	MatchVendored Match = "vendored" // a copy embedded in another artifact
	MatchName     Match = "name"     // the name alone
)

// Reachability says whether code can run into a flaw. The zero value means that nobody looked.
type Reachability string

// The reachabilities.
const (
	ReachableYes     Reachability = "yes"     // a call leads to the flaw
	ReachableNo      Reachability = "no"      // no call leads to it
	ReachableUnknown Reachability = "unknown" // it was looked for, and cannot be told
)

// VEXStatus is what a statement says of a flaw in a product.
//
// https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md#status-labels
type VEXStatus string

// The statuses.
const (
	VEXNotAffected        VEXStatus = "not_affected"
	VEXAffected           VEXStatus = "affected"
	VEXFixed              VEXStatus = "fixed"
	VEXUnderInvestigation VEXStatus = "under_investigation"
)

// VEXStatement is what somebody said of a flaw in a product.
type VEXStatement struct {
	Status VEXStatus `json:"status"`
	// Justification is one of the specification's words for why a product is not affected.
	Justification string `json:"justification,omitempty"`
	// Impact is the same in the author's words.
	Impact string `json:"impact,omitempty"`
	// Document is the name of the document that says so, Digest that of its content, Time that of the statement.
	Document string    `json:"document"`
	Digest   Digest    `json:"digest"`
	Time     time.Time `json:"time,omitzero"`
	// TrustedBy says why it counts: the signer that was verified, or the policy that names the document. What nobody vouches
	// for does not count, whoever it says wrote it.
	TrustedBy string `json:"trustedBy,omitempty"`
}

// excuses reports whether the statement says that the flaw does no harm.
func (s *VEXStatement) excuses() bool { return s.Status == VEXNotAffected || s.Status == VEXFixed }

// Excuse returns the statement that excuses the finding: the latest of those that count, if it says that the flaw does no
// harm. Of statements of one time the one that does not excuse wins.
func (f *Finding) Excuse() *VEXStatement {
	var latest *VEXStatement
	for i := range f.VEX {
		s := &f.VEX[i]
		if s.TrustedBy == "" {
			continue
		}
		if latest == nil || s.Time.After(latest.Time) || s.Time.Equal(latest.Time) && latest.excuses() && !s.excuses() {
			latest = s
		}
	}
	if latest == nil || !latest.excuses() {
		return nil
	}
	return latest
}

// Confidence orders how sure it is that the package has the flaw. The zero value means that nobody said.
type Confidence int

// The confidences in ascending order.
const (
	ConfidenceUnknown Confidence = iota
	ConfidenceLow                // by name alone, or perhaps another build
	ConfidenceMedium             // a copy within another artifact, which may have been changed or cut down
	ConfidenceHigh               // the very package that the advisory is about
)

var confidenceNames = [...]string{"unknown", "low", "medium", "high"}

// String returns the lower-case name.
func (c Confidence) String() string {
	if c < 0 || int(c) >= len(confidenceNames) {
		return fmt.Sprintf("confidence(%d)", int(c))
	}
	return confidenceNames[c]
}

// MarshalText implements encoding.TextMarshaler.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Confidence) UnmarshalText(text []byte) error {
	i := slices.Index(confidenceNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a confidence: want one of %s", text, strings.Join(confidenceNames[:], ", "))
	}
	*c = Confidence(i)
	return nil
}

// Exploited says that CISA lists the vulnerability as exploited in the wild.
//
// https://www.cisa.gov/known-exploited-vulnerabilities-catalog
type Exploited struct {
	Since      string `json:"since"` // date added, yyyy-mm-dd
	Ransomware bool   `json:"ransomware,omitempty"`
}

// EPSS is the Exploit Prediction Scoring System's estimate, both 0 to 1.
//
// https://www.first.org/epss/model
type EPSS struct {
	Score      float64 `json:"score"`
	Percentile float64 `json:"percentile"`
}
