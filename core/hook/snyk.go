package hook

import (
	"cmp"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
)

// snykIssue is one vulnerability by one path to it. Issues of licenses are not flaws, and are passed over.
//
// https://docs.snyk.io/snyk-cli/commands/test
type snykIssue struct {
	ID          string  `json:"id"`
	Title       string  `json:"title"`
	Type        string  `json:"type"`
	Severity    string  `json:"severity"`
	Score       float64 `json:"cvssScore"`
	Vector      string  `json:"CVSSv3"`
	Package     string  `json:"packageName"`
	Name        string  `json:"name"`
	Version     string  `json:"version"`
	Manager     string  `json:"packageManager"`
	Identifiers struct {
		CVE  []string `json:"CVE"`
		CWE  []string `json:"CWE"`
		GHSA []string `json:"GHSA"`
	} `json:"identifiers"`
	FixedIn []string `json:"fixedIn"`
	Nearest string   `json:"nearestFixedInVersion"`
	URL     string   `json:"url"`
	Links   []struct {
		URL string `json:"url"`
	} `json:"references"`
	Filtered *struct {
		Ignored []struct {
			Reason string `json:"reason"`
		} `json:"ignored"`
	} `json:"filtered"`
}

// snykHead is what a document says outside of its issues.
type snykHead struct {
	manager, file string
}

// readSnyk reads "snyk test --json" and "snyk container test --json": one document, or a list of them. Snyk Code writes
// SARIF.
func readSnyk(in input, b *builder) error {
	b.tool("Snyk", "")
	r, err := in.json()
	if err != nil {
		return err
	}
	// Each document's head may stand behind its issues, and those of an image have documents within.
	var heads []*snykHead
	if err := snykDocuments(r, func(r *jsonstream.Reader) error {
		h := &snykHead{}
		heads = append(heads, h)
		return h.read(r, b)
	}); err != nil {
		return err
	}
	if r, err = in.json(); err != nil {
		return err
	}
	i := 0
	return snykDocuments(r, func(r *jsonstream.Reader) error {
		h := heads[min(i, len(heads)-1)]
		i++
		return h.issues(r, b)
	})
}

func snykDocuments(r *jsonstream.Reader, document func(*jsonstream.Reader) error) error {
	var err error
	if r.Kind() == '[' {
		err = r.Array(func(int) error { return document(r) })
	} else {
		err = document(r)
	}
	if err != nil {
		return err
	}
	return r.End()
}

func (h *snykHead) read(r *jsonstream.Reader, b *builder) error {
	known := false
	err := r.Object(func(name string) (err error) {
		text := r.Kind() == '"'
		switch {
		case name == "packageManager" && text:
			h.manager, err = r.String(maxWord)
		case name == "displayTargetFile" && text:
			h.file, err = r.String(maxWord)
		case name == "path" && text:
			var path string
			path, err = r.String(maxWord)
			b.about.Name = cmp.Or(b.about.Name, line(path))
		case name == "docker" && r.Kind() == '{':
			b.about.Image = true
		case name == "error" && text:
			known = true
			var why string
			why, err = r.String(maxWord)
			b.gap("Snyk could not test: %s", why)
		case name == "vulnerabilities":
			known = true
		case name == "infrastructureAsCodeIssues":
			known = true
			b.gap("Snyk's results for infrastructure as code are not read: write them as SARIF")
		}
		return err
	})
	if err == nil && !known {
		return r.Fail(`it has no "vulnerabilities": it is cut down, or of another format`)
	}
	return err
}

func (h *snykHead) issues(r *jsonstream.Reader, b *builder) error {
	return r.Object(func(name string) error {
		switch name {
		case "vulnerabilities":
			return each(r, func(x *snykIssue) error { return x.add(b, h, nil) })
		case "filtered":
			return h.filtered(r, b)
		case "applications":
			if r.Null() {
				return nil
			}
			return r.Array(func(int) error {
				return located(r, h.application(r, b))
			})
		}
		return nil
	})
}

// application is the document of one application in an image.
func (h *snykHead) application(r *jsonstream.Reader, b *builder) error {
	var x struct {
		Manager string      `json:"packageManager"`
		File    string      `json:"displayTargetFile"`
		Issues  []snykIssue `json:"vulnerabilities"`
		Error   string      `json:"error"`
	}
	if err := r.Decode(&x, maxElement); err != nil {
		return err
	}
	if x.Error != "" {
		b.gap("Snyk could not test %s: %s", x.File, x.Error)
	}
	inner := &snykHead{manager: x.Manager, file: x.File}
	for i := range x.Issues {
		if err := x.Issues[i].add(b, inner, nil); err != nil {
			return err
		}
	}
	return nil
}

// filtered are the issues that a .snyk file ignores.
func (h *snykHead) filtered(r *jsonstream.Reader, b *builder) error {
	if r.Null() {
		return nil
	}
	return r.Object(func(name string) error {
		if name != "ignore" && name != "patch" {
			return nil
		}
		return each(r, func(x *snykIssue) error {
			s := &core.Suppression{Kind: core.SuppressedConfig, By: ".snyk"}
			if x.Filtered != nil && len(x.Filtered.Ignored) > 0 {
				s.Reason = x.Filtered.Ignored[0].Reason
			}
			return x.add(b, h, s)
		})
	})
}

func (x *snykIssue) add(b *builder, h *snykHead, suppressed *core.Suppression) error {
	if x.Type == "license" {
		return nil
	}
	out := weak{ids: append(append([]string{x.ID}, x.Identifiers.CVE...), x.Identifiers.GHSA...), title: x.Title,
		severity: severity(x.Severity),
		score:    x.Score, vector: x.Vector, name: cmp.Or(x.Package,
			x.Name), version: x.Version, weaknesses: x.Identifiers.CWE,
		references: []string{cmp.Or(x.URL,
			"https://security.snyk.io/vuln/"+x.ID)}, path: h.file, suppressed: suppressed}
	for _, l := range x.Links {
		out.references = append(out.references, l.URL)
	}
	out.ecosystem, out.system = snykEcosystem(cmp.Or(x.Manager, h.manager))
	if out.system != nil {
		// "source/binary", where they differ.
		if _, binary, ok := strings.Cut(cmp.Or(x.Name, out.name), "/"); ok {
			out.name = binary
		}
		out.path = ""
	}
	out.fixed = x.FixedIn
	if x.Nearest != "" {
		out.fixed = []string{x.Nearest}
	}
	return b.weak(out)
}

// snykEcosystem reads the package manager: that of a language, or a distribution with its release ("debian:11").
func snykEcosystem(manager string) (string, *core.Distro) {
	if id, release, ok := strings.Cut(manager, ":"); ok {
		return "", &core.Distro{ID: id, VersionID: release}
	}
	switch manager {
	case "npm", "yarn", "pnpm":
		return "npm", nil
	case "pip", "poetry", "pipenv", "setup.py":
		return "PyPI", nil
	case "maven", "gradle", "sbt":
		return "Maven", nil
	case "golangdep", "govendor", "gomodules", "golang", "gobinary":
		return "Go", nil
	case "rubygems":
		return "RubyGems", nil
	case "nuget", "paket":
		return "NuGet", nil
	case "composer":
		return "Packagist", nil
	case "hex":
		return "Hex", nil
	case "pub":
		return "Pub", nil
	case "cargo":
		return "crates.io", nil
	}
	return "", nil
}
