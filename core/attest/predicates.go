package attest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
)

// seconds is a time as predicates have it: of the whole second, in UTC.
func seconds(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// digestSet is a digest as in-toto writes it.
//
// https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
func digestSet(d core.Digest) map[string]string {
	algorithm, digits, ok := strings.Cut(string(d), ":")
	if !ok {
		return nil
	}
	return map[string]string{algorithm: digits}
}

// Resource is something that a statement names besides its subjects.
//
// https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
type Resource struct {
	URI       string
	Digest    core.Digest
	MediaType string
}

type resource struct {
	URI       string            `json:"uri,omitempty"`
	Digest    map[string]string `json:"digest,omitempty"`
	MediaType string            `json:"mediaType,omitempty"`
}

func (r Resource) encoded() resource { return resource{r.URI, digestSet(r.Digest), r.MediaType} }

// Vulnerabilities is a list of what a scan found in one subject.
type Vulnerabilities struct {
	// Scanner and Version name the program.
	Scanner, Version string
	// Database is what was matched against, by name and digest, and Updated is how old that is.
	Database core.AdvisorySource
	// Started and Finished are of the scan.
	Started, Finished time.Time
	// Findings are those of the subject that are vulnerabilities; others are left out.
	Findings []core.Finding
	// Judged says of a finding what policy made of it, and why; empty strings for nothing.
	Judged func(core.Finding) (outcome, reason string)
}

// Encode returns the predicate of type TypeVulns.
//
// https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns.md
func (v Vulnerabilities) Encode() (json.RawMessage, error) {
	type severity struct {
		Method string `json:"method"`
		Score  string `json:"score"`
	}
	type annotation struct {
		Package string `json:"package,omitempty"`
		Fixed   string `json:"fixedVersion,omitempty"`
		Outcome string `json:"outcome,omitempty"`
		Reason  string `json:"reason,omitempty"`
	}
	type result struct {
		ID          string       `json:"id"`
		Severity    []severity   `json:"severity"`
		Annotations []annotation `json:"annotations,omitempty"`
	}
	type database struct {
		URI     string `json:"uri,omitempty"`
		Version string `json:"version,omitempty"`
		Updated string `json:"lastUpdate,omitempty"`
	}
	var p struct {
		Scanner struct {
			URI      string   `json:"uri"`
			Version  string   `json:"version,omitempty"`
			Database database `json:"db"`
			Result   []result `json:"result"`
		} `json:"scanner"`
		Metadata struct {
			Started  string `json:"scanStartedOn"`
			Finished string `json:"scanFinishedOn"`
		} `json:"metadata"`
	}
	p.Scanner.URI, p.Scanner.Version, p.Scanner.Result = v.Scanner, v.Version, []result{}
	p.Scanner.Database = database{URI: v.Database.Name, Version: string(v.Database.Digest)}
	if at := v.Database.AsOf; !at.IsZero() {
		p.Scanner.Database.Updated = seconds(at)
	}
	p.Metadata.Started, p.Metadata.Finished = seconds(v.Started), seconds(v.Finished)
	for _, f := range v.Findings {
		if f.Kind != core.KindVulnerability {
			continue
		}
		r := result{ID: f.Rule, Severity: []severity{{"rating", f.Severity.String()}}}
		if f.Vector != "" {
			r.Severity = append(r.Severity, severity{"vector", f.Vector})
		}
		a := annotation{Fixed: f.Fix.Version}
		if f.Package != nil {
			a.Package = f.Package.Purl
		}
		if v.Judged != nil {
			a.Outcome, a.Reason = v.Judged(f)
		}
		if a != (annotation{}) {
			r.Annotations = []annotation{a}
		}
		p.Scanner.Result = append(p.Scanner.Result, r)
	}
	return json.Marshal(p)
}

// VerifierID names this program in summaries: who verifies them asks for it.
const VerifierID = "https://github.com/cleanbill-ci/cleanbill"

// LevelPassed is what a summary says of what passed. Levels of SLSA are said of how something was built, which nobody here
// looked at.
//
// https://slsa.dev/spec/v1.1/verification_summary#slsaresult
const LevelPassed = "CLEANBILL_PASSED"

// Summary is a verdict as others can ask for it.
type Summary struct {
	// Version is of the program.
	Version string
	// Verified is the time of the verdict.
	Verified time.Time
	// Resource names what was judged: where it is, without a tag.
	Resource string
	// Policy is what it was judged by.
	Policy core.PolicyRef
	// Inputs are the attestations that say what was seen.
	Inputs []Resource
	// Passed is whether it passed.
	Passed bool
}

// summary is the predicate of type TypeVSA.
//
// https://slsa.dev/spec/v1.1/verification_summary#schema
type summary struct {
	Verifier struct {
		ID      string            `json:"id"`
		Version map[string]string `json:"version,omitempty"`
	} `json:"verifier"`
	Verified string     `json:"timeVerified"`
	Resource string     `json:"resourceUri"`
	Policy   resource   `json:"policy"`
	Inputs   []resource `json:"inputAttestations,omitempty"`
	Result   string     `json:"verificationResult"`
	Levels   []string   `json:"verifiedLevels"`
	SLSA     string     `json:"slsaVersion"`
}

const (
	resultPassed = "PASSED"
	resultFailed = "FAILED"
)

// Encode returns the predicate of type TypeVSA.
func (s Summary) Encode() (json.RawMessage, error) {
	var p summary
	p.Verifier.ID, p.Verifier.Version = VerifierID, map[string]string{"cleanbill": s.Version}
	p.Verified, p.Resource, p.SLSA = seconds(s.Verified), s.Resource, "1.1"
	p.Policy = resource{URI: s.Policy.Name, Digest: digestSet(s.Policy.Digest)}
	for _, in := range s.Inputs {
		p.Inputs = append(p.Inputs, in.encoded())
	}
	p.Result, p.Levels = resultFailed, []string{resultFailed} // as SLSA has it, which knows no empty list
	if s.Passed {
		p.Result, p.Levels = resultPassed, []string{LevelPassed}
	}
	return json.Marshal(p)
}

// Build is how something was built, as far as the platform says it. What is empty is not claimed.
type Build struct {
	// Builder is who ran the build, and Type what kind of build it was: addresses.
	Builder, Type string
	// Invocation names the run.
	Invocation string
	// Source is the repository and Revision the commit.
	Source, Revision string
	// Parameters are what the run was asked for from outside, such as the ref and the workflow, in the form that Type defines.
	// It has to be a JSON object; nil is an empty one.
	Parameters any
	// Started and Finished may be zero.
	Started, Finished time.Time
}

// Encode returns the predicate of type TypeProvenance.
//
// https://slsa.dev/spec/v1.1/provenance#schema
func (b Build) Encode() (json.RawMessage, error) {
	type dependency struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest,omitempty"`
	}
	var p struct {
		Definition struct {
			Type         string       `json:"buildType"`
			Parameters   any          `json:"externalParameters"`
			Dependencies []dependency `json:"resolvedDependencies,omitempty"`
		} `json:"buildDefinition"`
		Run struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata struct {
				Invocation string `json:"invocationId,omitempty"`
				Started    string `json:"startedOn,omitempty"`
				Finished   string `json:"finishedOn,omitempty"`
			} `json:"metadata,omitzero"`
		} `json:"runDetails"`
	}
	p.Definition.Type, p.Definition.Parameters = b.Type, b.Parameters
	if p.Definition.Parameters == nil {
		p.Definition.Parameters = struct{}{}
	}
	if b.Source != "" {
		d := dependency{URI: b.Source}
		if b.Revision != "" {
			d.Digest = map[string]string{"gitCommit": b.Revision}
		}
		p.Definition.Dependencies = []dependency{d}
	}
	p.Run.Builder.ID, p.Run.Metadata.Invocation = b.Builder, b.Invocation
	if !b.Started.IsZero() {
		p.Run.Metadata.Started = seconds(b.Started)
	}
	if !b.Finished.IsZero() {
		p.Run.Metadata.Finished = seconds(b.Finished)
	}
	return json.Marshal(p)
}

// TypeReference is that of a statement that names something by digest instead of holding it, because it is too large.
//
// https://github.com/in-toto/attestation/blob/main/spec/predicates/reference.md
const TypeReference = "https://in-toto.io/attestation/reference/v0.1"

// EncodeReference returns the predicate of type TypeReference, of things that are kept elsewhere.
func EncodeReference(attester string, to ...Resource) (json.RawMessage, error) {
	type reference struct {
		Location  string            `json:"downloadLocation"`
		Digest    map[string]string `json:"digest"`
		MediaType string            `json:"mediaType"`
	}
	var p struct {
		Attester struct {
			ID string `json:"id"`
		} `json:"attester"`
		References []reference `json:"references"`
	}
	p.Attester.ID = attester
	for _, r := range to {
		p.References = append(p.References, reference{r.URI, digestSet(r.Digest), r.MediaType})
	}
	return json.Marshal(p)
}
