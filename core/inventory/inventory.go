// Package inventory finds packages: what distributions installed, what language package managers installed or locked,
// and what executables and archives say of themselves. The reading of formats is osv-scalibr's; this room wraps its
// extractors as analyzers of single files, holds them to our contract (bounded, nothing dropped without a word) and
// turns what they return into our vocabulary.
//
// Which extractors run is one table, see catalog.go. Nothing that walks a file system, looks up a vulnerability or
// needs a network may enter this room.
package inventory

import (
	"errors"
	"fmt"
	"runtime/debug"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	scalibrlog "github.com/google/osv-scalibr/log"
	"github.com/hashicorp/go-hclog"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/internal/limit"
)

// Options are the settings of all analyzers of this room.
type Options struct {
	// Limits bound what one file may cost; zero fields are the defaults.
	Limits limit.Limits
}

// Analyzers returns the analyzers of this room: one for os-release and one for each extractor of the catalog. They hold
// no state and may be used for any number of subjects at once.
func Analyzers(o Options) ([]core.Analyzer, error) {
	limits := o.Limits.Filled()
	version := scalibrVersion()
	analyzers := []core.Analyzer{osRelease{}}
	for _, e := range catalog() {
		inner, err := e.make(settings(limits))
		if err != nil {
			return nil, fmt.Errorf("set up the extractor %s: %w", e.name, err)
		}
		if inner.Name() != e.name {
			return nil, fmt.Errorf("the extractor %s calls itself %s", e.name, inner.Name())
		}
		analyzers = append(analyzers, wrap(&analyzer{entry: e, inner: inner, limits: limits, version: version}))
	}
	return analyzers, nil
}

// settings carries our limits into the extractors that have bounds of their own.
func settings(limits limit.Limits) *cpb.PluginConfig {
	return &cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{
		{Config: &cpb.PluginSpecificConfig_Dpkg{Dpkg: &cpb.DpkgConfig{
			IncludeNotInstalled: true, // dpkg.go decides which states are installed
		}}},
		{Config: &cpb.PluginSpecificConfig_JavaArchive{JavaArchive: &cpb.JavaArchiveConfig{
			MaxZipDepth:    int32(min(limits.Nesting, 1<<10)),
			MaxOpenedBytes: nestedBytes(limits),
		}}},
	}}
}

// RouteLogs sends what osv-scalibr logs to l instead of standard error, all of it at debug level: what matters of it is
// in the evidence. Its logger is one for the whole process, so this is called once, before any analysis.
func RouteLogs(l hclog.Logger) { scalibrlog.SetLogger(hclogger{l.Named("scalibr")}) }

type hclogger struct{ to hclog.Logger }

func (l hclogger) Errorf(format string, args ...any) { l.Debugf(format, args...) }
func (l hclogger) Warnf(format string, args ...any)  { l.Debugf(format, args...) }
func (l hclogger) Infof(format string, args ...any)  { l.Debugf(format, args...) }
func (l hclogger) Error(args ...any)                 { l.Debug(args...) }
func (l hclogger) Warn(args ...any)                  { l.Debug(args...) }
func (l hclogger) Info(args ...any)                  { l.Debug(args...) }

func (l hclogger) Debug(args ...any) {
	if l.to.IsDebug() {
		l.to.Debug(fmt.Sprint(args...))
	}
}

func (l hclogger) Debugf(format string, args ...any) {
	if l.to.IsDebug() {
		l.to.Debug(fmt.Sprintf(format, args...))
	}
}

// scalibrVersion is the version of osv-scalibr that this program was built with; empty if the build does not say.
func scalibrVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/google/osv-scalibr" {
			return dep.Version
		}
	}
	return ""
}

var errNothing = errors.New("it holds no package that could be read")
