package hook

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/jsonstream"
	"github.com/cleanbill-ci/cleanbill/core/sarif"
)

// gitlabFinding is one finding of a report.
//
// https://gitlab.com/gitlab-org/security-products/security-report-schemas
type gitlabFinding struct {
	Category    string         `json:"category"`
	Name        string         `json:"name"`
	Message     string         `json:"message"`
	Description string         `json:"description"`
	Severity    string         `json:"severity"`
	Solution    string         `json:"solution"`
	Scanner     *gitlabScanner `json:"scanner"`
	Location    struct {
		File       string `json:"file"`
		Start      int    `json:"start_line"`
		End        int    `json:"end_line"`
		Image      string `json:"image"`
		System     string `json:"operating_system"`
		Dependency struct {
			Package struct {
				Name string `json:"name"`
			} `json:"package"`
			Version string `json:"version"`
		} `json:"dependency"`
	} `json:"location"`
	Identifiers []struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value text   `json:"value"`
		URL   string `json:"url"`
	} `json:"identifiers"`
	Links []struct {
		URL string `json:"url"`
	} `json:"links"`
}

type gitlabScanner struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// gitlabHead is what the report says of the scan, which may stand behind what was found.
type gitlabHead struct {
	scanner  gitlabScanner
	kind     string
	managers map[string]string // by file
}

// readGitLab reads the reports of GitLab's analysers for SAST, secrets, containers and dependencies, of the schema
// versions 14 and 15, and of those before, which have the same members.
func readGitLab(in input, b *builder) error {
	head := gitlabHead{managers: map[string]string{}}
	seen := map[string]bool{}
	if err := in.members(func(r *jsonstream.Reader, name string) error {
		seen[name] = true
		return head.read(r, b, name)
	}); err != nil {
		return err
	}
	if err := missing(seen, "version", "vulnerabilities"); err != nil {
		return err
	}
	if head.kind != "" {
		if err := head.known(head.kind); err != nil {
			return err
		}
	}
	err := in.members(func(r *jsonstream.Reader, name string) error {
		if name != "vulnerabilities" {
			return nil
		}
		return each(r, func(x *gitlabFinding) error { return head.finding(b, x) })
	})
	if err == nil && len(b.tools) == 0 {
		b.tool(cmp.Or(head.scanner.Name, head.scanner.ID, "GitLab "+head.kind), head.scanner.Version)
	}
	return err
}

func (h *gitlabHead) known(kind string) error {
	if slices.Contains([]string{"sast", "secret_detection", "container_scanning", "cluster_image_scanning",
		"dependency_scanning"}, kind) {
		return nil
	}
	return fmt.Errorf("it is a report of %s, which is not read", line(kind))
}

func (h *gitlabHead) read(r *jsonstream.Reader, b *builder, name string) error {
	switch name {
	case "version":
		version, err := r.String(maxWord)
		major, _, _ := strings.Cut(version, ".")
		if err == nil && !slices.Contains([]string{"2", "3", "14", "15"}, major) {
			return r.Fail(fmt.Sprintf("its schema has the version %q, and 14 and 15 are read", line(version)))
		}
		return err
	case "scan":
		return h.scan(r, b)
	case "dependency_files":
		return each(r, func(f *struct {
			Path    string `json:"path"`
			Manager string `json:"package_manager"`
		}) error {
			if len(h.managers) < maxFindings {
				h.managers[f.Path] = f.Manager
			}
			return nil
		})
	}
	return nil
}

func (h *gitlabHead) scan(r *jsonstream.Reader, b *builder) error {
	var s struct {
		Scanner  gitlabScanner `json:"scanner"`
		Type     string        `json:"type"`
		Status   string        `json:"status"`
		Messages []struct {
			Level string `json:"level"`
			Value string `json:"value"`
		} `json:"messages"`
	}
	if err := r.Decode(&s, maxElement); err != nil {
		return err
	}
	h.scanner, h.kind = s.Scanner, s.Type
	b.tool(cmp.Or(s.Scanner.Name, s.Scanner.ID, "GitLab "+s.Type), s.Scanner.Version)
	if s.Status != "" && s.Status != "success" {
		b.gap("the scan ended with the status %q", s.Status)
	}
	for _, m := range s.Messages {
		if m.Level == "fatal" || m.Level == "error" {
			b.gap("the scanner says: %s", m.Value)
		}
	}
	return nil
}

