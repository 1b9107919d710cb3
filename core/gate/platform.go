package gate

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
)

// Platform is all that an adapter is: the platform's inputs become a Plan, and a Result becomes what the platform
// shows.
type Platform interface {
	Plan(ctx context.Context) (Plan, error)
	Publish(ctx context.Context, r *Result) error
}

// Failer is a Platform that also shows why there is no verdict to rely on.
type Failer interface {
	// Failed is called when something went wrong, after Publish if there was a result. It gets the exit code of the
	// process, which is never a pass, and the reason.
	Failed(ctx context.Context, exit int, reason error) error
}

// Serve runs the gate for a platform and returns the exit code of the process, with the error to print if there is
// one. What cannot be published keeps a pass from being one, and never excuses a refusal. Where the plan defers the
// verdict to a later job, it ends well if there is one and it was published, whatever it is.
func (g *Gate) Serve(ctx context.Context, p Platform) (int, error) {
	r, deferred, err := g.serve(ctx, p)
	exit := ExitCode(r, err)
	if deferred && err == nil {
		return core.ExitPassed, nil
	}
	if failer, ok := p.(Failer); ok && err != nil {
		if shown := failer.Failed(ctx, exit, err); shown != nil {
			err = errors.Join(err, fmt.Errorf("show the failure: %w", shown))
		}
	}
	return exit, err
}

func (g *Gate) serve(ctx context.Context, p Platform) (r *Result, deferred bool, err error) {
	plan, err := p.Plan(ctx)
	if err != nil {
		return nil, false, asUsage(err)
	}
	if plan.Recall != "" {
		r, err = g.recall(plan)
	} else {
		r, err = g.Run(ctx, plan)
	}
	if r == nil {
		return nil, false, err
	}
	if published := p.Publish(ctx, r); err == nil && published != nil {
		err = &core.Failure{Doing: "publish the verdict", Err: published}
	}
	return r, plan.Deferred, err
}

// asUsage marks an error of planning as the user's, which it is unless it says otherwise.
func asUsage(err error) error {
	if core.Usage(err) || errors.Is(err, ErrNoBase) {
		return err
	}
	return &core.Failure{Doing: "read the inputs", Err: err, Usage: true}
}

// ExitCode maps the outcome of a run to the exit code of the process: a refusal stays a refusal, and anything that went
// wrong beside it keeps the run from passing.
func ExitCode(r *Result, err error) int {
	switch {
	case r != nil && r.Verdict.Decision == core.Refused:
		return core.ExitRefused
	case errors.Is(err, ErrNoBase): // whatever could not be read because of that
		return core.ExitUndecided
	case err != nil && core.Usage(err):
		return core.ExitUsage
	case err != nil || r == nil:
		return core.ExitUndecided
	default:
		return r.Verdict.Decision.ExitCode()
	}
}
