package target

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleanbill-ci/cleanbill/core"
)

// advice is an error that knows what the user can do, on its way to the core.Failure that says what was being done.
type advice struct {
	err   error
	hint  string
	usage bool
}

func (a *advice) Error() string { return a.err.Error() }
func (a *advice) Unwrap() error { return a.err }

// misuse is an error of the user's input.
func misuse(hint, format string, args ...any) error {
	return &advice{err: fmt.Errorf(format, args...), hint: hint, usage: true}
}

// unavailable is an error that is not the user's, with a hint.
func unavailable(hint, format string, args ...any) error {
	return &advice{err: fmt.Errorf(format, args...), hint: hint}
}

// fail makes the one Failure that people read. An interrupted run is reported as just that.
func fail(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return &core.Failure{Doing: doing, Err: cause}
	}
	f := &core.Failure{Doing: doing, Err: err}
	var a *advice
	if errors.As(err, &a) {
		f.Hint, f.Usage = a.hint, a.usage
	}
	return f
}

func hintOf(err error) string {
	var a *advice
	if errors.As(err, &a) {
		return a.hint
	}
	return ""
}
