package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/report"
)

// The files of a job, in its working directory, which is the project's. The template names them as artifacts.
const (
	documentFile = "cleanbill.json"
	sbomFile     = "cleanbill.cdx.json"
	dotenvFile   = "cleanbill.env"
)

// Job is which job of the templates the process runs in. The template's script says it and no variable does, because
// variables can be set for a pipeline by whoever starts it.
type Job int

const (
	// JobGate looks, judges, and ends with the verdict.
	JobGate Job = iota
	// JobScan looks, judges, and ends well wherever there is a verdict, so that GitLab takes the reports as those of a scanner.
	JobScan
	// JobVerdict ends with the verdict of JobScan.
	JobVerdict
	// JobPush looks, judges in full, pushes what passed, signs it, and ends with the verdict.
	JobPush
)

// Options are what the adapter needs of the process and of the gate. All are required.
type Options struct {
	Job Job
	// Getenv reads the variables of the job.
	Getenv func(string) string
	// Stdout is the job's log.
	Stdout io.Writer
	// Now gives the time of log sections.
	Now func() time.Time
	// Document makes what reports show of a result.
	Document func(*gate.Result) report.Document
}

// Adapter is the gate in a job of GitLab CI. It serves one run.
type Adapter struct {
	job      Job
	getenv   func(string) string
	document func(*gate.Result) report.Document
	log      *trace
}

var (
	_ gate.Platform = (*Adapter)(nil)
	_ gate.Failer   = (*Adapter)(nil)
)

// New returns the adapter. It does nothing until Plan.
func New(o Options) *Adapter {
	return &Adapter{job: o.Job, getenv: o.Getenv, document: o.Document, log: &trace{out: o.Stdout, now: o.Now}}
}

// Plan reads the job's variables and folds the log of the examination that follows. The reports that GitLab takes are written
// besides the outputs that were asked for.
func (a *Adapter) Plan(context.Context) (gate.Plan, error) {
	in := gate.EnvironmentInputs(a.getenv)
	in.Targets, in.Advisories = cmp.Or(in.Targets, a.scanned()), a.getenv("CLEANBILL_ADVISORIES")
	if a.job == JobVerdict {
		return a.recall(in)
	}
	plan, err := in.Plan()
	if err != nil {
		return gate.Plan{}, err
	}
	if plan.Change, err = a.change(plan.Change); err != nil {
		return gate.Plan{}, err
	}
	plan.Source, plan.FetchHint = a.getenv("CI_PROJECT_DIR"), fetchHint
	plan.Deferred = a.job == JobScan
	if a.job == JobPush {
		if plan.Publish, err = a.publishing(); err != nil {
			return gate.Plan{}, err
		}
	}
	plan.Outputs = append(a.outputs(), plan.Outputs...)
	a.log.start("cleanbill_examination", "Examine the target")
	return plan, a.log.err
}

// recall plans to end with the verdict of the job that scanned.
func (a *Adapter) recall(in gate.Inputs) (gate.Plan, error) {
	said, err := in.Settings()
	if err != nil {
		return gate.Plan{}, err
	}
	change, err := a.change(said.Change)
	return gate.Plan{Recall: documentFile, Change: change}, err
}

// scanned is the image that GitLab's container scanning would scan, which is judged where no target is named.
//
// https://docs.gitlab.com/user/application_security/container_scanning/#available-cicd-variables (CS_IMAGE)
func (a *Adapter) scanned() string {
	image, repository, tag := a.getenv("CS_IMAGE"), a.getenv("CI_APPLICATION_REPOSITORY"), a.getenv("CI_APPLICATION_TAG")
	if image == "" && repository != "" && tag != "" {
		image = repository + ":" + tag
	}
	return image
}

// Publish shows the result: the verdict in the log, the note on the merge request, and the dotenv report. All are tried; the
// error joins what failed.
func (a *Adapter) Publish(ctx context.Context, r *gate.Result) error {
	a.log.end()
	document := a.document(r)
	people := plainText{a.log}
	printed := errors.Join(report.Terminal(people, document, terminalOptions()), r.ShowPublished(people))
	if a.job == JobGate || a.job == JobScan {
		a.note(ctx, document)
	}
	return errors.Join(writeVariables(r.Facts()), a.handOver(document, r.Reports), printed, a.log.err)
}

// Failed writes the variables of a run that has no verdict to rely on. The reason itself is printed by the command.
func (a *Adapter) Failed(_ context.Context, exit int, _ error) error {
	a.log.end()
	return errors.Join(writeVariables(gate.FailureFacts(exit)), a.log.err)
}

// writeVariables writes the dotenv report.
func writeVariables(facts []gate.Fact) error {
	text, err := dotenv(facts)
	if err != nil {
		return fmt.Errorf("write the variables for later jobs: %w", err)
	}
	return gate.WriteFile(dotenvFile, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// terminalOptions is for a log that is a page, not a terminal.
func terminalOptions() report.TerminalOptions {
	return report.TerminalOptions{Width: 100, Unicode: true}
}
