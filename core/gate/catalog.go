package gate

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/inventory"
	"github.com/cleanbill-ci/cleanbill/core/misconfig"
	"github.com/cleanbill-ci/cleanbill/core/report"
	"github.com/cleanbill-ci/cleanbill/core/secret"
)

// Analyzers returns every analyzer of packages, which sees the files of images and source trees alike.
func Analyzers(l Limits) ([]core.Analyzer, error) {
	return inventory.Analyzers(inventory.Options{Limits: l})
}

// secrets returns what looks for secrets, by the settings of gitleaks in a directory.
func (s *sources) secrets(dir string) (*secret.Detector, error) {
	d, err := secret.New(func(name string, max int64) ([]byte, error) { return s.read(filepath.Join(dir, name), max) })
	if errors.Is(err, ErrNoBase) {
		return nil, s.noBase(err)
	}
	return d, err
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
