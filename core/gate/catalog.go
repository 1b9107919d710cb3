package gate

import (
	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/inventory"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Analyzers returns every analyzer that sees the files of images and source trees.
func Analyzers(l Limits) ([]core.Analyzer, error) {
	return inventory.Analyzers(inventory.Options{Limits: l})
}

// Formats returns every report that --output can name.
func Formats() []report.Format { return report.Formats() }