func (h *gitlabHead) finding(b *builder, x *gitlabFinding) error {
	kind := cmp.Or(h.kind, x.Category)
	if kind == "" { // it says neither: by what the finding is about
		switch {
		case x.Location.Image != "":
			kind = "container_scanning"
		case x.Location.Dependency.Package.Name != "":
			kind = "dependency_scanning"
		default:
			kind = "sast"
		}
	}
	if err := h.known(kind); err != nil {
		return err
	}
	scanner := h.scanner
	if x.Scanner != nil {
		scanner = *x.Scanner
	}
	b.tool(cmp.Or(scanner.Name, scanner.ID, "GitLab "+kind), scanner.Version)
	var names, weaknesses, references []string
	for _, i := range x.Identifiers {
		switch strings.ToLower(i.Type) {
		case "cwe":
			weaknesses = append(weaknesses, "CWE-"+strings.TrimPrefix(strings.ToUpper(string(i.Value)), "CWE-"))
		case "owasp", "wasc":
		default:
			names = append(names, cmp.Or(string(i.Value), i.Name))
		}
		references = append(references, i.URL)
	}
	for _, l := range x.Links {
		references = append(references, l.URL)
	}
	title := cmp.Or(x.Message, x.Name, x.Description)
	switch kind {
	case "sast", "secret_detection":
		out := flaw{title: title, severity: severity(x.Severity), path: x.Location.File, line: x.Location.Start,
			endLine:    x.Location.End,
			weaknesses: weaknesses, references: references, fix: x.Solution}
		if kind == "secret_detection" || sarif.KindOf(b.current.name, "", nil) == core.KindSecret {
			// The extract is the secret; the name is the rule's, and the rest may repeat what was found.
			out.kind, out.title = core.KindSecret, cmp.Or(x.Name, "a secret")
		}
		out.rule = x.Name
		if len(names) > 0 {
			out.rule, out.aliases = names[0], names[1:]
		}
		return b.flaw(out)
	}
	out := weak{ids: names, title: title, severity: severity(x.Severity), name: x.Location.Dependency.Package.Name,
		version:    x.Location.Dependency.Version,
		weaknesses: weaknesses, references: references, path: x.Location.File}
	if kind == "dependency_scanning" {
		out.ecosystem = h.ecosystem(x.Location.File)
		if out.ecosystem == "Maven" {
			out.name = strings.Replace(out.name, "/", ":", 1)
		}
	} else {
		b.about.Image, b.about.Name, out.path = true, line(x.Location.Image), ""
		b.about.add(digestOf(x.Location.Image))
		id, release, _ := strings.Cut(strings.Replace(x.Location.System, " ", ":", 1), ":")
		if id != "" {
			out.system = trivySystem(id, release)
		}
	}
	return b.weak(out)
}

// ecosystem is that of a lockfile, by what the report says of it or by its name.
func (h *gitlabHead) ecosystem(file string) string {
	switch h.managers[file] {
	case "npm", "yarn", "pnpm":
		return "npm"
	case "pip", "pipenv", "poetry", "setuptools", "uv":
		return "PyPI"
	case "maven", "gradle", "sbt":
		return "Maven"
	case "bundler":
		return "RubyGems"
	case "composer":
		return "Packagist"
	case "go":
		return "Go"
	case "nuget":
		return "NuGet"
	case "conan":
		return "ConanCenter"
	case "cargo":
		return "crates.io"
	}
	switch path.Base(file) {
	case "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "npm-shrinkwrap.json":
		return "npm"
	case "requirements.txt", "Pipfile.lock", "Pipfile", "poetry.lock", "setup.py":
		return "PyPI"
	case "pom.xml", "build.gradle", "gradle.lockfile":
		return "Maven"
	case "Gemfile.lock":
		return "RubyGems"
	case "composer.lock":
		return "Packagist"
	case "go.sum", "go.mod":
		return "Go"
	case "packages.lock.json":
		return "NuGet"
	case "Cargo.lock":
		return "crates.io"
	}
	return ""
}
