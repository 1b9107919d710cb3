package tekton

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// The files that are written to the workspace for reports, if one is bound.
const (
	documentFile = "cleanbill.json"
	sbomFile     = "cleanbill.cdx.json"
)

// fetchHint says how a pipeline gets the base of a change.
const fetchHint = "let git-clone fetch all of the history, with its parameter depth: 0"

// Options are what the adapter needs of the process and of the gate. All are required.
type Options struct {
	// Getenv reads the variables of the step.
	Getenv func(string) string
	// Stdout is the log of the step.
	Stdout io.Writer
	// Now gives the time in TEST_OUTPUT.
	Now func() time.Time
	// Document makes what reports show of a result.
	Document func(*gate.Result) report.Document
}

// Adapter is the gate in a step of a Tekton Task. It serves one run.
type Adapter struct {
	o Options
}

var (
	_ gate.Platform = (*Adapter)(nil)
	_ gate.Failer   = (*Adapter)(nil)
)

// New returns the adapter. It does nothing until Plan.
func New(o Options) *Adapter { return &Adapter{o: o} }

// Plan reads the step's variables; its working directory is the workspace of the sources, if one is bound. If a workspace for reports is bound, the document and a CycloneDX bill of materials
// are written there, besides the outputs that were asked for.
func (a *Adapter) Plan(context.Context) (gate.Plan, error) {
	in := gate.EnvironmentInputs(a.o.Getenv)
	in.Advisories = a.o.Getenv("CLEANBILL_ADVISORIES")
	plan, err := in.Plan()
	if err != nil {
		return gate.Plan{}, err
	}
	plan.Source, plan.FetchHint = ".", fetchHint
	plan.Change.Head = strings.TrimSpace(a.o.Getenv("CLEANBILL_REVISION"))
	if dir := a.o.Getenv("CLEANBILL_REPORTS"); dir != "" {
		plan.Outputs = append([]gate.Output{
			{Format: "json", Path: filepath.Join(dir, documentFile)},
			{Format: "cyclonedx", Path: filepath.Join(dir, sbomFile)},
		}, plan.Outputs...)
	}
	return plan, nil
}

// Publish prints the verdict and writes the results. Both are tried; the error joins what failed.
func (a *Adapter) Publish(_ context.Context, r *gate.Result) error {
	results, err := resultsOf(r, a.o.Now())
	if err == nil {
		err = a.write(results)
	}
	return errors.Join(err, report.Terminal(a.o.Stdout, a.o.Document(r), terminalOptions()))
}

// Failed writes the results of a run that has no verdict to rely on. The reason itself is printed by the command.
func (a *Adapter) Failed(_ context.Context, exit int, _ error) error {
	results, err := failureResults(exit, a.o.Now())
	if err != nil {
		return err
	}
	return a.write(results)
}

// terminalOptions is for a log that is a page, not a terminal.
func terminalOptions() report.TerminalOptions {
	return report.TerminalOptions{Width: 100, Unicode: true}
}
