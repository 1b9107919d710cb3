package gate

import (
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/inventory"
	"github.com/cleanbill-ci/cleanbill/core/misconfig"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Analyzers returns every analyzer that sees the files of images and source trees.
func Analyzers(l Limits) ([]core.Analyzer, error) {
	return inventory.Analyzers(inventory.Options{Limits: l})
}

// AnalyzersOf returns those and the ones that are only for a kind of subject.
func AnalyzersOf(kind core.SubjectKind, common []core.Analyzer) []core.Analyzer {
	if kind == core.KindSource {
		return slices.Concat(common, misconfig.SourceAnalyzers())
	}
	return slices.Concat(common, misconfig.ImageAnalyzers())
}

// RouteLogs sends what the libraries of analyzers log to l. Their logger is one for the whole process, so a program
// calls this once, before its first run.
func RouteLogs(l hclog.Logger) { inventory.RouteLogs(l) }

// Formats returns every report that --output can name.
func Formats() []report.Format { return report.Formats() }
