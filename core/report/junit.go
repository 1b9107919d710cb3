package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

// JUnit writes the verdict as tests: each finding is one that fails if it is refused, passes with what is said of it if
// it is warned of, and is skipped if it is ignored or nothing was judged. Each gap is an error, or skipped if the policy
// accepts it. A verdict over nothing is one test that passes, because many readers take an empty report for a broken one.
func JUnit(w io.Writer, d Document) error {
	e := ordered(d.Evidence)
	o := newOutline(d)
	name := redact.Limited(o.name, sarifID)
	findings := junitSuite{Name: "findings of " + name}
	entries := sarifEntries(&e, d.Verdict)
	shown := Shown{min(len(entries), listed), len(entries)}
	for _, x := range entries[:shown.Shown] {
		text := redact.Limited(x.message, sarifText)
		c := junitCase{Class: "cleanbill." + redact.Limited(string(x.kind), sarifID),
			Name: redact.Limited(x.rule, sarifID) + ": " + text}
		switch x.action {
		case core.ActionFail:
			c.Failure = &junitMessage{text, "severity " + x.severity.String()}
		case core.ActionWarn:
			c.Out = "warning, severity " + x.severity.String()
		case core.ActionIgnore:
			c.Skipped = &junitMessage{Message: "ignored by " + redact.Limited(x.why, sarifText)}
		default:
			c.Skipped = &junitMessage{Message: "not judged"}
		}
		findings.add(c)
	}
	if shown.Cut() {
		findings.add(junitCase{Class: "cleanbill", Name: shown.String(), Skipped: &junitMessage{Message: "the JSON report has all of them"}})
	}
	examined := junitSuite{Name: "examinations of " + name}
	for _, g := range o.gaps {
		examined.add(junitCase{Class: "cleanbill.examination", Name: redact.Limited(g.examination, sarifID),
			Error: junitGap(g)})
	}
	for _, g := range o.accepted {
		examined.add(junitCase{Class: "cleanbill.examination", Name: redact.Limited(g.examination, sarifID),
			Skipped: junitGap(g)})
	}
	if findings.Tests+examined.Tests == 0 {
		examined.add(junitCase{Class: "cleanbill.examination", Name: o.decision})
	}
	all := junitSuites{Suites: []junitSuite{findings, examined}}
	for _, s := range all.Suites {
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		all.Errors, all.Skipped = all.Errors+s.Errors, all.Skipped+s.Skipped
	}
	data, err := xml.MarshalIndent(all, "", " ")
	if err == nil {
		_, err = io.WriteString(w, xml.Header+string(data)+"\n")
	}
	if err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	return nil
}

func junitGap(g gap) *junitMessage {
	return &junitMessage{redact.Limited(g.status+": "+strings.Join(g.why, "; "), sarifText), redact.Limited(g.remedy, sarifText)}
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}
