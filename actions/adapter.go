package actions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sethvargo/go-githubactions"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// Options are what the adapter needs of the process and of the gate. All are required.
type Options struct {
	// Getenv reads the inputs (INPUT_NAME) and the runner's variables.
	Getenv func(string) string
	// Stdout is the runner's command channel.
	Stdout io.Writer
	// Document makes what reports show of a result.
	Document func(*gate.Result) report.Document
}

// Adapter is the gate on GitHub Actions. It serves one run.
type Adapter struct {
	getenv   func(string) string
	document func(*gate.Result) report.Document
	log      *channel
	action   *githubactions.Action
	// grouped is true while the log of the examination is folded.
	grouped bool
	// request is the number of the pull request that the event is about; 0 for none.
	request int
}

var (
	_ gate.Platform = (*Adapter)(nil)
	_ gate.Failer   = (*Adapter)(nil)
)

// New returns the adapter. It does nothing until Plan.
func New(o Options) *Adapter {
	log := &channel{out: o.Stdout}
	return &Adapter{
		getenv:   o.Getenv,
		document: o.Document,
		log:      log,
		action:   githubactions.New(githubactions.WithWriter(log), githubactions.WithGetenv(githubactions.GetenvFunc(o.Getenv))),
	}
}

// Plan reads the inputs of action.yml and the event, and folds the log of the examination that follows. The document of the
// run, SARIF, the bill of materials and the page are always written, to a new directory below RUNNER_TEMP, besides the
// outputs that were asked for.
func (a *Adapter) Plan(context.Context) (gate.Plan, error) {
	if token := a.input("comment-token"); token != "" {
		a.action.AddMask(token)
	}
	in := gate.EnvironmentInputs(a.getenv)
	for name, input := range map[string]*string{"target": &in.Targets, "platforms": &in.Platforms, "advisories": &in.Advisories,
		"outputs": &in.Outputs, "evidence": &in.Evidence, "category": &in.Category, "limits": &in.Limits, "base": &in.Base} {
		*input = cmp.Or(a.action.GetInput(name), *input)
	}
	if named := a.action.GetInput("policy"); named != "" {
		in.Policy, in.Config = named, ""
	}
	plan, err := in.Plan()
	if err != nil {
		return gate.Plan{}, err
	}
	if plan.Change, err = a.change(plan.Change); err != nil {
		return gate.Plan{}, err
	}
	if plan.Publish, err = a.publishing(); err != nil {
		return gate.Plan{}, err
	}
	plan.Source, plan.FetchHint = a.getenv("GITHUB_WORKSPACE"), fetchHint
	dir, err := a.reportDir()
	if err != nil {
		return gate.Plan{}, err
	}
	plan.Outputs = append([]gate.Output{
		{Format: "json", Path: filepath.Join(dir, "verdict.json")}, {Format: "sarif", Path: filepath.Join(dir, "findings.sarif")},
		{Format: "cyclonedx", Path: filepath.Join(dir, "sbom.cdx.json")}, {Format: "html", Path: filepath.Join(dir, "report.html")},
	}, plan.Outputs...)

	a.action.Group("Examine the target")
	a.grouped = true
	a.log.stop(a.action)
	return plan, a.log.err
}

// reportDir makes a directory that no earlier step can have prepared.
func (a *Adapter) reportDir() (string, error) {
	temp := a.getenv("RUNNER_TEMP")
	if temp == "" {
		return "", &core.Failure{Doing: "find a place for the reports", Err: errors.New("RUNNER_TEMP is not set"), Usage: true,
			Hint: "this command is for steps of GitHub Actions; elsewhere use: cleanbill gate"}
	}
	dir, err := os.MkdirTemp(temp, "cleanbill-*")
	if err != nil {
		return "", fmt.Errorf("make a directory for the reports: %w", err)
	}
	return dir, nil
}

// Publish shows the result: the verdict in the log, annotations, the job summary and the step's outputs. All of them
// are tried; the error joins what failed.
func (a *Adapter) Publish(ctx context.Context, r *gate.Result) error {
	a.endExamination()
	document := a.document(r)
	printed := a.log.foreign(a.action, func(w io.Writer) error {
		return errors.Join(report.Terminal(w, document, terminalOptions()), r.ShowPublished(w))
	})
	a.annotate(annotationsOf(r, a.getenv("GITHUB_WORKSPACE")))
	a.comment(ctx, document)
	defer a.log.stop(a.action) // for good: what the process still prints is for people only
	return errors.Join(
		a.setOutputs(outputsOf(r)),
		a.addSummary(func(w io.Writer, max int) error { return report.Markdown(w, document, max) }),
		printed,
		a.log.err,
	)
}

// Failed shows why there is no verdict to rely on, as one error annotation, in the job summary and in the outputs
// result and exit-code.
func (a *Adapter) Failed(_ context.Context, exit int, reason error) error {
	a.endExamination()
	text := report.SafeText(reason.Error())
	if hint := core.HintOf(reason); hint != "" {
		text += "\n" + report.SafeText(hint)
	}
	defer a.log.stop(a.action)
	a.annotate([]annotation{{level: levelError, title: "Cleanbill could not judge", message: text}})
	return errors.Join(
		a.setOutputs(gate.FailureFacts(exit)),
		a.addSummary(func(w io.Writer, _ int) error {
			_, err := fmt.Fprintf(w, "## Cleanbill could not judge\n\n%s\n", indented(text))
			return err
		}),
		a.log.err,
	)
}

// endExamination closes what Plan opened, and lets the runner obey again. It may be called twice.
func (a *Adapter) endExamination() {
	a.log.resume(a.action)
	if a.grouped {
		a.action.EndGroup()
		a.grouped = false
	}
}

// terminalOptions is for a log that is a page, not a terminal.
func terminalOptions() report.TerminalOptions {
	return report.TerminalOptions{Width: 100, Unicode: true}
}
