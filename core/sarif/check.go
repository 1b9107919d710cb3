package sarif

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// MaxCompressed is how large a file may be for GitHub, in bytes after gzip.
const MaxCompressed = 10 << 20

// GitHub's limits of one run.
//
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning
const (
	githubResults   = 25000
	githubRules     = 25000
	githubLocations = 1000
	githubTags      = 20
)

// Check says why GitHub would refuse data, or show it wrong; nil if nothing is known against it. It is for what Write
// wrote, before it is uploaded: other writers' files may have members that it knows nothing of.
func Check(data []byte) error {
	var l logObject
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("it is not SARIF: %w", err)
	}
	if l.Version != "2.1.0" {
		return fmt.Errorf("its version is %q, not 2.1.0", l.Version)
	}
	if len(l.Runs) != 1 {
		return fmt.Errorf("it has %d runs: GitHub takes one of each tool and category", len(l.Runs))
	}
	size, err := Compressed(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if size > MaxCompressed {
		return fmt.Errorf("it has %d bytes after compression, of which GitHub takes %d", size, MaxCompressed)
	}
	return l.Runs[0].check()
}

// Compressed returns how many bytes r has after gzip.
func Compressed(r io.Reader) (int64, error) {
	var n count
	z := gzip.NewWriter(&n)
	if _, err := io.Copy(z, r); err != nil {
		return 0, fmt.Errorf("measure the SARIF report: %w", err)
	}
	if err := z.Close(); err != nil {
		return 0, fmt.Errorf("measure the SARIF report: %w", err)
	}
	return int64(n), nil
}

type count int64

func (n *count) Write(p []byte) (int, error) {
	*n += count(len(p))
	return len(p), nil
}

func (r *runObject) check() error {
	rules := r.Tool.Driver.Rules
	switch {
	case r.Tool.Driver.Name == "":
		return errors.New("its tool has no name")
	case strings.Trim(r.Details.ID, "/") == "":
		return errors.New("its run has no category")
	case len(r.Results) > githubResults:
		return fmt.Errorf("it has %d results, of which GitHub takes %d", len(r.Results), githubResults)
	case len(rules) > githubRules:
		return fmt.Errorf("it has %d rules, of which GitHub takes %d", len(rules), githubRules)
	}
	for i := range rules {
		p := &rules[i].Properties
		score, err := strconv.ParseFloat(p.SecuritySeverity, 64)
		if err != nil || !(score >= 0 && score <= 10) {
			return fmt.Errorf("rule %d has the security-severity %q, which is no number from 0.0 to 10.0", i, p.SecuritySeverity)
		}
		if rules[i].ShortDescription.Text == "" || rules[i].FullDescription.Text == "" || rules[i].Help.Text == "" {
			return fmt.Errorf("rule %d lacks a short description, a full description or help", i)
		}
		if len(p.Tags) > githubTags {
			return fmt.Errorf("rule %d has %d tags, of which GitHub takes %d", i, len(p.Tags), githubTags)
		}
	}
	for i := range r.Results {
		if err := r.Results[i].check(rules); err != nil {
			return fmt.Errorf("result %d %w", i, err)
		}
	}
	return nil
}

func (r *WrittenResult) check(rules []WrittenRule) error {
	switch {
	case r.RuleIndex < 0 || r.RuleIndex >= len(rules) || rules[r.RuleIndex].ID != r.RuleID:
		return errors.New("refers to a rule that is not there")
	case r.Message.Text == "":
		return errors.New("has no message")
	case r.Fingerprints[GitHubFingerprint] == "":
		return errors.New("has no fingerprint")
	case len(r.Locations) == 0 || len(r.Locations) > githubLocations:
		return fmt.Errorf("has %d locations, of which GitHub takes 1 to %d", len(r.Locations), githubLocations)
	}
	for _, l := range r.Locations {
		u, err := url.Parse(l.Physical.Artifact.URI)
		if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" || strings.HasPrefix(u.Path, "/") {
			return fmt.Errorf("is at %q, which is not relative to the root", l.Physical.Artifact.URI)
		}
		if l.Physical.Region.StartLine < 1 {
			return errors.New("is at no line")
		}
	}
	return nil
}
