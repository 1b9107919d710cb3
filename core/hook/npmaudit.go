package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// readNPMAudit reads "npm audit --json": of npm 6, which lists advisories with the versions found, and of npm 7 and
// later, which lists packages without them.
//
// https://docs.npmjs.com/cli/commands/npm-audit
func readNPMAudit(in input, b *builder) error {
	b.tool("npm audit", "")
	seen := map[string]bool{}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		switch name {
		case "error":
			var failure struct {
				Code    string `json:"code"`
				Summary string `json:"summary"`
			}
			if err := r.Decode(&failure, maxElement); err != nil {
				return err
			}
			return r.Fail("npm could not audit: " + line(failure.Code+" "+failure.Summary))
		case "advisories":
			return members(r, func(id string, x *npmAdvisory) error { return x.add(b, id) })
		case "vulnerabilities":
			return members(r, func(name string, x *npmPackage) error { return x.add(b, name) })
		}
		return nil
	})
	if err == nil && !seen["advisories"] && !seen["vulnerabilities"] {
		return errors.New("it lists neither advisories nor vulnerabilities")
	}
	return err
}

// members decodes the members of an object, one at a time.
func members[T any](r *jsonstream.Reader, member func(name string, v *T) error) error {
	if r.Null() {
		return nil
	}
	return r.Object(func(name string) error {
		var v T
		if err := r.Decode(&v, maxElement); err != nil {
			return err
		}
		return located(r, member(name, &v))
	})
}

type npmAdvisory struct {
	Findings []struct {
		Version string `json:"version"`
	} `json:"findings"`
	Title    string  `json:"title"`
	Module   string  `json:"module_name"`
	CVEs     texts   `json:"cves"`
	CWE      texts   `json:"cwe"`
	GHSA     string  `json:"github_advisory_id"`
	URL      string  `json:"url"`
	Severity string  `json:"severity"`
	Patched  string  `json:"patched_versions"`
	CVSS     npmCVSS `json:"cvss"`
}

type npmCVSS struct {
	Score  float64 `json:"score"`
	Vector string  `json:"vectorString"`
}

func (x *npmAdvisory) add(b *builder, id string) error {
	out := weak{ids: append([]string{npmID(x.URL, id), x.GHSA}, x.CVEs...), title: x.Title,
		severity: severity(x.Severity), score: x.CVSS.Score,
		vector: x.CVSS.Vector, name: x.Module, ecosystem: "npm", weaknesses: x.CWE, references: []string{x.URL}}
	if lowest, ok := strings.CutPrefix(x.Patched, ">="); ok && !strings.ContainsAny(strings.TrimSpace(lowest), " |<") {
		out.fixed = []string{lowest}
	} else if x.Patched == "<0.0.0" {
		out.fix = core.FixNone
	}
	if len(x.Findings) == 0 {
		return b.weak(out)
	}
	for _, f := range x.Findings {
		out.version = f.Version
		if err := b.weak(out); err != nil {
			return err
		}
	}
	return nil
}

// npmID is the id of GitHub's advisory, if the link leads to it, or the registry's own.
func npmID(link, id string) string {
	last := link[strings.LastIndexByte(link, '/')+1:]
	if strings.HasPrefix(last, "GHSA-") {
		return last
	}
	return "npm:" + id
}

type npmPackage struct {
	Name  string            `json:"name"`
	Via   []json.RawMessage `json:"via"`
	Nodes []string          `json:"nodes"`
}

type npmVia struct {
	Source   json.Number `json:"source"`
	Name     string      `json:"name"`
	Title    string      `json:"title"`
	URL      string      `json:"url"`
	Severity string      `json:"severity"`
	CWE      texts       `json:"cwe"`
	CVSS     npmCVSS     `json:"cvss"`
}

// add takes the advisories about a package. What it inherits from another is told there.
func (x *npmPackage) add(b *builder, name string) error {
	for i, raw := range x.Via {
		if bytes.HasPrefix(raw, []byte(`"`)) {
			continue
		}
		var via npmVia
		if err := json.Unmarshal(raw, &via); err != nil {
			return fmt.Errorf("via[%d]: %w", i, err)
		}
		err := b.weak(weak{ids: []string{npmID(via.URL, via.Source.String())}, title: via.Title,
			severity: severity(via.Severity), score: via.CVSS.Score,
			vector: via.CVSS.Vector, name: name, ecosystem: "npm", weaknesses: via.CWE, references: []string{via.URL}})
		if err != nil {
			return err
		}
	}
	return nil
}
