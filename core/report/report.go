package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/sbom"
)

// Format is one kind of report.
type Format struct {
	// Name is what --output and --format call it.
	Name string
	// Description is one line of help.
	Description string
	// Write writes the whole report. An error is of w: every document has a report.
	Write func(w io.Writer, d Document) error
}

// MarkdownLimit bounds a Markdown report in bytes: what GitHub shows of a job summary, less room for what others add.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands (step summary: 1 MiB)
const MarkdownLimit = 1000 << 10

// textWidth is the width of the text report, which has no terminal to ask.
const textWidth = 100

// Formats returns all kinds of report, in the order of help.
func Formats() []Format {
	return []Format{
		{"json", "evidence and verdict, for machines: JSON with a published schema", WriteJSON},
		{"markdown", "what to do and why, for a job summary or a comment", func(w io.Writer, d Document) error {
			return Markdown(w, d, MarkdownLimit)
		}},
		{"cyclonedx", "what is in it, as CycloneDX 1.6 JSON", billOfMaterials(sbom.CycloneDX)},
		{"spdx", "what is in it, as SPDX 2.3 JSON", billOfMaterials(sbom.SPDX)},
		{"html", "all of it on one page for a browser, to search and filter; it loads nothing", HTML},
		{"sarif", "findings for code scanning, as SARIF 2.1.0 within GitHub's limits", writeSARIF},
		{"gitlab-container-scanning", "flaws of packages in images, for GitLab", gitlabReport(gitlabContainer)},
		{"gitlab-dependency-scanning", "flaws of packages in sources, for GitLab", gitlabReport(gitlabDependency)},
		{"gitlab-sast", "flaws of files, for GitLab", gitlabReport(gitlabSAST)},
		{"gitlab-secret-detection", "secrets, for GitLab", gitlabReport(gitlabSecret)},
		{"codequality", "findings and gaps, for GitLab's code quality", CodeQuality},
		{"junit", "the verdict as tests, in JUnit's XML", JUnit},
		{"text", "what the terminal shows, in plain text", func(w io.Writer, d Document) error {
			return Terminal(w, d, TerminalOptions{Width: textWidth, Unicode: true})
		}},
	}
}

// ParseFormat returns the format of that name. The error is the user's and lists what there is.
func ParseFormat(name string) (Format, error) {
	formats := Formats()
	i := slices.IndexFunc(formats, func(f Format) bool { return strings.EqualFold(f.Name, name) })
	if i >= 0 {
		return formats[i], nil
	}
	names := make([]string, 0, len(formats))
	for _, f := range formats {
		names = append(names, f.Name)
	}
	return Format{}, &core.Failure{
		Doing: fmt.Sprintf("write a report as %q", name),
		Err:   errors.New("there is no such format"),
		Hint:  "formats are " + strings.Join(names, ", "),
		Usage: true,
	}
}

func billOfMaterials(f sbom.Format) func(io.Writer, Document) error {
	return func(w io.Writer, d Document) error {
		return sbom.Write(w, f, d.Evidence, sbom.Options{Timestamp: d.Created, Tool: d.Tool.Name, Version: d.Tool.Version})
	}
}
