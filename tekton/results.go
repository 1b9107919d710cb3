package tekton

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// result is one result of the Task.
type result struct {
	// name is as in the Task; the path of its file is in the variable CLEANBILL_RESULT_ and the name.
	name  string
	value string
}

// testOutput is the result of a test in the form that Konflux reads.
//
// https://konflux-ci.dev/architecture/ADR/0030-tekton-results-naming-convention.html
type testOutput struct {
	Result    string `json:"result"`
	Timestamp string `json:"timestamp"`
	Successes int    `json:"successes"`
	Failures  int    `json:"failures"`
	Warnings  int    `json:"warnings"`
	Note      string `json:"note,omitempty"`
}

// scanOutput counts vulnerabilities in the form that Konflux reads: those with a fix, and those without one.
type scanOutput struct {
	Fixable   severityCounts `json:"vulnerabilities"`
	Unpatched severityCounts `json:"unpatched_vulnerabilities"`
}

type severityCounts struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Unknown  int `json:"unknown"`
}

// add counts one finding. Vulnerabilities without impact are in none of Konflux' classes.
func (c *severityCounts) add(s core.Severity) {
	switch s {
	case core.SeverityCritical:
		c.Critical++
	case core.SeverityHigh:
		c.High++
	case core.SeverityMedium:
		c.Medium++
	case core.SeverityLow:
		c.Low++
	case core.SeverityUnknown:
		c.Unknown++
	}
}

// resultsOf returns the results that every Task declares and those that only this one does, in a size that Tekton carries.
// The report is the digest under which the whole document is found, if it was kept.
func resultsOf(r *gate.Result, report core.Digest, own []result, now time.Time) ([]result, error) {
	facts := map[string]string{}
	for _, f := range r.Facts() {
		facts[f.Name] = f.Value
	}
	var scan scanOutput
	for _, f := range r.Evidence.Findings {
		if f.Kind != core.KindVulnerability {
			continue
		}
		if f.Fix.State == core.FixAvailable {
			scan.Fixable.add(f.Severity)
		} else {
			scan.Unpatched.add(f.Severity)
		}
	}
	test := testOutput{
		Result:    testResult(r.Verdict.Decision),
		Timestamp: now.UTC().Format(time.RFC3339),
		Failures:  len(r.Verdict.Refusals) + len(r.Verdict.Gaps),
		Warnings:  len(r.Verdict.Warnings),
	}
	if r.Verdict.Decision == core.Passed {
		test.Successes = 1
	}
	fixed, err := encode([]result{
		{name: "VERDICT", value: facts["result"]},
		{name: "JUDGED_DIGEST", value: facts["digest"]},
		{name: "PACKAGES", value: facts["packages"]},
		{name: "FINDINGS", value: facts["findings"]},
	}, test, scan)
	if err != nil {
		return nil, err
	}
	return fit(append(fixed, own...), imagesOf(r), report)
}

// failureResults returns the results of a run without a verdict.
func failureResults(exit int, own []result, now time.Time) ([]result, error) {
	facts := gate.FailureFacts(exit)
	test := testOutput{Result: "ERROR", Timestamp: now.UTC().Format(time.RFC3339), Failures: 1, Note: "see the log of the step"}
	fixed, err := encode([]result{
		{name: "VERDICT", value: facts[0].Value},
		{name: "JUDGED_DIGEST"}, {name: "PACKAGES"}, {name: "FINDINGS"},
	}, test, scanOutput{})
	if err != nil {
		return nil, err
	}
	return fit(append(fixed, own...), images{}, "")
}

// testResult translates a decision into Konflux' words. Undecided is an error there: the test could not be done.
func testResult(d core.Decision) string {
	switch d {
	case core.Passed:
		return "SUCCESS"
	case core.Refused:
		return "FAILURE"
	default:
		return "ERROR"
	}
}

func encode(results []result, test testOutput, scan scanOutput) ([]result, error) {
	testText, err := json.Marshal(test)
	if err != nil {
		return nil, fmt.Errorf("encode the result TEST_OUTPUT: %w", err)
	}
	scanText, err := json.Marshal(scan)
	if err != nil {
		return nil, fmt.Errorf("encode the result SCAN_OUTPUT: %w", err)
	}
	return append(results, result{"TEST_OUTPUT", string(testText)}, result{"SCAN_OUTPUT", string(scanText)}), nil
}

// write writes each result to its file, exactly and without a line end.
func (a *Adapter) write(results []result) error {
	var failures []error
	for _, r := range results {
		variable := "CLEANBILL_RESULT_" + r.name
		path := a.o.Getenv(variable)
		if path == "" {
			failures = append(failures, fmt.Errorf("write the result %s: %s is not set: this is no step of the Task", r.name, variable))
			continue
		}
		err := gate.WriteFile(path, func(w io.Writer) error {
			_, err := io.WriteString(w, r.value)
			return err
		})
		if err != nil {
			failures = append(failures, fmt.Errorf("write the result %s: %w", r.name, err))
		}
	}
	return errors.Join(failures...)
}
